//! When the gate moves: one window a part, born as REJECT. Pure; time is passed in.

use plumb_inspection::PartId;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Parts between trigger and gate. One more is not tracked, and is said so.
const WINDOWS_MAX: usize = 256;

/// What the line is wired to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateOn {
    /// Active lets a part pass; at rest it is rejected. The safe way: a spring, a broken wire and a dead station reject.
    Pass,
    /// Active rejects. What is not passed in time is rejected, but a line without current rejects nothing.
    Reject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// `None`: a part that the station was not asked for, or did not take.
    part: Option<PartId>,
    opens: Instant,
    closes: Instant,
    release: bool,
    decided: bool,
}

/// Why a verdict moves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Its part is at the gate, or past it.
    TooLate,
    /// No part of this number is on its way.
    Unknown,
}

/// The windows on their way, in order of the parts.
#[derive(Debug)]
pub(super) struct Schedule {
    on: GateOn,
    delay: Duration,
    width: Duration,
    windows: VecDeque<Window>,
}

impl Schedule {
    /// A part is at the gate from `delay` after its trigger on, for `width`.
    pub(super) fn new(on: GateOn, delay: Duration, width: Duration) -> Self {
        Self { on, delay, width, windows: VecDeque::new() }
    }

    /// A part was triggered `at`: it will be rejected. False where too many are on their way.
    pub(super) fn born(&mut self, part: Option<PartId>, at: Instant) -> bool {
        if self.windows.len() >= WINDOWS_MAX {
            return false;
        }
        // A number used again is another part: whatever is said of it from now on is not the old one's.
        for old in self.windows.iter_mut().filter(|old| part.is_some() && old.part == part) {
            old.part = None;
        }
        let opens = at + self.delay;
        let window = Window { part, opens, closes: opens + self.width, release: false, decided: false };
        let place = self.windows.iter().rposition(|other| other.opens <= opens).map_or(0, |at| at + 1);
        self.windows.insert(place, window);
        true
    }

    /// The verdict of `part`. Only the first counts, and only before its window opens.
    pub(super) fn decide(&mut self, now: Instant, part: PartId, release: bool) -> Result<(), Refused> {
        let window =
            self.windows.iter_mut().find(|window| window.part == Some(part)).ok_or(Refused::Unknown)?;
        if now >= window.opens {
            return Err(Refused::TooLate);
        }
        if !window.decided {
            (window.decided, window.release) = (true, release);
        }
        Ok(())
    }

    /// Whether the line is to be active now. Where windows overlap, reject wins.
    pub(super) fn active(&mut self, now: Instant) -> bool {
        self.windows.retain(|window| window.closes > now);
        let mut open = self.windows.iter().filter(|window| window.opens <= now).peekable();
        match self.on {
            GateOn::Pass => open.peek().is_some() && open.all(|window| window.release),
            GateOn::Reject => open.any(|window| !window.release),
        }
    }

    /// The station is gone or stops: nothing it has said counts any more.
    pub(super) fn reject_all(&mut self) {
        self.windows.iter_mut().for_each(|window| (window.release, window.decided) = (false, true));
    }

    /// How the line is when everything is rejected.
    pub(super) fn rejecting(&self) -> bool {
        self.on == GateOn::Reject
    }

    /// When [`Schedule::active`] may next be another.
    pub(super) fn next_change(&self, now: Instant) -> Option<Instant> {
        self.windows.iter().flat_map(|window| [window.opens, window.closes]).filter(|&at| at > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn part(id: u32) -> PartId {
        PartId::new(id).unwrap()
    }

    #[test]
    fn a_part_passes_in_its_own_window_and_at_no_other_time() {
        let start = Instant::now();
        let mut pass = Schedule::new(GateOn::Pass, ms(100), ms(20));
        assert!(pass.born(Some(part(1)), start));
        assert_eq!(pass.decide(start + ms(50), part(1), true), Ok(()));
        let levels = [99, 100, 119, 120].map(|at| pass.active(start + ms(at)));
        assert_eq!(levels, [false, true, true, false]);
        assert_eq!(pass.decide(start + ms(130), part(1), true), Err(Refused::Unknown));
    }

    #[test]
    fn a_verdict_after_the_window_has_opened_changes_nothing() {
        let start = Instant::now();
        for (on, active) in [(GateOn::Pass, false), (GateOn::Reject, true)] {
            let mut schedule = Schedule::new(on, ms(100), ms(20));
            schedule.born(Some(part(1)), start);
            assert_eq!(schedule.decide(start + ms(100), part(1), true), Err(Refused::TooLate));
            assert_eq!(schedule.active(start + ms(110)), active, "{on:?}");
        }
    }

    #[test]
    fn the_first_verdict_counts_and_a_number_used_again_is_another_part() {
        let start = Instant::now();
        let mut schedule = Schedule::new(GateOn::Pass, ms(100), ms(10));
        schedule.born(Some(part(1)), start);
        schedule.decide(start, part(1), false).unwrap();
        schedule.decide(start, part(1), true).unwrap();
        assert!(!schedule.active(start + ms(105)));
        schedule.born(Some(part(2)), start + ms(200));
        schedule.born(Some(part(2)), start + ms(220));
        schedule.decide(start + ms(230), part(2), true).unwrap();
        assert!(!schedule.active(start + ms(305)), "the first part 2 was never judged");
        assert!(schedule.active(start + ms(325)));
    }

    proptest! {
        /// Whatever is triggered and said in whatever order, with windows that overlap as they like: the gate lets pass
        /// exactly while some window is open and all that are open were passed, in time, by their own number.
        #[test]
        fn overlapping_windows_never_let_an_unpassed_part_through(
            parts in prop::collection::vec((0..400u64, any::<bool>(), 0..500u64, any::<bool>()), 1..40),
            delay in 1..200u64, width in 1..80u64, pass in any::<bool>(),
        ) {
            let start = Instant::now();
            let on = if pass { GateOn::Pass } else { GateOn::Reject };
            let mut schedule = Schedule::new(on, ms(delay), ms(width));
            for now_ms in 0..800u64 {
                let now = start + ms(now_ms);
                for (id, (at, ..)) in (1..).zip(&parts) {
                    if *at == now_ms { prop_assert!(schedule.born(Some(part(id)), now)); }
                }
                for (id, (at, release, after, spoken)) in (1..).zip(&parts) {
                    if *spoken && at + after == now_ms { let _ = schedule.decide(now, part(id), *release); }
                }
                let open: Vec<bool> = parts.iter()
                    .filter(|(at, ..)| (at + delay..at + delay + width).contains(&now_ms))
                    .map(|(_, release, after, spoken)| *release && *spoken && *after < delay)
                    .collect();
                let through = !open.is_empty() && open.iter().all(|&passed| passed);
                let expected = if pass { through } else { open.iter().any(|passed| !passed) };
                prop_assert_eq!(schedule.active(now), expected, "at {} ms", now_ms);
                if let Some(next) = schedule.next_change(now) { prop_assert!(next > now); }
            }
        }

        #[test]
        fn between_two_changes_the_line_stands_still(ats in prop::collection::vec(0..300u64, 1..20)) {
            let start = Instant::now();
            let mut schedule = Schedule::new(GateOn::Reject, ms(50), ms(30));
            for (id, at) in (1..).zip(&ats) { schedule.born(Some(part(id)), start + ms(*at)); }
            let (mut now, mut level) = (start, schedule.active(start));
            while let Some(next) = schedule.next_change(now) {
                prop_assert_eq!(schedule.active(next - Duration::from_micros(1)), level);
                level = schedule.active(next);
                now = next;
            }
            prop_assert!(!level, "it ends at rest");
        }
    }
}
