//! Inputs and outputs bound to memory that is kept from run to run: the way to a graphics card and back.
//!
//! A picture is laid into host memory, which the card reads by itself where it is page-locked; outputs come back into the
//! same kind of memory, once, at the end of a run. With a CUDA graph both lie on the card as well, at addresses that
//! never change, and are copied around the replay.

use super::failed;
use super::fault::RunError;
use super::gather::{lay_f16, lay_f32, lay_u8};
use crate::output::Output;
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, RunOptions, Session as Graph};
use ort::value::{DynTensor, DynValue, DynValueRef, Shape, TensorElementType, ValueType};
use plumb_inspection::{Element, Values};

/// Which memory is used.
#[derive(Debug)]
pub(crate) struct Memory {
    /// What the processor writes and reads.
    host: AllocationDevice<'static>,
    /// What the graph reads and writes, where that is to be bound too.
    device: Option<AllocationDevice<'static>>,
    /// Number of the card.
    card: i32,
}

impl Memory {
    /// Page-locked memory; with a CUDA graph, memory on the card too.
    pub(crate) fn pinned(card: u32, cuda_graph: bool) -> Self {
        Self {
            host: AllocationDevice::CUDA_PINNED,
            device: cuda_graph.then_some(AllocationDevice::CUDA),
            card: card.cast_signed(),
        }
    }

    /// Ordinary memory on the host.
    pub(crate) fn pageable(card: u32, cuda_graph: bool) -> Self {
        Self { host: AllocationDevice::CPU, ..Self::pinned(card, cuda_graph) }
    }

    fn info(&self, device: &AllocationDevice<'static>, kind: MemoryType) -> ort::Result<MemoryInfo<'static>> {
        let card = if *device == AllocationDevice::CPU { 0 } else { self.card };
        MemoryInfo::new(device.clone(), card, AllocatorType::Device, kind)
    }

    fn allocator(
        &self,
        graph: &Graph,
        device: &AllocationDevice<'static>,
        kind: MemoryType,
    ) -> ort::Result<Allocator> {
        if *device == AllocationDevice::CPU {
            return Ok(Allocator::default());
        }
        Allocator::new(graph, self.info(device, kind)?)
    }
}

/// Everything that is bound for one number of tensors in a run.
#[derive(Debug)]
pub(crate) struct Bound {
    binding: IoBinding,
    input_name: String,
    /// The input where the processor writes it.
    host: DynTensor,
    element: Element,
    replay: Option<Replay>,
}

/// What a CUDA graph reads and writes, always at the same addresses.
#[derive(Debug)]
struct Replay {
    input: DynTensor,
    /// Each output on the card and where it comes to on the host, in the graph's order.
    outputs: Vec<(DynTensor, DynTensor)>,
}

impl Bound {
    /// Binds the one input of `graph`, of this shape and type, and all its outputs.
    pub(crate) fn new(
        graph: &mut Graph,
        memory: &Memory,
        shape: &[usize],
        element: Element,
    ) -> ort::Result<Self> {
        let host = memory.allocator(graph, &memory.host, MemoryType::CPUInput)?;
        let sides = Shape::from(shape);
        let host = DynTensor::new(&host, type_of(element), sides.clone())?;
        let input_name = graph.inputs().first().map_or("", |input| input.name()).to_owned();
        let mut binding = graph.create_binding()?;
        let fetched_to = memory.info(&memory.host, MemoryType::CPUOutput)?;
        for output in graph.outputs() {
            binding.bind_output_to_device(output.name(), &fetched_to)?;
        }
        let mut bound = Self { binding, input_name, host, element, replay: None };
        if let Some(card) = &memory.device {
            bound.replay = Some(bound.fixed(graph, memory, card, sides)?);
        }
        Ok(bound)
    }

    /// Runs once without recording, for the shapes of the outputs, and binds memory on the card for good.
    fn fixed(
        &mut self,
        graph: &mut Graph,
        memory: &Memory,
        card: &AllocationDevice<'static>,
        sides: Shape,
    ) -> ort::Result<Replay> {
        let mut unrecorded = RunOptions::new()?;
        unrecorded.set("gpu_graph_id", "-1")?;
        self.binding.bind_input(self.input_name.as_str(), &self.host)?;
        let shapes: Vec<(String, Shape, TensorElementType)> = graph
            .run_binding_with_options(&self.binding, &unrecorded)?
            .iter()
            .filter_map(|(name, value)| match value.dtype() {
                ValueType::Tensor { ty, shape, .. } => Some((name.to_owned(), shape.clone(), *ty)),
                _ => None,
            })
            .collect();
        let on_card = memory.allocator(graph, card, MemoryType::Default)?;
        let on_host = memory.allocator(graph, &memory.host, MemoryType::CPUOutput)?;
        let input = DynTensor::new(&on_card, type_of(self.element), sides)?;
        self.binding.clear();
        self.binding.bind_input(self.input_name.as_str(), &input)?;
        let mut outputs = Vec::with_capacity(shapes.len());
        for (name, shape, element) in shapes {
            let mut written = DynTensor::new(&on_card, element, shape.clone())?;
            self.binding.bind_output(name, &mut written)?;
            outputs.push((written, DynTensor::new(&on_host, element, shape)?));
        }
        Ok(Replay { input, outputs })
    }

    /// Lays `pictures` into the input, runs, and hands the outputs to `read`, in the graph's order.
    pub(crate) fn run<R>(
        &mut self,
        graph: &mut Graph,
        pictures: &[&Values],
        names: &[String],
        read: impl FnOnce(&[Output<'_>]) -> R,
    ) -> Result<R, RunError> {
        self.lay(pictures).map_err(failed)?;
        if let Some(Replay { input, outputs }) = &mut self.replay {
            self.host.copy_into(input).map_err(failed)?;
            graph.run_binding(&self.binding).map_err(failed)?;
            for (written, fetched) in outputs.iter_mut() {
                written.copy_into(fetched).map_err(failed)?;
            }
            let views: Vec<DynValueRef<'_>> =
                outputs.iter().map(|(_, fetched)| fetched.view().into_dyn()).collect();
            let outputs = named(names, views.iter().map(|view| &**view)).map_err(RunError::Failed)?;
            return Ok(read(&outputs));
        }
        // Bound anew each time, for that is when it is copied to the card.
        self.binding.bind_input(self.input_name.as_str(), &self.host).map_err(failed)?;
        let given = graph.run_binding(&self.binding).map_err(failed)?;
        let outputs = named(names, (0..given.len()).map(|i| &given[i])).map_err(RunError::Failed)?;
        Ok(read(&outputs))
    }

    fn lay(&mut self, pictures: &[&Values]) -> ort::Result<()> {
        match self.element {
            Element::F32 => lay_f32(self.host.try_extract_tensor_mut()?.1, pictures),
            Element::F16 => lay_f16(self.host.try_extract_tensor_mut()?.1, pictures),
            Element::U8 => lay_u8(self.host.try_extract_tensor_mut()?.1, pictures),
        }
        Ok(())
    }
}

fn type_of(element: Element) -> TensorElementType {
    match element {
        Element::F32 => TensorElementType::Float32,
        Element::F16 => TensorElementType::Float16,
        Element::U8 => TensorElementType::Uint8,
    }
}

fn named<'v>(
    names: &'v [String],
    values: impl Iterator<Item = &'v DynValue>,
) -> Result<Vec<Output<'v>>, String> {
    names.iter().zip(values).map(|(name, value)| Output::of(name, value)).collect()
}
