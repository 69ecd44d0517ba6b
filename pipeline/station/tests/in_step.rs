//! Parts and pictures that no longer belong together: everything is rejected until the count begins anew. Real threads, a
//! real PLC, a camera whose trigger wire picks up what nobody sent.

mod workshop;

use plumb_capture::{LineCamera, LineExposure};
use plumb_inspection::{CameraId, Image, PixelFormat};
use plumb_ledger::{Record, RecordVerdict};
use plumb_plc::{
    PlcConfig, Role,
    simulator::{
        GateDecision, GateReason, LineInputs, LineWiring, PlcProgramConfig, ScanOut, SimulatedPlc,
        SimulatedPlcConfig,
    },
};
use plumb_station::{
    config,
    station::{Station, Wiring},
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
        mpsc::{self, Receiver},
    },
    time::{Duration, Instant},
};
use workshop::{RECIPE, Workshop, get, post, wait_until};

const STATION: &str = r#"
[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "bottle"

[[camera]]
id = "top"
source = { kind = "line" }

[trigger]
kind = "api"

[line]
product = "washer"
"#;

/// Sees a bright bottle whenever it is told to look.
#[derive(Default)]
struct Bright(AtomicU64);

impl LineCamera for Bright {
    fn expose(&self) -> Option<LineExposure> {
        let image = Image::packed(32, 32, PixelFormat::Bgr8, vec![255; 32 * 32 * 3]).expect("a picture");
        Some(LineExposure { image, frame_id: self.0.fetch_add(1, Ordering::Relaxed) + 1 })
    }
}

fn start(workshop: &Workshop, plc: Option<&SimulatedPlc>) -> (Station, Receiver<Record>) {
    let mut plan =
        config::read(&workshop.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    if let (PlcConfig::ModbusTcp(modbus), Some(plc)) = (&mut plan.plc, plc) {
        modbus.address = plc.local_addr().expect("a server").to_string();
    }
    let (tap, records) = mpsc::channel();
    let tap = Box::new(move |record: &Record| drop(tap.send(record.clone())));
    let wiring = Wiring { line: Some(Arc::new(Bright::default())), tap: Some(tap), ..Wiring::default() };
    let station = Station::start(plan, wiring).unwrap_or_else(|error| panic!("{error}"));
    wait_until("the station", Duration::from_secs(20), || station.condition().is_ready());
    (station, records)
}

fn next(records: &Receiver<Record>) -> Record {
    records.recv_timeout(Duration::from_secs(10)).expect("a record")
}

#[test]
fn a_picture_nobody_asked_for_rejects_every_part_until_somebody_says_that_the_belt_is_clear() {
    let workshop = Workshop::new(STATION, RECIPE);
    let (station, records) = start(&workshop, None);
    let address = station.address.expect("HTTP");
    let top = CameraId::from("top");
    // A word given just as the camera comes up may have its picture a little later; that is no noise.
    let settled = Instant::now() + Duration::from_millis(300);
    while Instant::now() < settled {
        station.trigger();
        assert_eq!(next(&records).verdict, RecordVerdict::Pass);
    }

    station.signal(&top);
    let in_step = || get(address, "/api/v1/state").1["in_step"] == true;
    wait_until("the mismatch to be noticed", Duration::from_secs(5), || !in_step());
    let part = station.trigger();
    let record = next(&records);
    assert_eq!((record.part_id, record.verdict), (part, RecordVerdict::Missed));
    assert_eq!((record.reasons[0].rule.as_str(), record.reason_code), ("lost_sync", 113));
    let condition = station.condition();
    assert_eq!(condition.state.as_str(), "degraded");
    assert!(condition.reasons.iter().any(|says| says.contains("nobody had asked for")), "{condition:?}");

    assert_eq!(post(address, "/api/v1/rezero").0, 202);
    wait_until("the count to begin anew", Duration::from_secs(5), in_step);
    station.trigger();
    assert_eq!(next(&records).verdict, RecordVerdict::Pass);
    station.stop().expect("the ledger closes");
}

/// A photo-eye wired to the PLC, and a belt of one encoder count a millisecond.
#[derive(Clone)]
struct Belt(Arc<Inner>);

struct Inner {
    start: Instant,
    edges: Mutex<Vec<u32>>,
    last: AtomicU32,
    decisions: Mutex<Vec<GateDecision>>,
}

impl Belt {
    fn new() -> Self {
        let (edges, decisions) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { start: Instant::now(), edges, last: AtomicU32::new(0), decisions }))
    }

    fn edge(&self) -> u32 {
        let encoder = self.0.start.elapsed().as_millis() as u32;
        self.0.edges.lock().expect("edges").push(encoder);
        self.0.last.store(encoder, Ordering::Relaxed);
        encoder
    }

    fn decided(&self, part: u32) -> Option<GateReason> {
        let decisions = self.0.decisions.lock().expect("decisions");
        decisions.iter().find(|decision| decision.part.get() == part).map(|decision| decision.why)
    }
}

impl LineWiring for Belt {
    fn inputs(&mut self, now: Instant) -> LineInputs {
        let photo_eye_edges = std::mem::take(&mut *self.0.edges.lock().expect("edges"));
        let encoder = now.saturating_duration_since(self.0.start).as_millis() as u32;
        let encoder = encoder.max(self.0.last.load(Ordering::Relaxed));
        LineInputs { encoder, photo_eye_edges, line_running: true, ..LineInputs::default() }
    }

    fn outputs(&mut self, _now: Instant, out: &ScanOut) {
        self.0.decisions.lock().expect("decisions").extend(&out.decisions);
    }
}

#[test]
fn a_wired_cameras_parts_are_answered_under_the_plcs_number_until_one_was_not_seen() {
    let station = STATION.replace("kind = \"api\"", "kind = \"frame\"")
        + "[plc]\nkind = \"modbus_tcp\"\nrole = \"client\"\naddress = \"127.0.0.1:1\"\n\
           [tracking]\nplc_counts = true\npair_within_ms = 1000\n";
    let workshop = Workshop::new(&station, RECIPE);
    let belt = Belt::new();
    let program = PlcProgramConfig { wired_camera: true, ..PlcProgramConfig::new(3_000) };
    let program =
        PlcProgramConfig { first_part: plumb_inspection::PartId::new(501).expect("not 0"), ..program };
    let plc = SimulatedPlcConfig::new(Role::Server, "127.0.0.1:0", program);
    let plc = SimulatedPlc::start(plc, belt.clone()).expect("a free port");
    let (station, records) = start(&workshop, Some(&plc));
    let top = CameraId::from("top");

    for counted in 501..=503 {
        let encoder = belt.edge();
        station.signal(&top);
        let record = next(&records);
        assert_eq!((record.part_id.get(), record.encoder), (counted, Some(encoder)));
        assert_eq!(record.verdict, RecordVerdict::Pass);
    }
    wait_until("the gate", Duration::from_secs(10), || belt.decided(503) == Some(GateReason::Passed));

    belt.edge(); // 504: the camera misses it
    let lost = || station.condition().reasons.iter().any(|says| says.contains("part 504"));
    wait_until("the mismatch to be noticed", Duration::from_secs(10), lost);
    belt.edge(); // 505
    station.signal(&top);
    let record = next(&records);
    assert_eq!((record.verdict, record.reason_code), (RecordVerdict::Missed, 113));
    wait_until("the gate", Duration::from_secs(10), || belt.decided(505) == Some(GateReason::NoAnswer));

    plc.turn_key();
    wait_until("the count to begin anew", Duration::from_secs(10), || station.condition().is_ready());
    let encoder = belt.edge();
    station.signal(&top);
    let record = next(&records);
    assert_eq!((record.part_id.get(), record.encoder), (506, Some(encoder)));
    assert_eq!(record.verdict, RecordVerdict::Pass);
    station.stop().expect("the ledger closes");
}
