//! Plane geometry of a part: mm from the part's middle, x along the belt, y across it. Signed distances are negative inside.

use std::ops::{Add, Mul, Neg, Sub};

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::grain::Grain;

/// A point or a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct V2 {
    pub(crate) x: f32,
    pub(crate) y: f32,
}

impl V2 {
    pub(crate) const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// The unit vector at `radians` from the x axis.
    pub(crate) fn at_angle(radians: f32) -> Self {
        Self::new(radians.cos(), radians.sin())
    }

    /// Any direction, each as likely.
    pub(crate) fn draw_way(rng: &mut ChaCha8Rng) -> Self {
        Self::at_angle(rng.random_range(0.0..std::f32::consts::TAU))
    }

    /// Somewhere in the grain; see [`Grain`].
    pub(crate) fn draw_seed(rng: &mut ChaCha8Rng) -> Self {
        Self::new(rng.random_range(0.0..256.0), rng.random_range(0.0..256.0))
    }

    pub(crate) fn dot(self, o: Self) -> f32 {
        self.x * o.x + self.y * o.y
    }

    pub(crate) fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// Turned by the angle of the unit vector `turn`.
    pub(crate) fn turned(self, turn: Self) -> Self {
        Self::new(self.x * turn.x - self.y * turn.y, self.x * turn.y + self.y * turn.x)
    }

    /// Turned back by the angle of the unit vector `turn`.
    pub(crate) fn unturned(self, turn: Self) -> Self {
        self.turned(Self::new(turn.x, -turn.y))
    }
}

impl Add for V2 {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self::new(self.x + o.x, self.y + o.y)
    }
}
impl Sub for V2 {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Self::new(self.x - o.x, self.y - o.y)
    }
}
impl Neg for V2 {
    type Output = Self;
    fn neg(self) -> Self {
        Self::new(-self.x, -self.y)
    }
}
impl Mul<f32> for V2 {
    type Output = Self;
    fn mul(self, k: f32) -> Self {
        Self::new(self.x * k, self.y * k)
    }
}

/// A colour in blue, green, red; 0 black, 1 white.
pub(crate) type Bgr = [f32; 3];

/// `a` at 0, `b` at 1.
pub(crate) fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Channel by channel.
pub(crate) fn mix_bgr(a: Bgr, b: Bgr, t: f32) -> Bgr {
    [mix(a[0], b[0], t), mix(a[1], b[1], t), mix(a[2], b[2], t)]
}

/// A grey `v`, tinted.
pub(crate) fn tinted(v: f32, tint: Bgr) -> Bgr {
    [v * tint[0], v * tint[1], v * tint[2]]
}

/// 0 up to `from`, 1 beyond `to`, smooth between; `from` may be the larger.
pub(crate) fn smoothstep(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Share of a px covered by a shape whose edge is `sd_mm` away.
pub(crate) fn coverage(sd_mm: f32, mm_per_px: f32) -> f32 {
    (0.5 - sd_mm / mm_per_px).clamp(0.0, 1.0)
}

/// Signed distance to a line from `a` to `b` that is `ra` thick (half) at `a` and `rb` at `b`.
pub(crate) fn sd_taper(p: V2, a: V2, b: V2, ra: f32, rb: f32) -> f32 {
    let (pa, ba) = (p - a, b - a);
    let t = (pa.dot(ba) / ba.dot(ba).max(1e-9)).clamp(0.0, 1.0);
    (pa - ba * t).length() - mix(ra, rb, t)
}

/// Signed distance to a box of half sides `half` with round corners.
pub(crate) fn sd_round_box(p: V2, half: V2, corner: f32) -> f32 {
    let q = V2::new(p.x.abs() - half.x + corner, p.y.abs() - half.y + corner);
    V2::new(q.x.max(0.0), q.y.max(0.0)).length() + q.x.max(q.y).min(0.0) - corner
}

/// A patch with a ragged edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Blob {
    pub(crate) at: V2,
    pub(crate) radius: f32,
    /// Share of the radius by which the edge wanders.
    pub(crate) ragged: f32,
    /// Where in the grain its edge is taken from; two blobs with two seeds look different.
    pub(crate) seed: V2,
}

impl Blob {
    /// Signed distance, good near the edge.
    pub(crate) fn sd(&self, p: V2) -> f32 {
        /// Grain under one radius: enough for a few bays and capes around the edge.
        const SPAN: f32 = 13.0;
        let d = p - self.at;
        let wander = Grain::get()
            .smooth(self.seed.x + d.x * SPAN / self.radius, self.seed.y + d.y * SPAN / self.radius);
        d.length() - self.radius * (1.0 + self.ragged * wander)
    }
}
