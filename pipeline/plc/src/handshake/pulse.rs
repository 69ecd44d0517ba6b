//! The PLC's heartbeat: a counter that must not stand still.

use std::time::{Duration, Instant};

/// Watches word 1.
#[derive(Debug)]
pub(super) struct Pulse {
    last: Option<u16>,
    moved_at: Instant,
    lost: bool,
}

impl Pulse {
    /// Begins to watch; the PLC has the whole limit to show its first beat.
    pub(super) fn new(now: Instant) -> Self {
        Self { last: None, moved_at: now, lost: false }
    }

    /// One reading. True if a heart thought dead beats again.
    pub(super) fn read(&mut self, now: Instant, beat: u16) -> bool {
        // The first reading is where the counter stands, not yet a beat.
        let moved = self.last.is_some_and(|last| last != beat);
        self.last = Some(beat);
        if moved {
            self.moved_at = now;
        }
        moved && std::mem::take(&mut self.lost)
    }

    /// True at the moment the counter has stood still for `limit`.
    pub(super) fn tick(&mut self, now: Instant, limit: Duration) -> bool {
        let dead = now.saturating_duration_since(self.moved_at) >= limit;
        dead && !std::mem::replace(&mut self.lost, true)
    }

    /// The counter stands still.
    pub(super) fn lost(&self) -> bool {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_counter_is_lost_once_and_back_at_its_next_step() {
        let (start, limit) = (Instant::now(), Duration::from_millis(500));
        let at = |ms| start + Duration::from_millis(ms);
        let mut pulse = Pulse::new(start);
        assert!(!pulse.read(at(10), 7));
        assert!(!pulse.read(at(110), 8));
        assert!(!pulse.tick(at(609), limit));
        assert!(pulse.tick(at(610), limit) && pulse.lost());
        assert!(!pulse.tick(at(700), limit), "said once");
        assert!(!pulse.read(at(800), 8), "the same number is no beat");
        assert!(pulse.read(at(900), 9) && !pulse.lost());
    }

    #[test]
    fn a_counter_that_never_moves_is_lost_however_often_it_is_read() {
        let (start, limit) = (Instant::now(), Duration::from_millis(500));
        let mut pulse = Pulse::new(start);
        for ms in 0..500 {
            pulse.read(start + Duration::from_millis(ms), 0);
        }
        assert!(pulse.tick(start + limit, limit));
    }
}
