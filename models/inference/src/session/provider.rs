//! What is asked of ONNX Runtime for each device: the options of a session, and who is to run it.

use crate::{Device, LoadOptions, OpenVino, Precision, Runtime};
use ort::ep::{self, ArenaExtendStrategy, ExecutionProviderDispatch};
use ort::session::Session as Graph;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use std::path::Path;

/// A device and all that decides how a graph runs there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) runtime: &'a Runtime,
    pub(crate) device: &'a Device,
    pub(crate) options: &'a LoadOptions,
    /// Sides that the graph leaves open by name, and what they always are.
    pub(crate) sides: &'a [(String, i64)],
    /// The input's name with its shape at the smallest and the largest batch; `None` where nothing is left open.
    pub(crate) profile: Option<&'a Profile>,
}

/// Shapes that an engine is built for, as TensorRT writes them: `images:1x3x640x640`.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) min: String,
    pub(crate) max: String,
}

impl Asked<'_> {
    /// A session with these options; `made` is the folder in which the device finds or leaves what it made of the
    /// graph.
    pub(crate) fn builder(
        &self,
        level: GraphOptimizationLevel,
        made: Option<&Path>,
    ) -> ort::Result<SessionBuilder> {
        let mut builder = Graph::builder(self.runtime.environment())?
            .with_optimization_level(level)?
            .with_intra_threads(self.options.threads.max(1))?
            .with_inter_threads(1)?
            // Threads that spin while they wait cost twice the processor time on a busy station and win nothing there.
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            // See `cpu`.
            .with_memory_pattern(false)?
            .with_config_entry("session.record_ep_graph_assignment_info", "1")?;
        for (name, length) in self.sides {
            builder = builder.with_dimension_override(name, *length)?;
        }
        if matches!(self.device, Device::OpenVino(_)) {
            // The graph runs there as a whole or is refused. CUDA and TensorRT leave the arithmetic of shapes to the
            // processor as a matter of course; `ModelInfo::nodes` tells how much that is.
            builder = builder.with_disable_cpu_fallback()?;
        }
        Ok(builder.with_execution_providers(self.providers(made))?)
    }

    /// Best first. A provider that fails is an error: left alone, ONNX Runtime would go on without it, slowly and
    /// silently.
    fn providers(&self, made: Option<&Path>) -> Vec<ExecutionProviderDispatch> {
        match self.device {
            Device::Cuda(card) => vec![self.cuda(*card), cpu()],
            Device::TensorRt(card) => vec![self.tensorrt(*card, made), self.cuda(*card), cpu()],
            Device::OpenVino(unit) => vec![self.openvino(*unit)],
            Device::Auto | Device::Cpu | Device::Kserve(_) => vec![cpu()],
        }
    }

    fn cuda(&self, card: u32) -> ExecutionProviderDispatch {
        let nvidia = &self.options.nvidia;
        let mut cuda = ep::CUDA::default()
            .with_device_id(card.cast_signed())
            .with_tf32(nvidia.tf32)
            // Several models share a card: none takes a power of two more than it needs.
            .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
            .with_cuda_graph(nvidia.cuda_graph && matches!(self.device, Device::Cuda(_)));
        if let Some(mib) = nvidia.memory_max_mib {
            cuda = cuda.with_memory_limit(mib as usize * 1024 * 1024);
        }
        cuda.build().error_on_failure()
    }

    fn tensorrt(&self, card: u32, made: Option<&Path>) -> ExecutionProviderDispatch {
        let precision = self.options.precision;
        let mut tensorrt = ep::TensorRT::default()
            .with_device_id(card.cast_signed())
            .with_fp16(precision != Precision::AsStored)
            .with_int8(precision == Precision::Int8)
            .with_cuda_graph(self.options.nvidia.cuda_graph);
        if let Some(folder) = made {
            // Not the timing cache too: it is written to at every build, and what is sealed is not written to.
            tensorrt = tensorrt.with_engine_cache(true).with_engine_cache_path(folder.display());
        }
        if let Some(Profile { min, max }) = self.profile {
            tensorrt = tensorrt
                .with_profile_min_shapes(min)
                .with_profile_opt_shapes(max)
                .with_profile_max_shapes(max);
        }
        tensorrt.build().error_on_failure()
    }

    fn openvino(&self, unit: OpenVino) -> ExecutionProviderDispatch {
        // Left to itself OpenVINO calculates in bf16 or fp16 where that is faster. The neural unit knows nothing else.
        let precision = match (unit, self.options.precision) {
            (OpenVino::Cpu, _) | (OpenVino::Gpu, Precision::AsStored) => "FP32",
            (OpenVino::Gpu | OpenVino::Npu, _) => "FP16",
        };
        let mut openvino = ep::OpenVINO::default().with_device_type(unit.as_str()).with_precision(precision);
        if unit == OpenVino::Cpu {
            openvino = openvino.with_num_threads(self.options.threads.max(1));
        }
        openvino.build().error_on_failure()
    }
}

/// With its arena and without memory patterns. Measured on a 12 MB detector at 640×640, memory beyond the bare process,
/// at the same speed within 5 %: 65 MB so, 88 MB with both, 77 MB with neither, 105 MB with patterns alone.
fn cpu() -> ExecutionProviderDispatch {
    ep::CPU::default().with_arena_allocator(true).build().error_on_failure()
}

/// ONNX Runtime's names of the providers that `device` needs in the library.
pub(crate) fn needed(device: &Device) -> &'static [&'static str] {
    match device {
        Device::Cuda(_) => &["CUDAExecutionProvider"],
        Device::TensorRt(_) => &["TensorrtExecutionProvider", "CUDAExecutionProvider"],
        Device::OpenVino(_) => &["OpenVINOExecutionProvider"],
        Device::Auto | Device::Cpu | Device::Kserve(_) => &["CPUExecutionProvider"],
    }
}

/// Why the library that is loaded has nothing for `device`; `None` where it has.
pub(crate) fn lacking(runtime: &Runtime, device: &Device) -> Option<String> {
    let there = runtime.providers();
    let lacking = needed(device).iter().find(|name| !there.iter().any(|there| there == *name))?;
    let short = |name: &str| name.trim_end_matches("ExecutionProvider").to_owned();
    let there: Vec<String> = there.iter().map(|name| short(name)).collect();
    Some(format!(
        "this ONNX Runtime ({} at {}) has no {} provider, it has {}; name a library that has it in PLUMB_ORT_LIB{}",
        runtime.version(),
        runtime.path().display(),
        short(lacking),
        there.join(", "),
        match device {
            Device::OpenVino(_) => ", or get it with `deploy/setup.sh --openvino`",
            Device::Cuda(_) | Device::TensorRt(_) => "; benches/gpu/README.md says how to get it",
            Device::Auto | Device::Cpu | Device::Kserve(_) => "",
        }
    ))
}
