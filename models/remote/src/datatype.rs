//! Number types, as the protocol spells them.

use std::{fmt, str::FromStr};

/// Number type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Datatype {
    /// `BOOL`, a byte each.
    Bool,
    /// `UINT8`.
    U8,
    /// `UINT16`.
    U16,
    /// `UINT32`.
    U32,
    /// `UINT64`.
    U64,
    /// `INT8`.
    I8,
    /// `INT16`.
    I16,
    /// `INT32`.
    I32,
    /// `INT64`.
    I64,
    /// `FP16`.
    F16,
    /// `BF16`. Known by name; [`Values`](crate::Values) cannot hold it.
    Bf16,
    /// `FP32`.
    F32,
    /// `FP64`.
    F64,
    /// `BYTES`, texts of any length. Known by name; [`Values`](crate::Values) cannot hold it.
    Bytes,
}

impl Datatype {
    const ALL: [Self; 14] = [
        Self::Bool,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::F16,
        Self::Bf16,
        Self::F32,
        Self::F64,
        Self::Bytes,
    ];

    /// As the protocol spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::U8 => "UINT8",
            Self::U16 => "UINT16",
            Self::U32 => "UINT32",
            Self::U64 => "UINT64",
            Self::I8 => "INT8",
            Self::I16 => "INT16",
            Self::I32 => "INT32",
            Self::I64 => "INT64",
            Self::F16 => "FP16",
            Self::Bf16 => "BF16",
            Self::F32 => "FP32",
            Self::F64 => "FP64",
            Self::Bytes => "BYTES",
        }
    }

    /// The most bytes that one element takes in an answer, raw or typed: protobuf spends up to ten on a whole number.
    /// `None` where there is no such limit.
    pub(crate) fn bytes_max(self) -> Option<usize> {
        match self {
            Self::Bool => Some(1),
            Self::F16 | Self::Bf16 => Some(2),
            Self::F32 => Some(4),
            Self::U8 => Some(2),
            Self::U16 => Some(3),
            Self::U32 => Some(5),
            Self::F64 => Some(8),
            Self::U64 | Self::I8 | Self::I16 | Self::I32 | Self::I64 => Some(10),
            Self::Bytes => None,
        }
    }
}

impl FromStr for Datatype {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == word)
            .ok_or_else(|| format!("datatype {word:?} is none of the protocol's"))
    }
}

impl fmt::Display for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_datatype_reads_as_it_is_written_and_no_other_word_does() {
        for datatype in Datatype::ALL {
            assert_eq!(datatype.to_string().parse(), Ok(datatype));
        }
        for word in ["", "fp32", "FLOAT", "TYPE_FP32", "FP8"] {
            assert!(word.parse::<Datatype>().unwrap_err().contains(word));
        }
    }
}
