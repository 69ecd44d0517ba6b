//! A gauge study as people take it: planned, measured at the terminal, broken off, corrected, imported, reported.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

use serde_json::Value;
use std::{
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

fn plumb(folder: &Path, args: &[&str], typed: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .arg("study")
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn result(folder: &Path, file: &str) -> Value {
    serde_json::from_slice(&plumb(folder, &["show", file, "--json"], "").stdout).unwrap()
}

#[test]
fn a_study_is_planned_taken_in_several_sittings_corrected_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str], typed: &str| plumb(folder.path(), args, typed);
    let plan = ["grr", "s.json", "--appraisers", "ann,bob", "--parts", "3", "--trials", "2", "--seed", "1"];
    let planned = run(&plan, "");
    assert!(
        planned.status.success() && text(&planned).contains("planned 12 measurements"),
        "{}",
        text(&planned)
    );
    let again = run(&plan, "");
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again).contains("a study is never overwritten"), "{}", text(&again));
    // A first sitting: a wrong word, a slip that is undone, and the end of the shift.
    let first = text(&run(&["next", "s.json"], "1.0\nabc\n2,5\nundo\n2.0\nquit\n"));
    for words in ["[1/12] ann: part", "in mm?", "\"abc\" is neither a number nor good or bad", "[3/12]"] {
        assert!(first.contains(words), "{words} in\n{first}");
    }
    assert!(!first.contains("2.5"), "earlier values are not shown");
    let early = result(folder.path(), "s.json");
    assert_eq!((early["taken"].as_u64(), &early["result"]), (Some(2), &Value::Null));
    assert!(early["no_result"].as_str().unwrap().contains("10 of 12 measurements are missing"));
    let refused = run(&["report", "s.json"], "");
    assert_eq!(refused.status.code(), Some(1));
    // The second: the rest.
    let rest: String = (3..=12).map(|i| format!("{}.0\n", i % 5)).collect();
    assert!(text(&run(&["next", "s.json"], &rest)).contains("That was the last one"));
    let whole = result(folder.path(), "s.json");
    assert!(whole["result"]["anova"]["gauge"]["percent_study"].as_f64().unwrap() > 0.0, "{whole:#}");
    assert!(text(&run(&["show", "s.json"], "")).contains("% of the study (10 and 30 % are AIAG's limits)"));
    let reported = run(&["report", "s.json"], "");
    assert!(reported.status.success(), "{}", text(&reported));
    let page = std::fs::read_to_string(folder.path().join("s.html")).unwrap();
    assert!(page.contains("12, 1 corrected") && page.contains(whole["digest"].as_str().unwrap()));
}

#[test]
fn values_come_from_a_file_too_and_all_its_problems_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| plumb(folder.path(), args, "");
    std::fs::write(folder.path().join("truth.csv"), "part,truth\npart 1,bad\npart 2,bad\npart 3,good\n")
        .unwrap();
    let plan = ["agreement", "a.json", "--appraisers", "ann,station", "--parts", "3", "--trials", "1"];
    let planned = run(&[&plan[..], &["--reference", "truth.csv"]].concat());
    assert!(planned.status.success(), "{}", text(&planned));
    let mut csv = String::from("appraiser,part,trial,value\n");
    for (who, words) in [("ann", ["bad", "bad", "good"]), ("station", ["bad", "good", "good"])] {
        for (part, word) in words.iter().enumerate() {
            writeln!(csv, "{who},part {},1,{word}", part + 1).unwrap();
        }
    }
    std::fs::write(folder.path().join("bad.csv"), "carl,part 1,1,bad\nann,part 1,1,7\nann,part 1\n").unwrap();
    let refused = run(&["import", "a.json", "bad.csv"]);
    assert_eq!(refused.status.code(), Some(2));
    for words in [
        "bad.csv:1",
        "no appraiser \"carl\"; it has \"ann\", \"station\"",
        "bad.csv:2",
        "good or bad",
        "bad.csv:3  2 fields",
    ] {
        assert!(text(&refused).contains(words), "{words} in\n{}", text(&refused));
    }
    std::fs::write(folder.path().join("words.csv"), csv).unwrap();
    assert!(text(&run(&["import", "a.json", "words.csv"])).contains("6 values taken"));
    let shown = text(&run(&["show", "a.json"]));
    assert!(shown.contains("station: kappa") && shown.contains("misses 1 of 2 (50.00 %"), "{shown}");
    assert!(!shown.contains(" 0.00 %"), "{shown}");
}

#[test]
fn a_plan_that_could_tell_nothing_is_refused_with_every_reason() {
    let folder = tempfile::tempdir().unwrap();
    let alone =
        plumb(folder.path(), &["grr", "s.json", "--appraisers", "ann", "--parts", "1", "--trials", "1"], "");
    assert_eq!(alone.status.code(), Some(2));
    for words in ["ann alone has nobody to agree with", "1 parts are too few", "1 trials are too few"] {
        assert!(text(&alone).contains(words), "{words} in\n{}", text(&alone));
    }
    let missing = plumb(folder.path(), &["next", "nowhere.json"], "");
    assert!(text(&missing).contains("study nowhere.json cannot be read"), "{}", text(&missing));
    let flat = ["linearity", "l.json", "--parts", "a=1,b=1", "--trials", "10"];
    assert!(text(&plumb(folder.path(), &flat, "")).contains("1 different references make no range"));
}
