//! Life signs of the threads that a part's verdict depends on. Each ticks even when no part comes; one that hangs stops
//! the heartbeat, and is named.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Silence after which a thread counts as hung: ten of its beats.
const SILENT_AFTER: Duration = Duration::from_secs(1);

/// How often a thread without work says that it is alive.
pub const BEAT: Duration = Duration::from_millis(100);

/// The hearts of all such threads.
#[derive(Debug)]
pub struct Pulse {
    started: Instant,
    /// Stage, and when it last beat.
    hearts: Mutex<Vec<(&'static str, Arc<AtomicU64>)>>,
    /// Beats of the station as a whole.
    beats: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { started: Instant::now(), hearts: Mutex::new(Vec::new()), beats: AtomicU64::new(0) }
    }
}

impl Pulse {
    /// A thread more of `stage` to listen to. It has just beaten.
    pub fn listen(self: &Arc<Self>, stage: &'static str) -> Heart {
        let heart = Heart { pulse: self.clone(), beat_ms: Arc::default() };
        heart.beat();
        self.hearts().push((stage, heart.beat_ms.clone()));
        heart
    }

    /// True while every thread of `stage` beats. One that ended by a panic does not: it never said that it leaves.
    pub fn is_alive(&self, stage: &str) -> bool {
        let now = self.now_ms();
        let beats = |heart: &Arc<AtomicU64>| {
            u128::from(now.saturating_sub(heart.load(Ordering::Relaxed))) < SILENT_AFTER.as_millis()
        };
        self.hearts().iter().filter(|(of, _)| *of == stage).all(|(_, heart)| beats(heart))
    }

    /// The heartbeat that the PLC sees has gone one on. The verdict task alone says so.
    pub fn station_beats(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it has.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn hearts(&self) -> MutexGuard<'_, Vec<(&'static str, Arc<AtomicU64>)>> {
        self.hearts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thread's life sign.
#[derive(Debug)]
pub struct Heart {
    pulse: Arc<Pulse>,
    beat_ms: Arc<AtomicU64>,
}

impl Heart {
    /// The thread is alive.
    pub fn beat(&self) {
        self.beat_ms.store(self.pulse.now_ms(), Ordering::Relaxed);
    }

    /// The thread ends as it should.
    pub fn leave(self) {
        self.pulse.hearts().retain(|(_, other)| !Arc::ptr_eq(other, &self.beat_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_silent_thread_silences_its_stage_and_one_that_left_does_not() {
        let pulse = Arc::new(Pulse::default());
        let (going, leaving) = (pulse.listen("infer"), pulse.listen("infer"));
        assert!(pulse.is_alive("infer"));
        leaving.leave();
        assert_eq!(pulse.hearts().len(), 1);
        let long_ago = Pulse {
            started: Instant::now() - 3 * SILENT_AFTER,
            hearts: Mutex::default(),
            beats: AtomicU64::new(0),
        };
        long_ago.hearts().push(("infer", Arc::default()));
        assert!(!long_ago.is_alive("infer"), "it has not beaten since the start");
        assert!(long_ago.is_alive("preprocess"), "another stage's silence is not its own");
        drop(going);
        assert_eq!(pulse.hearts().len(), 1, "a thread that ends by a panic stays on the list, silent");
    }
}
