//! What is kept of a part, and the JSON it reads as: schema `plumb.record/1`.

use jiff::Timestamp;
use plumb_inspection::{
    CameraId, Finding, Findings, Lap, Laps, ModelName, PartId, RecipeName, RegionName, Score, Trigger,
    TriggerSource,
};
use plumb_verdict::{Decision, Reason};
use rusqlite::{Error::FromSqlConversionFailure, types::Type};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

/// Everything kept of one part. Scores in it are raw: before any threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Always `plumb.record/1`.
    pub schema: Schema,
    /// The part. A PLC that numbers parts may give one id twice; the ledger keeps both records.
    pub part_id: PartId,
    /// The part's own serial number, where something read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// What was checked.
    pub recipe: RecipeName,
    /// Digest of the recipe as it was at that moment.
    pub recipe_digest: String,
    /// The station's name.
    pub station: String,
    /// When the trigger was noticed: UTC, whole µs. With `part_id` it is the key that joins pictures to the record.
    #[serde(with = "rfc3339_us")]
    pub triggered_at: Timestamp,
    /// What noticed the part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerSource>,
    /// Belt encoder count at the photo-eye, where the PLC told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<u32>,
    /// What the PLC was told.
    pub verdict: RecordVerdict,
    /// Word 15 of the register block: 0 for a pass, 1..=99 rules, from 100 on why the part was missed.
    #[serde(default)]
    pub reason_code: u16,
    /// Every objection; empty for a pass.
    pub reasons: Vec<Reason>,
    /// One entry a camera that delivered.
    pub views: Vec<ViewRecord>,
    /// How long each stage took.
    pub timings_us: Timings,
    /// The models that looked.
    pub models: Vec<ModelRecord>,
    /// Digest of the calibration in force, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration_digest: Option<String>,
    /// Why lengths and areas in mm of this part do not count as measured: a sentence a camera whose calibration has
    /// expired, or is of another camera or size. Empty where all is well, and where no calibration was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uncalibrated: Vec<String>,
    /// What became of the answer on its way to the PLC; absent where there is no PLC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plc: Option<PlcRecord>,
    /// Pictures on disk. Filled when the record is read; empty on its way in.
    #[serde(default)]
    pub pictures: Vec<Picture>,
    /// Pictures that should be there and are not. Filled when the record is read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures_missing: Vec<MissingPicture>,
}

impl Record {
    /// A record with its keys; the other fields are empty, for the caller to fill.
    pub fn new(trigger: &Trigger, verdict: RecordVerdict, recipe: RecipeName, station: &str) -> Self {
        Self {
            schema: Schema,
            part_id: trigger.part,
            serial: None,
            recipe,
            recipe_digest: String::new(),
            station: station.to_owned(),
            triggered_at: whole_us(trigger.at.wall),
            trigger: Some(trigger.source),
            encoder: trigger.encoder,
            verdict,
            reason_code: 0,
            reasons: Vec::new(),
            views: Vec::new(),
            timings_us: Timings::default(),
            models: Vec::new(),
            calibration_digest: None,
            uncalibrated: Vec::new(),
            plc: None,
            pictures: Vec::new(),
            pictures_missing: Vec::new(),
        }
    }

    pub(crate) fn without_non_numbers(mut self) -> Self {
        mend_non_numbers(self.part_id, &mut self.views);
        self
    }
}

/// JSON knows no NaN and no infinity, and one such number would make the whole record unreadable. A model that gives
/// one is broken; its record says so by a 0 and the log by a warning.
pub(crate) fn mend_non_numbers(part: PartId, views: &mut [ViewRecord]) {
    let mut mended = 0;
    let mut mend = |number: &mut f32| {
        if !number.is_finite() {
            *number = 0.0;
            mended += 1;
        }
    };
    for finding in views.iter_mut().flat_map(|view| &mut view.findings) {
        let b = &mut finding.box_px;
        [&mut b.x, &mut b.y, &mut b.w, &mut b.h, &mut finding.area_px].into_iter().for_each(&mut mend);
        finding.length_mm.iter_mut().chain(&mut finding.area_mm2).for_each(&mut mend);
        finding
            .polygon_px
            .iter_mut()
            .flatten()
            .for_each(|p| [&mut p.x, &mut p.y].into_iter().for_each(&mut mend));
        finding
            .keypoints_px
            .iter_mut()
            .flatten()
            .for_each(|p| [&mut p.x, &mut p.y, &mut p.score].into_iter().for_each(&mut mend));
    }
    if mended > 0 {
        tracing::warn!(%part, numbers = mended, "A finding has a size that is no number; kept as 0.");
    }
}

/// The word `plumb.record/1`: reading anything else is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schema;

impl Schema {
    /// The word itself.
    pub const NAME: &str = "plumb.record/1";
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Self::NAME)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == Self::NAME {
            return Ok(Self);
        }
        Err(D::Error::custom(format!("schema {name:?} is not {:?}, the one this version reads", Self::NAME)))
    }
}

/// What the PLC was told of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordVerdict {
    /// Good, in time.
    Pass,
    /// Bad, in time.
    Fail,
    /// Could not be judged.
    Missed,
    /// Judged after its deadline: a reject, whatever the judgement was.
    Late,
}

impl RecordVerdict {
    /// Every verdict.
    pub const ALL: [Self; 4] = [Self::Pass, Self::Fail, Self::Missed, Self::Late];

    /// The spelling used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Missed => "missed",
            Self::Late => "late",
        }
    }
}

impl From<Decision> for RecordVerdict {
    /// For an answer given in time; only the caller knows that one was [`RecordVerdict::Late`].
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Pass => Self::Pass,
            Decision::Fail => Self::Fail,
            Decision::Missed(_) => Self::Missed,
        }
    }
}

/// What one camera gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ViewRecord {
    /// The camera.
    pub camera: CameraId,
    /// [`plumb_inspection::Frame::seq`].
    pub frame_seq: u64,
    /// What the models saw, in frame px.
    pub findings: Vec<Finding>,
    /// Raw score of each model. The key is the model's name, or `model/region` where it looked at several regions.
    pub scores: BTreeMap<String, Score>,
}

impl ViewRecord {
    /// From what the models said of one frame.
    pub fn new(camera: CameraId, frame_seq: u64, findings: Findings) -> Self {
        let mut regions: BTreeMap<&ModelName, BTreeSet<&RegionName>> = BTreeMap::new();
        for (model, region, _) in &findings.scores {
            regions.entry(model).or_default().insert(region);
        }
        let key = |model: &ModelName, region: &RegionName| match regions[model].len() {
            1 => model.to_string(),
            _ => format!("{model}/{region}"),
        };
        let scores =
            findings.scores.iter().map(|(model, region, score)| (key(model, region), *score)).collect();
        Self { camera, frame_seq, scores, findings: findings.list }
    }
}

/// µs in each stage; absent where the part never came that far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timings {
    /// Trigger → preprocess.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture: Option<u64>,
    /// Regions cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preprocess: Option<u64>,
    /// The models' work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infer: Option<u64>,
    /// Rules, and waiting for other views.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<u64>,
    /// Verdict → acknowledged by the PLC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plc: Option<u64>,
    /// Trigger → acknowledged by the PLC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl Timings {
    /// From a trip's laps and the whole time since its trigger.
    pub fn new(laps: &Laps, total: Option<Duration>) -> Self {
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let lap = |lap| laps.get(lap).map(us);
        Self {
            capture: lap(Lap::Capture),
            preprocess: lap(Lap::Preprocess),
            infer: lap(Lap::Infer),
            verdict: lap(Lap::Verdict),
            plc: lap(Lap::Plc),
            total: total.map(us),
        }
    }
}

/// A model as it was when it looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// Its name in the recipe.
    pub name: ModelName,
    /// Digest of its file.
    pub digest: String,
    /// What it ran on, e.g. `cpu`.
    pub provider: String,
}

/// What became of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlcRecord {
    /// True once the PLC acknowledged the write.
    pub delivered: bool,
}

/// A picture on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Who took it.
    pub camera: CameraId,
    /// What it shows, e.g. `frame`.
    pub kind: String,
    /// Below the ledger's folder, with `/` on every system.
    pub path: String,
    /// Of the file, in hex.
    pub sha256: String,
}

/// A picture that was to be kept and is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingPicture {
    /// Who took it.
    pub camera: CameraId,
    /// What it showed.
    pub kind: String,
    /// Why it is not there.
    pub why: String,
}

/// The wall clock in whole µs, as records keep it: what is written reads back equal.
pub(crate) fn whole_us(wall: SystemTime) -> Timestamp {
    let at = Timestamp::try_from(wall).unwrap_or(Timestamp::UNIX_EPOCH); // a clock before the year -9999
    Timestamp::from_microsecond(at.as_microsecond()).expect("µs of a timestamp are a timestamp")
}

/// The moment kept as whole µs, when it is one.
pub(crate) fn from_us(us: i64) -> rusqlite::Result<Timestamp> {
    let conversion = |error| FromSqlConversionFailure(0, Type::Integer, Box::new(error));
    Timestamp::from_microsecond(us).map_err(conversion)
}

pub(crate) mod rfc3339_us {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    pub(crate) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{at:.6}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::{Cause, RectPx, Stamp};
    use plumb_verdict::{RuleName, Verdict};
    use std::time::Instant;

    fn trigger(part: u32, wall_us: u64) -> Trigger {
        let at =
            Stamp { mono: Instant::now(), wall: SystemTime::UNIX_EPOCH + Duration::from_micros(wall_us) };
        Trigger {
            part: PartId::new(part).expect("not 0"),
            source: TriggerSource::Plc,
            at,
            encoder: Some(4711),
        }
    }

    fn full() -> Record {
        let score = |s| Score::new(s).expect("finite");
        let finding = Finding {
            class: "scratch".into(),
            score: score(0.93),
            box_px: RectPx::from([1.0, 2.0, 3.0, 4.5]),
            polygon_px: None,
            keypoints_px: None,
            area_px: 12.0,
            length_mm: Some(1.5),
            area_mm2: None,
            region: "face".into(),
            model: "surface".into(),
        };
        let findings =
            Findings { list: vec![finding], scores: vec![("surface".into(), "face".into(), score(0.93))] };
        let mut laps = Laps::default();
        laps.add(Lap::Infer, Duration::from_micros(4200));
        Record {
            serial: Some("SN-1".into()),
            recipe_digest: "ab12".into(),
            reason_code: 3,
            reasons: vec![Reason {
                rule: RuleName::from("no-scratch"),
                region: "face".into(),
                says: "1 scratch".into(),
            }],
            views: vec![ViewRecord::new("top".into(), 7, findings)],
            timings_us: Timings::new(&laps, Some(Duration::from_micros(9000))),
            models: vec![ModelRecord {
                name: "surface".into(),
                digest: "cd34".into(),
                provider: "cpu".into(),
            }],
            calibration_digest: Some("ef56".into()),
            plc: Some(PlcRecord { delivered: true }),
            pictures: vec![Picture {
                camera: "top".into(),
                kind: "frame".into(),
                path: "pictures/2023-11-14/42-top-frame.jpg".into(),
                sha256: "00ff".into(),
            }],
            ..Record::new(&trigger(42, 1_700_000_000_000_100), RecordVerdict::Fail, "washer".into(), "s1")
        }
    }

    #[test]
    fn a_record_reads_as_the_contract_says() {
        let expected = r#"{
  "schema": "plumb.record/1",
  "part_id": 42,
  "serial": "SN-1",
  "recipe": "washer",
  "recipe_digest": "ab12",
  "station": "s1",
  "triggered_at": "2023-11-14T22:13:20.000100Z",
  "trigger": "plc",
  "encoder": 4711,
  "verdict": "fail",
  "reason_code": 3,
  "reasons": [
    {
      "rule": "no-scratch",
      "region": "face",
      "says": "1 scratch"
    }
  ],
  "views": [
    {
      "camera": "top",
      "frame_seq": 7,
      "findings": [
        {
          "class": "scratch",
          "score": 0.93,
          "box_px": [
            1.0,
            2.0,
            3.0,
            4.5
          ],
          "area_px": 12.0,
          "length_mm": 1.5,
          "region": "face"
        }
      ],
      "scores": {
        "surface": 0.93
      }
    }
  ],
  "timings_us": {
    "infer": 4200,
    "total": 9000
  },
  "models": [
    {
      "name": "surface",
      "digest": "cd34",
      "provider": "cpu"
    }
  ],
  "calibration_digest": "ef56",
  "plc": {
    "delivered": true
  },
  "pictures": [
    {
      "camera": "top",
      "kind": "frame",
      "path": "pictures/2023-11-14/42-top-frame.jpg",
      "sha256": "00ff"
    }
  ]
}"#;
        assert_eq!(serde_json::to_string_pretty(&full()).expect("plain data"), expected);
        // The finding's model is not part of the contract; everything else comes back.
        let mut back: Record = serde_json::from_str(expected).expect("what we wrote");
        back.views[0].findings[0].model = "surface".into();
        assert_eq!(back, full());
    }

    #[test]
    fn another_schema_is_refused_by_name() {
        let text = serde_json::to_string(&full()).expect("plain data").replace("record/1", "record/9");
        let error = serde_json::from_str::<Record>(&text).expect_err("not ours");
        assert!(error.to_string().contains("plumb.record/9"), "{error}");
    }

    #[test]
    fn a_model_on_several_regions_names_the_region_in_its_score() {
        let score = |s| Score::new(s).expect("finite");
        let scores = vec![
            ("anomaly".into(), "head".into(), score(1.0)),
            ("anomaly".into(), "tip".into(), score(2.0)),
            ("caps".into(), "head".into(), score(0.5)),
        ];
        let view = ViewRecord::new("top".into(), 1, Findings { list: vec![], scores });
        let keys: Vec<&str> = view.scores.keys().map(String::as_str).collect();
        assert_eq!(keys, ["anomaly/head", "anomaly/tip", "caps"]);
    }

    #[test]
    fn a_size_that_is_no_number_does_not_make_the_record_unreadable() {
        let mut record = full();
        record.views[0].findings[0].area_px = f32::INFINITY;
        record.views[0].findings[0].box_px.x = f32::NAN;
        let text = serde_json::to_string(&record.without_non_numbers()).expect("plain data");
        let back: Record = serde_json::from_str(&text).expect("readable");
        assert_eq!(back.views[0].findings[0].area_px, 0.0);
    }

    #[test]
    fn verdicts_are_spelled_the_same_in_json_and_in_words() {
        for verdict in RecordVerdict::ALL {
            let json = serde_json::to_string(&verdict).expect("plain data");
            assert_eq!(json, format!("{:?}", verdict.as_str()));
        }
        let missed = Verdict::missed(Cause::Deadline).decision;
        assert_eq!(RecordVerdict::from(missed), RecordVerdict::Missed);
    }
}
