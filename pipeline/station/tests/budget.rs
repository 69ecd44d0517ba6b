//! The budget of time: the deadline that follows from the way to the gate, the table, and what cannot be.

mod workshop;

use plumb_station::{
    budget::{self, Source, Step},
    config,
    station::{StartError, Station, Wiring},
};
use serde_json::Value;
use std::{
    process::{Command, Output},
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
source = { kind = "files", path = "pictures" }

[trigger]
kind = "frame"

[gate]
distance_mm = 1500
parts_per_minute = 1200
pitch_mm = 50
"#;

fn recipe() -> String {
    RECIPE.replace("deadline_ms = 2000\n", "")
}

fn plan(workshop: &Workshop) -> config::Plan {
    config::read(&workshop.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"))
}

fn plumb(workshop: &Workshop, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plumb"));
    command.args(arguments).arg(workshop.path("station.toml")).output().expect("plumb starts")
}

#[test]
fn the_deadline_follows_from_the_way_to_the_gate_and_the_ledger_fills_the_table() {
    let workshop = Workshop::new(STATION, &recipe());
    workshop.pictures(&[true; 20]);
    let first = plan(&workshop);
    // 1500 ms to the gate less two scans of 10, the wire's 5 and the valve's 15.
    assert_eq!(first.recipes[&first.first_recipe].deadline, Duration::from_millis(1460));
    assert_eq!(budget::known(&first)[0].row(Step::Infer).from, Source::NotMeasured);

    let (station, _records) = workshop.start();
    wait_until("every part", Duration::from_secs(20), || station.metrics.records.get() == 20);
    station.stop().expect("the ledger closes");

    let checked = plumb(&workshop, &["check"]);
    let said = String::from_utf8(checked.stderr).expect("text");
    assert_eq!(checked.status.code(), Some(0), "{said}");
    for word in ["1500.0 ms", "1460.0 ms", "plc_scans", "20.0 ms", "valve", "margin", "measured, 20 parts"] {
        assert!(said.contains(word), "{word} is missing in\n{said}");
    }
    let checked = plumb(&workshop, &["check", "--json"]);
    let told: Value = serde_json::from_slice(&checked.stdout).expect("JSON");
    let budget = &told["budgets"][0];
    assert_eq!((&budget["schema"], &budget["deadline_ms"]), (&"plumb.budget/1".into(), &1460.0.into()));
    let infer = budget["rows"].as_array().expect("rows").iter().find(|row| row["step"] == "infer");
    assert!(infer.expect("a row")["usual_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{told}");
    assert!(budget["margin_worst_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{told}");
}

#[test]
fn a_budget_that_cannot_be_met_is_refused_with_the_row_to_change() {
    let slow_plc = STATION.replace("distance_mm = 1500", "distance_mm = 100\nplc_scan_ms = 60");
    let near = STATION.replace("distance_mm = 1500", "distance_mm = 150");
    let rows = [
        (slow_plc, recipe(), "shorten the PLC's cycle (plc_scan_ms)"),
        (near, RECIPE.replace("2000", "111"), "leave 110.0 ms of the 150.0 ms"),
    ];
    for (station, recipe, says) in rows {
        let workshop = Workshop::new(&station, &recipe);
        workshop.pictures(&[true]);
        for command in ["check", "run"] {
            let refused = plumb(&workshop, &[command]);
            let said = String::from_utf8(refused.stderr).expect("text");
            assert_eq!(refused.status.code(), Some(3), "{command}: {said}");
            assert!(
                said.contains(says) && said.contains("plc_scans") && said.contains("margin"),
                "{command}: {said}"
            );
        }
        let told: Value =
            serde_json::from_slice(&plumb(&workshop, &["check", "--json"]).stdout).expect("JSON");
        assert_eq!(told["ok"], false);
        assert!(!told["budgets"][0]["impossible"]["says"].is_null(), "{told}");
    }
}

#[test]
fn what_the_warm_up_measures_is_held_against_the_budget_before_a_part_comes() {
    // Something is left of the way, but less than any model takes.
    let near = STATION.replace("distance_mm = 1500", "distance_mm = 40.001");
    let workshop = Workshop::new(&near, &recipe());
    workshop.pictures(&[true]);
    let plan = plan(&workshop);
    assert!(budget::known(&plan)[0].impossible().is_none(), "nothing is known of the models yet");
    match Station::start(plan, Wiring::default()).map(drop) {
        // Whoever looks first: the loader against the deadline, or the budget.
        Err(StartError::Config(says) | StartError::Model(says)) => assert!(says.contains("bottle"), "{says}"),
        other => panic!("started, or failed otherwise: {other:?}"),
    }
}
