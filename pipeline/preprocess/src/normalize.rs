//! Bytes as the numbers a model was trained on: flat field, scale, mean, std, and padding, in one pass into the tensor.
//!
//! Runs over whole rows in steps of fixed length, which the compiler turns into vector code by itself.

use crate::{fit::Fitted, flat};
use opencv::core::Rect;
use plumb_inspection::{Element, Fit, Layout, TensorPool, TensorSpec, Values};

/// Samples in one step of the inner loop: whole pixels of 1 and 3 channels, whole vectors of 4, 8 and 16 lanes.
const STEP: usize = 48;

/// One cut's arithmetic.
pub(crate) struct Normalize {
    element: Element,
    /// Numbers in the tensor.
    len: usize,
    /// Tensor width in px.
    width: usize,
    /// Samples of one pixel that lie side by side.
    per_px: usize,
    /// The part of the tensor that shows the region, in px.
    content: Rect,
    pad: u8,
    /// One a plane of the tensor.
    steps: Vec<Step>,
    /// A gain for each sample of a plane's content, row by row.
    gains: Option<Vec<f32>>,
    pool: TensorPool,
}

/// `number = byte × mul + add`, written out for every sample of a step.
struct Step {
    mul: [f32; STEP],
    add: [f32; STEP],
}

impl Normalize {
    /// For the content of `fitted`. `gains` has a value for each content px, [`Normalize::per_px`] times over.
    pub(crate) fn new(spec: &TensorSpec, fitted: &Fitted, gains: Option<Vec<f32>>) -> Self {
        let per_px = Self::per_px(spec);
        let step = |plane: usize| {
            let mean_std = |i: usize| spec.mean_std(plane + i % per_px);
            Step {
                mul: std::array::from_fn(|i| spec.scale / mean_std(i).1),
                add: std::array::from_fn(|i| -mean_std(i).0 / mean_std(i).1),
            }
        };
        Self {
            element: spec.element,
            len: spec.len(),
            width: spec.width as usize,
            per_px,
            content: fitted.content,
            pad: if let Fit::Letterbox { pad } = spec.fit { pad } else { 0 },
            steps: (0..spec.channels() / per_px).map(step).collect(),
            gains,
            pool: TensorPool::default(),
        }
    }

    /// Samples of one pixel that lie side by side in a tensor of `spec`.
    pub(crate) fn per_px(spec: &TensorSpec) -> usize {
        if spec.layout == Layout::Nhwc { spec.channels() } else { 1 }
    }

    /// From now on these gains: the content shows another part of the frame. `gains` makes them, so many times over a px.
    pub(crate) fn regain(
        &mut self,
        gains: impl FnOnce(usize) -> opencv::Result<Vec<f32>>,
    ) -> opencv::Result<()> {
        self.gains = Some(gains(self.per_px)?);
        Ok(())
    }

    /// Where the tensor's memory goes home to.
    pub(crate) fn pool(&self) -> &TensorPool {
        &self.pool
    }

    /// The whole tensor from the bytes of its planes' content, each continuous.
    pub(crate) fn values(&self, planes: &[&[u8]]) -> Values {
        match self.element {
            Element::F32 | Element::F16 => Values::F32(self.floats(planes)),
            Element::U8 => Values::U8(self.bytes(planes)),
        }
    }

    fn floats(&self, planes: &[&[u8]]) -> Vec<f32> {
        let mut out = self.pool.take(self.len);
        let plane_len = self.len / self.steps.len();
        for ((plane, bytes), step) in out.chunks_exact_mut(plane_len).zip(planes).zip(&self.steps) {
            let pad = std::array::from_fn(|i| f32::from(self.pad) * step.mul[i] + step.add[i]);
            self.lay(plane, bytes, &pad, |out, row, gains| match gains {
                Some(gains) => step.scale_even(out, row, gains),
                None => step.scale(out, row),
            });
        }
        out
    }

    fn bytes(&self, planes: &[&[u8]]) -> Vec<u8> {
        let mut out = vec![0; self.len];
        let plane_len = self.len / self.steps.len();
        for (plane, bytes) in out.chunks_exact_mut(plane_len).zip(planes) {
            self.lay(plane, bytes, &[self.pad; STEP], |out, row, gains| match gains {
                Some(gains) => flat::brighten(out, row, gains),
                None => out.copy_from_slice(row),
            });
        }
        out
    }

    /// Fills `plane`: `write` gets each row of the content with its bytes and gains, everything else gets `pad`.
    fn lay<T: Copy>(
        &self,
        plane: &mut [T],
        bytes: &[u8],
        pad: &[T; STEP],
        mut write: impl FnMut(&mut [T], &[u8], Option<&[f32]>),
    ) {
        let Rect { x, y, width, height } = self.content;
        let (left, len) = (x as usize * self.per_px, width as usize * self.per_px);
        let (top, rows) = (y as usize, height as usize);
        for (y, out) in plane.chunks_exact_mut(self.width * self.per_px).enumerate() {
            let Some(y) = y.checked_sub(top).filter(|y| *y < rows) else {
                fill(out, pad);
                continue;
            };
            let (before, rest) = out.split_at_mut(left);
            let (content, after) = rest.split_at_mut(len);
            let samples = y * len..(y + 1) * len;
            fill(before, pad);
            write(content, &bytes[samples.clone()], self.gains.as_ref().map(|gains| &gains[samples]));
            fill(after, pad);
        }
    }
}

impl Step {
    fn scale(&self, out: &mut [f32], row: &[u8]) {
        let (outs, out_rest) = out.as_chunks_mut::<STEP>();
        let (rows, row_rest) = row.as_chunks::<STEP>();
        for (out, row) in outs.iter_mut().zip(rows) {
            for i in 0..STEP {
                out[i] = f32::from(row[i]) * self.mul[i] + self.add[i];
            }
        }
        for (i, (out, &byte)) in out_rest.iter_mut().zip(row_rest).enumerate() {
            *out = f32::from(byte) * self.mul[i] + self.add[i];
        }
    }

    /// Brighter than white stays white, as it would on the sensor.
    fn scale_even(&self, out: &mut [f32], row: &[u8], gains: &[f32]) {
        let (outs, out_rest) = out.as_chunks_mut::<STEP>();
        let (rows, row_rest) = row.as_chunks::<STEP>();
        let (gains, gains_rest) = gains.as_chunks::<STEP>();
        for ((out, row), gains) in outs.iter_mut().zip(rows).zip(gains) {
            for i in 0..STEP {
                out[i] = (f32::from(row[i]) * gains[i]).min(255.0) * self.mul[i] + self.add[i];
            }
        }
        for (i, ((out, &byte), &gain)) in out_rest.iter_mut().zip(row_rest).zip(gains_rest).enumerate() {
            *out = (f32::from(byte) * gain).min(255.0) * self.mul[i] + self.add[i];
        }
    }
}

/// Repeats `pad`, whose period divides every place a row of padding can start at.
fn fill<T: Copy>(out: &mut [T], pad: &[T; STEP]) {
    let (whole, rest) = out.as_chunks_mut::<STEP>();
    whole.fill(*pad);
    rest.copy_from_slice(&pad[..rest.len()]);
}
