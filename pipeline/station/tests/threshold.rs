//! From stored parts and people's words on them to a threshold that can be signed: through the command line alone.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

mod history;
mod workshop;

use history::{MODEL, keep, plumb, record, text};
use plumb_ledger::{Ledger, LedgerConfig, RecordVerdict};
use plumb_station::config;
use serde_json::Value;
use std::fmt::Write as _;
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

[[rule]]
name = "no-bottle"
kind = "absence"
class = "bottle"
score_min = 0.9
"#;

/// 600 good pieces with scores up to 0.4, 600 defective ones from 0.3 up, each looked at once; and people's words on them.
fn line_with_history(defective: u32) -> Workshop {
    let workshop = Workshop::new(STATION, RECIPE);
    let plan = config::read(&workshop.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    let recipe = plan.recipes.values().next().unwrap();
    let digest = recipe.models[0].digest();
    let ledger = Ledger::open(&plan.station.data, LedgerConfig::default()).unwrap();
    let mut words = String::from("part,truth\n");
    for id in 1..=600 + defective {
        let (word, cap) = match id {
            ..=600 => ("good", 0.4 * id as f32 / 600.0),
            _ => ("defective", 0.3 + 0.7 * (id - 600) as f32 / defective as f32),
        };
        keep(&ledger, record(id, &format!("SN-{id}"), cap, recipe, &digest));
        writeln!(words, "{id},{word}").unwrap();
    }
    // What does not count: another model's scores, and a part that nobody could judge.
    keep(&ledger, record(9_001, "SN-9001", 0.9, recipe, &"ab".repeat(32)));
    let mut missed = record(9_002, "SN-9002", 0.9, recipe, &digest);
    missed.verdict = RecordVerdict::Missed;
    keep(&ledger, missed);
    words += "9001,defective\n9002,defective,,under the lamp\n";
    ledger.close().unwrap();
    workshop.write("words.csv", &words);
    let said = plumb(&workshop, &["parts", "judge", "--csv", "words.csv"]);
    assert!(said.status.success(), "{}", text(&said));
    workshop
}

#[test]
fn a_threshold_is_proved_on_parts_that_did_not_help_to_choose_it() {
    let workshop = line_with_history(600);
    let suggest = ["threshold", "suggest", "--recipe", "bottle", "--rule", "no-cap", "--escape", "0.05"];
    let told = plumb(&workshop, &[&suggest[..], &["--false-reject", "0.01", "--json"]].concat());
    assert_eq!(told.status.code(), Some(0), "{}", text(&told));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let count = |set: &str, kind: &str| told[set][kind].as_u64().unwrap();
    assert_eq!(count("tune", "good") + count("certify", "good"), 600);
    assert_eq!(count("tune", "defective") + count("certify", "defective"), 600);
    let share = count("certify", "good") as f64 / 600.0;
    assert!((0.58..0.75).contains(&share), "about two thirds certify: {share}");
    let suggested = &told["suggested"];
    let value = suggested["value"].as_f64().unwrap();
    assert!(value > 0.3 && value < 0.34, "a twentieth of 0.3 to 1.0: {value}");
    assert!(suggested["escapes"]["at_most"].as_f64().unwrap() <= 0.05);
    assert!(
        suggested["guarantee"]["kind"] == "certified"
            && told["on_average"]["value"].as_f64().unwrap() > value
    );
    assert!(told["zones"]["reject_from"].as_f64().unwrap() >= told["zones"]["review_from"].as_f64().unwrap());
    assert_eq!(told["left_out"].as_array().unwrap().len(), 2, "{}", told["left_out"]);
    // What the recipe has now: 0.5 lets two sevenths through.
    let now = &told["now"]["escapes"];
    let seen = now["events"].as_f64().unwrap() / now["of"].as_f64().unwrap();
    assert!((0.2..0.37).contains(&seen), "{seen}");
    let words = text(&plumb(&workshop, &suggest));
    for part in [
        "rule \"no-cap\" (score_min = 0.5)",
        "at most",
        "95 % sure",
        "left out",
        "another version of a model",
    ] {
        assert!(words.contains(part), "{part} in\n{words}");
    }
    assert!(!words.contains(" 0 %") && !words.contains("0.00 %"), "{words}");
}

#[test]
fn what_cannot_be_proved_says_how_many_more_parts_it_takes() {
    let workshop = line_with_history(60);
    let args = ["threshold", "suggest", "--recipe", "bottle", "--rule", "no-cap", "--escape", "0.01"];
    let told = plumb(&workshop, &args);
    assert_eq!(told.status.code(), Some(1), "{}", text(&told));
    let words = text(&told);
    assert!(words.contains("it takes 299, which is") && words.contains("bring more of them"), "{words}");
}

#[test]
fn a_question_that_cannot_be_asked_names_what_there_is() {
    let workshop = line_with_history(60);
    for (args, says) in [
        (&["--recipe", "botle"][..], "there is no recipe \"botle\"; the station has bottle"),
        (
            &["--recipe", "bottle"],
            "several rules with a threshold: \"no-cap\", \"no-bottle\"; name one with --rule",
        ),
        (&["--recipe", "bottle", "--rule", "x"], "no rule \"x\" with a threshold; it has"),
        (&["--recipe", "bottle", "--escape", "0"], "that none escapes, nothing can prove"),
        (&["--recipe", "bottle", "--rule", "no-cap", "--data", "pictures"], "there is no ledger"),
    ] {
        let told = plumb(&workshop, &[&["threshold", "suggest"][..], args].concat());
        assert_eq!(told.status.code(), Some(2), "{args:?}: {}", text(&told));
        assert!(text(&told).contains(says), "{says} in\n{}", text(&told));
    }
}

#[test]
fn parts_are_found_shown_and_exported_and_a_word_on_one_shows() {
    let workshop = line_with_history(6);
    let found = text(&plumb(&workshop, &["parts", "find", "--verdict", "fail", "--limit", "3"]));
    assert_eq!(found.lines().count(), 4, "{found}");
    assert!(found.contains("FAIL") && found.contains("the newest 3 of them"), "{found}");
    let shown = text(&plumb(&workshop, &["parts", "show", "603"]));
    for part in ["part 603", "by recipe \"bottle\"", "defective, says ann", "cap 0.650 in \"whole\"", MODEL] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    let corrected = plumb(&workshop, &["parts", "judge", "603", "good", "--why", "a shadow", "--by", "bob"]);
    assert!(corrected.status.success(), "{}", text(&corrected));
    assert!(text(&plumb(&workshop, &["parts", "show", "603"])).contains("good, says bob"));
    assert_eq!(plumb(&workshop, &["parts", "show", "700000"]).status.code(), Some(1));
    let exported = plumb(&workshop, &["parts", "export"]);
    assert_eq!(String::from_utf8_lossy(&exported.stdout).lines().count(), 608);
    workshop.write("bad.csv", "1,good\nx,good\n2,bad\n3,good,yesterday\n");
    let refused = plumb(&workshop, &["parts", "judge", "--csv", "bad.csv"]);
    assert_eq!(refused.status.code(), Some(2));
    for part in [
        "bad.csv:2  \"x\": a part id is a number",
        "bad.csv:3  \"bad\": a part is good or defective",
        "bad.csv:4",
    ] {
        assert!(text(&refused).contains(part), "{part} in\n{}", text(&refused));
    }
    assert_eq!(plumb(&workshop, &["parts", "judge", "999999", "good"]).status.code(), Some(1));
}

#[test]
fn another_threshold_is_tried_on_stored_parts_before_it_is_set() {
    let workshop = line_with_history(600);
    let run = |extra: &[&str]| {
        plumb(
            &workshop,
            &[&["replay", "bottle", "data", "--station", "station.toml", "--scores"][..], extra].concat(),
        )
    };
    let same = text(&run(&[]));
    assert!(same.contains("0 that passed would be rejected, 0 that were rejected would pass"), "{same}");
    let told = run(&["--set", "no-cap=0.35", "--json", "--report", "r.html"]);
    assert!(told.status.success(), "{}", text(&told));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    // Stricter: scores of 0.35 to 0.5 are rejected now, good ones up to 0.4 among them.
    assert_eq!(told["parts"], 1_200);
    assert_eq!(told["newly_passed"], 0);
    let known_better = told["mcnemar"]["better"].as_u64().unwrap();
    assert!(known_better > 50 && told["mcnemar"]["worse"].as_u64().unwrap() > 20, "{told:#}");
    let (before, after) = (&told["escapes"]["before"], &told["escapes"]["after"]);
    assert!(after["events"].as_u64() < before["events"].as_u64(), "{told:#}");
    assert_eq!(told["left_out"].as_object().unwrap().len(), 2);
    let page = std::fs::read_to_string(workshop.path("r.html")).unwrap();
    assert!(
        page.contains("Replay of recipe bottle") && page.contains("no-cap=0.35") && !page.contains("NaN")
    );
    for (extra, says) in [
        (&["--set", "no-cap"][..], "nothing like `no-dent=0.4`"),
        (&["--set", "nobody=0.4"], "no rule \"nobody\" with a threshold; it has \"no-cap\", \"no-bottle\""),
        (&["--set", "no-cap=NaN"], "not a finite number"),
    ] {
        let refused = run(extra);
        assert_eq!(refused.status.code(), Some(2), "{extra:?}");
        assert!(text(&refused).contains(says), "{says} in\n{}", text(&refused));
    }
}
