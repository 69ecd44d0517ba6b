//! What the camera sees: belt, parts, light and noise, put together into a picture.

use plumb_inspection::{Image, PixelFormat};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    ClassMask, LineConfig, Part,
    grain::Grain,
    shape::{Bgr, V2, mix_bgr, tinted},
};

/// The belt's pattern repeats after this many px.
const BELT_PX: usize = 1024;
const BELT_TINT: Bgr = [0.92, 1.06, 0.98];

/// How a part lies in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Its middle, px from the left edge.
    pub x_px: f32,
    /// Its middle, px from the top edge.
    pub y_px: f32,
    /// Its turn, degrees from x towards y.
    pub turn_deg: f32,
}

/// The camera's surroundings: what stays the same from picture to picture, computed once.
pub struct Scene {
    width: usize,
    height: usize,
    mm_per_px: f32,
    noise: f32,
    /// Unit vector towards the lamp.
    to_light: V2,
    /// Grey of the belt, `height` rows of `BELT_PX`.
    belt: Vec<f32>,
    /// 255 × light on each px.
    light: Vec<f32>,
}

impl Scene {
    /// The scene of a line. Equal configs make equal scenes.
    pub fn new(config: &LineConfig) -> Self {
        let (width, height) = (config.width as usize, config.height as usize);
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        rng.set_stream(u64::MAX);
        let to_light = V2::at_angle((-124.0f32 + rng.random_range(-12.0..12.0)).to_radians());
        Self {
            width,
            height,
            mm_per_px: config.mm_per_px as f32,
            noise: config.noise as f32,
            to_light,
            belt: weave(height, config.mm_per_px as f32, &mut rng),
            light: light_map(width, height, config.uneven_light as f32, to_light),
        }
    }

    /// A picture of `parts` on the belt, which has travelled `belt_px`, and the mask of their defects.
    ///
    /// Bgr8, packed. `frame_seed` chooses the sensor noise and nothing else.
    pub fn picture(&self, parts: &[(&Part, Pose)], belt_px: f64, frame_seed: u64) -> (Image, ClassMask) {
        let mut mask = vec![0; self.width * self.height];
        let image = self.paint(parts, belt_px, frame_seed, &mut mask);
        (image, ClassMask::new(self.width as u32, self.height as u32, mask))
    }

    fn paint(&self, parts: &[(&Part, Pose)], belt_px: f64, frame_seed: u64, mask: &mut [u8]) -> Image {
        let mut canvas = self.bare_belt(belt_px);
        for (part, pose) in parts {
            self.lay(part, *pose, &mut canvas, mask);
        }
        let pixels = self.expose(&canvas, frame_seed);
        Image::packed(self.width as u32, self.height as u32, PixelFormat::Bgr8, pixels)
            .expect("the canvas has a px for each px of the picture")
    }

    fn bare_belt(&self, belt_px: f64) -> Vec<Bgr> {
        let shift = belt_px.rem_euclid(BELT_PX as f64) as usize;
        let mut canvas = Vec::with_capacity(self.width * self.height);
        for row in self.belt.chunks_exact(BELT_PX) {
            // The belt moves to larger x: what is at x now was at x - shift.
            let from = row.iter().cycle().skip(BELT_PX - shift).take(self.width);
            canvas.extend(from.map(|grey| tinted(*grey, BELT_TINT)));
        }
        canvas
    }

    fn lay(&self, part: &Part, pose: Pose, canvas: &mut [Bgr], mask: &mut [u8]) {
        let turn = V2::at_angle(pose.turn_deg.to_radians());
        let to_light = self.to_light.unturned(turn);
        let reach = part.body.reach_mm() * (1.0 / self.mm_per_px);
        let span = |middle: f32, reach: f32, side: usize| {
            let clip = |v: f32| v.clamp(0.0, side as f32) as usize;
            clip((middle - reach).floor())..clip((middle + reach).ceil())
        };
        let columns = span(pose.x_px, (reach.x * turn.x).abs() + (reach.y * turn.y).abs(), self.width);
        for y in span(pose.y_px, (reach.x * turn.y).abs() + (reach.y * turn.x).abs(), self.height) {
            for x in columns.clone() {
                let from_middle =
                    V2::new(x as f32 + 0.5 - pose.x_px, y as f32 + 0.5 - pose.y_px) * self.mm_per_px;
                let p = from_middle.unturned(turn);
                let mut texel = part.body.texel(p, self.mm_per_px, to_light);
                for flaw in &part.flaws {
                    flaw.apply(p, self.mm_per_px, to_light, &mut texel);
                }
                let i = y * self.width + x;
                let mut under = canvas[i];
                if texel.alpha < 1.0 {
                    under = tinted(1.0 - part.body.shadow(p, to_light), under);
                }
                canvas[i] = mix_bgr(under, texel.bgr, texel.alpha);
                if texel.class != 0 {
                    mask[i] = texel.class;
                }
            }
        }
    }

    /// Light and noise, and eight bits.
    fn expose(&self, canvas: &[Bgr], frame_seed: u64) -> Vec<u8> {
        let mut pixels = vec![0; canvas.len() * 3];
        let normal = Grain::get().normal();
        let room = normal.len() - 3 * self.width;
        let rows = canvas.chunks_exact(self.width).zip(self.light.chunks_exact(self.width));
        for (y, (out, (row, light))) in pixels.chunks_exact_mut(3 * self.width).zip(rows).enumerate() {
            let noise = &normal[hash(frame_seed, y as u64) as usize % room..];
            let px = out.chunks_exact_mut(3).zip(row).zip(light).zip(noise.chunks_exact(3));
            for (((out, bgr), light), noise) in px {
                for c in 0..3 {
                    out[c] = (bgr[c] * light + noise[c] * self.noise + 0.5) as u8; // `as` saturates
                }
            }
        }
        pixels
    }
}

/// One part in one pose: the picture and where its defects show in it. The same for the same arguments.
pub fn render(scene: &Scene, part: &Part, pose: Pose, frame_seed: u64) -> (Image, ClassMask) {
    let belt_px = (hash(frame_seed, u64::MAX) % BELT_PX as u64) as f64;
    scene.picture(&[(part, pose)], belt_px, frame_seed)
}

/// A woven rubber belt with wear along its way.
fn weave(height: usize, mm_per_px: f32, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let grain = Grain::get();
    let (ox, oy) = (rng.random_range(0..256), rng.random_range(0..256));
    let thread = 0.9 / mm_per_px; // px from thread to thread
    let threads = (BELT_PX as f32 / thread).round() as i32; // whole ones, so that the pattern closes
    let mut belt = Vec::with_capacity(height * BELT_PX);
    for y in 0..height {
        for x in 0..BELT_PX {
            let (u, v) = (x as f32 * threads as f32 / BELT_PX as f32, y as f32 / thread);
            let (fu, fv) = (u.fract() - 0.5, v.fract() - 0.5);
            let over = (u as i32 + v as i32) % 2 == 0;
            let round = if over { 1.0 - 3.4 * fv * fv } else { 1.0 - 3.4 * fu * fu };
            let wear = grain.smooth(ox as f32, y as f32 * 0.35 + oy as f32);
            let cloud = grain.smooth(x as f32 / 4.0, y as f32 / 4.0 + ox as f32);
            let speck = grain.rough(x as i32 + ox, y as i32 + oy);
            belt.push(0.105 + 0.055 * round + 0.02 * wear + 0.018 * cloud + 0.018 * speck);
        }
    }
    belt
}

/// Brightest towards the lamp, darker away from it and towards the corners.
fn light_map(width: usize, height: usize, uneven: f32, to_light: V2) -> Vec<f32> {
    let middle = V2::new(width as f32 / 2.0, height as f32 / 2.0);
    let corner = to_light.x.abs() * middle.x + to_light.y.abs() * middle.y;
    let mut light = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let d = V2::new(x as f32 + 0.5, y as f32 + 0.5) - middle;
            let away = 0.5 - 0.5 * d.dot(to_light) / corner;
            let out = d.dot(d) / middle.dot(middle);
            light.push(255.0 * (1.0 - uneven * (0.7 * away + 0.3 * out)));
        }
    }
    light
}

/// Splitmix64 of two numbers.
fn hash(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ b.wrapping_mul(0xD134_2543_DE82_EF95);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
