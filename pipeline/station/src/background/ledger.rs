//! From an answered part to its record and pictures. Runs at the end of the hot path, so it only ever tries queues.

use super::console::Window;
use crate::{
    config::Plan,
    edition::LoadedRecipe,
    hot_path::{Answered, Judged, Keeper},
};
use plumb_inspection::Frame;
use plumb_ledger::{
    Ledger, ModelRecord, PictureJob, PictureSender, PlcRecord, Record, RecordSender, RecordVerdict, Timings,
    ViewRecord, keep_picture,
};
use plumb_plc::PlcConfig;
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeSet, sync::Arc};

/// Hears every record, on the hot path.
pub type Tap = Box<dyn FnMut(&Record) + Send>;

/// Hands records and pictures to the ledger's threads.
pub struct LedgerKeeper {
    plan: Arc<Plan>,
    ledger: Arc<Ledger>,
    records: RecordSender,
    pictures: PictureSender,
    tap: Option<Tap>,
    window: Option<Window>,
    keeps_pictures: bool,
}

impl LedgerKeeper {
    /// A replay has no console, and pictures are not kept of pictures.
    pub(crate) fn new(
        plan: Arc<Plan>,
        ledger: Arc<Ledger>,
        tap: Option<Tap>,
        window: Option<Window>,
    ) -> Self {
        let keeps_pictures = window.is_some();
        let (records, pictures) = (ledger.writer(), ledger.pictures());
        Self { plan, ledger, records, pictures, tap, window, keeps_pictures }
    }
}

impl Keeper for LedgerKeeper {
    fn keep(&mut self, answered: Answered) {
        let part = answered.judged.trigger.part;
        let has_plc = !matches!(self.plan.plc, PlcConfig::None);
        let (mut record, frames) = record(&self.plan.station.name, answered, has_plc);
        tell_calibrations(&self.plan, &mut record, &frames);
        if let Some(tap) = &mut self.tap {
            tap(&record);
        }
        if let Some(window) = &mut self.window {
            window.show(&record, &frames);
        }
        let keep =
            self.keeps_pictures && keep_picture(record.verdict, part, self.plan.ledger.keep_pass_share);
        let triggered_at = record.triggered_at;
        if let Err(full) = self.records.try_send(record) {
            // The ledger counts it; the operator must hear of it at once, for this part has no record.
            tracing::error!(%part, "The ledger has no room; this part's record is lost: {full}");
        }
        if keep {
            for frame in frames {
                let job = PictureJob {
                    part,
                    triggered_at,
                    camera: frame.camera,
                    kind: "frame".to_owned(),
                    image: frame.image,
                };
                if self.pictures.try_send(job).is_err() {
                    tracing::warn!(%part, "Pictures come faster than they can be written; this part's is not kept.");
                }
            }
        }
    }

    fn is_alive(&self, without_records: bool) -> bool {
        let stats = self.ledger.stats();
        stats.lives() || (without_records && !stats.is_hung())
    }
}

/// The part's record, and the frames it rests on.
fn record(station: &str, answered: Answered, has_plc: bool) -> (Record, Vec<Frame>) {
    let Answered { judged, delivered, late } = answered;
    let Judged { trigger, recipe, verdict, reason_code, views, laps, decided_at, .. } = judged;
    let word = if late { RecordVerdict::Late } else { verdict.decision.into() };
    let decision = decided_at.saturating_duration_since(trigger.at.mono);
    let total = decision + laps.get(plumb_inspection::Lap::Plc).unwrap_or_default();
    let mut record = Record::new(&trigger, word, recipe.plan.name.clone(), station);
    record.recipe_digest.clone_from(&recipe.plan.digest);
    record.reason_code = reason_code;
    record.reasons = verdict.reasons;
    record.timings_us = Timings::new(&laps, Some(total));
    record.models = models_of(&recipe);
    record.plc = has_plc.then_some(PlcRecord { delivered });
    let mut frames = Vec::with_capacity(views.len());
    for (camera, view) in views {
        record.views.push(ViewRecord::new(camera, view.seen.frame.seq, view.seen.findings));
        frames.push(view.seen.frame);
    }
    (record, frames)
}

/// Which calibrations the part's lengths rest on, and which of them do not hold. Several are named by one digest, over a
/// line `camera digest` each.
fn tell_calibrations(plan: &Plan, record: &mut Record, frames: &[Frame]) {
    let now = record.triggered_at;
    let (mut digests, mut uncalibrated) = (Vec::new(), Vec::new());
    for camera in &plan.cameras {
        let Some(calibration) = &camera.calibration else { continue };
        let Some(frame) = frames.iter().find(|frame| frame.camera == camera.id) else { continue };
        let size_px = [frame.image.width(), frame.image.height()];
        digests.push((&camera.id, &calibration.digest));
        uncalibrated.extend(
            calibration
                .uncalibrated(now, size_px)
                .map(|why| format!("camera \"{}\": its calibration {why}", camera.id)),
        );
    }
    record.calibration_digest = match digests[..] {
        [] => None,
        [(_, digest)] => Some(digest.clone()),
        _ => {
            let mut hasher = Sha256::new();
            digests.iter().for_each(|(id, digest)| hasher.update(format!("{id} {digest}\n")));
            Some(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
        }
    };
    record.uncalibrated = uncalibrated;
}

fn models_of(recipe: &LoadedRecipe) -> Vec<ModelRecord> {
    let of = |model: &crate::edition::LoadedModel| {
        let info = &model.info;
        ModelRecord { name: info.name.clone(), digest: info.digest.clone(), provider: info.provider.clone() }
    };
    let mut told = BTreeSet::new();
    recipe.judging().filter(|model| told.insert(model.id)).map(of).collect()
}
