//! What can be wrong with a model, said to the person who can put it right.

use crate::Device;
use plumb_inspection::{Cause, ModelName, RegionName};
use std::path::PathBuf;

/// Why a model cannot be used (at load), or why it gave nothing (at a part, which is then `Missed`).
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file is not there, or not to be read.
    #[error("model {model:?}: {} cannot be read: {error}; put it beside its card or correct `file` in {}", file.display(), card.display())]
    Unreadable {
        /// The model.
        model: ModelName,
        /// Its file.
        file: PathBuf,
        /// Its card.
        card: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// Zero bytes.
    #[error("model {model:?}: {} is empty; copy the file again", file.display())]
    Empty {
        /// The model.
        model: ModelName,
        /// Its file.
        file: PathBuf,
    },
    /// Not the file the card speaks of.
    #[error("model {model:?}: {} has sha256 {got}, but its card says {expected}; the file was cut short or changed: copy it again, or correct {} if the change is meant", file.display(), card.display())]
    Digest {
        /// The model.
        model: ModelName,
        /// Its file.
        file: PathBuf,
        /// Its card.
        card: PathBuf,
        /// Of the file.
        got: String,
        /// Of the card.
        expected: String,
    },
    /// A file with weights is not there, or too short for what lies in it.
    #[error("model {model:?}: {} keeps its weights in {}, which {}; it has {bytes} bytes or more: copy it to that place, or export the model into one file", file.display(), weights.display(), found.map_or_else(|| "is not there".to_owned(), |found| format!("has only {found} bytes")))]
    Weights {
        /// The model.
        model: ModelName,
        /// Its `.onnx`.
        file: PathBuf,
        /// The file with weights.
        weights: PathBuf,
        /// How long it must be at least.
        bytes: u64,
        /// How long it is; `None` where it is not there.
        found: Option<u64>,
    },
    /// A file with weights whose digest the card does not say, or one that the model does not use.
    #[error("model {model:?}: {what} ({})", card.display())]
    WeightsList {
        /// The model.
        model: ModelName,
        /// Which file, and what about it.
        what: String,
        /// Its card.
        card: PathBuf,
    },
    /// A file was exchanged while the model was being loaded.
    #[error("model {model:?}: {} was changed while it was being loaded; load it again when it is at rest", file.display())]
    Changed {
        /// The model.
        model: ModelName,
        /// The file.
        file: PathBuf,
    },
    /// A variant that the card does not have.
    #[error("model {model:?} has no variant {variant:?}; {} has {}", card.display(), known.join(", "))]
    Variant {
        /// The model.
        model: ModelName,
        /// As asked for.
        variant: String,
        /// Those of the card.
        known: Vec<String>,
        /// Its card.
        card: PathBuf,
    },
    /// Normalisation was asked for in the graph, and cannot be put there.
    #[error(
        "model {model:?} cannot have its normalisation in the graph: {reason}; leave `normalise` to \"by_device\" or \"on_host\""
    )]
    Prelude {
        /// The model.
        model: ModelName,
        /// Why not.
        reason: String,
    },
    /// No ONNX model, or one cut short.
    #[error("model {model:?}: {} is not a whole ONNX file ({reason}); export it again", file.display())]
    NotOnnx {
        /// The model.
        model: ModelName,
        /// Its file.
        file: PathBuf,
        /// ONNX Runtime's words.
        reason: String,
    },
    /// It uses something that ONNX Runtime does not have.
    #[error("model {model:?}: {} uses the operator {operator}, which this ONNX Runtime does not have; export it without, or with a standard opset", file.display())]
    Operator {
        /// The model.
        model: ModelName,
        /// Its file.
        file: PathBuf,
        /// With its domain, as `com.microsoft.extensions:DecodeImage`.
        operator: String,
    },
    /// ONNX Runtime will not have it for another reason.
    #[error("model {model:?}: ONNX Runtime refuses {}: {reason}", file.display())]
    Refused {
        /// The model.
        model: ModelName,
        /// Its file.
        file: PathBuf,
        /// ONNX Runtime's words.
        reason: String,
    },
    /// The device asked for cannot run it.
    #[error(
        "model {model:?} cannot run on {device}: {reason}; ask for \"cpu\" or \"auto\", or mend the device"
    )]
    Device {
        /// The model.
        model: ModelName,
        /// As asked for.
        device: Device,
        /// ONNX Runtime's words.
        reason: String,
    },
    /// The device is there, and has failed: while the model was being opened, or on a picture.
    #[error("model {model:?} failed on {device}, {fault}: {reason}")]
    DeviceFailed {
        /// The model.
        model: ModelName,
        /// Where it runs.
        device: String,
        /// What happened to the device.
        fault: DeviceFault,
        /// ONNX Runtime's words.
        reason: String,
    },
    /// Not the one input that a picture goes into.
    #[error("model {model:?} has {} inputs ({}), but is given one picture; export it with the others built in", inputs.len(), inputs.join(", "))]
    Inputs {
        /// The model.
        model: ModelName,
        /// Their names.
        inputs: Vec<String>,
    },
    /// The file and its card speak of different inputs.
    #[error("model {model:?} wants {wants} but its card says {says}; re-export it or correct {}", card.display())]
    Input {
        /// The model.
        model: ModelName,
        /// Shape and number type of the file.
        wants: String,
        /// The same, of the card.
        says: String,
        /// Its card.
        card: PathBuf,
    },
    /// A batch of fixed size that does not come out as it went in.
    #[error(
        "model {model:?} takes {batch} pictures at once but gives {gives}, which cannot be told apart by picture; export it with a batch of 1"
    )]
    Batch {
        /// The model.
        model: ModelName,
        /// Pictures in one run.
        batch: usize,
        /// Names and shapes of its outputs.
        gives: String,
    },
    /// The output cannot be read in the way the card says.
    #[error("model {model:?} gives {gives}, but its card says {family}, which reads {wanted}; correct [family] in {}", card.display())]
    Output {
        /// The model.
        model: ModelName,
        /// What the card says it is.
        family: String,
        /// What such a model would give.
        wanted: String,
        /// Names and shapes of its outputs.
        gives: String,
        /// Its card.
        card: PathBuf,
    },
    /// The card names fewer or more classes than the model tells apart.
    #[error("model {model:?} tells {classes} classes apart, but its card has {labels} labels; correct `labels` in {}", card.display())]
    Labels {
        /// The model.
        model: ModelName,
        /// In the output.
        classes: usize,
        /// In the card.
        labels: usize,
        /// Its card.
        card: PathBuf,
    },
    /// A tensor of another shape or number type than the card promised.
    #[error("model {model:?} was given {got} for region {region:?}, it wants {wants}")]
    Tensor {
        /// The model.
        model: ModelName,
        /// The region shown.
        region: RegionName,
        /// Shape and number type given.
        got: String,
        /// Shape and number type of the card.
        wants: String,
    },
    /// NaN or an infinity in the output: the model has failed on this picture.
    #[error(
        "model {model:?} gave NaN or infinity in its output {output:?} for region {region:?}; its numbers overflow, or its input is broken"
    )]
    NotANumber {
        /// The model.
        model: ModelName,
        /// The output.
        output: String,
        /// The region shown.
        region: RegionName,
    },
    /// A class without a label.
    #[error("model {model:?} found something of class {class}, but its card has {labels} labels (from 0); correct `labels` in {}", card.display())]
    UnknownClass {
        /// The model.
        model: ModelName,
        /// From 0.
        class: i64,
        /// In the card.
        labels: usize,
        /// Its card.
        card: PathBuf,
    },
    /// The inference server did not answer, not in time, or with what cannot be read.
    #[error("{error}")]
    Remote {
        /// The model.
        model: ModelName,
        /// What went wrong, with the server's address.
        error: plumb_remote::RemoteError,
    },
    /// ONNX Runtime gave up on a picture.
    #[error("model {model:?} failed on region {region:?}: {reason}")]
    Run {
        /// The model.
        model: ModelName,
        /// The region shown.
        region: RegionName,
        /// ONNX Runtime's words.
        reason: String,
    },
}

impl ModelError {
    /// Why a part is missed whose picture this happened on.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Device { .. } | Self::DeviceFailed { .. } => Cause::Device,
            Self::Remote { .. } => Cause::Remote,
            _ => Cause::Model,
        }
    }

    /// True where no model will run on that device again in this process: a new process may.
    pub fn lasts(&self) -> bool {
        matches!(self, Self::DeviceFailed { fault: DeviceFault::Lost, .. })
    }

    /// The system's own words, without the sentence around them.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Device { reason, .. } | Self::Refused { reason, .. } | Self::Run { reason, .. } => {
                reason.clone()
            }
            Self::DeviceFailed { fault, reason, .. } => format!("{fault}: {reason}"),
            other => other.to_string(),
        }
    }

    /// True where the same model may do on another device: what `auto` goes on after.
    pub(crate) fn may_do_elsewhere(&self) -> bool {
        matches!(
            self,
            Self::Device { .. }
                | Self::DeviceFailed { .. }
                | Self::Operator { .. }
                | Self::Refused { .. }
                | Self::Run { .. }
                | Self::Remote { .. }
        )
    }
}

/// What happened to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceFault {
    /// No memory for this picture or this model. Others may still fit.
    OutOfMemory,
    /// The card fell off, its driver ended, or a kernel broke its context: nothing runs there until a new process.
    Lost,
    /// TensorRT or OpenVINO could not make of the model what the device runs.
    EngineBuild,
}

impl std::fmt::Display for DeviceFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OutOfMemory => "which has no memory left for it",
            Self::Lost => "which is lost",
            Self::EngineBuild => "for which no engine could be built",
        })
    }
}
