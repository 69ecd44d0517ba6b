//! From an answered part to its record and pictures. Runs at the end of the hot path, so it only ever tries queues.

use crate::{
    config::{Plan, RecipePlan},
    hot_path::{Answered, Judged, Keeper},
};
use plumb_inference::ModelInfo;
use plumb_ledger::{
    Ledger, ModelRecord, PictureJob, PictureSender, PlcRecord, Record, RecordSender, RecordVerdict, Timings,
    ViewRecord, keep_picture,
};
use plumb_plc::PlcConfig;
use std::sync::Arc;

/// Hears every record, on the hot path.
pub type Tap = Box<dyn FnMut(&Record) + Send>;

/// Hands records and pictures to the ledger's threads.
pub struct LedgerKeeper {
    plan: Arc<Plan>,
    models: Vec<ModelInfo>,
    ledger: Arc<Ledger>,
    records: RecordSender,
    pictures: PictureSender,
    tap: Option<Tap>,
    keeps_pictures: bool,
}

impl LedgerKeeper {
    /// `models` in the order of [`Plan::cards`].
    pub fn new(
        plan: Arc<Plan>,
        models: Vec<ModelInfo>,
        ledger: Arc<Ledger>,
        tap: Option<Tap>,
        keeps_pictures: bool,
    ) -> Self {
        let (records, pictures) = (ledger.writer(), ledger.pictures());
        Self { plan, models, ledger, records, pictures, tap, keeps_pictures }
    }
}

impl Keeper for LedgerKeeper {
    fn keep(&mut self, answered: Answered) {
        let part = answered.judged.trigger.part;
        let has_plc = !matches!(self.plan.plc, PlcConfig::None);
        let (record, frames) = record(&self.plan, &self.models, answered, has_plc);
        if let Some(tap) = &mut self.tap {
            tap(&record);
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

    fn is_alive(&self) -> bool {
        !self.ledger.stats().failing
    }
}

/// The part's record, and the frames it rests on.
fn record(
    plan: &Plan,
    models: &[ModelInfo],
    answered: Answered,
    has_plc: bool,
) -> (Record, Vec<plumb_inspection::Frame>) {
    let Answered { judged, delivered, late } = answered;
    let Judged { trigger, recipe, verdict, reason_code, views, laps, decided_at, .. } = judged;
    let recipe = &plan.recipes[&recipe];
    let word = if late { RecordVerdict::Late } else { verdict.decision.into() };
    let decision = decided_at.saturating_duration_since(trigger.at.mono);
    let total = decision + laps.get(plumb_inspection::Lap::Plc).unwrap_or_default();
    let mut record = Record::new(&trigger, word, recipe.name.clone(), &plan.station.name);
    record.recipe_digest.clone_from(&recipe.digest);
    record.reason_code = reason_code;
    record.reasons = verdict.reasons;
    record.timings_us = Timings::new(&laps, Some(total));
    record.models = models_of(recipe, models);
    record.plc = has_plc.then_some(PlcRecord { delivered });
    let mut frames = Vec::with_capacity(views.len());
    for (camera, view) in views {
        record.views.push(ViewRecord::new(camera, view.seen.frame.seq, view.seen.findings));
        frames.push(view.seen.frame);
    }
    (record, frames)
}

fn models_of(recipe: &RecipePlan, models: &[ModelInfo]) -> Vec<ModelRecord> {
    let mut cards: Vec<usize> = recipe.regions.iter().map(|region| region.card).collect();
    cards.sort_unstable();
    cards.dedup();
    let of = |card: usize| {
        let ModelInfo { name, digest, provider, .. } = &models[card];
        ModelRecord { name: name.clone(), digest: digest.clone(), provider: provider.clone() }
    };
    cards.into_iter().map(of).collect()
}
