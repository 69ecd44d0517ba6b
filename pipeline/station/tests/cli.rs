//! The command line as scripts and people use it.

mod workshop;

use serde_json::Value;
use std::process::{Command, Output};
use workshop::{RECIPE, Workshop};

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
"#;

fn plumb(workshop: &Workshop, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plumb"))
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

#[test]
fn check_says_ok_on_stderr_and_nothing_on_stdout() {
    let output = plumb(&Workshop::new(STATION, RECIPE), &["check"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stderr(&output), "ok station.toml: 1 camera, 1 recipe, 1 model (no device touched)\n");
    assert!(output.stdout.is_empty());
}

#[test]
fn check_ends_with_3_and_the_place_when_the_config_is_wrong() {
    let workshop = Workshop::new(&STATION.replace("trigger", "triger"), RECIPE);
    let output = plumb(&workshop, &["check"]);
    assert_eq!(code(&output), 3);
    assert!(
        stderr(&output).contains(
            "station.toml:11:2  there is no section \"triger\"\n    hint: did you mean \"trigger\"?"
        ),
        "{}",
        stderr(&output)
    );
    let output = plumb(&workshop, &["check", "--json"]);
    assert_eq!(code(&output), 3);
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&document["schema"], &document["ok"]), (&Value::from("plumb.check/1"), &Value::from(false)));
    assert_eq!(document["problems"][1]["line"], 11);
}

#[test]
fn wrong_words_end_with_2_and_a_missing_library_with_5() {
    let workshop =
        Workshop::new(&format!("{STATION}\n[infer]\nlibrary = \"/nowhere/libonnxruntime.so\"\n"), RECIPE);
    assert_eq!(code(&plumb(&workshop, &["chekc"])), 2);
    let output = plumb(&workshop, &["run", "--seconds", "1"]);
    assert_eq!(code(&output), 5, "{}", stderr(&output));
    assert!(stderr(&output).contains("/nowhere/libonnxruntime.so"), "{}", stderr(&output));
}

#[test]
fn replay_gives_one_record_a_line_for_each_picture() {
    let workshop = Workshop::new(STATION, RECIPE);
    workshop.pictures(&[true, false, true]);
    let output = plumb(&workshop, &["replay", "recipes/bottle.toml", "pictures", "--json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON record a line"))
        .collect();
    let told: Vec<&str> = lines.iter().map(|record| record["verdict"].as_str().expect("a verdict")).collect();
    assert_eq!(told, ["pass", "fail", "pass"]);
    assert_eq!(lines[0]["schema"], "plumb.record/1");
    assert!(
        (lines[0]["views"][0]["scores"]["detector-yolo-v8"].as_f64().expect("raw score") - 0.9).abs() < 1e-3
    );
    assert!(!workshop.path("data").exists(), "a replay leaves the station's ledger alone");
}

#[test]
fn a_source_that_is_no_picture_ends_a_replay_with_4_and_a_sentence() {
    let workshop = Workshop::new(STATION, RECIPE);
    workshop.write("notes.mkv", "this is a text, not a video");
    for (source, says) in
        [("notes.mkv", "notes.mkv cannot be replayed"), ("pictures", "there is no picture in")]
    {
        let output = plumb(&workshop, &["replay", "recipes/bottle.toml", source, "--json"]);
        assert_eq!(code(&output), 4, "{}", stderr(&output));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
    let output = plumb(&workshop, &["replay", "recipes/bottle.toml", "nowhere"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
}

#[test]
fn run_until_the_end_then_replay_what_the_ledger_kept() {
    let workshop = Workshop::new(STATION, RECIPE);
    workshop.pictures(&[false, true, false]);
    let output = plumb(&workshop, &["run", "--until-end"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("3 triggers, 3 answers, 3 records"), "{}", stderr(&output));
    let output = plumb(&workshop, &["replay", "bottle", "data", "--json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let told = String::from_utf8_lossy(&output.stdout).matches("\"verdict\":\"fail\"").count();
    assert_eq!(told, 2, "the two rejects' pictures were kept, and fail again");
}

#[test]
fn doctor_tells_what_it_looked_at() {
    let output = plumb(&Workshop::new(STATION, RECIPE), &["doctor", "--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(document["schema"], "plumb.doctor/1");
    let looks = document["looks"].as_array().expect("looks");
    let found =
        |word: &str| looks.iter().any(|look| look["what"].as_str().is_some_and(|what| what.contains(word)));
    assert!(found("GStreamer") && found("ONNX Runtime") && found("disk") && found("clock"), "{document:#}");
}

#[test]
fn completions_and_manual_come_on_stdout() {
    let workshop = Workshop::new(STATION, RECIPE);
    let completions = plumb(&workshop, &["completions", "bash"]);
    assert!(String::from_utf8_lossy(&completions.stdout).contains("replay"));
    let man = plumb(&workshop, &["man"]);
    assert!(String::from_utf8_lossy(&man.stdout).starts_with(".ie"));
}
