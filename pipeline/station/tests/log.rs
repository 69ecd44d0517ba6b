//! What the log says to machines: a document a line, and the part on every line that is about one.

mod workshop;

use serde_json::Value;
use std::{path::Path, process::Command};
use workshop::Workshop;

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

/// A model that makes no number of black: each dark picture is a part that cannot be judged, and says so.
const BLACK_IS_NONE: &str = r#"
[recipe]
name = "bottle"
number = 1
deadline_ms = 2000

[[model]]
name = "lit"
card = "../classifier-nan-when-black.toml"

[[region]]
name = "whole"
model = "lit"

[[rule]]
name = "lit"
kind = "absence"
region = "whole"
score_min = 0.99
"#;

#[test]
fn every_line_is_a_document_and_every_line_of_a_part_carries_its_id() {
    let workshop = Workshop::new(STATION, BLACK_IS_NONE);
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/inference/tests/models");
    for name in ["classifier-nan-when-black.toml", "classifier-nan-when-black.onnx"] {
        std::fs::copy(models.join(name), workshop.path(name)).expect("a model");
    }
    workshop.pictures(&[false; 12]);
    let ran = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(["run", "station.toml", "--until-end", "--seconds", "60", "-v", "--log", "json"])
        .current_dir(workshop.path(""))
        .output()
        .expect("plumb runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    // What is not the log is talk, which is no JSON and never was.
    let lines: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let log_like = said.lines().filter(|line| line.starts_with('{')).count();
    assert_eq!(lines.len(), log_like, "{said}");
    assert!(lines.iter().all(|line| line["level"].is_string() && line["timestamp"].is_string()), "{said}");
    let about_parts: Vec<&Value> = lines
        .iter()
        .filter(|line| {
            line["message"].as_str().is_some_and(|words| words.starts_with("Part could not be judged"))
        })
        .collect();
    assert!(about_parts.len() >= 12, "each of them: {said}");
    assert!(
        about_parts.iter().all(|line| line["part"].as_str().is_some_and(|part| !part.is_empty())),
        "{said}"
    );
}

/// Every message of the hot path that speaks of one part names it in a field of its own.
#[test]
fn no_message_about_a_part_lacks_its_field() {
    let sources = ["hot_path", "background", "shadow"]
        .map(|room| Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room));
    let mut looked = 0;
    let mut lacking = Vec::new();
    let mut folders: Vec<_> = sources.into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source");
            for call in text.split("tracing::").skip(1) {
                let Some(call) = call.split(");").next() else { continue };
                let (Some(open), true) = (call.find('('), call.starts_with(['e', 'w', 'i', 'd', 't'])) else {
                    continue;
                };
                let (fields, words) = call[open..].split_once('"').unwrap_or((call, ""));
                let of_one = ["this part", "Part could", "The PLC triggered", "the part "];
                if of_one.iter().any(|of| words.contains(of)) {
                    looked += 1;
                    if !fields.contains("part") {
                        lacking.push(format!("{}: {words}", path.display()));
                    }
                }
            }
        }
    }
    assert!(looked >= 4, "only {looked} messages about parts were found");
    assert!(lacking.is_empty(), "{lacking:#?}");
}
