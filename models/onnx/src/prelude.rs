//! The way from a camera's bytes into a model, put in front of it as nodes of its own graph.
//!
//! A graphics card is then sent a quarter of the bytes and does the arithmetic itself. On a processor a plain loop is
//! cheaper. The order Cast → Transpose → Sub → Div was measured: Sub and Div before the Transpose, over a last axis
//! of 3, take ten times as long in ONNX Runtime. Cast comes first because TensorRT moves no bytes otherwise.

use crate::names::{names, unused};
use crate::proto::{AttributeProto, NodeProto, TensorProto, attribute_proto::AttributeType};
use crate::value::declare;
use crate::{ElementType, OnnxFile, Side, Value};
use std::collections::BTreeSet;

/// How bytes become the numbers that a model was trained on: `(byte · scale − mean) / std`, as on a card.
///
/// In the graph that is `(byte − mean / scale) / (std / scale)`, with both constants rounded once to f32; it differs from
/// the host's arithmetic by a few units of the last place.
#[derive(Clone, Debug, PartialEq)]
pub struct Prelude {
    /// Order of the axes of the model's own input.
    pub layout: Layout,
    /// The picture's channels come in the other order than the model wants them: BGR for RGB or RGB for BGR.
    pub reverse_channels: bool,
    /// A byte is first multiplied by this.
    pub scale: f32,
    /// Then this is taken off: one value a channel in the model's order; one serves all; empty is 0.
    pub mean: Vec<f32>,
    /// Then divided by this; empty is 1.
    pub std: Vec<f32>,
}

/// Order of a tensor's axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Batch, channel, row, column.
    Nchw,
    /// Batch, row, column, channel.
    Nhwc,
}

/// Why a model cannot take a prelude. It stays as it was.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PreludeError {
    /// Not the one input that a picture goes into.
    #[error("it has {} inputs ({}), and a picture goes into one", names.len(), names.join(", "))]
    Inputs {
        /// Their names.
        names: Vec<String>,
    },
    /// Not four sides.
    #[error(
        "its input is {input}, and a picture is [batch, channel, row, column] or [batch, row, column, channel]"
    )]
    NotAPicture {
        /// As declared.
        input: String,
    },
    /// Not 1 or 3 channels where the layout has them.
    #[error(
        "its input is {input}, which has not 1 or 3 channels on axis {axis}, where layout {layout:?} has them"
    )]
    Channels {
        /// As declared.
        input: String,
        /// As asked for.
        layout: Layout,
        /// Counts from 0.
        axis: usize,
    },
    /// A number type that a picture has not.
    #[error(
        "its input is {input}, and only float32 and float16 are made from bytes; one of uint8 needs nothing in front of it"
    )]
    Element {
        /// As declared.
        input: String,
    },
    /// Operators older than broadcasting.
    #[error("it uses opset {opset}, and the arithmetic needs 7 or newer; export it again with a newer opset")]
    Opset {
        /// Of ONNX's own operators; 0 where the file does not say.
        opset: i64,
    },
    /// Constants that make no sense.
    #[error("{what} must be {wanted}")]
    Constants {
        /// `scale`, `mean` or `std`.
        what: &'static str,
        /// What would do.
        wanted: String,
    },
}

/// Name of the new input, unless the graph uses it already.
const INPUT: &str = "frame";

impl Prelude {
    /// A copy of `file` whose one input is `frame`, uint8 `[batch, row, column, channel]`; batch, rows and columns vary
    /// where they did before. Nothing else is renamed, and metadata is kept.
    ///
    /// Weights in other files stay there: the copy belongs into the same folder.
    ///
    /// # Errors
    /// With the reason why this model cannot have it.
    pub fn compose(&self, file: &OnnxFile) -> Result<OnnxFile, PreludeError> {
        let inputs = file.inputs();
        let [input] = &inputs[..] else {
            return Err(PreludeError::Inputs { names: inputs.into_iter().map(|input| input.name).collect() });
        };
        let (channels, frame_sides) = self.frame_sides(input)?;
        let half = match input.element {
            Some(ElementType::F32) => false,
            Some(ElementType::F16) => true,
            _ => return Err(PreludeError::Element { input: input.to_string() }),
        };
        let opset = file.opsets().get("").copied().unwrap_or(0);
        if opset < 7 {
            return Err(PreludeError::Opset { opset });
        }
        let (taken_off, divided_by) = self.constants(channels)?;

        let mut model = file.model.clone();
        let graph = model.graph.as_mut().expect("parse refuses a model without a graph");
        let mut chain = Chain { used: names(graph), value: String::new(), nodes: Vec::new() };
        let frame = unused(&mut chain.used, INPUT);
        chain.value.clone_from(&frame);
        chain.step("Cast", &[], vec![number("to", FLOAT)]);
        if self.layout == Layout::Nchw {
            chain.step("Transpose", &[], vec![numbers("perm", &[0, 3, 1, 2])]);
        }
        if self.reverse_channels && channels > 1 {
            let order = chain.constant(TensorProto {
                dims: vec![channels as i64],
                data_type: Some(INT64),
                int64_data: (0..channels as i64).rev().collect(),
                ..TensorProto::default()
            });
            chain.step("Gather", &[order], vec![number("axis", self.channel_axis() as i64)]);
        }
        if taken_off.iter().any(|value| *value != 0.0) {
            let taken_off = chain.constant(self.broadcast(taken_off));
            chain.step("Sub", &[taken_off], vec![]);
        }
        if divided_by.iter().any(|value| *value != 1.0) {
            let divided_by = chain.constant(self.broadcast(divided_by));
            chain.step("Div", &[divided_by], vec![]);
        }
        if half {
            chain.step("Cast", &[], vec![number("to", FLOAT16)]);
        }
        let last = chain.nodes.last_mut().expect("the first Cast is always there");
        last.output = vec![input.name.clone()];

        let declared = graph.input.iter_mut().find(|declared| declared.name() == input.name);
        let declared = declared.expect("inputs() comes from these");
        let old = std::mem::replace(declared, declare(frame, Some((UINT8, &frame_sides))));
        graph.value_info.push(old);
        graph.node.splice(0..0, chain.nodes);
        Ok(OnnxFile { model })
    }

    /// Channels of the picture, and its sides in the order batch, row, column, channel.
    fn frame_sides(&self, input: &Value) -> Result<(usize, [Side; 4]), PreludeError> {
        let [batch, b, c, d] = input.sides() else {
            return Err(PreludeError::NotAPicture { input: input.to_string() });
        };
        let [rows, columns, channels] = match self.layout {
            Layout::Nchw => [c, d, b],
            Layout::Nhwc => [b, c, d],
        };
        match channels.fixed() {
            Some(count @ (1 | 3)) => Ok((count as usize, [batch, rows, columns, channels].map(Side::clone))),
            _ => Err(PreludeError::Channels {
                input: input.to_string(),
                layout: self.layout,
                axis: self.channel_axis(),
            }),
        }
    }

    fn channel_axis(&self) -> usize {
        match self.layout {
            Layout::Nchw => 1,
            Layout::Nhwc => 3,
        }
    }

    /// What is taken off and what is divided by, one value for all channels or one for each.
    fn constants(&self, channels: usize) -> Result<(Vec<f32>, Vec<f32>), PreludeError> {
        let wrong = |what, wanted: String| PreludeError::Constants { what, wanted };
        if !self.scale.is_normal() {
            return Err(wrong("scale", "a number that is not 0".to_owned()));
        }
        for (what, values, forbidden) in [("mean", &self.mean, None), ("std", &self.std, Some(0.0))] {
            if ![0, 1, channels].contains(&values.len()) {
                return Err(wrong(what, format!("none, one or {channels} values, one a channel")));
            }
            if values.iter().any(|value| !value.is_finite() || Some(*value) == forbidden) {
                return Err(wrong(what, "numbers, and std not 0".to_owned()));
            }
        }
        let scale = f64::from(self.scale);
        let in_bytes = |values: &[f32], or: f32| -> Vec<f32> {
            let values = if values.is_empty() { &[or] } else { values };
            values.iter().map(|value| (f64::from(*value) / scale) as f32).collect()
        };
        Ok((in_bytes(&self.mean, 0.0), in_bytes(&self.std, 1.0)))
    }

    /// `values` as a constant that spreads over batch, rows and columns.
    fn broadcast(&self, values: Vec<f32>) -> TensorProto {
        let mut dims = vec![1; 4];
        dims[self.channel_axis()] = values.len() as i64;
        TensorProto { dims, data_type: Some(FLOAT as i32), float_data: values, ..TensorProto::default() }
    }
}

const FLOAT: i64 = 1;
const UINT8: i32 = 2;
const INT64: i32 = 7;
const FLOAT16: i64 = 10;

/// Nodes one after the other, each taking what the one before gives.
struct Chain {
    used: BTreeSet<String>,
    value: String,
    nodes: Vec<NodeProto>,
}

impl Chain {
    fn step(&mut self, op: &str, constants: &[String], attribute: Vec<AttributeProto>) {
        let output = unused(&mut self.used, &format!("plumb/{}", op.to_lowercase()));
        let mut input = vec![std::mem::replace(&mut self.value, output.clone())];
        input.extend_from_slice(constants);
        self.push(op, input, output, attribute);
    }

    /// A constant as a node: files older than IR version 4 would have to list an initialiser among their inputs.
    fn constant(&mut self, value: TensorProto) -> String {
        let output = unused(&mut self.used, "plumb/constant");
        let attribute = AttributeProto {
            name: Some("value".to_owned()),
            r#type: Some(AttributeType::Tensor as i32),
            t: Some(value),
            ..AttributeProto::default()
        };
        self.push("Constant", vec![], output.clone(), vec![attribute]);
        output
    }

    fn push(&mut self, op: &str, input: Vec<String>, output: String, attribute: Vec<AttributeProto>) {
        self.nodes.push(NodeProto {
            name: Some(output.clone()),
            op_type: Some(op.to_owned()),
            input,
            output: vec![output],
            attribute,
            ..NodeProto::default()
        });
    }
}

fn number(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(value),
        ..AttributeProto::default()
    }
}

fn numbers(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(AttributeType::Ints as i32),
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}
