//! Shadow models: see every part, are recorded, never act, and cannot delay an answer.

mod workshop;

use plumb_ledger::{RecordVerdict, ShadowQuery, ShadowVerdict};
use plumb_station::config;
use std::time::Duration;
use workshop::{RECIPE, Workshop, get, wait_until};

const LIVE: &str = r#"
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

/// The tests' recipe with `card` looking on.
fn with_shadow(card: &str) -> String {
    format!(
        "{RECIPE}\n[[model]]\nname = \"candidate\"\ncard = \"../{card}.toml\"\n\n[[shadow]]\nmodel = \"candidate\"\n"
    )
}

fn count(metrics: &str, result: &str) -> u64 {
    let series =
        format!("plumb_shadow_parts_total{{model=\"candidate\",recipe=\"bottle\",result=\"{result}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&series));
    line.unwrap_or_else(|| panic!("no {series} in {metrics}")).parse().expect("a count")
}

#[test]
fn a_shadow_sees_every_part_and_its_opinion_is_kept_beside_the_machines() {
    let cards = [("blind", ShadowVerdict::Fail, "disagree"), ("model", ShadowVerdict::Pass, "agree")];
    for (card, verdict, result) in cards {
        let workshop = Workshop::with_models(LIVE, &with_shadow(card));
        let (station, records) = workshop.start();
        wait_until("the camera", Duration::from_secs(20), || station.condition().is_ready());
        let metrics = || String::from_utf8(station.metrics.render()).expect("text");
        assert_eq!(count(&metrics(), "failed"), 0, "there from the start");
        for part in 1..=10 {
            station.trigger();
            let record = records.recv_timeout(Duration::from_secs(5)).expect("an answer");
            assert_eq!(record.verdict, RecordVerdict::Pass, "the shadow never acts");
            assert_eq!(record.models.len(), 1, "and is not among those who judged");
            wait_until("the shadow's opinion", Duration::from_secs(20), || count(&metrics(), result) == part);
        }
        let (_, told) = get(station.address.expect("HTTP is served"), "/api/v1/models");
        assert_eq!(told["models"][1]["shadow_of"], "detector-yolo-v8", "{told}");
        let reader = station.ledger().reader();
        let mut kept = Vec::new();
        wait_until("the shadow's records", Duration::from_secs(10), || {
            kept = reader.shadow(&ShadowQuery::default()).expect("shadow records");
            kept.len() == 10
        });
        for record in kept {
            assert_eq!((record.machine, record.verdict), (RecordVerdict::Pass, verdict));
            assert_eq!(record.agrees, Some(result == "agree"));
        }
        station.stop().expect("the ledger closes");
    }
}

#[test]
fn a_shadow_that_is_much_too_slow_skips_parts_and_delays_none() {
    let workshop = Workshop::with_models(LIVE, &with_shadow("slow"));
    let (station, records) = workshop.start();
    wait_until("the camera", Duration::from_secs(20), || station.condition().is_ready());
    for _ in 0..30 {
        station.trigger();
        let record = records.recv_timeout(Duration::from_secs(5)).expect("an answer");
        assert_eq!(record.verdict, RecordVerdict::Pass);
    }
    let sum = || {
        let metrics = String::from_utf8(station.metrics.render()).expect("text");
        ["agree", "disagree", "skipped", "failed"].map(|result| count(&metrics, result))
    };
    wait_until("the shadow to be through", Duration::from_secs(60), || sum().iter().sum::<u64>() == 30);
    let [agree, disagree, skipped, failed] = sum();
    assert!(skipped > 0 && agree > 0, "{agree} agree, {skipped} skipped");
    assert_eq!((disagree, failed), (0, 0));
    station.stop().expect("the ledger closes");
}

#[test]
fn a_shadow_that_does_not_come_up_stops_nobody_and_is_told() {
    let workshop = Workshop::with_models(LIVE, &with_shadow("blind"));
    workshop.write("blind.onnx", "cut short");
    let (station, records) = workshop.start();
    wait_until("the camera", Duration::from_secs(20), || station.condition().is_ready());
    station.trigger();
    let record = records.recv_timeout(Duration::from_secs(5)).expect("an answer");
    assert_eq!(record.verdict, RecordVerdict::Pass);
    wait_until("the count", Duration::from_secs(10), || {
        count(&String::from_utf8(station.metrics.render()).expect("text"), "failed") == 1
    });
    let (_, told) = get(station.address.expect("HTTP is served"), "/api/v1/models");
    assert!(told["models"][1]["failed"].as_str().is_some_and(|says| says.contains("blind")), "{told}");
    station.stop().expect("the ledger closes");
}

#[test]
fn what_is_wrong_with_a_shadow_is_told_with_its_place() {
    let problems = |shadow: &str| {
        let workshop = Workshop::with_models(
            LIVE,
            &format!(
                "{RECIPE}\n[[model]]\nname = \"candidate\"\ncard = \"../blind.toml\"\n\n[[shadow]]\n{shadow}\n"
            ),
        );
        let told = config::read(&workshop.path("station.toml")).err().map(|problems| problems.to_string());
        told.unwrap_or_default()
    };
    assert_eq!(problems("model = \"candidate\""), "");
    for (shadow, says) in [
        (
            "model = \"candidat\"",
            "bottle.toml:27:9  the recipe has no model \"candidat\"\n    hint: did you mean \"candidate\"?",
        ),
        ("model = \"boxes\"", "bottle.toml:27:9  model \"boxes\" cannot be its own shadow"),
        ("model = \"candidate\"\ninstead_of = \"box\"", "bottle.toml:28:14  the recipe has no model \"box\""),
        (
            "model = \"candidate\"\nregions = [\"hole\"]",
            "bottle.toml:28:11  region \"hole\" is not one of the model",
        ),
        (
            "model = \"candidate\"\nregoins = []",
            "there is no key \"regoins\" here\n    hint: did you mean \"regions\"?",
        ),
    ] {
        let told = problems(shadow);
        assert!(told.contains(says), "wanted\n  {says}\ngot\n  {told}");
    }
}
