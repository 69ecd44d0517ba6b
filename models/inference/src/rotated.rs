//! Rotated boxes: their corners in the frame, and which of those that overlap stays.

use crate::error::ModelError;
use crate::family::Look;
use crate::nms::{Candidate, Suppression, best_first};
use plumb_inspection::{Finding, PointPx, RectPx};

/// A box turned about its centre, in tensor px.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RotatedBox {
    centre: PointPx,
    w: f32,
    h: f32,
    /// Radians; positive turns the x axis towards the y axis, which is clockwise in a picture.
    angle: f32,
    covariance: Covariance,
}

/// Of the Gaussian that is spread as the box is: `[[xx, xy], [xy, yy]]`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Covariance {
    xx: f32,
    yy: f32,
    xy: f32,
}

impl Covariance {
    fn determinant(self) -> f32 {
        self.xx * self.yy - self.xy * self.xy
    }
}

impl RotatedBox {
    /// `box_px` turned by `angle` about its centre.
    pub(crate) fn new(box_px: RectPx, angle: f32) -> Self {
        let (w, h) = (box_px.w, box_px.h);
        // The variance of an even spread over a length l is l²/12.
        let (along, across) = (w * w / 12.0, h * h / 12.0);
        let (sin, cos) = angle.sin_cos();
        let covariance = Covariance {
            xx: along * cos * cos + across * sin * sin,
            yy: along * sin * sin + across * cos * cos,
            xy: (along - across) * cos * sin,
        };
        Self { centre: box_px.centre(), w, h, angle, covariance }
    }

    /// The four corners in tensor px, one after the other along the edge.
    pub(crate) fn corners(&self) -> [PointPx; 4] {
        let (sin, cos) = self.angle.sin_cos();
        let (along, across) =
            ([self.w / 2.0 * cos, self.w / 2.0 * sin], [-self.h / 2.0 * sin, self.h / 2.0 * cos]);
        [(1.0, 1.0), (1.0, -1.0), (-1.0, -1.0), (-1.0, 1.0)].map(|(u, v)| PointPx {
            x: self.centre.x + u * along[0] + v * across[0],
            y: self.centre.y + u * along[1] + v * across[1],
        })
    }

    /// A finding whose outline is the four corners, whose area is the rotated box's and whose `box_px` is the upright
    /// box around it, cut to what shows the region; `None` where nothing of it is left. The corners are not cut: they
    /// may lie outside of the region.
    ///
    /// # Errors
    /// For a class without a label, and for boxes so large that their corners are no numbers.
    pub(crate) fn finding(
        &self,
        candidate: &Candidate,
        look: &Look<'_>,
    ) -> Result<Option<Finding>, ModelError> {
        let corners = self.corners();
        let (mut x0, mut y0, mut x1, mut y1) = (f32::MAX, f32::MAX, f32::MIN, f32::MIN);
        for p in corners {
            (x0, y0, x1, y1) = (x0.min(p.x), y0.min(p.y), x1.max(p.x), y1.max(p.y));
        }
        let around = RectPx::from_corners(x0, y0, x1, y1);
        let Some(finding) = look.finding(candidate.class as usize, candidate.score, around)? else {
            return Ok(None);
        };
        let area_px = look.placement.area((self.w * self.h).abs());
        let polygon = corners.map(|corner| look.placement.point(corner));
        if !polygon.iter().flat_map(|p| [p.x, p.y]).chain([area_px]).all(f32::is_finite) {
            return Err(look.not_a_number("rotated box"));
        }
        Ok(Some(Finding { polygon_px: Some(polygon.to_vec()), area_px, ..finding }))
    }

    /// True if the two overlap by more than a share, given as [`distance_of`] it.
    ///
    /// The overlap is ProbIoU (Llerena et al. 2021, <https://arxiv.org/abs/2106.06072>): one less the Hellinger
    /// distance of the Gaussians. Its three summands are as Ultralytics' `batch_probiou` has them; none is negative,
    /// so that those far apart are told without a logarithm.
    fn overlaps(&self, other: &Self, distance_max: f32) -> bool {
        const EPSILON: f32 = 1e-7;
        let (a, b) = (self.covariance, other.covariance);
        let sum = Covariance { xx: a.xx + b.xx, yy: a.yy + b.yy, xy: a.xy + b.xy };
        let (dx, dy) = (self.centre.x - other.centre.x, self.centre.y - other.centre.y);
        let determinant = sum.determinant();
        let apart = 0.25 * (sum.xx * dy * dy + sum.yy * dx * dx) / (determinant + EPSILON)
            - 0.5 * sum.xy * dx * dy / (determinant + EPSILON);
        if apart >= distance_max {
            return false;
        }
        let both = (a.determinant().max(0.0) * b.determinant().max(0.0)).sqrt();
        let unlike = 0.5 * (determinant / (4.0 * both + EPSILON) + EPSILON).ln();
        (apart + unlike).clamp(EPSILON, 100.0) < distance_max
    }
}

/// The Bhattacharyya distance below which two Gaussians have more than `overlap` in common: that one is
/// 1 − √(1 − e^−distance).
fn distance_of(overlap: f32) -> f32 {
    let hellinger = 1.0 - overlap;
    -(1.0 - hellinger * hellinger).max(f32::MIN_POSITIVE).ln()
}

impl Suppression {
    /// Leaves the best candidates, best first, none overlapping a better one, and their `boxes` beside them. As
    /// Ultralytics has it (Fast NMS), a candidate goes for any better one, even one that goes itself.
    pub(crate) fn rotated(
        &self,
        candidates: &mut Vec<Candidate>,
        boxes: &mut Vec<RotatedBox>,
        angle: impl Fn(u32) -> f32,
    ) {
        best_first(candidates);
        boxes.clear();
        boxes.extend(
            candidates.iter().map(|candidate| RotatedBox::new(candidate.box_px, angle(candidate.at))),
        );
        if let Some(iou_max) = self.iou_max {
            let distance_max = distance_of(iou_max);
            let mut kept: Vec<usize> = Vec::with_capacity(self.kept_max.min(candidates.len()));
            for i in 0..candidates.len() {
                if kept.len() == self.kept_max {
                    break;
                }
                let covered = (0..i).any(|better| {
                    self.compares(&candidates[better], &candidates[i])
                        && boxes[better].overlaps(&boxes[i], distance_max)
                });
                if !covered {
                    kept.push(i);
                }
            }
            for (to, from) in kept.iter().copied().enumerate() {
                candidates[to] = candidates[from];
                boxes[to] = boxes[from];
            }
            candidates.truncate(kept.len());
            boxes.truncate(kept.len());
        }
        candidates.truncate(self.kept_max);
        boxes.truncate(self.kept_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::tests::look_at;
    use proptest::prelude::*;
    use std::f32::consts::{FRAC_PI_2, PI};

    fn rotated(numbers: [f32; 5]) -> RotatedBox {
        let [cx, cy, w, h, angle] = numbers;
        RotatedBox::new(RectPx { x: cx - w / 2.0, y: cy - h / 2.0, w, h }, angle)
    }

    /// As `batch_probiou` is written, in f64.
    fn overlap(a: [f32; 5], b: [f32; 5]) -> f64 {
        const EPSILON: f64 = 1e-7;
        let covariance = |v: [f32; 5]| {
            let [_, _, w, h, angle] = v.map(f64::from);
            let (a, b, (sin, cos)) = (w * w / 12.0, h * h / 12.0, angle.sin_cos());
            (a * cos * cos + b * sin * sin, a * sin * sin + b * cos * cos, (a - b) * cos * sin)
        };
        let ((a1, b1, c1), (a2, b2, c2)) = (covariance(a), covariance(b));
        let (dx, dy) = (f64::from(a[0] - b[0]), f64::from(a[1] - b[1]));
        let determinant = (a1 + a2) * (b1 + b2) - (c1 + c2).powi(2);
        let t1 = ((a1 + a2) * dy * dy + (b1 + b2) * dx * dx) / (determinant + EPSILON) * 0.25;
        let t2 = ((c1 + c2) * -dx * dy) / (determinant + EPSILON) * 0.5;
        let roots = ((a1 * b1 - c1 * c1).max(0.0) * (a2 * b2 - c2 * c2).max(0.0)).sqrt();
        let t3 = (determinant / (4.0 * roots + EPSILON) + EPSILON).ln() * 0.5;
        1.0 - (1.0 - (-(t1 + t2 + t3).clamp(EPSILON, 100.0)).exp() + EPSILON).sqrt()
    }

    fn any_box() -> impl Strategy<Value = [f32; 5]> {
        (0.0..60.0f32, 0.0..60.0f32, 4.0..40.0f32, 4.0..40.0f32, -PI..PI)
            .prop_map(|(x, y, w, h, a)| [x, y, w, h, a])
    }

    #[test]
    fn a_positive_angle_turns_clockwise_and_a_quarter_turn_swaps_the_sides() {
        let corners = |angle| rotated([10.0, 10.0, 8.0, 2.0, angle]).corners().map(<[f32; 2]>::from);
        assert_eq!(corners(0.0), [[14.0, 11.0], [14.0, 9.0], [6.0, 9.0], [6.0, 11.0]]);
        let turned = corners(FRAC_PI_2);
        let expected = [[9.0, 14.0], [11.0, 14.0], [11.0, 6.0], [9.0, 6.0]];
        for (got, expected) in turned.iter().flatten().zip(expected.iter().flatten()) {
            assert!((got - expected).abs() < 1e-5, "{turned:?}");
        }
        // The right end of a box turned by less goes down, which is clockwise to who looks at the picture.
        let right_end = corners(0.1)[0][1] + corners(0.1)[1][1];
        assert!(right_end > 20.0, "{right_end}");
    }

    #[test]
    fn a_box_over_the_edge_keeps_its_corners_and_area_and_only_the_box_around_it_is_cut() {
        look_at(&["a"], 100, 100, |look| {
            let numbers = [0.0, 50.0, 40.0, 20.0, FRAC_PI_2 / 2.0];
            let candidate =
                Candidate { box_px: RectPx::from([-20.0, 40.0, 40.0, 20.0]), score: 0.5, class: 0, at: 0 };
            let finding = rotated(numbers).finding(&candidate, look).unwrap().unwrap();
            assert!((finding.area_px - 800.0).abs() < 1e-3, "{finding:?}");
            let half = 30.0 / 2.0_f32.sqrt();
            for (got, expected) in
                <[f32; 4]>::from(finding.box_px).iter().zip([0.0, 50.0 - half, half, 2.0 * half])
            {
                assert!((got - expected).abs() < 1e-3, "{finding:?}");
            }
            assert!(finding.polygon_px.unwrap().iter().any(|p| p.x < 0.0));
            let gone = rotated([-60.0, 50.0, 40.0, 20.0, 1.0]).finding(&candidate, look).unwrap();
            assert!(gone.is_none());
        });
    }

    #[test]
    fn a_box_goes_for_a_better_one_even_if_that_goes_too() {
        // Each overlaps its neighbour, the first and the third do not.
        let at = |x: f32, score: f32, at: u32| Candidate {
            box_px: RectPx::from([x, 0.0, 20.0, 20.0]),
            score,
            class: 0,
            at,
        };
        let mut all = vec![at(0.0, 0.9, 0), at(8.0, 0.8, 1), at(16.0, 0.7, 2), at(80.0, 0.6, 3)];
        let mut boxes = Vec::new();
        let suppression = Suppression { iou_max: Some(0.5), class_agnostic: false, kept_max: 300 };
        suppression.rotated(&mut all, &mut boxes, |_| 0.0);
        assert_eq!(all.iter().map(|c| c.at).collect::<Vec<_>>(), [0, 3]);
        assert_eq!(boxes.len(), 2);
        assert_eq!(boxes[1].centre, PointPx { x: 90.0, y: 10.0 });
    }

    proptest! {
        #[test]
        fn the_overlap_is_ultralyticss(a in any_box(), b in any_box(), iou_max in 0.05..0.95f32) {
            let expected = overlap(a, b);
            // Within rounding of the threshold either answer will do.
            prop_assume!((expected - f64::from(iou_max)).abs() > 1e-3);
            let overlaps = rotated(a).overlaps(&rotated(b), distance_of(iou_max));
            prop_assert_eq!(overlaps, expected > f64::from(iou_max), "{} at {}", expected, iou_max);
        }

        #[test]
        fn corners_are_as_far_apart_as_the_sides_are_long(numbers in any_box()) {
            let [_, _, w, h, _] = numbers;
            let corners = rotated(numbers).corners();
            let side = |a: PointPx, b: PointPx| (a.x - b.x).hypot(a.y - b.y);
            prop_assert!((side(corners[0], corners[1]) - h).abs() < 1e-3);
            prop_assert!((side(corners[1], corners[2]) - w).abs() < 1e-3);
            prop_assert!((side(corners[0], corners[2]) - w.hypot(h)).abs() < 1e-3);
        }
    }
}
