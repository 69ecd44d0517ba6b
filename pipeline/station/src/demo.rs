//! The built-in line wired to the station, as an electrician would: its camera to capture, its photo-eye, encoder and
//! gate to a PLC program, and that PLC to the station by real Modbus.
//!
//! Everything a factory has is here but the iron: the PLC's default is reject, the gate is where the belt says, and the
//! line counts what really happened to each part.

use crate::{
    config::{self, Plan},
    loading::{Loader, Pace},
    station::{StartError, Station, Wiring},
};
use plumb_capture::{LineCamera, LineExposure};
use plumb_inference::Runtime;
use plumb_inspection::{Edition, PartId};
use plumb_ledger::{Reader, Record, RecordVerdict};
use plumb_line::{Line, LineConfig, LineError, Product};
use plumb_plc::{
    PlcConfig, Role,
    simulator::{LineInputs, LineWiring, PlcProgramConfig, ScanOut, SimulatedPlc, SimulatedPlcConfig},
};
use serde::Serialize;
use serde_json::json;
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    time::{Duration, Instant},
};

/// The line, as a camera over it sees it.
pub struct LineEye(Arc<Line>);

impl LineEye {
    /// A line that starts to move at `start`.
    ///
    /// # Errors
    /// As [`Line::new`].
    pub fn turning(config: LineConfig, start: Instant) -> Result<Self, LineError> {
        Ok(Self(Arc::new(Line::new(config, start)?)))
    }

    /// A line that has been moving since the machine's monotonic clock (`CLOCK_MONOTONIC`) showed `since_ns`: the one at
    /// which a PLC in another process stands, and which does not wait for a station that is started again.
    ///
    /// # Errors
    /// As [`Line::new`].
    pub fn turning_since(config: LineConfig, since_ns: u64) -> Result<Self, LineError> {
        let clock = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let now = Instant::now();
        let ago = Duration::new(clock.tv_sec.unsigned_abs(), clock.tv_nsec.unsigned_abs() as u32)
            .saturating_sub(Duration::from_nanos(since_ns));
        Self::turning(config, now.checked_sub(ago).unwrap_or(now))
    }
}

impl LineCamera for LineEye {
    fn expose(&self) -> Option<LineExposure> {
        Some(exposure(&self.0))
    }
}

fn exposure(line: &Line) -> LineExposure {
    let exposure = line.expose(Instant::now());
    LineExposure { image: exposure.image, frame_id: exposure.frame_id }
}

/// What the demo is to show.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Which product.
    pub product: Product,
    /// Same seed, same parts.
    pub seed: u64,
    /// Parts a minute; `None` for what this machine sustains.
    pub parts_per_minute: Option<f64>,
    /// End after so many parts.
    pub parts: Option<u64>,
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// Takes config, ledger and pictures.
    pub data: PathBuf,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The unpacked config does not read: somebody changed it, or our bug.
    #[error("the demo's config has problems\n{0}")]
    Config(#[from] config::Problems),
    /// The station does not start.
    #[error("{0}")]
    Start(#[from] StartError),
    /// The line cannot be built so.
    #[error("{0}")]
    Line(#[from] LineError),
    /// Folder or socket.
    #[error("{doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system says.
        source: io::Error,
    },
}

/// The belt, once it runs: it starts when the station is ready for its first part.
#[derive(Clone, Default)]
struct Belt(Arc<Wires>);

#[derive(Default)]
struct Wires {
    line: OnceLock<Line>,
    /// The latest parts at the photo-eye: the encoder count by which PLC and station know them, and which they are.
    at_eye: Mutex<VecDeque<(u32, u64)>>,
}

impl Belt {
    /// Which part passed the photo-eye at this encoder count.
    fn part_at(&self, encoder: u32) -> Option<u64> {
        let at_eye = self.0.at_eye.lock().unwrap_or_else(PoisonError::into_inner);
        at_eye.iter().rev().find(|(at, _)| *at == encoder).map(|(_, index)| *index)
    }

    fn line(&self) -> &Line {
        self.0.line.wait()
    }
}

impl LineCamera for Belt {
    fn expose(&self) -> Option<LineExposure> {
        Some(exposure(self.line())) // nobody triggers before the belt runs: the PLC has seen no part
    }
}

/// Parts whose place is remembered: more than fit between photo-eye, gate and the record that is written last.
const REMEMBERED: usize = 4096;

/// The PLC's terminals.
impl LineWiring for Belt {
    fn inputs(&mut self, now: Instant) -> LineInputs {
        let Some(line) = self.0.line.get() else { return LineInputs::default() };
        line.advance(now);
        let edges = line.photo_eye_edges(now);
        let mut at_eye = self.0.at_eye.lock().unwrap_or_else(PoisonError::into_inner);
        at_eye.extend(edges.iter().map(|edge| (edge.encoder, edge.index)));
        let forgotten = at_eye.len().saturating_sub(REMEMBERED);
        at_eye.drain(..forgotten);
        let edges = edges.iter().map(|edge| edge.encoder).collect();
        LineInputs {
            encoder: line.encoder(now),
            photo_eye_edges: edges,
            line_running: true,
            ..LineInputs::default()
        }
    }

    fn outputs(&mut self, now: Instant, out: &ScanOut) {
        for decision in &out.decisions {
            if let Some(index) = self.part_at(decision.encoder) {
                self.line().set_gate(index, decision.release, now);
            }
        }
    }
}

/// A running demo.
pub struct Demo {
    /// Parts a minute.
    pub parts_per_minute: f64,
    station: Station,
    plc: SimulatedPlc,
    belt: Belt,
    records: mpsc::Receiver<Record>,
    seen: Seen,
}

/// Photo-eye to gate: the time a real line would give.
const TIME_TO_GATE: Duration = Duration::from_millis(500);

impl Demo {
    /// Unpacks the demo's config, starts station and PLC, then the belt.
    ///
    /// # Errors
    /// What could not be started, in a sentence.
    pub fn start(wish: Wish) -> Result<Self, DemoError> {
        let station_toml = unpack(&wish.data, wish.product)?;
        let mut plan = config::read(&station_toml)?;
        let io = |doing: &str| {
            let doing = doing.to_owned();
            move |source| DemoError::Io { doing, source }
        };
        let belt = Belt::default();
        let mut line = plan.line.take().unwrap_or_default();
        (line.product, line.seed, line.parts) = (wish.product, wish.seed, wish.parts);
        line.parts_per_minute = match wish.parts_per_minute {
            Some(wanted) => wanted,
            None => sustained(&plan)?,
        };
        let speed_mm_s = line.speed_mm_s();
        line.gate_mm = speed_mm_s * TIME_TO_GATE.as_secs_f64();
        line.camera_mm = speed_mm_s * TRIGGER_DELAY.as_secs_f64();
        let counts = |mm: f64| (mm / line.mm_per_count) as u32;
        let mut program = PlcProgramConfig::new(counts(line.gate_mm));
        program.announce_counts = counts(IN_VIEW_MM);
        program.first_part = first_part(&plan);
        let mut plc = SimulatedPlcConfig::new(Role::Server, "127.0.0.1:0", program);
        plc.scan = SCAN;
        let plc = SimulatedPlc::start(plc, belt.clone()).map_err(io("the demo's PLC cannot listen"))?;
        if let (PlcConfig::ModbusTcp(modbus), Some(address)) = (&mut plan.plc, plc.local_addr()) {
            modbus.address = address.to_string();
        }
        for camera in &mut plan.cameras {
            // A picture taken later would show the part's neighbour.
            camera.frame_wait = Duration::from_secs_f64(IN_VIEW_MM / speed_mm_s);
        }
        plan.station.listen = wish.listen;
        let (tap, records) = mpsc::channel();
        let tap: crate::background::Tap = Box::new(move |record: &Record| drop(tap.send(record.clone())));
        let camera: Arc<dyn LineCamera> = Arc::new(belt.clone());
        let station =
            Station::start(plan, Wiring { line: Some(camera), tap: Some(tap), ..Wiring::default() })?;
        let parts_per_minute = line.parts_per_minute;
        let line = Line::new(line, Instant::now() + Duration::from_millis(500))?;
        let _ = belt.0.line.set(line); // nobody else sets it
        Ok(Self { parts_per_minute, station, plc, belt, records, seen: Seen::default() })
    }

    /// Where `/metrics` is.
    pub fn address(&self) -> Option<SocketAddr> {
        self.station.address
    }

    /// The line's PLC, to break and to mend.
    pub fn plc(&self) -> &SimulatedPlc {
        &self.plc
    }

    /// The station.
    pub fn station(&self) -> &Station {
        &self.station
    }

    /// Parts answered within `patience`, in order.
    pub fn answered(&mut self, patience: Duration) -> Vec<Record> {
        let first = self.records.recv_timeout(patience).ok();
        let records: Vec<Record> = first.into_iter().chain(self.records.try_iter()).collect();
        records.iter().for_each(|record| self.note(record));
        records
    }

    /// True once the belt was given all the parts it was to bring and the last one has gone through the gate.
    pub fn has_ended(&self) -> bool {
        self.line().is_empty()
    }

    /// Counts so far.
    pub fn summary(&self) -> Summary {
        let tally = self.line().tally();
        let count = |verdict| self.seen.verdicts.get(&verdict).copied().unwrap_or(0);
        let mut latencies_us = self.seen.latencies_us.clone();
        latencies_us.sort_unstable();
        let at = |share: f64| {
            let index = (latencies_us.len() as f64 * share).ceil() as usize;
            latencies_us.get(index.saturating_sub(1)).map_or(0.0, |us| *us as f64 / 1000.0)
        };
        Summary {
            schema: "plumb.demo/1",
            triggers: self.station.metrics.triggers(),
            answers: self.station.metrics.answers.get(),
            records: self.seen.verdicts.values().sum(),
            pass: count(Word::Pass),
            fail: count(Word::Fail),
            missed: count(Word::Missed),
            parts: tally.at_gate,
            not_announced: self.plc.tally().not_announced,
            escapes: tally.escapes,
            false_rejects: tally.false_rejects,
            misrouted: self.seen.misrouted,
            parts_per_minute: self.parts_per_minute,
            latency_ms: LatencyMs { p50: at(0.5), p99: at(0.99), max: at(1.0) },
        }
    }

    /// Stops feeding, lets the last part through the gate, stops the station, and counts.
    ///
    /// # Errors
    /// When the ledger could not write what it held.
    pub fn stop(mut self) -> Result<Summary, DemoError> {
        self.line().stop_feeding();
        let end = Instant::now() + Duration::from_secs(5);
        while !self.has_ended() && Instant::now() < end {
            self.answered(Duration::from_millis(20));
        }
        self.answered(Duration::from_millis(100));
        let summary = self.summary();
        self.station.stop()?;
        drop(self.plc);
        Ok(summary)
    }

    fn line(&self) -> &Line {
        self.belt.line()
    }

    fn note(&mut self, record: &Record) {
        let word = match record.verdict {
            RecordVerdict::Pass => Word::Pass,
            RecordVerdict::Fail => Word::Fail,
            RecordVerdict::Missed | RecordVerdict::Late => Word::Missed,
        };
        *self.seen.verdicts.entry(word).or_default() += 1;
        self.seen.latencies_us.push(record.timings_us.total.unwrap_or(0));
        let part = record.encoder.and_then(|encoder| self.belt.part_at(encoder));
        let of_another = |frame_seq| self.line().exposed(frame_seq) != part;
        self.seen.misrouted += record.views.iter().filter(|view| of_another(view.frame_seq)).count() as u64;
    }
}

/// What the demo has seen of its records.
#[derive(Default)]
struct Seen {
    verdicts: BTreeMap<Word, u64>,
    latencies_us: Vec<u64>,
    misrouted: u64,
}

/// Verdicts as the summary counts them: a late part is a missed one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Pass,
    Fail,
    Missed,
}

/// What the line and the station counted, each on its own.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// `plumb.demo/1`.
    pub schema: &'static str,
    /// Parts that the PLC announced to the station.
    pub triggers: u64,
    /// Parts the station answered.
    pub answers: u64,
    /// Parts on record.
    pub records: u64,
    /// Answered pass.
    pub pass: u64,
    /// Answered fail.
    pub fail: u64,
    /// Answered missed or late.
    pub missed: u64,
    /// Parts that came to the gate.
    pub parts: u64,
    /// Parts the PLC could not announce in time; it rejected them.
    pub not_announced: u64,
    /// Defective parts that the gate let through.
    pub escapes: u64,
    /// Good parts that the gate rejected.
    pub false_rejects: u64,
    /// Parts judged by the picture of another.
    pub misrouted: u64,
    /// The belt's speed.
    pub parts_per_minute: f64,
    /// Trigger to the PLC's acknowledgement.
    pub latency_ms: LatencyMs,
}

/// Quantiles in ms.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LatencyMs {
    /// Half of the parts are faster.
    pub p50: f64,
    /// 99 of 100 are faster.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

impl Summary {
    /// One JSON document.
    pub fn json(&self) -> String {
        format!("{:#}\n", json!(self))
    }
}

/// At 1.5 m/s a millisecond more or less between photo-eye and exposure is 10 px; faster belts need a trigger by wire.
const MOST_PER_MINUTE: f64 = 1500.0;
/// The PLC's cycle.
const SCAN: Duration = Duration::from_millis(1);
/// From the photo-eye's edge to the exposure: half a scan, half a cycle of the link, and the way to the camera.
const TRIGGER_DELAY: Duration = Duration::from_micros(1750);

/// A part is announced and exposed within so much belt, or it is rejected unseen: half a pitch further on, the
/// picture would show its neighbour.
const IN_VIEW_MM: f64 = 14.0;

/// What this machine sustains: half its time for the models, the other half for drawing the line and everything else.
fn sustained(plan: &Plan) -> Result<f64, StartError> {
    let error = |error: &dyn std::fmt::Display| StartError::Model(error.to_string());
    let runtime = Runtime::load(plan.infer.library.as_deref()).map_err(|e| error(&e))?;
    let mut loader = Loader::new(runtime, plan.infer.clone());
    let recipe = plan.recipes[&plan.first_recipe].clone();
    let loaded = loader.load(Edition(0), recipe, Pace::Alone, &|_| ()).map_err(|e| error(&e))?;
    let models = loaded.recipe.models_take.as_secs_f64();
    Ok((60.0 / (2.0 * models + 0.010)).clamp(60.0, MOST_PER_MINUTE).round())
}

/// Where the ledger's numbers go on, so that a second demo in the same folder reuses none.
fn first_part(plan: &Plan) -> PartId {
    let last = Reader::new(&plan.station.data).last_part().ok().flatten();
    last.map_or(PartId::FIRST, PartId::next)
}

/// The demo's own files, as they are in `deploy/examples/line` and `models/zoo`.
const STATION: &str = include_str!("../../../deploy/examples/line/station.toml");
const WASHER: &str = include_str!("../../../deploy/examples/line/recipes/washer.toml");
const BLISTER: &str = include_str!("../../../deploy/examples/line/recipes/blister-pack.toml");
const CARD: &str = include_str!("../../../models/zoo/line-parts/card.toml");
const MODEL: &[u8] = include_bytes!("../../../models/zoo/line-parts/line-parts.onnx");

/// Writes the demo's config where a person can read and change it, and says where `station.toml` is.
fn unpack(data: &Path, product: Product) -> Result<PathBuf, DemoError> {
    let recipe_start = match product {
        Product::Washer => "washer",
        Product::BlisterPack => "blister-pack",
    };
    let config = data.join("config");
    let station = STATION.replace("recipe = \"washer\"", &format!("recipe = \"{recipe_start}\""));
    let local = |recipe: &str| recipe.replace("../../../../models/zoo/", "../models/");
    let files: [(&str, Vec<u8>); 5] = [
        ("station.toml", station.into_bytes()),
        ("recipes/washer.toml", local(WASHER).into_bytes()),
        ("recipes/blister-pack.toml", local(BLISTER).into_bytes()),
        ("models/line-parts/card.toml", CARD.into()),
        ("models/line-parts/line-parts.onnx", MODEL.into()),
    ];
    for (name, content) in files {
        let file = config.join(name);
        let write = || -> io::Result<()> {
            std::fs::create_dir_all(file.parent().unwrap_or(&config))?;
            std::fs::write(&file, content)
        };
        write()
            .map_err(|source| DemoError::Io { doing: format!("cannot write {}", file.display()), source })?;
    }
    Ok(config.join("station.toml"))
}
