//! How fast stored pictures are played.

use crate::{playing::wait, stream_thread::Stopped};
use gstreamer::ClockTime;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// `pace = "recorded"`, `"free"` or `{ fps = 25.0 }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// As the video was recorded. Pictures in a folder have no time; they are played free.
    #[default]
    Recorded,
    /// As fast as the sink takes them.
    Free,
    /// So many a second.
    Fps(f64),
}

/// Tells when the next picture is due. Late pictures come at once, and the ones after them when they are due.
pub(super) struct Pacer {
    pace: Pace,
    began: Option<(Instant, ClockTime)>,
    given: u32,
}

impl Pacer {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, began: None, given: 0 }
    }

    /// Waits until the next picture is due, which was recorded at `pts`; false if stopped meanwhile.
    pub(super) fn wait(&mut self, pts: Option<ClockTime>, stopped: &Stopped) -> bool {
        let now = Instant::now();
        let due = self.due(now, pts);
        due <= now || wait(due - now, stopped)
    }

    fn due(&mut self, now: Instant, pts: Option<ClockTime>) -> Instant {
        let (began, first) = *self.began.get_or_insert((now, pts.unwrap_or(ClockTime::ZERO)));
        let after = match (self.pace, pts) {
            (Pace::Fps(fps), _) => Duration::from_secs_f64(f64::from(self.given) / fps),
            (Pace::Recorded, Some(pts)) => pts.saturating_sub(first).into(),
            (Pace::Free, _) | (Pace::Recorded, None) => Duration::ZERO,
        };
        self.given = self.given.wrapping_add(1);
        began + after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_due_as_their_pace_says() {
        let t = Instant::now();
        let at = |ms| Some(ClockTime::from_mseconds(ms));
        let due = |pace, stamps: [Option<ClockTime>; 3]| {
            let mut pacer = Pacer::new(pace);
            stamps.map(|pts| (pacer.due(t, pts) - t).as_millis())
        };
        assert_eq!(due(Pace::Fps(20.0), [None; 3]), [0, 50, 100]);
        assert_eq!(due(Pace::Recorded, [at(500), at(533), at(600)]), [0, 33, 100]);
        assert_eq!(due(Pace::Recorded, [None; 3]), [0, 0, 0]);
        assert_eq!(due(Pace::Free, [at(0), at(33), at(66)]), [0, 0, 0]);
    }

    #[test]
    fn a_stopped_stream_does_not_wait_for_its_pace() {
        let (stop, stopped) = crossbeam_channel::bounded(0);
        drop(stop);
        let mut pacer = Pacer::new(Pace::Fps(0.001));
        assert!(pacer.wait(None, &stopped), "the first is due at once");
        assert!(!pacer.wait(None, &stopped));
    }
}
