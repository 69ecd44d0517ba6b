//! `plumb model bench` as people and scripts use it.

mod workshop;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    process::{Command, Output},
};
use workshop::{RECIPE, Workshop};

fn bench(workshop: &Workshop, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(["model", "bench"])
        .args(args)
        .current_dir(workshop.path(""))
        .env("NO_COLOR", "1")
        .output()
        .expect("plumb runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn document(output: &Output) -> Value {
    assert_eq!(code(output), 0, "{}", stderr(output));
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(document["schema"], "plumb.bench/1");
    document
}

/// The processor, few and short rounds: what is measured is nobody's interest here.
const QUICK: [&str; 9] = ["model.toml", "--devices", "cpu", "--threads", "1", "--rounds", "6", "--runs", "3"];

fn quick<'a>(more: &[&'a str]) -> Vec<&'a str> {
    QUICK.iter().chain(more).copied().collect()
}

/// A folder with the model that sees a bottle and a cap in bright pictures, and three pictures.
fn workshop() -> Workshop {
    let workshop = Workshop::new("", RECIPE);
    workshop.pictures(&[true, false, true]);
    workshop
}

/// Writes the model once more as `name`.onnx, with every number `from` in it made `to`, and names it in the card.
fn variant(workshop: &Workshop, name: &str, from: f32, to: f32) {
    let mut bytes = fs::read(workshop.path("detector-yolo-v8.onnx")).expect("the model");
    let (from, to) = (from.to_le_bytes(), to.to_le_bytes());
    let found: Vec<usize> = (0..bytes.len() - 4).filter(|at| bytes[*at..at + 4] == from).collect();
    assert_eq!(found.len(), 1, "the number stands in the model once");
    bytes[found[0]..found[0] + 4].copy_from_slice(&to);
    fs::write(workshop.path(&format!("{name}.onnx")), &bytes).expect("a variant");
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let card = fs::read_to_string(workshop.path("model.toml")).expect("the card");
    let more = format!(
        "\n[[variant]]\nname = \"{name}\" # made for this\nfile = \"{name}.onnx\"\nsha256 = \"{digest}\"\n"
    );
    workshop.write("model.toml", &(card + &more));
}

fn row<'a>(document: &'a Value, device: &str, variant: &Value) -> &'a Value {
    let rows = document["rows"].as_array().expect("rows");
    let found = rows.iter().find(|row| row["device"] == device && row["variant"] == *variant);
    found.unwrap_or_else(|| panic!("no row {device} {variant}: {document:#}"))
}

#[test]
fn every_way_on_the_processor_is_a_row_with_its_time_and_what_it_found() {
    let workshop = workshop();
    let document =
        document(&bench(&workshop, &quick(&["--threads", "2", "--pictures", "pictures", "--json"])));
    let rows = document["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 2 * document["libraries"].as_array().expect("libraries").len(), "{document:#}");
    for row in rows {
        assert_eq!((&row["provider"], &row["same"]), (&"cpu".into(), &true.into()), "{row:#}");
        assert_eq!((&row["found"]["pictures"], &row["found"]["findings"]), (&3.into(), &4.into()), "{row:#}");
        let timing = &row["timing"];
        assert!(
            timing["p50_ms"].as_f64().expect("ms") > 0.0
                && timing["p99_ms"].as_f64() >= timing["p50_ms"].as_f64()
        );
        assert!(timing["pictures_per_s"]["low"].as_f64() <= timing["pictures_per_s"]["high"].as_f64());
    }
    assert_eq!(rows[0]["time_to_reference"]["median"], 1.0, "the first row is the reference");
    assert_eq!(document["recommendation"]["device"], "cpu");
    assert!(document["says"].as_str().is_some_and(|says| says.starts_with("recommended: cpu")));
}

#[test]
fn a_variant_that_finds_something_else_is_named_and_never_recommended() {
    let workshop = workshop();
    variant(&workshop, "blind", 0.8, 0.1); // the cap is below the card's threshold then
    variant(&workshop, "shy", 0.9, 0.85); // the bottle stays above it
    let args = quick(&["--pictures", "pictures", "--score-min", "0.87", "--json"]);
    let told = document(&bench(&workshop, &args));
    let blind = row(&told, "cpu", &"blind".into());
    assert_eq!(blind["same"], false);
    assert_eq!(blind["found"]["says"][0]["picture"], "000.png");
    let says = blind["found"]["says"][0]["says"].as_str().expect("words");
    assert!(says.starts_with("cap 0.800 at ") && says.ends_with(" is gone"), "{says}");
    let shy = row(&told, "cpu", &"shy".into());
    let says = shy["found"]["says"][0]["says"].as_str().expect("words");
    assert!(says.contains("was 0.900 and is 0.850, across 0.87"), "a rule's threshold counts: {says}");
    assert_eq!(told["recommendation"]["variant"], Value::Null);

    let table = bench(&workshop, &quick(&["--pictures", "pictures"]));
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("CHANGED") && table.contains("000.png: cap 0.800"), "{table}");
    assert!(table.contains("\nrecommended: cpu"), "{table}");
}

#[test]
fn apply_writes_what_it_recommends_and_leaves_every_other_line_of_the_card() {
    let workshop = workshop();
    variant(&workshop, "blind", 0.8, 0.1);
    let before =
        format!("# Bottles of line 7.\n{}", fs::read_to_string(workshop.path("model.toml")).expect("card"));
    workshop.write("model.toml", &before);
    let told = document(&bench(&workshop, &quick(&["--pictures", "pictures", "--apply", "--json"])));
    assert_eq!(told["applied"], true);
    let after = fs::read_to_string(workshop.path("model.toml")).expect("card");
    let (added, kept): (Vec<&str>, Vec<&str>) =
        after.lines().partition(|line| !before.lines().any(|old| old == *line));
    assert_eq!(kept, before.lines().collect::<Vec<_>>());
    assert_eq!(added.len(), 3, "{added:#?}");
    assert!(
        added[0].starts_with("# plumb model bench, 20") && added[0].contains("the same 4 in 3 pictures"),
        "{added:#?}"
    );
    assert_eq!(added[1..], ["device = \"cpu\"", "threads = 1"]);

    let again = document(&bench(&workshop, &quick(&["--pictures", "pictures", "--apply", "--json"])));
    assert_eq!(again["applied"], false, "the card says so already");
    assert_eq!(fs::read_to_string(workshop.path("model.toml")).expect("card"), after);
}

#[test]
fn without_pictures_it_is_timed_but_nothing_is_recommended() {
    let document = document(&bench(&workshop(), &quick(&["--json"])));
    assert_eq!((&document["recommendation"], &document["rows"][0]["same"]), (&Value::Null, &Value::Null));
    assert!(document["rows"][0]["timing"]["p50_ms"].as_f64().is_some());
    assert!(document["says"].as_str().is_some_and(|says| says.contains("--pictures")), "{document:#}");
}

#[test]
fn what_is_not_there_is_a_row_with_its_reason() {
    let workshop = workshop();
    let args = ["model.toml", "--devices", "cpu,tensorrt:0", "--threads", "1", "--batch", "1,4"];
    let args = [&args[..], &["--rounds", "1", "--runs", "1", "--library", "/nowhere", "--json"]].concat();
    let document = document(&bench(&workshop, &args));
    let says = |device: &str| {
        row(&document, device, &Value::Null)["not_here"].as_str().map(str::to_owned).unwrap_or_default()
    };
    let there = document["libraries"].to_string().contains("Tensorrt");
    assert!(there || says("tensorrt:0").contains("TensorrtExecutionProvider"), "{document:#}");
    let four =
        document["rows"].as_array().expect("rows").iter().find(|row| row["batch"] == 4).expect("a row");
    assert_eq!(four["not_here"], "a run of this model takes one picture");
    assert_eq!(document["no_libraries"][0]["path"], "/nowhere");
    assert!(
        document["no_libraries"][0]["reason"].as_str().is_some_and(|says| says.contains("cannot be used"))
    );
}

#[test]
fn bad_input_gets_a_sentence_and_an_exit_code_that_says_whose_turn_it_is() {
    let workshop = workshop();
    for folder in ["empty", "torn"] {
        fs::create_dir(workshop.path(folder)).expect("a folder");
    }
    workshop.write("empty/readme.txt", "no picture");
    workshop.write("torn/a.png", "no picture either");
    workshop.write(
        "broken.toml",
        &fs::read_to_string(workshop.path("model.toml")).expect("card").replace("0.25", "2.5"),
    );
    workshop.write(
        "gone.toml",
        &fs::read_to_string(workshop.path("model.toml"))
            .expect("card")
            .replace("detector-yolo-v8.onnx", "gone.onnx"),
    );
    for (args, exit, says) in [
        (&["nowhere.toml"][..], 3, "nowhere.toml cannot be read"),
        (&["broken.toml"], 3, "broken.toml:"),
        (&["gone.toml", "--devices", "cpu"], 5, "gone.onnx"),
        (&["model.toml", "--devices", "auto"], 3, "--devices auto"),
        (&["model.toml", "--devices", "gpu"], 2, "openvino:CPU"),
        (&["model.toml", "--pictures", "nowhere"], 3, "--pictures nowhere"),
        (&["model.toml", "--pictures", "empty"], 3, "there is no picture in it"),
        (&["model.toml", "--devices", "cpu", "--pictures", "torn"], 5, "torn/a.png is no picture"),
        (&["model.toml", "--pictures", "pictures", "--region", "1,2,3"], 2, "x,y,w,h"),
        (
            &["model.toml", "--devices", "cpu", "--pictures", "pictures", "--region", "900,0,5,5"],
            5,
            "picture",
        ),
        (&["model.toml", "--apply"], 2, "--pictures"),
        (&["model.toml", "--threads", "0"], 2, "--threads"),
    ] {
        let output = bench(&workshop, args);
        assert_eq!(code(&output), exit, "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{args:?}: {}", stderr(&output));
    }
}
