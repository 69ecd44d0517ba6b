//! Every model that a station's recipes name or its ledger knows.

use crate::config::{Plan, RecipePlan, RegionPlan};
use plumb_inference::Card;
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
    for (recipe, card) in named(plan) {
        let place = LivePlace { recipe: recipe.clone(), name: card.name.clone() };
        match known.iter_mut().find(|known| known.model.digest == card.sha256) {
            Some(known) if known.named_by.contains(&place) => {}
            Some(known) => known.named_by.push(place),
            None => {
                let entry = entries.iter().position(|entry| entry.digest == card.sha256);
                let entry = entry.map(|at| entries.remove(at));
                known.push(Known { model: crate::lifecycle::as_new(card), entry, named_by: vec![place] });
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

/// Each recipe with each card that it names.
fn named<'p>(plan: &'p Plan) -> impl Iterator<Item = (&'p RecipeName, &'p Card)> {
    let card =
        |recipe: &'p RecipePlan, region: &RegionPlan| (&recipe.name, &*recipe.models[region.model].card);
    plan.recipes
        .values()
        .flat_map(move |recipe| recipe.regions.iter().map(move |region| card(recipe, region)))
}

/// Names and digests, as [`plumb_ledger::pick`] wants them.
pub(super) fn digests(known: &[Known]) -> Vec<(ModelName, String)> {
    known.iter().map(|known| (known.model.name.clone(), known.model.digest.clone())).collect()
}
