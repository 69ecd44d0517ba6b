//! Another recipe, another version of a model: what a changeover refuses, what it lets go, and whose wish wins.

mod workshop;

use plumb_inspection::RecipeNumber;
use plumb_ledger::{ModelState, Record, RecordVerdict};
use plumb_station::{changeover::Stage, config, station::Station};
use serde_json::Value;
use std::time::Duration;
use workshop::{RECIPE, Workshop, get, post, wait_until};

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

/// What the last changeover has come to; waits until it is over.
fn fate(station: &Station) -> (Stage, String) {
    let mut fate = None;
    wait_until("the changeover to end", Duration::from_secs(60), || {
        let (progress, waits) = station.changeover().progress();
        fate = progress.filter(|progress| progress.is_over() && waits.is_none());
        fate.is_some()
    });
    let fate = fate.expect("it is over");
    (fate.stage, fate.says.unwrap_or_default())
}

/// One part judged now.
fn judged(station: &Station, records: &std::sync::mpsc::Receiver<Record>) -> Record {
    station.trigger();
    records.recv_timeout(Duration::from_secs(5)).expect("an answer")
}

fn ready(station: &Station) {
    wait_until("the camera", Duration::from_secs(20), || station.condition().is_ready());
}

#[test]
fn a_recipe_that_does_not_read_or_load_or_keep_its_deadline_leaves_the_old_one_running() {
    let workshop = Workshop::with_models(STATION, RECIPE);
    let (station, records) = workshop.start();
    ready(&station);
    let address = station.address.expect("HTTP is served");
    let before = judged(&station, &records).recipe_digest;
    let edition = station.current().edition;

    // Problems are told at once, all of them, and nothing begins.
    workshop.write("recipes/bottle.toml", &RECIPE.replace("\"boxes\"\n\n[[rule]]", "\"boxs\"\n\n[[rule]]"));
    let (status, told) = post(address, "/api/v1/recipes/bottle/load");
    assert_eq!(status, 422, "{told}");
    let says = told["problems"][0]["says"].as_str().expect("a sentence");
    assert!(says.contains("\"boxs\"") && told["problems"][0]["line"] == 13, "{told}");
    let (status, told) = post(address, "/api/v1/recipes/bootle/load");
    assert_eq!(status, 404, "{told}");
    let (status, _) = post(address, "/api/v1/recipes/bottle/load?life=yes");
    assert_eq!(status, 400);

    // A model that is not what its card says.
    workshop.write("recipes/bottle.toml", &RECIPE.replace("../model.toml", "../blind.toml"));
    workshop.write("blind.onnx", "cut short");
    assert_eq!(post(address, "/api/v1/recipes/1/load").0, 202);
    let (stage, says) = fate(&station);
    assert!(stage == Stage::Failed && says.contains("blind") && says.contains("sha256"), "{stage:?} {says}");

    // A model that cannot answer in time.
    let slow =
        RECIPE.replace("../model.toml", "../slow.toml").replace("deadline_ms = 2000", "deadline_ms = 20");
    workshop.write("recipes/bottle.toml", &slow);
    assert_eq!(post(address, "/api/v1/recipes/bottle/load").0, 202);
    let (stage, says) = fate(&station);
    assert!(stage == Stage::Failed && says.contains("within 20 ms"), "{stage:?} {says}");

    // A region outside of the picture.
    let outside = RECIPE.replace("name = \"whole\"", "name = \"whole\"\nrect_px = [30, 0, 32, 32]");
    workshop.write("recipes/bottle.toml", &outside);
    let (status, told) = post(address, "/api/v1/recipes/bottle/load");
    assert_eq!(status, 202, "{told}");
    let (stage, says) = fate(&station);
    assert!(stage == Stage::Failed && says.contains("whole"), "{stage:?} {says}");

    let after = judged(&station, &records);
    assert_eq!((after.recipe_digest, after.verdict), (before, RecordVerdict::Pass));
    assert_eq!(station.current().edition, edition);
    assert!(station.condition().is_ready(), "{:?}", station.condition());
    let (_, told) = get(address, "/api/v1/changeover");
    assert_eq!((&told["changeover"]["stage"], &told["waits"]), (&Value::from("failed"), &Value::Null));
    station.stop().expect("the ledger closes");
}

#[test]
fn the_next_part_is_judged_by_what_was_loaded_and_what_it_replaced_is_let_go() {
    let workshop = Workshop::with_models(STATION, RECIPE);
    let (station, records) = workshop.start();
    ready(&station);
    let address = station.address.expect("HTTP is served");
    assert_eq!(judged(&station, &records).verdict, RecordVerdict::Pass);

    workshop.write("recipes/bottle.toml", &RECIPE.replace("../model.toml", "../blind.toml"));
    assert_eq!(post(address, "/api/v1/recipes/bottle/load").0, 202);
    assert_eq!(fate(&station), (Stage::Live, String::new()));
    let record = judged(&station, &records);
    assert_eq!(record.verdict, RecordVerdict::Fail, "a model that sees nothing");
    assert_eq!(record.models[0].name.as_str(), "blind");
    let (_, told) = get(address, "/api/v1/changeover");
    assert_eq!(told["changeover"]["first_part"], record.part_id.get(), "{told}");
    assert_eq!(told["changeover"]["recipe_digest"], record.recipe_digest, "{told}");

    wait_until("the old edition to go", Duration::from_secs(10), || station.editions().len() == 1);
    let metrics = String::from_utf8(station.metrics.render()).expect("text");
    let models: Vec<&str> = metrics.lines().filter(|line| line.starts_with("plumb_model_info{")).collect();
    assert!(models.len() == 1 && models[0].contains("model=\"blind\""), "{models:?}");
    assert!(metrics.contains("plumb_changeovers_total{result=\"live\"} 1"), "{metrics}");
    let (_, told) = get(address, "/api/v1/state");
    assert_eq!(
        (&told["edition"], &told["recipe_digest"]),
        (&Value::from(2), &Value::from(record.recipe_digest))
    );

    // Loaded only: the one that runs goes on, and the other is ready.
    workshop.write("recipes/cap.toml", &RECIPE.replace("\"bottle\"\nnumber = 1", "\"cap\"\nnumber = 2"));
    assert_eq!(post(address, "/api/v1/recipes/cap/load?live=false").0, 202);
    assert_eq!(fate(&station).0, Stage::Ready);
    assert_eq!(judged(&station, &records).recipe.as_str(), "bottle");
    let (_, told) = get(address, "/api/v1/recipes");
    let told: Vec<_> = told["recipes"]
        .as_array()
        .expect("recipes")
        .iter()
        .map(|recipe| (recipe["name"].as_str(), recipe["loaded"].as_bool(), recipe["current"].as_bool()))
        .collect();
    let (yes, no) = (Some(true), Some(false));
    assert_eq!(told, [(Some("bottle"), yes, yes), (Some("cap"), yes, no)]);
    station.stop().expect("the ledger closes");
}

#[test]
fn the_newest_wish_wins_and_a_recipe_not_preloaded_is_loaded_when_asked_for() {
    let workshop = Workshop::with_models(&format!("{STATION}\n[infer]\npreload = \"first\"\n"), RECIPE);
    for number in 2..=4 {
        let recipe = RECIPE
            .replace("\"bottle\"\nnumber = 1", &format!("\"recipe-{number}\"\nnumber = {number}"))
            .replace("../model.toml", "../slow.toml");
        workshop.write(&format!("recipes/{number}.toml"), &recipe);
    }
    let (station, records) = workshop.start();
    ready(&station);
    assert_eq!(station.editions().len(), 1, "the first alone is loaded");
    for number in 2..=4 {
        station.changeover().by_api(&number.to_string(), true).expect("a recipe that reads");
    }
    let (stage, _) = fate(&station);
    assert_eq!((stage, station.current().plan.number), (Stage::Live, RecipeNumber(4)));
    assert_eq!(judged(&station, &records).recipe.as_str(), "recipe-4");
    let ended = |result: &str| {
        let metrics = String::from_utf8(station.metrics.render()).expect("text");
        metrics.contains(&format!("plumb_changeovers_total{{result=\"{result}\"}} 1"))
    };
    assert!(ended("live"));
    wait_until("the others to go", Duration::from_secs(20), || station.editions().len() == 1);
    assert_eq!(config::read(&workshop.path("station.toml")).expect("a plan").recipes.len(), 4);
    station.stop().expect("the ledger closes");
}

#[test]
fn where_approval_is_required_nobody_judges_until_somebody_has_approved() {
    let workshop = Workshop::with_models(&format!("{STATION}\n[infer]\nrequire_approval = true\n"), RECIPE);
    let (station, records) = workshop.start();
    let condition = station.condition();
    assert_eq!(condition.state.as_str(), "not_released");
    assert!(condition.reasons[0].contains("detector-yolo-v8"), "{condition:?}");
    let record = judged(&station, &records);
    assert_eq!((record.verdict, record.reasons[0].rule.as_str()), (RecordVerdict::Missed, "not_released"));

    let book = station.ledger().models();
    let digest = station.current().model_of(0).info.digest.clone();
    for state in [ModelState::Shadow, ModelState::Approved] {
        book.change(&digest, state, "somebody", "seen to be good").expect("a way");
    }
    ready(&station);
    assert_eq!(judged(&station, &records).verdict, RecordVerdict::Pass);
    assert_eq!(book.get(&digest).expect("a book").expect("an entry").state, ModelState::Live);

    // Another that nobody approved does not take its place.
    workshop.write("recipes/bottle.toml", &RECIPE.replace("../model.toml", "../blind.toml"));
    assert_eq!(post(station.address.expect("HTTP is served"), "/api/v1/recipes/bottle/load").0, 202);
    let (stage, says) = fate(&station);
    assert!(stage == Stage::Failed && says.contains("nobody has approved: \"blind\""), "{stage:?} {says}");
    assert_eq!(judged(&station, &records).verdict, RecordVerdict::Pass);
    station.stop().expect("the ledger closes");
}
