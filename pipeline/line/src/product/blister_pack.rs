//! A blister pack: knurled foil, 2 × 5 clear pockets, a coral pill in each.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Mark, Spoilt};
use crate::{
    DefectKind,
    flaw::{Flaw, Texel, draw_visibility},
    grain::{Grain, floor},
    shape::{Bgr, Blob, V2, coverage, mix, mix_bgr, sd_round_box, smoothstep, tinted},
};

/// Half sides of the foil, mm.
pub(crate) const HALF: V2 = V2::new(16.5, 10.5);
const CORNER_MM: f32 = 1.8;
const COLUMNS: i32 = 5;
const PITCH: V2 = V2::new(6.25, 9.0);
const POCKET_MM: f32 = 2.8;
const PILL_MM: f32 = 2.15;
const CORAL: Bgr = [0.46, 0.58, 0.93];

/// A pill, whole or not.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pill {
    at: V2,
    /// Radius relative to a sound pill; 0 if it is not there.
    scale: f32,
    /// Direction of its score line.
    turn: V2,
    tone: f32,
    /// What is broken off: everything beyond this far, mm, along `turn`.
    broken_at: Option<f32>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BlisterPack {
    /// Ten pills, row by row.
    pills: Vec<Pill>,
    /// The same, had the pack been sound.
    sound: Vec<Pill>,
    /// Pills that lie on the foil.
    loose: Vec<Pill>,
    crumbs: Vec<Blob>,
    tone: f32,
    seed: V2,
}

fn pocket_at(i: i32) -> V2 {
    V2::new((i % COLUMNS - 2) as f32 * PITCH.x, (i / COLUMNS) as f32 * PITCH.y - PITCH.y / 2.0)
}

/// The pocket nearest to `p`.
fn nearest_pocket(p: V2) -> usize {
    let column = (floor(p.x / PITCH.x + 0.5) + 2).clamp(0, COLUMNS - 1);
    (column + if p.y > 0.0 { COLUMNS } else { 0 }) as usize
}

impl BlisterPack {
    pub(crate) fn draw(rng: &mut ChaCha8Rng) -> Self {
        let batch = rng.random_range(0.96..1.03);
        let pills: Vec<Pill> = (0..2 * COLUMNS)
            .map(|i| {
                let slack = V2::draw_way(rng) * rng.random_range(0.0..0.35);
                Pill {
                    at: pocket_at(i) + slack,
                    scale: rng.random_range(0.985..1.015),
                    turn: V2::draw_way(rng),
                    tone: batch * rng.random_range(0.97..1.03),
                    broken_at: None,
                }
            })
            .collect();
        Self {
            sound: pills.clone(),
            pills,
            loose: Vec::new(),
            crumbs: Vec::new(),
            tone: rng.random_range(0.95..1.05),
            seed: V2::draw_seed(rng),
        }
    }

    pub(crate) fn mended(&self) -> Self {
        Self { pills: self.sound.clone(), loose: Vec::new(), crumbs: Vec::new(), ..self.clone() }
    }

    pub(crate) fn spoil(&mut self, kind: DefectKind, rng: &mut ChaCha8Rng) -> Spoilt {
        let anywhere = V2::new(rng.random_range(-14.0..14.0), rng.random_range(-8.5..8.5));
        let between = on_foil(rng);
        let pocket = rng.random_range(0..self.pills.len());
        match kind {
            DefectKind::Scratch => Spoilt::Surface(Flaw::draw_scratch(rng, anywhere, 13.0)),
            DefectKind::Dent => Spoilt::Surface(Flaw::draw_dent(rng, between)),
            DefectKind::Stain => Spoilt::Surface(Flaw::draw_stain(rng, anywhere)),
            DefectKind::Missing => Spoilt::Body(self.lose_pill(pocket, rng)),
            DefectKind::Extra => Spoilt::Body(self.drop_on_foil(between, rng)),
            DefectKind::WrongSize => {
                let v = draw_visibility(rng);
                let smaller = rng.random_bool(0.65);
                let scale = if smaller { mix(0.9, 0.66, v) } else { mix(1.08, 1.24, v) };
                self.pills[pocket].scale = scale;
                Spoilt::Body(self.mark_pill(DefectKind::WrongSize, pocket, scale.max(1.0)))
            }
        }
    }

    fn lose_pill(&mut self, pocket: usize, rng: &mut ChaCha8Rng) -> Mark {
        if rng.random_bool(0.6) {
            self.pills[pocket].scale = 0.0;
        } else {
            // Visible 1: three quarters are gone; 0: a sliver.
            let v = draw_visibility(rng);
            self.pills[pocket].broken_at = Some(PILL_MM * mix(0.62, -0.5, v));
        }
        self.mark_pill(DefectKind::Missing, pocket, 1.0)
    }

    fn drop_on_foil(&mut self, at: V2, rng: &mut ChaCha8Rng) -> Mark {
        let kind = DefectKind::Extra;
        if rng.random_bool(0.5) {
            let turn = V2::draw_way(rng);
            let tone = self.pills[0].tone;
            self.loose.push(Pill { at, scale: 1.0, turn, tone, broken_at: None });
            return Mark { kind, at, half: V2::new(PILL_MM, PILL_MM) };
        }
        let radius = mix(0.5, 1.1, draw_visibility(rng));
        let seed = V2::draw_seed(rng);
        self.crumbs.push(Blob { at, radius, ragged: 0.4, seed });
        Mark { kind, at, half: V2::new(radius, radius) * 1.2 }
    }

    fn mark_pill(&self, kind: DefectKind, pocket: usize, scale: f32) -> Mark {
        let r = PILL_MM * scale;
        Mark { kind, at: self.pills[pocket].at, half: V2::new(r, r) }
    }

    pub(crate) fn texel(&self, p: V2, mm_per_px: f32, to_light: V2) -> Texel {
        let sd = sd_round_box(p, HALF, CORNER_MM);
        if sd > mm_per_px {
            return Texel { bgr: [0.0; 3], alpha: 0.0, class: 0 };
        }
        let mut bgr = self.foil(p, sd, to_light);
        let mut class = 0;
        let i = nearest_pocket(p);
        if (p - pocket_at(i as i32)).length() < POCKET_MM + 0.6 {
            bgr = self.pocket(bgr, i, p, mm_per_px, to_light);
            class = self.pill_class(i, p);
        }
        for pill in &self.loose {
            let q = p - pill.at;
            if q.length() < PILL_MM + 1.2 {
                let shade = 0.4 * smoothstep(PILL_MM + 0.7, PILL_MM - 0.3, (q + to_light * 0.5).length());
                bgr = tinted(1.0 - shade, bgr);
                let (colour, cover) = pill_look(pill, p, mm_per_px, to_light);
                bgr = mix_bgr(bgr, colour, cover);
                if cover > 0.5 {
                    class = DefectKind::Extra.class_id();
                }
            }
        }
        for crumb in &self.crumbs {
            let sd = crumb.sd(p);
            if sd < 0.6 {
                let shade = 0.35 * smoothstep(0.5, -0.2, crumb.sd(p + to_light * 0.35));
                bgr = tinted(1.0 - shade, bgr);
                let lit = 0.85 + 0.25 * (p - crumb.at).dot(to_light) / crumb.radius;
                let colour = [CORAL[0] * lit, CORAL[1] * lit, CORAL[2] * lit];
                bgr = mix_bgr(bgr, colour, coverage(sd, mm_per_px));
                if sd < 0.0 {
                    class = DefectKind::Extra.class_id();
                }
            }
        }
        Texel { bgr, alpha: coverage(sd, mm_per_px), class }
    }

    /// Rolled aluminium: knurled, a little crumpled, a bright line where the edge was cut.
    fn foil(&self, p: V2, sd: f32, to_light: V2) -> Bgr {
        let grain = Grain::get();
        let (u, v) = ((p.x + p.y) * 1.45, (p.x - p.y) * 1.45);
        let ridge = |t: f32| (t - floor(t) as f32 - 0.5).abs() * 4.0 - 1.0;
        let knurl = ridge(u).max(ridge(v));
        let at =
            |dx: f32, dy: f32| grain.smooth(self.seed.x + (p.x + dx) * 2.2, self.seed.y + (p.y + dy) * 2.2);
        let crumple = at(to_light.x * 0.5, to_light.y * 0.5) - at(0.0, 0.0);
        let sheen = grain.smooth(self.seed.y + (p.x + p.y) * 0.7, self.seed.x);
        let speck = grain.rough((p.x * 8.0) as i32 + self.seed.x as i32, (p.y * 8.0) as i32);
        let mut v = 0.60 + 0.06 * knurl + 0.30 * crumple + 0.05 * sheen + 0.015 * speck;
        v += 0.14 * smoothstep(-0.45, -0.25, sd) * smoothstep(-0.02, -0.2, sd);
        tinted(v * self.tone, [1.02, 1.0, 0.98])
    }

    /// A pocket: a well in the foil, its pill, and the clear dome over both.
    fn pocket(&self, foil: Bgr, i: usize, p: V2, mm_per_px: f32, to_light: V2) -> Bgr {
        let q = p - pocket_at(i as i32);
        let d = q.length();
        let lit = q.dot(to_light) / d.max(0.1);
        let floor = tinted(0.40 - 0.06 * lit * (d / POCKET_MM), [1.03, 1.0, 0.98]);
        let mut inside = mix_bgr(floor, foil, 0.25);
        let pill = &self.pills[i];
        if pill.scale > 0.0 {
            let shade =
                0.35 * smoothstep(0.5, -0.3, (p - pill.at + to_light * 0.35).length() - PILL_MM * pill.scale);
            inside = tinted(1.0 - shade, inside);
            let (colour, cover) = pill_look(pill, p, mm_per_px, to_light);
            inside = mix_bgr(inside, colour, cover);
        }
        // The dome's wall bends light: bright towards the lamp, dark away from it.
        let wall = smoothstep(0.80, 0.97, d / POCKET_MM) * smoothstep(POCKET_MM + 0.15, POCKET_MM - 0.05, d);
        let glass = 0.52 + 0.34 * lit;
        inside = mix_bgr(inside, tinted(glass, [1.02, 1.0, 0.99]), 0.75 * wall);
        let glint = q - to_light * (0.55 * POCKET_MM);
        let spot = smoothstep(0.55, 0.1, glint.length() * (1.0 + 0.8 * glint.dot(to_light).abs()));
        inside = mix_bgr(inside, [1.0; 3], 0.75 * spot);
        let seat = smoothstep(POCKET_MM + 0.55, POCKET_MM, d) * 0.16 * (1.0 - lit); // the foil dips towards it
        mix_bgr(tinted(1.0 - seat, foil), inside, coverage(d - POCKET_MM, mm_per_px))
    }

    fn pill_class(&self, i: usize, p: V2) -> u8 {
        let (pill, sound) = (&self.pills[i], &self.sound[i]);
        let q = p - sound.at;
        let r_sound = PILL_MM * sound.scale;
        let gone = pill.scale == 0.0 || pill.broken_at.is_some_and(|at| broken(pill, q, at));
        if gone && q.length() < r_sound {
            DefectKind::Missing.class_id()
        } else if pill.scale != sound.scale && q.length() < r_sound.max(PILL_MM * pill.scale) {
            DefectKind::WrongSize.class_id()
        } else {
            0
        }
    }

    pub(crate) fn shadow(&self, p: V2, to_light: V2) -> f32 {
        0.5 * smoothstep(0.9, -0.4, sd_round_box(p + to_light * 0.45, HALF, CORNER_MM))
    }
}

/// A place on the foil between four pockets, or on its middle line.
fn on_foil(rng: &mut ChaCha8Rng) -> V2 {
    V2::new(rng.random_range(-13.5..13.5), rng.random_range(-0.9..0.9))
}

fn broken(pill: &Pill, q: V2, at: f32) -> bool {
    let across = V2::new(-pill.turn.y, pill.turn.x);
    q.dot(pill.turn) + 0.25 * Grain::get().smooth(q.dot(across) * 14.0, pill.tone * 999.0) > at
}

/// Colour of `pill` at `p` and how much of the px it covers.
fn pill_look(pill: &Pill, p: V2, mm_per_px: f32, to_light: V2) -> (Bgr, f32) {
    let radius = PILL_MM * pill.scale;
    let q = p - pill.at;
    let d = q.length();
    if d > radius + mm_per_px || pill.broken_at.is_some_and(|at| broken(pill, q, at)) {
        return (CORAL, 0.0);
    }
    let bevel = smoothstep(radius - 0.55, radius - 0.05, d);
    let lit = q.dot(to_light) / d.max(0.1);
    let across = V2::new(-pill.turn.y, pill.turn.x);
    let from_score = q.dot(across);
    let groove = smoothstep(0.22, 0.05, from_score.abs()) * smoothstep(radius, radius - 0.5, d);
    let chalk = Grain::get().rough((p.x * 8.0) as i32, (p.y * 8.0) as i32);
    let mut v = pill.tone * (0.95 + 0.02 * chalk) + bevel * (0.22 * lit - 0.10);
    v -= groove * 0.22;
    if let Some(at) = pill.broken_at {
        v -= 0.15 * smoothstep(at - 0.4, at, q.dot(pill.turn)); // the broken face
    }
    (tinted(v, CORAL), coverage(d - radius, mm_per_px))
}
