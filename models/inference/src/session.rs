//! One ONNX graph, ready to run: the only file that builds or runs an `ort` session.

use crate::output::Output;
use crate::{Device, Runtime};
use half::f16;
use half::slice::HalfFloatSliceExt as _;
use ort::session::Session as Graph;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{TensorElementType, TensorRef, ValueType};
use plumb_inspection::{Element, Values};

/// An open graph with one input, and where it runs.
#[derive(Debug)]
pub(crate) struct Session {
    graph: Graph,
    output_names: Vec<String>,
    /// The input narrowed for a model that wants f16; kept, so that a steady line allocates nothing.
    narrowed: Vec<f16>,
    /// `cpu` or `cuda:0`.
    pub(crate) provider: String,
    /// Why there.
    pub(crate) why: String,
}

/// Why ONNX Runtime would not open a graph.
pub(crate) enum OpenError {
    /// The device, not the graph.
    Device(String),
    /// No whole ONNX file.
    NotOnnx(String),
    /// An operator it does not have.
    Operator(String),
    /// Anything else.
    Refused(String),
}

impl OpenError {
    fn reason(&self) -> &str {
        match self {
            Self::Device(reason) | Self::NotOnnx(reason) | Self::Operator(reason) | Self::Refused(reason) => {
                reason
            }
        }
    }
}

impl Session {
    /// Opens the graph in `bytes` on `device`, with `threads` threads for one run.
    pub(crate) fn open(
        runtime: &Runtime,
        bytes: &[u8],
        device: &Device,
        threads: usize,
    ) -> Result<Self, OpenError> {
        let on_cpu = |why: String| {
            let graph = options(runtime, threads)
                .and_then(|builder| Ok(builder.with_execution_providers([cpu()])?))
                .and_then(|mut builder| builder.commit_from_memory(bytes))
                .map_err(|e| sorted(e.message()))?;
            Ok(Self::new(graph, "cpu".to_owned(), why))
        };
        // A provider that fails is an error: left alone, ONNX Runtime would go on without it, slowly and silently.
        let on_cuda = |card: u32| {
            let cuda = ort::ep::CUDA::default().with_device_id(card.cast_signed()).build().error_on_failure();
            let builder = options(runtime, threads)
                .and_then(|builder| Ok(builder.with_execution_providers([cuda, cpu()])?))
                .map_err(|e| OpenError::Device(e.message().to_owned()))?;
            let graph = { builder }.commit_from_memory(bytes).map_err(|e| sorted(e.message()))?;
            Ok(Self::new(graph, format!("cuda:{card}"), "asked for".to_owned()))
        };
        match device {
            Device::Cpu => on_cpu("asked for".to_owned()),
            Device::Cuda(card) => on_cuda(*card),
            Device::Auto if !runtime.providers().iter().any(|name| name == "CUDAExecutionProvider") => {
                on_cpu("this ONNX Runtime has no CUDA provider".to_owned())
            }
            Device::Auto => match on_cuda(0) {
                Ok(session) => Ok(Self { why: "the first graphics card works".to_owned(), ..session }),
                // A missing cuDNN shows only when the graph is opened, so every reason counts; one that lies in the
                // graph itself comes back from the processor too.
                Err(error) => on_cpu(format!("cuda:0 does not work here: {}", error.reason())),
            },
            Device::TensorRt(_) | Device::OpenVino(_) | Device::Kserve(_) => {
                Err(OpenError::Device("this version of Plumb cannot run models there".to_owned()))
            }
        }
    }

    fn new(graph: Graph, provider: String, why: String) -> Self {
        let output_names = graph.outputs().iter().map(|outlet| outlet.name().to_owned()).collect();
        Self { graph, output_names, narrowed: Vec::new(), provider, why }
    }

    /// Names of all inputs.
    pub(crate) fn inputs(&self) -> Vec<String> {
        self.graph.inputs().iter().map(|outlet| outlet.name().to_owned()).collect()
    }

    /// Number type and shape of the first input, −1 for a side that may vary; `None` where it is no tensor of a type
    /// that a picture can have.
    pub(crate) fn input(&self) -> Option<(Element, Vec<i64>)> {
        let ValueType::Tensor { ty, shape, .. } = self.graph.inputs().first()?.dtype() else { return None };
        let element = match ty {
            TensorElementType::Float32 => Element::F32,
            TensorElementType::Float16 => Element::F16,
            TensorElementType::Uint8 => Element::U8,
            _ => return None,
        };
        Some((element, shape.to_vec()))
    }

    /// The first input as ONNX Runtime writes it, for messages.
    pub(crate) fn input_type(&self) -> String {
        self.graph.inputs().first().map_or_else(|| "nothing".to_owned(), |outlet| outlet.dtype().to_string())
    }

    /// Runs the graph once on `values` and hands its outputs to `read`.
    ///
    /// f32 and u8 are lent to the graph as they lie; only f16 is narrowed into memory of our own.
    ///
    /// # Errors
    /// With ONNX Runtime's words.
    pub(crate) fn run<R>(
        &mut self,
        shape: [usize; 4],
        values: &Values,
        element: Element,
        read: impl FnOnce(&[Output<'_>]) -> R,
    ) -> Result<R, String> {
        let input = match (values, element) {
            (Values::F32(values), Element::F16) => {
                self.narrowed.resize(values.len(), f16::ZERO);
                self.narrowed.convert_from_f32_slice(values);
                TensorRef::from_array_view((shape, &self.narrowed[..])).map(|input| input.into_dyn())
            }
            (Values::F32(values), _) => {
                TensorRef::from_array_view((shape, &values[..])).map(|input| input.into_dyn())
            }
            (Values::U8(values), _) => {
                TensorRef::from_array_view((shape, &values[..])).map(|input| input.into_dyn())
            }
        }
        .map_err(|e| e.message().to_owned())?;
        let given = self.graph.run(ort::inputs![input]).map_err(|e| e.message().to_owned())?;
        let outputs = self
            .output_names
            .iter()
            .enumerate()
            .map(|(i, name)| Output::of(name, &given[i]))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(read(&outputs))
    }
}

fn options(runtime: &Runtime, threads: usize) -> ort::Result<SessionBuilder> {
    Ok(Graph::builder(runtime.environment())?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(threads.max(1))?
        .with_inter_threads(1)?
        // Threads that spin while they wait cost twice the processor time on a busy station and win nothing there.
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        // See `cpu`.
        .with_memory_pattern(false)?)
}

/// With its arena and without memory patterns. Measured on a 12 MB detector at 640×640, memory beyond the bare process,
/// at the same speed within 5 %: 65 MB so, 88 MB with both, 77 MB with neither, 105 MB with patterns alone.
fn cpu() -> ort::ep::ExecutionProviderDispatch {
    ort::ep::CPU::default().with_arena_allocator(true).build().error_on_failure()
}

/// ONNX Runtime tells its reasons in prose; these are the ones a person can act on.
fn sorted(message: &str) -> OpenError {
    if let Some(operator) = unknown_operator(message) {
        return OpenError::Operator(operator);
    }
    let lower = message.to_lowercase();
    if ["protobuf parsing failed", "does not have a graph", "no graph was found"]
        .iter()
        .any(|w| lower.contains(w))
    {
        return OpenError::NotOnnx(message.to_owned());
    }
    OpenError::Refused(message.to_owned())
}

fn unknown_operator(message: &str) -> Option<String> {
    let word = match message.split_once(" is not a registered function/op") {
        Some((before, _)) => before.rsplit(char::is_whitespace).next()?,
        None => ["Could not find an implementation for ", "No Op registered for "]
            .iter()
            .find_map(|words| message.split_once(words))
            .and_then(|(_, after)| after.split(char::is_whitespace).next())?,
    };
    word.split('(').next().filter(|operator| !operator.is_empty()).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_operator_is_found_in_onnx_runtimes_prose() {
        let rows = [
            (
                "Load model from x failed:Fatal error: com.microsoft.extensions:DecodeImage(-1) is not a registered function/op",
                Some("com.microsoft.extensions:DecodeImage"),
            ),
            ("Could not find an implementation for Foo(11) node with name 'n'", Some("Foo")),
            ("No Op registered for Frobnicate with domain_version of 17", Some("Frobnicate")),
            ("Protobuf parsing failed.", None),
        ];
        for (message, operator) in rows {
            assert_eq!(unknown_operator(message).as_deref(), operator, "{message}");
        }
    }

    /// Real models, against what the Python package of the same library gave for the same numbers.
    #[test]
    fn real_models_give_the_outputs_of_the_reference() {
        let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
        let data = std::env::var_os("PLUMB_DATA").unwrap_or_else(|| beside.into());
        let models = std::path::Path::new(&data).join("models");
        let Ok(list) = std::fs::read_to_string(models.join("models.json")) else {
            println!("skipped: no shared data at {}", models.display());
            return;
        };
        let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
        let runtime = Runtime::load(None).unwrap_or_else(|error| panic!("{error}"));
        let mut compared = 0;
        for entry in list.iter().filter(|entry| entry["reference"]["outputs"].is_array()) {
            let file = entry["file"].as_str().unwrap();
            let shape = [0, 1, 2, 3].map(|i| entry["inputs"][0]["shape"][i].as_u64().unwrap() as usize);
            let values = (0..shape.iter().product()).map(|i| ((i * 7919) % 256) as f32 / 255.0).collect();
            let bytes = std::fs::read(models.join(file)).unwrap();
            let Ok(mut session) = Session::open(&runtime, &bytes, &Device::Cpu, 1) else {
                panic!("{file} is refused")
            };
            session
                .run(shape, &Values::F32(values), Element::F32, |outputs| {
                    for (output, expected) in
                        outputs.iter().zip(entry["reference"]["outputs"].as_array().unwrap())
                    {
                        let of = |f: fn(f32, f32) -> f32| {
                            f64::from(output.values.iter().copied().reduce(f).unwrap())
                        };
                        let mean = output.values.iter().map(|v| f64::from(*v)).sum::<f64>()
                            / output.values.len() as f64;
                        let near = |got: f64, expected: &serde_json::Value| {
                            let expected = expected.as_f64().unwrap();
                            assert!(
                                (got - expected).abs() < 1e-4,
                                "{file} {}: {got} for {expected}",
                                output.name
                            );
                        };
                        assert_eq!(output.name, expected["name"], "{file}");
                        assert_eq!(serde_json::json!(output.shape), expected["shape"], "{file}");
                        near(of(f32::min), &expected["min"]);
                        near(of(f32::max), &expected["max"]);
                        near(mean, &expected["mean"]);
                        for (got, expected) in
                            output.values.iter().zip(expected["first8"].as_array().unwrap())
                        {
                            near(f64::from(*got), expected);
                        }
                        compared += 1;
                    }
                })
                .unwrap();
        }
        assert_eq!(compared, 4, "two outputs of ultraface, one of mnist and fastestdet");
    }
}
