//! One ONNX graph, ready to run: the only folder that builds or runs an `ort` session.

use crate::error::DeviceFault;
use crate::extractor::Promised;
use crate::output::Output;
use crate::{Device, Transfer};
use bound::Bound;
use gather::Gathered;
use ort::session::Session as Graph;
use ort::value::{Outlet, TensorElementType, ValueType};
use plumb_inspection::{Element, TensorSpec, Values};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

mod bound;
mod fault;
mod gather;
mod open;
mod provider;

pub(crate) use fault::{OpenError, RunError};
pub(crate) use open::Source;
pub(crate) use provider::{Asked, Profile, lacking};

/// An open graph.
#[derive(Debug)]
pub(crate) struct Session {
    graph: Graph,
    output_names: Vec<String>,
    /// Several tensors side by side, or one narrowed for a model that wants f16; kept, so that a steady line allocates
    /// nothing.
    gathered: Gathered,
    /// How tensors get to a card; `None` where they are lent as they lie.
    binding: Option<bound::Memory>,
    /// What is bound, for each number of tensors in a run.
    bound: BTreeMap<usize, Bound>,
    /// The graph takes one picture without a batch axis: `[channel, row, column]`.
    unbatched: bool,
    /// Nodes of the graph by the provider that runs them.
    pub(crate) nodes: BTreeMap<String, usize>,
}

impl Session {
    fn new(graph: Graph, asked: &Asked<'_>) -> Self {
        let output_names = graph.outputs().iter().map(|outlet| outlet.name().to_owned()).collect();
        let nvidia = &asked.options.nvidia;
        let binding = match (asked.device, nvidia.transfer) {
            // A CUDA graph replays what was recorded with the addresses it was recorded with: those of bound memory.
            (Device::Cuda(card) | Device::TensorRt(card), transfer) => match (transfer, nvidia.cuda_graph) {
                (Transfer::Plain, false) => None,
                (Transfer::Pinned, graph) => Some(bound::Memory::pinned(*card, graph)),
                (Transfer::Bound | Transfer::Plain, graph) => Some(bound::Memory::pageable(*card, graph)),
            },
            _ => None,
        };
        let nodes = crate::library::placement(&graph);
        let unbatched = graph.inputs().first().is_some_and(
            |input| matches!(input.dtype(), ValueType::Tensor { shape, .. } if shape.len() == 3),
        );
        Self {
            graph,
            unbatched,
            output_names,
            gathered: Gathered::default(),
            binding,
            bound: BTreeMap::new(),
            nodes,
        }
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

    /// Its outputs with their sides, as far as the library infers them; without sides what is no tensor of f32.
    pub(crate) fn promised(&self) -> Vec<Promised> {
        let promised = |outlet: &Outlet| {
            let sides = match outlet.dtype() {
                ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => {
                    shape.iter().map(|side| usize::try_from(*side).ok()).collect()
                }
                _ => Vec::new(),
            };
            Promised { name: outlet.name().to_owned(), sides }
        };
        self.graph.outputs().iter().map(promised).collect()
    }

    /// Runs the graph once on `pictures`, each a tensor of `spec`, filled up to `batch` with the last of them, and hands
    /// its outputs to `read`.
    ///
    /// A single f32 or u8 tensor is lent to the graph as it lies; everything else is gathered into memory of our own.
    ///
    /// # Errors
    /// With ONNX Runtime's words.
    pub(crate) fn run<R>(
        &mut self,
        spec: &TensorSpec,
        pictures: &[&Values],
        batch: usize,
        read: impl FnOnce(&[Output<'_>]) -> R,
    ) -> Result<R, RunError> {
        let mut shape = spec.shape();
        shape[0] = batch.max(pictures.len());
        // torchvision's detectors take one picture, without a batch.
        let places = shape[0];
        let shape = &shape[usize::from(self.unbatched)..];
        if let Some(memory) = &self.binding {
            let bound = match self.bound.entry(places) {
                Entry::Occupied(there) => there.into_mut(),
                Entry::Vacant(free) => {
                    free.insert(Bound::new(&mut self.graph, memory, shape, spec.element).map_err(failed)?)
                }
            };
            return bound.run(&mut self.graph, pictures, &self.output_names, read);
        }
        let input = self.gathered.lend(pictures, shape, spec.element).map_err(failed)?;
        let given = self.graph.run(ort::inputs![input]).map_err(failed)?;
        let outputs = self
            .output_names
            .iter()
            .enumerate()
            .map(|(i, name)| Output::of(name, &given[i]))
            .collect::<Result<Vec<_>, _>>()
            .map_err(RunError::Failed)?;
        Ok(read(&outputs))
    }
}

fn failed(error: ort::Error) -> RunError {
    match error.code() {
        ort::ErrorCode::DeviceReset => RunError::Fault(DeviceFault::Lost, error.message().to_owned()),
        _ => fault::running(error.message()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LoadOptions, Runtime};

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
            let options = LoadOptions::default();
            let asked = Asked {
                runtime: &runtime,
                device: &Device::Cpu,
                options: &options,
                sides: &[],
                profile: None,
            };
            let mut session = Session::open(&asked, Source::File(&models.join(file)), None)
                .unwrap_or_else(|error| panic!("{file}: {error:?}"));
            let spec = serde_json::json!({ "width": shape[3], "height": shape[2], "colour": if shape[1] == 1 { "grey" } else { "rgb" } });
            let spec: TensorSpec = serde_json::from_value(spec).unwrap();
            session
                .run(&spec, &[&Values::F32(values)], 1, |outputs| {
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
