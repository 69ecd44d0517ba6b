//! The reject gate: held open by a decision, closed by its spring. A pure state machine over (belt, now, decisions).

use std::{collections::BTreeMap, time::Instant};

use serde::Serialize;

use crate::belt::Belt;

/// What became of the parts so far. `at_gate = passed + rejected`, plus at most one part that is at the gate right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Parts whose leading edge has reached the photo-eye.
    pub begun: u64,
    /// Parts whose leading edge has reached the gate.
    pub at_gate: u64,
    /// Parts the gate let through.
    pub passed: u64,
    /// Parts the gate threw out, undecided ones among them.
    pub rejected: u64,
    /// Defective parts that passed: the number that must be 0.
    pub escapes: u64,
    /// Good parts that were rejected: the number that costs money.
    pub false_rejects: u64,
    /// Parts rejected because nobody decided in time.
    pub undecided_at_gate: u64,
    /// Decisions that did nothing: their part had left the gate, or had not reached the photo-eye.
    pub refused_decisions: u64,
}

/// The gate and its books.
#[derive(Debug)]
pub(crate) struct Gate {
    gate_mm: f64,
    window_mm: f64,
    /// First part whose fate is open.
    next: u64,
    /// Decisions for parts between photo-eye and the end of the gate's window; no more than fit on that stretch of belt.
    decisions: BTreeMap<u64, bool>,
    tally: Tally,
}

impl Gate {
    pub(crate) fn new(gate_mm: f64, window_mm: f64) -> Self {
        Self { gate_mm, window_mm, next: 0, decisions: BTreeMap::new(), tally: Tally::default() }
    }

    /// Settles every part whose fate is clear by `now`, in order. `fed`: how many parts there are; `is_good`: ground truth.
    pub(crate) fn settle(&mut self, belt: &Belt, fed: u64, now: Instant, is_good: impl Fn(u64) -> bool) {
        let travel = belt.travel_mm(now);
        self.tally.begun = self.tally.begun.max(belt.begun(now, 0.0).min(fed));
        while self.next < fed && belt.lead_mm(self.next) + self.gate_mm <= travel {
            let index = self.next;
            self.tally.at_gate = index + 1;
            let window_ends_mm = belt.lead_mm(index) + self.gate_mm + self.window_mm;
            let release = match self.decisions.remove(&index) {
                Some(release) => release,
                None if travel < window_ends_mm => break,
                None => {
                    self.tally.undecided_at_gate += 1;
                    false
                }
            };
            self.book(release, is_good(index));
            self.next += 1;
        }
    }

    /// Takes a decision for part `index`. Until the part is at the gate, a later decision replaces an earlier one.
    pub(crate) fn decide(&mut self, index: u64, release: bool) {
        if index < self.next || index >= self.tally.begun {
            self.tally.refused_decisions += 1;
        } else {
            self.decisions.insert(index, release);
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// True when each of `fed` parts has passed or been rejected.
    pub(crate) fn is_done(&self, fed: u64) -> bool {
        self.next >= fed
    }

    fn book(&mut self, release: bool, good: bool) {
        let t = &mut self.tally;
        match (release, good) {
            (true, _) => t.passed += 1,
            (false, _) => t.rejected += 1,
        }
        t.escapes += u64::from(release && !good);
        t.false_rejects += u64::from(!release && good);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::LineConfig;

    /// 300 mm/s: part 0 is at the eye at 200 ms, at the gate at 1200 ms, and its window ends 20 mm (66.6 ms) later.
    fn line() -> (Gate, Belt, Instant) {
        let config = LineConfig { pitch_jitter_mm: 0.0, ..LineConfig::default() };
        let start = Instant::now();
        (Gate::new(300.0, 20.0), Belt::new(&config, start), start)
    }

    #[test]
    fn nobody_decides_and_the_spring_rejects() {
        let (mut gate, belt, start) = line();
        gate.settle(&belt, 9, start + Duration::from_millis(1266), |_| true);
        assert_eq!((gate.tally().at_gate, gate.tally().rejected), (1, 0));
        gate.settle(&belt, 9, start + Duration::from_millis(1267), |_| true);
        let t = gate.tally();
        assert_eq!((t.rejected, t.undecided_at_gate, t.false_rejects, t.passed), (1, 1, 1, 0));
    }

    #[test]
    fn the_last_word_before_the_gate_counts_and_no_word_after_it() {
        let (mut gate, belt, start) = line();
        gate.settle(&belt, 9, start + Duration::from_millis(300), |_| true);
        gate.decide(0, false);
        gate.decide(0, true);
        gate.settle(&belt, 9, start + Duration::from_millis(1200), |_| true);
        assert_eq!(gate.tally().passed, 1);
        gate.decide(0, false);
        assert_eq!((gate.tally().passed, gate.tally().refused_decisions), (1, 1));
    }

    #[test]
    fn a_decision_for_a_part_nobody_has_seen_is_refused() {
        let (mut gate, belt, start) = line();
        gate.settle(&belt, 9, start + Duration::from_millis(199), |_| true);
        gate.decide(0, true);
        gate.settle(&belt, 9, start + Duration::from_secs(2), |_| false);
        assert_eq!((gate.tally().refused_decisions, gate.tally().passed), (1, 0));
    }
}
