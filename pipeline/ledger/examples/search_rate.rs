//! How long each question takes among a million records, 2 % of them rejected, 20 000 labelled:
//! `cargo run --release --example search_rate -p plumb-ledger [RECORDS] [FOLDER]`. A folder is kept, and used again.
#![allow(clippy::print_stdout)] // its only purpose

use plumb_ledger::{Ledger, LedgerConfig, Reader, RecordVerdict, Search};
use rusqlite::{Connection, params};
use std::{
    path::{Path, PathBuf},
    time::Instant,
};

type Failure = Box<dyn std::error::Error>;

/// The first part is triggered here, the others 400 ms apart.
const BEGIN_US: i64 = 1_790_000_000_000_000;
const CLASSES: [&str; 5] = ["scratch", "dent", "stain", "burr", "missing_feature"];

fn main() -> Result<(), Failure> {
    let records: u32 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let kept = std::env::args().nth(2).map(PathBuf::from);
    let folder = kept
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("plumb-search-rate-{}", std::process::id())));
    if !folder.join("ledger.sqlite").exists() {
        let begun = Instant::now();
        fill(&folder, records)?;
        println!("{records} records made in {:.0} s", begun.elapsed().as_secs_f64());
    }
    ask(&Reader::new(&folder), records)?;
    if kept.is_none() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

fn fill(folder: &Path, records: u32) -> Result<(), Failure> {
    Ledger::open(folder, LedgerConfig::default())?.close()?;
    let mut connection = Connection::open(folder.join("ledger.sqlite"))?;
    let transaction = connection.transaction()?;
    {
        let mut record = transaction.prepare(
            "INSERT INTO records (id, part_id, serial, triggered_us, verdict, json) VALUES (?1, ?1, ?2, ?3, ?4, ?5)",
        )?;
        let mut class = transaction.prepare(
            "INSERT INTO record_classes (class, verdict, triggered_us, record) VALUES (?1, ?2, ?3, ?4)",
        )?;
        let mut piece = transaction
            .prepare("INSERT INTO pieces (piece, part_set, since_us) VALUES (?1, 'certify', 0)")?;
        let mut truth = transaction.prepare(
            "INSERT INTO truths (part_id, triggered_us, piece, recipe, truth, at_us, by, why)
             VALUES (?1, ?2, ?3, 'washer', ?4, 0, 'anna', '')",
        )?;
        for n in 1..=records {
            let at_us = BEGIN_US + i64::from(n) * 400_000;
            let verdict = if n % 50 == 0 {
                "fail"
            } else if n % 5_003 == 0 {
                "missed"
            } else {
                "pass"
            };
            // Weak findings on good parts too, as models give them.
            let found = (n % 50 == 0 || n % 7 == 0).then(|| CLASSES[(n / 7 % 5) as usize]);
            let serial = format!("SN-{n:08}");
            let at = jiff::Timestamp::from_microsecond(at_us)?;
            let finding = found.map_or(String::new(), |class| {
                format!(r#"{{"class":"{class}","score":0.61,"box_px":[412.5,233.0,64.0,18.5],"area_px":311.0,"region":"part"}}"#)
            });
            let json = format!(
                r#"{{"schema":"plumb.record/1","part_id":{n},"serial":"{serial}","recipe":"washer","recipe_digest":"{digest}","station":"station-1","triggered_at":"{at:.6}","trigger":"plc","encoder":{n},"verdict":"{verdict}","reason_code":0,"reasons":[],"views":[{{"camera":"top","frame_seq":{n},"findings":[{finding}],"scores":{{"line-parts":0.61}}}}],"timings_us":{{"capture":2400,"preprocess":900,"infer":3900,"verdict":120,"plc":1300,"total":8620}},"models":[{{"name":"line-parts","digest":"{digest}","provider":"cpu"}}],"plc":{{"delivered":true}},"pictures":[]}}"#,
                digest = "3f9a60d2".repeat(8),
            );
            record.execute(params![n, serial, at_us, verdict, json])?;
            if let Some(found) = found {
                class.execute(params![found, verdict, at_us, n])?;
            }
            if n % 50 == 0 && n <= 1_000_000 {
                piece.execute([&serial])?;
                // One in a hundred labels says that the machine was wrong.
                truth.execute(params![
                    n,
                    at_us,
                    serial,
                    if n % 5_000 == 0 { "good" } else { "defective" }
                ])?;
            }
        }
    }
    transaction.commit()?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

fn ask(reader: &Reader, records: u32) -> Result<(), Failure> {
    let all = Search { limit: 50, ..Search::default() };
    let middle = plumb_inspection::PartId::new(records / 2).unwrap_or(plumb_inspection::PartId::FIRST);
    let day = |n: u32| jiff::Timestamp::from_microsecond(BEGIN_US + i64::from(n) * 400_000);
    let rejects = vec![RecordVerdict::Fail, RecordVerdict::Missed, RecordVerdict::Late];
    let time =
        Search { from: Some(day(records / 3)?), until: Some(day(records / 3 + 10_000)?), ..all.clone() };
    let questions = [
        ("newest", all.clone()),
        ("by part", Search { part: Some(middle), ..all.clone() }),
        ("by serial", Search { serial: Some(format!("SN-{:08}", records / 2)), ..all.clone() }),
        ("a serial that is not there", Search { serial: Some("nowhere".into()), ..all.clone() }),
        ("by time", time.clone()),
        ("fail", Search { verdicts: vec![RecordVerdict::Fail], ..all.clone() }),
        ("missed", Search { verdicts: vec![RecordVerdict::Missed], ..all.clone() }),
        ("late: there is none", Search { verdicts: vec![RecordVerdict::Late], ..all.clone() }),
        ("all rejects", Search { verdicts: rejects.clone(), ..all.clone() }),
        ("rejects in a time", Search { verdicts: rejects.clone(), ..time.clone() }),
        ("with a dent", Search { class: Some("dent".into()), ..all.clone() }),
        ("rejected with a dent", Search { class: Some("dent".into()), verdicts: rejects, ..all.clone() }),
        ("a class that is not there", Search { class: Some("nothing".into()), ..all.clone() }),
        ("people disagree", Search { disagrees: true, ..all.clone() }),
        (
            "people disagree, in a time without any",
            Search { disagrees: true, from: time.from, until: time.from, ..all.clone() },
        ),
    ];
    for (name, search) in questions {
        let (first, found) = timed(reader, &search)?;
        let mut again: Vec<f64> =
            (0..9).map(|_| timed(reader, &search).map(|(ms, _)| ms)).collect::<Result<_, _>>()?;
        again.sort_by(f64::total_cmp);
        println!("{name:<40} {found:>3} parts  first {first:>7.2} ms  median {:>7.2} ms", again[4]);
    }
    // The two thousandth page is no slower than the second.
    let (mut search, mut slowest) = (all, 0.0_f64);
    for _ in 0..2_000 {
        let begun = Instant::now();
        let found = reader.search(&search)?;
        slowest = slowest.max(begun.elapsed().as_secs_f64() * 1e3);
        search.after = found.next;
        if search.after.is_none() {
            break;
        }
    }
    println!("2 000 pages one after the other              slowest {slowest:>7.2} ms");
    let begun = Instant::now();
    let classes = reader.classes()?;
    println!(
        "{} names of classes                            {:>7.2} ms",
        classes.len(),
        begun.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}

fn timed(reader: &Reader, search: &Search) -> Result<(f64, usize), Failure> {
    let begun = Instant::now();
    let found = reader.search(search)?;
    Ok((begun.elapsed().as_secs_f64() * 1e3, found.records.len()))
}
