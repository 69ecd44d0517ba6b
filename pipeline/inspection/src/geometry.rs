//! Places in a picture. Coordinates are continuous: pixel `i` covers `i..i+1`, so its centre is at `i + 0.5`.

use serde::{Deserialize, Serialize};

/// A point in frame px, x to the right, y down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f32; 2]", into = "[f32; 2]")]
pub struct PointPx {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

impl From<[f32; 2]> for PointPx {
    fn from([x, y]: [f32; 2]) -> Self {
        Self { x, y }
    }
}
impl From<PointPx> for [f32; 2] {
    fn from(p: PointPx) -> Self {
        [p.x, p.y]
    }
}

/// An upright rectangle in px: written `[x, y, w, h]` in TOML and JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f32; 4]", into = "[f32; 4]")]
pub struct RectPx {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl From<[f32; 4]> for RectPx {
    fn from([x, y, w, h]: [f32; 4]) -> Self {
        Self { x, y, w, h }
    }
}
impl From<RectPx> for [f32; 4] {
    fn from(r: RectPx) -> Self {
        [r.x, r.y, r.w, r.h]
    }
}

impl RectPx {
    /// From two corners, left-top and right-bottom.
    pub fn from_corners(x0: f32, y0: f32, x1: f32, y1: f32) -> Self {
        Self { x: x0, y: y0, w: x1 - x0, h: y1 - y0 }
    }

    /// Right edge.
    pub fn right(self) -> f32 {
        self.x + self.w
    }

    /// Bottom edge.
    pub fn bottom(self) -> f32 {
        self.y + self.h
    }

    /// Area in px², 0 for a rectangle turned inside out.
    pub fn area(self) -> f32 {
        self.w.max(0.0) * self.h.max(0.0)
    }

    /// The middle.
    pub fn centre(self) -> PointPx {
        PointPx { x: self.x + self.w / 2.0, y: self.y + self.h / 2.0 }
    }

    /// True if `p` lies inside; left and top edges belong to it, right and bottom do not.
    pub fn contains(self, p: PointPx) -> bool {
        p.x >= self.x && p.x < self.right() && p.y >= self.y && p.y < self.bottom()
    }

    /// What both cover, of zero size where they do not meet.
    pub fn intersection(self, other: Self) -> Self {
        let x = self.x.max(other.x);
        let y = self.y.max(other.y);
        let w = (self.right().min(other.right()) - x).max(0.0);
        let h = (self.bottom().min(other.bottom()) - y).max(0.0);
        Self { x, y, w, h }
    }

    /// Intersection over union, 0..=1.
    pub fn iou(self, other: Self) -> f32 {
        let both = self.intersection(other).area();
        let either = self.area() + other.area() - both;
        if either > 0.0 { both / either } else { 0.0 }
    }
}

/// `x' = a·x + b·y + tx`, `y' = c·x + d·y + ty`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// `[[a, b, tx], [c, d, ty]]`.
    pub rows: [[f64; 3]; 2],
}

impl Affine {
    /// Leaves every point where it is.
    pub const IDENTITY: Self = Self { rows: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]] };

    /// Scales by (`sx`, `sy`), then moves by (`tx`, `ty`).
    pub fn scale_then_move(sx: f64, sy: f64, tx: f64, ty: f64) -> Self {
        Self { rows: [[sx, 0.0, tx], [0.0, sy, ty]] }
    }

    /// Where `p` goes.
    pub fn apply(&self, p: PointPx) -> PointPx {
        let [[a, b, tx], [c, d, ty]] = self.rows;
        let (x, y) = (f64::from(p.x), f64::from(p.y));
        PointPx { x: (a * x + b * y + tx) as f32, y: (c * x + d * y + ty) as f32 }
    }

    /// First `self`, then `next`.
    pub fn then(&self, next: &Self) -> Self {
        let [[a, b, tx], [c, d, ty]] = self.rows;
        let [[e, f, ux], [g, h, uy]] = next.rows;
        Self {
            rows: [
                [e * a + f * c, e * b + f * d, e * tx + f * ty + ux],
                [g * a + h * c, g * b + h * d, g * tx + h * ty + uy],
            ],
        }
    }

    /// The way back; `None` where the map flattens the plane.
    pub fn inverse(&self) -> Option<Self> {
        let [[a, b, tx], [c, d, ty]] = self.rows;
        let det = a * d - b * c;
        (det.abs() > 1e-12).then(|| Self {
            rows: [
                [d / det, -b / det, (b * ty - d * tx) / det],
                [-c / det, a / det, (c * tx - a * ty) / det],
            ],
        })
    }

    /// How many times larger an area gets.
    pub fn area_scale(&self) -> f64 {
        let [[a, b, _], [c, d, _]] = self.rows;
        (a * d - b * c).abs()
    }
}

/// Where a tensor's pixels lie in the (undistorted) frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Tensor px → frame px.
    pub frame_from_tensor: Affine,
    /// The part of the tensor, in tensor px, that shows the region; the rest is letterbox padding.
    pub content_px: RectPx,
}

impl Placement {
    /// A point of the tensor, in frame px.
    pub fn point(&self, in_tensor: PointPx) -> PointPx {
        self.frame_from_tensor.apply(in_tensor)
    }

    /// The upright frame rectangle around a tensor rectangle.
    pub fn rect(&self, in_tensor: RectPx) -> RectPx {
        let corners = [
            (in_tensor.x, in_tensor.y),
            (in_tensor.right(), in_tensor.y),
            (in_tensor.x, in_tensor.bottom()),
            (in_tensor.right(), in_tensor.bottom()),
        ]
        .map(|(x, y)| self.point(PointPx { x, y }));
        let (mut x0, mut y0, mut x1, mut y1) = (f32::MAX, f32::MAX, f32::MIN, f32::MIN);
        for p in corners {
            (x0, y0, x1, y1) = (x0.min(p.x), y0.min(p.y), x1.max(p.x), y1.max(p.y));
        }
        RectPx::from_corners(x0, y0, x1, y1)
    }

    /// Tensor px² → frame px².
    pub fn area(&self, in_tensor_px2: f32) -> f32 {
        (f64::from(in_tensor_px2) * self.frame_from_tensor.area_scale()) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn there_and_back_again_is_where_we_were(
            a in 0.1..4.0f64, b in -1.0..1.0f64, tx in -500.0..500.0f64, d in 0.5..4.0f64, ty in -500.0..500.0f64,
            x in 0.0..2000.0f32, y in 0.0..2000.0f32,
        ) {
            let map = Affine { rows: [[a, b, tx], [-b * 0.1, d, ty]] };
            let back = map.then(&map.inverse().expect("a·d outweighs b²/10"));
            let p = back.apply(PointPx { x, y });
            prop_assert!((p.x - x).abs() < 0.01 && (p.y - y).abs() < 0.01);
        }
    }

    #[test]
    fn iou_of_a_half_overlap_is_a_third() {
        let a = RectPx::from([0.0, 0.0, 2.0, 2.0]);
        assert!((a.iou(RectPx::from([1.0, 0.0, 2.0, 2.0])) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(a.iou(RectPx::from([5.0, 5.0, 1.0, 1.0])), 0.0);
    }
}
