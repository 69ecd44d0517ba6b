//! How long an answer takes from `PlcLink::answer` to the PLC's acknowledgement, on loopback, beside a bare TCP echo of
//! the same size in the same run: the difference is ours and the peer's, the rest is the machine's.
//!
//! Modbus is answered by our simulated PLC, the others by somebody else's stack in Python (`tests/peer`); those that are
//! not installed are left out, with a word. `cargo bench -p plumb-plc` prints one JSON line a path.

#![allow(clippy::print_stdout, missing_docs)]

use plumb_inspection::{PartId, RecipeNumber};
#[path = "../tests/foreign/mod.rs"]
mod foreign;

use foreign::{Peer, python};
use plumb_plc::{
    AdsConfig, Answer, EthernetIpConfig, LogixConfig, ModbusTcpConfig, PlcConfig, PlcEvent, PlcLink, Role,
    S7Config, SlmpConfig, StationState, VerdictCode,
    simulator::{LineInputs, LineWiring, PlcProgramConfig, ScanOut, SimulatedPlc, SimulatedPlcConfig},
};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

const ANSWERS: u32 = 2_000;
/// As far apart as parts at 500 a second: each finds the link idle, or in the middle of its cycle.
const PITCH: Duration = Duration::from_millis(2);
/// One FC23 request on the wire.
const REQUEST_BYTES: usize = 37;

struct NoBelt;

impl LineWiring for NoBelt {
    fn inputs(&mut self, _now: Instant) -> LineInputs {
        LineInputs::default()
    }
    fn outputs(&mut self, _now: Instant, _out: &ScanOut) {}
}

/// Somebody else's stack of a protocol.
struct Foreign {
    path: &'static str,
    script: &'static str,
    module: &'static str,
    config: fn(String) -> PlcConfig,
}

const FOREIGN: [Foreign; 5] = [
    Foreign {
        path: "s7",
        script: "s7.py",
        module: "snap7",
        config: |at| PlcConfig::S7(S7Config::new(at, 100)),
    },
    Foreign {
        path: "ads",
        script: "ads.py",
        module: "pyads",
        config: |at| PlcConfig::Ads(AdsConfig::new(at, "127.0.0.1.1.1")),
    },
    Foreign {
        path: "slmp",
        script: "slmp.py",
        module: "pymcprotocol",
        config: |at| PlcConfig::Slmp(SlmpConfig::new(at, "D0".parse().expect("a device"))),
    },
    Foreign {
        path: "logix",
        script: "logix.py",
        module: "ethernetip",
        config: |at| PlcConfig::Logix(LogixConfig::new(at)),
    },
    Foreign {
        path: "opc_ua_encrypted",
        script: "opc_ua.py",
        module: "asyncua",
        config: |at| PlcConfig::OpcUa(foreign::opc_ua(at)),
    },
];

fn main() {
    for (path, fc23, cycle_ms) in [("fc23", true, 5), ("fc16_fc3", false, 5), ("fc23_cycle_1ms", true, 1)] {
        let program = PlcProgramConfig { buffer_results: false, ..PlcProgramConfig::new(1_000) };
        let plc =
            SimulatedPlcConfig { fc23, ..SimulatedPlcConfig::new(Role::Server, "127.0.0.1:0", program) };
        let plc = SimulatedPlc::start(plc, NoBelt).expect("a free port");
        let address = plc.local_addr().expect("a server").to_string();
        let config = ModbusTcpConfig { cycle_ms, ..ModbusTcpConfig::new(Role::Client, address) };
        measure(path, PlcConfig::ModbusTcp(config));
    }
    for Foreign { path, script, module, config } in FOREIGN {
        let Some(python) = python(module) else { continue };
        let peer = Peer::start(&python, script, &[]);
        measure(path, config(peer.plc.server.to_string()));
    }
    // Here the PLC comes to the station, every 10 ms, and one packet may be lost: an answer needs two.
    if let Some(python) = python("ethernetip") {
        let _peer = Peer::start(&python, "scanner.py", &["127.0.0.4", "44818"]);
        measure("ethernet_ip_10ms", PlcConfig::EthernetIp(EthernetIpConfig::new("127.0.0.4:44818")));
    }
}

/// One line: the path, and the bare echo just before it, which says how busy the machine was.
fn measure(path: &str, config: PlcConfig) {
    let [echo_p50, echo_p99, _] = quantiles(echo());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let [p50, p99, max] = quantiles(runtime.expect("a runtime").block_on(answers(config)));
    println!(
        r#"{{"path":"{path}","answers":{ANSWERS},"p50_ms":{p50:.3},"p99_ms":{p99:.3},"max_ms":{max:.3},"echo_p50_ms":{echo_p50:.3},"echo_p99_ms":{echo_p99:.3}}}"#
    );
}

/// A bare request and answer of the same size, as often and as far apart.
fn echo() -> Vec<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.set_nodelay(true).expect("a TCP socket");
        let mut bytes = [0; REQUEST_BYTES];
        while stream.read_exact(&mut bytes).is_ok() && stream.write_all(&bytes).is_ok() {}
    });
    let mut stream = TcpStream::connect(address).expect("listening");
    stream.set_nodelay(true).expect("a TCP socket");
    let mut bytes = [0; REQUEST_BYTES];
    let mut once = || {
        let start = Instant::now();
        stream.write_all(&bytes).expect("connected");
        stream.read_exact(&mut bytes).expect("echoed");
        start.elapsed()
    };
    (0..ANSWERS)
        .map(|_| {
            let took = once();
            std::thread::sleep(PITCH);
            took
        })
        .collect()
}

async fn answers(config: PlcConfig) -> Vec<Duration> {
    let (events, mut heard) = mpsc::channel(256);
    let link = PlcLink::start(config, events).expect("a runtime");
    link.set_state(StationState { online: true, recipe: RecipeNumber(1), ..StationState::default() });
    while !matches!(heard.recv().await, Some(PlcEvent::LinkUp { .. })) {}
    let mut took = Vec::new();
    let mut part = PartId::FIRST;
    for _ in 0..ANSWERS {
        tokio::time::sleep(PITCH).await;
        let (reason, decision, deadline) = (0, PITCH, Instant::now() + Duration::from_secs(1));
        let (code, recipe) = (VerdictCode::Pass, RecipeNumber(1));
        link.answer(Answer { part, code, reason, decision, recipe, deadline }).expect("the link runs");
        loop {
            match heard.recv().await.expect("the link runs") {
                PlcEvent::AnswerDelivered { part: delivered, took: time, .. } if delivered == part => {
                    took.push(time);
                    break;
                }
                _ => {}
            }
        }
        part = part.next();
    }
    link.stop().await;
    took
}

/// Median, 99th percentile and maximum, in ms.
fn quantiles(mut took: Vec<Duration>) -> [f64; 3] {
    took.sort_unstable();
    [0.5, 0.99, 1.0].map(|share| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3)
}
