//! `[1, k, 5 + n]`, one row a box with an objectness: what YOLO v5 gives.

use super::{best_of, centred};
use crate::nms::Candidate;
use crate::output::Output;

/// Columns: centre x, centre y, width, height in tensor px; objectness; a probability for each class. The score is
/// objectness times class.
#[derive(Clone, Copy, Debug)]
pub(in crate::family) struct YoloRows<'o> {
    values: &'o [f32],
    pub(in crate::family) classes: usize,
    extras: usize,
}

impl<'o> YoloRows<'o> {
    /// `None` where the output has no such shape with `extras` columns after those of the classes.
    pub(in crate::family) fn of(output: &'o Output<'_>, extras: usize) -> Option<Self> {
        let [1, _, columns] = *output.shape else { return None };
        let classes = columns.checked_sub(5 + extras).filter(|classes| *classes > 0)?;
        Some(Self { values: &output.values, classes, extras })
    }

    /// Every box whose best class has at least `score_min`.
    pub(in crate::family) fn candidates(&self, score_min: f32, candidates: &mut Vec<Candidate>) -> f32 {
        let mut raw = 0.0_f32;
        for (at, values) in (0..).zip(self.values.chunks_exact(5 + self.classes + self.extras)) {
            let (class, of_class) = best_of(&values[5..5 + self.classes]);
            let score = values[4] * of_class;
            raw = raw.max(score);
            if score >= score_min {
                let box_px = centred(values[0], values[1], values[2], values[3]);
                candidates.push(Candidate { box_px, score, class, at });
            }
        }
        raw
    }

    /// What else is known of box `at`.
    pub(in crate::family) fn extras(&self, at: usize) -> &'o [f32] {
        let columns = 5 + self.classes + self.extras;
        &self.values[at * columns + 5 + self.classes..(at + 1) * columns]
    }
}
