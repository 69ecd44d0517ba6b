//! Every model that a station's recipes name or its ledger knows.

use crate::config::{ModelPlan, Plan};
use plumb_inspection::{ModelName, RecipeName};
use plumb_ledger::{LedgerError, LivePlace, ModelBook, ModelEntry, NewModel};

/// One of them.
pub(super) struct Known {
    /// As its card says it, or as the ledger first saw it.
    pub(super) model: NewModel,
    /// What the ledger says of it; `None` where no station has run it yet and nobody promoted it.
    pub(super) entry: Option<ModelEntry>,
    /// Where a recipe names it, whether it judges there yet or not.
    pub(super) named_by: Vec<LivePlace>,
}

/// First those the recipes name, then those the ledger alone knows. A ledger not made yet knows none.
pub(super) fn all(plan: &Plan, book: &ModelBook) -> Result<Vec<Known>, LedgerError> {
    let mut entries = match book.list() {
        Err(LedgerError::Absent { .. }) => Vec::new(),
        other => other?,
    };
    let mut known: Vec<Known> = Vec::new();
    for (recipe, model) in named(plan) {
        let place = LivePlace { recipe: recipe.clone(), name: model.card.name.clone() };
        let digest = model.digest();
        match known.iter_mut().find(|known| known.model.digest == digest) {
            Some(known) if known.named_by.contains(&place) => {}
            Some(known) => known.named_by.push(place),
            None => {
                let entry = entries.iter().position(|entry| entry.digest == digest);
                let entry = entry.map(|at| entries.remove(at));
                let model = NewModel { digest, ..crate::lifecycle::as_new(&model.card) };
                known.push(Known { model, entry, named_by: vec![place] });
            }
        }
    }
    known.extend(entries.into_iter().map(|entry| Known {
        model: NewModel {
            digest: entry.digest.clone(),
            name: entry.name.clone(),
            family: entry.family.clone(),
            about: entry.about.clone(),
        },
        entry: Some(entry),
        named_by: Vec::new(),
    }));
    Ok(known)
}

/// Each recipe with each model that it names, those that only look on among them.
fn named(plan: &Plan) -> impl Iterator<Item = (&RecipeName, &ModelPlan)> {
    plan.recipes.values().flat_map(|recipe| recipe.models.iter().map(|model| (&recipe.name, model)))
}

/// Names and digests, as [`plumb_ledger::pick`] wants them.
pub(super) fn digests(known: &[Known]) -> Vec<(ModelName, String)> {
    known.iter().map(|known| (known.model.name.clone(), known.model.digest.clone())).collect()
}
