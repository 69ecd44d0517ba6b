//! Editions: each loading of each recipe, with the models that run for it, for as long as a part is judged by it.
//!
//! A part is stamped with its edition when it begins and counted until it is judged. An edition that has been replaced
//! and whose last part is judged is let go.

use crate::config::{RecipePlan, ShadowPlan};
use plumb_inference::{Device, ModelInfo};
use plumb_inspection::{CameraId, Edition, PartId, RecipeNumber};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

/// One loading of one recipe. Never changes; a change is another edition.
#[derive(Debug)]
pub struct LoadedRecipe {
    /// What parts are stamped with.
    pub edition: Edition,
    /// What is checked.
    pub plan: RecipePlan,
    /// The views that make a part.
    pub cameras: Vec<CameraId>,
    /// What judges, in the order of [`RecipePlan::models`]; `None` for a model that no region is for.
    pub models: Vec<Option<LoadedModel>>,
    /// Who looks on, in the order of [`RecipePlan::shadows`].
    pub shadows: Vec<LoadedShadow>,
    /// All its models for one part, one after the other, as the warm-up measured it.
    pub models_take: Duration,
    /// Parts begun and not judged yet.
    open: AtomicU32,
    first_part: OnceLock<PartId>,
    /// It may not judge yet: its parts are `Missed(NotReleased)`.
    withheld: AtomicBool,
}

/// A model as it runs.
#[derive(Clone, Debug)]
pub struct LoadedModel {
    /// Its place on its device.
    pub id: ModelId,
    /// What it is and where it runs.
    pub info: ModelInfo,
    /// Where it was asked to run.
    pub asked: Device,
    /// Where it runs, as that device's threads are called.
    pub device: String,
    /// What one run took in the warm-up.
    pub run: Duration,
    /// Why it does not run where it was meant to.
    pub degraded: Option<String>,
}

/// A model that looks on.
#[derive(Clone, Debug)]
pub struct LoadedShadow {
    /// Beside whom, and where.
    pub plan: ShadowPlan,
    /// What runs, or why nothing does.
    pub model: Result<LoadedModel, String>,
}

/// One model opened on one device with one set of options, whoever uses it. Numbers are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(pub u32);

impl LoadedRecipe {
    /// No part of it has begun yet.
    pub fn new(
        edition: Edition,
        plan: RecipePlan,
        models: Vec<Option<LoadedModel>>,
        shadows: Vec<LoadedShadow>,
    ) -> Self {
        let time = |model: usize| models[model].as_ref().map_or(Duration::ZERO, |model| model.run);
        let models_take = plan.regions.iter().map(|region| time(region.model)).sum();
        Self {
            edition,
            cameras: plan.cameras(),
            plan,
            models,
            shadows,
            models_take,
            open: AtomicU32::new(0),
            first_part: OnceLock::new(),
            withheld: AtomicBool::new(false),
        }
    }

    /// What looks at region `region` of the plan.
    pub fn model_of(&self, region: usize) -> &LoadedModel {
        self.models[self.plan.regions[region].model].as_ref().expect("the loader loads each region's model")
    }

    /// The models that the verdict rests on, in the recipe's order.
    pub fn judging(&self) -> impl Iterator<Item = &LoadedModel> {
        self.models.iter().flatten()
    }

    /// A shadow's name in the recipe.
    pub fn shadow_name(&self, shadow: &LoadedShadow) -> &str {
        self.plan.models[shadow.plan.model].name.as_str()
    }

    /// Why its models do not run where they were meant to; empty where they do.
    pub fn degraded(&self) -> Vec<String> {
        self.judging().filter_map(|model| model.degraded.clone()).collect()
    }

    /// Whether its models may not judge yet.
    pub fn withhold(&self, withheld: bool) {
        self.withheld.store(withheld, Ordering::Relaxed);
    }

    /// True if its parts must be `Missed(NotReleased)`.
    pub fn is_withheld(&self) -> bool {
        self.withheld.load(Ordering::Relaxed)
    }

    /// A part begins. To be called by whoever stamps it, in one step with reading which edition is current.
    pub fn begun(&self, part: PartId) {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.first_part.get_or_init(|| part);
    }

    /// The first part that is judged by it, once one has come.
    pub fn first_part(&self) -> Option<PartId> {
        self.first_part.get().copied()
    }

    /// A part that began has been judged, or never came to be judged.
    pub fn judged(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Parts that began and are not judged yet.
    pub fn open(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }
}

/// The book of editions: every one that a part may still be judged by, or that could go live with the next part.
#[derive(Debug, Default)]
pub struct Editions {
    book: RwLock<BTreeMap<Edition, Arc<LoadedRecipe>>>,
    last: AtomicU32,
}

impl Editions {
    /// A number that no edition has had.
    pub fn next(&self) -> Edition {
        Edition(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Enters an edition.
    pub fn enter(&self, recipe: Arc<LoadedRecipe>) {
        self.book.write().unwrap_or_else(PoisonError::into_inner).insert(recipe.edition, recipe);
    }

    /// Strikes an edition out.
    pub fn strike(&self, edition: Edition) {
        self.book.write().unwrap_or_else(PoisonError::into_inner).remove(&edition);
    }

    /// An edition, if it is still in the book: while a part of it is open it is.
    pub fn get(&self, edition: Edition) -> Option<Arc<LoadedRecipe>> {
        self.book.read().unwrap_or_else(PoisonError::into_inner).get(&edition).cloned()
    }

    /// All of them, oldest first.
    pub fn all(&self) -> Vec<Arc<LoadedRecipe>> {
        self.book.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The newest edition of a recipe.
    pub fn newest(&self, number: RecipeNumber) -> Option<Arc<LoadedRecipe>> {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        book.values().rev().find(|recipe| recipe.plan.number == number).cloned()
    }
}
