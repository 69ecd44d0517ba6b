//! Every query of the dashboard, every recording rule and every alert, asked of a real Prometheus that scrapes a station
//! at work: with a PLC, a mirror, a gate, a shadow, an OPC UA server and a calibration that will end.

mod workshop;

use plumb_camera::Calibration;
use plumb_plc::{
    Role,
    simulator::{LineInputs, LineWiring, PlcProgramConfig, ScanOut, SimulatedPlc, SimulatedPlcConfig},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};
use workshop::{
    Workshop,
    prometheus::{self, Prometheus, deploy},
    wait_until,
};

/// Metrics that are neither on the dashboard nor in an alert, and why.
const LEFT_OUT: [(&str, &str); 2] = [
    ("process_max_fds", "a limit that does not change"),
    ("process_virtual_memory_bytes", "an address space, mostly of libraries; resident memory is what counts"),
];

/// The tests' recipe with the same model looking on.
const RECIPE: &str = r#"
[recipe]
name = "bottle"
number = 1
deadline_ms = 2000

[[model]]
name = "boxes"
card = "../model.toml"

[[model]]
name = "candidate"
card = "../model.toml"

[[shadow]]
model = "candidate"
instead_of = "boxes"

[[region]]
name = "whole"
model = "boxes"

[[rule]]
name = "bottle-there"
kind = "presence"
region = "whole"
class = "bottle"
score_min = 0.5
"#;

/// A belt without parts: they are asked for by the test.
struct NoBelt;

impl LineWiring for NoBelt {
    fn inputs(&mut self, _now: Instant) -> LineInputs {
        LineInputs::default()
    }
    fn outputs(&mut self, _now: Instant, _out: &ScanOut) {}
}

fn plc() -> SimulatedPlc {
    let program = PlcProgramConfig { buffer_results: false, ..PlcProgramConfig::new(1_000) };
    SimulatedPlc::start(SimulatedPlcConfig::new(Role::Server, "127.0.0.1:0", program), NoBelt)
        .expect("a free port")
}

fn station(gate: &SimulatedPlc, hall: &SimulatedPlc) -> String {
    let modbus = |plc: &SimulatedPlc| {
        let address = plc.local_addr().expect("a server");
        format!("kind = \"modbus_tcp\", role = \"client\", address = \"{address}\"")
    };
    format!(
        r#"
plc = {{ {gate} }}

[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "bottle"

[[camera]]
id = "top"
calibration = "top.calibration.json"
source = {{ kind = "pipeline", launch = "videotestsrc is-live=true pattern=white ! video/x-raw,format=BGR,width=32,height=32,framerate=60/1" }}

[trigger]
kind = "api"

[[mirror]]
name = "hall"
link = {{ {hall} }}

[gate]
distance_mm = 3000
speed_mm_s = 1000
plc_scan_ms = 10
wire_ms = 5
valve_ms = 15

[opcua]
listen = "127.0.0.1:0"

[challenge]

[[challenge.part]]
name = "red rabbit"
recipe = "can"
expect = "fail"

[[opcua.user]]
name = "nobody"
role = "observer"
password = "$argon2id$v=19$m=19456,t=2,p=1$EPBkY0Owaf6OoZDwF7U8CQ$mTWEgZMfWuovRZNvpnMK8SM6hfymy+MM0HMwJJcRSko"
"#,
        gate = modbus(gate),
        hall = modbus(hall),
    )
}

/// Scrapes and evaluates every second, what the plant does every 5 and 15 s.
fn configure(workshop: &Workshop, target: &str) {
    for rules in ["recording.rules.yml", "alert.rules.yml"] {
        let text = fs::read_to_string(deploy().join("prometheus").join(rules)).expect("rules");
        workshop.write(rules, &text.replace("interval: 15s", "interval: 1s"));
    }
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [recording.rules.yml, alert.rules.yml]\n\
         scrape_configs:\n- job_name: plumb\n  static_configs:\n  - targets: ['{target}']\n    labels: {{station: line-1, site: plant-1}}\n"
    );
    workshop.write("prometheus.yml", &config);
}

/// Title and query of each target of each panel.
fn queries() -> Vec<(String, String)> {
    let text =
        fs::read_to_string(deploy().join("grafana/dashboards/plumb-station.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| {
        let title = panel["title"].as_str().expect("a title").to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets
            .into_iter()
            .map(move |target| (title.clone(), target["expr"].as_str().expect("a query").to_owned()))
    });
    targets.collect()
}

/// As Grafana would ask.
fn as_asked(query: &str) -> String {
    query.replace("$station", ".+").replace("$__rate_interval", "1m")
}

/// Name and expression of every rule of a file.
fn rules(file: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(deploy().join("prometheus").join(file)).expect(file);
    let rules: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let groups = rules["groups"].as_array().expect("groups").iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().expect("rules"));
    let word = |rule: &Value, key: &str| rule[key].as_str().map(str::to_owned);
    rules
        .map(|rule| {
            let name = word(rule, "record").or_else(|| word(rule, "alert")).expect("a name");
            (name, word(rule, "expr").expect("an expression"))
        })
        .collect()
}

/// Every metric and recording rule in `query`; a histogram counts as one.
fn names(query: &str, histograms: &BTreeSet<String>) -> BTreeSet<String> {
    let word = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == ':';
    let is_name =
        |name: &&str| ["plumb_", "plumb:", "process_"].iter().any(|prefix| name.starts_with(prefix));
    query
        .split(|char| !word(char))
        .filter(is_name)
        .map(|name| {
            let name = name.trim_end_matches(':'); // of a sentence
            let of = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
            of.filter(|of| histograms.contains(*of)).unwrap_or(name).to_owned()
        })
        .collect()
}

/// The metrics of `/metrics`, and which of them are histograms.
fn exposed(metrics: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let types = || metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let histograms = types().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name.to_owned());
    (types().map(|(name, _)| name.to_owned()).collect(), histograms.collect())
}

#[test]
fn every_query_and_rule_gives_data_on_a_line_at_work_and_every_metric_is_looked_at() {
    if !prometheus::is_installed() {
        return;
    }
    let (gate, hall) = (plc(), plc());
    let workshop = Workshop::new(&station(&gate, &hall), RECIPE);
    // The recipe that runs needs no challenge; another does.
    workshop.write("recipes/can.toml", &RECIPE.replace("\"bottle\"\nnumber = 1", "\"can\"\nnumber = 2"));
    let now = jiff::Timestamp::now();
    let mut calibration = Calibration::new(None, [32, 32], now);
    calibration.expires_at = Some(now + Duration::from_secs(60 * 86_400));
    calibration.write(&workshop.path("top.calibration.json")).expect("a calibration");
    let (station, _records) = workshop.start();
    let address = station.address.expect("HTTP is served");
    wait_until("the station and its links", Duration::from_secs(60), || station.condition().is_ready());
    configure(&workshop, &address.to_string());
    let server = Prometheus::start(&workshop.path(""), "prometheus.yml");

    let render = || String::from_utf8(station.metrics.render()).expect("text");
    wait_until("the watchman to have gone round", Duration::from_secs(10), || {
        ["plumb_budget_seconds{", "plumb_storage_free_bytes{"].iter().all(|name| render().contains(name))
    });
    let metrics = render();
    let (exposed, histograms) = exposed(&metrics);
    let (recording, alerts) = (rules("recording.rules.yml"), rules("alert.rules.yml"));
    let recorded: BTreeSet<String> = recording.iter().map(|(name, _)| name.clone()).collect();

    // Nothing asks for what is not there, and nothing is there that nobody asks for.
    let all = recording.iter().chain(&alerts).map(|(_, query)| query.clone());
    let all: Vec<String> = all.chain(queries().into_iter().map(|(_, query)| query)).collect();
    let asked: BTreeSet<String> = all.iter().flat_map(|query| names(query, &histograms)).collect();
    let unknown: Vec<_> =
        asked.iter().filter(|name| !exposed.contains(*name) && !recorded.contains(*name)).collect();
    assert!(unknown.is_empty(), "no such metric or rule: {unknown:?}");
    for page in fs::read_dir(deploy().join("docs/alerts")).expect("the pages").flatten() {
        let text = fs::read_to_string(page.path()).expect("a page");
        let unknown: Vec<_> = names(&text, &histograms)
            .into_iter()
            .filter(|name| !exposed.contains(name) && !recorded.contains(name))
            .collect();
        assert!(unknown.is_empty(), "{} speaks of {unknown:?}", page.path().display());
    }
    let left_out: BTreeSet<&str> = LEFT_OUT.iter().map(|(name, _)| *name).collect();
    let unseen: Vec<_> =
        exposed.iter().filter(|name| !asked.contains(*name) && !left_out.contains(name.as_str())).collect();
    assert!(unseen.is_empty(), "neither on the dashboard nor in an alert, nor said why not: {unseen:?}");
    for name in left_out {
        assert!(exposed.contains(name) && !asked.contains(name), "{name} is not left out");
    }

    let mut silent: Vec<(String, String)> = queries();
    silent.extend(recorded.iter().map(|name| ("recording rule".to_owned(), name.clone())));
    assert!(silent.len() > 60, "the dashboard has been read");
    let end = Instant::now() + Duration::from_secs(90);
    while !silent.is_empty() && Instant::now() < end {
        for _ in 0..10 {
            station.trigger();
            std::thread::park_timeout(Duration::from_millis(100));
        }
        silent.retain(|(_, query)| match server.query(&as_asked(query)) {
            Ok(samples) => samples.is_empty(),
            Err(says) => {
                assert!(!says.contains("\"status\":\"error\""), "{query}: {says}");
                true
            }
        });
    }
    assert!(silent.is_empty(), "no data for {silent:#?}");

    let rules = server.rules();
    let unhealthy: Vec<_> = rules.iter().filter(|rule| rule["health"] != "ok").collect();
    assert!(rules.len() > 40 && unhealthy.is_empty(), "{unhealthy:#?}");
    let firing: Vec<_> =
        rules.iter().filter(|rule| rule["state"] == "firing").map(|rule| &rule["name"]).collect();
    assert!(firing.is_empty(), "a healthy line raises {firing:?}");
    for rule in rules.iter().filter(|rule| rule["type"] == "alerting") {
        let name = rule["name"].as_str().expect("a name");
        let (status, page) = server.get(&format!("/user/alerts/{name}.md")).expect("the server answers");
        assert!(status == 200 && page.starts_with(&format!("# {name}\n")), "{name}: {status}");
    }
    station.stop().expect("the ledger closes");
}
