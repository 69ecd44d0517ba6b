//! One physical part: what it looks like, what is wrong with it, how it lies. All of it follows from (seed, index).

use plumb_inspection::RectPx;
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::{
    DefectKind, LineConfig, Pose,
    flaw::Flaw,
    product::{Body, Mark, Spoilt},
    shape::V2,
};

/// One part of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    index: u64,
    pub(crate) body: Body,
    pub(crate) flaws: Vec<Flaw>,
    marks: Vec<Mark>,
    /// How far beside the belt's middle it lies, px.
    aside_px: f32,
    turn_deg: f32,
}

/// What an omniscient inspector would say about a part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartTruth {
    /// Which part, counted from 0.
    pub index: u64,
    /// What is wrong with it.
    pub defects: Vec<Defect>,
    /// True if nothing is.
    pub good: bool,
}

/// One thing that is wrong with a part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Defect {
    /// What it is.
    pub kind: DefectKind,
    /// An upright box around it, in px of a picture with the part in its middle. Not cut at the picture's edge.
    pub box_px: RectPx,
}

impl Part {
    /// Part `index` of the line that `config` describes.
    pub fn draw(config: &LineConfig, index: u64) -> Self {
        // Two streams a part: its looks stay the same when someone asks for other defects.
        let mut looks = ChaCha8Rng::seed_from_u64(config.seed);
        looks.set_stream(2 * index);
        let mut fate = ChaCha8Rng::seed_from_u64(config.seed);
        fate.set_stream(2 * index + 1);

        let turn_most = match config.product {
            crate::Product::Washer => 180.0,
            crate::Product::BlisterPack => config.pose_jitter_deg,
        };
        let aside_px = (config.pose_jitter_px * looks.random_range(-1.0..1.0)) as f32;
        let turn_deg = (turn_most * looks.random_range(-1.0..1.0)) as f32;
        let mut part = Self {
            index,
            body: Body::draw(config.product, &mut looks),
            flaws: Vec::new(),
            marks: Vec::new(),
            aside_px,
            turn_deg,
        };
        if fate.random_bool(config.defect_share) {
            let kinds = if config.defects.is_empty() { &DefectKind::ALL[..] } else { &config.defects[..] };
            for _ in 0..if fate.random_bool(0.12) { 2 } else { 1 } {
                let kind = *kinds.choose(&mut fate).expect("one of the two lists is not empty");
                part.spoil(kind, &mut fate);
            }
        }
        part
    }

    fn spoil(&mut self, kind: DefectKind, rng: &mut ChaCha8Rng) {
        match self.body.spoil(kind, rng) {
            Spoilt::Body(mark) => self.marks.push(mark),
            Spoilt::Surface(flaw) => {
                let (at, half) = flaw.bounds();
                self.marks.push(Mark { kind, at, half });
                self.flaws.push(flaw);
            }
        }
    }

    /// Which part of its line, counted from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// True if nothing is wrong with it.
    pub fn is_good(&self) -> bool {
        self.marks.is_empty()
    }

    /// What is wrong with it, each kind as often as it occurs.
    pub fn kinds(&self) -> impl Iterator<Item = DefectKind> + '_ {
        self.marks.iter().map(|mark| mark.kind)
    }

    /// The same part, down to its tool marks, as it should have been.
    pub fn mended(&self) -> Self {
        Self { body: self.body.mended(), flaws: Vec::new(), marks: Vec::new(), ..self.clone() }
    }

    /// How it lies with its middle in the middle of the line's picture, `along_px` further down the belt.
    pub fn pose(&self, config: &LineConfig, along_px: f32) -> Pose {
        Pose {
            x_px: config.width as f32 / 2.0 + along_px,
            y_px: config.height as f32 / 2.0 + self.aside_px,
            turn_deg: self.turn_deg,
        }
    }

    /// Ground truth, with boxes for the part in `pose`.
    pub fn truth(&self, pose: Pose, mm_per_px: f32) -> PartTruth {
        let defects =
            self.marks.iter().map(|mark| Defect { kind: mark.kind, box_px: box_of(mark, pose, mm_per_px) });
        PartTruth { index: self.index, defects: defects.collect(), good: self.is_good() }
    }
}

/// The upright box around a mark's box, turned and put where the part is.
fn box_of(mark: &Mark, pose: Pose, mm_per_px: f32) -> RectPx {
    let turn = V2::at_angle(pose.turn_deg.to_radians());
    let at = mark.at.turned(turn) * (1.0 / mm_per_px);
    let half = V2::new(
        (mark.half.x * turn.x).abs() + (mark.half.y * turn.y).abs(),
        (mark.half.x * turn.y).abs() + (mark.half.y * turn.x).abs(),
    ) * (1.0 / mm_per_px);
    let (x, y) = (pose.x_px + at.x, pose.y_px + at.y);
    RectPx::from_corners(x - half.x, y - half.y, x + half.x, y + half.y)
}
