//! Known parts on a running line: a real station behind a PLC that speaks Modbus, a camera that sees what lies before it, and
//! the console's own addresses. Nothing passes the gate before the known parts are told right.

mod workshop;

use jiff::{SignedDuration, Timestamp};
use plumb_capture::{LineCamera, LineExposure};
use plumb_inspection::{Image, PixelFormat};
use plumb_ledger::{AuditLog, AuditQuery, PeopleBook, Query, Reader, RecordVerdict, Role, Token, Verified};
use plumb_plc::{
    Role as PlcRole,
    simulator::{
        GateDecision, LineInputs, LineWiring, PlcProgramConfig, ScanOut, SimulatedPlc, SimulatedPlcConfig,
    },
};
use plumb_station::{
    config,
    state::State,
    station::{Station, Wiring},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use workshop::{RECIPE, Workshop, browser::browser, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

const STATION: &str = r#"
plc = { kind = "modbus_tcp", role = "client", address = "{plc}", cycle_ms = 2, backoff_max_ms = 200 }

[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "bottle"
data = "data"

[[camera]]
id = "top"
source = { kind = "line" }
frame_wait_ms = 1000

[trigger]
kind = "plc"

[line]

[challenge]
due = [{due}]

[[challenge.part]]
name = "golden bottle"
recipe = "bottle"
expect = "pass"
note = "drawer 1"

[[challenge.part]]
name = "red rabbit, no bottle"
recipe = "bottle"
expect = "fail"
rule = "bottle-there"
"#;

/// One part at a time: it crosses the photo-eye when it is laid down, and is before the camera until the next one is.
#[derive(Clone)]
struct Belt(Arc<Laid>);

struct Laid {
    start: Instant,
    /// A bottle is there.
    bright: AtomicBool,
    edge: AtomicBool,
    frames: AtomicU64,
    decisions: Mutex<Vec<GateDecision>>,
}

impl Belt {
    fn new() -> Self {
        Self(Arc::new(Laid {
            start: Instant::now(),
            bright: AtomicBool::new(false),
            edge: AtomicBool::new(false),
            frames: AtomicU64::new(0),
            decisions: Mutex::default(),
        }))
    }

    /// Counts of the encoder: one a ms.
    fn encoder(&self) -> u32 {
        u32::try_from(self.0.start.elapsed().as_millis()).expect("a short test")
    }

    /// Lays a part down and waits until the gate has let it through, or has not. True: it passed.
    fn lay(&self, bottle: bool) -> bool {
        let before = self.decided();
        self.0.bright.store(bottle, Relaxed);
        self.0.edge.store(true, Relaxed);
        wait_until("a part at the gate", PATIENCE, || self.decided() > before);
        let decisions = self.0.decisions.lock().expect("nobody panicked");
        decisions.last().expect("it was decided").release
    }

    fn decided(&self) -> usize {
        self.0.decisions.lock().expect("nobody panicked").len()
    }
}

impl LineCamera for Belt {
    fn expose(&self) -> Option<LineExposure> {
        let grey = if self.0.bright.load(Relaxed) { 255 } else { 0 };
        let image = Image::packed(320, 240, PixelFormat::Bgr8, vec![grey; 320 * 240 * 3]).expect("a picture");
        Some(LineExposure { image, frame_id: self.0.frames.fetch_add(1, Relaxed) + 1 })
    }
}

impl LineWiring for Belt {
    fn inputs(&mut self, _now: Instant) -> LineInputs {
        let edge = self.0.edge.swap(false, Relaxed);
        let encoder = self.encoder();
        let photo_eye_edges = edge.then_some(encoder).into_iter().collect();
        LineInputs { encoder, photo_eye_edges, line_running: true, ..LineInputs::default() }
    }

    fn outputs(&mut self, _now: Instant, out: &ScanOut) {
        self.0.decisions.lock().expect("nobody panicked").extend(out.decisions.iter().cloned());
    }
}

/// The line, and who stands at it.
struct Cell {
    workshop: Workshop,
    belt: Belt,
    _plc: SimulatedPlc,
    secret: String,
}

impl Cell {
    fn new(due: &str) -> Self {
        let belt = Belt::new();
        // The gate is a second behind the photo-eye: longer than an answer takes on a machine that tests everything else, too.
        let mut plc = SimulatedPlcConfig::new(PlcRole::Server, "127.0.0.1:0", PlcProgramConfig::new(1_000));
        plc.scan = Duration::from_millis(2);
        let plc = SimulatedPlc::start(plc, belt.clone()).expect("the PLC listens");
        let address = plc.local_addr().expect("a server").to_string();
        let workshop = Workshop::new(&STATION.replace("{plc}", &address).replace("{due}", due), RECIPE);
        let secret = "5c".repeat(32);
        let digest = Sha256::digest(&secret).iter().map(|byte| format!("{byte:02x}")).collect();
        let cell = Self { workshop, belt, _plc: plc, secret };
        let until = Timestamp::now() + SignedDuration::from_hours(1);
        let (name, role, by) = ("otto".to_owned(), Role::Operator, "test".to_owned());
        let token = Token { digest, name, role, by, made: Timestamp::now(), until };
        PeopleBook::new(&cell.data()).keep_token(&token).expect("a new folder");
        cell
    }

    fn data(&self) -> PathBuf {
        self.workshop.path("data")
    }

    fn start(&self) -> Station {
        let plan = config::read(&self.workshop.path("station.toml"));
        let plan = plan.unwrap_or_else(|problems| panic!("{problems}"));
        let wiring = Wiring { line: Some(Arc::new(self.belt.clone())), ..Wiring::default() };
        let station = Station::start(plan, wiring).unwrap_or_else(|error| panic!("{error}"));
        wait_until("the PLC's link", PATIENCE, || {
            !station
                .condition()
                .reasons
                .iter()
                .any(|says| says.contains("PLC") && !says.contains("challenge"))
        });
        station
    }

    /// What the operator does at the page, done by a program with the operator's rights.
    fn post(&self, station: &Station, path: &str) -> (u16, String) {
        let agent =
            ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
        let address = station.address.expect("HTTP");
        let request = agent.post(format!("http://{address}{path}"));
        let mut answer =
            request.header("authorization", format!("Bearer {}", self.secret)).send_empty().expect("HTTP");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
    }

    fn begin(&self, station: &Station) {
        let (status, says) = self.post(station, "/challenge/begin");
        assert_eq!(status, 200, "{says}");
        wait_until("the station to take known parts", PATIENCE, || {
            station.condition().reasons[0].contains("is presenting known parts")
        });
        // The PLC is told within a beat of 100 ms, and looks every 2 ms.
        std::thread::park_timeout(Duration::from_millis(300));
    }

    fn entries(&self, what: &str) -> Vec<Value> {
        let query = AuditQuery { what: Some(what.to_owned()), limit: 10, ..AuditQuery::default() };
        let found = AuditLog::new(&self.data()).find(&query).expect("readable");
        found.iter().map(|entry| serde_json::to_value(entry).expect("JSON")).collect()
    }
}

fn is_due(station: &Station) -> bool {
    let condition = station.condition();
    condition.state == State::NotReleased && condition.reasons[0].contains("every part is rejected")
}

fn readyz(address: SocketAddr) -> u16 {
    let agent =
        ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
    agent.get(format!("http://{address}/readyz")).call().expect("HTTP").status().as_u16()
}

fn stop(station: Station) {
    station.stop().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn nothing_passes_the_gate_before_the_known_parts_are_told_right_and_everything_good_does_after() {
    let cell = Cell::new("\"start\"");
    let station = cell.start();
    let address = station.address.expect("HTTP");
    assert!(is_due(&station), "{:?}", station.condition());
    assert_eq!(readyz(address), 503);
    assert!(!cell.belt.lay(true), "a good part passed a station that is not released");

    // The golden part passes the judge, and the gate shuts all the same; the rabbit is told for the right reason.
    cell.begin(&station);
    let (status, says) = cell.post(&station, "/challenge/begin");
    assert!(status == 409 && says.contains("otto is presenting"), "{status} {says}");
    assert!(!cell.belt.lay(true), "a golden part passed the gate in a challenge");
    assert!(!cell.belt.lay(false), "the rabbit passed");
    wait_until("the station to be released", PATIENCE, || station.condition().state == State::Running);
    wait_until("the PLC to hear of it", PATIENCE, || readyz(address) == 200);
    std::thread::park_timeout(Duration::from_millis(300));
    assert!(cell.belt.lay(true), "a good part did not pass the released station");
    assert!(!cell.belt.lay(false), "a bad part passed");

    let passed = cell.entries("challenge_passed");
    assert_eq!((passed.len(), passed[0]["who"].as_str()), (1, Some("token otto")), "{passed:?}");
    let parts = passed[0]["new"]["parts"].as_array().expect("parts");
    let told: Vec<_> =
        parts.iter().map(|part| (part["seen"].as_str(), part["delivered"].as_bool())).collect();
    assert_eq!(told, [(Some("pass"), Some(true)), (Some("fail"), Some(true))], "{passed:?}");
    let text = String::from_utf8(station.metrics.render()).expect("text");
    assert!(text.contains(r#"plumb_challenge_runs_total{recipe="bottle",result="passed"} 1"#), "{text}");
    assert!(
        text.contains(r#"plumb_parts_total{mode="challenge",recipe="bottle",verdict="error"} 2"#),
        "{text}"
    );
    stop(station);

    // On record: what the machine saw of each, as parts that were not to pass.
    let query = Query { verdict: Some(RecordVerdict::Missed), ..Query::default() };
    let records = Reader::new(&cell.data()).find(&query).expect("readable");
    let golden = records.iter().find(|record| record.reasons[0].says.contains("golden bottle"));
    assert!(
        golden.is_some_and(|record| record.reasons[0].says.ends_with("the machine said pass")),
        "{records:?}"
    );
    assert!(matches!(AuditLog::new(&cell.data()).verify().expect("readable"), Verified::Whole { .. }));
}

#[test]
fn a_wrong_word_on_a_known_part_keeps_the_station_blocked_and_says_which_part_it_was() {
    let cell = Cell::new("\"start\"");
    let station = cell.start();
    cell.begin(&station);
    assert!(!cell.belt.lay(false), "a golden part that is not there"); // as if somebody took the wrong one
    wait_until("the challenge to fail", PATIENCE, || {
        station.condition().reasons[0].starts_with("the challenge failed")
    });
    let says = station.condition().reasons[0].clone();
    assert!(
        says.contains("\"golden bottle\"") && says.contains("was to pass, and the machine said fail"),
        "{says}"
    );
    assert!(!cell.belt.lay(true), "a good part passed after a failed challenge");
    assert_eq!(cell.entries("challenge_failed").len(), 1);
    // It can be done again, and then counts.
    cell.begin(&station);
    assert!(!cell.belt.lay(true) && !cell.belt.lay(false));
    wait_until("the station to be released", PATIENCE, || station.condition().state == State::Running);
    stop(station);
}

#[test]
fn a_restart_in_the_middle_stays_blocked_and_one_after_it_is_passed_does_not() {
    let cell = Cell::new("\"shift\", \"changeover\"");
    let station = cell.start();
    cell.begin(&station);
    assert!(!cell.belt.lay(true), "the golden part");
    stop(station);

    let station = cell.start();
    assert!(is_due(&station), "{:?}", station.condition());
    assert!(!cell.belt.lay(true), "a good part passed after a restart in the middle of a challenge");
    cell.begin(&station);
    assert!(!cell.belt.lay(true) && !cell.belt.lay(false));
    wait_until("the station to be released", PATIENCE, || station.condition().state == State::Running);
    stop(station);

    let station = cell.start();
    wait_until("the station to run", PATIENCE, || station.condition().state == State::Running);
    // Begun anew it must be passed anew, whatever becomes of the station.
    cell.begin(&station);
    let (status, says) = cell.post(&station, "/challenge/break-off");
    assert_eq!(status, 200, "{says}");
    wait_until("it to be due", PATIENCE, || is_due(&station));
    stop(station);
    let station = cell.start();
    assert!(is_due(&station), "{:?}", station.condition());
    stop(station);
}

/// Skipped, with a word, where there is no Chromium or no Playwright.
#[test]
fn an_operator_presents_known_parts_at_the_page_which_says_what_is_next_and_what_was_wrong() {
    let Some((mut node, chrome)) = browser() else { return };
    let cell = Cell::new("\"start\"");
    let station = cell.start();
    let wish = json!({
        "base": format!("http://{}", station.address.expect("HTTP")),
        "password": station.first_password.clone().expect("nobody could log in before"),
        "chrome": chrome,
        "shots": std::env::var("PLUMB_TEST_SHOTS").ok(),
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/challenge.cjs");
    let command = node.arg(script).arg(wish.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("Node.js starts");
    let (mut hands, told) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let (mut laid, mut ended) = (0, false);
    for line in BufReader::new(told).lines() {
        let line = line.expect("UTF-8");
        let step: Value = serde_json::from_str(&line).expect("a JSON document a line");
        match step["step"].as_str().expect("a step") {
            "failed" => panic!("{line}"),
            "lay" => {
                assert!(!cell.belt.lay(step["part"] == "good"), "a known part passed the gate");
                laid += 1;
                writeln!(hands, "laid").expect("it listens");
            }
            // 14 mm on a panel of 100 dpi.
            "due" => assert!(step["word"] == "DUE" && step["touch_px"].as_f64() >= Some(55.0), "{line}"),
            "failed_challenge" => {
                let says = step["says"].as_str().expect("a sentence");
                assert!(step["word"] == "FAILED" && says.contains("red rabbit, no bottle"), "{line}");
            }
            "passed" => assert_eq!(step["right"], 2, "{line}"),
            "end" => {
                assert_eq!(step["complaints"], json!([]), "{line}");
                ended = true;
            }
            _ => {}
        }
    }
    assert!(child.wait().expect("it ends").success() && ended && laid == 4);
    std::thread::park_timeout(Duration::from_millis(300));
    assert!(cell.belt.lay(true), "a good part did not pass the released station");
    stop(station);
}

#[test]
fn a_challenge_that_could_prove_nothing_is_refused_with_its_place() {
    let told = |from: &str, to: &str| {
        let station = STATION.replace("{plc}", "127.0.0.1:502").replace("{due}", "\"shift\"");
        assert!(station.contains(from), "{from}");
        let workshop = Workshop::new(&station.replace(from, to), RECIPE);
        match config::read(&workshop.path("station.toml")) {
            Ok(_) => String::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        }
    };
    assert_eq!(told("drawer 1", "drawer 2"), "");
    for (from, to, expected) in [
        ("rule = \"bottle-there\"", "rule = \"botle-there\"", "has no rule \"botle-there\""),
        ("expect = \"pass\"", "expect = \"pass\"\nrule = \"bottle-there\"", "no rule objects"),
        ("expect = \"fail\"\nrule = \"bottle-there\"", "expect = \"pass\"", "is to be rejected"),
        ("name = \"red rabbit, no bottle\"", "name = \"golden bottle\"", "a second known part"),
        ("due = [\"shift\"]", "due = []", "due is empty"),
        ("due = [\"shift\"]", "due = [\"noon\"]", "noon"),
        ("due = [\"shift\"]", "minutes = 0", "minutes is 0"),
        (
            "recipe = \"bottle\"\nexpect = \"pass\"",
            "recipe = \"botle\"\nexpect = \"pass\"",
            "there is no recipe \"botle\"",
        ),
    ] {
        let told = told(from, to);
        assert!(told.contains(expected) && told.contains("station.toml:"), "{to}: {told}");
    }
}
