//! `[1, 5 + n, h, w]`, one box a cell, still to be decoded: FastestDet.

use super::centred;
use crate::nms::Candidate;
use crate::output::Output;

/// Planes: objectness; offset of the centre x and y (tanh, in cells); width, height (sigmoid, shares of the tensor's
/// sides); a probability for each class. The score is objectness^0.6 · class^0.4.
#[derive(Clone, Copy, Debug)]
pub(in crate::family) struct FastestDet<'o> {
    values: &'o [f32],
    pub(in crate::family) classes: usize,
    rows: usize,
    columns: usize,
}

impl<'o> FastestDet<'o> {
    /// `None` where the output has no such shape.
    pub(in crate::family) fn of(output: &'o Output<'_>) -> Option<Self> {
        let [1, planes, rows, columns] = *output.shape else { return None };
        let classes = planes.checked_sub(5).filter(|classes| classes * rows * columns > 0)?;
        Some(Self { values: &output.values, classes, rows, columns })
    }

    /// Every box whose best class has at least `score_min`.
    pub(in crate::family) fn candidates(
        &self,
        (width, height): (f32, f32),
        score_min: f32,
        candidates: &mut Vec<Candidate>,
    ) -> f32 {
        let cells = self.rows * self.columns;
        let at = |plane: usize, cell: usize| self.values[plane * cells + cell];
        let sigmoid = |v: f32| 1.0 / (1.0 + (-v).exp());
        let mut raw = 0.0_f32;
        for cell in 0..cells {
            let (mut class, mut of_class) = (0, 0.0);
            for plane in 5..5 + self.classes {
                if at(plane, cell) > of_class {
                    (class, of_class) = (plane as u32 - 5, at(plane, cell));
                }
            }
            let score = at(0, cell).max(0.0).powf(0.6) * of_class.powf(0.4);
            raw = raw.max(score);
            if score >= score_min {
                let cx = ((cell % self.columns) as f32 + at(1, cell).tanh()) / self.columns as f32 * width;
                let cy = ((cell / self.columns) as f32 + at(2, cell).tanh()) / self.rows as f32 * height;
                let (w, h) = (sigmoid(at(3, cell)) * width, sigmoid(at(4, cell)) * height);
                candidates.push(Candidate { box_px: centred(cx, cy, w, h), score, class, at: cell as u32 });
            }
        }
        raw
    }
}
