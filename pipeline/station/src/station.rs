//! The station, wired: every thread, every channel, started in the order a photon meets them, backwards.
//!
//! Shutdown follows the photon: cameras stop, senders drop, each stage drains its inbox and ends, the last answer is
//! confirmed, the ledger commits.

use crate::{
    background::{Background, LedgerKeeper, Tap, Watchman},
    config::{CameraPlan, Plan, TriggerSection},
    hot_path::{
        self, Desk, Examined, Examiner, Lead, Place, Prepared, Preparer, Pulse, Told, VerdictStage, Wanted,
    },
    metrics::{Labels, Metrics},
    state::{Condition, Health},
    threads,
};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use plumb_capture::{Camera, LineCamera, SourceConfig, trigger::PhotoEye};
use plumb_inference::{ModelInfo, Runtime};
use plumb_inspection::{CameraId, Cause, Frame, PartId, TriggerSource, Trip};
use plumb_ledger::Ledger;
use plumb_plc::{PlcConfig, PlcEvent, PlcLink};
use plumb_preprocess::Preprocessor;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::mpsc;

/// Why a station does not start. The exit code says whose turn it is.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The ONNX Runtime library or a model.
    #[error("{0}")]
    Model(String),
    /// A camera, the PLC, the network, the data folder.
    #[error("{0}")]
    Device(String),
}

impl StartError {
    fn device(error: impl std::fmt::Display) -> Self {
        Self::Device(error.to_string())
    }

    fn model(error: impl std::fmt::Display) -> Self {
        Self::Model(error.to_string())
    }
}

/// What a caller may plug in: the built-in line, an ear for records.
#[derive(Default)]
pub struct Wiring {
    /// What cameras of kind `line` look at.
    pub line: Option<Arc<dyn LineCamera>>,
    /// Hears every record as it goes to the ledger, on the hot path: it must not wait.
    pub tap: Option<Tap>,
    /// A replay: no HTTP, and no pictures kept of pictures.
    pub replay: bool,
}

/// A running station.
pub struct Station {
    /// Where HTTP is served, if it is; the port is the system's choice where the config says 0.
    pub address: Option<SocketAddr>,
    /// Counts everything.
    pub metrics: Arc<Metrics>,
    plan: Arc<Plan>,
    desk: Arc<Desk>,
    health: Arc<Health>,
    models: Vec<ModelInfo>,
    stages: Vec<JoinHandle<()>>,
    ledger: Arc<Ledger>,
    background: Background,
}

impl Station {
    /// Loads and warms the models, opens the ledger, connects the PLC, then starts the cameras.
    ///
    /// # Errors
    /// What could not be started, in a sentence. Cameras and PLCs that are merely absent are no error: they are sought.
    pub fn start(plan: Plan, wiring: Wiring) -> Result<Self, StartError> {
        let Wiring { line, tap, replay } = wiring;
        let plan = Arc::new(plan);
        let health = Arc::new(Health::default());
        let metrics = Arc::new(Metrics::new(&labels(&plan)).map_err(StartError::device)?);
        let runtime = Runtime::load(plan.infer.library.as_deref()).map_err(StartError::model)?;
        let mut examiner = Examiner::load(&plan, &runtime).map_err(StartError::model)?;
        let models = examiner.infos();
        warm_up(&plan, &mut examiner, &models, &metrics)?;
        health.warm();

        let ledger =
            Arc::new(Ledger::open(&plan.station.data, plan.ledger.clone()).map_err(StartError::device)?);
        let (begun_in, begun_out) = mpsc::channel::<Told>(hot_path::BEGUN);
        let (examined_in, examined_out) = mpsc::channel::<Trip<Examined>>(hot_path::TO_VERDICT);
        let (plc_in, plc_out) = mpsc::channel::<PlcEvent>(hot_path::FROM_PLC);
        let (infer_in, infer_out) = bounded::<Trip<Prepared>>(hot_path::TO_INFER);
        let (fire_in, fire_out) = bounded::<CameraId>(hot_path::TO_TRIGGER);

        let mut places = BTreeMap::new();
        let mut frames_out = Vec::new();
        for camera in &plan.cameras {
            let (outbox, inbox) = bounded::<Trip<Frame>>(hot_path::TO_PREPROCESS);
            let patient =
                matches!(&camera.source, SourceConfig::Files(files) if files.plays_as_fast_as_taken());
            places.insert(camera.id.clone(), Place { outbox, patient, frame_wait: camera.frame_wait });
            frames_out.push((camera, inbox));
        }
        let desk = Arc::new(Desk::new(
            ledger.numbers(),
            lead(&plan),
            wanted(&plan),
            plan.first_recipe,
            places,
            begun_in,
            fire_in,
            metrics.clone(),
            health.clone(),
        ));
        let pulse = Arc::new(Pulse::default());

        let mut stages = Vec::new();
        let keeper = LedgerKeeper::new(plan.clone(), models.clone(), ledger.clone(), tap, !replay);
        stages.push(start_hot(HotParts {
            plan: plan.clone(),
            desk: desk.clone(),
            keeper,
            metrics: metrics.clone(),
            health: health.clone(),
            pulse: pulse.clone(),
            begun: begun_out,
            examined: examined_out,
            plc: (plc_in, plc_out),
        })?);
        let device = models.first().map_or_else(|| "cpu".to_owned(), |model| model.provider.to_lowercase());
        let infer = InferThread { examiner, desk: desk.clone(), pulse };
        let work = move || infer.run(&infer_out, &examined_in);
        stages.push(threads::spawn(format!("infer-{device}"), work).map_err(StartError::device)?);
        for (camera, inbox) in frames_out {
            let preparer = preparer(&plan, camera)?;
            let (desk, outbox) = (desk.clone(), infer_in.clone());
            let metrics = metrics.clone();
            let work = move || prepare_all(preparer, &inbox, &outbox, &desk, &metrics);
            stages
                .push(threads::spawn(format!("preprocess-{}", camera.id), work).map_err(StartError::device)?);
        }
        drop(infer_in);
        let firing = desk.clone();
        let fire = move || fire_out.iter().for_each(|camera| firing.fire(&camera));
        stages.push(threads::spawn("trigger".to_owned(), fire).map_err(StartError::device)?);

        for camera in &plan.cameras {
            let running = start_camera(camera, &plan.trigger, &desk, &health, line.clone())?;
            desk.adopt(&camera.id, running);
        }
        let watchman = Watchman {
            plan: plan.clone(),
            desk: desk.clone(),
            metrics: metrics.clone(),
            health: health.clone(),
            ledger: ledger.clone(),
            models: models.clone(),
        };
        let background = Background::start(watchman, !replay).map_err(StartError::device)?;
        let address = background.address;
        Ok(Self { address, metrics, plan, desk, health, models, stages, ledger, background })
    }

    /// A part begins because somebody asked.
    pub fn trigger(&self) -> PartId {
        self.desk.ask(TriggerSource::Api, None, None)
    }

    /// The state with its reasons.
    pub fn condition(&self) -> Condition {
        self.health.condition()
    }

    /// What is said of the cameras that were sought and are not there.
    pub fn cameras_down(&self) -> Vec<String> {
        self.health.cameras_down()
    }

    /// True once every camera has come to the end of its pictures.
    pub fn has_ended(&self) -> bool {
        self.desk.has_ended()
    }

    /// What was loaded.
    pub fn models(&self) -> &[ModelInfo] {
        &self.models
    }

    /// What it was started from.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The ledger, for reading.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Follows the photon out: the last part is answered and its record is on disk when this returns.
    ///
    /// # Errors
    /// When the ledger could not write what it held.
    pub fn stop(self) -> Result<(), StartError> {
        self.health.stopping();
        self.desk.close();
        for stage in self.stages {
            let name = stage.thread().name().unwrap_or("stage").to_owned();
            if stage.join().is_err() {
                tracing::error!(thread = name, "Thread ended by a panic.");
            }
        }
        self.background.stop();
        drop(self.desk);
        match Arc::into_inner(self.ledger) {
            Some(ledger) => ledger.close().map_err(StartError::device),
            None => Err(StartError::Device("the ledger is still in use and could not be closed".to_owned())),
        }
    }
}

/// Ready only after a warm-up that measured each model against its deadline.
fn warm_up(
    plan: &Plan,
    examiner: &mut Examiner,
    models: &[ModelInfo],
    metrics: &Metrics,
) -> Result<(), StartError> {
    let medians = examiner.warm_up(5).map_err(StartError::model)?;
    for recipe in plan.recipes.values() {
        let total: Duration = recipe.regions.iter().map(|region| medians[region.card]).sum();
        for region in &recipe.regions {
            let model = &models[region.card];
            metrics.model(recipe.name.as_str(), model.name.as_str(), &model.digest, &model.provider);
        }
        tracing::info!(recipe = %recipe.name, models_ms = total.as_millis() as u64, deadline_ms = recipe.deadline.as_millis() as u64, "Models are warm.");
        if total >= recipe.deadline {
            let says = format!(
                "recipe \"{}\" must answer within {} ms, but its models alone take {} ms here; \
                 allow more time, use a smaller model or a faster device",
                recipe.name,
                recipe.deadline.as_millis(),
                total.as_millis()
            );
            return Err(StartError::Model(says));
        }
    }
    metrics.deadline.set(plan.recipes[&plan.first_recipe].deadline.as_secs_f64());
    Ok(())
}

struct HotParts {
    plan: Arc<Plan>,
    desk: Arc<Desk>,
    keeper: LedgerKeeper,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    pulse: Arc<Pulse>,
    begun: mpsc::Receiver<Told>,
    examined: mpsc::Receiver<Trip<Examined>>,
    plc: (mpsc::Sender<PlcEvent>, mpsc::Receiver<PlcEvent>),
}

/// Runtime `hot`: one thread, verdict and PLC on it, nothing else.
fn start_hot(parts: HotParts) -> Result<JoinHandle<()>, StartError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::device)?;
    let (started, start) = bounded(1);
    let health = parts.health.clone();
    let work = move || {
        runtime.block_on(async move {
            let (plc_in, plc_out) = parts.plc;
            let link = match &parts.plan.plc {
                PlcConfig::None => None,
                config => match PlcLink::start(config.clone(), plc_in) {
                    Ok(link) => Some(link),
                    Err(error) => {
                        let _ = started.send(Err(StartError::device(error)));
                        return;
                    }
                },
            };
            let name = plc_name(&parts.plan.plc).unwrap_or_default().to_owned();
            if link.is_some() {
                parts.health.plc(Some("the PLC has not answered yet".to_owned()));
            }
            let _ = started.send(Ok(()));
            let stage = VerdictStage::new(
                parts.plan,
                parts.desk,
                link,
                name,
                Box::new(parts.keeper),
                parts.metrics,
                parts.health,
                parts.pulse,
            );
            stage.run(parts.begun, parts.examined, plc_out).await;
        });
    };
    let guarded = move || {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            health.fault("the verdict stage ended by a panic; restart the station");
        }
    };
    let thread = threads::spawn("hot".to_owned(), guarded).map_err(StartError::device)?;
    start.recv().map_err(|_| StartError::Device("the verdict stage did not start".to_owned()))??;
    Ok(thread)
}

/// `infer-<device>`: examines trips, and shows life when there are none.
struct InferThread {
    examiner: Examiner,
    desk: Arc<Desk>,
    pulse: Arc<Pulse>,
}

impl InferThread {
    fn run(mut self, inbox: &Receiver<Trip<Prepared>>, outbox: &mpsc::Sender<Trip<Examined>>) {
        loop {
            self.pulse.infer();
            let trip = match inbox.recv_timeout(Duration::from_millis(100)) {
                Ok(trip) => trip,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if std::time::Instant::now() > trip.deadline {
                continue; // answered Missed already; looking at it would only make the next one late
            }
            let (part, camera) = (trip.part, trip.camera.clone());
            match catch_unwind(AssertUnwindSafe(|| self.examiner.examine(trip))) {
                Ok(Ok(trip)) => {
                    if outbox.blocking_send(trip).is_err() {
                        return;
                    }
                }
                Ok(Err(loss)) => self.desk.lost(loss.part, Some(&loss.camera), loss.cause),
                Err(_) => self.desk.lost(part, Some(&camera), Cause::Model),
            }
        }
    }
}

fn prepare_all(
    mut preparer: Preparer,
    inbox: &Receiver<Trip<Frame>>,
    outbox: &Sender<Trip<Prepared>>,
    desk: &Desk,
    metrics: &Metrics,
) {
    for trip in inbox {
        let (part, camera) = (trip.part, trip.camera.clone());
        metrics.beat("preprocess");
        match catch_unwind(AssertUnwindSafe(|| preparer.prepare(trip))) {
            Ok(Ok(trip)) => {
                if outbox.send(trip).is_err() {
                    return;
                }
            }
            Ok(Err(loss)) => desk.lost(loss.part, Some(&loss.camera), loss.cause),
            Err(_) => desk.lost(part, Some(&camera), Cause::Preprocess),
        }
    }
}

fn preparer(plan: &Plan, camera: &CameraPlan) -> Result<Preparer, StartError> {
    let mut by_recipe = BTreeMap::new();
    for recipe in plan.recipes.values() {
        let cuts: Vec<_> = recipe.regions_of(&camera.id).map(|region| region.cut(&plan.cards)).collect();
        if !cuts.is_empty() {
            let preprocessor = Preprocessor::new(camera.optics.clone(), cuts).map_err(StartError::device)?;
            by_recipe.insert(recipe.number, preprocessor);
        }
    }
    Ok(Preparer::new(camera.id.clone(), by_recipe))
}

fn start_camera(
    camera: &CameraPlan,
    trigger: &TriggerSection,
    desk: &Arc<Desk>,
    health: &Health,
    line: Option<Arc<dyn LineCamera>>,
) -> Result<Camera, StartError> {
    let mut eye = match trigger {
        TriggerSection::PhotoEye { camera: lead, eye }
            if lead.as_ref().is_none_or(|lead| *lead == camera.id) =>
        {
            Some(PhotoEye::new(eye.clone()).map_err(StartError::device)?)
        }
        _ => None,
    };
    health.camera_awaited(&camera.id);
    let (id, desk) = (camera.id.clone(), desk.clone());
    let hear = move |event| desk.hear(&id, eye.as_mut(), event);
    Camera::start(camera.id.clone(), camera.source.clone(), camera.watch, line, hear)
        .map_err(|error| StartError::Device(format!("camera {}: {error}", camera.id)))
}

fn lead(plan: &Plan) -> Option<(CameraId, Lead)> {
    let first = || plan.cameras[0].id.clone();
    match &plan.trigger {
        TriggerSection::Frame { camera } => Some((camera.clone().unwrap_or_else(first), Lead::Frame)),
        TriggerSection::PhotoEye { camera, .. } => {
            Some((camera.clone().unwrap_or_else(first), Lead::PhotoEye))
        }
        TriggerSection::Api {} | TriggerSection::Plc {} => None,
    }
}

fn wanted(plan: &Plan) -> BTreeMap<plumb_inspection::RecipeNumber, Wanted> {
    let of =
        |recipe: &crate::config::RecipePlan| Wanted { cameras: recipe.cameras(), deadline: recipe.deadline };
    plan.recipes.iter().map(|(number, recipe)| (*number, of(recipe))).collect()
}

/// The PLC's name in metrics and logs: its protocol.
fn plc_name(plc: &PlcConfig) -> Option<&'static str> {
    match plc {
        PlcConfig::None => None,
        other => Some(other.kind()),
    }
}

fn labels(plan: &Plan) -> Labels<'_> {
    let mut queues: Vec<(String, usize)> = plan
        .cameras
        .iter()
        .map(|camera| (format!("preprocess-{}", camera.id), hot_path::TO_PREPROCESS))
        .collect();
    queues.push(("open_parts".to_owned(), plan.station.open_parts_max));
    queues.push(("ledger".to_owned(), 1024));
    Labels {
        recipes: plan
            .recipes
            .values()
            .map(|recipe| {
                (recipe.name.as_str(), recipe.judge.rules().map(|rule| rule.name().as_str()).collect())
            })
            .collect(),
        cameras: plan.cameras.iter().map(|camera| &camera.id).collect(),
        queues,
        plc: plc_name(&plan.plc),
        deadlines: plan.recipes.values().map(|recipe| recipe.deadline).collect(),
    }
}
