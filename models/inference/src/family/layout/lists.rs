//! Lists of finished boxes, one output for each thing known of them: torchvision, RT-DETR, MMDeploy, Geti.

use super::{label_of, unbatched};
use crate::nms::Candidate;
use crate::output::Output;
use plumb_inspection::RectPx;

/// Three outputs: boxes `[k, 4]` (left, top, right, bottom in tensor px), class numbers `[k]`, scores `[k]`, each
/// perhaps with a batch of one before.
#[derive(Clone, Copy, Debug)]
pub(in crate::family) struct Lists<'o> {
    boxes: &'o [f32],
    labels: &'o [f32],
    scores: &'o [f32],
}

impl<'o> Lists<'o> {
    /// `None` where `outputs` are not these three: boxes are told by their shape, class numbers by being whole
    /// numbers or by their name.
    pub(in crate::family) fn of(outputs: [&'o Output<'_>; 3]) -> Option<Self> {
        let sides = outputs.map(|output| output.shape.len());
        let boxes_at = (0..3).find(|at| {
            let others = sides[(at + 1) % 3] == sides[(at + 2) % 3] && sides[*at] == sides[(at + 1) % 3] + 1;
            others && matches!(*outputs[*at].shape, [_, 4] | [1, _, 4])
        })?;
        let boxes = outputs[boxes_at];
        let [a, b] = [(boxes_at + 1) % 3, (boxes_at + 2) % 3].map(|at| outputs[at]);
        let is_numbers = |output: &Output<'_>| {
            output.whole || ["label", "class"].iter().any(|word| output.name.to_lowercase().contains(word))
        };
        let (labels, scores) = match (is_numbers(a), is_numbers(b)) {
            (true, false) => (a, b),
            (false, true) => (b, a),
            _ => return None,
        };
        let batch = &boxes.shape[..boxes.shape.len() - 2];
        let k = boxes.shape[boxes.shape.len() - 2];
        let is_list = |output: &Output<'_>| output.shape.strip_prefix(batch) == Some(&[k]);
        (is_list(labels) && is_list(scores)).then_some(Self {
            boxes: &boxes.values,
            labels: &labels.values,
            scores: &scores.values,
        })
    }

    /// How many boxes there are.
    pub(in crate::family) fn len(&self) -> usize {
        self.scores.len()
    }

    /// Every box of at least `score_min`.
    pub(in crate::family) fn candidates(
        &self,
        score_min: f32,
        first_label: u32,
        candidates: &mut Vec<Candidate>,
    ) -> f32 {
        let mut raw = 0.0_f32;
        let boxes = self.boxes.chunks_exact(4).zip(self.labels).zip(self.scores);
        for (at, ((edges, label), score)) in (0..).zip(boxes) {
            raw = raw.max(*score);
            if *score >= score_min {
                let box_px = RectPx::from_corners(edges[0], edges[1], edges[2], edges[3]);
                candidates.push(Candidate {
                    box_px,
                    score: *score,
                    class: label_of(*label, first_label),
                    at,
                });
            }
        }
        raw
    }
}

/// Two outputs: boxes `[k, 5]` (left, top, right, bottom in tensor px, score) and class numbers `[k]`, each perhaps
/// with a batch of one before.
#[derive(Clone, Copy, Debug)]
pub(in crate::family) struct Dets<'o> {
    boxes: &'o [f32],
    labels: &'o [f32],
}

impl<'o> Dets<'o> {
    /// `None` where `outputs` are not these two.
    pub(in crate::family) fn of(outputs: [&'o Output<'_>; 2]) -> Option<Self> {
        let [a, b] = outputs;
        let is_boxes = |output: &Output<'_>| match unbatched(&output.shape, 2) {
            Some([k, 5]) => Some(*k),
            _ => None,
        };
        let ordered = |boxes: &'o Output<'_>, labels: &'o Output<'_>| {
            let [k] = unbatched(&labels.shape, 1)? else { return None };
            (is_boxes(boxes)? == *k).then_some(Self { boxes: &boxes.values, labels: &labels.values })
        };
        ordered(a, b).or_else(|| ordered(b, a))
    }

    /// How many boxes there are.
    pub(in crate::family) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Every box of at least `score_min`. Unused rows have a score of 0 and class −1.
    pub(in crate::family) fn candidates(
        &self,
        score_min: f32,
        first_label: u32,
        candidates: &mut Vec<Candidate>,
    ) -> f32 {
        let mut raw = 0.0_f32;
        for (at, (values, label)) in (0..).zip(self.boxes.chunks_exact(5).zip(self.labels)) {
            let score = values[4];
            raw = raw.max(score);
            if score >= score_min && score > 0.0 {
                let box_px = RectPx::from_corners(values[0], values[1], values[2], values[3]);
                candidates.push(Candidate { box_px, score, class: label_of(*label, first_label), at });
            }
        }
        raw
    }
}
