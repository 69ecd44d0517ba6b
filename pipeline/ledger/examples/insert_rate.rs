//! How many records a second the ledger takes, alone and with a shadow record beside each:
//! `cargo run --example insert_rate -p plumb-ledger [SECONDS]`.
#![allow(clippy::print_stdout)] // its only purpose

use plumb_inspection::{Finding, Findings, RectPx, Score, Stamp, Trigger, TriggerSource};
use plumb_ledger::{
    Full, Ledger, LedgerConfig, LedgerError, ModelRecord, Record, RecordVerdict, ShadowRecord, ViewRecord,
};
use plumb_verdict::Verdict;
use std::{
    thread,
    time::{Duration, Instant},
};

fn main() -> Result<(), LedgerError> {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    for with_shadow in [false, true, false, true] {
        measure(Duration::from_secs(seconds), with_shadow)?;
    }
    Ok(())
}

fn measure(time: Duration, with_shadow: bool) -> Result<(), LedgerError> {
    let folder = std::env::temp_dir().join(format!("plumb-insert-rate-{}", std::process::id()));
    let ledger = Ledger::open(&folder, LedgerConfig::default())?;
    let (writer, shadows, numbers) = (ledger.writer(), ledger.shadows(), ledger.numbers());
    let (begun, mut slowest_us) = (Instant::now(), 0);
    while begun.elapsed() < time {
        let trigger =
            Trigger { part: numbers.next(), source: TriggerSource::Plc, at: Stamp::now(), encoder: Some(1) };
        let mut record = Record::new(&trigger, RecordVerdict::Fail, "washer".into(), "station-1");
        record.views = vec![ViewRecord::new("top".into(), 1, three_findings())];
        while let Err(Full(back)) = writer.try_send(record) {
            record = back;
            thread::sleep(Duration::from_micros(200));
        }
        let mut shadow = with_shadow.then(|| shadow(&trigger));
        while let Some(record) = shadow.take() {
            if let Err(Full(back)) = shadows.try_send(record) {
                shadow = Some(back);
                thread::sleep(Duration::from_micros(200));
            }
        }
        slowest_us = slowest_us.max(ledger.stats().last_commit_us);
    }
    let took = begun.elapsed();
    let stats = ledger.stats();
    println!(
        "{:.0} records/s and {:.0} shadow records/s over {:.1} s; slowest commit {:.1} ms; {} part ids not reserved in time",
        stats.committed as f64 / took.as_secs_f64(),
        stats.shadows_committed as f64 / took.as_secs_f64(),
        took.as_secs_f64(),
        f64::from(u32::try_from(slowest_us).unwrap_or(u32::MAX)) / 1000.0,
        stats.numbers_unreserved
    );
    ledger.close()?;
    std::fs::remove_dir_all(&folder).map_err(|source| LedgerError::Folder { path: folder, source })
}

fn shadow(trigger: &Trigger) -> ShadowRecord {
    let model = ModelRecord { name: "surface-2".into(), digest: "ab".repeat(32), provider: "cpu".into() };
    let views = vec![ViewRecord::new("top".into(), 1, three_findings())];
    let verdict = (Verdict::from_objections(vec![]), views);
    let took = Duration::from_micros(4_200);
    ShadowRecord::judged(trigger, "washer".into(), model, RecordVerdict::Fail, verdict, took)
}

fn three_findings() -> Findings {
    let score = Score::new(0.93).expect("finite");
    let finding = Finding {
        class: "scratch".into(),
        score,
        box_px: RectPx::from([100.0, 200.0, 30.0, 4.5]),
        polygon_px: None,
        keypoints_px: None,
        area_px: 120.0,
        length_mm: Some(1.5),
        area_mm2: Some(0.5),
        region: "face".into(),
        model: "surface".into(),
    };
    Findings {
        list: vec![finding; 3],
        scores: vec![("surface".into(), "face".into(), score)],
        ..Findings::default()
    }
}
