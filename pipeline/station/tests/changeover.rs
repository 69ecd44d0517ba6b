//! Another recipe, another version of a model: swapped between two parts, on a line at full speed, and not one part
//! lost or judged by half of each.

mod workshop;

use plumb_inspection::RecipeNumber;
use plumb_ledger::{Record, RecordVerdict};
use plumb_line::Product;
use plumb_station::{
    changeover::Stage,
    config,
    demo::{Demo, Wish},
    station::Station,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};
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

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

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

/// The demo's washer line with a model in two versions: the same weights, another digest.
struct Versions {
    folder: std::path::PathBuf,
    card: String,
    digests: [String; 2],
}

impl Versions {
    /// In the config folder of a demo that was unpacked.
    fn new(config: &Path) -> Self {
        let folder = config.join("models/line-parts");
        let card = fs::read_to_string(folder.join("card.toml")).expect("the card");
        let mut model = fs::read(folder.join("line-parts.onnx")).expect("the model");
        let first = hex(&model);
        model.extend([0x1a, 2, b'v', b'2']); // the protobuf field `producer_version`
        fs::write(folder.join("line-parts-v2.onnx"), &model).expect("version 2");
        assert!(card.contains(&first), "the card names its file's digest");
        Self { folder, card, digests: [first, hex(&model)] }
    }

    /// From the next loading on, the card speaks of this version.
    fn switch_to(&self, version: usize) {
        let card = match version {
            0 => self.card.clone(),
            _ => self
                .card
                .replace(&self.digests[0], &self.digests[1])
                .replace("line-parts.onnx", "line-parts-v2.onnx"),
        };
        fs::write(self.folder.join("card.new"), card).expect("the new card");
        fs::rename(self.folder.join("card.new"), self.folder.join("card.toml")).expect("the card, at once");
    }

    /// Which model each recipe digest stands for.
    fn models_by_recipe(&self, config: &Path) -> BTreeMap<String, String> {
        let mut models = BTreeMap::new();
        for recipe in ["washer", "blister-pack"] {
            let text = fs::read_to_string(config.join(format!("recipes/{recipe}.toml"))).expect("a recipe");
            for digest in &self.digests {
                models.insert(hex(format!("{text}{digest}").as_bytes()), digest.clone());
            }
        }
        models
    }
}

#[test]
fn recipes_and_model_versions_change_at_full_line_speed_and_no_part_is_lost_or_judged_by_half_of_each() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let wish = Wish {
        product: Product::Washer,
        seed: 11,
        parts_per_minute: Some(1500.0),
        parts: Some(500),
        listen: "127.0.0.1:0".parse().expect("an address"),
        data: data.path().to_owned(),
    };
    let mut demo = Demo::start(wish).unwrap_or_else(|error| panic!("{error}"));
    let config = data.path().join("config");
    let versions = Versions::new(&config);
    let models = versions.models_by_recipe(&config);
    let address = demo.address().expect("HTTP is served");

    let mut records: Vec<Record> = Vec::new();
    let (mut changes, mut next) = (0, Instant::now() + Duration::from_secs(1));
    let patience = Instant::now() + Duration::from_secs(120);
    while !demo.has_ended() && Instant::now() < patience {
        records.extend(demo.answered(Duration::from_millis(20)));
        let is_over = |station: &Station| {
            let (progress, waits) = station.changeover().progress();
            waits.is_none() && progress.is_none_or(|progress| progress.is_over())
        };
        if Instant::now() >= next && is_over(demo.station()) {
            next = Instant::now() + Duration::from_millis(800);
            changes += 1;
            match changes % 3 {
                0 => demo.plc().want_recipe(RecipeNumber(if changes % 2 == 0 { 1 } else { 2 })),
                of => {
                    versions.switch_to(of - 1);
                    let name = demo.station().current().plan.name.to_string();
                    let (status, told) = post(address, &format!("/api/v1/recipes/{name}/load"));
                    assert_eq!(status, 202, "{told}");
                }
            }
        }
    }
    assert!(demo.has_ended(), "the belt has not run empty: {:?}", demo.summary());
    let open = demo.station().editions().iter().map(|recipe| recipe.open()).sum::<u32>();
    let summary = demo.stop().unwrap_or_else(|error| panic!("{error}"));

    assert_eq!((summary.answers, summary.records), (summary.triggers, summary.triggers), "{summary:?}");
    assert_eq!((summary.missed, summary.misrouted, open), (0, 0, 0), "{summary:?}");
    let mut seen = BTreeMap::new();
    for record in &records {
        let model = models.get(&record.recipe_digest).expect("the digest of a recipe with one of two models");
        let looked: Vec<&String> = record.models.iter().map(|model| &model.digest).collect();
        assert_eq!(looked, [model], "part {} was judged by its edition's model alone", record.part_id);
        *seen.entry((record.recipe.to_string(), model.clone())).or_insert(0) += 1;
    }
    assert!(changes >= 4 && seen.len() >= 3, "{changes} changes, parts by recipe and model: {seen:?}");
    eprintln!("{changes} changeovers over {} parts: {seen:?}", records.len());
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
