//! Irregularity, made once and looked up ever after: a tile of smooth noise, and a table of sensor noise.
//!
//! A picture asks for some 10⁵ random numbers in two milliseconds; no generator does that, a table does.

use std::sync::OnceLock;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SIDE: usize = 256;

/// Smooth noise in about -1..1 that repeats every 256 units, with features about 8 units across.
pub(crate) struct Grain {
    smooth: Vec<f32>,
    rough: Vec<f32>,
    normal: Vec<f32>,
}

impl Grain {
    /// The one grain of this program; always the same.
    pub(crate) fn get() -> &'static Self {
        static GRAIN: OnceLock<Grain> = OnceLock::new();
        GRAIN.get_or_init(Self::make)
    }

    /// Smooth noise at (`x`, `y`), about -1..1.
    pub(crate) fn smooth(&self, x: f32, y: f32) -> f32 {
        let (xi, yi) = (floor(x), floor(y));
        let (fx, fy) = (x - xi as f32, y - yi as f32);
        let (x0, y0) = (xi as usize & 255, yi as usize & 255);
        let (x1, y1) = ((x0 + 1) & 255, (y0 + 1) & 255);
        let at = |x: usize, y: usize| self.smooth[y * SIDE + x];
        let top = at(x0, y0) + (at(x1, y0) - at(x0, y0)) * fx;
        let bottom = at(x0, y1) + (at(x1, y1) - at(x0, y1)) * fx;
        top + (bottom - top) * fy
    }

    /// Rough noise, one independent value a cell, -1..1.
    pub(crate) fn rough(&self, x: i32, y: i32) -> f32 {
        self.rough[(y as usize & 255) * SIDE + (x as usize & 255)]
    }

    /// Standard normal numbers, 65,536 of them; start anywhere and wrap.
    pub(crate) fn normal(&self) -> &[f32] {
        &self.normal
    }

    fn make() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(0x0050_4C55_4D42);
        let rough: Vec<f32> = (0..SIDE * SIDE).map(|_| rng.random_range(-1.0..1.0)).collect();
        let mut smooth = vec![0.0; SIDE * SIDE];
        for (cell, gain) in [(16, 0.6), (8, 0.45), (4, 0.2)] {
            add_octave(&mut smooth, cell, gain, &mut rng);
        }
        // Irwin-Hall of 12 is normal enough for a sensor.
        let normal = (0..65_536).map(|_| (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0).collect();
        Self { smooth, rough, normal }
    }
}

/// The whole number below `x`. `f32::floor` is a call into libm on plain x86-64, and a picture makes 10⁵ of them.
pub(crate) fn floor(x: f32) -> i32 {
    let towards_zero = x as i32;
    towards_zero - i32::from(x < towards_zero as f32)
}

/// Adds noise of one scale: a lattice of random values, `cell` units apart, joined smoothly.
fn add_octave(tile: &mut [f32], cell: usize, gain: f32, rng: &mut ChaCha8Rng) {
    let n = SIDE / cell;
    let lattice: Vec<f32> = (0..n * n).map(|_| rng.random_range(-1.0..1.0)).collect();
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (cx, cy) = (x / cell, y / cell);
            let (fx, fy) = (ease((x % cell) as f32 / cell as f32), ease((y % cell) as f32 / cell as f32));
            let at = |i: usize, j: usize| lattice[(j % n) * n + i % n];
            let top = at(cx, cy) + (at(cx + 1, cy) - at(cx, cy)) * fx;
            let bottom = at(cx, cy + 1) + (at(cx + 1, cy + 1) - at(cx, cy + 1)) * fx;
            tile[y * SIDE + x] += gain * (top + (bottom - top) * fy);
        }
    }
}
