//! Mask prototypes: a few maps that all masks of a picture are weighted sums of.

use crate::mask::{Picture, Window};
use crate::output::Output;
use plumb_inspection::RectPx;

/// `[1, m, h, w]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prototypes<'o> {
    values: &'o [f32],
    count: usize,
    height: usize,
    width: usize,
}

impl<'o> Prototypes<'o> {
    /// `None` where the output has no such shape.
    pub(crate) fn of(output: &'o Output<'_>) -> Option<Self> {
        let [1, count, height, width] = *output.shape else { return None };
        (count * height * width > 0).then_some(Self { values: &output.values, count, height, width })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Their sum, weighted by `coefficients`, for the part that a `window` of the tensor needs.
    pub(crate) fn weighted<'l>(
        &self,
        coefficients: &[f32],
        window: Window,
        tensor_px: RectPx,
        sum: &'l mut Vec<f32>,
    ) -> Picture<'l> {
        // A pixel of the tensor lies between two of the map's each way.
        let needed = |from: usize, to: usize, scale: f32, len: usize| {
            let first = ((from as f32 + 0.5) * scale - 0.5).floor().max(0.0) as usize;
            let last = ((to as f32 - 0.5) * scale - 0.5).ceil().max(0.0) as usize + 1;
            first.min(len - 1)..last.min(len).max(first.min(len - 1) + 1)
        };
        let (sx, sy) = (self.width as f32 / tensor_px.w, self.height as f32 / tensor_px.h);
        let columns = needed(window.left, window.left + window.width, sx, self.width);
        let rows = needed(window.top, window.top + window.height, sy, self.height);
        sum.clear();
        sum.resize(columns.len() * rows.len(), 0.0);
        let maps = self.values.chunks_exact(self.height * self.width);
        for (map, weight) in maps.zip(coefficients) {
            for (row, sums) in rows.clone().zip(sum.chunks_exact_mut(columns.len())) {
                let values = &map[row * self.width + columns.start..row * self.width + columns.end];
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += weight * value;
                }
            }
        }
        Picture {
            values: sum,
            width: columns.len(),
            height: rows.len(),
            covers_px: RectPx {
                x: columns.start as f32 / sx,
                y: rows.start as f32 / sy,
                w: columns.len() as f32 / sx,
                h: rows.len() as f32 / sy,
            },
        }
    }
}
