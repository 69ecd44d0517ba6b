//! Tensor to Findings: the only crate that knows ONNX Runtime.
//!
//! A model is two files: the `.onnx` and its [`Card`], which says what goes in, how to read what comes out, and the
//! digest of the file it speaks of. [`Model::load`] refuses whatever does not fit together, so that a station that
//! says it is ready has run each of its models once. [`Model::examine`] then takes a tensor and gives findings in
//! frame px.
//!
//! ```no_run
//! use plumb_inference::{Card, LoadOptions, Model, Runtime};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Runtime::load(None)?;
//! let card = Card::read("models/bottle-cap.toml".as_ref())?;
//! let model = Model::load(&runtime, &card, &LoadOptions::default())?;
//! assert_eq!(model.info().name, card.name);
//! # Ok(())
//! # }
//! ```

mod cache;
mod card;
mod class_map;
mod device;
mod digest;
mod error;
mod extractor;
mod family;
mod file;
mod library;
mod mask;
mod model;
mod nms;
mod number;
mod options;
mod outline;
mod output;
mod pieces;
mod prototypes;
mod rotated;
mod runtime;
mod served;
mod session;
pub mod trial;
mod variant;

pub use card::{About, Card, CardError};
pub use device::{Device, DeviceError, Kserve, OpenVino};
pub use error::{DeviceFault, ModelError};
pub use extractor::{Extractor, ExtractorError, Given, Promised};
pub use family::{
    Activation, AnomalyConfig, ClassifierConfig, DetectorConfig, DetectorOutput, FamilyConfig,
    InstanceSegmenterConfig, InstanceSegmenterOutput, OrientedDetectorConfig, OrientedDetectorOutput,
    PoseConfig, PoseOutput, SegmenterConfig,
};
pub use model::{Model, ModelInfo, Tried};
pub use number::{Fraction, NotNegative, NumberError};
pub use options::{LoadOptions, Normalise, NvidiaOptions, Precision, RemoteOptions, Transfer};
pub use runtime::{Runtime, RuntimeError};
pub use variant::{ORIGINAL, Variant, WeightsFile};
