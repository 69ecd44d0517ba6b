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
