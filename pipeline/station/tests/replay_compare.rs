//! What a changed recipe would have said of parts that went through the line, from the pictures that were kept.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

mod workshop;

use serde_json::Value;
use std::{
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};
use workshop::{RECIPE, Workshop, wait_until};

const STATION: &str = r#"
[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "bottle"
data = "data"

[[camera]]
id = "top"
source = { kind = "files", path = "pictures", pace = { fps = 40 } }

[trigger]
kind = "frame"

[ledger]
keep_pass_share = 1.0
"#;

/// Bright pictures hold a bottle and a cap, dark ones nothing.
const PARTS: [bool; 12] = [true, true, false, true, false, true, true, true, false, true, true, true];

fn line_with_history() -> Workshop {
    let workshop = Workshop::new(STATION, RECIPE);
    workshop.pictures(&PARTS);
    let (station, _records) = workshop.start();
    wait_until("the last picture", Duration::from_secs(30), || station.has_ended());
    station.stop().unwrap();
    workshop
}

fn compare(workshop: &Workshop, extra: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(["replay", "bottle", "data", "--station", "station.toml", "--compare"])
        .args(extra)
        .current_dir(workshop.path(""))
        .env("NO_COLOR", "1")
        .output()
        .expect("plumb runs")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn kept(workshop: &Workshop) -> Vec<PathBuf> {
    let days = std::fs::read_dir(workshop.path("data/pictures")).unwrap().flatten();
    let files = days.filter(|day| day.path().is_dir()).flat_map(|day| std::fs::read_dir(day.path()).unwrap());
    let mut files: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
    files.sort();
    files
}

#[test]
fn the_recipe_as_it_was_changes_nothing_and_another_rule_says_whom_it_changes() {
    let workshop = line_with_history();
    let same = json(&compare(&workshop, &["--json"]));
    assert_eq!((&same["parts"], &same["flips"]), (&12.into(), &Value::Array(vec![])), "{same:#}");
    assert!(same["notes"].to_string().contains("not of the line"), "{same:#}");

    // No cap may be there: all bright parts would be rejected; dark ones still lack their bottle.
    let forbids = format!(
        "{RECIPE}\n[[rule]]\nname = \"no-cap\"\nkind = \"absence\"\nclass = \"cap\"\nscore_min = 0.5\n"
    );
    workshop.write("recipes/bottle.toml", &forbids);
    let told = json(&compare(&workshop, &["--json", "--report", "r.html"]));
    let bright = PARTS.iter().filter(|bright| **bright).count();
    assert_eq!((&told["newly_rejected"], &told["newly_passed"]), (&bright.into(), &0.into()), "{told:#}");
    let flips: Vec<u64> =
        told["flips"].as_array().unwrap().iter().map(|flip| flip["part_id"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (1..).zip(PARTS).filter(|(_, bright)| *bright).map(|(id, _)| id).collect();
    assert_eq!(flips, expected, "each picture is compared with its own part");
    assert!(told["flips"][0]["why"].as_str().unwrap().contains("cap"), "{told:#}");
    let page = std::fs::read_to_string(workshop.path("r.html")).unwrap();
    assert!(page.contains("data:image/") && page.contains("its kept pictures"), "the flips' pictures");

    // And a threshold that nothing reaches takes that back.
    let told = json(&compare(&workshop, &["--json", "--set", "no-cap=1.0"]));
    assert_eq!(told["newly_rejected"], 0, "{told:#}");
}

#[test]
fn a_picture_that_is_gone_or_was_changed_is_left_out_by_name() {
    let workshop = line_with_history();
    let files = kept(&workshop);
    assert_eq!(files.len(), PARTS.len());
    std::fs::remove_file(&files[3]).unwrap();
    std::fs::copy(&files[2], &files[5]).unwrap();
    std::fs::write(&files[7], "no picture at all").unwrap();
    let told = json(&compare(&workshop, &["--json"]));
    assert_eq!(told["parts"], 9, "{told:#}");
    assert_eq!(told["flips"], Value::Array(vec![]), "{told:#}");
    assert_eq!(told["left_out"]["its picture is no longer there"], 1, "{told:#}");
    assert_eq!(told["left_out"]["its picture is not the one that was kept"], 2, "{told:#}");
}

#[test]
fn what_cannot_be_compared_says_why() {
    let workshop = line_with_history();
    let refused = compare(&workshop, &["--of", "another"]);
    let says = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{says}");
    assert!(
        says.contains("no part of recipe \"another\" can be looked at again: the ledger has no such part"),
        "{says}"
    );
    let refused = compare(&workshop, &["--paced", "3"]);
    assert_eq!(refused.status.code(), Some(2));
}
