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
            Self::Device { .. } => Cause::Device,
            _ => Cause::Model,
        }
    }
}
