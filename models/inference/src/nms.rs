//! Non-maximum suppression: of boxes that mean the same thing, the best one stays.

use plumb_inspection::RectPx;

/// One box before suppression, in tensor px.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) box_px: RectPx,
    pub(crate) score: f32,
    pub(crate) class: usize,
}

/// More candidates than this are dropped, worst first: a model that sees ten thousand things sees nothing.
pub(crate) const CANDIDATES_MAX: usize = 10_000;

/// Leaves the best candidates, best first, none overlapping a better one of its class by more than `iou_max`; at
/// most `kept_max` of them.
///
/// Costs one comparison for each candidate and each box kept of its class.
pub(crate) fn suppress(candidates: &mut Vec<Candidate>, iou_max: f32, kept_max: usize) {
    let best_first = |a: &Candidate, b: &Candidate| b.score.total_cmp(&a.score);
    if candidates.len() > CANDIDATES_MAX {
        candidates.select_nth_unstable_by(CANDIDATES_MAX, best_first);
        candidates.truncate(CANDIDATES_MAX);
    }
    // Stable, so that equal scores keep the model's order and the same picture gives the same answer.
    candidates.sort_by(best_first);
    let mut kept = 0;
    for i in 0..candidates.len() {
        if kept == kept_max {
            break;
        }
        let candidate = candidates[i];
        let covered = candidates[..kept]
            .iter()
            .any(|better| better.class == candidate.class && better.box_px.iou(candidate.box_px) > iou_max);
        if !covered {
            candidates[kept] = candidate;
            kept += 1;
        }
    }
    candidates.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    fn at(x: f32, score: f32, class: usize) -> Candidate {
        Candidate { box_px: RectPx::from([x, 0.0, 10.0, 10.0]), score, class }
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
    fn ten_thousand_boxes_that_do_not_overlap_are_sorted_out_fast() {
        let far_apart = |i: usize| Candidate {
            box_px: RectPx::from([(i % 100) as f32 * 20.0, (i / 100) as f32 * 20.0, 10.0, 10.0]),
            score: ((i * 7919) % 10_007) as f32 / 10_007.0,
            class: 0,
        };
        let mut all: Vec<_> = (0..12_000).map(far_apart).collect();
        let start = Instant::now();
        suppress(&mut all, 0.5, 300);
        assert_eq!(all.len(), 300);
        assert!(all.is_sorted_by(|a, b| a.score >= b.score));
        assert!(start.elapsed() < Duration::from_millis(500), "took {:?}", start.elapsed());
    }

    proptest! {
        #[test]
        fn what_stays_is_apart_and_what_goes_is_covered(
            boxes in prop::collection::vec((0.0..50.0f32, 0.0..50.0f32, 1.0..20.0f32, 1.0..20.0f32, 0.0..1.0f32, 0usize..3), 0..80),
            iou_max in 0.1..0.9f32,
        ) {
            let all: Vec<_> = boxes
                .into_iter()
                .map(|(x, y, w, h, score, class)| Candidate { box_px: RectPx::from([x, y, w, h]), score, class })
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
