//! A ledger over the years: what a record costs to insert as there come to be millions, and how long each question takes
//! among them.
//!
//! `cargo bench -p plumb-ledger --bench years` prints one JSON line. PLUMB_BENCH_RECORDS (1 000 000) makes it longer or
//! shorter; a million take about 1.2 GB. PLUMB_BENCH_FOLDER says where.

#![allow(clippy::print_stdout, missing_docs)]

use jiff::Timestamp;
use plumb_inspection::{Finding, Findings, PartId, RectPx, Score, Stamp, Trigger, TriggerSource};
use plumb_ledger::{
    Backup, Checked, Full, KeepConfig, Ledger, LedgerConfig, ModelRecord, Outlook, Query, Reader, Record,
    RecordVerdict, Search, Span, Sweep, ViewRecord,
};
use serde_json::json;
use std::{
    error::Error,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime},
};

const SLICES: u32 = 10;
const CLASSES: [&str; 5] = ["scratch", "dent", "stain", "burr", "missing_feature"];
/// Between two parts.
const PITCH: Duration = Duration::from_millis(400);

fn main() -> Result<(), Box<dyn Error>> {
    let records: u32 = std::env::var("PLUMB_BENCH_RECORDS").map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = match std::env::var_os("PLUMB_BENCH_FOLDER") {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let (data, copy) = (folder.path().join("data"), folder.path().join("backup"));
    let now = SystemTime::now();
    let first = now - PITCH * records;

    let ledger = Ledger::open(&data, LedgerConfig::default())?;
    let mut rates = Vec::new();
    for slice in 0..SLICES {
        let parts = slice * (records / SLICES) + 1..=(slice + 1) * (records / SLICES);
        let (begun, count) = (Instant::now(), parts.clone().count());
        for id in parts {
            let mut record = record(id, first)?;
            while let Err(Full(back)) = ledger.writer().try_send(record) {
                record = back;
                thread::sleep(Duration::from_micros(500));
            }
        }
        rates.push((count as f64 / begun.elapsed().as_secs_f64()).round());
    }
    ledger.close()?;

    let reader = Reader::new(&data);
    let mut questions = serde_json::Map::new();
    let mut slowest: f64 = 0.0;
    for (name, search) in asked(records, first)? {
        let begun = Instant::now();
        let found = reader.search(&search)?.records.len();
        let cold = begun.elapsed().as_secs_f64() * 1e3;
        let mut again = Vec::new();
        for _ in 0..9 {
            let begun = Instant::now();
            reader.search(&search)?;
            again.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        again.sort_by(f64::total_cmp);
        slowest = slowest.max(cold);
        questions.insert(
            name.to_owned(),
            json!({ "first_ms": two(cold), "median_ms": two(again[4]), "found": found }),
        );
    }
    let timed = |work: &mut dyn FnMut() -> Result<(), Box<dyn Error>>| -> Result<f64, Box<dyn Error>> {
        let begun = Instant::now();
        work()?;
        Ok(two(begun.elapsed().as_secs_f64()))
    };
    let keep = KeepConfig { pass_records_days: Span::Days(30), ..KeepConfig::default() };
    let check = timed(&mut || whole(&data))?;
    let outlook = timed(&mut || Ok(Outlook::of(&data, &keep, Timestamp::now()).map(drop)?))?;
    let backup = timed(&mut || Ok(Backup::take(&data, &copy).map(drop)?))?;
    // The oldest twentieth goes.
    let old = Timestamp::try_from(first + PITCH * (records / 20) + Duration::from_secs(30 * 86_400))?;
    let before = reader.count(&Query::default())?;
    let sweep = timed(&mut || Ok(Sweep::new(&data, keep.clone()).run(old, &|| true).map(drop)?))?;
    let deleted = before - reader.count(&Query::default())?;
    let line = json!({
        "figure": "ledger_years",
        "records": records,
        "database_bytes": fs::metadata(data.join("ledger.sqlite"))?.len(),
        "inserted_a_second": rates,
        "last_slice_to_first": two(rates[rates.len() - 1] / rates[0]),
        "slowest_question_ms": two(slowest),
        "questions": questions,
        "quick_check_s": check,
        "outlook_s": outlook,
        "backup_s": backup,
        "deleted": deleted,
        "deleted_a_second": (deleted as f64 / sweep.max(0.01)).round(),
        "load": fs::read_to_string("/proc/loadavg")?.split(' ').next(),
    });
    println!("{line}");
    Ok(())
}

fn whole(data: &Path) -> Result<(), Box<dyn Error>> {
    match &Checked::of(data, false)?.problems[..] {
        [] => Ok(()),
        problems => Err(problems.join("\n").into()),
    }
}

fn two(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// One part in fifty is rejected, one in seven has a weak finding.
fn record(id: u32, first: SystemTime) -> Result<Record, Box<dyn Error>> {
    let at = Stamp { mono: Instant::now(), wall: first + PITCH * id };
    let part = PartId::new(id).ok_or("not 0")?;
    let trigger = Trigger { part, source: TriggerSource::Plc, at, encoder: Some(id) };
    let verdict = if id.is_multiple_of(50) { RecordVerdict::Fail } else { RecordVerdict::Pass };
    let mut findings = Findings::default();
    if id.is_multiple_of(50) || id.is_multiple_of(7) {
        findings.list.push(Finding {
            class: CLASSES[(id / 7 % 5) as usize].into(),
            score: Score::new(0.61)?,
            box_px: RectPx::from([412.5, 233.0, 64.0, 18.5]),
            polygon_px: None,
            keypoints_px: None,
            area_px: 311.0,
            length_mm: None,
            area_mm2: None,
            region: "part".into(),
            model: "line-parts".into(),
        });
    }
    let mut record = Record::new(&trigger, verdict, "washer".into(), "station-1");
    record.serial = Some(format!("SN-{id:08}"));
    record.recipe_digest = "3f9a60d2".repeat(8);
    record.views = vec![ViewRecord::new("top".into(), id.into(), findings)];
    record.models =
        vec![ModelRecord { name: "line-parts".into(), digest: "3f9a60d2".repeat(8), provider: "cpu".into() }];
    record.timings_us.total = Some(8_620);
    Ok(record)
}

fn asked(records: u32, first: SystemTime) -> Result<Vec<(&'static str, Search)>, Box<dyn Error>> {
    let all = Search { limit: 50, ..Search::default() };
    let at = |id: u32| Timestamp::try_from(first + PITCH * id);
    let middle = records / 2;
    let rejects = vec![RecordVerdict::Fail, RecordVerdict::Missed, RecordVerdict::Late];
    let hour = Search { from: Some(at(middle)?), until: Some(at(middle + 9_000)?), ..all.clone() };
    Ok(vec![
        ("newest", all.clone()),
        ("part", Search { part: PartId::new(middle), ..all.clone() }),
        ("serial", Search { serial: Some(format!("SN-{middle:08}")), ..all.clone() }),
        ("no_such_serial", Search { serial: Some("nowhere".into()), ..all.clone() }),
        ("hour", hour.clone()),
        ("rejects", Search { verdicts: rejects.clone(), ..all.clone() }),
        ("rejects_of_an_hour", Search { verdicts: rejects.clone(), ..hour }),
        ("class", Search { class: Some("dent".into()), ..all.clone() }),
        ("rejects_of_a_class", Search { class: Some("dent".into()), verdicts: rejects, ..all }),
    ])
}
