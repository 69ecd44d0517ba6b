//! Whether the process is what it was: charts over stored parts, through the command line.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

mod history;
mod workshop;

use history::{keep, plumb, record, text};
use plumb_ledger::{Ledger, LedgerConfig};
use plumb_station::config;
use plumb_verdict::{Reason, RuleName};
use serde_json::Value;
use workshop::Workshop;

const STATION: &str = r#"
[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "bottle"
data = "data"

[[camera]]
id = "top"
source = { kind = "files", path = "pictures" }

[trigger]
kind = "frame"
"#;

const RECIPE: &str = r#"
[recipe]
name = "bottle"
number = 1
deadline_ms = 2000

[[model]]
name = "boxes"
card = "../model.toml"

[[region]]
name = "whole"
model = "boxes"

[[rule]]
name = "no-cap"
kind = "absence"
class = "cap"
score_min = 0.5
"#;

const PARTS: u32 = 4_000;

/// One part in `one_in` of the first three quarters is rejected, one in `later` of the last quarter.
fn line_with_history(one_in: u32, later: u32) -> Workshop {
    let workshop = Workshop::new(STATION, RECIPE);
    let plan = config::read(&workshop.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    let recipe = plan.recipes.values().next().unwrap();
    let digest = recipe.models[0].digest();
    let ledger = Ledger::open(&plan.station.data, LedgerConfig::default()).unwrap();
    for id in 1..=PARTS {
        // Scattered as chance would, the same in each run.
        let dice = (u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u32;
        let is_reject = dice.is_multiple_of(if id <= PARTS * 3 / 4 { one_in } else { later });
        let score = if is_reject { 0.8 } else { 0.1 + 0.3 * (dice % 1_000) as f32 / 1_000.0 };
        let mut part = record(id, &format!("SN-{id}"), score, recipe, &digest);
        if is_reject {
            let (rule, region) = (RuleName::from("no-cap"), "whole".into());
            part.reasons.push(Reason { rule, region, says: "1 × cap".to_owned() });
        }
        keep(&ledger, part);
    }
    ledger.close().unwrap();
    workshop
}

#[test]
fn a_process_that_got_worse_is_told_of_with_what_for_and_since_when() {
    let workshop = line_with_history(50, 10);
    let charts = ["charts", "--recipe", "bottle", "--station", "station.toml"];
    let said = plumb(&workshop, &[&charts[..], &["--rule", "no-cap"]].concat());
    assert_eq!(said.status.code(), Some(1), "a check found something: {}", text(&said));
    for words in ["4000 parts from 2023-11-14T22:13:20.001", "40 samples of 100", "signal", "no-cap", "drift"]
    {
        assert!(text(&said).contains(words), "{words:?} in\n{}", text(&said));
    }

    let said = plumb(&workshop, &[&charts[..], &["--json", "--report", "charts.html"]].concat());
    let process = serde_json::from_slice::<Value>(&said.stdout).unwrap();
    assert_eq!(process["schema"], "plumb.charts/1");
    let process = &process["process"];
    let signals = process["share"]["signals"].as_array().unwrap();
    assert!(signals.iter().any(|hit| hit["at"].as_u64().unwrap() >= 30), "{signals:?}");
    let first = process["single"]["signals"][0].as_u64().unwrap();
    assert!((3_001..3_200).contains(&first), "signals at part {first}, worse since 3001");
    assert_eq!(process["pareto"][0]["name"], "no-cap");
    assert_eq!(process["pareto"][0]["count"], process["rejects"]);
    let page = std::fs::read_to_string(workshop.path("charts.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("bottle"), "{page}");
}

#[test]
fn a_process_that_is_what_it_was_has_no_signal() {
    let workshop = line_with_history(20, 20);
    let said = plumb(&workshop, &["charts", "--recipe", "bottle", "--station", "station.toml"]);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said));
    assert!(text(&said).contains("no signal"), "{}", text(&said));
}

#[test]
fn a_question_that_cannot_be_asked_names_what_there_is() {
    let workshop = line_with_history(20, 20);
    let rows: [(&[&str], &str); 4] = [
        (&["--recipe", "can"], "there is no recipe \"can\"; the station has bottle"),
        (
            &["--recipe", "bottle", "--rule", "dent"],
            "has no rule \"dent\" with a threshold; it has \"no-cap\"",
        ),
        (&["--recipe", "bottle", "--sample", "3000"], "4000 parts make no two samples of 3000"),
        (&["--recipe", "bottle", "--from", "2030-01-01T00:00:00Z"], "0 parts make no two samples of 100"),
    ];
    for (args, expected) in rows {
        let said = plumb(&workshop, &[&["charts", "--station", "station.toml"], args].concat());
        assert_eq!(said.status.code(), Some(2), "{args:?}: {}", text(&said));
        assert!(text(&said).contains(expected), "{args:?}: {expected:?} in\n{}", text(&said));
    }
}
