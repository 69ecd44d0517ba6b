//! The probe against PLC programs: ours passes every step and releases nothing; each wrong one is told what to change.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

mod foreign;

use foreign::{Peer, python};
use plumb_plc::{
    FromPlc, LogixConfig, ModbusTcpConfig, PlcConfig, Role, Seen, ToPlc,
    probe::{Onlooker, Outcome, Probe, Step, Watcher},
    register_map::Words,
    simulator::{
        LineInputs, LineWiring, PlcProgram, PlcProgramConfig, ScanOut, SimulatedPlc, SimulatedPlcConfig,
    },
};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_modbus::{
    client::{Client as _, tcp},
    prelude::{Request, Response, Slave},
};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Remembers what it was told.
#[derive(Default)]
struct Notes {
    said: Vec<String>,
    blocks: u32,
    passes: u32,
}

impl Onlooker for Notes {
    fn block(&mut self, seen: &Seen) {
        self.blocks += 1;
        self.passes += u32::from(seen.to_plc.code == plumb_plc::VerdictCode::Pass);
    }
    fn asks(&mut self, step: Step, says: &str) {
        self.said.push(format!("{step}: {says}"));
    }
    fn note(&mut self, says: &str) {
        self.said.push(says.to_owned());
    }
    fn outcome(&mut self, outcome: &Outcome) {
        self.said.push(format!("{outcome:?}"));
    }
}

/// A belt with a part every 400 ms, and a count of what the gate let through.
#[derive(Clone)]
struct Belt {
    start: Instant,
    seen: u32,
    released: Arc<AtomicU32>,
}

impl Belt {
    fn new() -> Self {
        Self { start: Instant::now(), seen: 0, released: Arc::default() }
    }
}

impl LineWiring for Belt {
    fn inputs(&mut self, now: Instant) -> LineInputs {
        let encoder = now.duration_since(self.start).as_millis() as u32;
        let mut photo_eye_edges = Vec::new();
        while self.seen + 400 <= encoder {
            self.seen += 400;
            photo_eye_edges.push(self.seen);
        }
        LineInputs { encoder, photo_eye_edges, line_running: true, ..LineInputs::default() }
    }

    fn outputs(&mut self, _now: Instant, out: &ScanOut) {
        let released = out.decisions.iter().filter(|decision| decision.release).count();
        self.released.fetch_add(released as u32, Ordering::Relaxed);
    }
}

fn client(address: SocketAddr) -> PlcConfig {
    PlcConfig::ModbusTcp(ModbusTcpConfig::new(Role::Client, address.to_string()))
}

#[tokio::test]
async fn a_right_program_passes_every_step_and_no_part_is_released() {
    let belt = Belt::new();
    let config = SimulatedPlcConfig::new(Role::Server, "127.0.0.1:0", PlcProgramConfig::new(200));
    let plc = SimulatedPlc::start(config, belt.clone()).unwrap();
    let mut notes = Notes::default();
    let mut probe = Probe::start(client(plc.local_addr().unwrap()), ms(20_000), &mut notes).unwrap();
    let mut outcomes = Vec::new();
    for step in Step::REJECTING {
        outcomes.push(probe.walk(step).await);
    }
    probe.end().await;
    let bad: Vec<_> = outcomes.iter().filter(|outcome| !outcome.ok).collect();
    assert!(bad.is_empty(), "{bad:#?}\n{:#?}", notes.said);
    assert!(plc.tally().edges > 10 && plc.tally().failed > 0, "{:?}", plc.tally());
    assert_eq!((belt.released.load(Ordering::Relaxed), notes.passes), (0, 0));
    assert!(notes.blocks > 50, "the block is shown all the time: {}", notes.blocks);
}

#[tokio::test]
async fn a_pass_is_said_only_when_it_is_asked_for_by_name() {
    let belt = Belt::new();
    let config = SimulatedPlcConfig::new(Role::Server, "127.0.0.1:0", PlcProgramConfig::new(200));
    let plc = SimulatedPlc::start(config, belt.clone()).unwrap();
    let mut notes = Notes::default();
    let mut probe = Probe::start(client(plc.local_addr().unwrap()), ms(20_000), &mut notes).unwrap();
    for step in [Step::Link, Step::Enable, Step::Pass] {
        let outcome = probe.walk(step).await;
        assert!(outcome.ok, "{outcome:?}");
    }
    let released = Arc::clone(&belt.released);
    let end = Instant::now() + ms(5_000);
    while released.load(Ordering::Relaxed) == 0 && Instant::now() < end {
        probe.walk(Step::Heartbeat).await; // the station's heart must beat until the part is through
    }
    probe.end().await;
    assert_eq!(belt.released.load(Ordering::Relaxed), 1);
}

/// What a beginner's program does: ours, spoiled on its way out.
type Spoil = fn(now_ms: u64, said: FromPlc, station: &ToPlc) -> FromPlc;

/// Polls the station with a spoiled program until `stop`.
async fn wrong_plc(station: SocketAddr, spoil: Spoil, buffer_results: bool, stop: Arc<AtomicBool>) {
    let mut belt = Belt::new();
    let start = Instant::now();
    let mut program = PlcProgram::new(PlcProgramConfig { buffer_results, ..PlcProgramConfig::new(200) });
    let mut connection = tcp::connect_slave(station, Slave(1)).await.unwrap();
    let mut words: Words = [0; 10];
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        let inputs = belt.inputs(now);
        let out = program.scan(now, &inputs, &words);
        let shown = ToPlc::decode(&words).unwrap_or_default();
        let said = spoil(now.duration_since(start).as_millis() as u64, out.words, &shown);
        let both = Request::ReadWriteMultipleRegisters(10, 10, 0, said.encode().to_vec().into());
        let Ok(Ok(Response::ReadWriteMultipleRegisters(answer))) = connection.call(both).await else {
            return;
        };
        words = Words::try_from(answer.as_slice()).unwrap();
        tokio::time::sleep(ms(3)).await;
    }
}

#[tokio::test]
async fn each_wrong_program_is_told_what_is_wrong_and_what_to_change() {
    type Row = (&'static str, Spoil, &'static [Step], Step, &'static str, &'static str);
    let rows: [Row; 8] = [
        (
            "word 1 stands still",
            |_, said, _| FromPlc { heartbeat: 7, ..said },
            &[Step::Link],
            Step::Heartbeat,
            "stood still",
            "add 1 to word 1 every 100 ms",
        ),
        (
            "a toggling bit for a heartbeat",
            |ms, said, _| FromPlc { heartbeat: (ms / 100 % 2) as u16, ..said },
            &[Step::Link],
            Step::Heartbeat,
            "back and forth",
            "count, do not toggle",
        ),
        (
            "TriggerEnable is forgotten",
            |_, mut said, _| {
                said.control.trigger_enable = false;
                said
            },
            &[Step::Link],
            Step::Enable,
            "TriggerEnable did not come",
            "set word 0 bit 0",
        ),
        (
            "Trigger is never set",
            |_, mut said, _| {
                said.control.trigger = false;
                said
            },
            &[Step::Link, Step::Enable],
            Step::Trigger,
            "no Trigger came",
            "TriggerReady",
        ),
        (
            "Trigger is never reset",
            |ms, mut said, _| {
                said.control.trigger = ms > 1_500;
                said
            },
            &[Step::Link, Step::Enable],
            Step::Trigger,
            "Trigger did not fall",
            "sees TriggerAck",
        ),
        (
            "ResultsAck is never set",
            |_, mut said, _| {
                said.control.results_ack = false;
                said
            },
            &[Step::Link, Step::Enable],
            Step::Fail,
            "ResultsAck",
            "set ResultsAck (word 0 bit 3) when",
        ),
        (
            "Trigger regardless of TriggerReady",
            |ms, mut said, shown| {
                if shown.status.online
                    && !shown.status.trigger_ready
                    && !shown.status.trigger_ack
                    && !shown.status.busy
                {
                    said.control.trigger = ms % 1_000 > 500;
                }
                said
            },
            &[Step::Link, Step::Enable],
            Step::NotReady,
            "while TriggerReady was 0",
            "reject the parts",
        ),
        (
            "Trigger for a dead station",
            |ms, mut said, _| {
                said.control.trigger = ms % 400 > 200;
                said
            },
            &[Step::Link, Step::Enable],
            Step::StationLost,
            "word 11 had stood still",
            "watch word 11",
        ),
    ];
    for (what, spoil, before, step, says, change) in rows {
        let config = ModbusTcpConfig::new(Role::Server, "127.0.0.1:0");
        let mut notes = Notes::default();
        let mut probe = Probe::start(PlcConfig::ModbusTcp(config), ms(2_500), &mut notes).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let plc = tokio::spawn(wrong_plc(probe.local_addr().unwrap(), spoil, true, Arc::clone(&stop)));
        for step in before {
            probe.walk(*step).await;
        }
        let outcome = probe.walk(step).await;
        stop.store(true, Ordering::Relaxed);
        probe.end().await;
        plc.await.unwrap();
        let advice = outcome.change.clone().unwrap_or_default();
        assert!(!outcome.ok, "{what}: {outcome:?}\n{:#?}", notes.said);
        assert!(
            outcome.says.contains(says) && advice.contains(change),
            "{what}: {outcome:?}\n{:#?}",
            notes.said
        );
    }
}

#[tokio::test]
async fn looking_writes_nothing_and_says_where_it_cannot() {
    let config = SimulatedPlcConfig::new(Role::Server, "127.0.0.1:0", PlcProgramConfig::new(200));
    let plc = SimulatedPlc::start(config, Belt::new()).unwrap();
    let mut watcher = Watcher::open(&client(plc.local_addr().unwrap())).unwrap().unwrap();
    let end = Instant::now() + ms(5_000);
    let beat = watcher.look().await.unwrap()[1];
    while watcher.look().await.unwrap()[1] == beat {
        assert!(Instant::now() < end, "the PLC's heartbeat is seen to move");
    }
    assert_eq!(plc.registers()[10..], [0; 10], "nothing was written");
    assert!(Watcher::open(&PlcConfig::None).unwrap().is_none());
    let server = PlcConfig::ModbusTcp(ModbusTcpConfig::new(Role::Server, "127.0.0.1:0"));
    let refused = Watcher::open(&server).unwrap().unwrap().look().await.unwrap_err();
    assert!(refused.contains("cannot be watched"), "{refused}");
}

#[tokio::test]
async fn a_logix_controllers_two_tags_are_looked_at_without_a_word_written() {
    let Some(python) = python("ethernetip") else { return };
    let peer = Peer::start(&python, "logix.py", &[]);
    let ask = [&b"X"[..], &[0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]].concat();
    let mut station = [1; 20];
    let mut door = TcpStream::connect(peer.plc.memory).unwrap();
    door.write_all(&ask).unwrap();
    door.read_exact(&mut station).unwrap();

    let config = PlcConfig::Logix(LogixConfig::new(peer.plc.server.to_string()));
    let mut watcher = Watcher::open(&config).unwrap().unwrap();
    for _ in 0..2 {
        let words = watcher.look().await.unwrap();
        assert_eq!((words[0], words[1], words[9]), (7, 8, 9));
        assert_eq!(words[10..], [0; 10]);
    }
    door = TcpStream::connect(peer.plc.memory).unwrap();
    door.write_all(&ask).unwrap();
    door.read_exact(&mut station).unwrap();
    assert_eq!(station, [0; 20], "nothing was written");
}
