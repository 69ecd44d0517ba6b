//! Parts of known geometry as a camera would show them: edges averaged over each px, then noise.

use plumb_inspection::{Image, PixelFormat};

pub(crate) const BELT: f64 = 60.0;
pub(crate) const PART: f64 = 190.0;

/// A world to be pictured: how far a place lies from the part's edge, in px; below 0 inside.
pub(crate) trait Shape {
    fn distance(&self, at: [f64; 2]) -> f64;
}

impl<F: Fn([f64; 2]) -> f64> Shape for F {
    fn distance(&self, at: [f64; 2]) -> f64 {
        self(at)
    }
}

/// Seen through a camera with `noise` grey levels of it; `seed` draws the noise.
pub(crate) fn picture(width: u32, height: u32, noise: f64, seed: u64, shape: &impl Shape) -> Image {
    let mut random = Random(seed);
    let pixels = (0..height * width).map(|at| {
        let (x, y) = (f64::from(at % width), f64::from(at / width));
        let covered = coverage(x, y, shape);
        (BELT + (PART - BELT) * covered + noise * random.normal()).round().clamp(0.0, 255.0) as u8
    });
    Image::packed(width, height, PixelFormat::Gray8, pixels.collect()).expect("as many as it says")
}

/// How much of px (x, y) the part covers, 0..=1.
fn coverage(x: f64, y: f64, shape: &impl Shape) -> f64 {
    const FINE: usize = 12;
    let middle = shape.distance([x + 0.5, y + 0.5]);
    if middle.abs() > 1.0 {
        return f64::from(u8::from(middle < 0.0));
    }
    let fine = |at: usize| (at as f64 + 0.5) / FINE as f64;
    let inside = |i: usize| {
        let at = [x + fine(i % FINE), y + fine(i / FINE)];
        // A finest cell is cut by the edge in proportion to how near it is.
        (0.5 - shape.distance(at) * FINE as f64).clamp(0.0, 1.0)
    };
    (0..FINE * FINE).map(inside).sum::<f64>() / (FINE * FINE) as f64
}

/// A plate of 120 x 70 px with an off-centre hole and a slot, turned about its middle.
#[derive(Clone, Copy)]
pub(crate) struct Plate {
    pub(crate) middle: [f64; 2],
    pub(crate) angle_deg: f64,
    pub(crate) scale: f64,
}

impl Shape for Plate {
    fn distance(&self, [x, y]: [f64; 2]) -> f64 {
        let (sin, cos) = self.angle_deg.to_radians().sin_cos();
        let (dx, dy) = (x - self.middle[0], y - self.middle[1]);
        let (u, v) = ((cos * dx + sin * dy) / self.scale, (cos * dy - sin * dx) / self.scale);
        let plate = rect(u, v, 60.0, 35.0);
        let hole = (u + 28.0).hypot(v - 5.0) - 12.0;
        let slot = rect(u - 30.0, v + 20.0, 8.0, 15.0);
        plate.max(-hole).max(-slot) * self.scale
    }
}

fn rect(u: f64, v: f64, half_width: f64, half_height: f64) -> f64 {
    let (du, dv) = (u.abs() - half_width, v.abs() - half_height);
    if du > 0.0 && dv > 0.0 { du.hypot(dv) } else { du.max(dv) }
}

/// SplitMix64 and Box–Muller: the same noise for the same seed, everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn even(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.even()
    }

    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.even()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.even()).cos()
    }
}
