//! What goes to a model and comes back: a name, a shape, and numbers of one type.

use crate::{Datatype, proto::InferTensorContents};
use half::f16;
use prost::bytes::Bytes;
use std::borrow::Cow;

/// A named tensor. Inputs lend their numbers; outputs own them.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<'a> {
    /// As the model calls it.
    pub name: Cow<'a, str>,
    /// Outermost first; none for a single number.
    pub shape: Cow<'a, [usize]>,
    /// Row-major, as many as `shape` says.
    pub values: Values<'a>,
}

impl<'a> Tensor<'a> {
    /// A tensor that lends all it has.
    pub fn lent(name: &'a str, shape: &'a [usize], values: impl Into<Values<'a>>) -> Self {
        Self { name: Cow::Borrowed(name), shape: Cow::Borrowed(shape), values: values.into() }
    }

    /// `"picture" FP32 [1, 3, 32, 32]`, for messages.
    pub(crate) fn described(&self) -> String {
        format!("{:?} {} {:?}", self.name, self.values.datatype(), self.shape)
    }
}

/// The numbers of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Values<'a> {
    /// `BOOL`.
    Bool(Cow<'a, [bool]>),
    /// `UINT8`.
    U8(Cow<'a, [u8]>),
    /// `UINT16`.
    U16(Cow<'a, [u16]>),
    /// `UINT32`.
    U32(Cow<'a, [u32]>),
    /// `UINT64`.
    U64(Cow<'a, [u64]>),
    /// `INT8`.
    I8(Cow<'a, [i8]>),
    /// `INT16`.
    I16(Cow<'a, [i16]>),
    /// `INT32`.
    I32(Cow<'a, [i32]>),
    /// `INT64`.
    I64(Cow<'a, [i64]>),
    /// `FP16`.
    F16(Cow<'a, [f16]>),
    /// `FP32`.
    F32(Cow<'a, [f32]>),
    /// `FP64`.
    F64(Cow<'a, [f64]>),
}

impl Values<'_> {
    /// Their type.
    pub fn datatype(&self) -> Datatype {
        match self {
            Self::Bool(_) => Datatype::Bool,
            Self::U8(_) => Datatype::U8,
            Self::U16(_) => Datatype::U16,
            Self::U32(_) => Datatype::U32,
            Self::U64(_) => Datatype::U64,
            Self::I8(_) => Datatype::I8,
            Self::I16(_) => Datatype::I16,
            Self::I32(_) => Datatype::I32,
            Self::I64(_) => Datatype::I64,
            Self::F16(_) => Datatype::F16,
            Self::F32(_) => Datatype::F32,
            Self::F64(_) => Datatype::F64,
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Bool(values) => values.len(),
            Self::U8(values) => values.len(),
            Self::U16(values) => values.len(),
            Self::U32(values) => values.len(),
            Self::U64(values) => values.len(),
            Self::I8(values) => values.len(),
            Self::I16(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::F16(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// True for none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As raw contents: little-endian, nothing in between. Copies once.
    pub(crate) fn to_raw(&self) -> Bytes {
        let bytes = match self {
            Self::Bool(values) => values.iter().map(|value| u8::from(*value)).collect(),
            Self::U8(values) => values.to_vec(),
            Self::U16(values) => bytes_of(values, u16::to_le_bytes),
            Self::U32(values) => bytes_of(values, u32::to_le_bytes),
            Self::U64(values) => bytes_of(values, u64::to_le_bytes),
            Self::I8(values) => bytes_of(values, i8::to_le_bytes),
            Self::I16(values) => bytes_of(values, i16::to_le_bytes),
            Self::I32(values) => bytes_of(values, i32::to_le_bytes),
            Self::I64(values) => bytes_of(values, i64::to_le_bytes),
            Self::F16(values) => bytes_of(values, f16::to_le_bytes),
            Self::F32(values) => bytes_of(values, f32::to_le_bytes),
            Self::F64(values) => bytes_of(values, f64::to_le_bytes),
        };
        Bytes::from(bytes)
    }

    /// # Errors
    /// With what is wrong, for a type that has no place here or bytes that are no whole number of elements.
    pub(crate) fn from_raw(datatype: Datatype, raw: &[u8]) -> Result<Values<'static>, String> {
        Ok(match datatype {
            Datatype::Bool => Values::Bool(raw.iter().map(|byte| *byte != 0).collect()),
            Datatype::U8 => Values::U8(Cow::Owned(raw.to_vec())),
            Datatype::U16 => Values::U16(numbers_of(raw, u16::from_le_bytes)?),
            Datatype::U32 => Values::U32(numbers_of(raw, u32::from_le_bytes)?),
            Datatype::U64 => Values::U64(numbers_of(raw, u64::from_le_bytes)?),
            Datatype::I8 => Values::I8(numbers_of(raw, i8::from_le_bytes)?),
            Datatype::I16 => Values::I16(numbers_of(raw, i16::from_le_bytes)?),
            Datatype::I32 => Values::I32(numbers_of(raw, i32::from_le_bytes)?),
            Datatype::I64 => Values::I64(numbers_of(raw, i64::from_le_bytes)?),
            Datatype::F16 => Values::F16(numbers_of(raw, f16::from_le_bytes)?),
            Datatype::F32 => Values::F32(numbers_of(raw, f32::from_le_bytes)?),
            Datatype::F64 => Values::F64(numbers_of(raw, f64::from_le_bytes)?),
            Datatype::Bf16 | Datatype::Bytes => {
                return Err(format!("holds {datatype}, which Plumb does not read"));
            }
        })
    }

    /// From typed contents, of which a server fills the one list that fits the type.
    ///
    /// # Errors
    /// With what is wrong, for a type that has no list or a number that its type cannot hold.
    pub(crate) fn from_typed(
        datatype: Datatype,
        typed: InferTensorContents,
    ) -> Result<Values<'static>, String> {
        Ok(match datatype {
            Datatype::Bool => Values::Bool(Cow::Owned(typed.bool_contents)),
            Datatype::U8 => Values::U8(narrowed(typed.uint_contents, datatype)?),
            Datatype::U16 => Values::U16(narrowed(typed.uint_contents, datatype)?),
            Datatype::U32 => Values::U32(Cow::Owned(typed.uint_contents)),
            Datatype::U64 => Values::U64(Cow::Owned(typed.uint64_contents)),
            Datatype::I8 => Values::I8(narrowed(typed.int_contents, datatype)?),
            Datatype::I16 => Values::I16(narrowed(typed.int_contents, datatype)?),
            Datatype::I32 => Values::I32(Cow::Owned(typed.int_contents)),
            Datatype::I64 => Values::I64(Cow::Owned(typed.int64_contents)),
            Datatype::F32 => Values::F32(Cow::Owned(typed.fp32_contents)),
            Datatype::F64 => Values::F64(Cow::Owned(typed.fp64_contents)),
            Datatype::F16 => {
                return Err("holds FP16 that is not raw, for which the protocol has no form".to_owned());
            }
            Datatype::Bf16 | Datatype::Bytes => {
                return Err(format!("holds {datatype}, which Plumb does not read"));
            }
        })
    }
}

fn bytes_of<T: Copy, const N: usize>(values: &[T], to_le: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    let mut bytes = vec![0; values.len() * N];
    for (place, value) in bytes.as_chunks_mut::<N>().0.iter_mut().zip(values) {
        *place = to_le(*value);
    }
    bytes
}

fn numbers_of<T: Clone, const N: usize>(
    raw: &[u8],
    of_le: impl Fn([u8; N]) -> T,
) -> Result<Cow<'static, [T]>, String> {
    let (elements, rest) = raw.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(format!("has {} bytes, which is no multiple of {N}", raw.len()));
    }
    Ok(elements.iter().map(|bytes| of_le(*bytes)).collect())
}

fn narrowed<W: Copy + ToString, N: Clone + TryFrom<W>>(
    wide: Vec<W>,
    datatype: Datatype,
) -> Result<Cow<'static, [N]>, String> {
    wide.into_iter()
        .map(|value| {
            N::try_from(value).map_err(|_| format!("holds {}, which is no {datatype}", value.to_string()))
        })
        .collect()
}

macro_rules! lends {
    ($($T:ty => $Kind:ident),*) => {$(
        impl<'a> From<&'a [$T]> for Values<'a> {
            fn from(values: &'a [$T]) -> Self {
                Self::$Kind(Cow::Borrowed(values))
            }
        }
    )*};
}
lends!(bool => Bool, u8 => U8, u16 => U16, u32 => U32, u64 => U64, i8 => I8, i16 => I16, i32 => I32, i64 => I64,
       f16 => F16, f32 => F32, f64 => F64);

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each() -> [Values<'static>; 12] {
        [
            Values::from(&[true, false][..]),
            Values::from(&[0u8, 255][..]),
            Values::from(&[0u16, 65_535][..]),
            Values::from(&[0u32, u32::MAX][..]),
            Values::from(&[0u64, u64::MAX][..]),
            Values::from(&[-128i8, 127][..]),
            Values::from(&[i16::MIN, 258][..]),
            Values::from(&[i32::MIN, 16_909_060][..]),
            Values::from(&[i64::MIN, 3][..]),
            Values::F16(Cow::Owned(vec![f16::from_f32(-0.5), f16::MAX])),
            Values::from(&[-1.5f32, f32::MIN_POSITIVE][..]),
            Values::from(&[-1.5f64, f64::MAX][..]),
        ]
    }

    #[test]
    fn every_type_comes_back_from_its_bytes() {
        for values in one_of_each() {
            assert_eq!(Values::from_raw(values.datatype(), &values.to_raw()), Ok(values.clone()));
            assert_eq!(values.len(), 2);
        }
        assert_eq!(&Values::from(&[16_909_060i32][..]).to_raw()[..], [4, 3, 2, 1], "little-endian");
    }

    #[test]
    fn every_type_but_fp16_comes_back_from_typed_contents() {
        let typed = |values: &Values<'_>| {
            let mut typed = InferTensorContents::default();
            match values.clone() {
                Values::Bool(v) => typed.bool_contents = v.into_owned(),
                Values::U8(v) => typed.uint_contents = v.iter().map(|v| u32::from(*v)).collect(),
                Values::U16(v) => typed.uint_contents = v.iter().map(|v| u32::from(*v)).collect(),
                Values::U32(v) => typed.uint_contents = v.into_owned(),
                Values::U64(v) => typed.uint64_contents = v.into_owned(),
                Values::I8(v) => typed.int_contents = v.iter().map(|v| i32::from(*v)).collect(),
                Values::I16(v) => typed.int_contents = v.iter().map(|v| i32::from(*v)).collect(),
                Values::I32(v) => typed.int_contents = v.into_owned(),
                Values::I64(v) => typed.int64_contents = v.into_owned(),
                Values::F16(_) => {}
                Values::F32(v) => typed.fp32_contents = v.into_owned(),
                Values::F64(v) => typed.fp64_contents = v.into_owned(),
            }
            typed
        };
        for values in one_of_each() {
            let back = Values::from_typed(values.datatype(), typed(&values));
            match values {
                Values::F16(_) => assert!(back.unwrap_err().contains("not raw")),
                _ => assert_eq!(back, Ok(values)),
            }
        }
    }

    #[test]
    fn numbers_that_do_not_fit_their_type_are_refused_not_cut() {
        let uint = InferTensorContents { uint_contents: vec![1, 256], ..Default::default() };
        assert_eq!(Values::from_typed(Datatype::U8, uint), Err("holds 256, which is no UINT8".to_owned()));
        let int = InferTensorContents { int_contents: vec![-32_769], ..Default::default() };
        assert!(Values::from_typed(Datatype::I16, int).unwrap_err().contains("-32769"));
        assert!(Values::from_raw(Datatype::F32, &[0; 7]).unwrap_err().contains("7 bytes"));
        assert!(Values::from_raw(Datatype::Bytes, &[0; 4]).unwrap_err().contains("BYTES"));
    }
}
