//! What a model gave, free of ONNX Runtime: numbers with a shape, so that families are plain arithmetic.

use half::slice::HalfFloatSliceExt as _;
use ort::value::{DynValue, TensorElementType};
use std::borrow::Cow;

/// One output of one run.
#[derive(Clone, Debug)]
pub(crate) struct Output<'a> {
    /// As the model names it.
    pub(crate) name: &'a str,
    /// With its batch of one, where it has one.
    pub(crate) shape: Vec<usize>,
    /// Row-major; the model's own memory where that is f32, else a widened copy.
    pub(crate) values: Cow<'a, [f32]>,
    /// The model gives whole numbers: class numbers, not scores.
    pub(crate) whole: bool,
}

impl<'a> Output<'a> {
    /// # Errors
    /// For what is no tensor of numbers; with the reason.
    pub(crate) fn of(name: &'a str, value: &'a DynValue) -> Result<Self, String> {
        let Some(element) = value.dtype().tensor_type() else {
            return Err(format!("output {name:?} is a {}, not a tensor", value.dtype()));
        };
        macro_rules! widened {
            ($T:ty, $widen:expr) => {{
                let (shape, values) = value.try_extract_tensor::<$T>().map_err(|e| e.to_string())?;
                (shape, Cow::Owned(values.iter().map($widen).collect()))
            }};
        }
        let (shape, values) = match element {
            TensorElementType::Float32 => {
                let (shape, values) = value.try_extract_tensor::<f32>().map_err(|e| e.to_string())?;
                (shape, Cow::Borrowed(values))
            }
            TensorElementType::Float16 => {
                let (shape, values) = value.try_extract_tensor::<half::f16>().map_err(|e| e.to_string())?;
                let mut wide = vec![0.0; values.len()];
                values.convert_to_f32_slice(&mut wide);
                (shape, Cow::Owned(wide))
            }
            TensorElementType::Float64 => widened!(f64, |v| *v as f32),
            // Class numbers, far below the 2^24 up to which f32 is exact.
            TensorElementType::Int64 => widened!(i64, |v| *v as f32),
            TensorElementType::Int32 => widened!(i32, |v| *v as f32),
            TensorElementType::Int16 => widened!(i16, |v| f32::from(*v)),
            TensorElementType::Uint8 => widened!(u8, |v| f32::from(*v)),
            TensorElementType::Bool => widened!(bool, |v| f32::from(u8::from(*v))),
            other => return Err(format!("output {name:?} holds {other}, which no family reads")),
        };
        let shape = shape.iter().map(|side| usize::try_from(*side).unwrap_or(0)).collect();
        let whole = matches!(
            element,
            TensorElementType::Int64
                | TensorElementType::Int32
                | TensorElementType::Int16
                | TensorElementType::Uint8
        );
        Ok(Self { name, shape, values, whole })
    }

    /// What belongs to picture `i` of a batch of `batch`, lent, with a batch of one: a family always reads one picture.
    ///
    /// `None` where the first side is not `batch`, so that what belongs to whom cannot be told: lists of boxes without
    /// a batch axis, as torchvision gives them (see `FamilyConfig::has_batch_axis`).
    pub(crate) fn item(&self, i: usize, batch: usize) -> Option<Output<'_>> {
        let (first, rest) = self.shape.split_first()?;
        if *first != batch || i >= batch {
            return None;
        }
        let len = rest.iter().product::<usize>();
        let shape = std::iter::once(1).chain(rest.iter().copied()).collect();
        let values = Cow::Borrowed(&self.values[i * len..(i + 1) * len]);
        Some(Output { name: self.name, shape, values, whole: self.whole })
    }

    /// True if none is NaN or infinite.
    pub(crate) fn is_finite(&self) -> bool {
        // All exponent bits set is NaN or infinity. Or-ing in blocks keeps the loop free of branches: a map of
        // 640×640 takes some 50 µs.
        const EXPONENT: u32 = 0x7f80_0000;
        self.values.chunks(1024).all(|block| {
            block.iter().fold(0, |bad, v| bad | u32::from(v.to_bits() & EXPONENT == EXPONENT)) == 0
        })
    }
}

/// `"output0" [1, 6, 8400], "output1" [1]`, for messages.
pub(crate) fn described(outputs: &[Output<'_>]) -> String {
    let each: Vec<String> = outputs.iter().map(|o| format!("{:?} {:?}", o.name, o.shape)).collect();
    each.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(shape: &[usize], values: Vec<f32>) -> Output<'static> {
        Output { name: "o", shape: shape.to_vec(), values: Cow::Owned(values), whole: false }
    }

    #[test]
    fn a_batch_is_cut_into_pictures_and_what_has_no_batch_is_not() {
        let both = output(&[2, 3, 1], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let second = both.item(1, 2).unwrap();
        assert_eq!((&second.shape[..], &second.values[..]), (&[1, 3, 1][..], &[4.0, 5.0, 6.0][..]));
        assert!(
            both.item(2, 2).is_none()
                && both.item(0, 3).is_none()
                && output(&[], vec![1.0]).item(0, 1).is_none()
        );
        let score_each = output(&[2], vec![0.25, 0.75]);
        assert_eq!(score_each.item(1, 2).unwrap().values[..], [0.75]);
        let nothing = output(&[2, 0, 6], vec![]);
        assert_eq!(nothing.item(1, 2).unwrap().shape, [1, 0, 6]);
    }

    #[test]
    fn a_single_nan_or_infinity_is_seen_wherever_it_stands() {
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 1023, 1024, 3000] {
                let mut values = vec![f32::MAX; 3001];
                assert!(output(&[3001], values.clone()).is_finite());
                values[at] = bad;
                assert!(!output(&[3001], values).is_finite(), "{bad} at {at}");
            }
        }
    }
}
