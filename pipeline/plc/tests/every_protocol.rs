//! Every protocol and role, a real station's link against a real PLC double over real sockets, with one fault
//! turned on. The promise everywhere: nothing is released that was not passed, every answer has exactly one end,
//! and when the fault is gone the line runs on by itself.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

use plumb_inspection::{PartId, RecipeNumber};
mod foreign;
mod plant;

use foreign::{Peer, python};
use plant::Plant;
use plumb_plc::{
    AdsConfig, Answer, EthernetIpConfig, LinkFaultKind, LogixConfig, ModbusTcpConfig, OpcUaConfig, PlcConfig,
    PlcEvent, PlcLink, Role, S7Config, SlmpConfig, StationState, VerdictCode,
    simulator::{
        Fault, GateDecision, GateReason, LineInputs, LineWiring, PlcProgramConfig, ScanOut, SimulatedPlc,
        SimulatedPlcConfig,
    },
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Encoder counts are milliseconds: a belt at constant speed.
const GATE_MS: u32 = 200;
const PITCH_MS: u32 = 40;
/// Answered this long before the gate.
const ANSWER_WITHIN: Duration = Duration::from_millis(120);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A belt that carries a part every `PITCH_MS` while it runs, and remembers what the gate did.
#[derive(Clone)]
struct Belt(Arc<Mutex<BeltState>>);

struct BeltState {
    start: Instant,
    next_part_ms: Option<u32>,
    decisions: Vec<GateDecision>,
    last: Option<ScanOut>,
    stopped: bool,
}

impl Belt {
    fn new() -> Self {
        let (start, decisions) = (Instant::now(), Vec::new());
        Self(Arc::new(Mutex::new(BeltState {
            start,
            next_part_ms: None,
            decisions,
            last: None,
            stopped: false,
        })))
    }

    fn state(&self) -> MutexGuard<'_, BeltState> {
        self.0.lock().unwrap()
    }

    fn feed(&self, on: bool) {
        let mut state = self.state();
        state.next_part_ms = on.then(|| state.start.elapsed().as_millis() as u32);
    }

    fn decisions(&self) -> Vec<GateDecision> {
        self.state().decisions.clone()
    }

    fn station_ready(&self) -> bool {
        self.state().last.as_ref().is_some_and(|out| out.station_ready)
    }
}

impl LineWiring for Belt {
    fn inputs(&mut self, _now: Instant) -> LineInputs {
        let mut state = self.state();
        let encoder = state.start.elapsed().as_millis() as u32;
        let mut photo_eye_edges = Vec::new();
        while let Some(at) = state.next_part_ms.filter(|&at| at <= encoder) {
            photo_eye_edges.push(at);
            state.next_part_ms = Some(at + PITCH_MS);
        }
        LineInputs { encoder, photo_eye_edges, line_running: true, ..LineInputs::default() }
    }

    fn outputs(&mut self, _now: Instant, out: &ScanOut) {
        let mut state = self.state();
        state.decisions.extend(&out.decisions);
        state.stopped |= out.line_stop.is_some();
        state.last = Some(out.clone());
    }
}

/// What the station thinks of a part: every third fails, every seventh is missed.
fn opinion(part: PartId) -> VerdictCode {
    match part.get() {
        id if id % 7 == 0 => VerdictCode::Missed,
        id if id % 3 == 0 => VerdictCode::Fail,
        _ => VerdictCode::Pass,
    }
}

/// A station reduced to its verdict loop: answers each trigger 5 ms later, beats every 100 ms.
struct Station {
    link: PlcLink,
    heard: mpsc::Receiver<PlcEvent>,
    events: Vec<PlcEvent>,
    due: Vec<(Instant, Answer)>,
    given: u32,
    beating: bool,
    answering: bool,
    next_beat: Instant,
}

impl Station {
    fn start(config: PlcConfig) -> Self {
        let (events, heard) = mpsc::channel(256);
        let link = PlcLink::start(config, events).unwrap();
        link.set_state(StationState { online: true, recipe: RecipeNumber(1), ..StationState::default() });
        link.set_ready(true);
        let (events, due, next_beat) = (Vec::new(), Vec::new(), Instant::now());
        Self { link, heard, events, due, given: 0, beating: true, answering: true, next_beat }
    }

    /// Works for `time`.
    async fn work(&mut self, time: Duration) {
        let until = Instant::now() + time;
        self.work_until(time * 2, "time passes", |_| Instant::now() >= until).await;
    }

    /// Works until `done`, at most `limit`; panics with `what` otherwise.
    async fn work_until(&mut self, limit: Duration, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(start.elapsed() < limit, "waited {limit:?} for: {what}; last {:?}", self.events.last());
            self.turn().await;
        }
    }

    async fn turn(&mut self) {
        if let Ok(Some(event)) = tokio::time::timeout(ms(1), self.heard.recv()).await {
            self.note(event);
        }
        let now = Instant::now();
        while let Some(at) = self.due.iter().position(|(at, _)| *at <= now) {
            let (_, answer) = self.due.remove(at);
            self.link.answer(answer).unwrap();
            self.given += 1;
        }
        if now >= self.next_beat {
            self.next_beat = now + ms(100);
            if self.beating {
                self.link.beat();
            }
        }
    }

    fn note(&mut self, event: PlcEvent) {
        let now = Instant::now();
        match &event {
            PlcEvent::TriggerRequested { part: Some(part), .. } if self.answering => {
                let (part, code, recipe) = (*part, opinion(*part), RecipeNumber(1));
                let (reason, decision, deadline) = (0, ms(5), now + ANSWER_WITHIN);
                self.due.push((now + ms(5), Answer { part, code, reason, decision, recipe, deadline }));
            }
            PlcEvent::RecipeWanted(recipe) => {
                self.link.set_state(StationState {
                    online: true,
                    recipe: *recipe,
                    ..StationState::default()
                });
            }
            _ => {}
        }
        if !matches!(event, PlcEvent::RoundTrip(_)) {
            self.events.push(event);
        }
    }

    fn ended(&self) -> u32 {
        let ended = |event: &&PlcEvent| {
            matches!(
                event,
                PlcEvent::AnswerDelivered { .. }
                    | PlcEvent::AnswerOverrun { .. }
                    | PlcEvent::AnswerDropped { .. }
            )
        };
        self.events.iter().filter(ended).count() as u32
    }

    fn down_kinds(&self) -> Vec<LinkFaultKind> {
        let kind = |event: &PlcEvent| match event {
            PlcEvent::LinkDown { kind, .. } => Some(*kind),
            _ => None,
        };
        self.events.iter().filter_map(kind).collect()
    }
}

/// One way to join a station and a PLC.
#[derive(Clone, Copy, Debug)]
enum Wire {
    /// Ours on both ends: the station's role, and whether the PLC knows FC23.
    Modbus { station: Role, fc23: bool },
    /// Our PLC program on the memory of somebody else's CPU, behind a wire that can be broken.
    Foreign { script: &'static str, module: &'static str, config: fn(String) -> PlcConfig },
    /// As the last, with certificates.
    ModbusTls,
    /// Our PLC program on the memory of somebody else's EtherNet/IP scanner, which owns the station as a module. Its
    /// cyclic data are UDP, so no relay lies between.
    Scanner,
}

const MODBUS_CLIENT: Wire = Wire::Modbus { station: Role::Client, fc23: true };
const MODBUS_SERVER: Wire = Wire::Modbus { station: Role::Server, fc23: true };

/// A new one is a row here and, where the PLC is somebody else's, a script in `tests/peer`.
const WIRES: [Wire; 11] = [
    MODBUS_CLIENT,
    Wire::Modbus { station: Role::Client, fc23: false },
    MODBUS_SERVER,
    Wire::Modbus { station: Role::Server, fc23: false },
    Wire::Foreign { script: "s7.py", module: "snap7", config: s7 },
    Wire::Foreign { script: "ads.py", module: "pyads", config: ads },
    Wire::Foreign { script: "slmp.py", module: "pymcprotocol", config: slmp },
    Wire::Foreign { script: "logix.py", module: "ethernetip", config: logix },
    Wire::ModbusTls,
    Wire::Scanner,
    Wire::Foreign { script: "opc_ua.py", module: "asyncua", config: opc_ua },
];

/// The keys that every client has, quick enough for a test.
macro_rules! quick {
    ($config:expr) => {{
        let mut config = $config;
        (config.cycle_ms, config.timeout_ms) = (2, 150);
        (config.backoff_min_ms, config.backoff_max_ms) = (20, 100);
        config
    }};
}

fn s7(address: String) -> PlcConfig {
    PlcConfig::S7(quick!(S7Config::new(address, 100)))
}

fn ads(address: String) -> PlcConfig {
    PlcConfig::Ads(quick!(AdsConfig::new(address, "127.0.0.1.1.1")))
}

fn slmp(address: String) -> PlcConfig {
    PlcConfig::Slmp(quick!(SlmpConfig::new(address, "D0".parse().unwrap())))
}

fn logix(address: String) -> PlcConfig {
    PlcConfig::Logix(quick!(LogixConfig::new(address)))
}

fn opc_ua(address: String) -> PlcConfig {
    // Keys are made and checked: on a busy machine that takes a while, and a deaf PLC is not to cost five seconds.
    let config = quick!(foreign::opc_ua(address));
    PlcConfig::OpcUa(OpcUaConfig { connect_timeout_ms: 1_500, ..config })
}

fn modbus(role: Role, address: String) -> PlcConfig {
    let mut config = quick!(ModbusTcpConfig::new(role, address));
    config.base = 100;
    PlcConfig::ModbusTcp(config)
}

impl Wire {
    /// True if the PLC hosts the block and the station comes to it.
    fn station_is_client(self) -> bool {
        !matches!(self, Self::Modbus { station: Role::Server, .. } | Self::Scanner)
    }

    /// False for faults that a relay makes, where there is none.
    fn can_have(self, fault: Fault) -> bool {
        !matches!(self, Self::Scanner) || fault == Fault::Frozen
    }

    /// False, with a word about it, where somebody else's PLC is not installed.
    fn is_here(self) -> bool {
        match self {
            Self::Modbus { .. } => true,
            Self::Foreign { module, .. } => python(module).is_some(),
            Self::ModbusTls => python("pymodbus").is_some(),
            Self::Scanner => python("ethernetip").is_some(),
        }
    }
}

struct Line {
    station: Station,
    plc: SimulatedPlc,
    belt: Belt,
    /// Whose memory the PLC program works on, where it is not its own.
    _peer: Option<Peer>,
}

impl Line {
    fn build(wire: Wire) -> Self {
        Self::build_with(wire, true)
    }

    fn build_with(wire: Wire, buffer_results: bool) -> Self {
        let belt = Belt::new();
        let program = PlcProgramConfig { buffer_results, ..PlcProgramConfig::new(GATE_MS) };
        let ours = |role, fc23, address: String| {
            let config = SimulatedPlcConfig::new(role, address, program.clone());
            let config = SimulatedPlcConfig { base: 100, fc23, ..config };
            SimulatedPlc::start(config, belt.clone()).unwrap()
        };
        let mut peer = None;
        let (station, plc) = match wire {
            Wire::Modbus { station: Role::Client, fc23 } => {
                let plc = ours(Role::Server, fc23, "127.0.0.1:0".into());
                (Station::start(modbus(Role::Client, plc.local_addr().unwrap().to_string())), plc)
            }
            Wire::Modbus { station: Role::Server, fc23 } => {
                let station = Station::start(modbus(Role::Server, "127.0.0.1:0".into()));
                let plc = ours(Role::Client, fc23, station.link.local_addr().unwrap().to_string());
                (station, plc)
            }
            Wire::Foreign { script, module, config } => {
                let started = Peer::start(&python(module).unwrap(), script, &[]);
                let plc = SimulatedPlc::beside(started.plc, ms(2), program, belt.clone()).unwrap();
                peer = Some(started);
                (Station::start(config(plc.local_addr().unwrap().to_string())), plc)
            }
            Wire::ModbusTls => {
                let plant = Plant::new();
                let folder = plant.folder().to_str().unwrap();
                let started =
                    Peer::start(&python("pymodbus").unwrap(), "modbus_tls.py", &[folder, "plc", "plant"]);
                let plc = SimulatedPlc::beside(started.plc, ms(2), program, belt.clone()).unwrap();
                peer = Some(started);
                let mut config =
                    quick!(ModbusTcpConfig::new(Role::Client, plc.local_addr().unwrap().to_string()));
                (config.base, config.tls) = (100, Some(plant.tls("station")));
                (Station::start(PlcConfig::ModbusTcp(config)), plc)
            }
            Wire::Scanner => {
                let station = Station::start(PlcConfig::EthernetIp(EthernetIpConfig::new("127.0.0.4:44818")));
                let started =
                    Peer::start(&python("ethernetip").unwrap(), "scanner.py", &["127.0.0.4", "44818"]);
                let plc = SimulatedPlc::beside(started.plc, ms(2), program, belt.clone()).unwrap();
                peer = Some(started);
                (station, plc)
            }
        };
        Self { station, plc, belt, _peer: peer }
    }

    async fn ready(&mut self) {
        let belt = self.belt.clone();
        self.station.work_until(ms(5_000), "a ready station", |_| belt.station_ready()).await;
    }

    /// Feeds parts until `count` more have passed the gate.
    async fn parts(&mut self, count: usize) -> Vec<GateDecision> {
        let before = self.belt.decisions().len();
        self.belt.feed(true);
        let belt = self.belt.clone();
        let fed = |_: &Station| belt.decisions().len() >= before + count;
        self.station.work_until(ms(20_000), "parts at the gate", fed).await;
        self.belt.feed(false);
        self.station.work(ms(u64::from(GATE_MS) + 100)).await;
        self.belt.decisions()[before..].to_vec()
    }

    /// What must hold whatever happened.
    async fn check(&mut self, wire: Wire, fault: &str) {
        self.station.work(ms(50)).await;
        for decision in self.belt.decisions() {
            assert!(
                !decision.release || opinion(decision.part) == VerdictCode::Pass,
                "{wire:?}, {fault}: {} was released, the station said {:?}",
                decision.part,
                opinion(decision.part)
            );
        }
        let station = &self.station;
        assert_eq!(station.given, station.ended(), "{wire:?}, {fault}: each answer has one end");
        assert_eq!(station.link.events_lost(), 0);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs `test` over every wire at once, one test after the other: they are about time, and the machine is small.
fn on_every_wire<F: Future<Output = ()>>(test: impl Fn(Wire) -> F + Sync) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    std::thread::scope(|scope| {
        for wire in WIRES.into_iter().filter(|wire| wire.is_here()) {
            let test = &test;
            scope.spawn(move || runtime().block_on(test(wire)));
        }
    });
}

/// Share of the passes that must get through a healthy line on a busy machine; the rest may only be rejected.
fn mostly_released(decisions: &[GateDecision], wire: Wire, fault: &str) {
    let good = decisions.iter().filter(|d| opinion(d.part) == VerdictCode::Pass).count();
    let released = decisions.iter().filter(|d| d.release).count();
    assert!(
        released * 10 >= good * 7,
        "{wire:?}, {fault}: {released} of {good} good parts released {decisions:?}"
    );
}

#[test]
fn a_healthy_line_routes_every_part_by_its_own_verdict() {
    on_every_wire(async |wire| {
        let mut line = Line::build(wire);
        line.ready().await;
        let decisions = line.parts(20).await;
        mostly_released(&decisions, wire, "healthy");
        let why: HashMap<GateReason, usize> = decisions.iter().fold(HashMap::new(), |mut why, d| {
            *why.entry(d.why).or_default() += 1;
            why
        });
        assert!(why.contains_key(&GateReason::Failed) && why.contains_key(&GateReason::Missed), "{why:?}");
        line.check(wire, "healthy").await;
    });
}

#[test]
fn unbuffered_results_reach_the_plc_too() {
    on_every_wire(async |wire| {
        let mut line = Line::build_with(wire, false);
        line.ready().await;
        let decisions = line.parts(10).await;
        mostly_released(&decisions, wire, "unbuffered");
        line.check(wire, "unbuffered").await;
    });
}

#[test]
fn a_faulty_plc_gets_nothing_wrong_released_and_the_line_runs_on_when_it_is_mended() {
    let faults = [
        Fault::Slow(ms(60)),
        Fault::Slow(ms(400)),
        Fault::Deaf,
        Fault::HalfOpen,
        Fault::Rude,
        Fault::CutMidAnswer,
        Fault::Frozen,
        Fault::Gone,
        Fault::WrongAnswers,
        Fault::WrongTable,
    ];
    on_every_wire(async |wire| {
        for fault in faults.into_iter().filter(|fault| wire.can_have(*fault)) {
            let says = format!("{fault:?}");
            let mut line = Line::build(wire);
            line.ready().await;
            line.belt.feed(true);
            line.station.work(ms(150)).await;
            line.plc.set_fault(fault);
            line.station.work(ms(700)).await;
            line.belt.feed(false);
            line.plc.set_fault(Fault::None);
            let alive = |station: &Station| station.link.is_up();
            line.station.work_until(ms(5_000), &format!("{wire:?} back after {says}"), alive).await;
            line.ready().await;
            line.station.work(ms(u64::from(GATE_MS))).await;
            let decisions = line.parts(6).await;
            mostly_released(&decisions, wire, &says);
            line.check(wire, &says).await;
        }
    });
}

#[test]
fn what_is_wrong_with_the_plc_is_said_by_kind() {
    let rows = [
        (Fault::Deaf, LinkFaultKind::Timeout, "did not answer within 150 ms"),
        (Fault::Rude, LinkFaultKind::Closed, "closed the connection"),
        (Fault::Gone, LinkFaultKind::Refused, "refused the connection (attempt"),
        (Fault::WrongAnswers, LinkFaultKind::WrongAnswer, "sent 9 words, expected 10"),
        (Fault::WrongTable, LinkFaultKind::Exception, "check plc.base"),
    ];
    runtime().block_on(async {
        for (fault, kind, words) in rows {
            let mut line = Line::build(MODBUS_CLIENT);
            line.ready().await;
            line.plc.set_fault(fault);
            let said = |station: &Station| station.down_kinds().contains(&kind);
            line.station.work_until(ms(3_000), &format!("{kind:?} after {fault:?}"), said).await;
            let says = line.station.events.iter().find_map(|event| match event {
                PlcEvent::LinkDown { kind: k, says } if *k == kind => Some(says.clone()),
                _ => None,
            });
            let says = says.unwrap();
            let address = line.plc.local_addr().unwrap();
            assert!(says.starts_with(&format!("PLC {address} ")) && says.contains(words), "{says}");
            assert!(says.ends_with("parts are answered as Missed until it is back"), "{says}");
        }
    });
}

#[test]
fn every_client_says_which_plc_fails_how_and_what_becomes_of_the_parts() {
    use LinkFaultKind::{Closed, Refused, Timeout, Unreachable, Untrusted, WrongAnswer};
    // What each fault is called; the second where a library does not tell the two apart. Inside TLS, garbage is no TLS.
    let rows = [
        (Fault::Deaf, [Timeout, Closed]),
        (Fault::HalfOpen, [Timeout, Closed]),
        (Fault::Rude, [Closed, Closed]),
        (Fault::CutMidAnswer, [Closed, WrongAnswer]),
        (Fault::Gone, [Refused, Unreachable]),
        (Fault::WrongAnswers, [WrongAnswer, Closed]),
    ];
    on_every_wire(async |wire| {
        for (fault, kinds) in rows.into_iter().filter(|_| wire.station_is_client()) {
            let mut line = Line::build(wire);
            line.ready().await;
            line.plc.set_fault(fault);
            let kinds = match (wire, fault) {
                (Wire::ModbusTls, Fault::WrongAnswers) => [Untrusted, Closed],
                // An answer that was tampered with is thrown away unread, and no other comes.
                (Wire::Foreign { module: "asyncua", .. }, Fault::WrongAnswers) => [Timeout, Closed],
                _ => kinds,
            };
            let said = |station: &Station| station.down_kinds().iter().any(|kind| kinds.contains(kind));
            line.station.work_until(ms(5_000), &format!("{wire:?}: {kinds:?} after {fault:?}"), said).await;
            let address = line.plc.local_addr().unwrap();
            for event in &line.station.events {
                let PlcEvent::LinkDown { says, .. } = event else { continue };
                let sentence = says.replacen("opc.tcp://", "", 1).starts_with(&format!("PLC {address} "))
                    && says.ends_with("; parts are answered as Missed until it is back");
                assert!(sentence, "{wire:?}, {fault:?}: {says}");
            }
        }
    });
}

#[test]
fn a_plc_that_stops_polling_is_said_to_be_silent() {
    runtime().block_on(async {
        let mut line = Line::build(MODBUS_SERVER);
        line.ready().await;
        line.plc.set_fault(Fault::Gone);
        let said = |station: &Station| station.down_kinds() == [LinkFaultKind::Silent];
        line.station.work_until(ms(3_000), "Silent", said).await;
        line.station.work(ms(300)).await;
        assert_eq!(line.station.down_kinds().len(), 1, "said once");
    });
}

#[test]
fn a_stopped_plc_program_is_told_from_a_broken_link() {
    on_every_wire(async |wire| {
        let mut line = Line::build(wire);
        line.ready().await;
        line.plc.set_fault(Fault::Frozen);
        let lost =
            |station: &Station| station.events.iter().any(|event| matches!(event, PlcEvent::PlcLost { .. }));
        line.station.work_until(ms(3_000), "PlcLost", lost).await;
        assert_eq!(line.station.down_kinds(), [], "{wire:?}: the link itself stands");
        line.plc.set_fault(Fault::None);
        let back = |station: &Station| station.events.contains(&PlcEvent::PlcBack);
        line.station.work_until(ms(3_000), "PlcBack", back).await;
    });
}

#[test]
fn a_restarted_plc_that_numbers_its_parts_anew_releases_no_part_on_an_old_pass() {
    on_every_wire(async |wire| {
        let mut line = Line::build(wire);
        line.ready().await;
        line.parts(4).await;
        // The station answers nothing any more: whatever is released now was released on an old answer.
        line.station.answering = false;
        line.plc.restart();
        let before = line.belt.decisions().len();
        line.ready().await;
        line.parts(4).await;
        let after = line.belt.decisions()[before..].to_vec();
        assert!(after.iter().any(|d| d.part == PartId::FIRST), "the numbers are used again: {after:?}");
        assert!(after.iter().all(|d| !d.release), "{wire:?}: {after:?}");
        line.check(wire, "restart").await;
    });
}

#[test]
fn a_station_whose_heart_stops_releases_nothing_and_stops_the_line() {
    on_every_wire(async |wire| {
        let mut line = Line::build(wire);
        line.ready().await;
        line.parts(3).await;
        line.station.beating = false;
        let before = line.belt.decisions().len();
        // Triggers and answers go on; only the heart does not.
        line.belt.feed(true);
        line.station.work(ms(400)).await;
        let deaf_from = line.belt.decisions().len();
        line.station.work(ms(1_200)).await;
        line.belt.feed(false);
        let decisions = line.belt.decisions();
        assert!(decisions.len() > before && deaf_from < decisions.len());
        let dead = &decisions[deaf_from..];
        assert!(dead.iter().all(|d| !d.release && d.why == GateReason::StationLost), "{wire:?}: {dead:?}");
        assert!(line.belt.state().stopped, "{wire:?}: the line stops");
    });
}

#[test]
fn a_recipe_asked_for_by_the_plc_becomes_the_active_one() {
    on_every_wire(async |wire| {
        let mut line = Line::build(wire);
        line.ready().await;
        line.plc.want_recipe(RecipeNumber(7));
        let wanted = |station: &Station| station.events.contains(&PlcEvent::RecipeWanted(RecipeNumber(7)));
        line.station.work_until(ms(3_000), "RecipeWanted", wanted).await;
        line.station.work(ms(100)).await;
        assert_eq!(line.plc.registers()[18], 7, "{wire:?}");
    });
}

#[test]
fn stopping_delivers_the_last_answer_and_leaves_an_empty_block() {
    on_every_wire(async |wire| {
        let mut line = Line::build(wire);
        line.ready().await;
        line.belt.feed(true);
        let asked = |station: &Station| !station.due.is_empty();
        line.station.work_until(ms(3_000), "a trigger", asked).await;
        line.belt.feed(false);
        let Line { mut station, plc, belt, _peer } = line;
        let (_, answer) = station.due.pop().unwrap();
        let (part, code) = (answer.part, answer.code);
        station.link.answer(answer).unwrap();
        station.link.stop().await;
        let mut delivered = false;
        while let Ok(event) = station.heard.try_recv() {
            delivered |=
                matches!(event, PlcEvent::AnswerDelivered { part: p, code: c, .. } if (p, c) == (part, code));
        }
        assert!(delivered, "{wire:?}");
        std::thread::sleep(ms(u64::from(GATE_MS)));
        let decided = belt.decisions().iter().any(|d| d.part == part && d.release);
        assert!(decided, "{wire:?}: {:?}", belt.decisions());
        if wire.station_is_client() {
            let limit = Instant::now() + ms(2_000);
            while plc.registers()[10] & 0x81 != 0 && Instant::now() < limit {
                std::thread::sleep(ms(2)); // the PLC sees it with its next scan
            }
            assert_eq!(plc.registers()[10] & 0x81, 0, "neither Online nor ResultsValid");
            assert_eq!(plc.registers()[14], 0, "no verdict");
        }
    });
}

#[tokio::test]
async fn without_a_plc_every_answer_counts_as_delivered() {
    let (events, mut heard) = mpsc::channel(8);
    let link = PlcLink::start(PlcConfig::None, events).unwrap();
    let (part, deadline) = (PartId::FIRST, Instant::now());
    let (code, reason, decision, recipe) = (VerdictCode::Fail, 3, ms(1), RecipeNumber(1));
    link.answer(Answer { part, code, reason, decision, recipe, deadline }).unwrap();
    let took = Duration::ZERO;
    assert_eq!(heard.recv().await, Some(PlcEvent::AnswerDelivered { part, code, took }));
    assert!(link.is_up());
}
