//! What 63 mirrors cost the gate: trigger → confirmed by the gate's PLC, with the gate's link alone and with 64 links.
//!
//! The mirrors' PLCs run in a process of their own, which stands back: on two cores their work must not be taken for the
//! station's. The gate's PLC does not stand back, and is the same for both. The two take turns, so that what else the machine does touches both. `cargo bench -p plumb-benches --bench
//! links` prints one JSON line a cycle; PLUMB_BENCH_PARTS (300) and PLUMB_BENCH_ROUNDS (5) make it longer or shorter.

#![allow(clippy::print_stdout, missing_docs)]

mod workshop;

use plumb_capture::{LineCamera, LineExposure};
use plumb_inspection::{Image, PixelFormat};
use plumb_ledger::Record;
use plumb_plc::{
    Role,
    simulator::{LineInputs, LineWiring, PlcProgramConfig, ScanOut, SimulatedPlc, SimulatedPlcConfig},
};
use plumb_station::{
    config, priority,
    station::{Station, Wiring},
};
use serde_json::json;
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use workshop::{Outcome, median, number, process::load, range, root, rounded};

const LINKS: usize = 64;
const PEERS: &str = "--peers";
/// As far apart as parts at 3 000 a minute.
const PITCH: Duration = Duration::from_millis(20);

fn main() -> Outcome<()> {
    if std::env::args().any(|argument| argument == PEERS) {
        return be_peers();
    }
    let parts = number("PLUMB_BENCH_PARTS", 300)?.max(100);
    let rounds = number("PLUMB_BENCH_ROUNDS", 5)?.max(1);
    let peers = Peers::start()?;
    let gate = thread::spawn(|| {
        priority::come_soon(); // on the line it is a machine of its own, and waits for nobody's turn
        plc(Duration::from_millis(10)).map_err(|error| error.to_string())
    });
    let gate = gate.join().map_err(|_| "the gate's PLC did not start")??;
    let gate_at = gate.local_addr().ok_or("a server has an address")?.to_string();
    for cycle_ms in [5, 50] {
        let (mut one, mut all) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            one.push(trip(&gate_at, &[], cycle_ms, parts)?);
            all.push(trip(&gate_at, &peers.addresses, cycle_ms, parts)?);
        }
        let ratios = |pick: fn(&Times) -> f64| {
            one.iter().zip(&all).map(move |(one, all)| pick(all) / pick(one)).collect::<Vec<_>>()
        };
        let middle = |of: &[Times], pick: fn(&Times) -> f64| rounded(median(of.iter().map(pick)));
        let line = json!({
            "figure": "links", "links": LINKS, "mirror_cycle_ms": cycle_ms, "parts": parts, "rounds": rounds,
            "one_p50_ms": middle(&one, |times| times.p50), "one_p99_ms": middle(&one, |times| times.p99),
            "all_p50_ms": middle(&all, |times| times.p50), "all_p99_ms": middle(&all, |times| times.p99),
            "ratio_p50": rounded(median(ratios(|times| times.p50))),
            "ratio_p99": rounded(median(ratios(|times| times.p99))),
            "ratio_p99_range": range(ratios(|times| times.p99)).map(rounded),
            "wanted_ratio_p99": 1.2, "load_1_min": load(),
        });
        println!("{line}");
    }
    Ok(())
}

/// Trigger to the gate's confirmation, ms.
struct Times {
    p50: f64,
    p99: f64,
}

/// Sees a bright part whenever it is told to look.
#[derive(Default)]
struct Bright(AtomicU64);

impl LineCamera for Bright {
    fn expose(&self) -> Option<LineExposure> {
        let image = Image::packed(32, 32, PixelFormat::Bgr8, vec![255; 32 * 32 * 3]).expect("a picture");
        Some(LineExposure { image, frame_id: self.0.fetch_add(1, Ordering::Relaxed) + 1 })
    }
}

fn trip(gate: &str, mirrors: &[String], cycle_ms: u64, parts: u32) -> Outcome<Times> {
    let folder = tempfile::tempdir()?;
    write_station(folder.path(), gate, mirrors, cycle_ms)?;
    let plan = config::read(&folder.path().join("station.toml")).map_err(|problems| problems.to_string())?;
    let (tap, records) = mpsc::channel();
    let tap = Box::new(move |record: &Record| drop(tap.send(record.clone())));
    let wiring =
        Wiring { line: Some(Arc::new(Bright::default())), tap: Some(tap), replay: true, ..Wiring::default() };
    let station = Station::start(plan, wiring)?;
    let patience = Instant::now() + Duration::from_secs(30);
    while !station.condition().is_ready() {
        if Instant::now() > patience {
            return Err(format!("the links do not come up: {:?}", station.condition()).into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let mut took_ms = Vec::new();
    for _ in 0..parts {
        let begun = Instant::now();
        station.trigger();
        let record = records.recv_timeout(Duration::from_secs(5))?;
        took_ms.extend(
            record
                .timings_us
                .total
                .filter(|_| record.plc.is_some_and(|plc| plc.delivered))
                .map(|us| us as f64 / 1e3),
        );
        thread::sleep(PITCH.saturating_sub(begun.elapsed()));
    }
    station.stop()?;
    if took_ms.len() < parts as usize * 99 / 100 {
        return Err(format!("only {} of {parts} answers were confirmed", took_ms.len()).into());
    }
    took_ms.sort_by(f64::total_cmp);
    let at = |share: f64| took_ms[((took_ms.len() as f64 * share).ceil() as usize).saturating_sub(1)];
    Ok(Times { p50: at(0.5), p99: at(0.99) })
}

fn write_station(folder: &Path, gate: &str, mirrors: &[String], cycle_ms: u64) -> Outcome<()> {
    let models = root().join("models/inference/tests/models");
    fs::create_dir_all(folder.join("recipes"))?;
    fs::write(
        folder.join("recipes/bench.toml"),
        format!(
            "[recipe]\nname = \"bench\"\nnumber = 1\ndeadline_ms = 2000\n[[model]]\nname = \"boxes\"\ncard = \"{}\"\n\
             [[region]]\nname = \"whole\"\nmodel = \"boxes\"\n[[rule]]\nname = \"there\"\nkind = \"presence\"\n\
             region = \"whole\"\nclass = \"bottle\"\nscore_min = 0.5\n",
            models.join("detector-yolo-v8.toml").display()
        ),
    )?;
    let link = |address: &str, cycle_ms: u64| {
        format!("kind = \"modbus_tcp\", role = \"client\", address = \"{address}\", cycle_ms = {cycle_ms}")
    };
    let mirrors: String = mirrors
        .iter()
        .enumerate()
        .map(|(n, address)| {
            format!("[[mirror]]\nname = \"m{n}\"\nlink = {{ {} }}\n", link(address, cycle_ms))
        })
        .collect();
    let station = format!(
        "plc = {{ {} }}\n[station]\nname = \"bench\"\nrecipe = \"bench\"\n[[camera]]\nid = \"top\"\nsource = {{ kind = \
         \"line\" }}\n[trigger]\nkind = \"api\"\n[line]\nproduct = \"washer\"\n[infer]\ndevice = \"cpu\"\nthreads = 1\n{mirrors}",
        link(gate, 5)
    );
    Ok(fs::write(folder.join("station.toml"), station)?)
}

/// The PLCs' process.
struct Peers {
    child: Child,
    addresses: Vec<String>,
}

impl Peers {
    fn start() -> Outcome<Self> {
        let mut child = Command::new("nice")
            .args(["-n", "10"])
            .arg(std::env::current_exe()?)
            .arg(PEERS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or("the peers have no stdout")?;
        let addresses = BufReader::new(out).lines().take(LINKS - 1).collect::<Result<Vec<_>, _>>()?;
        match addresses.len() {
            many if many == LINKS - 1 => Ok(Self { child, addresses }),
            few => Err(format!("only {few} PLCs came up").into()),
        }
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        drop(self.child.stdin.take()); // it ends when nobody can tell it anything any more
        let _ = self.child.wait();
    }
}

/// A belt without parts.
struct NoBelt;

impl LineWiring for NoBelt {
    fn inputs(&mut self, _now: Instant) -> LineInputs {
        LineInputs::default()
    }
    fn outputs(&mut self, _now: Instant, _out: &ScanOut) {}
}

fn plc(scan: Duration) -> Outcome<SimulatedPlc> {
    let program = PlcProgramConfig { buffer_results: false, ..PlcProgramConfig::new(1_000) };
    let config = SimulatedPlcConfig::new(Role::Server, "127.0.0.1:0", program);
    Ok(SimulatedPlc::start(SimulatedPlcConfig { scan, ..config }, NoBelt)?)
}

fn be_peers() -> Outcome<()> {
    let mut plcs = Vec::new();
    for _ in 1..LINKS {
        // Slow scans: so many PLCs on two cores are enough of a load as it is.
        let plc = plc(Duration::from_millis(50))?;
        println!("{}", plc.local_addr().ok_or("a server has an address")?);
        plcs.push(plc);
    }
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    Ok(())
}
