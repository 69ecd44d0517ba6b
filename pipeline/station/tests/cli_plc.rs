//! `plumb plc probe` as a controls engineer runs it, against a PLC that polls, counts and drives a gate.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

use plumb_plc::{
    Role,
    simulator::{LineInputs, LineWiring, PlcProgramConfig, ScanOut, SimulatedPlc, SimulatedPlcConfig},
};
use serde_json::Value;
use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

/// A part every 300 ms.
struct Belt {
    start: Instant,
    seen: u32,
    released: Arc<AtomicU32>,
}

impl LineWiring for Belt {
    fn inputs(&mut self, now: Instant) -> LineInputs {
        let encoder = now.duration_since(self.start).as_millis() as u32;
        let mut photo_eye_edges = Vec::new();
        while self.seen + 300 <= encoder {
            self.seen += 300;
            photo_eye_edges.push(self.seen);
        }
        LineInputs { encoder, photo_eye_edges, line_running: true, ..LineInputs::default() }
    }

    fn outputs(&mut self, _now: Instant, out: &ScanOut) {
        let released = out.decisions.iter().filter(|decision| decision.release).count();
        self.released.fetch_add(released as u32, Ordering::Relaxed);
    }
}

fn plc() -> (SimulatedPlc, Arc<AtomicU32>) {
    let released = Arc::<AtomicU32>::default();
    let belt = Belt { start: Instant::now(), seen: 0, released: released.clone() };
    let config = SimulatedPlcConfig::new(Role::Server, "127.0.0.1:0", PlcProgramConfig::new(200));
    (SimulatedPlc::start(config, belt).unwrap(), released)
}

fn write_station(folder: &Path, plc: &str) {
    fs::write(folder.join("station.toml"), format!("[plc]\n{plc}\n")).unwrap();
}

fn probe(folder: &Path, args: &[&str], typed: &str) -> Output {
    let mut plumb = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(["plc", "probe", "station.toml"])
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    plumb.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    plumb.wait_with_output().unwrap()
}

fn events(output: &Output) -> Vec<Value> {
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_right_program_is_walked_through_and_no_part_is_released() {
    let (plc, released) = plc();
    let folder = tempfile::tempdir().unwrap();
    let address = plc.local_addr().unwrap();
    write_station(
        folder.path(),
        &format!("kind = \"modbus_tcp\"\nrole = \"client\"\naddress = \"{address}\""),
    );

    let walked = probe(folder.path(), &["--patience-s", "20"], "");
    let text = told(&walked);
    assert_eq!(walked.status.code(), Some(0), "{text}");
    for words in [&format!("probe of modbus_tcp {address}"), "heartbeat", "trigger", "all as they should be"]
    {
        assert!(text.contains(words), "{words:?} in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no escape codes where there is no terminal: {text:?}");

    let walked = probe(folder.path(), &["--json", "--steps", "link,heartbeat", "--patience-s", "20"], "");
    let events = events(&walked);
    assert!(events.iter().all(|event| event["schema"] == "plumb.plc_probe/1"), "{events:?}");
    let steps: Vec<&Value> = events.iter().filter(|event| event["event"] == "step").collect();
    assert_eq!(steps.len(), 2, "{steps:?}");
    assert!(steps.iter().all(|step| step["ok"] == true), "{steps:?}");
    assert_eq!(events.last().unwrap()["ok"], true);
    assert_eq!(released.load(Ordering::Relaxed), 0, "nobody has asked for a part to be released");
}

#[test]
fn a_part_is_released_only_after_the_words() {
    let (plc, released) = plc();
    let folder = tempfile::tempdir().unwrap();
    let address = plc.local_addr().unwrap();
    write_station(
        folder.path(),
        &format!("kind = \"modbus_tcp\"\nrole = \"client\"\naddress = \"{address}\""),
    );
    let refused = probe(folder.path(), &["--with-pass"], "yes\n");
    assert_eq!(refused.status.code(), Some(2), "{}", told(&refused));
    assert!(told(&refused).contains("no part was released"), "{}", told(&refused));
    assert_eq!(released.load(Ordering::Relaxed), 0);
    let steps = ["--with-pass", "--steps", "link,heartbeat,enable", "--patience-s", "20"];
    let walked = probe(folder.path(), &steps, "release parts\n");
    assert_eq!(walked.status.code(), Some(0), "{}", told(&walked));
}

#[test]
fn what_cannot_be_probed_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let rows: [(&str, &[&str], i32, &[&str]); 4] = [
        ("kind = \"none\"", &[], 3, &["there is nothing to probe"]),
        (
            "kind = \"modbus_tcp\"\nrole = \"client\"\naddress = \"here\"",
            &[],
            3,
            &["plc address \"here\" should be host:port"],
        ),
        ("kind = \"s8\"", &[], 3, &["station.toml", "s8"]),
        (
            "kind = \"modbus_tcp\"\nrole = \"client\"\naddress = \"127.0.0.1:1\"",
            &["--patience-s", "1"],
            1,
            &["127.0.0.1:1", "link", "->"],
        ),
    ];
    for (plc, args, code, words) in rows {
        write_station(folder.path(), plc);
        let said = probe(folder.path(), args, "");
        let text = told(&said);
        assert_eq!(said.status.code(), Some(code), "{plc}: {text}");
        for words in words {
            assert!(text.contains(words), "{plc}: {words:?} in\n{text}");
        }
    }
}

#[test]
fn who_only_looks_on_writes_nothing() {
    let (plc, released) = plc();
    let folder = tempfile::tempdir().unwrap();
    let address = plc.local_addr().unwrap();
    write_station(
        folder.path(),
        &format!("kind = \"modbus_tcp\"\nrole = \"client\"\naddress = \"{address}\""),
    );
    let watched = probe(folder.path(), &["--watch", "--seconds", "2", "--json"], "");
    assert_eq!(watched.status.code(), Some(0), "{}", told(&watched));
    let events = events(&watched);
    let block = events.iter().find(|event| event["event"] == "block");
    assert!(block.is_some(), "{events:?}");
    assert_eq!(released.load(Ordering::Relaxed), 0);
    assert!(plc.tally().edges > 0, "{:?}", plc.tally());
    assert_eq!(plc.tally().failed, 0, "an onlooker has told it nothing: {:?}", plc.tally());
}
