//! A clip through a station, up to records on disk, and what one frame of it took.

use super::{Outcome, bare, clip, peer::Peer, plan, process::Reading};
use plumb_inference::{Card, Runtime};
use plumb_ledger::{Record, RecordVerdict};
use plumb_preprocess::{Cut, Optics, Preprocessor};
use plumb_station::{
    replay,
    station::{Station, Wiring},
};
use std::{collections::BTreeMap, path::Path, sync::mpsc};

/// Frames at either end of a replay that are not counted: there the pipeline fills and drains.
pub(crate) const EDGE: u32 = 20;

/// A clip, and a folder for what a station writes.
pub(crate) struct Trip<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) clip: &'a Path,
    pub(crate) frames: u32,
}

impl Trip<'_> {
    /// The loop of a bare model on a frame of the clip.
    pub(crate) fn bare(&self, card: &Card) -> Outcome<Peer> {
        let (frame_in, frames) = mpsc::channel();
        clip::play(self.clip, move |frame| drop(frame_in.send(frame)))?;
        let frame = frames.recv().map_err(|_| "the clip has no frame")?;
        let cut = Cut { region: "whole".into(), rect_px: None, spec: card.input.clone() };
        let tensors = Preprocessor::new(Optics::default(), vec![cut])?.prepare(&frame)?;
        bare::start(Runtime::load(None)?.path(), card, &tensors[0], self.folder)
    }

    /// The clip into a sink that drops its frames.
    pub(crate) fn decode(&self) -> Outcome<Spent> {
        let (readings_in, readings) = mpsc::channel();
        let (mut seen, last) = (0, self.frames - EDGE);
        clip::play(self.clip, move |frame| {
            drop(frame);
            seen += 1;
            if seen == EDGE || seen == last {
                let _ = readings_in.send(Reading::now());
            }
        })?;
        Spent::between(&readings.iter().collect::<Vec<_>>(), self.counted())
    }

    /// The clip through a station whose model has `threads` threads.
    pub(crate) fn replay(&self, card: &Path, threads: u32) -> Outcome<Spent> {
        let data = tempfile::tempdir_in(self.folder)?;
        let plan = plan(data.path(), card, self.clip, threads)?;
        let plan = replay::plan(plan, "bench", self.clip, None, &data.path().join("data"))?;
        let (told, records) = mpsc::channel();
        let (mut seen, last) = (0, self.frames - EDGE);
        let tap = Box::new(move |record: &Record| {
            seen += 1;
            let reading = (seen == EDGE || seen == last).then(Reading::now);
            let judged = matches!(record.verdict, RecordVerdict::Pass | RecordVerdict::Fail);
            let _ = told.send((reading, judged));
        });
        let station = Station::start(plan, Wiring { tap: Some(tap), replay: true, ..Wiring::default() })?;
        let told: Vec<_> = records.iter().take(self.frames as usize).collect();
        station.stop()?;
        let judged = told.iter().filter(|(_, judged)| *judged).count();
        if judged != self.frames as usize {
            return Err(format!(
                "of {} frames only {judged} were judged; this is no measurement",
                self.frames
            )
            .into());
        }
        let readings: Vec<Reading> = told.iter().filter_map(|(reading, _)| reading.clone()).collect();
        Spent::between(&readings, self.counted())
    }

    fn counted(&self) -> f64 {
        f64::from(self.frames - 2 * EDGE)
    }
}

/// What one frame took.
pub(crate) struct Spent {
    pub(crate) wall_ms: f64,
    pub(crate) cpu_ms: f64,
    pub(crate) threads_ms: BTreeMap<String, f64>,
}

impl Spent {
    fn between(readings: &[Reading], frames: f64) -> Outcome<Self> {
        let [first, last] = readings else {
            return Err("the clip ended early; this is no measurement".into());
        };
        Ok(Self {
            wall_ms: (last.at - first.at).as_secs_f64() * 1e3 / frames,
            cpu_ms: last.cpu_ms_since(first) / frames,
            threads_ms: last
                .threads_ms_since(first)
                .into_iter()
                .map(|(name, ms)| (name, ms / frames))
                .collect(),
        })
    }
}
