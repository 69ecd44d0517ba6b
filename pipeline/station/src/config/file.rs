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
    /// A TOML file with the lens calibration.
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
#[serde(deny_unknown_fields)]
pub struct InferSection {
    /// The ONNX Runtime library; found beside the program where not given.
    #[serde(default)]
    pub library: Option<PathBuf>,
    /// `"auto"`, `"cpu"`, `"cuda:0"`.
    #[serde(default = "auto")]
    pub device: Device,
    /// Threads that share one model's work; 0 is as many as the model's card says, or one where it says nothing.
    #[serde(default)]
    pub threads: usize,
}

impl Default for InferSection {
    fn default() -> Self {
        Self { library: None, device: auto(), threads: 0 }
    }
}

fn auto() -> Device {
    Device::Auto
}

/// `[recipe]` of a recipe file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecipeSection {
    /// Its name.
    pub name: RecipeName,
    /// By which the PLC asks for it; at least 1.
    pub number: RecipeNumber,
    /// From trigger to answer, in ms.
    pub deadline_ms: u64,
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
}
