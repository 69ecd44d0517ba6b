//! Inputs that are always given the same: they become part of the graph.

use crate::OnnxFile;
use crate::proto::TensorProto;

impl OnnxFile {
    /// A copy that has `numbers` (int64, of shape `sides`) where it asked for the input `name`; `None` where it asks for
    /// no such input, or where the numbers are not as many as `sides` say.
    ///
    /// RT-DETR as its authors export it asks for `orig_target_sizes`, `[1, 2]`: the width and height that boxes are to be
    /// given in. For boxes in tensor px these are the tensor's own.
    pub fn with_constant_input(&self, name: &str, sides: &[i64], numbers: &[i64]) -> Option<Self> {
        const INT64: i32 = 7;
        if usize::try_from(sides.iter().product::<i64>()) != Ok(numbers.len()) {
            return None;
        }
        let mut copy = Self { model: self.model.clone() };
        let graph = copy.model.graph.as_mut()?;
        let at = graph.input.iter().position(|input| input.name() == name)?;
        graph.input.remove(at);
        graph.initializer.push(TensorProto {
            name: Some(name.to_owned()),
            dims: sides.to_vec(),
            data_type: Some(INT64),
            int64_data: numbers.to_vec(),
            ..TensorProto::default()
        });
        Some(copy)
    }
}
