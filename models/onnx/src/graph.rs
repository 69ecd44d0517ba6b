//! Questions about the main graph: who gives a value, who takes it, what a constant holds.

use crate::OnnxFile;
use crate::proto::{NodeProto, TensorProto, tensor_proto::DataLocation};

/// Longest constant that is read, in numbers: means and deviations are a few, weights are not our business.
const NUMBERS_MAX: usize = 16;

impl OnnxFile {
    /// The node that gives `value`; `None` for an input or a weight.
    pub fn node_giving(&self, value: &str) -> Option<&NodeProto> {
        self.graph().node.iter().find(|node| node.output.iter().any(|output| output == value))
    }

    /// The nodes that take `value`.
    pub fn nodes_taking(&self, value: &str) -> impl Iterator<Item = &NodeProto> {
        self.graph().node.iter().filter(move |node| node.input.iter().any(|input| input == value))
    }

    /// What the constant `name` holds, weight or node, where that is a few floats.
    pub fn numbers(&self, name: &str) -> Option<Vec<f32>> {
        floats(self.constant(name)?)
    }

    /// The same, of whole numbers: sizes, axes.
    pub fn whole_numbers(&self, name: &str) -> Option<Vec<i64>> {
        wholes(self.constant(name)?)
    }

    fn constant(&self, name: &str) -> Option<&TensorProto> {
        let weight = self.graph().initializer.iter().find(|weight| weight.name() == name);
        let constant = || {
            let node = self.node_giving(name).filter(|node| node.op_type() == "Constant")?;
            let attribute = node.attribute.first()?;
            attribute.t.as_ref()
        };
        weight.or_else(constant).filter(|tensor| tensor.data_location() != DataLocation::External)
    }
}

fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("chunks of four"));
    few(tensor, 1, &tensor.float_data, 4, number)
}

fn wholes(tensor: &TensorProto) -> Option<Vec<i64>> {
    let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("chunks of eight"));
    few(tensor, 7, &tensor.int64_data, 8, number)
}

/// The numbers of a tensor of type `data_type`, written out or as raw bytes, where they are a few.
fn few<N: Copy>(
    tensor: &TensorProto,
    data_type: i32,
    written: &[N],
    bytes: usize,
    number: impl Fn(&[u8]) -> N,
) -> Option<Vec<N>> {
    let raw = tensor.raw_data();
    if tensor.data_type() != data_type || written.len() > NUMBERS_MAX || raw.len() > NUMBERS_MAX * bytes {
        return None;
    }
    let numbers: Vec<N> =
        if written.is_empty() { raw.chunks_exact(bytes).map(number).collect() } else { written.to_vec() };
    (!numbers.is_empty()).then_some(numbers)
}
