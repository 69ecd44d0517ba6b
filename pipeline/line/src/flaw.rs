//! What can happen to any surface: a scratch, a dent, a stain. Drawn over whatever the product looks like there.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{
    DefectKind,
    shape::{Bgr, Blob, V2, coverage, mix, mix_bgr, sd_taper, smoothstep},
};

/// One px of a part: its colour, how much of the px the part covers, and the class of the defect seen there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Texel {
    pub(crate) bgr: Bgr,
    pub(crate) alpha: f32,
    pub(crate) class: u8,
}

/// How visible a defect is, 0..1: most are plain, every sixth or so is hard.
pub(crate) fn draw_visibility(rng: &mut ChaCha8Rng) -> f32 {
    if rng.random_bool(0.15) { rng.random_range(0.2..0.45) } else { rng.random_range(0.45..1.0) }
}

/// A flaw of the surface.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Flaw {
    Scratch { points: [V2; 7], width_mm: f32, strength: f32 },
    Dent { at: V2, radius_mm: f32, depth: f32 },
    Stain { blob: Blob, tint: Bgr, strength: f32 },
}

impl Flaw {
    /// A scratch through `middle`.
    pub(crate) fn draw_scratch(rng: &mut ChaCha8Rng, middle: V2, longest_mm: f32) -> Self {
        let v = draw_visibility(rng);
        let length = longest_mm * mix(0.35, 0.7, v) * rng.random_range(0.8..1.4);
        let mut heading = rng.random_range(0.0..std::f32::consts::TAU);
        let bend = rng.random_range(-0.22..0.22);
        let mut points = [V2::default(); 7];
        for i in 1..7 {
            heading += bend + rng.random_range(-0.06..0.06);
            points[i] = points[i - 1] + V2::at_angle(heading) * (length / 6.0);
        }
        let shift = middle - points[3];
        for p in &mut points {
            *p = *p + shift;
        }
        Self::Scratch { points, width_mm: mix(0.2, 0.42, v), strength: mix(0.4, 0.95, v) }
    }

    /// A hollow at `at`.
    pub(crate) fn draw_dent(rng: &mut ChaCha8Rng, at: V2) -> Self {
        let v = draw_visibility(rng);
        Self::Dent {
            at,
            radius_mm: mix(0.9, 1.9, v) * rng.random_range(0.85..1.15),
            depth: mix(0.35, 0.8, v),
        }
    }

    /// A patch of oil, rust or dye at `at`.
    pub(crate) fn draw_stain(rng: &mut ChaCha8Rng, at: V2) -> Self {
        let v = draw_visibility(rng);
        let tints = [[0.25, 0.45, 0.72], [0.35, 0.36, 0.38], [0.62, 0.42, 0.30]]; // rust, grease, dye
        let tint = tints[rng.random_range(0..tints.len())];
        let seed = V2::draw_seed(rng);
        let blob = Blob { at, radius: mix(0.9, 2.4, v) * rng.random_range(0.85..1.2), ragged: 0.6, seed };
        Self::Stain { blob, tint, strength: mix(0.45, 0.95, v) }
    }

    pub(crate) fn kind(&self) -> DefectKind {
        match self {
            Self::Scratch { .. } => DefectKind::Scratch,
            Self::Dent { .. } => DefectKind::Dent,
            Self::Stain { .. } => DefectKind::Stain,
        }
    }

    /// Middle and half sides of a box around it.
    pub(crate) fn bounds(&self) -> (V2, V2) {
        match self {
            Self::Scratch { points, width_mm, .. } => {
                let (mut lo, mut hi) = (points[0], points[0]);
                for p in points {
                    lo = V2::new(lo.x.min(p.x), lo.y.min(p.y));
                    hi = V2::new(hi.x.max(p.x), hi.y.max(p.y));
                }
                ((lo + hi) * 0.5, (hi - lo) * 0.5 + V2::new(*width_mm, *width_mm))
            }
            Self::Dent { at, radius_mm, .. } => (*at, V2::new(*radius_mm, *radius_mm)),
            Self::Stain { blob, .. } => {
                let r = blob.radius * (1.0 + blob.ragged);
                (blob.at, V2::new(r, r))
            }
        }
    }

    /// Draws itself over the texel at `p`. `to_light` is the unit vector towards the light.
    pub(crate) fn apply(&self, p: V2, mm_per_px: f32, to_light: V2, texel: &mut Texel) {
        let (middle, half) = self.bounds();
        let d = p - middle;
        if d.x.abs() > half.x + mm_per_px || d.y.abs() > half.y + mm_per_px {
            return;
        }
        let marked = match self {
            Self::Scratch { points, width_mm, strength } => {
                let sd =
                    points.windows(2).map(|w| sd_taper(p, w[0], w[1], 0.0, 0.0)).fold(f32::MAX, f32::min);
                // It fades out towards both ends, as a scratch does when the thing that made it lifts off.
                let lift = smoothstep(0.0, 0.18, ends(p, points));
                let cover = coverage(sd - width_mm / 2.0, mm_per_px) * mix(0.45, 1.0, lift);
                // A groove throws light aside: dark where the surface shines, bright where it does not.
                let shine = smoothstep(0.5, 0.62, texel.bgr[1]);
                let groove = mix_bgr([0.95, 0.96, 0.97], [0.12, 0.12, 0.13], shine);
                texel.bgr = mix_bgr(texel.bgr, groove, cover * strength);
                cover > 0.35
            }
            Self::Dent { at, radius_mm, depth } => {
                let q = (p - *at) * (1.0 / radius_mm);
                let inside = (1.0 - q.dot(q)).max(0.0);
                // A hollow's far wall faces the light.
                let slope = -q.dot(to_light) * inside * 2.6;
                let v = depth * (slope - 0.30 * inside * inside);
                texel.bgr = texel.bgr.map(|c| (c + c.max(0.35) * v).clamp(0.02, 1.0));
                inside > 0.2
            }
            Self::Stain { blob, tint, strength } => {
                let sd = blob.sd(p);
                let rim = 0.12 * smoothstep(-0.5, -0.1, sd); // it dries darker at its rim
                let cover = smoothstep(0.25, -0.25, sd);
                let t = (strength + rim) * cover;
                for (c, k) in texel.bgr.iter_mut().zip(tint) {
                    *c *= mix(1.0, *k, t.min(1.0));
                }
                cover > 0.4
            }
        };
        if marked && texel.alpha > 0.5 {
            texel.class = self.kind().class_id();
        }
    }
}

/// How far `p` is along the scratch from its nearer end: 0 at an end, 1 at the other end's distance.
fn ends(p: V2, points: &[V2; 7]) -> f32 {
    let (a, b) = (points[0], points[6]);
    let axis = b - a;
    let t = (p - a).dot(axis) / axis.dot(axis).max(1e-9);
    t.min(1.0 - t).max(0.0)
}
