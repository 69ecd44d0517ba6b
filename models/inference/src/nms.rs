//! Non-maximum suppression: of boxes that mean the same thing, the best one stays.

use plumb_inspection::RectPx;

/// One box before suppression, in tensor px.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    /// Upright; of a rotated one before it was turned.
    pub(crate) box_px: RectPx,
    pub(crate) score: f32,
    pub(crate) class: u32,
    /// Which of the output's boxes it is: where its mask, keypoints or angle lie.
    pub(crate) at: u32,
}

/// More candidates than this are dropped, worst first: a model that sees ten thousand things sees nothing.
pub(crate) const CANDIDATES_MAX: usize = 10_000;

/// Which candidates stay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suppression {
    /// One that overlaps a better one of its class by more than this goes; `None` for boxes that were sorted out
    /// already.
    pub(crate) iou_max: Option<f32>,
    /// One goes for a better one of any class.
    pub(crate) class_agnostic: bool,
    /// At most so many stay.
    pub(crate) kept_max: usize,
}

impl Suppression {
    /// Leaves the best candidates, best first, none overlapping a better one that stays.
    ///
    /// Costs one comparison for each candidate and each box kept.
    pub(crate) fn upright(&self, candidates: &mut Vec<Candidate>) {
        best_first(candidates);
        let Some(iou_max) = self.iou_max else {
            candidates.truncate(self.kept_max);
            return;
        };
        let mut kept = 0;
        for i in 0..candidates.len() {
            if kept == self.kept_max {
                break;
            }
            let candidate = candidates[i];
            let covered = candidates[..kept].iter().any(|better| {
                self.compares(better, &candidate) && better.box_px.iou(candidate.box_px) > iou_max
            });
            if !covered {
                candidates[kept] = candidate;
                kept += 1;
            }
        }
        candidates.truncate(kept);
    }

    pub(crate) fn compares(&self, a: &Candidate, b: &Candidate) -> bool {
        self.class_agnostic || a.class == b.class
    }
}

/// Sorts; of too many the worst are dropped. Stable, so that equal scores keep the model's order and the same picture
/// gives the same answer.
pub(crate) fn best_first(candidates: &mut Vec<Candidate>) {
    let order = |a: &Candidate, b: &Candidate| b.score.total_cmp(&a.score).then(a.at.cmp(&b.at));
    if candidates.len() > CANDIDATES_MAX {
        candidates.select_nth_unstable_by(CANDIDATES_MAX, order);
        candidates.truncate(CANDIDATES_MAX);
    }
    candidates.sort_by(order);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(x: f32, score: f32, class: u32) -> Candidate {
        Candidate { box_px: RectPx::from([x, 0.0, 10.0, 10.0]), score, class, at: 0 }
    }

    fn suppress(candidates: &mut Vec<Candidate>, iou_max: f32, kept_max: usize) {
        Suppression { iou_max: Some(iou_max), class_agnostic: false, kept_max }.upright(candidates);
    }

    #[test]
    fn the_best_of_overlapping_boxes_of_one_class_stays() {
        // x 0 and 2 overlap by 8/12, x 0 and 5 by 5/15.
        let mut all = vec![at(2.0, 0.8, 0), at(0.0, 0.9, 0), at(5.0, 0.7, 0), at(1.0, 0.6, 1)];
        suppress(&mut all, 0.5, 10);
        assert_eq!(all, [at(0.0, 0.9, 0), at(5.0, 0.7, 0), at(1.0, 0.6, 1)]);
    }

    #[test]
    fn an_overlap_exactly_at_the_limit_stays() {
        let mut all = vec![at(0.0, 0.9, 0), at(0.0, 0.8, 0)];
        suppress(&mut all, 1.0, 10);
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn boxes_of_different_classes_suppress_each_other_only_when_asked() {
        let both = vec![at(0.0, 0.9, 0), at(1.0, 0.8, 1)];
        let mut each = both.clone();
        suppress(&mut each, 0.5, 10);
        assert_eq!(each, both);
        let mut one = both.clone();
        Suppression { iou_max: Some(0.5), class_agnostic: true, kept_max: 10 }.upright(&mut one);
        assert_eq!(one, [at(0.0, 0.9, 0)]);
    }

    #[test]
    fn boxes_that_were_sorted_out_already_are_only_put_in_order_and_counted() {
        let mut all = vec![at(0.0, 0.7, 0), at(0.0, 0.9, 0), at(0.0, 0.8, 0)];
        Suppression { iou_max: None, class_agnostic: false, kept_max: 2 }.upright(&mut all);
        assert_eq!(all, [at(0.0, 0.9, 0), at(0.0, 0.8, 0)]);
    }

    #[test]
    fn of_twelve_thousand_boxes_the_best_three_hundred_stay() {
        let far_apart = |i: usize| Candidate {
            box_px: RectPx::from([(i % 100) as f32 * 20.0, (i / 100) as f32 * 20.0, 10.0, 10.0]),
            score: ((i * 7919) % 10_007) as f32 / 10_007.0,
            class: 0,
            at: i as u32,
        };
        let mut all: Vec<_> = (0..12_000).map(far_apart).collect();
        suppress(&mut all, 0.5, 300);
        assert_eq!(all.len(), 300);
        assert!(all.is_sorted_by(|a, b| a.score >= b.score));
        assert!(all[299].score > 0.97, "{:?}", all[299]);
    }

    proptest! {
        #[test]
        fn what_stays_is_apart_and_what_goes_is_covered(
            boxes in prop::collection::vec((0.0..50.0f32, 0.0..50.0f32, 1.0..20.0f32, 1.0..20.0f32, 0.0..1.0f32, 0u32..3), 0..80),
            iou_max in 0.1..0.9f32,
        ) {
            let all: Vec<_> = boxes
                .into_iter()
                .zip(0..)
                .map(|((x, y, w, h, score, class), at)| {
                    Candidate { box_px: RectPx::from([x, y, w, h]), score, class, at }
                })
                .collect();
            let mut kept = all.clone();
            suppress(&mut kept, iou_max, usize::MAX);
            for (i, a) in kept.iter().enumerate() {
                for b in &kept[..i] {
                    prop_assert!(a.class != b.class || a.box_px.iou(b.box_px) <= iou_max);
                }
            }
            for gone in all.iter().filter(|c| !kept.contains(c)) {
                prop_assert!(kept.iter().any(|k| k.class == gone.class
                    && k.score >= gone.score
                    && k.box_px.iou(gone.box_px) > iou_max));
            }
        }
    }
}
