//! `/metrics` as Prometheus itself sees it.

mod workshop;

use plumb_ledger::RecordVerdict;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    io::Write,
    net::SocketAddr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use workshop::{
    RECIPE, Workshop,
    prometheus::{self, Prometheus},
    wait_until,
};

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

#[test]
fn a_real_prometheus_scrapes_it_and_promtool_finds_no_fault() {
    if !prometheus::is_installed() {
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

    let config = format!(
        "scrape_configs:\n- job_name: plumb\n  scrape_interval: 1s\n  static_configs:\n  - targets: ['{address}']\n"
    );
    workshop.write("prometheus.yml", &config);
    let server = Prometheus::start(&workshop.path(""), "prometheus.yml");
    wait_until("Prometheus to have scraped", Duration::from_secs(30), || {
        server
            .query("sum(plumb_parts_total)")
            .is_ok_and(|samples| samples.first().is_some_and(|sample| sample["value"][1] == "3"))
    });
    station.stop().expect("the ledger closes");
}

/// 20 recipes, each with a deadline and ten rules of its own and a shadow, seen by eight cameras: what Prometheus keeps of
/// one station, and what it must not cost.
#[test]
fn twenty_recipes_on_eight_cameras_are_at_most_2000_series_and_none_appears_with_its_first_part() {
    let cameras: String = (1..=8)
        .map(|camera| {
            format!(
                "[[camera]]\nid = \"cam{camera}\"\nsource = {{ kind = \"pipeline\", launch = \"videotestsrc is-live=true \
                 pattern=white ! video/x-raw,format=BGR,width=32,height=32,framerate=10/1\" }}\n\n"
            )
        })
        .collect();
    let regions: String = (1..=8)
        .map(|camera| {
            format!("[[region]]\nname = \"at{camera}\"\ncamera = \"cam{camera}\"\nmodel = \"boxes\"\n\n")
        })
        .collect();
    let station = format!(
        "[station]\nname = \"test\"\nlisten = \"127.0.0.1:0\"\nrecipe = \"recipe01\"\n\n{cameras}[trigger]\nkind = \"api\"\n"
    );
    let workshop = Workshop::new(&station, RECIPE);
    std::fs::remove_file(workshop.path("recipes/bottle.toml")).expect("the first recipe goes");
    for recipe in 1..=20 {
        let rules: String = (1..=10)
            .map(|rule| {
                format!(
                    "[[rule]]\nname = \"rule{rule}\"\nkind = \"presence\"\nregion = \"at1\"\nclass = \"bottle\"\n\
                     score_min = 0.{rule:02}\n\n"
                )
            })
            .collect();
        let text = format!(
            "[recipe]\nname = \"recipe{recipe:02}\"\nnumber = {recipe}\ndeadline_ms = {}\n\n[[model]]\nname = \"boxes\"\n\
             card = \"../model.toml\"\n\n[[model]]\nname = \"candidate\"\ncard = \"../model.toml\"\n\n[[shadow]]\n\
             model = \"candidate\"\ninstead_of = \"boxes\"\n\n{regions}{rules}",
            2000 + recipe
        );
        workshop.write(&format!("recipes/recipe{recipe:02}.toml"), &text);
    }
    let (station, _records) = workshop.start();
    let address = station.address.expect("HTTP is served");
    wait_until("all cameras", Duration::from_secs(60), || get(address, "/readyz").0 == 200);
    let series = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, _)| series.to_owned())
            .collect::<BTreeSet<_>>()
    };
    let before = series(&get(address, "/metrics").1);
    assert!(before.iter().any(|series| series.contains("recipe20")), "all recipes are loaded");
    assert!(before.len() <= 2_000, "{} series", before.len());
    for _ in 0..3 {
        post(address, "/api/v1/trigger");
    }
    wait_until("three records", Duration::from_secs(20), || station.metrics.records.get() == 3);
    let after = series(&get(address, "/metrics").1);
    let new: Vec<_> = after.difference(&before).collect();
    assert!(new.is_empty(), "{new:?} would be missed by increase()");
    eprintln!("{} series", after.len());
    station.stop().expect("the ledger closes");
}

/// Somebody opens the dashboard on every screen of the plant: each scrape is answered whole, and no part is late for it.
#[test]
fn two_hundred_clients_at_once_get_whole_answers_and_cost_no_part() {
    const CLIENTS: usize = 200;
    let workshop = Workshop::new(STATION, RECIPE);
    let (station, records) = workshop.start();
    let address = station.address.expect("HTTP is served");
    wait_until("the camera", Duration::from_secs(20), || get(address, "/readyz").0 == 200);
    let scrapes = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(move || {
                    let began = Instant::now();
                    let (status, text) = get(address, "/metrics");
                    (
                        status,
                        text.ends_with('\n') && text.contains("plumb_unaccounted_parts 0"),
                        began.elapsed(),
                    )
                })
            })
            .collect();
        for _ in 0..20 {
            station.trigger();
            let record = records.recv_timeout(Duration::from_secs(5)).expect("an answer");
            assert_eq!(record.verdict, RecordVerdict::Pass, "{:?}", record.reasons);
        }
        clients.into_iter().map(|client| client.join().expect("a client")).collect::<Vec<_>>()
    });
    let worst = scrapes.iter().map(|(_, _, took)| *took).max().expect("clients");
    eprintln!("{CLIENTS} clients at once: the last had its answer after {worst:?}");
    assert!(scrapes.iter().all(|(status, whole, _)| *status == 200 && *whole));
    assert!(worst < Duration::from_secs(5), "{worst:?}");
    assert_eq!(station.metrics.unaccounted.get(), 0);
    station.stop().expect("the ledger closes");
}
