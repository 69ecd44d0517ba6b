//! `/metrics` as Prometheus itself sees it.

mod workshop;

use serde_json::Value;
use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use workshop::{RECIPE, Workshop, wait_until};

const STATION: &str = r#"
[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "bottle"

[[camera]]
id = "top"
source = { kind = "pipeline", launch = "videotestsrc is-live=true pattern=white ! video/x-raw,format=BGR,width=32,height=32,framerate=30/1" }

[trigger]
kind = "api"
"#;

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let mut answer =
        ureq::Agent::new_with_config(config).get(format!("http://{address}{path}")).call().expect("HTTP");
    (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
}

fn post(address: SocketAddr, path: &str) -> Value {
    let mut answer = ureq::post(format!("http://{address}{path}")).send_empty().expect("HTTP");
    answer.body_mut().read_json().expect("JSON")
}

/// The value of one sample line.
fn sample(text: &str, series: &str) -> f64 {
    let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("no series {series} in\n{text}"));
    line.rsplit(' ').next().expect("a value").parse().expect("a number")
}

#[test]
fn a_software_trigger_is_judged_recorded_and_counted() {
    let workshop = Workshop::new(STATION, RECIPE);
    let (station, _records) = workshop.start();
    let address = station.address.expect("HTTP is served");
    wait_until("the camera", Duration::from_secs(20), || get(address, "/readyz").0 == 200);
    let part = post(address, "/api/v1/trigger")["part_id"].as_u64().expect("a part id");
    wait_until("its record", Duration::from_secs(5), || {
        let found: Value =
            serde_json::from_str(&get(address, &format!("/api/v1/parts/{part}")).1).expect("JSON");
        found["parts"][0]["verdict"] == "pass"
    });
    let (status, text) = get(address, "/metrics");
    assert_eq!(status, 200);
    assert_eq!(sample(&text, "plumb_triggers_total{source=\"api\"}"), 1.0);
    assert_eq!(
        sample(&text, "plumb_parts_total{mode=\"production\",recipe=\"bottle\",verdict=\"pass\"}"),
        1.0
    );
    assert_eq!(sample(&text, "plumb_answers_total"), 1.0);
    assert_eq!(sample(&text, "plumb_records_total"), 1.0);
    assert_eq!(sample(&text, "plumb_unaccounted_parts"), 0.0);
    assert_eq!(sample(&text, "plumb_camera_up{camera=\"top\"}"), 1.0);
    assert_eq!(sample(&text, "plumb_state{state=\"running\"}"), 1.0);
    // What has not happened yet is there at 0, or `increase()` would miss its first time.
    assert_eq!(sample(&text, "plumb_triggers_total{source=\"plc\"}"), 0.0);
    assert_eq!(sample(&text, "plumb_missed_total{cause=\"camera_down\"}"), 0.0);
    assert_eq!(sample(&text, "plumb_rejects_total{defect=\"bottle-there\",recipe=\"bottle\"}"), 0.0);
    assert_eq!(sample(&text, "plumb_deadline_seconds"), 2.0);
    assert!(
        text.contains("plumb_decision_latency_seconds_bucket{recipe=\"bottle\",le=\"2\"} 1"),
        "the deadline is a boundary"
    );
    station.stop().expect("the ledger closes");
}

#[test]
fn bad_questions_get_a_sentence_and_never_a_5xx() {
    let workshop = Workshop::new(STATION, RECIPE);
    let (station, _records) = workshop.start();
    let address = station.address.expect("HTTP is served");
    for (path, says) in [
        ("/api/v1/parts/0", "from 1 to 4294967295"),
        ("/api/v1/parts/x%27%20OR%201=1", "from 1 to 4294967295"),
        ("/api/v1/parts?limit=many", "limit"),
        ("/api/v1/parts?verdict=perhaps", "perhaps"),
        ("/api/v1/parts?colour=red", "colour"),
        ("/nothing", "nothing at this address"),
    ] {
        let (status, text) = get(address, path);
        assert!((400..500).contains(&status) && text.contains(says), "{path}: {status} {text}");
    }
    let api: Value = serde_json::from_str(&get(address, "/api/v1/openapi.json").1).expect("JSON");
    for path in api["paths"].as_object().expect("paths").keys().filter(|path| !path.contains('{')) {
        let (status, _) = get(address, path);
        assert!(status < 500 || path == "/readyz", "{path}: {status}");
    }
    station.stop().expect("the ledger closes");
}

struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_prometheus_scrapes_it_and_promtool_finds_no_fault() {
    if Command::new("promtool").arg("--version").output().is_err()
        || !Path::new("/usr/bin/prometheus").exists()
    {
        eprintln!("skipped: prometheus and promtool are not installed; run deploy/setup.sh --test");
        return;
    }
    let workshop = Workshop::new(STATION, RECIPE);
    let (station, _records) = workshop.start();
    let address = station.address.expect("HTTP is served");
    wait_until("the camera", Duration::from_secs(20), || get(address, "/readyz").0 == 200);
    for _ in 0..3 {
        post(address, "/api/v1/trigger");
    }
    wait_until("three records", Duration::from_secs(5), || station.metrics.records.get() == 3);

    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let text = get(address, "/metrics").1;
    promtool.stdin.take().expect("piped").write_all(text.as_bytes()).expect("promtool reads");
    let output = promtool.wait_with_output().expect("promtool ends");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "promtool says:\n{said}");

    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
    let config = format!(
        "scrape_configs:\n- job_name: station\n  scrape_interval: 1s\n  static_configs:\n  - targets: ['{address}']\n"
    );
    workshop.write("prometheus.yml", &config);
    let _prometheus = Prometheus(
        Command::new("/usr/bin/prometheus")
            .arg(format!("--config.file={}", workshop.path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", workshop.path("tsdb").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus starts"),
    );
    let query = format!("http://127.0.0.1:{port}/api/v1/query?query=sum(plumb_parts_total)");
    let mut seen = Value::Null;
    wait_until("Prometheus to have scraped", Duration::from_secs(30), || {
        let Ok(mut answer) = ureq::get(&query).call() else { return false };
        seen = answer.body_mut().read_json().unwrap_or_default();
        seen["data"]["result"][0]["value"][1] == "3"
    });
    station.stop().expect("the ledger closes");
}
