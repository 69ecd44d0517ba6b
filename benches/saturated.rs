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

use plumb_inference::{Card, Runtime};
use plumb_ledger::{Record, RecordVerdict};
use plumb_preprocess::{Cut, Optics, Preprocessor};
use plumb_station::{
    replay,
    station::{Station, Wiring},
};
use serde_json::{Map, json};
use std::{
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};
use workshop::{
    Outcome,
    bare::{self, Loop},
    clip, median,
    process::{GSTREAMER, Reading, load},
    range,
};

/// Frames at either end of a replay that are not counted: there the pipeline fills and drains.
const EDGE: u32 = 20;

fn main() -> Outcome<()> {
    if bare::was_this()? {
        return Ok(());
    }
    let frames = number("PLUMB_BENCH_FRAMES", 300)?.max(3 * EDGE);
    let rounds = number("PLUMB_BENCH_ROUNDS", 5)?.max(1);
    let (detector, blank) = (workshop::card("bench-detector")?, workshop::card("bench-blank")?);
    let folder = tempfile::tempdir()?;
    let bench = Bench { folder: folder.path(), clip: clip::make(folder.path(), frames)?, frames };
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |figure: &str| asked.is_empty() || asked.iter().any(|asked| asked == figure);
    if wanted("saturated") {
        bench.saturated(&detector, rounds)?;
    }
    if wanted("outside") {
        bench.outside(&blank, 2 * rounds)?;
    }
    Ok(())
}

fn number(variable: &str, default: u32) -> Outcome<u32> {
    let given = std::env::var(variable).ok().filter(|given| !given.is_empty());
    let wrong = |given: &str| format!("{variable} is \"{given}\", not a number");
    given.map_or(Ok(default), |given| given.parse().map_err(|_| wrong(&given).into()))
}

struct Bench<'a> {
    folder: &'a Path,
    clip: PathBuf,
    frames: u32,
}

impl Bench<'_> {
    fn saturated(&self, card: &Path, rounds: u32) -> Outcome<()> {
        let mut bare = self.bare_loop(&workshop::read_card(card)?)?;
        let times = self.frames / 6;
        let mut before = bare.run(times)?;
        let (mut bare_fps, mut fps, mut ratios, mut outside, mut busy) =
            (vec![], vec![], vec![], vec![], vec![]);
        for _ in 0..rounds {
            let decode = self.decode()?;
            let replayed = self.replay(card)?;
            let after = bare.run(times)?;
            let (wall_ms, cpu_ms) =
                (f64::midpoint(before.wall_ms, after.wall_ms), f64::midpoint(before.cpu_ms, after.cpu_ms));
            bare_fps.push(1e3 / wall_ms);
            fps.push(1e3 / replayed.wall_ms);
            ratios.push(wall_ms / replayed.wall_ms);
            outside.push(replayed.cpu_ms - decode.cpu_ms - cpu_ms);
            busy.push(replayed.infer_ms / replayed.wall_ms);
            before = after;
        }
        let line = json!({
            "figure": "saturated", "frames": self.frames, "rounds": rounds,
            "bare_fps": rounded(median(bare_fps)), "station_fps": rounded(median(fps)),
            "ratio": rounded(median(ratios.clone())), "ratio_range": range(ratios).map(rounded), "wanted": 0.95,
            "infer_busy": rounded(median(busy)), "cpu_outside_ms": rounded(median(outside)), "load_1_min": load(),
        });
        println!("{line}");
        Ok(())
    }

    fn outside(&self, card: &Path, rounds: u32) -> Outcome<()> {
        let mut bare = self.bare_loop(&workshop::read_card(card)?)?;
        let (mut all, mut model, mut decoding, mut outside) = (vec![], vec![], vec![], vec![]);
        let (mut own, mut threads) = (vec![], vec![]);
        for _ in 0..rounds {
            let decode = self.decode()?;
            let run = bare.run(self.frames)?;
            let replayed = self.replay(card)?;
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
            .map(|name| {
                (name.clone(), median(threads.iter().filter_map(|threads| threads.get(name).copied())))
            })
            .filter(|(_, ms)| *ms >= 0.005)
            .map(|(name, ms)| (name, json!(rounded(ms))))
            .collect();
        let line = json!({
            "figure": "outside", "frames": self.frames, "rounds": rounds, "wanted_ms": 1.5,
            "outside_cpu_ms": rounded(median(outside.clone())), "outside_range_ms": range(outside).map(rounded),
            "own_threads_cpu_ms": rounded(median(own.clone())), "own_threads_range_ms": range(own).map(rounded),
            "replay_cpu_ms": rounded(median(all)), "decode_cpu_ms": rounded(median(decoding)),
            "session_run_cpu_ms": rounded(median(model)), "replay_threads_ms": by_thread, "load_1_min": load(),
        });
        println!("{line}");
        Ok(())
    }

    /// The model's loop on a frame of the clip.
    fn bare_loop(&self, card: &Card) -> Outcome<Loop> {
        let (frame_in, frames) = mpsc::channel();
        clip::play(&self.clip, move |frame| drop(frame_in.send(frame)))?;
        let frame = frames.recv().map_err(|_| "the clip has no frame")?;
        let cut = Cut { region: "whole".into(), rect_px: None, spec: card.input.clone() };
        let tensors = Preprocessor::new(Optics::default(), vec![cut])?.prepare(&frame)?;
        Loop::start(Runtime::load(None)?.path(), card, &tensors[0], self.folder)
    }

    /// The clip into a sink that drops its frames.
    fn decode(&self) -> Outcome<Spent> {
        let (readings_in, readings) = mpsc::channel();
        let (mut seen, last) = (0, self.frames - EDGE);
        clip::play(&self.clip, move |frame| {
            drop(frame);
            seen += 1;
            if seen == EDGE || seen == last {
                let _ = readings_in.send(Reading::now());
            }
        })?;
        Spent::between(&readings.iter().collect::<Vec<_>>(), self.counted(), Duration::ZERO)
    }

    /// The clip through the station, up to records on disk.
    fn replay(&self, card: &Path) -> Outcome<Spent> {
        let data = tempfile::tempdir_in(self.folder)?;
        let plan = workshop::plan(data.path(), card, &self.clip)?;
        let plan = replay::plan(plan, "bench", &self.clip, None, &data.path().join("data"))?;
        let (told, records) = mpsc::channel();
        let (mut seen, last) = (0, self.frames - EDGE);
        let tap = Box::new(move |record: &Record| {
            seen += 1;
            let reading = (seen == EDGE || seen == last).then(Reading::now);
            let infer = Duration::from_micros(record.timings_us.infer.unwrap_or(0));
            let counted = seen > EDGE && seen <= last;
            let judged = matches!(record.verdict, RecordVerdict::Pass | RecordVerdict::Fail);
            let _ = told.send((reading, if counted { infer } else { Duration::ZERO }, judged));
        });
        let station = Station::start(plan, Wiring { tap: Some(tap), replay: true, ..Wiring::default() })?;
        let told: Vec<_> = records.iter().take(self.frames as usize).collect();
        station.stop()?;
        let judged = told.iter().filter(|(_, _, judged)| *judged).count();
        if judged != self.frames as usize {
            return Err(format!(
                "of {} frames only {judged} were judged; this is no measurement",
                self.frames
            )
            .into());
        }
        let readings: Vec<Reading> = told.iter().filter_map(|(reading, _, _)| reading.clone()).collect();
        Spent::between(&readings, self.counted(), told.iter().map(|(_, infer, _)| *infer).sum())
    }

    fn counted(&self) -> f64 {
        f64::from(self.frames - 2 * EDGE)
    }
}

/// What one frame took.
struct Spent {
    wall_ms: f64,
    cpu_ms: f64,
    infer_ms: f64,
    threads_ms: std::collections::BTreeMap<String, f64>,
}

impl Spent {
    fn between(readings: &[Reading], frames: f64, infer: Duration) -> Outcome<Self> {
        let [first, last] = readings else {
            return Err("the clip ended early; this is no measurement".into());
        };
        Ok(Self {
            wall_ms: (last.at - first.at).as_secs_f64() * 1e3 / frames,
            cpu_ms: last.cpu_ms_since(first) / frames,
            infer_ms: infer.as_secs_f64() * 1e3 / frames,
            threads_ms: last
                .threads_ms_since(first)
                .into_iter()
                .map(|(name, ms)| (name, ms / frames))
                .collect(),
        })
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
