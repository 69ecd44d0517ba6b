//! `plumb replay --compare`: the pictures a ledger kept, looked at again by the recipe as it is now, and what that says
//! beside what the PLC was told then. Another rule, threshold, model or recipe: all are the recipe as it is now.

use super::{
    page::PICTURES_MAX,
    progress::Progress,
    scores::with_thresholds,
    told::{Told, look, truths},
};
use crate::{
    cli::{Exit, fail, run::exit_of, say},
    comparison::{Comparison, Pair},
    config::Plan,
    replay,
    station::{Station, Wiring},
};
use plumb_inspection::{CameraId, RecipeName};
use plumb_ledger::{LedgerError, Query, Reader, Record, RecordVerdict};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, io, path::Path, sync::mpsc, time::Duration};

/// What the arguments of `plumb replay` say of it.
pub(super) struct Pictures<'a> {
    pub(super) recipe: &'a str,
    /// Where the ledger is.
    pub(super) data: &'a Path,
    /// Parts that this recipe checked then.
    pub(super) of: RecipeName,
    pub(super) set: &'a [String],
    pub(super) json: bool,
    pub(super) report: Option<&'a Path>,
}

/// What is to be looked at again: pairs whose `after` is still to come, in the order of the pictures.
#[derive(Default)]
struct Kept {
    pairs: Vec<Pair>,
    left_out: BTreeMap<String, u64>,
    /// Who judged then, and how many of these parts.
    judges: BTreeMap<String, u64>,
}

impl Pictures<'_> {
    pub(super) fn run(&self, plan: Plan) -> Exit {
        let room = match tempfile::tempdir() {
            Ok(room) => room,
            Err(error) => return fail(Exit::Device, format!("there is no room for a replay: {error}")),
        };
        let folder = room.path().join("kept");
        if let Err(error) = std::fs::create_dir(&folder) {
            return fail(Exit::Device, KeptError::Io(error));
        }
        let mut plan = match replay::plan(plan, self.recipe, &folder, None, room.path()) {
            Ok(plan) => plan,
            Err(error) => return fail(Exit::Config, error),
        };
        replay::on_all_cores(&mut plan);
        let camera = plan.cameras[0].id.clone();
        let recipe = plan.recipes.get_mut(&plan.first_recipe).expect("a replay has its recipe");
        match with_thresholds(recipe, self.set) {
            Ok(judge) => recipe.judge = judge,
            Err(says) => return fail(Exit::Usage, says),
        }
        let recipe = recipe.clone();
        let kept = match self.kept(&camera, &folder) {
            Ok(kept) if kept.pairs.is_empty() => {
                let why: Vec<String> =
                    kept.left_out.iter().map(|(why, parts)| format!("{parts}: {why}")).collect();
                let why =
                    if why.is_empty() { "the ledger has no such part".to_owned() } else { why.join("; ") };
                return fail(
                    Exit::Usage,
                    format!("no part of recipe \"{}\" can be looked at again: {why}", self.of),
                );
            }
            Ok(kept) => kept,
            Err(KeptError::Ledger(error @ LedgerError::Absent { .. })) => return fail(Exit::Usage, error),
            Err(error) => return fail(Exit::Device, error),
        };
        match look_again(plan, kept) {
            Ok(comparison) => {
                let Self { data, set, json, report, .. } = *self;
                Told { recipe: &recipe, data, set, how: "its kept pictures", json, report }.tell(&comparison)
            }
            Err((exit, says)) => fail(exit, says),
        }
    }

    /// Links each kept picture of `camera` into `folder`, under its place in what is returned.
    fn kept(&self, camera: &CameraId, folder: &Path) -> Result<Kept, KeptError> {
        let data = std::fs::canonicalize(self.data)?;
        let truths = truths(self.data, &self.of)?;
        let mut kept = Kept::default();
        let mut failed = None;
        Reader::new(self.data).each(&Query::default(), |record| {
            if record.recipe != self.of || failed.is_some() {
                return Ok(());
            }
            let place = folder.join(format!("{:09}", kept.pairs.len()));
            match link(&record, camera, &data, &place) {
                Ok(Ok(picture)) => {
                    for model in &record.models {
                        let digest = model.digest.get(..12).unwrap_or(&model.digest);
                        *kept.judges.entry(format!("{} {digest}", model.name)).or_default() += 1;
                    }
                    kept.pairs.push(Pair {
                        part_id: record.part_id,
                        before: record.verdict,
                        after: RecordVerdict::Missed,
                        truth: truths.get(&look(&record)).copied(),
                        why: record.reasons.first().map(|reason| reason.says.clone()),
                        picture: Some(picture),
                    });
                }
                Ok(Err(why)) => *kept.left_out.entry(why).or_default() += 1,
                Err(error) => failed = Some(error),
            }
            Ok(())
        })?;
        failed.map_or(Ok(kept), |error| Err(error.into()))
    }
}

#[derive(Debug, thiserror::Error)]
enum KeptError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("the kept pictures cannot be laid out: {0}")]
    Io(#[from] io::Error),
}

/// Links `record`'s picture by `camera` to `place`, and says where it lies below `data`; or why it cannot be looked at.
///
/// A picture must still be what the ledger says it is: one that somebody changed proves nothing.
fn link(record: &Record, camera: &CameraId, data: &Path, place: &Path) -> io::Result<Result<String, String>> {
    if matches!(record.verdict, RecordVerdict::Missed | RecordVerdict::Late) {
        return Ok(Err("the part was missed or late, so nothing was judged then".to_owned()));
    }
    let of_frame = |picture: &&plumb_ledger::Picture| picture.camera == *camera && picture.kind == "frame";
    let Some(picture) = record.pictures.iter().find(of_frame) else {
        return Ok(Err(format!("no picture of camera \"{camera}\" was kept")));
    };
    let file = data.join(&picture.path);
    let Ok(bytes) = std::fs::read(&file) else {
        return Ok(Err("its picture is no longer there".to_owned()));
    };
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if digest != picture.sha256 {
        return Ok(Err("its picture is not the one that was kept".to_owned()));
    }
    let extension = file.extension().unwrap_or_default();
    std::os::unix::fs::symlink(&file, place.with_extension(extension))?;
    Ok(Ok(picture.path.clone()))
}

fn look_again(plan: Plan, mut kept: Kept) -> Result<Comparison, (Exit, String)> {
    let source = kept.pairs.len();
    let (records_in, records) = mpsc::channel::<Record>();
    let tap = Box::new(move |record: &Record| drop(records_in.send(record.clone())));
    let wiring = Wiring { tap: Some(tap), replay: true, ..Wiring::default() };
    let station = Station::start(plan, wiring).map_err(|error| (exit_of(&error), error.to_string()))?;
    let mut progress = Progress::new(source);
    let mut looked = vec![false; source];
    let mut hear = |record: Record, kept: &mut Kept| {
        // The n-th picture of the folder is the n-th frame: each is whole, or it would not have its digest.
        let Some(at) = record.views.first().and_then(|view| (view.frame_seq as usize).checked_sub(1)) else {
            return;
        };
        let Some(pair) = kept.pairs.get_mut(at) else { return };
        (pair.after, looked[at]) = (record.verdict, true);
        if let Some(reason) = record.reasons.first() {
            pair.why = Some(reason.says.clone());
        }
        progress.one_more();
    };
    let mut down = None;
    while down.is_none() && !station.has_ended() {
        match records.recv_timeout(Duration::from_millis(20)) {
            Ok(record) => hear(record, &mut kept),
            Err(_) => down = station.cameras_down().first().cloned(),
        }
    }
    let stopped = station.stop();
    for record in records {
        hear(record, &mut kept);
    }
    let time = progress.end();
    if let Some(says) = down {
        return Err((Exit::Device, format!("the kept pictures cannot be played: {says}")));
    }
    stopped.map_err(|error| (exit_of(&error), error.to_string()))?;
    let Kept { pairs, mut left_out, judges } = kept;
    let mut compared = Vec::with_capacity(source);
    for (pair, looked) in pairs.into_iter().zip(looked) {
        if looked && pair.after != RecordVerdict::Missed {
            compared.push(pair);
        } else {
            *left_out.entry("it could not be judged this time".to_owned()).or_default() += 1;
        }
    }
    let rate = compared.len() as f64 / time.as_secs_f64().max(1e-3);
    say(&format!("{} pictures in {:.1} s ({rate:.1}/s)", compared.len(), time.as_secs_f64()));
    let mut comparison = Comparison::of(compared, left_out);
    comparison.notes = notes(&judges, &comparison);
    for flip in comparison.flips.iter_mut().skip(PICTURES_MAX) {
        flip.picture = None;
    }
    Ok(comparison)
}

fn notes(judges: &BTreeMap<String, u64>, comparison: &Comparison) -> Vec<String> {
    let mut notes = vec![
        "pictures are kept of rejects and of a share of passes, so these shares are of kept parts, not of the line"
            .to_owned(),
    ];
    let then: Vec<String> = judges.iter().map(|(model, parts)| format!("{model} ({parts} parts)")).collect();
    if !then.is_empty() {
        notes.push(format!("judged then by {}", then.join(", ")));
    }
    if comparison.flips.iter().any(|flip| flip.picture.as_deref().is_some_and(|path| path.ends_with(".jpg")))
    {
        notes.push(
            "pictures kept as JPEG differ a little from what the camera saw, and scores with them".to_owned(),
        );
    }
    notes
}
