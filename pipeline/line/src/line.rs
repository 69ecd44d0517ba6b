//! The running line: belt, photo-eye, camera and gate, driven by whoever tells it the time.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use plumb_inspection::Image;

use crate::{LineConfig, LineError, Part, PartTruth, Pose, Scene, Tally, belt::Belt, gate::Gate};

/// Exposures whose part is remembered; at 1200 parts a minute, the last hour or so.
const EXPOSURES_KEPT: usize = 65_536;

/// A production line. Methods take `&self` and may be called from any thread.
///
/// Time is passed in. A call with an earlier `now` than a previous call's is answered for that earlier moment where it
/// only looks (`encoder`, `expose`); the photo-eye and the gate never go back.
pub struct Line {
    config: LineConfig,
    belt: Belt,
    scene: Scene,
    moving: Mutex<Moving>,
}

/// What changes.
struct Moving {
    latest: Instant,
    /// Parts there are, once feeding has stopped or if the config says so.
    fed: u64,
    /// First part whose photo-eye edge has not been handed out.
    next_edge: u64,
    gate: Gate,
    frames: u64,
    /// Part in view of frame `frames - exposures.len() + 1` and the following.
    exposures: VecDeque<Option<u64>>,
}

/// A part's leading edge at the photo-eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Which part: 0, 1, 2 …
    pub index: u64,
    /// The encoder at that moment.
    pub encoder: u32,
    /// That moment, to the nanosecond.
    pub at: Instant,
}

/// A picture, and what is in it.
#[derive(Clone, Debug)]
pub struct Exposure {
    /// Bgr8, `width × height` of the config, packed.
    pub image: Image,
    /// 1, 2, 3 …
    pub frame_id: u64,
    /// The part nearest to the middle of the picture, if any of it is in the picture.
    pub part_in_view: Option<u64>,
}

impl Line {
    /// Builds the line; the belt starts to move at `start`, the first part reaches the photo-eye a pitch later.
    ///
    /// # Errors
    /// When the config asks for a line that cannot be; all problems at once.
    pub fn new(config: LineConfig, start: Instant) -> Result<Self, LineError> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(LineError::Config { problems });
        }
        let moving = Moving {
            latest: start,
            fed: config.parts.unwrap_or(u64::MAX),
            next_edge: 0,
            gate: Gate::new(config.gate_mm, config.gate_window_mm),
            frames: 0,
            exposures: VecDeque::new(),
        };
        Ok(Self {
            belt: Belt::new(&config, start),
            scene: Scene::new(&config),
            moving: Mutex::new(moving),
            config,
        })
    }

    /// What this line was built from.
    pub fn config(&self) -> &LineConfig {
        &self.config
    }

    /// The encoder's count at `now`. Wraps.
    pub fn encoder(&self, now: Instant) -> u32 {
        self.belt.encoder(now)
    }

    /// The photo-eye's edges since the last call, in order. Each edge is handed out once.
    pub fn photo_eye_edges(&self, now: Instant) -> Vec<Edge> {
        let mut moving = self.at(now);
        let first = moving.next_edge;
        let begun = self.belt.begun(moving.latest, 0.0).min(moving.fed).max(first);
        moving.next_edge = begun;
        drop(moving);
        (first..begun)
            .map(|index| {
                let at = self.belt.instant_at(self.belt.lead_mm(index));
                Edge { index, encoder: self.belt.encoder(at), at }
            })
            .collect()
    }

    /// What the camera sees at `now`: the belt, and each part where it is. A part seen late is off the middle, or cut.
    pub fn expose(&self, now: Instant) -> Exposure {
        let mut moving = self.at(now);
        let fed = moving.fed;
        let in_view = self.in_view(now, fed);
        let middle = self.config.width as f32 / 2.0;
        let off = |pose: &Pose| (pose.x_px - middle).abs();
        let part_in_view =
            in_view.iter().min_by(|(_, a), (_, b)| off(a).total_cmp(&off(b))).map(|(part, _)| part.index());
        moving.frames += 1;
        let frame_id = moving.frames;
        if moving.exposures.len() == EXPOSURES_KEPT {
            moving.exposures.pop_front();
        }
        moving.exposures.push_back(part_in_view);
        drop(moving); // painting takes a millisecond; the PLC's thread must not wait for it
        let parts: Vec<_> = in_view.iter().map(|(part, pose)| (part, *pose)).collect();
        let belt_px = self.belt.travel_mm(now) / self.config.mm_per_px;
        let frame_seed = self.config.seed.rotate_left(32) ^ frame_id;
        let (image, _) = self.scene.picture(&parts, belt_px, frame_seed);
        Exposure { image, frame_id, part_in_view }
    }

    /// Ground truth about part `index`, wherever it is. Boxes are for the part in the middle of the picture along the belt.
    pub fn truth_of(&self, index: u64) -> PartTruth {
        let part = Part::draw(&self.config, index);
        part.truth(part.pose(&self.config, 0.0), self.config.mm_per_px as f32)
    }

    /// The part that was in view in exposure `frame_id`; none too if the frame showed no part or is long gone.
    pub fn exposed(&self, frame_id: u64) -> Option<u64> {
        let moving = self.lock();
        let first = moving.frames + 1 - moving.exposures.len() as u64;
        let nth = frame_id.checked_sub(first)?;
        moving.exposures.get(usize::try_from(nth).ok()?).copied().flatten()
    }

    /// The decision for part `index`: true lets it through, false rejects it.
    ///
    /// Counts if the part has reached the photo-eye and has not left the gate; the last word before the gate counts.
    /// Anything else does nothing but add to [`Tally::refused_decisions`].
    pub fn set_gate(&self, index: u64, release: bool, now: Instant) {
        let mut moving = self.at(now);
        self.settle(&mut moving);
        moving.gate.decide(index, release);
        self.settle(&mut moving);
    }

    /// Lets time pass at the gate: parts that left it without a decision have been rejected by its spring.
    pub fn advance(&self, now: Instant) {
        let mut moving = self.at(now);
        self.settle(&mut moving);
    }

    /// What became of the parts so far, as of the last `advance` or `set_gate`.
    pub fn tally(&self) -> Tally {
        self.lock().gate.tally()
    }

    /// No more parts are put on the belt. Those that are on it, up to one pitch before the camera's view, still come.
    pub fn stop_feeding(&self) {
        let mut moving = self.lock();
        let ahead_mm = self.config.pitch_mm + self.view_mm();
        moving.fed = moving.fed.min(self.belt.begun(moving.latest, ahead_mm));
    }

    /// True once feeding has stopped and every part has passed or been rejected, as of the last `advance` or `set_gate`.
    pub fn is_empty(&self) -> bool {
        let moving = self.lock();
        moving.gate.is_done(moving.fed)
    }

    fn settle(&self, moving: &mut Moving) {
        let (latest, fed) = (moving.latest, moving.fed);
        moving.gate.settle(&self.belt, fed, latest, |index| Part::draw(&self.config, index).is_good());
    }

    /// Parts at least partly in the picture.
    fn in_view(&self, now: Instant, fed: u64) -> Vec<(Part, Pose)> {
        let travel = self.belt.travel_mm(now);
        let first = self.belt.begun(now, -2.0 * self.view_mm() - self.config.camera_mm.max(0.0));
        let last = self.belt.begun(now, 2.0 * self.view_mm()).min(fed);
        let mut parts = Vec::new();
        for index in first..last {
            let part = Part::draw(&self.config, index);
            let half_mm = f64::from(part.body.half_length_mm());
            // With its leading edge `camera_mm` past the eye, a part of nominal length is in the middle.
            let past_mm = travel - self.belt.lead_mm(index) - self.config.camera_mm;
            let along_mm = past_mm + self.config.product.half_length_mm() - half_mm;
            let half_view_mm = f64::from(self.config.width) / 2.0 * self.config.mm_per_px;
            if along_mm.abs() < half_view_mm + half_mm {
                let pose = part.pose(&self.config, (along_mm / self.config.mm_per_px) as f32);
                parts.push((part, pose));
            }
        }
        parts
    }

    /// A length of belt that surely holds everything in view when a part is in the middle.
    fn view_mm(&self) -> f64 {
        f64::from(self.config.width) * self.config.mm_per_px
            + 2.0 * self.config.product.half_length_mm()
            + self.config.camera_mm.abs()
    }

    fn at(&self, now: Instant) -> MutexGuard<'_, Moving> {
        let mut moving = self.lock();
        moving.latest = moving.latest.max(now);
        moving
    }

    fn lock(&self) -> MutexGuard<'_, Moving> {
        // Nothing in here is half-changed when a thread panics: each change is one assignment.
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
