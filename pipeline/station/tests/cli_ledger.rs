//! `plumb ledger` as site engineers and their timers use it, with a station's config and without a station running.

mod workshop;

use plumb_inspection::{Image, PartId, PixelFormat, Stamp, Trigger, TriggerSource};
use plumb_ledger::{Full, Ledger, LedgerConfig, PictureJob, Record, RecordVerdict};
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant, SystemTime},
};
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

[ledger.keep]
pass_pictures_days = 10
pass_records_days = 50
"#;

fn plumb(workshop: &Workshop, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(args)
        .current_dir(workshop.path(""))
        .env("NO_COLOR", "1")
        .env("USER", "anna")
        .output()
        .expect("plumb runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

fn json(workshop: &Workshop, args: &[&str]) -> Value {
    let (_, stdout, stderr) = plumb(workshop, args);
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"))
}

/// Passed parts of so many days ago, with a picture each.
fn fill(data: &Path, days: &[u32]) {
    let ledger = Ledger::open(data, LedgerConfig::default()).expect("a ledger");
    let image = Image::packed(8, 8, PixelFormat::Gray8, vec![1; 64]).expect("packed");
    for (id, days) in (1..).zip(days) {
        let wall = SystemTime::now() - *days * Duration::from_secs(86_400);
        let at = Stamp { mono: Instant::now(), wall };
        let part = PartId::new(id).expect("not 0");
        let trigger = Trigger { part, source: TriggerSource::Frame, at, encoder: None };
        let record = Record::new(&trigger, RecordVerdict::Pass, "bottle".into(), "test");
        ledger.writer().try_send(record).expect("room");
        let mut job = PictureJob::frame(&trigger, "top".into(), image.clone());
        while let Err(Full(back)) = ledger.pictures().try_send(job) {
            job = back;
            std::thread::yield_now();
        }
    }
    ledger.close().expect("a good disk");
}

#[test]
fn a_ledger_goes_through_its_years() {
    let workshop = Workshop::new(STATION, RECIPE);
    let (code, _, says) = plumb(&workshop, &["ledger", "check"]);
    assert_eq!(code, 2, "{says}");
    assert!(says.contains("there is no ledger in"), "{says}");
    fill(&workshop.path("data"), &[0, 20, 60, 70]);
    let (code, _, says) = plumb(&workshop, &["ledger", "check", "--full"]);
    assert_eq!(
        (code, says.as_str()),
        (0, "the ledger is whole: 4 records, 4 pictures, 0 entries of the audit log\n")
    );

    // A claim comes in for part 4.
    let (code, _, says) = plumb(&workshop, &["ledger", "pin", "4", "--why", "claim 4711"]);
    assert_eq!(code, 0, "{says}");
    let pins = json(&workshop, &["ledger", "pins", "--json"]);
    assert_eq!((&pins["pins"][0]["part_id"], &pins["pins"][0]["by"]), (&4.into(), &"anna".into()), "{pins}");
    let (code, _, says) = plumb(&workshop, &["ledger", "pin", "99", "--why", "x"]);
    assert!(code == 1 && says.contains("no record of part 99"), "{says}");

    // Safe elsewhere first, then the rules.
    let backup = json(&workshop, &["ledger", "backup", "backup", "--json"]);
    assert_eq!((&backup["schema"], &backup["records"]), (&"plumb.backup/1".into(), &4.into()), "{backup}");
    let disk = json(&workshop, &["ledger", "disk", "--json"]);
    assert!(disk["last_backup"] == backup["at"] && disk["days_left"].as_f64() > Some(0.0), "{disk}");
    let would = json(&workshop, &["ledger", "retain", "--dry-run", "--json"]);
    let did = json(&workshop, &["ledger", "retain", "--json"]);
    assert_eq!(would["rules"], did["rules"]);
    assert_eq!((&did["rules"][0]["pictures"], &did["rules"][3]["records"]), (&2.into(), &1.into()), "{did}");
    let (code, _, says) = plumb(&workshop, &["ledger", "retain"]);
    assert_eq!((code, says.as_str()), (0, "the rules keep everything that is there\n"));
    let (code, _, says) = plumb(&workshop, &["parts", "show", "3"]);
    assert!(
        code == 1 && says.contains("by rule pass_records_days: records of passed parts are kept for 50 days"),
        "{says}"
    );
    let (_, shown, _) = plumb(&workshop, &["parts", "show", "2"]);
    assert!(shown.contains("by rule pass_pictures_days"), "{shown}");

    // What was there is still in the backup.
    let (code, _, says) = plumb(&workshop, &["ledger", "restore", "backup"]);
    assert!(code == 2 && says.contains("holds a ledger already"), "{says}");
    let (code, _, says) = plumb(&workshop, &["ledger", "restore", "backup", "--data", "other"]);
    assert_eq!(code, 0, "{says}");
    let (code, _, _) = plumb(&workshop, &["parts", "show", "3", "--data", "other"]);
    assert_eq!(code, 0);
    std::fs::remove_file(workshop.path("backup/backup.json")).expect("there");
    let (code, _, says) = plumb(&workshop, &["ledger", "restore", "backup", "--data", "third"]);
    assert!(code == 1 && says.contains("half a backup: backup.json is missing"), "{says}");
}

#[test]
fn parts_are_exported_as_other_programs_want_them() {
    let workshop = Workshop::new(STATION, RECIPE);
    fill(&workshop.path("data"), &[0, 1, 2]);
    let (code, csv, says) = plumb(&workshop, &["parts", "export", "--format", "csv"]);
    assert_eq!((code, says.as_str(), csv.lines().count()), (0, "3 records\n", 4));
    let (code, out, says) =
        plumb(&workshop, &["parts", "export", "--format", "parquet", "--to", "parts.parquet"]);
    assert_eq!((code, out.len()), (0, 0), "{says}");
    let bytes = std::fs::read(workshop.path("parts.parquet")).expect("made");
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    let (code, _, says) =
        plumb(&workshop, &["parts", "export", "--format", "parquet", "--to", "parts.parquet"]);
    assert!(code == 2 && says.contains("parts.parquet cannot be made"), "{says}");
    let (code, _, says) = plumb(&workshop, &["parts", "export", "--format", "xlsx"]);
    assert!(code == 2 && says.contains("jsonl, csv or parquet"), "{says}");
}

#[test]
fn rules_that_contradict_each_other_are_told_at_their_place() {
    let wrong =
        STATION.replace("pass_records_days = 50", "pass_records_days = 5\nreject_pictures_days = \"always\"");
    let workshop = Workshop::new(&wrong, RECIPE);
    let (code, _, says) = plumb(&workshop, &["check"]);
    assert_eq!(code, 3);
    assert!(says.contains("neither a whole number of days nor \"forever\""), "{says}");
    let wrong = STATION.replace("pass_records_days = 50", "pass_records_days = 5");
    let (code, _, says) = plumb(&Workshop::new(&wrong, RECIPE), &["check"]);
    assert_eq!(code, 3);
    assert!(says.contains("is 5 days, less than pass_pictures_days (10 days)"), "{says}");
    assert!(says.contains("station.toml:16:"), "{says}");
}
