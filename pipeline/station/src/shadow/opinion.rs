//! What becomes of a part that was passed to the shadow: one record and one count for each shadow model.

use super::Passed;
use crate::{
    edition::{LoadedRecipe, LoadedShadow},
    metrics::{Metrics, ShadowResult},
};
use plumb_inspection::Cause;
use plumb_ledger::{ModelRecord, ShadowRecord, ShadowSender, ViewRecord};
use plumb_verdict::Verdict;
use std::{sync::Arc, time::Duration};

/// Why a shadow did not look at a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skipped {
    /// The machine had no complete views either.
    Missed,
    /// Parts come faster than it looks.
    NoRoom,
    /// Its edition was let go, or the station is stopping.
    Gone,
}

impl Skipped {
    fn says(self) -> &'static str {
        match self {
            Self::Missed => "the machine missed the part, so there is nothing to compare with",
            Self::NoRoom => "parts come faster than the shadow looks",
            Self::Gone => "its recipe was changed, or the station stopped, before its turn came",
        }
    }
}

/// Writes and counts.
#[derive(Clone)]
pub(super) struct Recorder {
    metrics: Arc<Metrics>,
    records: ShadowSender,
}

impl Recorder {
    pub(super) fn new(metrics: Arc<Metrics>, records: ShadowSender) -> Self {
        Self { metrics, records }
    }

    /// None of the part's shadows looks at it.
    pub(super) fn skipped(&self, passed: &Passed, why: Skipped) {
        for shadow in &passed.recipe.shadows {
            self.count(&passed.recipe, shadow, ShadowResult::Skipped);
            if let Some(model) = model_record(shadow) {
                let name = passed.recipe.plan.name.clone();
                let record = ShadowRecord::skipped(&passed.trigger, name, model, passed.machine, why.says());
                self.keep(record);
            }
        }
    }

    /// A shadow has looked, and `verdict` is what the rules say of what it saw.
    pub(super) fn judged(
        &self,
        passed: &Passed,
        shadow: &LoadedShadow,
        (verdict, views): (Verdict, Vec<ViewRecord>),
        took: Duration,
    ) {
        let Some(model) = model_record(shadow) else { return };
        let name = passed.recipe.plan.name.clone();
        let record =
            ShadowRecord::judged(&passed.trigger, name, model, passed.machine, (verdict, views), took);
        let result = match record.agrees {
            Some(true) => ShadowResult::Agree,
            Some(false) => ShadowResult::Disagree,
            None => ShadowResult::Skipped, // the machine was late: there is nothing to compare with
        };
        self.count(&passed.recipe, shadow, result);
        self.keep(record);
    }

    /// A shadow gave no usable answer.
    pub(super) fn failed(&self, passed: &Passed, shadow: &LoadedShadow, cause: Cause, took: Duration) {
        self.count(&passed.recipe, shadow, ShadowResult::Failed);
        let Some(model) = model_record(shadow) else { return };
        let name = passed.recipe.plan.name.clone();
        let missed = (Verdict::missed(cause), Vec::new());
        self.keep(ShadowRecord::judged(&passed.trigger, name, model, passed.machine, missed, took));
    }

    fn count(&self, recipe: &LoadedRecipe, shadow: &LoadedShadow, result: ShadowResult) {
        self.metrics.shadow(recipe.plan.name.as_str(), recipe.shadow_name(shadow), result);
    }

    /// The ledger counts what it refuses, and says so.
    fn keep(&self, record: ShadowRecord) {
        if self.records.try_send(record).is_err() {
            tracing::warn!("The ledger has no room for what a shadow model said.");
        }
    }
}

/// `None` for a shadow that never came up: it has no provider.
fn model_record(shadow: &LoadedShadow) -> Option<ModelRecord> {
    let info = &shadow.model.as_ref().ok()?.info;
    let (name, digest, provider) = (info.name.clone(), info.digest.clone(), info.provider.clone());
    Some(ModelRecord { name, digest, provider })
}
