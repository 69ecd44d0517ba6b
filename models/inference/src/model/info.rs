//! What is worth knowing, and keeping on record, about a loaded model.

use crate::Device;
use plumb_inspection::{ClassName, ModelName, TensorSpec};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is worth knowing, and keeping on record, about a loaded model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    /// As its card says.
    pub name: ModelName,
    /// SHA-256 of the file that runs, 64 lower-case hex digits; computed, and equal to the card's. Where weights lie
    /// apart, of the lines `digest  file` for the `.onnx` and each file of weights, by name. Of a model on a server it is
    /// the card's word: a server does not tell.
    pub digest: String,
    /// Which of the card's files runs: `original`, or a variant's name.
    pub variant: String,
    /// Where it runs: `cpu`, `cuda:0`, `openvino:CPU` …
    pub provider: String,
    /// Why there: `asked for`, or what led `auto` to it.
    pub why: String,
    /// What `auto` tried before, and why each was not taken.
    pub tried: Vec<Tried>,
    /// Nodes of the graph by the execution provider that runs them, e.g. `CUDA` 118, `CPU` 3: on a graphics card a few
    /// on the processor are the arithmetic of shapes, many are a slow model. Empty where the library does not say.
    pub nodes: BTreeMap<String, usize>,
    /// What it is to be given. Not always what its card says: where normalisation is in the graph, it is u8 and NHWC.
    pub input: TensorSpec,
    /// Names of its classes, in the order of its output.
    pub labels: Vec<ClassName>,
    /// Tensors that one run takes; 1 where it takes no more.
    pub batch_max: usize,
    /// What loading took, warm-up included.
    pub load: Duration,
    /// What one run of one tensor took at load, once warm.
    pub warm_up: Duration,
}

/// A device that `auto` tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Which.
    pub device: Device,
    /// Why it was not taken.
    pub reason: String,
}
