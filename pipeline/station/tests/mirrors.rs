//! Several links at once: the gate's counts, the mirrors are shown the same, and none of them changes anything at the gate.

mod workshop;

use plumb_plc::{
    Role, ToPlc, VerdictCode,
    simulator::{Fault, LineInputs, LineWiring, PlcProgramConfig, ScanOut, SimulatedPlc, SimulatedPlcConfig},
};
use std::time::{Duration, Instant};
use workshop::{RECIPE, Workshop, get, wait_until};

/// A belt without parts; a PLC whose Trigger is driven by nobody.
struct NoBelt;

impl LineWiring for NoBelt {
    fn inputs(&mut self, _now: Instant) -> LineInputs {
        LineInputs::default()
    }
    fn outputs(&mut self, _now: Instant, _out: &ScanOut) {}
}

/// A belt on which a part stands at the photo-eye again and again: its PLC would trigger whenever it may.
struct Eager;

impl LineWiring for Eager {
    fn inputs(&mut self, _now: Instant) -> LineInputs {
        LineInputs { photo_eye_edges: vec![0], line_running: true, ..LineInputs::default() }
    }
    fn outputs(&mut self, _now: Instant, _out: &ScanOut) {}
}

fn plc(belt: impl LineWiring) -> SimulatedPlc {
    let program = PlcProgramConfig { buffer_results: false, ..PlcProgramConfig::new(1_000) };
    SimulatedPlc::start(SimulatedPlcConfig::new(Role::Server, "127.0.0.1:0", program), belt)
        .expect("a free port")
}

fn modbus(plc: &SimulatedPlc) -> String {
    let address = plc.local_addr().expect("a server");
    format!("kind = \"modbus_tcp\", role = \"client\", address = \"{address}\"")
}

fn station(gate: &SimulatedPlc, mirrors: &str) -> String {
    format!(
        r#"
plc = {{ {gate} }}

[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "bottle"

[[camera]]
id = "top"
source = {{ kind = "pipeline", launch = "videotestsrc is-live=true pattern=white ! video/x-raw,format=BGR,width=32,height=32,framerate=60/1" }}

[trigger]
kind = "api"

{mirrors}
"#,
        gate = modbus(gate),
    )
}

fn shown(plc: &SimulatedPlc) -> Option<ToPlc> {
    let registers = plc.registers();
    ToPlc::decode(registers[10..].try_into().expect("ten words")).ok()
}

#[test]
fn a_mirror_is_shown_the_answer_and_its_trigger_is_not_taken() {
    let (gate, mirror) = (plc(NoBelt), plc(Eager));
    let text = format!("[[mirror]]\nname = \"mes\"\nlink = {{ {} }}\n", modbus(&mirror));
    let workshop = Workshop::new(&station(&gate, &text), RECIPE);
    let (station, records) = workshop.start();
    let address = station.address.expect("HTTP");
    wait_until("the station and its links", Duration::from_secs(20), || station.condition().is_ready());
    let links = get(address, "/api/v1/state").1["links"].clone();
    assert_eq!(links.as_array().expect("links").len(), 2);
    assert!(links[0]["role"] == "gate" && links[1]["name"] == "mes" && links[1]["up"] == true, "{links}");

    let part = station.trigger();
    let record = records.recv_timeout(Duration::from_secs(5)).expect("a record");
    assert!(record.plc.is_some_and(|plc| plc.delivered), "the gate confirmed");
    let has_it = |plc: &SimulatedPlc| {
        shown(plc).is_some_and(|block| {
            block.part == Some(part) && block.code == VerdictCode::Pass && block.status.results_valid
        })
    };
    wait_until("the mirror to be shown the answer", Duration::from_secs(5), || has_it(&mirror));
    let beat = || shown(&mirror).map(|block| block.heartbeat);
    let before = beat();
    wait_until("the mirror to be shown the heartbeat", Duration::from_secs(5), || beat() != before);
    assert_eq!(station.metrics.triggers(), 1, "the eager mirror began no part");
    assert!(!shown(&mirror).expect("a block").status.trigger_ready);
    station.stop().expect("the ledger closes");
}

#[test]
fn a_mirror_that_is_gone_or_deaf_degrades_as_configured_and_delays_nothing_at_the_gate() {
    let (gate, deaf) = (plc(NoBelt), plc(NoBelt));
    deaf.set_fault(Fault::Deaf);
    let gone = "kind = \"modbus_tcp\", role = \"client\", address = \"127.0.0.1:1\"";
    let text = format!(
        "[[mirror]]\nname = \"deaf\"\nwhen_down = \"ignore\"\nlink = {{ {} }}\n\
         [[mirror]]\nname = \"gone\"\nlink = {{ {gone} }}\n",
        modbus(&deaf)
    );
    let workshop = Workshop::new(&station(&gate, &text), RECIPE);
    let (station, records) = workshop.start();
    let up = || station.metrics.plc_up.with_label_values(&["modbus_tcp"]).get() == 1;
    wait_until("the gate's link", Duration::from_secs(20), up);
    wait_until("the camera", Duration::from_secs(20), || {
        let reasons = station.condition().reasons;
        reasons.len() == 1 && reasons[0].contains("mirror \"gone\"")
    });
    // More than the deaf one's queues hold: they overflow, and nobody waits for it.
    for _ in 0..40 {
        station.trigger();
        let record = records.recv_timeout(Duration::from_secs(5)).expect("a record");
        assert!(record.plc.is_some_and(|plc| plc.delivered), "the gate confirmed each");
    }
    let text = String::from_utf8(station.metrics.render()).expect("text");
    let lost = |mirror: &str| {
        let series = format!("plumb_mirror_answers_total{{plc=\"{mirror}\",result=\"lost\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&series)).expect("the series");
        line.parse::<u64>().expect("a count")
    };
    assert!(
        lost("deaf") >= 31 && lost("gone") >= 31,
        "eight wait, one is shown: {} {}",
        lost("deaf"),
        lost("gone")
    );
    station.stop().expect("the ledger closes");
}
