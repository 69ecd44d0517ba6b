//! The budget of time from trigger to gate: what each step takes, what is left, and what to change where nothing is.
//!
//! `plumb check` shows it, a station does not start on one that is impossible, and a running station compares it with
//! what it measures.

mod stopwatch;
mod table;
mod taken;

pub use stopwatch::Stopwatch;
pub use table::{Budget, Impossible, Row, Source, Step};
pub use taken::{Spread, Taken};

use crate::{config::Plan, edition::LoadedRecipe};
use plumb_ledger::{Query, Reader};

/// Parts of the ledger that are looked back on.
const LOOK_BACK: usize = 1_000;

/// The budget of each recipe, as far as it is known without touching a device: what the config says, and what the
/// ledger has on record of parts judged alike. Empty where there is no `[gate]`.
pub fn known(plan: &Plan) -> Vec<Budget> {
    let Some(gate) = plan.gate else { return Vec::new() };
    let query = Query { limit: Some(LOOK_BACK), ..Query::default() };
    // A station that never ran has no ledger, and then nothing is measured yet.
    let records = match plan.station.data.join("ledger.sqlite").exists() {
        true => Reader::new(&plan.station.data).find(&query).unwrap_or_default(),
        false => Vec::new(),
    };
    let of = |recipe: &crate::config::RecipePlan| {
        let alike = records.iter().filter(|record| record.recipe_digest == recipe.digest);
        let taken = Taken::of_records(alike);
        Budget::new(recipe, &gate, &plan.cameras, &taken)
    };
    plan.recipes.values().map(of).collect()
}

/// The budget of a recipe whose models are warm: what the warm-up measured counts where no part has been seen yet.
pub fn warm(plan: &Plan, recipe: &LoadedRecipe) -> Option<Budget> {
    let gate = plan.gate?;
    let known = known(plan).into_iter().find(|budget| budget.recipe == recipe.plan.name);
    let budget = known.unwrap_or_else(|| Budget::new(&recipe.plan, &gate, &plan.cameras, &Taken::default()));
    Some(budget.warmed_up(recipe.models_take))
}
