//! Number types, by the words of the ONNX specification.

use std::fmt;

/// The number type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ElementType {
    /// 32-bit float.
    F32,
    /// 16-bit float, IEEE.
    F16,
    /// 16-bit float, the upper half of a 32-bit one.
    Bf16,
    /// 64-bit float.
    F64,
    /// Byte.
    U8,
    /// Signed byte.
    I8,
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// True or false, a byte each.
    Bool,
    /// Text.
    Text,
    /// Any other, by its number in the specification; 0 where the file does not say.
    Other(i32),
}

impl ElementType {
    /// From a `TensorProto.DataType`.
    pub fn from_number(number: i32) -> Self {
        match number {
            1 => Self::F32,
            2 => Self::U8,
            3 => Self::I8,
            6 => Self::I32,
            7 => Self::I64,
            8 => Self::Text,
            9 => Self::Bool,
            10 => Self::F16,
            11 => Self::F64,
            16 => Self::Bf16,
            other => Self::Other(other),
        }
    }

    /// Bytes of one number; `None` where it is less than one, or not known.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::F16 | Self::Bf16 => Some(2),
            Self::F32 | Self::I32 => Some(4),
            Self::F64 | Self::I64 => Some(8),
            // 16-bit integers, 32- and 64-bit unsigned ones, complex numbers.
            Self::Other(4 | 5) => Some(2),
            Self::Other(12) => Some(4),
            Self::Other(13 | 14) => Some(8),
            Self::Other(15) => Some(16),
            Self::Text | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F64 => "float64",
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::Bool => "bool",
            Self::Text => "string",
            Self::Other(0) => "a type it does not name",
            Self::Other(number) => return write!(f, "type {number}"),
        })
    }
}
