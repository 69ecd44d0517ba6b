//! Every metric of the station, declared once, with its help text. `/metrics` renders them; nothing here waits.
//!
//! Names, types and labels are a contract (alerts and dashboards are built on them). Labels never hold a serial, part
//! id, path, user or error text. Every label set that can be known exists from the start at 0, because `increase()`
//! misses the first event of a series that appears with it.

mod challenge;
mod latency;
mod ledger;
mod line;

pub use challenge::ChallengeMetrics;
pub use latency::DecisionLatency;
pub use ledger::LedgerMetrics;
pub use line::LineMetrics;

use crate::{changeover::Stage, edition::LoadedRecipe, state::State};
use plumb_inspection::{CameraId, Cause, Lap, TriggerSource};
use plumb_plc::LinkFaultKind;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Where a frame can be lost, for `plumb_frames_dropped_total{reason}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The camera's frame id jumped.
    Lost,
    /// The next stage had no room.
    Overrun,
    /// Came when no part was waiting for it any more.
    Stale,
    /// Not the picture it claimed to be.
    Corrupt,
}

impl Dropped {
    const ALL: [Self; 4] = [Self::Lost, Self::Overrun, Self::Stale, Self::Corrupt];

    fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Overrun => "overrun",
            Self::Stale => "stale",
            Self::Corrupt => "corrupt",
        }
    }
}

/// What a shadow model made of a part, for `plumb_shadow_parts_total{result}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShadowResult {
    /// The same verdict as the machine's.
    Agree,
    /// Another one.
    Disagree,
    /// It did not look, or there was nothing to compare with.
    Skipped,
    /// It gave no usable answer.
    Failed,
}

impl ShadowResult {
    const ALL: [Self; 4] = [Self::Agree, Self::Disagree, Self::Skipped, Self::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Disagree => "disagree",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// What can go wrong with the PLC beyond its link, for `plumb_plc_errors_total{kind}`.
const PLC_ERRORS: [&str; 6] =
    ["heartbeat_lost", "missed_trigger", "answer_overrun", "answer_dropped", "wait_ended", "turned_away"];

/// Rules of one recipe that are counted by name; `plumb_rejects_total` has at most these and [`OTHER_DEFECT`].
pub const DEFECTS_MAX: usize = 50;
/// The rules beyond them.
const OTHER_DEFECT: &str = "other";

/// Verdicts as `plumb_parts_total{verdict}` counts them.
const VERDICTS: [&str; 3] = ["pass", "reject", "error"];

/// Beats of the stages that a part's answer depends on.
pub const HEARTS: [&str; 6] = ["capture", "preprocess", "infer", "verdict", "plc", "ledger"];

/// Stages that say by themselves whether they live; a camera and a PLC have metrics of their own.
pub const STAGES: [&str; 4] = ["preprocess", "infer", "verdict", "ledger"];

/// The station's metrics. Cheap to update from the hot path: atomics behind handles looked up once.
pub struct Metrics {
    registry: Registry,
    triggers: IntCounterVec,
    /// Answers handed to the PLC link (or closed without one where there is no PLC).
    pub answers: IntCounter,
    /// Records handed to the ledger.
    pub records: IntCounter,
    /// Triggers that could not even be entered in the table of open parts. Zero, or the station is in fault.
    pub unaccounted: IntGauge,
    parts: IntCounterVec,
    rejects: IntCounterVec,
    /// What may stand in its label, by recipe.
    defects: Mutex<BTreeMap<String, BTreeSet<String>>>,
    missed: IntCounterVec,
    /// Trigger to verdict.
    pub decision_latency: DecisionLatency,
    stage_duration: HistogramVec,
    /// Deadline of the recipe in use, in seconds.
    pub deadline: Gauge,
    deadline_misses: IntCounterVec,
    frames: IntCounterVec,
    frames_dropped: IntCounterVec,
    camera_up: IntGaugeVec,
    camera_reconnects: IntCounterVec,
    camera_last_frame: GaugeVec,
    calibration_expiry: GaugeVec,
    certificate_expiry: GaugeVec,
    queue_depth: IntGaugeVec,
    queue_capacity: IntGaugeVec,
    score: HistogramVec,
    heartbeat: GaugeVec,
    stage_up: IntGaugeVec,
    state: IntGaugeVec,
    model_info: IntGaugeVec,
    /// The label sets of `model_info` that exist.
    models: Mutex<BTreeSet<[String; 4]>>,
    /// Models of the recipe in use that run elsewhere than asked.
    pub models_standing_in: IntGauge,
    /// Models that their device does not run any more, sought by the mender.
    pub models_down: IntGauge,
    changeovers: IntCounterVec,
    shadow_parts: IntCounterVec,
    /// 1 while the PLC's heartbeat is seen to move.
    pub plc_up: IntGaugeVec,
    /// One exchange with the PLC.
    pub plc_roundtrip: Histogram,
    plc_errors: IntCounterVec,
    storage_free: IntGaugeVec,
    store_write_errors: IntCounter,
    /// Of the line around the station.
    pub line: LineMetrics,
    /// Of the ledger over the years.
    pub ledger: LedgerMetrics,
    /// Of known parts.
    pub challenge: ChallengeMetrics,
    records_lost: IntCounter,
}

/// The closed lists that labels are taken from.
pub struct Labels<'a> {
    /// Camera ids.
    pub cameras: Vec<&'a CameraId>,
    /// Queue names with capacities.
    pub queues: Vec<(String, usize)>,
    /// The PLC link's name, where there is one.
    pub plc: Option<&'a str>,
    /// The names of the links beside it.
    pub mirrors: Vec<&'a str>,
}

impl Metrics {
    /// Registers everything and sets every known label set to 0.
    pub fn new(labels: &Labels<'_>) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let r = &registry;
        #[cfg(target_os = "linux")]
        r.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let metrics = Self {
            triggers: counters(
                r,
                "plumb_triggers_total",
                "Parts that began, by what noticed them.",
                &["source"],
            )?,
            answers: counter(
                r,
                "plumb_answers_total",
                "Parts that were answered; equals triggers less the parts still open.",
            )?,
            records: counter(r, "plumb_records_total", "Parts whose record was handed to the ledger.")?,
            unaccounted: gauge(
                r,
                "plumb_unaccounted_parts",
                "Triggers that were lost inside the station; anything but 0 is a fault.",
            )?,
            parts: counters(
                r,
                "plumb_parts_total",
                "Parts answered, by verdict (error: missed or late, answered as reject).",
                &["recipe", "mode", "verdict"],
            )?,
            rejects: counters(
                r,
                "plumb_rejects_total",
                "Parts rejected, by the rule that objected (defect) first.",
                &["recipe", "defect"],
            )?,
            defects: Mutex::default(),
            missed: counters(
                r,
                "plumb_missed_total",
                "Parts that could not be judged, by cause.",
                &["cause"],
            )?,
            decision_latency: DecisionLatency::new(r),
            stage_duration: histograms(
                r,
                "plumb_stage_duration_seconds",
                "Time a part spends in each stage.",
                &["stage"],
                stage_buckets(),
            )?,
            deadline: register(
                r,
                Gauge::new("plumb_deadline_seconds", "From trigger to answer, as the recipe in use asks."),
            )?,
            deadline_misses: counters(
                r,
                "plumb_deadline_misses_total",
                "Parts not judged in time, by what was done with them.",
                &["action"],
            )?,
            frames: counters(r, "plumb_frames_total", "Frames that reached the station.", &["camera"])?,
            frames_dropped: counters(
                r,
                "plumb_frames_dropped_total",
                "Frames lost or not used, by reason.",
                &["camera", "reason"],
            )?,
            camera_up: gauges(r, "plumb_camera_up", "1 while the camera delivers.", &["camera"])?,
            camera_reconnects: counters(
                r,
                "plumb_camera_reconnects_total",
                "Times the camera went down and is sought again.",
                &["camera"],
            )?,
            camera_last_frame: float_gauges(
                r,
                "plumb_camera_last_frame_timestamp_seconds",
                "When its last frame arrived; 0 before the first.",
                &["camera"],
            )?,
            calibration_expiry: float_gauges(
                r,
                "plumb_calibration_expiry_timestamp_seconds",
                "When the camera's calibration ends; only of cameras whose calibration does.",
                &["camera"],
            )?,
            certificate_expiry: float_gauges(
                r,
                "plumb_certificate_expiry_timestamp_seconds",
                "When the station's own certificate ends, by what it is shown for.",
                &["purpose"],
            )?,
            queue_depth: gauges(r, "plumb_queue_depth", "Entries waiting.", &["queue"])?,
            queue_capacity: gauges(r, "plumb_queue_capacity", "Entries that fit.", &["queue"])?,
            score: histograms(
                r,
                "plumb_score",
                "Raw score of each region as a whole.",
                &["recipe", "model"],
                (1..=20).map(|i| f64::from(i) / 20.0).collect(),
            )?,
            heartbeat: float_gauges(
                r,
                "plumb_heartbeat_timestamp_seconds",
                "When the stage last showed it is alive.",
                &["stage"],
            )?,
            stage_up: gauges(
                r,
                "plumb_stage_up",
                "1 while the stage shows life; 0 when it hangs, or the ledger cannot be written.",
                &["stage"],
            )?,
            state: gauges(r, "plumb_state", "1 for the state the station is in.", &["state"])?,
            model_info: gauges(
                r,
                "plumb_model_info",
                "What runs and on what; always 1.",
                &["recipe", "model", "digest12", "provider"],
            )?,
            models: Mutex::default(),
            models_standing_in: gauge(
                r,
                "plumb_models_standing_in",
                "Models of the recipe in use that run on another device than the one asked for.",
            )?,
            models_down: gauge(
                r,
                "plumb_models_down",
                "Models whose device failed while running and that are being opened again.",
            )?,
            changeovers: counters(
                r,
                "plumb_changeovers_total",
                "Changes of recipe or model that were asked for, by how they ended.",
                &["result"],
            )?,
            shadow_parts: counters(
                r,
                "plumb_shadow_parts_total",
                "Parts that a shadow model was to see, by what it made of them.",
                &["recipe", "model", "result"],
            )?,
            plc_up: gauges(
                r,
                "plumb_plc_link_up",
                "1 while the PLC answers and its heartbeat moves.",
                &["plc"],
            )?,
            plc_roundtrip: register(
                r,
                Histogram::with_opts(
                    HistogramOpts::new("plumb_plc_roundtrip_seconds", "One exchange with the PLC.")
                        .buckets(stage_buckets()),
                ),
            )?,
            plc_errors: counters(
                r,
                "plumb_plc_errors_total",
                "What went wrong with the PLC, by kind.",
                &["plc", "kind"],
            )?,
            storage_free: gauges(
                r,
                "plumb_storage_free_bytes",
                "Bytes left where the volume lies.",
                &["volume"],
            )?,
            store_write_errors: counter(
                r,
                "plumb_store_write_errors_total",
                "Writes to the ledger or its pictures that failed.",
            )?,
            line: LineMetrics::new(r, &labels.mirrors)?,
            ledger: LedgerMetrics::new(r)?,
            challenge: ChallengeMetrics::new(r)?,
            records_lost: counter(
                r,
                "plumb_records_lost_total",
                "Parts whose record the ledger could not keep; the log names each.",
            )?,
            registry,
        };
        metrics.start_at_zero(labels)?;
        Ok(metrics)
    }

    fn start_at_zero(&self, labels: &Labels<'_>) -> Result<(), prometheus::Error> {
        let build = gauges(
            &self.registry,
            "plumb_build_info",
            "What runs; always 1.",
            &["version", "revision", "rustc", "features"],
        )?;
        build
            .with_label_values(&[env!("CARGO_PKG_VERSION"), env!("PLUMB_REVISION"), env!("PLUMB_RUSTC"), ""])
            .set(1);
        for source in TriggerSource::ALL {
            self.triggers.with_label_values(&[source.as_str()]);
        }
        for cause in Cause::ALL {
            self.missed.with_label_values(&[cause.as_str()]);
        }
        for stage in Stage::ENDS {
            self.changeovers.with_label_values(&[stage.as_str()]);
        }
        for lap in Lap::ALL {
            self.stage_duration.with_label_values(&[lap.as_str()]);
        }
        for heart in HEARTS {
            self.heartbeat.with_label_values(&[heart]).set(seconds_now());
        }
        for stage in STAGES {
            self.stage_is(stage, true);
        }
        for camera in &labels.cameras {
            let camera = camera.as_str();
            self.frames.with_label_values(&[camera]);
            self.camera_up.with_label_values(&[camera]);
            self.camera_reconnects.with_label_values(&[camera]);
            self.camera_last_frame.with_label_values(&[camera]);
            for reason in Dropped::ALL {
                self.frames_dropped.with_label_values(&[camera, reason.as_str()]);
            }
        }
        for (queue, capacity) in &labels.queues {
            self.queue_depth.with_label_values(&[queue]);
            self.queue_capacity.with_label_values(&[queue]).set(*capacity as i64);
        }
        for action in ["reject", "hold"] {
            self.deadline_misses.with_label_values(&[action]);
        }
        for plc in labels.plc.iter().chain(&labels.mirrors) {
            self.plc_up.with_label_values(&[plc]);
            for kind in LinkFaultKind::ALL.iter().map(|kind| kind.as_str()).chain(PLC_ERRORS) {
                self.plc_errors.with_label_values(&[plc, kind]);
            }
        }
        self.set_state(State::NotReleased);
        Ok(())
    }

    /// A part began.
    pub fn triggered(&self, source: TriggerSource) {
        self.triggers.with_label_values(&[source.as_str()]).inc();
    }

    /// All parts that began.
    pub fn triggers(&self) -> u64 {
        TriggerSource::ALL
            .iter()
            .map(|source| self.triggers.with_label_values(&[source.as_str()]).get())
            .sum()
    }

    /// A part was answered; `mode` is `production` or `challenge`, `verdict` is `pass`, `reject` or `error`.
    pub fn answered(&self, recipe: &str, mode: &str, verdict: &str) {
        self.answers.inc();
        self.parts.with_label_values(&[recipe, mode, verdict]).inc();
    }

    /// A part was rejected because of `rule`; those beyond the first [`DEFECTS_MAX`] of a recipe are "other".
    pub fn rejected(&self, recipe: &str, rule: &str) {
        let defects = self.defects.lock().unwrap_or_else(PoisonError::into_inner);
        let known = defects.get(recipe).is_some_and(|defects| defects.contains(rule));
        self.rejects.with_label_values(&[recipe, if known { rule } else { OTHER_DEFECT }]).inc();
    }

    /// The calibration of `camera` ends then.
    pub fn calibration_expires(&self, camera: &CameraId, at: jiff::Timestamp) {
        self.calibration_expiry.with_label_values(&[camera.as_str()]).set(at.as_second() as f64);
    }

    /// The certificate that is shown for `purpose` ends then.
    pub fn certificate_expires(&self, purpose: &str, at: jiff::Timestamp) {
        self.certificate_expiry.with_label_values(&[purpose]).set(at.as_second() as f64);
    }

    /// A part could not be judged.
    pub fn missed(&self, cause: Cause) {
        self.missed.with_label_values(&[cause.as_str()]).inc();
    }

    /// A part was not judged in time and is rejected.
    pub fn deadline_missed(&self) {
        self.deadline_misses.with_label_values(&["reject"]).inc();
    }

    /// A part spent `time` in `lap`.
    pub fn stage(&self, lap: Lap, time: Duration) {
        self.stage_duration.with_label_values(&[lap.as_str()]).observe(time.as_secs_f64());
    }

    /// A frame arrived.
    pub fn frame(&self, camera: &CameraId) {
        self.frames.with_label_values(&[camera.as_str()]).inc();
        self.camera_last_frame.with_label_values(&[camera.as_str()]).set(seconds_now());
    }

    /// `count` frames were lost or not used.
    pub fn dropped(&self, camera: &CameraId, reason: Dropped, count: u64) {
        self.frames_dropped.with_label_values(&[camera.as_str(), reason.as_str()]).inc_by(count);
    }

    /// The camera came up or went down.
    pub fn camera_is(&self, camera: &CameraId, up: bool) {
        self.camera_up.with_label_values(&[camera.as_str()]).set(i64::from(up));
    }

    /// The camera is sought again.
    pub fn camera_reconnects(&self, camera: &CameraId) {
        self.camera_reconnects.with_label_values(&[camera.as_str()]).inc();
    }

    /// Entries waiting in `queue` now.
    pub fn queue(&self, queue: &str, depth: usize) {
        self.queue_depth.with_label_values(&[queue]).set(depth as i64);
    }

    /// A region's raw score.
    pub fn scored(&self, recipe: &str, model: &str, score: f32) {
        self.score.with_label_values(&[recipe, model]).observe(f64::from(score));
    }

    /// The stage is alive.
    pub fn beat(&self, stage: &str) {
        self.heartbeat.with_label_values(&[stage]).set(seconds_now());
    }

    /// The stage shows life, or does not.
    pub fn stage_is(&self, stage: &str, up: bool) {
        self.stage_up.with_label_values(&[stage]).set(i64::from(up));
    }

    /// The station changed state.
    pub fn set_state(&self, state: State) {
        for other in State::ALL {
            self.state.with_label_values(&[other.as_str()]).set(i64::from(other == state));
        }
    }

    /// A recipe was loaded: what will be counted of it exists from now on.
    pub fn recipe(&self, recipe: &LoadedRecipe) {
        let name = recipe.plan.name.as_str();
        for verdict in VERDICTS {
            self.parts.with_label_values(&[name, "production", verdict]);
        }
        let mut defects = BTreeSet::from([OTHER_DEFECT.to_owned()]);
        defects.extend(recipe.plan.judge.rules().map(|rule| rule.name().to_string()).take(DEFECTS_MAX));
        for defect in &defects {
            self.rejects.with_label_values(&[name, defect]);
        }
        self.defects.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), defects);
        for model in recipe.judging() {
            self.score.with_label_values(&[name, model.info.name.as_str()]);
        }
        if let Err(error) = self.decision_latency.recipe(name, recipe.plan.deadline) {
            tracing::error!(recipe = name, %error, "Latency of this recipe's parts is not shown.");
        }
        for shadow in &recipe.shadows {
            for result in ShadowResult::ALL {
                let model = recipe.shadow_name(shadow);
                self.shadow_parts.with_label_values(&[name, model, result.as_str()]);
            }
        }
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        for labels in model_labels(recipe) {
            self.model_info.with_label_values(&labels.each_ref().map(String::as_str)).set(1);
            models.insert(labels);
        }
    }

    /// `recipes` are all that are loaded: what is said of other models is so no longer.
    pub fn only_these_models(&self, recipes: &[Arc<LoadedRecipe>]) {
        let loaded: BTreeSet<_> = recipes.iter().flat_map(|recipe| model_labels(recipe)).collect();
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        for labels in models.difference(&loaded) {
            let _ = self.model_info.remove_label_values(&labels.each_ref().map(String::as_str)); // it is there
        }
        *models = loaded;
    }

    /// A changeover came to an end.
    pub fn changed_over(&self, end: Stage) {
        self.changeovers.with_label_values(&[end.as_str()]).inc();
    }

    /// A shadow was to see a part.
    pub fn shadow(&self, recipe: &str, model: &str, result: ShadowResult) {
        self.shadow_parts.with_label_values(&[recipe, model, result.as_str()]).inc();
    }

    /// Something went wrong with the PLC; `kind` is one of the closed list that exists from the start.
    pub fn plc_error(&self, plc: &str, kind: &str) {
        self.plc_errors.with_label_values(&[plc, kind]).inc();
    }

    /// Bytes left on the data folder's volume.
    pub fn storage_free(&self, volume: &str, bytes: u64) {
        self.storage_free.with_label_values(&[volume]).set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The ledger's count of failed writes, taken over.
    pub fn store_write_errors(&self, total: u64) {
        self.store_write_errors.inc_by(total.saturating_sub(self.store_write_errors.get()));
    }

    /// The ledger's count of records that are lost, taken over.
    pub fn records_lost(&self, total: u64) {
        self.records_lost.inc_by(total.saturating_sub(self.records_lost.get()));
    }

    /// Prometheus text format 0.0.4.
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "Metrics could not be rendered.");
        }
        text
    }
}

/// Recipe, model, first digits of its digest, provider.
fn model_labels(recipe: &LoadedRecipe) -> impl Iterator<Item = [String; 4]> {
    recipe.judging().map(|model| {
        let info = &model.info;
        let digest12 = info.digest.get(..12).unwrap_or(&info.digest);
        [recipe.plan.name.as_str(), info.name.as_str(), digest12, &info.provider].map(str::to_owned)
    })
}

fn seconds_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn stage_buckets() -> Vec<f64> {
    vec![0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
}

fn register<M: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    metric: Result<M, prometheus::Error>,
) -> Result<M, prometheus::Error> {
    let metric = metric?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    register(registry, IntCounter::new(name, help))
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    register(registry, IntGauge::new(name, help))
}

fn counters(
    r: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    register(r, IntCounterVec::new(Opts::new(name, help), labels))
}

fn gauges(r: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    register(r, IntGaugeVec::new(Opts::new(name, help), labels))
}

fn float_gauges(
    r: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<GaugeVec, prometheus::Error> {
    register(r, GaugeVec::new(Opts::new(name, help), labels))
}

fn histograms(
    r: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
    buckets: Vec<f64>,
) -> Result<HistogramVec, prometheus::Error> {
    register(r, HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), labels))
}
