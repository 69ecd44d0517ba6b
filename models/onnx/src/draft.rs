//! Nodes and weights put behind those of a graph, under names that it does not use yet.

use crate::names::{names, unused};
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto,
    attribute_proto::AttributeType,
};
use crate::value::declare;
use crate::{OnnxFile, Side, cut};
use prost::bytes::Bytes;
use std::collections::BTreeSet;

const FLOAT: i32 = 1;
const INT64: i32 = 7;

/// A copy of a file that is being added to.
///
/// Nodes are given in the order in which they are to run, and what each takes must be there before it. A node is built
/// for the operator set of the file, which never changes: [`Draft::opset`] tells which it is.
#[derive(Debug)]
pub struct Draft {
    model: ModelProto,
    used: BTreeSet<String>,
    opset: i64,
}

/// What an attribute of a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A whole number.
    Int(i64),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// A number.
    Float(f32),
    /// A word.
    Text(&'static str),
}

impl Draft {
    /// A copy of `file` to add to.
    pub fn of(file: &OnnxFile) -> Self {
        let opset = file.opsets().get("").copied().unwrap_or(0);
        let mut model = file.model.clone();
        // From 4 on a weight need not stand among the inputs as well. A reader of 4 reads 3.
        model.ir_version = model.ir_version.map(|version| version.max(4));
        let used = names(file.graph());
        Self { model, used, opset }
    }

    /// Version of ONNX's own operators; 0 where the file does not say.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// Adds a node of one output, and gives that output's name. An input that is left out is `""`.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let [output] = self.node_of(op, inputs, attributes);
        output
    }

    /// Adds a node of `N` outputs, and gives their names.
    pub fn node_of<const N: usize>(
        &mut self,
        op: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> [String; N] {
        let outputs: [String; N] =
            std::array::from_fn(|_| unused(&mut self.used, &format!("plumb/{}", op.to_lowercase())));
        let node = NodeProto {
            name: outputs.first().cloned(),
            op_type: Some(op.to_owned()),
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: outputs.to_vec(),
            attribute: attributes.iter().map(|(name, held)| held.proto(name)).collect(),
            ..NodeProto::default()
        };
        self.graph().node.push(node);
        outputs
    }

    /// Adds a weight of `sides` float32 numbers, row-major, and gives its name.
    pub fn floats(&mut self, wish: &str, sides: &[usize], values: &[f32]) -> String {
        self.weight(wish, FLOAT, sides, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// Adds a weight of `sides` int64 numbers, row-major, and gives its name.
    pub fn wholes(&mut self, wish: &str, sides: &[usize], values: &[i64]) -> String {
        self.weight(wish, INT64, sides, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn weight(&mut self, wish: &str, data_type: i32, sides: &[usize], raw: Vec<u8>) -> String {
        let name = unused(&mut self.used, &format!("plumb/{wish}"));
        self.graph().initializer.push(TensorProto {
            name: Some(name.clone()),
            dims: sides.iter().map(|side| *side as i64).collect(),
            data_type: Some(data_type),
            raw_data: Some(Bytes::from(raw)),
            ..TensorProto::default()
        });
        name
    }

    /// Makes `value`, float32 of `sides`, an output under the name `wish`, and gives the name that it has: `wish`, unless
    /// the graph has a value of that name already.
    pub fn output(&mut self, value: &str, wish: &str, sides: &[usize]) -> String {
        let name = unused(&mut self.used, wish);
        let node = NodeProto {
            name: Some(name.clone()),
            op_type: Some("Identity".to_owned()),
            input: vec![value.to_owned()],
            output: vec![name.clone()],
            ..NodeProto::default()
        };
        let graph = self.graph();
        graph.node.push(node);
        let sides: Vec<Side> = sides.iter().map(|side| Side::Fixed(*side as u64)).collect();
        graph.output.push(declare(name.clone(), Some((FLOAT, &sides))));
        name
    }

    /// Every output goes; values stay.
    pub fn without_outputs(&mut self) {
        self.graph().output.clear();
    }

    /// Writes `value` under `key` into the file's free text, in place of what stood there.
    pub fn note(&mut self, key: &str, value: &str) {
        self.model.metadata_props.retain(|entry| entry.key() != key);
        self.model
            .metadata_props
            .push(StringStringEntryProto { key: Some(key.to_owned()), value: Some(value.to_owned()) });
    }

    /// The file with all that was added, and without what no output needs.
    pub fn finish(self) -> OnnxFile {
        let mut model = self.model;
        let outputs = model.graph.iter().flat_map(|graph| &graph.output);
        let wanted: Vec<String> = outputs.map(|output| output.name().to_owned()).collect();
        cut::prune(&mut model, &wanted);
        OnnxFile { model }
    }

    fn graph(&mut self) -> &mut GraphProto {
        self.model.graph.as_mut().expect("parse refuses a model without a graph")
    }
}

impl Attribute {
    fn proto(&self, name: &str) -> AttributeProto {
        let mut proto = AttributeProto { name: Some(name.to_owned()), ..AttributeProto::default() };
        let kind = match self {
            Self::Int(value) => {
                proto.i = Some(*value);
                AttributeType::Int
            }
            Self::Ints(values) => {
                proto.ints.clone_from(values);
                AttributeType::Ints
            }
            Self::Float(value) => {
                proto.f = Some(*value);
                AttributeType::Float
            }
            Self::Text(text) => {
                proto.s = Some(text.as_bytes().to_vec());
                AttributeType::String
            }
        };
        proto.r#type = Some(kind as i32);
        proto
    }
}
