//! What goes in and what comes out: a name, a number type and sides.

use crate::ElementType;
use crate::proto::{
    TensorShapeProto, TypeProto, ValueInfoProto, tensor_shape_proto::Dimension,
    tensor_shape_proto::dimension, type_proto,
};
use std::fmt;

/// An input or an output of a model, as its file declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its name in the graph.
    pub name: String,
    /// Its number type; `None` where it is no tensor (a sequence, a map) or has no type at all.
    pub element: Option<ElementType>,
    /// Its sides, outermost first; `None` where the file does not say how many there are.
    pub sides: Option<Vec<Side>>,
}

/// One side of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// Always so long.
    Fixed(u64),
    /// Decided at run time; equal names mean equal lengths.
    Named(String),
    /// Decided at run time.
    Unknown,
}

impl Side {
    /// Its length where that is fixed.
    pub fn fixed(&self) -> Option<u64> {
        match self {
            Self::Fixed(length) => Some(*length),
            Self::Named(_) | Self::Unknown => None,
        }
    }
}

impl Value {
    pub(crate) fn of(info: &ValueInfoProto) -> Self {
        let name = info.name().to_owned();
        let tensor = info.r#type.as_ref().and_then(|kind| match &kind.value {
            Some(type_proto::Value::TensorType(tensor)) => Some(tensor),
            _ => None,
        });
        let Some(tensor) = tensor else { return Self { name, element: None, sides: None } };
        let side = |value: &Option<dimension::Value>| match value {
            // A negative length is how some exporters write "any".
            Some(dimension::Value::DimValue(length)) => {
                u64::try_from(*length).map_or(Side::Unknown, Side::Fixed)
            }
            Some(dimension::Value::DimParam(name)) if !name.is_empty() => Side::Named(name.clone()),
            _ => Side::Unknown,
        };
        Self {
            name,
            element: Some(ElementType::from_number(tensor.elem_type())),
            sides: tensor.shape.as_ref().map(|shape| shape.dim.iter().map(|dim| side(&dim.value)).collect()),
        }
    }

    /// Its sides where all is known of their number; empty otherwise.
    pub fn sides(&self) -> &[Side] {
        self.sides.as_deref().unwrap_or(&[])
    }

    /// The length of each side, `None` for one that may vary.
    pub fn lengths(&self) -> Vec<Option<u64>> {
        self.sides().iter().map(Side::fixed).collect()
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(length) => write!(f, "{length}"),
            Self::Named(name) => f.write_str(name),
            Self::Unknown => f.write_str("?"),
        }
    }
}

/// `images: float32 [batch, 3, 640, 640]`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.element {
            None => write!(f, "{}: no tensor", self.name),
            Some(element) => {
                write!(f, "{}: {element} ", self.name)?;
                let Some(sides) = &self.sides else { return f.write_str("of unknown shape") };
                let sides: Vec<String> = sides.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", sides.join(", "))
            }
        }
    }
}

/// Declares a value; without a number type and sides whoever reads the file infers them.
pub(crate) fn declare(name: String, kind: Option<(i32, &[Side])>) -> ValueInfoProto {
    let dimension = |side: &Side| Dimension {
        value: match side {
            Side::Fixed(length) => Some(dimension::Value::DimValue(*length as i64)),
            Side::Named(name) => Some(dimension::Value::DimParam(name.clone())),
            Side::Unknown => None,
        },
        ..Dimension::default()
    };
    let kind = kind.map(|(element, sides)| {
        let shape = TensorShapeProto { dim: sides.iter().map(dimension).collect() };
        let tensor = type_proto::Tensor { elem_type: Some(element), shape: Some(shape) };
        TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() }
    });
    ValueInfoProto { name: Some(name), r#type: kind, ..ValueInfoProto::default() }
}

/// Number of a tensor's type in the specification; 0 where it is none, or does not say.
pub(crate) fn element_number(kind: &TypeProto) -> i32 {
    match &kind.value {
        Some(type_proto::Value::TensorType(tensor)) => tensor.elem_type(),
        _ => 0,
    }
}
