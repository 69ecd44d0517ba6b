//! The last parts' times, kept on the hot path and read from the background.

use super::Taken;
use plumb_inspection::{Edition, Laps};
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// Parts that are remembered: with 2 000 the p99.9 of the wire rests on two.
const PARTS: usize = 2_000;

/// Written by the verdict stage, which never waits for it; read once a second.
#[derive(Debug, Default)]
pub struct Stopwatch(Mutex<Watched>);

#[derive(Debug, Default)]
struct Watched {
    edition: Option<Edition>,
    parts: VecDeque<Laps>,
}

impl Stopwatch {
    /// A part of `edition` took this long. Forgets what other editions took; forgets this one where it is being read.
    pub fn note(&self, edition: Edition, laps: &Laps) {
        let Ok(mut watched) = self.0.try_lock() else { return };
        if watched.edition != Some(edition) {
            watched.edition = Some(edition);
            watched.parts.clear();
        }
        if watched.parts.len() == PARTS {
            watched.parts.pop_front();
        }
        watched.parts.push_back(*laps);
    }

    /// What the last parts of `edition` took.
    pub fn taken(&self, edition: Edition) -> Taken {
        let parts = {
            let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if watched.edition == Some(edition) { watched.parts.clone() } else { VecDeque::new() }
        };
        Taken::of(parts.into_iter())
    }
}
