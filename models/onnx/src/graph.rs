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
        let weight = self.graph().initializer.iter().find(|weight| weight.name() == name);
        let constant = || {
            let node = self.node_giving(name).filter(|node| node.op_type() == "Constant")?;
            let attribute = node.attribute.first()?;
            attribute.t.as_ref()
        };
        floats(weight.or_else(constant)?)
    }
}

fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    if tensor.data_type() != 1 || tensor.data_location() == DataLocation::External {
        return None;
    }
    let raw = tensor.raw_data();
    let numbers: Vec<f32> = match &tensor.float_data[..] {
        [] if raw.len() <= NUMBERS_MAX * 4 => {
            let number = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            raw.chunks_exact(4).map(number).collect()
        }
        written if written.len() <= NUMBERS_MAX => written.to_vec(),
        _ => return None,
    };
    (!numbers.is_empty()).then_some(numbers)
}
