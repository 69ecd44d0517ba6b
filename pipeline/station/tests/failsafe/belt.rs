//! The line before the station: its belt, its PLC's terminals, and the truth about every part that went through the gate.

use plumb_inspection::PartId;
use plumb_line::{DefectKind, Exposure, Line, LineConfig, Product, Tally};
use plumb_plc::simulator::{GateDecision, LineInputs, LineWiring, PlcProgramConfig, ScanOut};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A part every 250 ms: slow enough for a machine that tests everything else at the same time.
const PARTS_PER_MINUTE: f64 = 240.0;
/// Longer than the PLC takes to notice a dead station, as on any line that is to be safe.
const TIME_TO_GATE: Duration = Duration::from_millis(600);
/// A picture of 48 mm shows all of a washer of 24 mm as long as that is no more than 12 mm off the middle: on the way from
/// photo-eye to trigger, and from trigger to picture, it may move so much.
const TO_TRIGGER_MM: f64 = 4.0;
const TO_PICTURE_MM: f64 = 7.0;
/// Numbers of the PLC; those that the station gives by itself stay far below.
const FIRST_PART: u32 = 1_000_000;

/// Every other part is defective, and each defect is one that the model sees.
pub(crate) fn line_config(seed: u64) -> LineConfig {
    let mut config = LineConfig {
        product: Product::Washer,
        seed,
        defect_share: 0.5,
        // Of 355 of these the model missed none; see its README.
        defects: vec![DefectKind::Dent, DefectKind::Stain],
        parts_per_minute: PARTS_PER_MINUTE,
        ..LineConfig::default()
    };
    config.gate_mm = config.speed_mm_s() * TIME_TO_GATE.as_secs_f64();
    config.camera_mm = config.speed_mm_s() * 0.00175;
    config
}

/// How long a picture may take before it no longer shows all of its part.
pub(crate) fn frame_wait(config: &LineConfig) -> Duration {
    Duration::from_secs_f64(TO_PICTURE_MM / config.speed_mm_s())
}

/// The PLC's program for that line.
pub(crate) fn program(config: &LineConfig) -> PlcProgramConfig {
    let counts = |mm: f64| (mm / config.mm_per_count) as u32;
    let mut program = PlcProgramConfig::new(counts(config.gate_mm));
    program.announce_counts = counts(TO_TRIGGER_MM);
    program.first_part = PartId::new(FIRST_PART).expect("not 0");
    program
}

/// The belt, for the PLC's terminals, the camera and the books.
#[derive(Clone)]
pub(crate) struct Belt(Arc<Inner>);

/// What one picture shows, and the encoder's count when it was there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) part: Option<u64>,
    pub(crate) encoder: u32,
}

struct Inner {
    line: Line,
    at_eye: Mutex<BTreeMap<u32, u64>>,
    decided: Mutex<BTreeMap<u64, GateDecision>>,
    /// The part that each picture shows which the camera gave, in their order: the station counts them so, too.
    shown: Mutex<Vec<Shown>>,
}

impl Belt {
    pub(crate) fn new(config: LineConfig, start: Instant) -> Self {
        let line = Line::new(config, start).expect("a line that can be");
        Self(Arc::new(Inner {
            line,
            at_eye: Mutex::default(),
            decided: Mutex::default(),
            shown: Mutex::default(),
        }))
    }

    pub(crate) fn line(&self) -> &Line {
        &self.0.line
    }

    pub(crate) fn tally(&self) -> Tally {
        self.0.line.tally()
    }

    /// Which part passed the photo-eye at this encoder count.
    pub(crate) fn part_at(&self, encoder: u32) -> Option<u64> {
        lock(&self.0.at_eye).get(&encoder).copied()
    }

    /// The camera gives this picture to the station.
    pub(crate) fn gives(&self, exposure: &Exposure) {
        let shown = Shown { part: exposure.part_in_view, encoder: self.0.line.encoder(Instant::now()) };
        lock(&self.0.shown).push(shown);
    }

    /// What the `seq`th picture shows, counted from 1.
    pub(crate) fn shown(&self, seq: u64) -> Option<Shown> {
        let nth = usize::try_from(seq.checked_sub(1)?).ok()?;
        lock(&self.0.shown).get(nth).copied()
    }

    /// What the PLC told the gate, for each part for which it told it anything.
    pub(crate) fn decided(&self) -> BTreeMap<u64, GateDecision> {
        lock(&self.0.decided).clone()
    }
}

impl LineWiring for Belt {
    fn inputs(&mut self, now: Instant) -> LineInputs {
        let line = &self.0.line;
        line.advance(now);
        let edges = line.photo_eye_edges(now);
        lock(&self.0.at_eye).extend(edges.iter().map(|edge| (edge.encoder, edge.index)));
        let edges = edges.iter().map(|edge| edge.encoder).collect();
        LineInputs {
            encoder: line.encoder(now),
            photo_eye_edges: edges,
            line_running: true,
            ..LineInputs::default()
        }
    }

    fn outputs(&mut self, now: Instant, out: &ScanOut) {
        // The belt goes on even where the PLC asks for a stop: the harder case.
        for decision in &out.decisions {
            if let Some(index) = self.part_at(decision.encoder) {
                lock(&self.0.decided).insert(index, *decision);
                self.0.line.set_gate(index, decision.release, now);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
