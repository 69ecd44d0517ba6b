//! The hot path's end of the console: a look at each part that costs a few microseconds, whoever looks.

use super::frames::FramesPassing;
use crossbeam_channel::{Receiver, Sender, bounded};
use plumb_console::{PartSeen, Watchers};
use plumb_inspection::{Finding, Frame};
use plumb_ledger::{Record, RecordVerdict};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Glimpses waiting. Only pictures and the strip of last parts depend on them, so one more is dropped: the next one
/// replaces it on the page anyway.
const WAITING: usize = 64;

/// One part, as far as the console shows it at once.
pub(crate) struct Glimpse {
    pub(super) seen: PartSeen,
    pub(super) total_us: Option<u64>,
    pub(super) uncalibrated: Vec<String>,
    /// The view with most to see, while somebody looks.
    pub(super) picture: Option<(Frame, Vec<Finding>)>,
}

/// Parts since the station started, by verdict: exact, whatever is dropped.
#[derive(Debug, Default)]
pub(crate) struct Counts([AtomicU64; 4]);

impl Counts {
    pub(super) fn get(&self, verdict: RecordVerdict) -> u64 {
        self.0[place(verdict)].load(Relaxed)
    }
}

fn place(verdict: RecordVerdict) -> usize {
    match verdict {
        RecordVerdict::Pass => 0,
        RecordVerdict::Fail => 1,
        RecordVerdict::Missed => 2,
        RecordVerdict::Late => 3,
    }
}

/// Where the hot path shows its parts.
pub(crate) struct Window {
    glimpses: Sender<Glimpse>,
    counts: Arc<Counts>,
    watchers: Watchers,
    pace: Duration,
    picture_due: Instant,
    frames: FramesPassing,
}

impl Window {
    /// With so many pictures a second at most.
    pub(crate) fn new(
        watchers: Watchers,
        fps: u32,
        frames: FramesPassing,
    ) -> (Self, Receiver<Glimpse>, Arc<Counts>) {
        let (glimpses, seen) = bounded(WAITING);
        let counts = Arc::new(Counts::default());
        let pace = Duration::from_secs(1) / fps.max(1);
        (
            Self { glimpses, counts: counts.clone(), watchers, pace, picture_due: Instant::now(), frames },
            seen,
            counts,
        )
    }

    /// Shows a part. Never waits. At most one frame in `pace` goes along, so no more than two of a camera's buffers are
    /// ever held here; and one more while somebody calibrates.
    pub(crate) fn show(&mut self, record: &Record, frames: &[Frame]) {
        self.counts.0[place(record.verdict)].fetch_add(1, Relaxed);
        self.frames.pass(frames);
        let now = Instant::now();
        let looks = self.watchers.any() && now >= self.picture_due;
        let picture = if looks { best_view(record, frames) } else { None };
        if picture.is_some() {
            self.picture_due = now + self.pace;
        }
        let glimpse = Glimpse {
            seen: PartSeen {
                part: record.part_id,
                at: record.triggered_at,
                verdict: record.verdict,
                says: record.reasons.first().map(|reason| reason.says.clone()).unwrap_or_default(),
            },
            total_us: record.timings_us.total,
            uncalibrated: record.uncalibrated.clone(),
            picture,
        };
        let _ = self.glimpses.try_send(glimpse); // full: somebody sees one part less
    }
}

/// Of several views the one with most findings; the first where none has any.
fn best_view(record: &Record, frames: &[Frame]) -> Option<(Frame, Vec<Finding>)> {
    let (frame, view) = frames.iter().zip(&record.views).rev().max_by_key(|(_, view)| view.findings.len())?;
    Some((frame.clone(), view.findings.clone()))
}
