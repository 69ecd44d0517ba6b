//! A ledger with parts in it, and the command line that looks at them.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its own part")]

use crate::workshop::Workshop;
use plumb_inspection::{Finding, Findings, PartId, RectPx, Score, Stamp, Trigger, TriggerSource};
use plumb_ledger::{Full, Ledger, ModelRecord, Record, RecordVerdict, ViewRecord};
use plumb_station::config::RecipePlan;
use std::{
    process::{Command, Output},
    time::{Duration, Instant, SystemTime},
};

/// As its card calls it.
pub(crate) const MODEL: &str = "detector-yolo-v8";

pub(crate) fn plumb(workshop: &Workshop, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(args)
        .current_dir(workshop.path(""))
        .env("NO_COLOR", "1")
        .env("USER", "ann")
        .output()
        .expect("plumb runs")
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A part in whose view a cap was found with that score.
pub(crate) fn record(id: u32, serial: &str, cap: f32, recipe: &RecipePlan, digest: &str) -> Record {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + Duration::from_millis(id.into());
    let at = Stamp { mono: Instant::now(), wall };
    let trigger = Trigger { part: PartId::new(id).unwrap(), source: TriggerSource::Frame, at, encoder: None };
    let score = Score::new(cap).unwrap();
    let finding = Finding {
        class: "cap".into(),
        score,
        box_px: RectPx::from([1.0, 2.0, 3.0, 4.0]),
        polygon_px: None,
        keypoints_px: None,
        area_px: 12.0,
        length_mm: None,
        area_mm2: None,
        region: "whole".into(),
        model: MODEL.into(),
    };
    let findings = Findings {
        list: vec![finding],
        scores: vec![(MODEL.into(), "whole".into(), score)],
        ..Findings::default()
    };
    let verdict = if cap >= 0.5 { RecordVerdict::Fail } else { RecordVerdict::Pass };
    Record {
        serial: Some(serial.to_owned()),
        views: vec![ViewRecord::new("top".into(), id.into(), findings)],
        models: vec![ModelRecord { name: MODEL.into(), digest: digest.to_owned(), provider: "cpu".into() }],
        ..Record::new(&trigger, verdict, recipe.name.clone(), "test")
    }
}

/// The ledger's inbox holds a thousand; this is faster than any line.
pub(crate) fn keep(ledger: &Ledger, mut record: Record) {
    while let Err(Full(back)) = ledger.writer().try_send(record) {
        std::thread::sleep(Duration::from_millis(1));
        record = back;
    }
}
