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

    /// Every box whose best class has at least `score_min`. `best` is memory for a score a box.
    ///
    /// Each row is read in order: first for the best score of every box, several at a time, then for the classes of the
    /// few that have it.
    pub(in crate::family) fn candidates(
        &self,
        score_min: f32,
        best: &mut Vec<f32>,
        candidates: &mut Vec<Candidate>,
    ) -> f32 {
        best.clear();
        best.resize(self.boxes, 0.0);
        for class in 0..self.classes {
            for (best, score) in best.iter_mut().zip(self.row(4 + class)) {
                // Written either way: a loop without branches is one of vector instructions.
                *best = if *score > *best { *score } else { *best };
            }
        }
        let raw = best.iter().copied().fold(0.0, f32::max);
        let (cx, cy, w, h) = (self.row(0), self.row(1), self.row(2), self.row(3));
        let first = candidates.len();
        candidates.extend(best.iter().enumerate().filter(|(_, score)| **score >= score_min).map(
            |(i, score)| Candidate {
                box_px: centred(cx[i], cy[i], w[i], h[i]),
                score: *score,
                class: 0,
                at: i as u32,
            },
        ));
        // From the last to the first: of equal scores the first class counts.
        for class in (0..self.classes).rev() {
            let row = self.row(4 + class);
            for candidate in &mut candidates[first..] {
                if row[candidate.at as usize] == candidate.score {
                    candidate.class = class as u32;
                }
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
