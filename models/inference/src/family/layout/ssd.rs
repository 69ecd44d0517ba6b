//! Two outputs, scores `[1, k, 1 + n]` and boxes `[1, k, 4]`: SSD heads as PyTorch exports them.

use super::best_of;
use crate::nms::Candidate;
use crate::output::Output;
use plumb_inspection::RectPx;

/// Boxes are left, top, right, bottom as shares of the tensor's sides; the first score is background.
#[derive(Clone, Copy, Debug)]
pub(in crate::family) struct Ssd<'o> {
    boxes: &'o [f32],
    scores: &'o [f32],
    pub(in crate::family) classes: usize,
}

impl<'o> Ssd<'o> {
    /// `None` where the outputs are not these two.
    pub(in crate::family) fn of(outputs: &'o [Output<'_>]) -> Option<Self> {
        let [a, b] = outputs else { return None };
        let is_boxes = |output: &Output<'_>| output.shape.last() == Some(&4);
        let (boxes, scores) = match (is_boxes(a), is_boxes(b)) {
            (true, false) => (a, b),
            (false, true) => (b, a),
            // Three classes and a background have four columns too.
            (true, true) if a.name.contains("box") => (a, b),
            (true, true) if b.name.contains("box") => (b, a),
            _ => return None,
        };
        match (&boxes.shape[..], &scores.shape[..]) {
            ([1, k, 4], [1, scored, columns]) if k == scored && *columns > 1 => {
                Some(Self { boxes: &boxes.values, scores: &scores.values, classes: columns - 1 })
            }
            _ => None,
        }
    }

    /// Every box whose best class has at least `score_min`.
    pub(in crate::family) fn candidates(
        &self,
        (width, height): (f32, f32),
        score_min: f32,
        candidates: &mut Vec<Candidate>,
    ) -> f32 {
        let mut raw = 0.0_f32;
        let scores = self.scores.chunks_exact(1 + self.classes);
        for (at, (edges, scores)) in (0..).zip(self.boxes.chunks_exact(4).zip(scores)) {
            let (class, score) = best_of(&scores[1..]);
            raw = raw.max(score);
            if score >= score_min {
                let [x0, y0, x1, y1] =
                    [edges[0] * width, edges[1] * height, edges[2] * width, edges[3] * height];
                candidates.push(Candidate { box_px: RectPx::from_corners(x0, y0, x1, y1), score, class, at });
            }
        }
        raw
    }
}
