//! How a model is to be run: what its owner wishes, apart from what its card says.

use crate::Device;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How a model is to be run. `LoadOptions::default()` is one thread, one tensor a run, no cache, and `auto`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoadOptions {
    /// Where.
    pub device: Device,
    /// Threads that share one run on the processor; 0 is as many as the card says, or one where it says nothing.
    pub threads: usize,
    /// Tensors that [`Model::examine_batch`](crate::Model::examine_batch) may put into one run; 0 is taken as 1. A
    /// model whose batch is fixed takes what it takes, and one that cannot takes one: see
    /// [`ModelInfo::batch_max`](crate::ModelInfo::batch_max).
    pub batch_max: usize,
    /// Which of the card's files: the name of a `[[variant]]`, or `original` for the card's own `file`. `None` is what
    /// the card says.
    pub variant: Option<String>,
    /// Folder for what is made once from a model and used at every later start: the processor's optimised graphs, whose
    /// weights are mapped, so that siblings share them; and TensorRT's engines. `None` makes everything anew.
    pub cache: Option<PathBuf>,
    /// Where bytes become the numbers that the model was trained on.
    pub normalise: Normalise,
    /// How exactly an NVIDIA card and its like may calculate.
    pub precision: Precision,
    /// For `cuda` and `tensorrt`.
    pub nvidia: NvidiaOptions,
    /// For `kserve`.
    pub remote: RemoteOptions,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            device: Device::Auto,
            threads: 1,
            batch_max: 1,
            variant: None,
            cache: None,
            normalise: Normalise::default(),
            precision: Precision::default(),
            nvidia: NvidiaOptions::default(),
            remote: RemoteOptions::default(),
        }
    }
}

/// Where bytes become the numbers that a model was trained on: `(byte · scale − mean) / std`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// In the graph for `cuda` and `tensorrt`, which are then sent a quarter of the bytes; on the host otherwise, where
    /// a plain loop is cheaper. A model that cannot have it in its graph gets it on the host, and the log says so.
    #[default]
    ByDevice,
    /// In the graph: [`ModelInfo::input`](crate::ModelInfo::input) is then u8 and NHWC. A model that cannot have it
    /// is refused.
    InGraph,
    /// On the host.
    OnHost,
}

/// How exactly a device calculates. Only `tensorrt` and `openvino:GPU` heed it; whether verdicts stay the same is
/// to be measured for each model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// As the file is stored: fp32 stays fp32.
    #[default]
    AsStored,
    /// 16-bit floats where that is faster.
    Fp16,
    /// 8-bit integers where the file holds the scales for them (a static QDQ quantisation), 16-bit floats elsewhere.
    Int8,
}

/// For `cuda` and `tensorrt`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NvidiaOptions {
    /// How a picture gets to the card.
    pub transfer: Transfer,
    /// Records the kernels of a run once and replays them. Only for shapes that never change, and only on the thread
    /// that first runs the model.
    pub cuda_graph: bool,
    /// TensorFloat-32: convolutions with 10 bits of mantissa, faster from Ampere on.
    pub tf32: bool,
    /// Limit of ONNX Runtime's arena on the card, in MiB; `None` is all there is. cuDNN's own memory comes on top.
    pub memory_max_mib: Option<u32>,
}

/// For `kserve`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteOptions {
    /// How long to wait at load for a server that has the model ready.
    pub connect_within_ms: u64,
    /// How long an answer may take where the caller names no time: at load, and for
    /// [`Model::examine`](crate::Model::examine).
    pub answer_within_ms: u64,
    /// Requests under way at once, siblings together; one more is refused. 0 is taken as 1.
    pub in_flight_max: usize,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self { connect_within_ms: 10_000, answer_within_ms: 1_000, in_flight_max: 8 }
    }
}

/// How a picture gets to a graphics card and what was found comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transfer {
    /// Through page-locked memory that is kept from run to run, with inputs and outputs bound to it.
    #[default]
    Pinned,
    /// The same with ordinary memory.
    Bound,
    /// Nothing bound: each run is given the tensor as it lies.
    Plain,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_read_as_they_are_written_and_no_word_is_overlooked() {
        let options = LoadOptions {
            device: Device::Cuda(1),
            batch_max: 8,
            variant: Some("fp16".to_owned()),
            normalise: Normalise::InGraph,
            precision: Precision::Fp16,
            nvidia: NvidiaOptions { transfer: Transfer::Plain, cuda_graph: true, ..NvidiaOptions::default() },
            ..LoadOptions::default()
        };
        let text = serde_json::to_string(&options).unwrap();
        assert!(text.contains("\"cuda:1\"") && text.contains("\"in_graph\""), "{text}");
        assert_eq!(serde_json::from_str::<LoadOptions>(&text).unwrap(), options);
        assert_eq!(serde_json::from_str::<LoadOptions>("{}").unwrap(), LoadOptions::default());
        assert!(serde_json::from_str::<LoadOptions>("{\"thread\": 1}").is_err());
    }
}
