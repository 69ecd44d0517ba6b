//! Changeover: another recipe, or the same one changed, loads and warms beside the one that runs; then the next part is
//! stamped with it. No part is lost, and none is judged by half of each.
//!
//! One wish is worked on and one waits. The newest wish wins: an older one that still waits is dropped, and one that is
//! being worked on is loaded but does not go live. Whatever goes wrong, the edition that runs goes on running.

use crate::{
    budget,
    config::{self, Plan, Preload, RecipeError, RecipePlan},
    crew::Crew,
    edition::{Editions, LoadedRecipe},
    hot_path::Desk,
    loading::Step,
    metrics::Metrics,
    state::Health,
    threads,
};
use plumb_inspection::{Edition, RecipeNumber};
use serde::Serialize;
use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

/// How often editions that are on their way out are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How often the book is asked whether a recipe that may not judge yet may do so now: once in so many looks.
const ASK_EVERY: u32 = 20;

/// Where wishes for another recipe are left, and where their fate can be read. Cheap to clone.
#[derive(Clone)]
pub struct Changeover(Arc<Shared>);

struct Shared {
    plan: Arc<Plan>,
    editions: Arc<Editions>,
    desk: Arc<Desk>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    inside: Mutex<Inside>,
    wake: Condvar,
}

#[derive(Default)]
struct Inside {
    /// The number of the newest wish.
    newest: u64,
    waits: Option<Wish>,
    /// The PLC is shown RecipeChanging.
    plc_waits: bool,
    progress: Option<Progress>,
    stopping: bool,
}

struct Wish {
    number: u64,
    by: Asker,
    what: What,
    live: bool,
}

enum What {
    /// As it is on disk when its turn comes.
    Number(RecipeNumber),
    /// As it was read when it was asked for.
    Plan(Box<RecipePlan>),
}

/// Who wants another recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asker {
    /// RecipeChange of the register block.
    Plc,
    /// `POST /api/v1/recipes/{recipe}/load`.
    Api,
    /// `PrepareRecipe` of the OPC UA server.
    OpcUa,
}

/// How far the newest wish that was worked on has come.
#[derive(Clone, Debug, Serialize)]
pub struct Progress {
    /// Where it stands.
    pub stage: Stage,
    /// Who wants it.
    pub asked_by: Asker,
    /// The recipe, by name, or by number where it is not read yet.
    pub recipe: String,
    /// Once it is loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edition: Option<Edition>,
    /// Why it failed or was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
}

/// Where a changeover stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Another is being worked on.
    Waiting,
    /// Files are read, models are opened.
    Loading,
    /// Models are run, and measured against the deadline.
    Warming,
    /// Parts are stamped with it.
    Live,
    /// Loaded and warm; live when it is asked for.
    Ready,
    /// The old edition goes on.
    Failed,
    /// A newer wish came first.
    Superseded,
}

impl Stage {
    /// How a changeover can end, for metrics.
    pub const ENDS: [Self; 4] = [Self::Live, Self::Ready, Self::Failed, Self::Superseded];

    /// The spelling of API and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Loading => "loading",
            Self::Warming => "warming",
            Self::Live => "live",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }
}

/// What a wish of the PLC led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// The next part is stamped with it.
    Now,
    /// It must be loaded first: RecipeChanging.
    Later,
}

impl Changeover {
    /// A place to leave wishes at; [`Changeover::start`] is who works on them.
    pub fn new(
        plan: Arc<Plan>,
        editions: Arc<Editions>,
        desk: Arc<Desk>,
        metrics: Arc<Metrics>,
        health: Arc<Health>,
    ) -> Self {
        let inside = Mutex::default();
        Self(Arc::new(Shared { plan, editions, desk, metrics, health, inside, wake: Condvar::new() }))
    }

    /// The PLC wants a recipe. One that is loaded takes effect with the next part; this never waits.
    pub fn by_plc(&self, number: RecipeNumber) -> Granted {
        let shared = &*self.0;
        let mut inside = shared.inside();
        inside.newest += 1;
        if let Some(waiting) = inside.waits.take() {
            shared.ended(&mut inside, superseded(&waiting));
        }
        if let Some(recipe) = shared.editions.newest(number) {
            shared.go_live(&mut inside, recipe, Asker::Plc);
            return Granted::Now;
        }
        let wish = Wish { number: inside.newest, by: Asker::Plc, what: What::Number(number), live: true };
        inside.waits = Some(wish);
        inside.plc_waits = true;
        shared.wake.notify_all();
        Granted::Later
    }

    /// Reads a recipe from disk, by name or number, and wishes for it: to go live, or only to be loaded.
    ///
    /// # Errors
    /// There is none, or it has problems, all of them at once. Nothing is wished for then.
    pub fn by_api(&self, wanted: &str, live: bool) -> Result<RecipePlan, RecipeError> {
        self.by_name(wanted, live, Asker::Api)
    }

    /// As [`Changeover::by_api`], for an OPC UA client.
    ///
    /// # Errors
    /// As there.
    pub fn by_opc_ua(&self, wanted: &str) -> Result<RecipePlan, RecipeError> {
        self.by_name(wanted, true, Asker::OpcUa)
    }

    fn by_name(&self, wanted: &str, live: bool, by: Asker) -> Result<RecipePlan, RecipeError> {
        let shared = &*self.0;
        let plan =
            config::read_recipe(&shared.plan.recipes_folder, &shared.plan.cameras, shared.plan.gate, wanted)?;
        let mut inside = shared.inside();
        inside.newest += 1;
        let what = What::Plan(Box::new(plan.clone()));
        let wish = Wish { number: inside.newest, by, what, live };
        if inside.progress.as_ref().is_none_or(Progress::is_over) {
            inside.progress = Some(wish.progress(Stage::Waiting));
        }
        if let Some(waiting) = inside.waits.replace(wish) {
            shared.count(&superseded(&waiting));
        }
        shared.wake.notify_all();
        Ok(plan)
    }

    /// The wish that is worked on, or the last one; and the one that waits behind it.
    pub fn progress(&self) -> (Option<Progress>, Option<Progress>) {
        let inside = self.0.inside();
        (inside.progress.clone(), inside.waits.as_ref().map(|wish| wish.progress(Stage::Waiting)))
    }

    /// True while the PLC waits for a recipe to be loaded.
    pub fn plc_waits(&self) -> bool {
        self.0.inside().plc_waits
    }

    /// Starts thread `changeover`, which works on wishes and lets go of what nobody needs.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(&self, crew: Crew) -> io::Result<JoinHandle<Crew>> {
        let worker = Worker { shared: self.0.clone(), crew, looks: 0 };
        threads::spawn("changeover".to_owned(), move || worker.run())
    }

    /// Lets the thread end, once what it is working on is done.
    pub fn stop(&self) {
        self.0.inside().stopping = true;
        self.0.wake.notify_all();
    }
}

impl Progress {
    /// It has come to an end, one way or another.
    pub fn is_over(&self) -> bool {
        Stage::ENDS.contains(&self.stage)
    }
}

impl Wish {
    fn progress(&self, stage: Stage) -> Progress {
        let recipe = match &self.what {
            What::Number(number) => format!("number {}", number.0),
            What::Plan(plan) => plan.name.to_string(),
        };
        Progress { stage, asked_by: self.by, recipe, edition: None, says: None }
    }
}

fn superseded(wish: &Wish) -> Progress {
    let says = Some("a newer wish came first".to_owned());
    Progress { says, ..wish.progress(Stage::Superseded) }
}

impl Shared {
    /// From the next part on. Under the lock, so that of two wishes the newest has the last word.
    fn go_live(&self, inside: &mut Inside, recipe: Arc<LoadedRecipe>, by: Asker) {
        let name = recipe.plan.name.clone();
        self.metrics.deadline.set(recipe.plan.deadline.as_secs_f64());
        self.health.stands_in(recipe.degraded());
        let withheld = || format!("the models of recipe \"{name}\" are not approved yet; see the log");
        self.health.withheld(recipe.is_withheld().then(withheld));
        let edition = Some(recipe.edition);
        tracing::info!(recipe = %name, edition = %recipe.edition, digest = recipe.plan.digest, "Changed recipe.");
        self.desk.change_to(recipe);
        let progress =
            Progress { stage: Stage::Live, asked_by: by, recipe: name.to_string(), edition, says: None };
        inside.plc_waits = false;
        self.ended(inside, progress);
    }

    fn ended(&self, inside: &mut Inside, progress: Progress) {
        self.count(&progress);
        inside.progress = Some(progress);
    }

    fn count(&self, progress: &Progress) {
        self.metrics.changed_over(progress.stage);
        if progress.stage == Stage::Failed {
            let says = progress.says.as_deref().unwrap_or_default();
            tracing::error!(recipe = progress.recipe, "Recipe was not changed, the old one goes on: {says}");
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread.
struct Worker {
    shared: Arc<Shared>,
    crew: Crew,
    looks: u32,
}

impl Worker {
    fn run(mut self) -> Crew {
        loop {
            let wish = {
                let mut inside = self.shared.inside();
                if inside.stopping {
                    return self.crew;
                }
                match inside.waits.take() {
                    Some(wish) => Some(wish),
                    None => {
                        drop(self.shared.wake.wait_timeout(inside, LOOK));
                        None
                    }
                }
            };
            if let Some(wish) = wish {
                self.work(wish);
            }
            self.let_go();
            self.looks = self.looks.wrapping_add(1);
            if self.looks.is_multiple_of(ASK_EVERY) {
                self.ask_leave();
            }
        }
    }

    /// A recipe that may not judge is released when somebody has approved its models.
    fn ask_leave(&self) {
        for recipe in self.shared.editions.all().into_iter().filter(|recipe| recipe.is_withheld()) {
            match self.crew.lifecycle.enter(&recipe) {
                Ok(None) => {
                    recipe.withhold(false);
                    tracing::info!(recipe = %recipe.plan.name, "Its models are approved: the recipe is released.");
                    let inside = self.shared.inside();
                    if self.shared.desk.current().edition == recipe.edition {
                        self.shared.health.withheld(None);
                    }
                    drop(inside);
                }
                Ok(Some(_)) => {}
                Err(error) => {
                    tracing::warn!(recipe = %recipe.plan.name, %error, "It is not known whether it may judge.")
                }
            }
        }
    }

    fn work(&mut self, wish: Wish) {
        let (number, by, live) = (wish.number, wish.by, wish.live);
        let mut progress = wish.progress(Stage::Loading);
        self.shared.inside().progress = Some(progress.clone());
        let loaded = self.load(wish, &mut progress);
        let shared = self.shared.clone();
        let mut inside = shared.inside();
        let is_newest = inside.newest == number;
        if is_newest {
            inside.plc_waits = false;
        }
        match loaded {
            Err(says) => {
                progress = Progress { stage: Stage::Failed, says: Some(says), ..progress };
                shared.ended(&mut inside, progress);
            }
            Ok(recipe) if live && is_newest => shared.go_live(&mut inside, recipe, by),
            Ok(recipe) => {
                let (stage, says) = match live {
                    true => (Stage::Superseded, Some("a newer wish came first".to_owned())),
                    false => (Stage::Ready, None),
                };
                progress = Progress { stage, says, edition: Some(recipe.edition), ..progress };
                shared.ended(&mut inside, progress);
            }
        }
    }

    /// Reads where that is still to be done, loads, warms, and makes the edition known to everybody.
    fn load(&mut self, wish: Wish, progress: &mut Progress) -> Result<Arc<LoadedRecipe>, String> {
        let plan = match wish.what {
            What::Plan(plan) => *plan,
            What::Number(number) => {
                let config = &self.shared.plan;
                let plan = config::read_recipe(
                    &config.recipes_folder,
                    &config.cameras,
                    config.gate,
                    &number.0.to_string(),
                )
                .map_err(|error| error.to_string())?;
                progress.recipe = plan.name.to_string();
                plan
            }
        };
        let (shared, so_far) = (self.shared.clone(), progress.clone());
        let step = move |step| {
            let stage = match step {
                Step::Opening => Stage::Loading,
                Step::Warming => Stage::Warming,
            };
            shared.inside().progress = Some(Progress { stage, ..so_far.clone() });
        };
        let loaded = self.crew.load(plan, &step)?;
        let budget = budget::warm(&self.shared.plan, &loaded.recipe);
        if let Some(impossible) = budget.and_then(|budget| budget.impossible()) {
            self.crew.leave(&loaded.recipe);
            return Err(impossible.says);
        }
        let loaded = self.crew.admit(loaded)?;
        self.crew.join(loaded)
    }

    /// Editions that nobody will be stamped with any more, and whose last part is judged, are let go.
    fn let_go(&mut self) {
        let editions = self.shared.editions.all();
        // Under the lock: nobody goes live between our looking and our letting go.
        let unneeded: Vec<_> = {
            let _inside = self.shared.inside();
            let current = self.shared.desk.current();
            let is_needed = |recipe: &Arc<LoadedRecipe>| {
                let plan = &recipe.plan;
                let is_replaced = editions.iter().any(|other| {
                    other.edition > recipe.edition
                        && (other.plan.number == plan.number || other.plan.name == plan.name)
                });
                // One that was loaded ahead is kept too, until the changeover after the next.
                let may_go_live =
                    self.shared.plan.infer.preload == Preload::All || recipe.edition > current.edition;
                recipe.edition == current.edition || recipe.open() > 0 || (may_go_live && !is_replaced)
            };
            let unneeded = editions.iter().filter(|recipe| !is_needed(recipe));
            unneeded.inspect(|recipe| self.shared.editions.strike(recipe.edition)).cloned().collect()
        };
        for recipe in unneeded {
            tracing::debug!(recipe = %recipe.plan.name, edition = %recipe.edition, "Edition is let go.");
            self.crew.leave(&recipe);
        }
    }
}
