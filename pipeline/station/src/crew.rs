//! Everybody who must know an edition before a part is stamped with it: devices, cutters, the shadow, the book.
//!
//! An edition joins in the order in which nothing can be asked of anybody who does not know it yet, and leaves in the
//! other: models take their seats, cameras learn what to cut, the book is written, and only then may the desk stamp.

use crate::{
    config::RecipePlan,
    cutters::Cutters,
    devices::Devices,
    edition::{Editions, LoadedRecipe},
    hot_path::Desk,
    lifecycle::Lifecycle,
    loading::{Fresh, LoadError, Loaded, Loader, Pace, Step},
    metrics::Metrics,
    priority,
    shadow::ShadowSeat,
};
use std::{sync::Arc, thread::JoinHandle};

/// The ones who hold what an edition needs.
pub struct Crew {
    /// Opens models.
    pub loader: Loader,
    /// Runs them.
    pub devices: Devices,
    /// Cut for them.
    pub cutters: Cutters,
    /// Looks on.
    pub shadow: ShadowSeat,
    /// Says which models may judge.
    pub lifecycle: Lifecycle,
    /// Says which there are.
    pub editions: Arc<Editions>,
    /// Stamps parts with one.
    pub desk: Arc<Desk>,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

impl Crew {
    /// Loads `plan` beside what runs, at a lower priority where that is possible.
    ///
    /// # Errors
    /// As [`Loader::load`].
    pub fn load(&mut self, plan: RecipePlan, step: &(dyn Fn(Step) + Sync)) -> Result<Loaded, String> {
        let (loader, edition) = (&mut self.loader, self.editions.next());
        // ONNX Runtime's own threads inherit the priority of the thread that opens the session, for good.
        let stands_back = loader.opens_alone(&plan);
        let work = move || {
            if stands_back {
                priority::stand_back();
            }
            loader.load(edition, plan, Pace::Beside, step)
        };
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("loader".to_owned()).spawn_scoped(scope, work);
            let thread = thread.map_err(|error| error.to_string())?;
            let loaded = thread.join().map_err(|_| "loading ended by a panic".to_owned())?;
            loaded.map_err(|error: LoadError| error.to_string())
        })
    }

    /// Asks leave for a loaded edition to judge.
    ///
    /// # Errors
    /// In a sentence; what was loaded for it is let go then.
    pub fn admit(&mut self, loaded: Loaded) -> Result<Loaded, String> {
        let refused = match self.lifecycle.enter(&loaded.recipe) {
            Ok(None) => return Ok(loaded),
            Ok(Some(says)) => says,
            Err(error) => error.to_string(),
        };
        self.leave(&loaded.recipe);
        Err(refused)
    }

    /// Makes a loaded edition known to everybody; a part may be stamped with it when this returns.
    ///
    /// # Errors
    /// In a sentence; nobody knows the edition then.
    pub fn join(&mut self, loaded: Loaded) -> Result<Arc<LoadedRecipe>, String> {
        let Loaded { recipe, fresh } = loaded;
        let joined = self.seat(fresh).and_then(|()| self.cutters.learn(&recipe, &self.devices, &self.desk));
        if let Err(says) = joined {
            self.leave(&recipe);
            return Err(says);
        }
        self.shadow.learn(&recipe);
        self.metrics.recipe(&recipe);
        self.editions.enter(recipe.clone());
        Ok(recipe)
    }

    /// Nobody needs the edition any more: no part of it is open, and none will be stamped with it.
    pub fn leave(&mut self, recipe: &LoadedRecipe) {
        self.editions.strike(recipe.edition);
        self.cutters.forget(recipe.edition);
        self.shadow.forget(recipe);
        for unwanted in self.loader.release(recipe.edition) {
            match unwanted.shadow {
                true => self.shadow.unseat(unwanted.id),
                false => self.devices.unseat(&unwanted.device, unwanted.id),
            }
        }
        self.metrics.only_these_models(&self.editions.all());
    }

    /// Lets go of everything; gives the threads that then end.
    pub fn close(self) -> Vec<JoinHandle<()>> {
        std::iter::once(self.shadow.close()).chain(self.devices.close()).collect()
    }

    fn seat(&mut self, fresh: Vec<Fresh>) -> Result<(), String> {
        for Fresh { id, device, sessions, opening, shadow } in fresh {
            if shadow {
                self.shadow.seat(id, sessions);
            } else {
                self.devices.seat(&device, id, sessions, &opening).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}
