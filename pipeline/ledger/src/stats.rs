//! What the ledger did so far, for metrics: read without asking the database.

use crate::writer::QUEUE;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// A writer that has shown no life for so long hangs. Its queue holds ten seconds of the fastest line.
const HUNG: Duration = Duration::from_secs(3);

/// Counts since the ledger was opened, and how things stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerStats {
    /// Records in the database.
    pub committed: u64,
    /// Records handed back because the queue was full or closed.
    pub refused: u64,
    /// Records accepted and yet not written: the database would not have them, or the disk failed until the close.
    /// Each is named in the log.
    pub lost: u64,
    /// Failed attempts to write; a disk that is full for a minute makes many, and may lose nothing.
    pub write_errors: u64,
    /// True from a failed attempt to the next that works, and after the `ledger` thread died.
    pub failing: bool,
    /// The disk is full, and records go into the room that was set aside for them.
    pub on_reserve: bool,
    /// Since when the `ledger` thread has shown no life, in ms; without work it does once a second.
    pub silent_ms: u64,
    /// Records waiting in the queue (at most 1024), those of the running commit not counted.
    pub queue_depth: u64,
    /// How long the last commit took, in µs.
    pub last_commit_us: u64,
    /// Part ids given out whose reservation was not yet on disk: after a kill they could be given again.
    pub numbers_unreserved: u64,
    /// Shadow records in the database.
    pub shadows_committed: u64,
    /// Shadow records handed back because their queue was full or closed.
    pub shadows_refused: u64,
    /// Shadow records accepted and yet not written. Each is named in the log.
    pub shadows_lost: u64,
    /// Shadow records waiting in their queue (at most 1024).
    pub shadows_queue_depth: u64,
    /// Pictures on disk.
    pub pictures_written: u64,
    /// Pictures handed back because the queue was full or closed.
    pub pictures_dropped: u64,
    /// Pictures accepted and yet not kept: encoding or writing failed. Each is named in the log.
    pub pictures_failed: u64,
    /// Pictures waiting in the queue (at most 4).
    pub pictures_queue_depth: u64,
}

impl LedgerStats {
    /// The `ledger` thread has stood still for longer than any healthy disk makes it.
    pub fn is_hung(&self) -> bool {
        u128::from(self.silent_ms) > HUNG.as_millis()
    }

    /// Records that are handed over now will be kept: the thread works, and its queue has room.
    pub fn lives(&self) -> bool {
        !self.failing && !self.is_hung() && self.has_room()
    }

    /// The queue takes another record; while the ledger fails, it is what is left of the reserve.
    pub fn has_room(&self) -> bool {
        self.queue_depth < QUEUE as u64
    }
}

/// The same, as the threads count it.
#[derive(Debug)]
pub(crate) struct Counters {
    began: Instant,
    /// In ms since it began.
    last_beat: AtomicU64,
    pub(crate) committed: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) write_errors: AtomicU64,
    pub(crate) failing: AtomicBool,
    /// Shared with the reserve, which says so.
    pub(crate) on_reserve: Arc<AtomicBool>,
    pub(crate) last_commit_us: AtomicU64,
    pub(crate) shadows_committed: AtomicU64,
    pub(crate) shadows_refused: AtomicU64,
    pub(crate) shadows_lost: AtomicU64,
    pub(crate) pictures_written: AtomicU64,
    pub(crate) pictures_dropped: AtomicU64,
    pub(crate) pictures_failed: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        let zero = AtomicU64::default;
        Self {
            began: Instant::now(),
            last_beat: zero(),
            committed: zero(),
            refused: zero(),
            lost: zero(),
            write_errors: zero(),
            failing: AtomicBool::new(false),
            on_reserve: Arc::default(),
            last_commit_us: zero(),
            shadows_committed: zero(),
            shadows_refused: zero(),
            shadows_lost: zero(),
            pictures_written: zero(),
            pictures_dropped: zero(),
            pictures_failed: zero(),
        }
    }
}

impl Counters {
    /// The `ledger` thread shows life.
    pub(crate) fn beat(&self) {
        self.last_beat.store(self.now_ms(), Relaxed);
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Without the queue depths and numbers, which others know.
    pub(crate) fn snapshot(&self) -> LedgerStats {
        LedgerStats {
            committed: self.committed.load(Relaxed),
            refused: self.refused.load(Relaxed),
            lost: self.lost.load(Relaxed),
            write_errors: self.write_errors.load(Relaxed),
            failing: self.failing.load(Relaxed),
            on_reserve: self.on_reserve.load(Relaxed),
            silent_ms: self.now_ms().saturating_sub(self.last_beat.load(Relaxed)),
            last_commit_us: self.last_commit_us.load(Relaxed),
            shadows_committed: self.shadows_committed.load(Relaxed),
            shadows_refused: self.shadows_refused.load(Relaxed),
            shadows_lost: self.shadows_lost.load(Relaxed),
            pictures_written: self.pictures_written.load(Relaxed),
            pictures_dropped: self.pictures_dropped.load(Relaxed),
            pictures_failed: self.pictures_failed.load(Relaxed),
            ..LedgerStats::default()
        }
    }
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
