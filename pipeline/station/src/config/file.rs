//! What `station.toml` and `recipes/*.toml` say, section by section, before names are checked against each other.

use plumb_capture::{SourceConfig, WatchConfig, trigger::PhotoEyeConfig};
use plumb_inference::Device;
use plumb_inspection::{CameraId, MmPerPx, ModelName, RecipeName, RecipeNumber, RectPx, RegionName};
use serde::Deserialize;
use std::{net::SocketAddr, path::PathBuf};

/// `[station]`: who this station is and where it keeps things.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StationSection {
    /// The station's name in every record.
    pub name: String,
    /// Where `/metrics`, `/healthz`, `/readyz` and `/api/v1` are served.
    #[serde(default = "loopback")]
    pub listen: SocketAddr,
    /// Ledger and pictures; relative to `station.toml`.
    #[serde(default = "data_folder")]
    pub data: PathBuf,
    /// The recipe to start with.
    pub recipe: RecipeName,
    /// Parts that may be open at once; one more is answered Missed at once.
    #[serde(default = "sixty_four")]
    pub open_parts_max: usize,
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}
fn data_folder() -> PathBuf {
    PathBuf::from("data")
}
fn sixty_four() -> usize {
    64
}

/// `[[camera]]`: where light comes in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraSection {
    /// Its name everywhere.
    pub id: CameraId,
    /// What kind of camera, and its settings.
    pub source: SourceConfig,
    /// When it counts as stalled, and how it is reconnected.
    #[serde(default)]
    pub watch: WatchConfig,
    /// Scale of the part's plane, for rules in mm.
    #[serde(default)]
    pub mm_per_px: Option<MmPerPx>,
    /// Its serial number: compared with that of its calibration. A `gige` camera's is its source's `camera`.
    #[serde(default)]
    pub serial: Option<String>,
    /// What `plumb calibrate` wrote: lens, scale and flat field in one file.
    #[serde(default)]
    pub calibration: Option<PathBuf>,
    /// What to do about a calibration that has expired, or is of another camera or size.
    #[serde(default)]
    pub calibration_unfit: CalibrationUnfit,
    /// A TOML file with the lens calibration alone.
    #[serde(default)]
    pub lens: Option<PathBuf>,
    /// A picture of an even white target.
    #[serde(default)]
    pub flat_field: Option<PathBuf>,
    /// For a camera that exposes on our trigger: how long its frame may take to arrive before it counts as lost.
    #[serde(default = "two_hundred")]
    pub frame_wait_ms: u64,
}

fn two_hundred() -> u64 {
    200
}

/// What to do about a calibration that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationUnfit {
    /// The station does not start. One that expires while it runs marks what is measured from then on.
    #[default]
    Refuse,
    /// It is used, as far as the size of the frames allows, and every record says `uncalibrated` and why.
    Mark,
}

/// `[trigger]`: what makes the station look at a part.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TriggerSection {
    /// Every frame of `camera` is one part: a hardware-triggered camera, a folder of pictures.
    Frame {
        /// Not needed where there is one camera only.
        #[serde(default)]
        camera: Option<CameraId>,
    },
    /// A part crosses a line drawn in the picture of a free-running camera.
    PhotoEye {
        /// Not needed where there is one camera only.
        #[serde(default)]
        camera: Option<CameraId>,
        /// The virtual light barrier.
        eye: PhotoEyeConfig,
    },
    /// `POST /api/v1/trigger`.
    Api {},
    /// The Trigger bit of the PLC's register block; `POST /api/v1/trigger` works too.
    Plc {},
}

/// `[infer]`: what the models run on.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InferSection {
    /// The ONNX Runtime library; found beside the program where not given.
    pub library: Option<PathBuf>,
    /// `"auto"`, `"cpu"`, `"cuda:0"` …: for every model whose recipe and card say nothing else.
    pub device: Device,
    /// Threads that share one model's work on the processor; 0 is as many as the model's card says, or one where it says
    /// nothing.
    pub threads: usize,
    /// Trips that the processor looks at side by side, each on a thread of its own.
    pub workers: usize,
    /// Regions that a model looks at in one run, across cameras. Has no effect on a model with a fixed batch of one.
    pub batch_max: usize,
    /// How long a device waits for a batch to fill; 0 takes what is there. Never longer than a part's deadline allows.
    pub batch_wait_us: u64,
    /// Folder for what is made once from a model and used at every later start: engines, optimised graphs. Relative to
    /// `station.toml`; `model-cache` in the data folder where not given.
    pub cache: Option<PathBuf>,
    /// A device that a model was meant for is not there when the model is loaded.
    pub device_missing: DeviceMissing,
    /// A device fails while the station runs.
    pub device_failed: DeviceFailed,
    /// Which recipes are loaded and warm before they are asked for.
    pub preload: Preload,
    /// Only models that somebody approved may judge: see `plumb model promote`.
    pub require_approval: bool,
}

impl Default for InferSection {
    fn default() -> Self {
        Self {
            library: None,
            device: Device::Auto,
            threads: 0,
            workers: 1,
            batch_max: 1,
            batch_wait_us: 0,
            cache: None,
            device_missing: DeviceMissing::default(),
            device_failed: DeviceFailed::default(),
            preload: Preload::default(),
            require_approval: false,
        }
    }
}

impl InferSection {
    /// The keys that make no sense, each with what does.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let within = |key, value: u64, least: u64, most: u64| {
            let says = format!("{key} is {value}; it can be {least} to {most}");
            (!(least..=most).contains(&value)).then_some((key, says))
        };
        let count = |key, value: usize, most| within(key, value as u64, 1, most);
        [
            within("threads", self.threads as u64, 0, 256),
            count("workers", self.workers, 64),
            count("batch_max", self.batch_max, 64),
            within("batch_wait_us", self.batch_wait_us, 0, 100_000),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// What to do about a device that is not there when a model is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceMissing {
    /// The station does not start, or keeps its old recipe.
    #[default]
    Refuse,
    /// The model runs on the processor, if it meets its deadline there, and the station is `degraded` as long.
    Degrade,
}

/// What to do when a device fails while the station runs. The parts it had are `Missed(Device)` either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceFailed {
    /// The model is opened again, as often as it takes; the station is `degraded` and its parts are missed until then.
    #[default]
    GoOn,
    /// The station is in `fault`.
    Stop,
}

/// Which recipes are loaded and warm before they are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preload {
    /// Every one: a changeover takes effect with the next part.
    #[default]
    All,
    /// The first. Another is loaded when it is asked for, and the one before is let go: a device holds two at most.
    First,
}

/// `[recipe]` of a recipe file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecipeSection {
    /// Its name.
    pub name: RecipeName,
    /// By which the PLC asks for it; at least 1.
    pub number: RecipeNumber,
    /// From trigger to answer, in ms. Follows from `[gate]` where it is not given.
    #[serde(default)]
    pub deadline_ms: Option<u64>,
    /// What to do when records can be kept neither on the disk nor in its reserve.
    #[serde(default)]
    pub ledger_full: LedgerFull,
}

/// The ledger cannot keep records any more: the disk is full, and the room set aside for them too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerFull {
    /// The heartbeat stops and the PLC rejects: no part passes without a record.
    #[default]
    Stop,
    /// Parts are judged on. Records wait in memory until that is full too; each one lost is logged whole and counted.
    GoOn,
}

/// `[[region]]` of a recipe: an area to look at.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionSection {
    /// Its name in rules and records.
    pub name: RegionName,
    /// Not needed where the station has one camera only.
    #[serde(default)]
    pub camera: Option<CameraId>,
    /// In (undistorted) frame px; the whole frame where not given.
    #[serde(default)]
    pub rect_px: Option<RectPx>,
    /// Who looks at it.
    pub model: ModelName,
}

/// `[[model]]` of a recipe: a name for a card.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelSection {
    /// Its name in this recipe.
    pub name: ModelName,
    /// The card's file, relative to the recipe's.
    pub card: PathBuf,
    /// Where it runs; else where `[infer]` says. Its `auto` tries first what the card recommends.
    #[serde(default)]
    pub device: Option<Device>,
    /// Which of the card's files; else the one that its card says.
    #[serde(default)]
    pub variant: Option<String>,
}

/// `[[shadow]]` of a recipe: a model that looks on beside another, is recorded, and never acts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShadowSection {
    /// Who looks on: a `[[model]]`.
    pub model: ModelName,
    /// Beside whom. Not needed where the recipe's regions have one model only.
    #[serde(default)]
    pub instead_of: Option<ModelName>,
    /// At which of that one's regions; all of them where not given.
    #[serde(default)]
    pub regions: Option<Vec<RegionName>>,
}
