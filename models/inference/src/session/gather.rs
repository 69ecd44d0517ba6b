//! Tensors laid side by side for one run.

use half::f16;
use half::slice::HalfFloatSliceExt as _;
use ort::value::{DynValueRef, Shape, TensorRef};
use plumb_inspection::{Element, Values};

/// Memory for several tensors, or for one that is narrowed; kept from run to run.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    f32: Vec<f32>,
    f16: Vec<f16>,
    u8: Vec<u8>,
}

impl Gathered {
    /// `pictures` as one input of `shape`, filled up with the last of them.
    pub(crate) fn lend<'a>(
        &'a mut self,
        pictures: &[&'a Values],
        shape: &[usize],
        element: Element,
    ) -> ort::Result<DynValueRef<'a>> {
        let len = shape.iter().product();
        let shape = Shape::from(shape);
        match (pictures, element) {
            ([Values::F32(values)], Element::F32) if values.len() == len => {
                TensorRef::from_array_view((shape, &values[..])).map(|input| input.into_dyn())
            }
            ([Values::U8(values)], Element::U8) if values.len() == len => {
                TensorRef::from_array_view((shape, &values[..])).map(|input| input.into_dyn())
            }
            (_, Element::F32) => {
                self.f32.resize(len, 0.0);
                lay_f32(&mut self.f32, pictures);
                TensorRef::from_array_view((shape, &self.f32[..])).map(|input| input.into_dyn())
            }
            (_, Element::F16) => {
                self.f16.resize(len, f16::ZERO);
                lay_f16(&mut self.f16, pictures);
                TensorRef::from_array_view((shape, &self.f16[..])).map(|input| input.into_dyn())
            }
            (_, Element::U8) => {
                self.u8.resize(len, 0);
                lay_u8(&mut self.u8, pictures);
                TensorRef::from_array_view((shape, &self.u8[..])).map(|input| input.into_dyn())
            }
        }
    }
}

/// Lays f32 tensors one after the other into `to`, the last again until `to` is full.
pub(crate) fn lay_f32(to: &mut [f32], pictures: &[&Values]) {
    lay(to, pictures, |to, values| {
        if let Values::F32(values) = values {
            to.copy_from_slice(values);
        }
    });
}

/// The same, narrowed.
pub(crate) fn lay_f16(to: &mut [f16], pictures: &[&Values]) {
    lay(to, pictures, |to, values| {
        if let Values::F32(values) = values {
            to.convert_from_f32_slice(values);
        }
    });
}

/// The same for bytes.
pub(crate) fn lay_u8(to: &mut [u8], pictures: &[&Values]) {
    lay(to, pictures, |to, values| {
        if let Values::U8(values) = values {
            to.copy_from_slice(values);
        }
    });
}

/// `copy` is called once a place; every tensor has the length of a place, for the caller has compared them with the
/// model's wishes.
fn lay<T>(to: &mut [T], pictures: &[&Values], copy: impl Fn(&mut [T], &Values)) {
    let Some(last) = pictures.last() else { return };
    let len = match last {
        Values::F32(values) => values.len(),
        Values::U8(values) => values.len(),
    };
    let filled = pictures.iter().chain(std::iter::repeat(last));
    for (to, values) in to.chunks_exact_mut(len.max(1)).zip(filled) {
        copy(to, values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_lie_one_after_the_other_and_the_last_fills_up() {
        let (a, b) = (Values::F32(vec![1.0, 2.0]), Values::F32(vec![3.0, 4.0]));
        let mut to = [0.0; 8];
        lay_f32(&mut to, &[&a, &b]);
        assert_eq!(to, [1.0, 2.0, 3.0, 4.0, 3.0, 4.0, 3.0, 4.0]);
        let mut narrow = [f16::ZERO; 4];
        lay_f16(&mut narrow, &[&a]);
        assert_eq!(narrow.map(f32::from), [1.0, 2.0, 1.0, 2.0]);
        let mut bytes = [0; 3];
        lay_u8(&mut bytes, &[&Values::U8(vec![7])]);
        assert_eq!(bytes, [7, 7, 7]);
    }
}
