//! A machined steel washer: turned faces that shine in a bow tie, chamfers that catch the light, a hole.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Mark, Spoilt};
use crate::{
    DefectKind,
    flaw::{Flaw, Texel, draw_visibility},
    grain::Grain,
    shape::{Bgr, Blob, V2, coverage, mix, mix_bgr, sd_taper, smoothstep, tinted},
};

const OUTER_MM: f32 = 12.0;
const HOLE_MM: f32 = 6.2;
/// Natural variation of either radius; a wrong size is several times this.
const TOLERANCE_MM: f32 = 0.06;
const CHAMFER_MM: f32 = 0.55;
/// Entries of the tool-mark profile, from the middle to 14 mm: about one a px, for finer marks would only shimmer.
const GROOVES: usize = 86;
const GROOVES_MM: f32 = 14.0;

/// A burr: metal that stands out of a rim.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Burr {
    base: V2,
    tip: V2,
    half_width: f32,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Washer {
    /// Radii of this washer had it been sound.
    outer: f32,
    hole: f32,
    /// What a wrong size adds to them.
    outer_by: f32,
    hole_by: f32,
    /// Where the hole's middle is.
    hole_at: V2,
    chips: Vec<Blob>,
    burrs: Vec<Burr>,
    /// Tool marks by radius, about -1..1.
    grooves: Vec<f32>,
    tone: f32,
    tint: Bgr,
    seed: V2,
}

impl Washer {
    pub(crate) fn draw(rng: &mut ChaCha8Rng) -> Self {
        let mut radius = |nominal: f32| nominal + rng.random_range(-TOLERANCE_MM..TOLERANCE_MM);
        let (outer, hole) = (radius(OUTER_MM), radius(HOLE_MM));
        let (feed, chatter) = (rng.random_range(1.3..2.6), rng.random_range(0.15..0.45));
        let phase = rng.random_range(0.0..std::f32::consts::TAU);
        let grooves = (0..GROOVES)
            .map(|i| {
                let i = i as f32;
                let tool = (i * feed + phase).sin() * 0.45;
                let slow = (i * chatter + phase * 2.0).sin() * 0.3;
                tool + slow + rng.random_range(-0.4..0.4)
            })
            .collect();
        let warm = rng.random_range(-0.03..0.04);
        Self {
            outer,
            hole,
            outer_by: 0.0,
            hole_by: 0.0,
            hole_at: V2::default(),
            chips: Vec::new(),
            burrs: Vec::new(),
            grooves,
            tone: rng.random_range(0.94..1.06),
            tint: [1.02 - warm, 1.0, 0.97 + warm],
            seed: V2::draw_seed(rng),
        }
    }

    pub(crate) fn outer_mm(&self) -> f32 {
        self.outer + self.outer_by
    }

    /// How far a burr stands out of the rim at most.
    pub(crate) fn sticks_out_mm(&self) -> f32 {
        if self.burrs.is_empty() { 0.0 } else { 4.0 }
    }

    fn hole_mm(&self) -> f32 {
        self.hole + self.hole_by
    }

    pub(crate) fn mended(&self) -> Self {
        Self {
            outer_by: 0.0,
            hole_by: 0.0,
            hole_at: V2::default(),
            chips: Vec::new(),
            burrs: Vec::new(),
            ..self.clone()
        }
    }

    pub(crate) fn spoil(&mut self, kind: DefectKind, rng: &mut ChaCha8Rng) -> Spoilt {
        let way = V2::draw_way(rng);
        let on_face = way * ((self.outer + self.hole) / 2.0 + rng.random_range(-1.3..1.3));
        match kind {
            DefectKind::Scratch => Spoilt::Surface(Flaw::draw_scratch(rng, on_face, 10.0)),
            DefectKind::Dent => Spoilt::Surface(Flaw::draw_dent(rng, on_face)),
            DefectKind::Stain => Spoilt::Surface(Flaw::draw_stain(rng, on_face)),
            DefectKind::Missing if rng.random_bool(0.6) => Spoilt::Body(self.chip(way, rng)),
            DefectKind::Missing => Spoilt::Body(self.move_hole(way, rng)),
            DefectKind::Extra => Spoilt::Body(self.grow_burr(way, rng)),
            DefectKind::WrongSize => Spoilt::Body(self.resize(rng)),
        }
    }

    fn chip(&mut self, way: V2, rng: &mut ChaCha8Rng) -> Mark {
        let radius = mix(0.75, 2.2, draw_visibility(rng));
        let seed = V2::draw_seed(rng);
        let at = way * (self.outer_mm() + 0.1 * radius);
        self.chips.push(Blob { at, radius, ragged: 0.3, seed });
        Mark { kind: DefectKind::Missing, at: at - way * (0.3 * radius), half: V2::new(radius, radius) }
    }

    fn move_hole(&mut self, way: V2, rng: &mut ChaCha8Rng) -> Mark {
        self.hole_at = way * mix(0.65, 2.1, draw_visibility(rng));
        let r = self.hole_mm() + 0.5 * self.hole_at.length();
        Mark { kind: DefectKind::Missing, at: self.hole_at * 0.5, half: V2::new(r, r) }
    }

    fn grow_burr(&mut self, way: V2, rng: &mut ChaCha8Rng) -> Mark {
        let v = draw_visibility(rng);
        let (length, half_width) = (mix(0.55, 2.0, v), mix(0.4, 0.9, v) * rng.random_range(0.6..1.1));
        let skew = V2::new(-way.y, way.x) * rng.random_range(-0.6..0.6);
        let (base, tip) = if rng.random_bool(0.7) {
            (way * (self.outer_mm() - 0.25), way * (self.outer_mm() + length) + skew)
        } else {
            (
                self.hole_at + way * (self.hole_mm() + 0.25),
                self.hole_at + way * (self.hole_mm() - length) + skew,
            )
        };
        self.burrs.push(Burr { base, tip, half_width });
        let reach = (tip - base) * 0.5;
        let half = V2::new(reach.x.abs() + half_width, reach.y.abs() + half_width);
        Mark { kind: DefectKind::Extra, at: (base + tip) * 0.5, half }
    }

    fn resize(&mut self, rng: &mut ChaCha8Rng) -> Mark {
        let by = mix(0.42, 1.1, draw_visibility(rng)) * if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        let r = if rng.random_bool(0.5) {
            self.outer_by = by;
            self.outer + by.max(0.0)
        } else {
            self.hole_by = by;
            self.hole + by.max(0.0)
        };
        Mark { kind: DefectKind::WrongSize, at: V2::default(), half: V2::new(r, r) }
    }

    pub(crate) fn texel(&self, p: V2, mm_per_px: f32, to_light: V2) -> Texel {
        let r = p.length();
        let from_hole = p - self.hole_at;
        let r_hole = from_hole.length();
        let (sd_outer, sd_hole) = (r - self.outer_mm(), self.hole_mm() - r_hole);
        let mut sd = sd_outer.max(sd_hole);
        let mut class = 0;
        if self.outer_by != 0.0 || self.hole_by != 0.0 {
            let sized = (r - self.outer_mm()).max(self.hole_mm() - r) < 0.0;
            let sound = (r - self.outer).max(self.hole - r) < 0.0;
            if sized != sound {
                class = DefectKind::WrongSize.class_id();
            }
        }
        if self.hole_at != V2::default() && (r < self.hole_mm()) != (r_hole < self.hole_mm()) {
            class = DefectKind::Missing.class_id();
        }
        let mut sd_torn = f32::MAX;
        for chip in &self.chips {
            let sd_chip = chip.sd(p);
            if sd_chip < 0.0 && sd < 0.0 {
                class = DefectKind::Missing.class_id();
            }
            sd_torn = sd_torn.min(sd_chip);
        }
        sd = sd.max(-sd_torn);
        let mut bgr = [0.0; 3];
        if sd < mm_per_px {
            bgr = self.face(p, r, to_light);
            bgr = self.chamfered(bgr, sd_outer, p * (1.0 / r.max(0.1)), to_light);
            bgr = self.chamfered(bgr, sd_hole, -from_hole * (1.0 / r_hole.max(0.1)), to_light);
        }
        if sd_torn < 0.8 {
            // A broken edge is rough and dull.
            let dull = 0.22 + 0.12 * Grain::get().rough((p.x * 7.0) as i32, (p.y * 7.0) as i32);
            bgr = mix_bgr(bgr, tinted(dull, self.tint), smoothstep(0.45, 0.05, sd_torn));
        }
        for burr in &self.burrs {
            let sd_burr = sd_taper(p, burr.base, burr.tip, burr.half_width, burr.half_width * 0.3);
            if sd_burr < sd && sd_burr < mm_per_px {
                if sd_burr < 0.0 && sd > 0.0 {
                    class = DefectKind::Extra.class_id();
                }
                let glint = 0.55 + 0.3 * Grain::get().rough((p.x * 5.0) as i32, (p.y * 5.0) as i32);
                bgr = tinted(glint, self.tint);
                sd = sd_burr;
            }
        }
        Texel { bgr, alpha: coverage(sd, mm_per_px), class }
    }

    /// The turned face: concentric tool marks, brightest where they lie across the light.
    fn face(&self, p: V2, r: f32, to_light: V2) -> Bgr {
        let grain = Grain::get();
        let at = (r * ((GROOVES - 2) as f32 / GROOVES_MM)).min((GROOVES - 2) as f32);
        let groove = mix(self.grooves[at as usize], self.grooves[at as usize + 1], at - (at as usize) as f32);
        let along = p.dot(to_light) / r.max(0.1);
        let across = 1.0 - along * along;
        let bow = along * along;
        let cloud = grain.smooth(self.seed.x + p.x * 3.0, self.seed.y + p.y * 3.0);
        let speck =
            grain.rough((p.x * 9.0) as i32 + self.seed.x as i32, (p.y * 9.0) as i32 + self.seed.y as i32);
        let v = 0.37
            + 0.40 * bow * bow * bow * (0.85 + 0.25 * groove)
            + 0.06 * across * across
            + 0.05 * groove
            + 0.03 * cloud
            + 0.018 * speck;
        tinted(v * self.tone, self.tint)
    }

    /// A chamfer along the rim `sd` away, whose wall looks `outwards`.
    fn chamfered(&self, face: Bgr, sd: f32, outwards: V2, to_light: V2) -> Bgr {
        let on_wall = smoothstep(-CHAMFER_MM - 0.08, -CHAMFER_MM + 0.08, sd);
        if on_wall == 0.0 {
            return face;
        }
        let lit = outwards.dot(to_light);
        let wall = 0.46 + 0.40 * lit + 0.12 * (lit * lit * lit).max(0.0);
        mix_bgr(face, tinted(wall.max(0.08) * self.tone, self.tint), on_wall)
    }

    pub(crate) fn shadow(&self, p: V2, to_light: V2) -> f32 {
        let q = p + to_light * 0.9; // the washer is some 2 mm thick, the light stands high
        let sd = (q.length() - self.outer_mm()).max(self.hole_mm() - (q - self.hole_at).length());
        0.62 * smoothstep(1.1, -0.5, sd)
    }
}
