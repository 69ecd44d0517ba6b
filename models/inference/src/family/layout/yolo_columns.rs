//! `[1, 4 + n + extras, k]`, one column a box: what YOLO v8 to v12 give without end-to-end heads.

use super::centred;
use crate::nms::Candidate;
use crate::output::Output;

/// Rows: centre x, centre y, width, height in tensor px; a probability for each class; what else a task knows of a
/// box (mask coefficients, keypoints, an angle).
#[derive(Clone, Copy, Debug)]
pub(in crate::family) struct YoloColumns<'o> {
    values: &'o [f32],
    boxes: usize,
    pub(in crate::family) classes: usize,
    extras: usize,
}

impl<'o> YoloColumns<'o> {
    /// `None` where the output has no such shape with `extras` rows after those of the classes.
    pub(in crate::family) fn of(output: &'o Output<'_>, extras: usize) -> Option<Self> {
        let [1, rows, boxes] = *output.shape else { return None };
        let classes = rows.checked_sub(4 + extras).filter(|classes| *classes > 0)?;
        Some(Self { values: &output.values, boxes, classes, extras })
    }

    /// Every box whose best class has at least `score_min`. Class by class through memory, so that each row is read
    /// once and in order.
    pub(in crate::family) fn candidates(
        &self,
        score_min: f32,
        best: &mut Vec<(f32, u32)>,
        candidates: &mut Vec<Candidate>,
    ) -> f32 {
        best.clear();
        best.resize(self.boxes, (0.0, 0));
        for class in 0..self.classes {
            for (best, score) in best.iter_mut().zip(self.row(4 + class)) {
                if *score > best.0 {
                    *best = (*score, class as u32);
                }
            }
        }
        let (cx, cy, w, h) = (self.row(0), self.row(1), self.row(2), self.row(3));
        let mut raw = 0.0_f32;
        for (i, (score, class)) in best.iter().copied().enumerate() {
            raw = raw.max(score);
            if score >= score_min {
                let box_px = centred(cx[i], cy[i], w[i], h[i]);
                candidates.push(Candidate { box_px, score, class, at: i as u32 });
            }
        }
        raw
    }

    /// What else is known of box `at`.
    pub(in crate::family) fn extras(&self, at: usize) -> impl Iterator<Item = f32> + use<'o> {
        let first = (4 + self.classes) * self.boxes + at;
        self.values[first..].iter().step_by(self.boxes.max(1)).take(self.extras).copied()
    }

    fn row(&self, row: usize) -> &'o [f32] {
        &self.values[row * self.boxes..(row + 1) * self.boxes]
    }
}
