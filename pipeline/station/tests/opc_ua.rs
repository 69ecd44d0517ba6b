//! The station as an OPC UA server before asyncua, signed and encrypted: the example's station and the built-in line.

#![allow(clippy::print_stdout)] // a test says that it was skipped

use plumb_ledger::{Record, RecordVerdict};
use plumb_opcua::security::{Pki, Role, UserConfig, Wish, hash_password};
use plumb_station::{
    config,
    demo::LineEye,
    station::{Station, Wiring},
};
use serde_json::{Value, json};
use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;

const PASSWORD: &str = "korrekt pferd batterie";

/// The example's station with a folder of its own, and a client that it trusts.
struct Plant {
    station: Option<Station>,
    records: Receiver<Record>,
    client: Pki,
    _folder: TempDir,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The tests' Python with asyncua, or a word that it is not there.
fn python() -> Option<Command> {
    let ours = root().join(".plumb/venv/bin/python");
    let python = std::env::var_os("PLUMB_TEST_PYTHON").map_or(ours, PathBuf::from);
    let works = Command::new(&python).args(["-c", "import asyncua"]).stderr(Stdio::null()).status();
    if works.is_ok_and(|status| status.success()) {
        let mut command = Command::new(python);
        command.arg("-B");
        return Some(command);
    }
    println!("skipped: no Python with asyncua at {}; run `deploy/setup.sh --test`", python.display());
    None
}

impl Plant {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let example = root().join("deploy/examples/opc-ua/station.toml");
        let mut plan = config::read(&example).unwrap_or_else(|problems| panic!("{problems}"));
        plan.station.data = folder.path().join("data");
        plan.station.listen.set_port(0);
        let opcua = plan.opcua.as_mut().expect("the example has a server");
        opcua.listen.set_port(0);
        let hash = hash_password(PASSWORD).expect("it is long enough");
        opcua.users = [("anna", Role::Operator), ("emil", Role::Engineer)]
            .map(|(name, role)| {
                let password = Some(hash.clone());
                UserConfig { name: name.into(), role, password, certificate: None }
            })
            .into();
        let line = plan.line.clone().expect("the example has the built-in line");
        let line = LineEye::turning(line, Instant::now()).expect("a line");
        let (tap, records) = mpsc::channel();
        let tap = Box::new(move |record: &Record| drop(tap.send(record.clone())));
        let wiring = Wiring { line: Some(Arc::new(line)), tap: Some(tap), ..Wiring::default() };
        let data = plan.station.data.clone();
        let station = Station::start(plan, wiring).unwrap_or_else(|error| panic!("{error}"));
        let end = Instant::now() + Duration::from_secs(20);
        while !station.condition().is_ready() {
            assert!(Instant::now() < end, "{:?}", station.condition());
            std::thread::park_timeout(Duration::from_millis(5));
        }

        let client = Pki::open(folder.path().join("client")).expect("a folder");
        let wish = Wish {
            name: "client".into(),
            application_uri: "urn:test:client".into(),
            hosts: vec!["localhost".into()],
            years: 1,
        };
        let own = client.own_or_new(&wish).expect("a certificate");
        let stations = Pki::open(data.join("opcua")).expect("the station's certificates");
        stations.trust(&own.certificate_path.to_string_lossy()).expect("it is trusted");
        Self { station: Some(station), records, client, _folder: folder }
    }

    fn station(&self) -> &Station {
        self.station.as_ref().expect("it runs")
    }

    /// What asyncua saw; `None` where there is no asyncua.
    fn play(&self, user: &str, scene: &str) -> Option<Value> {
        let own = self.client.own().expect("readable").expect("it was made");
        let at = |address: Option<SocketAddr>| address.expect("it listens").to_string();
        let wanted = json!({
            "url": format!("opc.tcp://{}", at(self.station().opc_ua_address)), "http": at(self.station().address),
            "uri": own.certificate.application_uri, "policy": "Basic256Sha256", "certificate": own.certificate_path,
            "key": own.key_path, "user": user, "password": PASSWORD, "scene": scene,
        });
        let mut child = python()?
            .arg(root().join("pipeline/opcua/tests/peer/machine_vision.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(wanted.to_string().as_bytes()).expect("it listens");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = said.lines().last().and_then(|line| serde_json::from_str(line).ok());
        Some(last.unwrap_or_else(|| panic!("{said}\n{}", String::from_utf8_lossy(&output.stderr))))
    }

    fn next(&self) -> Record {
        self.records.recv_timeout(Duration::from_secs(10)).expect("a record")
    }
}

impl Drop for Plant {
    fn drop(&mut self) {
        if let Some(station) = self.station.take() {
            let stopped = station.stop();
            assert!(std::thread::panicking() || stopped.is_ok(), "the ledger closes");
        }
    }
}

#[test]
fn an_mes_asks_for_a_part_of_the_built_in_line_and_hears_the_verdict_that_the_ledger_has() {
    let plant = Plant::start();
    let Some(said) = plant.play("anna", "types") else { return };
    assert_eq!(said["first"][1], 0, "{said:#}");
    let (_, record) = (plant.next(), plant.next());
    let event = &said["event"];
    assert_eq!(event["kind"], "ResultReady", "{said:#}");
    assert_eq!((&event["PartId"]["Id"], &event["MeasId"]["Id"]), (&json!("p-2"), &json!("m-2")));
    let (evaluation, word) = match record.verdict {
        RecordVerdict::Pass => (1, "pass"),
        RecordVerdict::Fail => (2, "fail"),
        RecordVerdict::Missed | RecordVerdict::Late => panic!("the line is slow: {record:?}"),
    };
    assert_eq!(event["ResultContent"][0], evaluation);
    assert_eq!(event["ResultContent"][1], word);
    let reasons: Vec<&str> = record.reasons.iter().map(|reason| reason.says.as_str()).collect();
    assert_eq!(event["ResultContent"][2], json!(reasons));
    let id = event["ResultId"]["Id"].as_str().expect("an id");
    assert!(id.starts_with(&format!("{}@", record.part_id)), "{id} is of part {}", record.part_id);
    assert_eq!(event["InternalRecipeId"]["Id"], "washer");
    let hash = event["InternalRecipeId"]["Hash"].as_str().expect("a hash");
    assert!(record.recipe_digest.ends_with(hash), "{hash} is {}", record.recipe_digest);
    assert_eq!(event["IsSimulated"], true);
    assert_eq!(said["configuration"]["InternalId"]["Id"], "opc-ua");
    assert_eq!(said["system_state"]["State"], 1);
}

#[test]
fn a_halted_station_answers_missed_until_the_engineer_selects_the_automatic_mode_again() {
    let plant = Plant::start();
    let Some(said) = plant.play("emil", "halt") else { return };
    assert_eq!(said["halted"], json!([0, "Halted", "BadStateNotActive"]), "{said:#}");
    assert_eq!(said["while_halted"], json!([-1, "missed"]), "no job, and the line's own part is a reject");
    assert_eq!(said["reset"], json!([0, "Preoperational", "BadStateNotActive"]));
    assert_eq!(said["selected"], json!([0, "Operational", "Ready"]));
    assert_eq!(said["prepared"], json!([0, "washer"]));
    let (missed, judged) = (plant.next(), plant.next());
    assert_eq!(missed.verdict, RecordVerdict::Missed);
    assert!(matches!(judged.verdict, RecordVerdict::Pass | RecordVerdict::Fail), "{judged:?}");
    assert_eq!(said["judged"], judged.verdict.as_str());
    assert!(plant.station().condition().is_ready());
}
