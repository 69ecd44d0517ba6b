//! How much of a machine the station leaves to the model.
//!
//! `saturated`: frames a second from a 720p MJPEG video to records, as a share of what a bare `session.run` loop of the
//! same model does with the same one thread. `outside`: CPU time a frame that is neither the model's nor the decoder's,
//! with a model that costs nothing, so that the difference is not lost in the model's own spread; once as the process's
//! time less that of a bare decode and a bare run, once as the sum of the station's own threads.
//!
//! Bare loop and station take turns, so that what else the machine does touches both. `cargo bench -p plumb-benches
//! --bench saturated` prints one JSON line a figure; the name of a figure after `--` measures that one alone;
//! PLUMB_BENCH_FRAMES (300) and PLUMB_BENCH_ROUNDS (5) make it longer or shorter.

#![allow(clippy::print_stdout, missing_docs)]

mod workshop;

use serde_json::{Map, json};
use std::path::Path;
use workshop::{
    Outcome, bare, clip, median, number,
    process::{GSTREAMER, load},
    range, rounded,
    trip::{EDGE, Trip},
};

fn main() -> Outcome<()> {
    if bare::was_this()? {
        return Ok(());
    }
    let frames = number("PLUMB_BENCH_FRAMES", 300)?.max(3 * EDGE);
    let rounds = number("PLUMB_BENCH_ROUNDS", 5)?.max(1);
    let (detector, blank) = (workshop::card("bench-detector")?, workshop::card("bench-blank")?);
    let folder = tempfile::tempdir()?;
    let clip = clip::make(folder.path(), frames)?;
    let trip = Trip { folder: folder.path(), clip: &clip, frames };
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |figure: &str| asked.is_empty() || asked.iter().any(|asked| asked == figure);
    if wanted("saturated") {
        saturated(&trip, &detector, rounds)?;
    }
    if wanted("outside") {
        outside(&trip, &blank, 2 * rounds)?;
    }
    Ok(())
}

fn saturated(trip: &Trip<'_>, card: &Path, rounds: u32) -> Outcome<()> {
    let mut bare = trip.bare(&workshop::read_card(card)?)?;
    let times = trip.frames / 6;
    let mut before = bare.run(times)?;
    let (mut bare_fps, mut fps, mut ratios, mut outside) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        let decode = trip.decode()?;
        let replayed = trip.replay(card, 1)?;
        let after = bare.run(times)?;
        let (wall_ms, cpu_ms) =
            (f64::midpoint(before.wall_ms, after.wall_ms), f64::midpoint(before.cpu_ms, after.cpu_ms));
        bare_fps.push(1e3 / wall_ms);
        fps.push(1e3 / replayed.wall_ms);
        ratios.push(wall_ms / replayed.wall_ms);
        outside.push(replayed.cpu_ms - decode.cpu_ms - cpu_ms);
        before = after;
    }
    let line = json!({
        "figure": "saturated", "frames": trip.frames, "rounds": rounds,
        "bare_fps": rounded(median(bare_fps)), "station_fps": rounded(median(fps)),
        "ratio": rounded(median(ratios.clone())), "ratio_range": range(ratios).map(rounded), "wanted": 0.95,
        "cpu_outside_ms": rounded(median(outside)), "load_1_min": load(),
    });
    println!("{line}");
    Ok(())
}

fn outside(trip: &Trip<'_>, card: &Path, rounds: u32) -> Outcome<()> {
    let mut bare = trip.bare(&workshop::read_card(card)?)?;
    let (mut all, mut model, mut decoding, mut outside) = (vec![], vec![], vec![], vec![]);
    let (mut own, mut threads) = (vec![], vec![]);
    for _ in 0..rounds {
        let decode = trip.decode()?;
        let run = bare.run(trip.frames)?;
        let replayed = trip.replay(card, 1)?;
        all.push(replayed.cpu_ms);
        model.push(run.cpu_ms);
        decoding.push(decode.cpu_ms);
        outside.push(replayed.cpu_ms - run.cpu_ms - decode.cpu_ms);
        let ours = replayed.threads_ms.iter().filter(|(name, _)| *name != GSTREAMER).map(|(_, ms)| ms);
        own.push(ours.sum::<f64>() - run.cpu_ms);
        threads.push(replayed.threads_ms);
    }
    let names = threads.last().into_iter().flat_map(|threads| threads.keys());
    let by_thread: Map<_, _> = names
        .map(|name| (name.clone(), median(threads.iter().filter_map(|threads| threads.get(name).copied()))))
        .filter(|(_, ms)| *ms >= 0.005)
        .map(|(name, ms)| (name, json!(rounded(ms))))
        .collect();
    let line = json!({
        "figure": "outside", "frames": trip.frames, "rounds": rounds, "wanted_ms": 1.5,
        "outside_cpu_ms": rounded(median(outside.clone())), "outside_range_ms": range(outside).map(rounded),
        "own_threads_cpu_ms": rounded(median(own.clone())), "own_threads_range_ms": range(own).map(rounded),
        "replay_cpu_ms": rounded(median(all)), "decode_cpu_ms": rounded(median(decoding)),
        "session_run_cpu_ms": rounded(median(model)), "replay_threads_ms": by_thread, "load_1_min": load(),
    });
    println!("{line}");
    Ok(())
}
