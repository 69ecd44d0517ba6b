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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::tests::look_at;
    use crate::mask::{Edge, Mask};
    use proptest::prelude::*;

    proptest! {
        /// Only what the window needs is summed up, and nobody can tell.
        #[test]
        fn a_part_of_the_sum_gives_the_mask_of_the_whole(
            (width, height, values) in (1usize..9, 1usize..9).prop_flat_map(|(width, height)| {
                (Just(width), Just(height), prop::collection::vec(-1.0..1.0f32, 3 * width * height))
            }),
            coefficients in prop::collection::vec(-1.0..1.0f32, 3),
            at in (-5.0..24.0f32, -5.0..20.0f32, 0.0..30.0f32, 0.0..30.0f32),
        ) {
            let output =
                Output { name: "output1", shape: vec![1, 3, height, width], values: values.into(), whole: false };
            let prototypes = Prototypes::of(&output).unwrap();
            look_at(&["a"], 20, 16, |look| -> Result<(), TestCaseError> {
                let whole = RectPx { x: 0.0, y: 0.0, w: 20.0, h: 16.0 };
                let drawn = |box_px: RectPx, summed_for: RectPx| {
                    let mut mask = Mask::default();
                    let (window, mut sum) = (mask.window(summed_for, look), Vec::new());
                    let picture = prototypes.weighted(&coefficients, window, whole, &mut sum);
                    mask.window(box_px, look);
                    mask.draw(&picture, 0.0, Edge::Extended);
                    mask.area_and_outline(look);
                    mask.marked().collect::<Vec<_>>()
                };
                let box_px = RectPx { x: at.0, y: at.1, w: at.2, h: at.3 };
                let (part, all) = (drawn(box_px, box_px), drawn(box_px, whole));
                let differ = part.iter().filter(|p| !all.contains(p)).chain(all.iter().filter(|p| !part.contains(p)));
                // Rounding may tip a pixel whose sum is 0 but for the last place.
                prop_assert!(differ.count() <= 1, "{:?} for {:?}", part, all);
                Ok(())
            })?;
        }
    }
}
