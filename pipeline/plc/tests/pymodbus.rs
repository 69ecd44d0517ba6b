//! The wire against somebody else's Modbus: pymodbus, with a PLC program of its own in Python that knows the
//! contract and nothing of Plumb. Both roles, one part for each thing that can be said of a part.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test's helpers are part of the test

use plumb_inspection::{PartId, RecipeNumber};
use plumb_plc::{Answer, ModbusTcpConfig, PlcConfig, PlcEvent, PlcLink, Role, StationState, VerdictCode};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc as blocking,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// From photo-eye to gate.
const GATE_MS: u64 = 500;
/// Eight parts close together, one during which the station's heart stands still, one after.
const EDGES_MS: &str = "0,100,200,300,400,500,600,700,1500,2700";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What the station does with a part, and whether the PLC may release it then.
enum Do {
    Say(VerdictCode),
    /// Passes it, when its deadline is over.
    PassLate,
    Nothing,
    /// Passes part 1 instead.
    PassStale,
    /// Passes it when it has been through the gate.
    PassAfterGate,
    /// Passes it, and dies.
    PassAndDie,
}

fn script(part: u32) -> (Do, bool) {
    match part {
        1 | 8 | 10 => (Do::Say(VerdictCode::Pass), true),
        2 => (Do::Say(VerdictCode::Fail), false),
        3 => (Do::Say(VerdictCode::Missed), false),
        4 => (Do::PassLate, false),
        5 => (Do::Nothing, false),
        6 => (Do::PassStale, false),
        7 => (Do::PassAfterGate, false),
        _ => (Do::PassAndDie, false),
    }
}

fn python() -> Option<PathBuf> {
    let ours = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.plumb/venv/bin/python");
    let python = std::env::var_os("PLUMB_TEST_PYTHON").map_or(ours, PathBuf::from);
    let works = Command::new(&python).args(["-c", "import pymodbus"]).stderr(Stdio::null()).status();
    if works.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    println!(
        "skipped: no Python with pymodbus at {}; run `make setup` or set PLUMB_TEST_PYTHON",
        python.display()
    );
    None
}

/// The PLC's process and what it says, a JSON document a line.
struct Peer {
    child: Child,
    lines: blocking::Receiver<Value>,
}

impl Peer {
    fn start(python: &PathBuf, script: &str, extra: &[&str]) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/peer");
        let mut child = Command::new(python)
            .arg("-B")
            .arg(folder.join(script))
            .args([EDGES_MS, &GATE_MS.to_string()])
            .args(extra)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (say, lines) = blocking::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = say.send(serde_json::from_str(&line).expect("the peer prints JSON lines"));
            }
        });
        Self { child, lines }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Outcome {
    said: Vec<Value>,
    events: Vec<PlcEvent>,
}

impl Outcome {
    fn of(&self, key: &str) -> Vec<&Value> {
        self.said.iter().filter_map(|line| line.get(key)).collect()
    }
}

/// Plays the station until the PLC is done.
async fn play(link: PlcLink, mut heard: mpsc::Receiver<PlcEvent>, peer: &Peer) -> Outcome {
    link.set_state(StationState { online: true, recipe: RecipeNumber(1), ..StationState::default() });
    link.set_ready(true);
    let (mut said, mut events, mut due) = (Vec::new(), Vec::new(), Vec::<(Instant, Answer)>::new());
    let start = Instant::now();
    let (mut next_beat, mut dead_until) = (start, start);
    while said.iter().all(|line: &Value| line.get("done").is_none()) {
        assert!(start.elapsed() < Duration::from_secs(30), "the PLC is not done: {said:?} {events:?}");
        said.extend(peer.lines.try_iter());
        let now = Instant::now();
        if now >= next_beat {
            next_beat = now + ms(100);
            if now >= dead_until {
                link.beat();
            }
        }
        while let Some(at) = due.iter().position(|(at, _)| *at <= now) {
            link.answer(due.remove(at).1).unwrap();
        }
        let Ok(Some(event)) = tokio::time::timeout(ms(2), heard.recv()).await else { continue };
        if let PlcEvent::TriggerRequested { part: Some(part), .. } = event {
            let answer = |part, code, deadline| {
                let (reason, decision, recipe) = (0, ms(7), RecipeNumber(1));
                Answer { part, code, reason, decision, recipe, deadline }
            };
            let (pass, in_time) = (VerdictCode::Pass, now + ms(GATE_MS));
            match script(part.get()).0 {
                Do::Say(code) => due.push((now, answer(part, code, in_time))),
                Do::PassLate => due.push((now + ms(30), answer(part, pass, now + ms(20)))),
                Do::Nothing => {}
                Do::PassStale => due.push((now, answer(PartId::FIRST, pass, in_time))),
                Do::PassAfterGate => {
                    due.push((now + ms(GATE_MS + 100), answer(part, pass, in_time + ms(400))))
                }
                Do::PassAndDie => {
                    due.push((now, answer(part, pass, in_time)));
                    dead_until = now + ms(GATE_MS + 200);
                }
            }
        }
        if !matches!(event, PlcEvent::RoundTrip(_)) {
            events.push(event);
        }
    }
    link.stop().await;
    while let Ok(event) = heard.try_recv() {
        events.push(event);
    }
    said.extend(peer.lines.try_iter());
    Outcome { said, events }
}

fn check(outcome: &Outcome) {
    let gates: Vec<&Value> = outcome.said.iter().filter(|line| line.get("release").is_some()).collect();
    assert_eq!(gates.len(), 10, "{:?}", outcome.said);
    for gate in &gates {
        let part = gate["part"].as_u64().unwrap() as u32;
        let (_, release) = script(part);
        assert_eq!(gate["release"], release, "part {part}: {gate}; {:?}", outcome.events);
    }
    assert_eq!(gates[3]["code"], 4, "LATE is on the wire, not silence: {}", gates[3]);
    assert_eq!(gates[8]["alive"], false, "{}", gates[8]);
    let first = outcome.of("first")[0];
    assert_eq!(
        (&first[0], &first[4]),
        (&Value::from(0), &Value::from(0)),
        "neither Online nor an answer first"
    );
    let delivered: Vec<(u32, VerdictCode)> = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            PlcEvent::AnswerDelivered { part, code, .. } => Some((part.get(), *code)),
            _ => None,
        })
        .collect();
    assert!(delivered.contains(&(4, VerdictCode::Late)) && delivered.contains(&(8, VerdictCode::Pass)));
    assert_eq!(delivered.len(), 9, "part 5 alone was not answered: {delivered:?}");
    let down = |event: &&PlcEvent| matches!(event, PlcEvent::LinkDown { .. });
    assert_eq!(outcome.events.iter().filter(down).count(), 0, "{:?}", outcome.events);
}

fn config(role: Role, address: String) -> PlcConfig {
    let config = ModbusTcpConfig::new(role, address);
    PlcConfig::ModbusTcp(ModbusTcpConfig { base: 200, ..config })
}

#[tokio::test]
async fn a_pymodbus_server_releases_what_was_passed_and_nothing_else() {
    let Some(python) = python() else { return };
    for (extra, function) in [(&[][..], 23), (&["no-fc23"][..], 16)] {
        let peer = Peer::start(&python, "plc_server.py", extra);
        let hello = peer.lines.recv_timeout(Duration::from_secs(20)).unwrap();
        let (events, heard) = mpsc::channel(256);
        let link =
            PlcLink::start(config(Role::Client, format!("127.0.0.1:{}", hello["port"])), events).unwrap();
        let outcome = play(link, heard, &peer).await;
        check(&outcome);
        assert_eq!(outcome.of("written_with"), [&Value::from(function)]);
    }
}

#[tokio::test]
async fn a_pymodbus_client_releases_what_was_passed_and_nothing_else() {
    let Some(python) = python() else { return };
    let (events, heard) = mpsc::channel(256);
    let link = PlcLink::start(config(Role::Server, "127.0.0.1:0".into()), events).unwrap();
    let port = link.local_addr().unwrap().port().to_string();
    let peer = Peer::start(&python, "plc_client.py", &[&port]);
    let outcome = play(link, heard, &peer).await;
    check(&outcome);
    assert_eq!(outcome.of("forging_refused"), [&Value::from(true)]);
    assert_eq!(outcome.of("exception"), [&Value::from(2)], "illegal data address");
}
