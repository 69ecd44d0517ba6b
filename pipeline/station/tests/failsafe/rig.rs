//! A whole line with its station, to be broken and mended: the belt, its PLC by real Modbus over a wire that can be cut,
//! and the station in this process or in one of its own.

use crate::{
    belt::{self, Belt},
    breaker::{Breaker, Eye},
    process::Process,
    relay::Relay,
};
use plumb_line::LineConfig;
use plumb_plc::{
    Role,
    simulator::{SimulatedPlc, SimulatedPlcConfig},
};
use plumb_station::{
    config,
    station::{Station, Wiring},
};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Where the station runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum House {
    /// In the test's process: every stage can be broken.
    Here,
    /// The binary `plumb`: it can be killed, stopped and starved.
    Process,
}

enum Running {
    Here(Box<Station>),
    Process(Process),
    Stopped,
}

/// The line and its station.
pub(crate) struct Rig {
    pub(crate) belt: Belt,
    pub(crate) plc: SimulatedPlc,
    pub(crate) relay: Relay,
    pub(crate) breaker: Breaker,
    /// Ledger and pictures.
    pub(crate) data: PathBuf,
    folder: TempDir,
    house: House,
    since_ns: u64,
    station: Running,
    /// What stations counted that are gone: triggers, answers, records.
    before: [u64; 3],
}

impl Rig {
    /// Sets it up with `data` as the data folder (below the rig's own if it is relative), starts everything. The wire to
    /// the PLC can be cut if it is `relayed`.
    pub(crate) fn new(house: House, seed: u64, data: &Path, relayed: bool) -> Self {
        let config = belt::line_config(seed);
        let clock = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let since_ns = clock.tv_sec.unsigned_abs() * 1_000_000_000 + clock.tv_nsec.unsigned_abs();
        let belt = Belt::new(config.clone(), Instant::now());
        let mut plc = SimulatedPlcConfig::new(Role::Server, "127.0.0.1:0", belt::program(&config));
        plc.scan = Duration::from_millis(2);
        let plc = SimulatedPlc::start(plc, belt.clone()).expect("the PLC listens");
        let address = plc.local_addr().expect("the PLC is a server");
        let relay = Relay::to(address);
        let address = if relayed { relay.address } else { address };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join(data);
        write_config(folder.path(), &config, address, &data);
        let (breaker, station, before) = (Breaker::default(), Running::Stopped, [0; 3]);
        let mut rig = Self { belt, plc, relay, breaker, data, folder, house, since_ns, station, before };
        rig.start();
        rig
    }

    pub(crate) fn start(&mut self) {
        let file = self.folder.path().join("station.toml");
        self.station = match self.house {
            House::Here => {
                let plan = config::read(&file).unwrap_or_else(|problems| panic!("{problems}"));
                let eye = Eye { belt: self.belt.clone(), breaker: self.breaker.clone() };
                let wiring =
                    Wiring { line: Some(Arc::new(eye)), ear: self.breaker.ear(), ..Wiring::default() };
                Running::Here(Box::new(
                    Station::start(plan, wiring).unwrap_or_else(|error| panic!("{error}")),
                ))
            }
            House::Process => Running::Process(Process::start(&file, self.since_ns)),
        };
    }

    /// Stops the station in order; what it counted is kept.
    pub(crate) fn stop(&mut self) {
        let text = self.metrics();
        self.count(&text);
        match std::mem::replace(&mut self.station, Running::Stopped) {
            // A ledger that has lost records says so a second time here.
            Running::Here(station) => drop(station.stop()),
            Running::Process(process) => process.stop(),
            Running::Stopped => {}
        }
    }

    /// Kills the station as a power failure would.
    pub(crate) fn kill(&mut self) {
        match std::mem::replace(&mut self.station, Running::Stopped) {
            Running::Process(process) => process.kill(),
            Running::Here(_) | Running::Stopped => panic!("only a process can be killed"),
        }
    }

    /// The station's own process.
    pub(crate) fn process(&self) -> &Process {
        match &self.station {
            Running::Process(process) => process,
            Running::Here(_) | Running::Stopped => panic!("the station is no process of its own"),
        }
    }

    /// A part begins because the API says so.
    pub(crate) fn trigger(&self) {
        match &self.station {
            Running::Here(station) => drop(station.trigger()),
            Running::Process(_) | Running::Stopped => panic!("only a station in this process is asked so"),
        }
    }

    /// Somebody says that the belt is clear.
    pub(crate) fn rezero(&self) {
        match &self.station {
            Running::Here(station) => station.rezero(),
            Running::Process(process) => process.rezero(),
            Running::Stopped => {}
        }
    }

    /// What `/metrics` shows; empty where it does not answer.
    pub(crate) fn metrics(&self) -> String {
        match &self.station {
            Running::Here(station) => String::from_utf8(station.metrics.render()).expect("it is text"),
            Running::Process(process) => process.metrics().unwrap_or_default(),
            Running::Stopped => String::new(),
        }
    }

    /// All series of `name` that have each of `labels`, summed up.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> Option<f64> {
        sum(&self.metrics(), name, labels)
    }

    /// Triggers, answers and records of every station that has run here and could still say so.
    pub(crate) fn counted(&self) -> [u64; 3] {
        self.before
    }

    fn count(&mut self, text: &str) {
        let names = ["plumb_triggers_total", "plumb_answers_total", "plumb_records_total"];
        for (before, name) in self.before.iter_mut().zip(names) {
            *before += sum(text, name, &[]).unwrap_or(0.0) as u64;
        }
    }

    /// Waits until `done`; false when it took longer than anything here may.
    pub(crate) fn until(&self, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            if Instant::now() > end {
                return false;
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        true
    }
}

/// For an event that comes within a second or two on a machine with nothing else to do.
const PATIENCE: Duration = Duration::from_secs(60);

impl Drop for Rig {
    fn drop(&mut self) {
        self.breaker.mend(); // a thread that hangs would never be joined
        self.relay.cut(false);
        if let Running::Process(process) = std::mem::replace(&mut self.station, Running::Stopped) {
            process.kill();
        }
        if !self.data.starts_with(self.folder.path()) {
            // A disk of its own; whoever still holds a file there keeps that one.
            let _ = Command::new("umount").arg("-l").arg(&self.data).status();
            let _ = fs::remove_dir(&self.data);
        }
    }
}

/// The sum over the series of `name` in Prometheus' text that have each of `labels`.
fn sum(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (found, has) = series.split_once('{').unwrap_or((series, ""));
        (found == name && labels.iter().all(|label| has.contains(label)))
            .then(|| value.parse::<f64>().ok())?
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

const STATION: &str = r#"
[station]
name = "failsafe"
listen = "127.0.0.1:0"
data = "{data}"
recipe = "washer"
[[camera]]
id = "top"
source = { kind = "line" }
frame_wait_ms = {frame_wait_ms}
[trigger]
kind = "plc"
[plc]
kind = "modbus_tcp"
role = "client"
address = "{plc}"
cycle_ms = 2
backoff_max_ms = 500
[ledger]
keep_pass_share = 1.0
[line]
"#;

/// The demo's washers, and a corner of each picture for a model that makes no number of black, and for one that wants more
/// memory for white than there is.
const RECIPE: &str = r#"
[recipe]
name = "washer"
number = 1
deadline_ms = 300
[[model]]
name = "line-parts"
card = "{models}/zoo/line-parts/card.toml"
[[region]]
name = "part"
model = "line-parts"
[[rule]]
name = "no-defect"
kind = "absence"
region = "part"
score_min = 0.6
[[model]]
name = "lit"
card = "{models}/inference/tests/models/classifier-nan-when-black.toml"
[[region]]
name = "corner"
model = "lit"
rect_px = [0, 0, 32, 32]
[[rule]]
name = "lit"
kind = "absence"
region = "corner"
score_min = 0.99
[[model]]
name = "greedy"
card = "{models}/../pipeline/station/tests/models/greedy.toml"
[[region]]
name = "other-corner"
model = "greedy"
rect_px = [0, 208, 32, 32]
[[rule]]
name = "modest"
kind = "absence"
region = "other-corner"
score_min = 0.99
"#;

fn write_config(folder: &Path, line: &LineConfig, plc: SocketAddr, data: &Path) {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let wait = belt::frame_wait(line).as_millis().to_string();
    let station = STATION
        .replace("{data}", &data.display().to_string())
        .replace("{frame_wait_ms}", &wait)
        .replace("{plc}", &plc.to_string());
    let line = toml::to_string(line).expect("a line in TOML");
    let recipe = RECIPE.replace("{models}", &models.display().to_string());
    fs::create_dir_all(folder.join("recipes")).expect("a folder");
    fs::write(folder.join("station.toml"), station + &line).expect("station.toml");
    fs::write(folder.join("recipes/washer.toml"), recipe).expect("a recipe");
}
