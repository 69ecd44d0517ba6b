//! Watches the answers go by and says when the line had better stop: rejects in a row mean a broken process or a broken
//! light, and neither gets better by rejecting on.

use crate::Decision;
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, fmt};

/// When to advise a stop. 0 switches a watch off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrendConfig {
    /// So many parts in a row that did not pass, whatever the reason.
    pub rejects_in_a_row: u32,
    /// So many parts in a row that could not be judged or were judged late.
    pub missed_in_a_row: u32,
    /// So many parts that did not pass among the last 100.
    pub rejects_in_last_100: u32,
}

impl Default for TrendConfig {
    /// 5, 2 and 20: usual on packaging lines, to be set for each.
    fn default() -> Self {
        Self { rejects_in_a_row: 5, missed_in_a_row: 2, rejects_in_last_100: 20 }
    }
}

/// The last answers of one line.
#[derive(Clone, Debug)]
pub struct Trend {
    config: TrendConfig,
    rejects: u32,
    missed: u32,
    /// True for a reject, oldest first. At most `WINDOW`.
    last: VecDeque<bool>,
}

/// Why the line had better stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopAdvice {
    /// Parts in a row that could not be judged in time.
    MissedInARow {
        /// How many so far.
        got: u32,
    },
    /// Parts in a row that did not pass.
    RejectsInARow {
        /// How many so far.
        got: u32,
    },
    /// Too many of the last 100.
    RejectShare {
        /// How many did not pass.
        got: u32,
        /// Of how many: 100, or fewer after a start.
        of: u32,
    },
}

impl Trend {
    const WINDOW: usize = 100;

    /// No answers yet.
    pub fn new(config: TrendConfig) -> Self {
        Self { config, rejects: 0, missed: 0, last: VecDeque::with_capacity(Self::WINDOW) }
    }

    /// Takes the next answer, `late` where it came after its deadline, and repeats its advice for as long as it holds.
    pub fn note(&mut self, decision: Decision, late: bool) -> Option<StopAdvice> {
        let missed = late || matches!(decision, Decision::Missed(_));
        let rejected = missed || decision != Decision::Pass;
        self.missed = if missed { self.missed.saturating_add(1) } else { 0 };
        self.rejects = if rejected { self.rejects.saturating_add(1) } else { 0 };
        if self.last.len() == Self::WINDOW {
            self.last.pop_front();
        }
        self.last.push_back(rejected);
        self.advice()
    }

    /// The most urgent advice: a station that cannot see before a product that is bad.
    pub fn advice(&self) -> Option<StopAdvice> {
        let reached = |got: u32, limit: u32| limit > 0 && got >= limit;
        let (got, of) =
            (self.last.iter().filter(|rejected| **rejected).count() as u32, self.last.len() as u32);
        if reached(self.missed, self.config.missed_in_a_row) {
            Some(StopAdvice::MissedInARow { got: self.missed })
        } else if reached(self.rejects, self.config.rejects_in_a_row) {
            Some(StopAdvice::RejectsInARow { got: self.rejects })
        } else if reached(got, self.config.rejects_in_last_100) {
            Some(StopAdvice::RejectShare { got, of })
        } else {
            None
        }
    }

    /// The line was stopped and looked at: forget what led there.
    pub fn reset(&mut self) {
        *self = Self::new(self.config);
    }
}

impl fmt::Display for StopAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissedInARow { got } => {
                write!(
                    f,
                    "{got} parts in a row could not be judged in time; stop the line and look at the station"
                )
            }
            Self::RejectsInARow { got } => {
                write!(
                    f,
                    "{got} parts in a row were rejected; stop the line and look at the parts and the light"
                )
            }
            Self::RejectShare { got, of } => {
                write!(f, "{got} of the last {of} parts were rejected; stop the line and look at the process")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::Cause;

    /// `.` pass, `f` fail, `m` missed, `l` late.
    fn after(answers: &str, config: TrendConfig) -> Option<StopAdvice> {
        let mut trend = Trend::new(config);
        let note = |answer| match answer {
            '.' => trend.note(Decision::Pass, false),
            'l' => trend.note(Decision::Pass, true),
            'm' => trend.note(Decision::Missed(Cause::CameraDown), false),
            _ => trend.note(Decision::Fail, false),
        };
        answers.chars().map(note).last().flatten()
    }

    #[test]
    fn the_line_is_stopped_for_what_happens_in_a_row_and_not_for_single_rejects() {
        let config = TrendConfig::default();
        let rows = [
            ("ffff", None),
            ("fffff", Some(StopAdvice::RejectsInARow { got: 5 })),
            ("ffffff", Some(StopAdvice::RejectsInARow { got: 6 })),
            ("ffff.f", None),
            ("m.m.m", None),
            ("ml", Some(StopAdvice::MissedInARow { got: 2 })),
            ("mm.", None),
            ("fffmf", Some(StopAdvice::RejectsInARow { got: 5 })),
        ];
        for (answers, advice) in rows {
            assert_eq!(after(answers, config), advice, "{answers}");
        }
    }

    #[test]
    fn the_share_looks_back_a_hundred_parts_and_no_further() {
        let config = TrendConfig { rejects_in_a_row: 0, missed_in_a_row: 0, rejects_in_last_100: 20 };
        let twenty = "....f".repeat(20);
        assert_eq!(after(&twenty, config), Some(StopAdvice::RejectShare { got: 20, of: 100 }));
        assert_eq!(after(&format!("{twenty}....."), config), None, "the oldest reject is out of sight");
        assert_eq!(after(&"f".repeat(20), config), Some(StopAdvice::RejectShare { got: 20, of: 20 }));
        assert_eq!(after(&"f".repeat(200), TrendConfig { rejects_in_last_100: 0, ..config }), None);
    }

    #[test]
    fn a_line_that_was_looked_at_starts_anew() {
        let mut trend = Trend::new(TrendConfig::default());
        for _ in 0..9 {
            trend.note(Decision::Fail, false);
        }
        trend.reset();
        assert_eq!(trend.advice(), None);
    }
}
