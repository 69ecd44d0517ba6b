//! What is kept of a part that a shadow model saw, and the JSON it reads as: schema `plumb.shadow/1`.

use crate::{
    ModelRecord, RecordVerdict, ViewRecord,
    record::{mend_non_numbers, rfc3339_us, whole_us},
};
use jiff::Timestamp;
use plumb_inspection::{PartId, RecipeName, Trigger};
use plumb_verdict::{Decision, Reason, Verdict};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::time::Duration;

/// What a shadow model would have said of one part. Scores in it are raw: before any threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShadowRecord {
    /// Always `plumb.shadow/1`.
    pub schema: ShadowSchema,
    /// The part. Together with `triggered_at` it is what joins this to the part's record.
    pub part_id: PartId,
    /// When the trigger was noticed: UTC, whole µs.
    #[serde(with = "rfc3339_us")]
    pub triggered_at: Timestamp,
    /// What was checked.
    pub recipe: RecipeName,
    /// The shadow.
    pub model: ModelRecord,
    /// What the PLC was told of the part, by the models that judge.
    pub machine: RecordVerdict,
    /// What it would have been told with the shadow in their place.
    pub verdict: ShadowVerdict,
    /// Whether the two are the same; absent where the shadow skipped the part or the machine did not judge it in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agrees: Option<bool>,
    /// Why the shadow did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// How long the shadow took over the part, in µs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infer_us: Option<u64>,
    /// Every objection it would have had; empty for a pass.
    #[serde(default)]
    pub reasons: Vec<Reason>,
    /// What it saw, one entry a camera.
    #[serde(default)]
    pub views: Vec<ViewRecord>,
}

impl ShadowRecord {
    /// The shadow looked at all views of the part, which took it `infer`, and `verdict` is what the recipe's rules say
    /// of what it saw.
    pub fn judged(
        trigger: &Trigger,
        recipe: RecipeName,
        model: ModelRecord,
        machine: RecordVerdict,
        (verdict, views): (Verdict, Vec<ViewRecord>),
        infer: Duration,
    ) -> Self {
        let word = verdict.decision.into();
        let infer_us = Some(u64::try_from(infer.as_micros()).unwrap_or(u64::MAX));
        let new = Self::new(trigger, recipe, model, machine, word);
        Self { infer_us, reasons: verdict.reasons, views, ..new }
    }

    /// The shadow did not look at the part, because of `why`: it had no time, no picture, or no room.
    pub fn skipped(
        trigger: &Trigger,
        recipe: RecipeName,
        model: ModelRecord,
        machine: RecordVerdict,
        why: impl Into<String>,
    ) -> Self {
        let new = Self::new(trigger, recipe, model, machine, ShadowVerdict::Skipped);
        Self { skipped: Some(why.into()), ..new }
    }

    fn new(
        trigger: &Trigger,
        recipe: RecipeName,
        model: ModelRecord,
        machine: RecordVerdict,
        verdict: ShadowVerdict,
    ) -> Self {
        Self {
            schema: ShadowSchema,
            part_id: trigger.part,
            triggered_at: whole_us(trigger.at.wall),
            recipe,
            model,
            machine,
            verdict,
            agrees: verdict.agrees_with(machine),
            skipped: None,
            infer_us: None,
            reasons: Vec::new(),
            views: Vec::new(),
        }
    }

    /// Fit to be kept as JSON, and what it says of agreement follows from the two verdicts.
    pub(super) fn tidied(mut self) -> Self {
        mend_non_numbers(self.part_id, &mut self.views);
        self.agrees = self.verdict.agrees_with(self.machine);
        self
    }
}

/// What the PLC would have been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShadowVerdict {
    /// Good.
    Pass,
    /// Bad.
    Fail,
    /// The shadow gave no usable answer.
    Missed,
    /// The shadow did not look.
    Skipped,
}

impl ShadowVerdict {
    /// Every verdict.
    pub const ALL: [Self; 4] = [Self::Pass, Self::Fail, Self::Missed, Self::Skipped];

    /// The spelling used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Missed => "missed",
            Self::Skipped => "skipped",
        }
    }

    /// Whether the machine said the same. `None` where one of the two did not judge: a shadow that skipped the part, a
    /// machine that missed it or was late. A shadow that looked and gave no usable answer agrees with nobody.
    pub fn agrees_with(self, machine: RecordVerdict) -> Option<bool> {
        match (machine, self) {
            (RecordVerdict::Missed | RecordVerdict::Late, _) | (_, Self::Skipped) => None,
            (RecordVerdict::Pass, shadow) => Some(shadow == Self::Pass),
            (RecordVerdict::Fail, shadow) => Some(shadow == Self::Fail),
        }
    }
}

impl From<Decision> for ShadowVerdict {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Pass => Self::Pass,
            Decision::Fail => Self::Fail,
            Decision::Missed(_) => Self::Missed,
        }
    }
}

/// The word `plumb.shadow/1`: reading anything else is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShadowSchema;

impl ShadowSchema {
    /// The word itself.
    pub const NAME: &str = "plumb.shadow/1";
}

impl Serialize for ShadowSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Self::NAME)
    }
}

impl<'de> Deserialize<'de> for ShadowSchema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == Self::NAME {
            return Ok(Self);
        }
        Err(D::Error::custom(format!("schema {name:?} is not {:?}, the one this version reads", Self::NAME)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::{Cause, Findings, RectPx, Score, Stamp, TriggerSource};
    use plumb_verdict::RuleName;
    use std::time::{Instant, SystemTime};

    fn trigger() -> Trigger {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_100);
        Trigger {
            part: PartId::new(42).expect("not 0"),
            source: TriggerSource::Plc,
            at: Stamp { mono: Instant::now(), wall },
            encoder: None,
        }
    }

    fn model() -> ModelRecord {
        ModelRecord { name: "surface".into(), digest: "cd34".into(), provider: "cpu".into() }
    }

    fn judged() -> ShadowRecord {
        let score = Score::new(0.75).expect("finite");
        let finding = plumb_inspection::Finding {
            class: "scratch".into(),
            score,
            box_px: RectPx::from([1.0, 2.0, 3.0, 4.5]),
            polygon_px: None,
            keypoints_px: None,
            area_px: 12.0,
            length_mm: None,
            area_mm2: None,
            region: "face".into(),
            model: "surface".into(),
        };
        let findings = Findings {
            list: vec![finding],
            scores: vec![("surface".into(), "face".into(), score)],
            ..Findings::default()
        };
        let reason =
            Reason { rule: RuleName::from("no-scratch"), region: "face".into(), says: "1 scratch".into() };
        let verdict = Verdict::from_objections(vec![reason]);
        let views = vec![ViewRecord::new("top".into(), 7, findings)];
        let took = Duration::from_micros(4200);
        ShadowRecord::judged(
            &trigger(),
            "washer".into(),
            model(),
            RecordVerdict::Pass,
            (verdict, views),
            took,
        )
    }

    #[test]
    fn a_shadow_record_reads_as_the_contract_says() {
        let expected = concat!(
            r#"{"schema":"plumb.shadow/1","part_id":42,"triggered_at":"2023-11-14T22:13:20.000100Z","#,
            r#""recipe":"washer","model":{"name":"surface","digest":"cd34","provider":"cpu"},"#,
            r#""machine":"pass","verdict":"fail","agrees":false,"infer_us":4200,"#,
            r#""reasons":[{"rule":"no-scratch","region":"face","says":"1 scratch"}],"#,
            r#""views":[{"camera":"top","frame_seq":7,"findings":[{"class":"scratch","score":0.75,"#,
            r#""box_px":[1.0,2.0,3.0,4.5],"area_px":12.0,"region":"face"}],"scores":{"surface":0.75}}]}"#,
        );
        assert_eq!(serde_json::to_string(&judged()).expect("plain data"), expected);
        let mut back: ShadowRecord = serde_json::from_str(expected).expect("what we wrote");
        back.views[0].findings[0].model = "surface".into(); // not part of the contract
        assert_eq!(back, judged());
        let other = expected.replace("shadow/1", "shadow/9");
        let error = serde_json::from_str::<ShadowRecord>(&other).expect_err("not ours").to_string();
        assert!(error.contains("plumb.shadow/9"), "{error}");
    }

    #[test]
    fn a_skipped_part_says_why_and_agrees_with_nobody() {
        let skipped =
            ShadowRecord::skipped(&trigger(), "washer".into(), model(), RecordVerdict::Pass, "no time left");
        assert_eq!((skipped.verdict, skipped.agrees), (ShadowVerdict::Skipped, None));
        let text = serde_json::to_string(&skipped).expect("plain data");
        assert!(text.contains(r#""skipped":"no time left""#) && !text.contains("agrees"), "{text}");
    }

    #[test]
    fn what_agrees_with_what() {
        let rows = [
            (RecordVerdict::Pass, [Some(true), Some(false), Some(false), None]),
            (RecordVerdict::Fail, [Some(false), Some(true), Some(false), None]),
            (RecordVerdict::Missed, [None; 4]),
            (RecordVerdict::Late, [None; 4]),
        ];
        for (machine, row) in rows {
            assert_eq!(ShadowVerdict::ALL.map(|shadow| shadow.agrees_with(machine)), row, "{machine:?}");
        }
        assert_eq!(ShadowVerdict::from(Decision::Missed(Cause::Model)), ShadowVerdict::Missed);
    }

    #[test]
    fn agreement_follows_from_the_verdicts_whatever_the_record_claims() {
        let mut record = judged();
        record.agrees = Some(true);
        record.views[0].findings[0].area_px = f32::NAN;
        let tidied = record.tidied();
        assert_eq!((tidied.agrees, tidied.views[0].findings[0].area_px), (Some(false), 0.0));
    }
}
