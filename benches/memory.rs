//! Does a station grow? A detector of 12 MB looks at a 720p MJPEG video that begins anew without end, everything on:
//! HTTP, ledger, pictures of every reject.
//!
//! `cargo bench -p plumb-benches --bench memory` prints one JSON line; PLUMB_BENCH_MINUTES (1) is how long. The slope is
//! that of a straight line through the second half of what was seen, a look a second.

#![allow(clippy::print_stdout, missing_docs)]

mod workshop;

use plumb_ledger::Record;
use plumb_station::station::{Station, Wiring};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use workshop::{
    Outcome, clip,
    process::{load, memory_mb},
};

fn main() -> Outcome<()> {
    if clip::was_this()? {
        return Ok(());
    }
    plumb_station::memory::give_frames_back(); // as the binary does
    let minutes: f64 = match std::env::var("PLUMB_BENCH_MINUTES") {
        Ok(given) => {
            given.parse().map_err(|_| format!("PLUMB_BENCH_MINUTES is \"{given}\", not a number"))?
        }
        Err(_) => 1.0,
    };
    let card = workshop::card("bench-detector")?;
    let folder = tempfile::tempdir()?;
    let at_start = memory_mb("VmRSS");
    let clip = clip::make_apart(folder.path(), 300)?;

    let parts = Arc::new(AtomicU64::new(0));
    let counted = parts.clone();
    let tap = Box::new(move |_: &Record| {
        counted.fetch_add(1, Relaxed);
    });
    let plan = workshop::plan(folder.path(), &card, &clip, 1)?;
    let station = Station::start(plan, Wiring { tap: Some(tap), ..Wiring::default() })?;
    let started = Instant::now();
    let mut seen: Vec<(f64, f64)> = Vec::new();
    while started.elapsed().as_secs_f64() < minutes * 60.0 {
        thread::sleep(Duration::from_secs(1));
        seen.push((started.elapsed().as_secs_f64() / 60.0, memory_mb("VmRSS")));
    }
    let peak = memory_mb("VmHWM");
    station.stop()?;

    let half = &seen[seen.len() / 2..];
    let line = json!({
        "figure": "memory", "minutes": minutes, "parts": parts.load(Relaxed),
        "rss_at_start_mb": rounded(at_start),
        "rss_after_10_s_mb": seen.get(9).map(|(_, mb)| rounded(*mb)), "rss_at_end_mb": seen.last().map(|(_, mb)| rounded(*mb)),
        "peak_mb": rounded(peak), "wanted_peak_mb": 150, "slope_mb_per_min": rounded(slope(half)),
        "load_1_min": load(),
    });
    println!("{line}");
    Ok(())
}

/// Of the straight line with the least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let (over, under) = points
        .iter()
        .fold((0.0, 0.0), |(over, under), p| (over + (p.0 - x) * (p.1 - y), under + (p.0 - x).powi(2)));
    over / under
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
