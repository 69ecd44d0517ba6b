//! `[1, 4 + n + extras, k]`, one column a box: what YOLO v8 to v12 give without end-to-end heads.

use super::centred;
use crate::nms::Candidate;
use crate::output::Output;

/// The best class of every box and its score, kept from picture to picture. Apart, so that a row of scores is compared
/// with them several numbers at a time.
#[derive(Debug, Default)]
pub(in crate::family) struct Best {
    scores: Vec<f32>,
    classes: Vec<u32>,
}

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
        best: &mut Best,
        candidates: &mut Vec<Candidate>,
    ) -> f32 {
        best.scores.clear();
        best.scores.resize(self.boxes, 0.0);
        best.classes.clear();
        best.classes.resize(self.boxes, 0);
        for class in 0..self.classes {
            let bests = best.scores.iter_mut().zip(&mut best.classes);
            for ((best, best_class), score) in bests.zip(self.row(4 + class)) {
                // Written either way: a loop without branches is one of vector instructions.
                let better = *score > *best;
                *best = if better { *score } else { *best };
                *best_class = if better { class as u32 } else { *best_class };
            }
        }
        let (cx, cy, w, h) = (self.row(0), self.row(1), self.row(2), self.row(3));
        let mut raw = 0.0_f32;
        for (i, (score, class)) in best.scores.iter().copied().zip(best.classes.iter().copied()).enumerate() {
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
