//! How long `plumb replay --scores` takes for 200 000 stored parts: another threshold over all that models ever found,
//! while an engineer waits. Beside it: the same records read, and nothing done with them.
//!
//! `cargo bench -p plumb-benches --bench rescore` prints one JSON line; it runs the release build of `plumb`, so `make
//! build` comes first. PLUMB_BENCH_PARTS (200 000) and PLUMB_BENCH_ROUNDS (5) make it longer or shorter.

#![allow(clippy::print_stdout, missing_docs)]

mod workshop;

use plumb_inspection::{Finding, Findings, PartId, RectPx, Score, Stamp, Trigger, TriggerSource};
use plumb_ledger::{
    Full, Ledger, LedgerConfig, ModelRecord, Query, Reader, Record, RecordVerdict, ViewRecord,
};
use plumb_station::config::{self, RecipePlan};
use serde_json::{Value, json};
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant, SystemTime},
};
use workshop::{Outcome, median, number, process::load, range, root, rounded};

const RECIPE: &str = "washer";

fn main() -> Outcome<()> {
    let parts = number("PLUMB_BENCH_PARTS", 200_000)?.max(1_000);
    let rounds = number("PLUMB_BENCH_ROUNDS", 5)?.max(1);
    let station = root().join("deploy/examples/line/station.toml");
    let plan = config::read(&station).map_err(|problems| problems.to_string())?;
    let recipe = plan.recipes.values().find(|recipe| recipe.name.as_str() == RECIPE);
    let recipe = recipe.ok_or("the example has no such recipe")?;
    let folder = tempfile::tempdir()?;
    fill(folder.path(), recipe, parts)?;

    let (mut whole, mut scan) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        let read = Reader::new(folder.path()).scan(&Query::default(), |record| record.part_id)?;
        scan.push(begun.elapsed().as_secs_f64());
        if read.len() != parts as usize {
            return Err(format!("{} of {parts} records were read", read.len()).into());
        }
        whole.push(replay(&station, folder.path(), parts)?);
    }
    let ratios: Vec<f64> = whole.iter().zip(&scan).map(|(whole, scan)| whole / scan).collect();
    let line = json!({
        "figure": "rescore",
        "parts": parts,
        "seconds": rounded(median(whole.iter().copied())),
        "seconds_range": range(whole.iter().copied()),
        "scan_seconds": rounded(median(scan.iter().copied())),
        "ratio": rounded(median(ratios.iter().copied())),
        "rounds": rounds,
        "load": load(),
    });
    println!("{line}");
    Ok(())
}

/// The command as people give it, from start to answer.
fn replay(station: &Path, data: &Path, parts: u32) -> Outcome<f64> {
    let plumb =
        root().join(std::env::var("CARGO_TARGET_DIR").unwrap_or("target".into())).join("release/plumb");
    let begun = Instant::now();
    let said = Command::new(plumb)
        .arg("replay")
        .args([RECIPE.as_ref(), data.as_os_str(), "--station".as_ref(), station.as_os_str()])
        .args(["--scores", "--json", "--set", "no-defect=0.98"])
        .output()?;
    let seconds = begun.elapsed().as_secs_f64();
    let told: Value = serde_json::from_slice(&said.stdout)
        .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&said.stderr)))?;
    if told["parts"] != parts || told["newly_rejected"] == 0 {
        return Err(format!("not what was asked: {told}").into());
    }
    Ok(seconds)
}

/// Parts with three findings each, whose scores are spread evenly.
fn fill(folder: &Path, recipe: &RecipePlan, parts: u32) -> Outcome<()> {
    let ledger = Ledger::open(folder, LedgerConfig::default())?;
    let models: Vec<ModelRecord> = recipe
        .models
        .iter()
        .map(|model| ModelRecord {
            name: model.card.name.clone(),
            digest: model.digest().to_owned(),
            provider: "cpu".into(),
        })
        .collect();
    let region = &recipe.regions[0];
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for id in 1..=parts {
        let at = Stamp { mono: Instant::now(), wall: wall + Duration::from_millis(40 * u64::from(id)) };
        let part = PartId::new(id).ok_or("not 0")?;
        let trigger = Trigger { part, source: TriggerSource::Frame, at, encoder: None };
        let score =
            |nth: u32| Score::new((id.wrapping_mul(2_654_435_761) >> (8 + nth)) as f32 % 1_000.0 / 1_000.0);
        let mut findings = Findings::default();
        for nth in 0..3 {
            findings.list.push(Finding {
                class: "dent".into(),
                score: score(nth)?,
                box_px: RectPx::from([100.0, 200.0, 30.0, 4.5]),
                polygon_px: None,
                keypoints_px: None,
                area_px: 120.0,
                length_mm: Some(1.5),
                area_mm2: Some(0.5),
                region: region.name.clone(),
                model: recipe.models[region.model].card.name.clone(),
            });
        }
        let mut record = Record {
            views: vec![ViewRecord::new("top".into(), u64::from(id), findings)],
            models: models.clone(),
            ..Record::new(&trigger, RecordVerdict::Pass, recipe.name.clone(), "bench")
        };
        while let Err(Full(back)) = ledger.writer().try_send(record) {
            std::thread::sleep(Duration::from_millis(1));
            record = back;
        }
    }
    ledger.close()?;
    Ok(())
}
