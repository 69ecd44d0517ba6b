//! The station, wired: every thread, every channel, started in the order a photon meets them, backwards.
//!
//! Shutdown follows the photon: cameras stop, senders drop, each stage drains its inbox and ends, the last answer is
//! confirmed, the ledger commits.

use crate::{
    background::{
        Background, ChallengeKeeper, LedgerKeeper, Tap, Watchman,
        console::{
            FramesPassing, Gathering, Sources, StationCalibrations, StationModels, StationRules, Window,
            frames, shift,
        },
        opc_ua::{self, Door, OpcUa},
    },
    budget::{self, Stopwatch},
    challenge::{Challenge, ChallengeBook},
    changeover::Changeover,
    clock::LastAnswer,
    config::{CameraPlan, Plan, Preload, TriggerSection},
    crew::Crew,
    cutters::Cutters,
    devices::{Devices, Mender, Wires},
    ear::Ear,
    edition::{Editions, LoadedRecipe},
    hot_path::{self, Desk, Examined, Lead, Place, Pulse, Told, VerdictStage, VerdictWires},
    lifecycle::Lifecycle,
    loading::{Loaded, Loader, Pace},
    metrics::{Labels, Metrics},
    mirrors, priority,
    shadow::ShadowSeat,
    state::{Condition, Health},
    threads,
};
use crossbeam_channel::bounded;
use jiff::{Timestamp, tz::TimeZone};
use plumb_capture::{Camera, CameraEvent, LineCamera, SourceConfig, trigger::PhotoEye};
use plumb_console::{Console, Order, Seen, Setup, Watchers};
use plumb_inference::Runtime;
use plumb_inspection::{CameraId, Frame, PartId, TriggerSource, Trip};
use plumb_ledger::{Ledger, ModelError};
use plumb_opcua::machine_vision::Publisher;
use plumb_plc::{PlcConfig, PlcEvent, PlcLink};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
};
use tokio::sync::{mpsc, watch};

/// Why a station does not start. The exit code says whose turn it is.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The config asks for what cannot be: more time than there is before the gate.
    #[error("{0}")]
    Config(String),
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
    /// Hears every stage take up its work.
    pub ear: Ear,
}

/// A running station.
pub struct Station {
    /// Where HTTP is served, if it is; the port is the system's choice where the config says 0.
    pub address: Option<SocketAddr>,
    /// SHA-256 of the console's certificate, where it is served over TLS.
    pub fingerprint: Option<String>,
    /// Where OPC UA is served, if it is.
    pub opc_ua_address: Option<SocketAddr>,
    /// The one-time password of the console's account `admin`, where this start made that account. To be shown on the
    /// terminal, once.
    pub first_password: Option<String>,
    /// Counts everything.
    pub metrics: Arc<Metrics>,
    plan: Arc<Plan>,
    desk: Arc<Desk>,
    health: Arc<Health>,
    pulse: Arc<Pulse>,
    editions: Arc<Editions>,
    changeover: Changeover,
    crew: JoinHandle<Crew>,
    stages: Vec<JoinHandle<()>>,
    ledger: Arc<Ledger>,
    background: Background,
    opc_ua: Option<OpcUa>,
}

impl Station {
    /// Loads and warms the models, opens the ledger, connects the PLC, then starts the cameras. A budget of time that
    /// cannot be met is refused before anything is opened, and again once the models are warm.
    ///
    /// # Errors
    /// What could not be started, in a sentence. Cameras and PLCs that are merely absent are no error: they are sought.
    pub fn start(plan: Plan, wiring: Wiring) -> Result<Self, StartError> {
        let Wiring { line, tap, replay, ear } = wiring;
        let plan = Arc::new(plan);
        for budget in budget::known(&plan) {
            affordable(&budget)?;
        }
        let health = Arc::new(Health::default());
        let metrics = Arc::new(Metrics::new(&labels(&plan)).map_err(StartError::device)?);
        let runtime = Runtime::load(plan.infer.library.as_deref()).map_err(StartError::model)?;
        let editions = Arc::new(Editions::default());
        let mut loader = Loader::new(runtime, plan.infer.clone());
        let (loaded, first) = load_first(&plan, &mut loader, &editions)?;
        for budget in loaded.iter().filter_map(|loaded| budget::warm(&plan, &loaded.recipe)) {
            affordable(&budget)?;
            tracing::info!("{budget}");
        }
        metrics.deadline.set(first.plan.deadline.as_secs_f64());
        health.stands_in(first.degraded());
        health.warm();

        let ledger = Arc::new(open_ledger(&plan, ear.clone())?);
        let lifecycle = Lifecycle::new(ledger.models(), plan.infer.require_approval);
        ask_leave(&lifecycle, &loaded, &first, &health)?;
        let (begun_in, begun_out) = mpsc::channel::<Told>(hot_path::BEGUN);
        let (examined_in, examined_out) = mpsc::channel::<Trip<Examined>>(hot_path::TO_VERDICT);
        let (plc_in, plc_out) = mpsc::channel::<PlcEvent>(hot_path::FROM_PLC);
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
        let (challenge, book) = open_challenge(&plan, &first, &metrics, &health)?;
        let desk = Arc::new(Desk::new(
            ledger.numbers(),
            lead(&plan),
            first,
            places,
            begun_in,
            fire_in,
            metrics.clone(),
            health.clone(),
            challenge.clone(),
        ));
        let pulse = Arc::new(Pulse::default());
        let changeover =
            Changeover::new(plan.clone(), editions.clone(), desk.clone(), metrics.clone(), health.clone());
        let (mender, mender_thread) = Mender::start(health.clone()).map_err(StartError::device)?;
        let (shadow, shadow_door) =
            ShadowSeat::start(plan.clone(), metrics.clone(), ledger.shadows(), mender.clone())
                .map_err(StartError::device)?;

        let publisher = Publisher::default();
        let opcua = plan.opcua.clone().filter(|_| !replay);
        let tap = if opcua.is_some() { Some(heard_by(publisher.clone(), plan.clone(), tap)) } else { tap };
        let mut stages = vec![mender_thread];
        let mut console = None;
        let mut window = None;
        if !replay {
            let sources = Sources {
                plan: plan.clone(),
                desk: desk.clone(),
                metrics: metrics.clone(),
                health: health.clone(),
                ledger: ledger.clone(),
                clock: LastAnswer::default(),
            };
            let rules = StationRules::new(plan.clone(), desk.clone(), changeover.clone());
            let models = StationModels::new(plan.clone(), editions.clone());
            let (passing, next) = frames();
            let calibrations = StationCalibrations::new(plan.clone(), desk.clone(), next);
            let handed = (Arc::new(rules), Arc::new(models), Arc::new(calibrations));
            let (shown, setup, orders) = open_console(sources, handed, passing)?;
            stages.push(shown.1);
            window = Some(shown.0);
            console = Some((setup, orders));
        }
        let (mirror_door, mirrors) =
            mirrors::start(&plan.mirrors, desk.clone(), metrics.clone(), health.clone())
                .map_err(StartError::device)?;
        stages.extend(mirrors);
        let stopwatch = Arc::new(Stopwatch::default());
        let wires = VerdictWires {
            plan: plan.clone(),
            desk: desk.clone(),
            editions: editions.clone(),
            changeover: changeover.clone(),
            keeper: Box::new(LedgerKeeper::new(plan.clone(), ledger.clone(), tap, window)),
            shadow: shadow_door,
            mirrors: mirror_door,
            stopwatch: stopwatch.clone(),
            metrics: metrics.clone(),
            health: health.clone(),
            pulse: pulse.clone(),
            ear: ear.clone(),
        };
        let inboxes = HotInboxes { begun: begun_out, examined: examined_out, plc: (plc_in, plc_out) };
        stages.push(start_hot(wires, inboxes)?);
        let devices = Devices::new(Wires {
            infer: plan.infer.clone(),
            examined: examined_in,
            desk: desk.clone(),
            pulse: pulse.clone(),
            health: health.clone(),
            mender,
            ear: ear.clone(),
        });
        let mut cutters = Cutters::default();
        for (camera, inbox) in frames_out {
            let thread = cutters.start(camera, inbox, desk.clone(), &pulse, ear.clone());
            stages.push(thread.map_err(StartError::device)?);
        }
        let (crew_editions, crew_desk, crew_metrics) = (editions.clone(), desk.clone(), metrics.clone());
        let mut crew = Crew {
            loader,
            devices,
            cutters,
            shadow,
            lifecycle,
            editions: crew_editions,
            desk: crew_desk,
            metrics: crew_metrics,
        };
        for loaded in loaded {
            crew.join(loaded).map_err(StartError::Device)?;
        }
        let firing = desk.clone();
        let fire = move || {
            priority::come_soon();
            fire_out.iter().for_each(|camera| firing.fire(&camera));
        };
        stages.push(threads::spawn("trigger".to_owned(), fire).map_err(StartError::device)?);

        for camera in &plan.cameras {
            let running = start_camera(camera, &plan.trigger, &desk, &health, (line.clone(), ear.clone()))?;
            desk.adopt(&camera.id, running);
        }
        for camera in &plan.cameras {
            if let Some(at) = camera.calibration.as_ref().and_then(|calibration| calibration.expires_at) {
                metrics.calibration_expires(&camera.id, at);
            }
        }
        let door = || Door {
            plan: plan.clone(),
            desk: desk.clone(),
            health: health.clone(),
            editions: editions.clone(),
            changeover: changeover.clone(),
        };
        let opc_ua = opcua.map(|config| OpcUa::start(&config, door(), &publisher)).transpose();
        let opc_ua = opc_ua.map_err(StartError::Device)?;
        if let Some(opc_ua) = &opc_ua {
            metrics.certificate_expires("opc_ua", opc_ua.certificate_ends());
        }
        let watchman = Watchman {
            plan: plan.clone(),
            desk: desk.clone(),
            metrics: metrics.clone(),
            health: health.clone(),
            ledger: ledger.clone(),
            editions: editions.clone(),
            changeover: changeover.clone(),
            stopwatch,
            pulse: pulse.clone(),
        };
        let mut first_password = None;
        let console = console.map(|(setup, orders)| {
            first_password = setup.first_password;
            (setup.console, orders)
        });
        let keeper = ChallengeKeeper {
            challenge,
            book: Arc::new(book),
            metrics: metrics.clone(),
            shifts: plan.console.shifts.clone(),
        };
        let background = Background::start(watchman, keeper, console).map_err(StartError::device)?;
        let (address, fingerprint) = (background.address, background.fingerprint.clone());
        let crew = changeover.start(crew).map_err(StartError::device)?;
        Ok(Self {
            address,
            fingerprint,
            opc_ua_address: opc_ua.as_ref().map(OpcUa::address),
            first_password,
            metrics,
            plan,
            desk,
            health,
            pulse,
            editions,
            changeover,
            crew,
            stages,
            ledger,
            background,
            opc_ua,
        })
    }

    /// A part begins because somebody asked.
    pub fn trigger(&self) -> PartId {
        self.desk.ask(TriggerSource::Api, None, None)
    }

    /// Somebody says that the belt is clear: the count of parts begins anew, once nothing old can come any more.
    pub fn rezero(&self) {
        self.desk.ask_rezero();
    }

    /// A signal on the wire from a photo-eye to a camera of the built-in line: it exposes, and nobody here asked for it.
    pub fn signal(&self, camera: &CameraId) {
        self.desk.signal(camera);
    }

    /// The state with its reasons.
    pub fn condition(&self) -> Condition {
        self.health.condition()
    }

    /// How often the heartbeat that the PLC sees has gone one on.
    pub fn heartbeats(&self) -> u64 {
        self.pulse.beats()
    }

    /// What is said of the cameras that were sought and are not there.
    pub fn cameras_down(&self) -> Vec<String> {
        self.health.cameras_down()
    }

    /// True once every camera has come to the end of its pictures.
    pub fn has_ended(&self) -> bool {
        self.desk.has_ended()
    }

    /// What the next part is stamped with.
    pub fn current(&self) -> Arc<LoadedRecipe> {
        self.desk.current()
    }

    /// Every edition that is loaded.
    pub fn editions(&self) -> Vec<Arc<LoadedRecipe>> {
        self.editions.all()
    }

    /// Where another recipe is wished for.
    pub fn changeover(&self) -> &Changeover {
        &self.changeover
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
        self.changeover.stop();
        let crew = self.crew.join();
        self.desk.close();
        let mut stages = self.stages;
        match crew {
            Ok(crew) => stages.extend(crew.close()),
            Err(_) => tracing::error!(thread = "changeover", "Thread ended by a panic."),
        }
        for stage in stages {
            let name = stage.thread().name().unwrap_or("stage").to_owned();
            if stage.join().is_err() {
                tracing::error!(thread = name, "Thread ended by a panic.");
            }
        }
        if let Some(opc_ua) = self.opc_ua {
            opc_ua.stop();
        }
        self.background.stop();
        drop((self.changeover, self.desk));
        match Arc::into_inner(self.ledger) {
            Some(ledger) => ledger.close().map_err(StartError::device),
            None => Err(StartError::Device("the ledger is still in use and could not be closed".to_owned())),
        }
    }
}

/// The console, what feeds it from the hot path, and what people will want of the station.
#[expect(clippy::type_complexity, reason = "taken apart where it is called")]
fn open_console(
    sources: Sources,
    (rules, models, calibrations): (Arc<StationRules>, Arc<StationModels>, Arc<StationCalibrations>),
    passing: FramesPassing,
) -> Result<((Window, JoinHandle<()>), Setup, mpsc::Receiver<Order>), StartError> {
    let config = sources.plan.console.clone();
    let ledger = sources.plan.station.data.clone();
    let watchers = Watchers::default();
    let (window, glimpses, counts) = Window::new(watchers.clone(), config.live_fps, passing);
    let (pictures, live) = watch::channel(None);
    let (gathering, snapshot) = Gathering::new(sources, (glimpses, counts), pictures);
    let thread = gathering.start().map_err(StartError::device)?;
    // Eight orders that wait: more people than that do not press a button within a second.
    let (orders, ordered) = mpsc::channel(8);
    let seen = Seen { snapshot, live, watchers, ledger, orders, rules, models, calibrations };
    let setup = Console::open(seen, config);
    Ok(((window, thread), setup, ordered))
}

/// Known parts must be told right before anything is judged, unless that was done and nothing has made it due again.
fn open_challenge(
    plan: &Plan,
    first: &LoadedRecipe,
    metrics: &Metrics,
    health: &Arc<Health>,
) -> Result<(Arc<Challenge>, ChallengeBook), StartError> {
    let book = ChallengeBook::new(&plan.station.data);
    let mut passed = BTreeMap::new();
    if let Some(challenge) = &plan.challenge {
        let shift = shift::begin(&plan.console.shifts, Timestamp::now(), &TimeZone::system());
        passed = book.still_passed(challenge, shift, &first.plan).map_err(StartError::device)?;
        let last = book.last_passed().map_err(StartError::device)?;
        for recipe in challenge.parts.keys() {
            metrics.challenge.known(recipe, last.get(recipe).copied());
        }
    }
    let has_plc = !matches!(plan.plc, PlcConfig::None);
    let challenge = Challenge::new(plan.challenge.clone(), has_plc, &first.plan, passed, health.clone());
    Ok((Arc::new(challenge), book))
}

/// Every record goes to OPC UA's clients as well as to who hears it already.
fn heard_by(publisher: Publisher, plan: Arc<Plan>, mut tap: Option<Tap>) -> Tap {
    Box::new(move |record| {
        // Clients hear late that the part may move on, in the order they know: the PLC has its bit when it is so.
        if record.timings_us.capture.is_some() {
            publisher.acquisition_done(record.part_id);
        }
        publisher.publish(opc_ua::result(record, &plan));
        if let Some(tap) = &mut tap {
            tap(record);
        }
    })
}

/// Ready only after a warm-up that measured each model against its deadline. Gives the recipe to start with, too.
fn load_first(
    plan: &Plan,
    loader: &mut Loader,
    editions: &Editions,
) -> Result<(Vec<Loaded>, Arc<LoadedRecipe>), StartError> {
    let mut all = Vec::new();
    let mut first = None;
    for recipe in plan.recipes.values() {
        let is_first = recipe.number == plan.first_recipe;
        if is_first || plan.infer.preload == Preload::All {
            let loaded = loader
                .load(editions.next(), recipe.clone(), Pace::Alone, &|_| ())
                .map_err(StartError::model)?;
            if is_first {
                first = Some(loaded.recipe.clone());
            }
            all.push(loaded);
        }
    }
    Ok((all, first.expect("Plan says that first_recipe is one of its recipes")))
}

/// Never a station whose answers come too late for its gate.
fn affordable(budget: &budget::Budget) -> Result<(), StartError> {
    match budget.impossible() {
        Some(impossible) => Err(StartError::Config(format!("{budget}\n{}", impossible.says))),
        None => Ok(()),
    }
}

/// Nobody retired may judge; who is not approved, where that is required, does not yet.
fn ask_leave(
    lifecycle: &Lifecycle,
    loaded: &[Loaded],
    first: &LoadedRecipe,
    health: &Health,
) -> Result<(), StartError> {
    for Loaded { recipe, .. } in loaded {
        let withheld = lifecycle.enter(recipe).map_err(|error| match error {
            ModelError::Ledger(_) => StartError::device(error),
            _ => StartError::model(error),
        })?;
        if let Some(says) = &withheld {
            tracing::error!("{says}.");
            recipe.withhold(true);
        }
        if recipe.edition == first.edition {
            health.withheld(withheld);
        }
    }
    Ok(())
}

fn open_ledger(plan: &Plan, ear: Ear) -> Result<Ledger, StartError> {
    let commits = Box::new(move || ear.hears("ledger"));
    Ledger::open_heard(&plan.station.data, plan.ledger.clone(), commits).map_err(StartError::device)
}

/// What the verdict stage takes in.
struct HotInboxes {
    begun: mpsc::Receiver<Told>,
    examined: mpsc::Receiver<Trip<Examined>>,
    plc: (mpsc::Sender<PlcEvent>, mpsc::Receiver<PlcEvent>),
}

/// Runtime `hot`: one thread, verdict and PLC on it, nothing else.
fn start_hot(wires: VerdictWires, inboxes: HotInboxes) -> Result<JoinHandle<()>, StartError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::device)?;
    let (started, start) = bounded(1);
    let (health, metrics) = (wires.health.clone(), wires.metrics.clone());
    let work = move || {
        runtime.block_on(async move {
            let HotInboxes { begun, examined, plc: (plc_in, plc_out) } = inboxes;
            let link = match &wires.plan.plc {
                PlcConfig::None => None,
                config => match PlcLink::start(config.clone(), plc_in) {
                    Ok(link) => Some(link),
                    Err(error) => {
                        let _ = started.send(Err(StartError::device(error)));
                        return;
                    }
                },
            };
            let name = plc_name(&wires.plan.plc).unwrap_or_default().to_owned();
            if link.is_some() {
                wires.health.plc(Some("the PLC has not answered yet".to_owned()));
            }
            let _ = started.send(Ok(()));
            VerdictStage::new(wires, link, name).run(begun, examined, plc_out).await;
        });
    };
    let guarded = move || {
        priority::come_soon();
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            health.fault("the verdict stage ended by a panic; restart the station");
            // Parts that were open then, or on the wire: the PLC rejects them, and no record tells of them.
            let lost = metrics.triggers().saturating_sub(metrics.records.get());
            metrics.unaccounted.set(i64::try_from(lost).unwrap_or(i64::MAX));
        }
    };
    let thread = threads::spawn("hot".to_owned(), guarded).map_err(StartError::device)?;
    start.recv().map_err(|_| StartError::Device("the verdict stage did not start".to_owned()))??;
    Ok(thread)
}

fn start_camera(
    camera: &CameraPlan,
    trigger: &TriggerSection,
    desk: &Arc<Desk>,
    health: &Health,
    (line, ear): (Option<Arc<dyn LineCamera>>, Ear),
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
    let hear = move |event| {
        if matches!(event, CameraEvent::Frame(_)) {
            ear.hears("capture");
        }
        desk.hear(&id, eye.as_mut(), event);
    };
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
        cameras: plan.cameras.iter().map(|camera| &camera.id).collect(),
        queues,
        plc: plc_name(&plan.plc),
        mirrors: plan.mirrors.iter().map(|mirror| mirror.name.as_str()).collect(),
    }
}
