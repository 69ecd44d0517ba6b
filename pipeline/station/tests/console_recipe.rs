//! A recipe on a running line, as two people change it and go back to what it was, and its model as somebody looks at it: a
//! real Chromium at a real station.
//!
//! Skipped, with a word, where there is no Chromium or no Playwright: `deploy/setup.sh --test` brings the latter.

#![allow(clippy::print_stdout, reason = "says what is skipped, and each step, to whoever reads along")]

mod workshop;

use image::{Rgb, RgbImage};
use plumb_inspection::PartId;
use plumb_ledger::{AuditLog, AuditQuery, ModelBook, ModelState, Record, RecordVerdict, Verified};
use plumb_station::{
    config,
    station::{Station, Wiring},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};
use workshop::{
    Workshop,
    bottles::{Belt, Eye, RECIPE, STATION},
    browser::browser,
    wait_until,
};

fn text(step: &Value, pointer: &str) -> String {
    step.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}: {step}")).to_owned()
}

/// What the model finds in a bright picture, kept beside its card.
fn refer(workshop: &Workshop) {
    RgbImage::from_pixel(32, 32, Rgb([255; 3])).save(workshop.path("bright.png")).expect("a picture");
    let made = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(["model", "verify", "--write"])
        .arg(workshop.path("model.toml"))
        .status();
    assert!(made.expect("plumb starts").success());
}

#[test]
fn two_people_change_a_recipe_in_its_fields_and_it_acts_from_the_part_it_says_on() {
    let Some((mut node, chrome)) = browser() else { return };
    let workshop = Workshop::new(STATION, RECIPE);
    refer(&workshop);
    let plan = config::read(&workshop.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    let data = plan.station.data.clone();
    let seen = Arc::new(Mutex::new(Vec::<Record>::new()));
    let tapped = seen.clone();
    let tap = Box::new(move |record: &Record| tapped.lock().expect("nobody panicked").push(record.clone()));
    let wiring = Wiring { line: Some(Arc::new(Eye::default())), tap: Some(tap), ..Wiring::default() };
    let station = Arc::new(Station::start(plan, wiring).unwrap_or_else(|error| panic!("{error}")));
    wait_until("the station", Duration::from_secs(20), || station.condition().is_ready());
    let password = station.first_password.clone().expect("nobody could log in before");
    let belt = Belt::start(&station);
    wait_until("a part", Duration::from_secs(20), || seen.lock().expect("nobody panicked").len() > 5);

    let file = workshop.path("recipes/bottle.toml");
    let wish = json!({
        "base": format!("http://{}", station.address.expect("HTTP")),
        "password": password,
        "chrome": chrome,
        "file": file,
        "shots": std::env::var("PLUMB_TEST_SHOTS").ok(),
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/recipe.cjs");
    let mut child =
        node.arg(script).arg(wish.to_string()).stdout(Stdio::piped()).spawn().expect("Node.js starts");
    let changed = RECIPE.replace("score_min = 0.5 ", "score_min = 0.95 ");
    let (mut from_part, mut ended) = (0, false);
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        let line = line.expect("UTF-8");
        println!("{line}");
        let step: Value = serde_json::from_str(&line).expect("a JSON document a line");
        match step["step"].as_str().expect("a step") {
            "failed" => panic!("{line}"),
            "drawn" => {
                assert_eq!(text(&step, "/size"), "320 × 240 px");
                let rect = |name: &str| -> Vec<f64> {
                    step[name].as_array().expect("four").iter().filter_map(Value::as_f64).collect()
                };
                let (drawn, moved) = (rect("drawn"), rect("moved"));
                let near = drawn.iter().zip([20.0, 30.0, 80.0, 60.0]).all(|(a, b)| (a - b).abs() <= 2.0);
                assert!(drawn.len() == 4 && near, "as the pointer went, within two px: {drawn:?}");
                assert_eq!(moved, [drawn[0] + 1.0, drawn[1] + 10.0, drawn[2] + 1.0, drawn[3]]);
                assert_eq!(step["unchanged"]["enabled"], false, "nothing to propose: {line}");
            }
            "fields" => {
                assert!(text(&step, "/wrong/score").contains("lacks the key \"score_min\""), "{line}");
                assert!(text(&step, "/wrong/number").contains("number 0 means"), "{line}");
                assert_eq!((&step["wrong"]["enabled"], &step["enabled"]), (&json!(false), &json!(true)));
                let told = [
                    "score_min = 0.5 # as long as nobody knows better",
                    "score_min = 0.95 # as long as nobody knows better",
                ];
                assert_eq!(step["lines"], json!(told), "{line}");
            }
            "live" => {
                assert_eq!(step["own_button"], json!(["Withdraw"]), "nobody approves their own: {line}");
                assert_eq!(step["seen"], json!(["score_min = 0.95 # as long as nobody knows better"]));
                assert_eq!(text(&step, "/written"), changed, "and every comment is there");
                from_part = step["from_part"].as_u64().expect("a part");
                assert!(text(&step, "/says").contains(&format!("judges from part {from_part} on")), "{line}");
            }
            "back" => {
                assert!(text(&step, "/conflict").contains("+ score_min = 0.95"), "{line}");
                assert_eq!(step["told"], json!(["score_min = 0.95 # as long as nobody knows better"]));
                assert!(text(&step, "/differs").contains("the file is not what runs"), "{line}");
                assert_eq!(step["versions"], 3, "as it was, as approved, as somebody wrote it: {line}");
                assert_eq!(text(&step, "/written"), RECIPE, "the way back is a change like another");
            }
            "model" => {
                assert!(text(&step, "/models/0").contains("cpu"), "{line}");
                assert!(text(&step, "/facts").contains("bottle, cap"), "{line}");
                assert!(text(&step, "/verified").contains("same as in the reference"), "{line}");
                assert!(text(&step, "/retired").contains("is retired now"), "{line}");
            }
            "end" => {
                assert_eq!(step["complaints"], json!([]), "{line}");
                ended = true;
            }
            _ => {}
        }
    }
    assert!(child.wait().expect("it ends").success() && ended && from_part > 0);
    belt.stop();
    let station = Arc::into_inner(station).expect("the belt has let go");
    station.stop().unwrap_or_else(|error| panic!("{error}"));

    // Before it and from it on, each part was judged by what the file said.
    let log = AuditLog::new(&data);
    assert!(matches!(log.verify().expect("readable"), Verified::Whole { .. }));
    let live = AuditQuery { what: Some("recipe_live".to_owned()), limit: 10, ..AuditQuery::default() };
    let live = log.find(&live).expect("readable");
    let (back, first) = (&live[0], &live[1]);
    assert_eq!((first.from_part, first.who.as_str()), (PartId::new(from_part as u32), "admin"));
    let back_from = u64::from(back.from_part.expect("parts came").get());
    let records = seen.lock().expect("nobody panicked");
    let mut by_new = 0;
    for record in records.iter().filter(|record| record.verdict != RecordVerdict::Missed) {
        let findings = record.views.iter().flat_map(|view| &view.findings);
        let cap =
            findings.filter(|one| one.class.as_str() == "cap").map(|one| one.score.get()).fold(0.0, f32::max);
        let part = u64::from(record.part_id.get());
        let is_new = (from_part..back_from).contains(&part);
        by_new += usize::from(is_new && cap >= 0.5);
        let fails = cap >= if is_new { 0.95 } else { 0.5 };
        let expected = if fails { RecordVerdict::Fail } else { RecordVerdict::Pass };
        assert_eq!(record.verdict, expected, "part {part} of {from_part}..{back_from}: {cap}");
    }
    assert!(by_new > 5, "parts that the old recipe would have rejected came after it");
    let models = ModelBook::new(&data).list().expect("readable");
    assert_eq!((models[0].state, models[0].by.as_str()), (ModelState::Retired, "ann"));
}
