//! From a recipe's plan to models that run: opened where they are wanted, warm, and measured against the deadline.
//!
//! A model that is wanted alike by several recipes, or by the next edition of one, is opened once. A station never
//! runs a model that it has not measured, and never one that cannot answer in time.

use crate::{
    config::{DeviceMissing, InferSection, ModelPlan, RecipePlan},
    devices::Opening,
    edition::{LoadedModel, LoadedRecipe, LoadedShadow, ModelId},
};
use plumb_inference::{Card, Device, LoadOptions, Model, ModelError, ModelInfo, Runtime};
use plumb_inspection::{Cause, Edition};
use std::{collections::BTreeSet, sync::Arc, thread, time::Duration};

/// Runs a model gets to get warm; the median of them is what it takes.
const WARM_UP_RUNS: usize = 5;

/// Providers that make nothing of a model which would be worth keeping.
const PLAIN: [&str; 2] = ["CPUExecutionProvider", "AzureExecutionProvider"];

/// Opens models and knows which are open.
pub struct Loader {
    runtime: Runtime,
    infer: InferSection,
    open: Vec<Resident>,
    last: u32,
}

/// A model that is open, and who wants it.
#[derive(Clone)]
struct Resident {
    wish: Wish,
    model: LoadedModel,
    editions: BTreeSet<Edition>,
}

/// What a model is opened from: two that wish alike share one.
#[derive(Clone, PartialEq)]
struct Wish {
    card: Arc<Card>,
    device: Device,
    variant: Option<String>,
    /// A shadow has a session of its own, on its own thread.
    shadow: bool,
}

/// A recipe whose models are open.
pub struct Loaded {
    /// The edition, not in the book yet.
    pub recipe: Arc<LoadedRecipe>,
    /// Models that were not open before, to be seated.
    pub fresh: Vec<Fresh>,
}

/// A model that nobody has run a part through yet.
pub struct Fresh {
    /// Its number.
    pub id: ModelId,
    /// Its device, as that one's threads are called.
    pub device: String,
    /// One for each thread of the device.
    pub sessions: Vec<Model>,
    /// How to open it again.
    pub opening: Arc<Opening>,
    /// It goes to thread `shadow`.
    pub shadow: bool,
}

/// A model that nobody wants any more.
pub struct Unwanted {
    /// Its number.
    pub id: ModelId,
    /// Its device.
    pub device: String,
    /// It is on thread `shadow`.
    pub shadow: bool,
}

/// How warming up treats the rest of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Nothing else runs: the median of a few runs is what a model takes.
    Alone,
    /// Parts are being judged: the thread makes way between two runs, and the fastest is what a model takes when the
    /// processor is its own, as it will be once the one before it is gone.
    Beside,
}

/// How far a loading has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A model is being opened.
    Opening,
    /// It is being run.
    Warming,
}

/// Why a recipe cannot be loaded, in a sentence.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(String);

impl Loader {
    /// With nothing open.
    pub fn new(runtime: Runtime, infer: InferSection) -> Self {
        Self { runtime, infer, open: Vec::new(), last: 0 }
    }

    /// True if opening `plan` makes no thread but the one that opens it: that one may then be asked to stand back
    /// without its priority being handed on to a thread that judges parts.
    pub fn opens_alone(&self, plan: &RecipePlan) -> bool {
        let is_alone = |model: &ModelPlan| {
            let threads = if self.infer.threads > 0 {
                self.infer.threads
            } else {
                model.card.threads.map_or(1, usize::from)
            };
            threads <= 1 && self.device_of(model) == Device::Cpu
        };
        plan.models.iter().all(is_alone)
    }

    /// Opens and warms what `plan` needs beyond what is open.
    ///
    /// # Errors
    /// When a model does not open, or all of them together take longer than the deadline; nothing stays open then.
    pub fn load(
        &mut self,
        edition: Edition,
        plan: RecipePlan,
        pace: Pace,
        step: &dyn Fn(Step),
    ) -> Result<Loaded, LoadError> {
        let (mut found, mut fresh, mut models) = (Vec::new(), Vec::new(), Vec::new());
        for (index, model) in plan.models.iter().enumerate() {
            let loaded = match plan.rests_on(index) {
                true => Some(self.find_or_open(model, false, (pace, step), &mut found, &mut fresh)?),
                false => None,
            };
            models.push(loaded);
        }
        // A shadow that does not come up is no reason to stop a line that it has no say in.
        let shadows = plan.shadows.iter().map(|shadow| {
            let model =
                self.find_or_open(&plan.models[shadow.model], true, (pace, step), &mut found, &mut fresh);
            if let Err(error) = &model {
                tracing::error!(recipe = %plan.name, "A shadow model does not come up: {error}.");
            }
            LoadedShadow { plan: shadow.clone(), model: model.map_err(|error| error.to_string()) }
        });
        let shadows = shadows.collect();
        let recipe = LoadedRecipe::new(edition, plan, models, shadows);
        in_time(&recipe)?;
        for mut resident in found {
            match self.open.iter_mut().find(|open| open.model.id == resident.model.id) {
                Some(open) => drop(open.editions.insert(edition)),
                None => {
                    resident.editions.insert(edition);
                    self.open.push(resident);
                }
            }
        }
        Ok(Loaded { recipe: Arc::new(recipe), fresh })
    }

    /// `edition` wants nothing any more. Gives the models that are then wanted by none.
    pub fn release(&mut self, edition: Edition) -> Vec<Unwanted> {
        for open in &mut self.open {
            open.editions.remove(&edition);
        }
        let (wanted, unwanted) =
            std::mem::take(&mut self.open).into_iter().partition(|open| !open.editions.is_empty());
        self.open = wanted;
        let of = |open: Resident| {
            let device = open.model.device;
            Unwanted { id: open.model.id, device, shadow: open.wish.shadow }
        };
        unwanted.into_iter().map(of).collect()
    }

    fn device_of(&self, model: &ModelPlan) -> Device {
        model.device.clone().unwrap_or_else(|| self.infer.device.clone())
    }

    fn find_or_open(
        &mut self,
        model: &ModelPlan,
        shadow: bool,
        (pace, step): (Pace, &dyn Fn(Step)),
        found: &mut Vec<Resident>,
        fresh: &mut Vec<Fresh>,
    ) -> Result<LoadedModel, LoadError> {
        let (card, variant) = (model.card.clone(), model.variant.clone());
        let wish = Wish { card, device: self.device_of(model), variant, shadow };
        if let Some(known) = self.open.iter().chain(&*found).find(|known| known.wish == wish) {
            let known = known.clone();
            let loaded = known.model.clone();
            found.push(known);
            return Ok(loaded);
        }
        step(Step::Opening);
        let (mut sessions, degraded) = self.open_somewhere(&wish)?;
        step(Step::Warming);
        let mut run = Duration::ZERO;
        for session in &mut sessions {
            run = warm(session, pace).map_err(|error| LoadError(error.to_string()))?.max(run);
        }
        self.last += 1;
        let (id, info) = (ModelId(self.last), sessions[0].info().clone());
        tell(&info, &wish.device, run, degraded.as_deref());
        let device = info.provider.clone();
        let opening =
            Arc::new(Opening::of(&self.runtime, &wish.card, self.options(&wish, &wish.device), &info));
        let loaded =
            LoadedModel { id, info, asked: wish.device.clone(), device: device.clone(), run, degraded };
        found.push(Resident { wish, model: loaded.clone(), editions: BTreeSet::new() });
        fresh.push(Fresh { id, device, sessions, opening, shadow });
        Ok(loaded)
    }

    /// Where it is wished for, or on the processor if that is how the station is configured; with the reason then.
    fn open_somewhere(&self, wish: &Wish) -> Result<(Vec<Model>, Option<String>), LoadError> {
        let missing = match self.open_on(wish, &wish.device) {
            Ok(sessions) => return Ok((sessions, None)),
            Err(error) => error,
        };
        let another_may_do = matches!(missing.cause(), Cause::Device | Cause::Remote);
        let may_degrade = self.infer.device_missing == DeviceMissing::Degrade;
        if !another_may_do || wish.device == Device::Cpu || !may_degrade {
            return Err(LoadError(missing.to_string()));
        }
        let sessions = self
            .open_on(wish, &Device::Cpu)
            .map_err(|error| LoadError(format!("{missing}; on the processor: {error}")))?;
        Ok((sessions, Some(format!("model \"{}\" runs on the processor: {missing}", wish.card.name))))
    }

    /// A session for each thread that the device will have.
    fn open_on(&self, wish: &Wish, device: &Device) -> Result<Vec<Model>, ModelError> {
        let options = self.options(wish, device);
        let first = Model::load(&self.runtime, &wish.card, &options)?;
        let on_processor = first.info().provider == Device::Cpu.to_string();
        let count = if on_processor && !wish.shadow { self.infer.workers } else { 1 };
        let mut sessions = vec![first];
        while sessions.len() < count {
            sessions.push(sessions[0].sibling()?);
        }
        Ok(sessions)
    }

    fn options(&self, wish: &Wish, device: &Device) -> LoadOptions {
        // What is made once from a model pays where it takes long, or where siblings share it.
        let is_plain = |provider: &String| PLAIN.contains(&provider.as_str());
        let makes_things = self.infer.workers > 1
            || (*device != Device::Cpu && !self.runtime.providers().iter().all(is_plain));
        LoadOptions {
            device: device.clone(),
            // A shadow's runs must not be shared by threads that do not stand back as its own does.
            threads: if wish.shadow { 1 } else { self.infer.threads },
            batch_max: if wish.shadow { 1 } else { self.infer.batch_max },
            variant: wish.variant.clone(),
            cache: makes_things.then(|| self.infer.cache.clone()).flatten(),
            ..LoadOptions::default()
        }
    }
}

fn warm(model: &mut Model, pace: Pace) -> Result<Duration, ModelError> {
    match pace {
        Pace::Alone => model.warm_up(WARM_UP_RUNS),
        Pace::Beside => {
            let mut fastest = Duration::MAX;
            for _ in 0..WARM_UP_RUNS {
                thread::yield_now();
                fastest = model.warm_up(1)?.min(fastest);
            }
            Ok(fastest)
        }
    }
}

fn tell(info: &ModelInfo, asked: &Device, run: Duration, degraded: Option<&str>) {
    let run_ms = run.as_secs_f64() * 1e3;
    let tried: Vec<String> =
        info.tried.iter().map(|tried| format!("{}: {}", tried.device, tried.reason)).collect();
    let tried = tried.join("; ");
    tracing::info!(
        model = %info.name, variant = info.variant, %asked, tried, got = info.provider, why = info.why, run_ms,
        "Model is loaded and warm."
    );
    if let Some(says) = degraded {
        tracing::error!("{says}.");
    }
}

/// Never silently slow.
fn in_time(recipe: &LoadedRecipe) -> Result<(), LoadError> {
    let (take, deadline) = (recipe.models_take, recipe.plan.deadline);
    let (models_ms, deadline_ms) = (take.as_millis() as u64, deadline.as_millis() as u64);
    if take < deadline {
        tracing::info!(recipe = %recipe.plan.name, edition = %recipe.edition, models_ms, deadline_ms, "Models are warm.");
        return Ok(());
    }
    Err(LoadError(format!(
        "recipe \"{}\" must answer within {deadline_ms} ms, but its models alone take {models_ms} ms here; \
         allow more time, use a smaller model or a faster device",
        recipe.plan.name
    )))
}
