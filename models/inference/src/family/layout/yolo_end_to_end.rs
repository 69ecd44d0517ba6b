//! `[1, k, 6 + extras]`, one row a box, sorted out in the graph: YOLO v10 and 26, and any YOLO exported with `nms`.

use super::{centred, label_of};
use crate::nms::Candidate;
use crate::output::Output;
use plumb_inspection::RectPx;

/// Columns: four numbers of the box in tensor px, score, class number, what else a task knows of a box. Unused rows
/// are zeros.
#[derive(Clone, Copy, Debug)]
pub(in crate::family) struct YoloEndToEnd<'o> {
    values: &'o [f32],
    columns: usize,
}

impl<'o> YoloEndToEnd<'o> {
    /// `None` where the output has no such shape.
    pub(in crate::family) fn of(output: &'o Output<'_>, extras: usize) -> Option<Self> {
        let [1, _, columns] = *output.shape else { return None };
        (columns == 6 + extras).then_some(Self { values: &output.values, columns })
    }

    /// Every box of at least `score_min`; its four numbers are left, top, right, bottom.
    pub(in crate::family) fn corners(
        &self,
        score_min: f32,
        first_label: u32,
        candidates: &mut Vec<Candidate>,
    ) -> f32 {
        let corners = |v: &[f32]| RectPx::from_corners(v[0], v[1], v[2], v[3]);
        self.candidates(score_min, first_label, corners, candidates)
    }

    /// Every box of at least `score_min`; its four numbers are centre x, centre y, width, height, as rotated boxes
    /// have them.
    pub(in crate::family) fn centred(
        &self,
        score_min: f32,
        first_label: u32,
        candidates: &mut Vec<Candidate>,
    ) -> f32 {
        self.candidates(score_min, first_label, |v| centred(v[0], v[1], v[2], v[3]), candidates)
    }

    /// Every box of at least `score_min`; its four numbers are centre x, centre y, width, height as shares of the
    /// tensor's sides, as Ultralytics' RT-DETR has them.
    pub(in crate::family) fn shares(
        &self,
        (width, height): (f32, f32),
        score_min: f32,
        first_label: u32,
        candidates: &mut Vec<Candidate>,
    ) -> f32 {
        let box_px = |v: &[f32]| centred(v[0] * width, v[1] * height, v[2] * width, v[3] * height);
        self.candidates(score_min, first_label, box_px, candidates)
    }

    fn candidates(
        &self,
        score_min: f32,
        first_label: u32,
        box_px: impl Fn(&[f32]) -> RectPx,
        candidates: &mut Vec<Candidate>,
    ) -> f32 {
        let mut raw = 0.0_f32;
        for (at, values) in (0..).zip(self.values.chunks_exact(self.columns)) {
            let score = values[4];
            raw = raw.max(score);
            // A row of zeros is no box, whatever the threshold.
            if score >= score_min && score > 0.0 {
                let class = label_of(values[5], first_label);
                candidates.push(Candidate { box_px: box_px(values), score, class, at });
            }
        }
        raw
    }

    /// What else is known of box `at`.
    pub(in crate::family) fn extras(&self, at: usize) -> &'o [f32] {
        &self.values[at * self.columns + 6..(at + 1) * self.columns]
    }
}
