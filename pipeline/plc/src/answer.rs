//! The verdict as the PLC reads it.

use plumb_inspection::{PartId, RecipeNumber};
use plumb_verdict::{Decision, Verdict};
use std::time::{Duration, Instant};

/// One part's answer on its way to the PLC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whose answer: words 12–13 and 19.
    pub part: PartId,
    /// Word 14. Written as [`VerdictCode::Late`] instead if `deadline` has passed by then.
    pub code: VerdictCode,
    /// Word 15: 0 for a pass, 1..=99 for the rule that objected, from 100 a [`plumb_inspection::Cause`].
    pub reason: u16,
    /// From trigger to verdict: words 16–17 in µs, at most 71 minutes.
    pub decision: Duration,
    /// The recipe it was judged by.
    pub recipe: RecipeNumber,
    /// When the PLC must have it.
    pub deadline: Instant,
}

/// Word 14 of the register block. Only `Pass` releases a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum VerdictCode {
    /// Nothing judged; what a zeroed or disconnected block reads as.
    #[default]
    None = 0,
    /// Multi-bit, so that no stuck bit and no zeroed block can read as a pass.
    Pass = 0x5AA5,
    /// Judged, and a rule objected.
    Fail = 2,
    /// Could not be judged; word 15 says why.
    Missed = 3,
    /// Judged, but after the deadline.
    Late = 4,
}

impl VerdictCode {
    /// Every code, for tables and metrics.
    pub const ALL: [Self; 5] = [Self::None, Self::Pass, Self::Fail, Self::Missed, Self::Late];

    /// What `verdict` reads as on the wire; `late` makes it [`VerdictCode::Late`] whatever was decided.
    pub fn of(verdict: &Verdict, late: bool) -> Self {
        match verdict.decision {
            _ if late => Self::Late,
            Decision::Pass => Self::Pass,
            Decision::Fail => Self::Fail,
            Decision::Missed(_) => Self::Missed,
        }
    }

    /// The word.
    pub fn word(self) -> u16 {
        self as u16
    }

    /// What a word means; one that means nothing is `None`, which rejects.
    pub fn from_word(word: u16) -> Self {
        Self::ALL.into_iter().find(|code| code.word() == word).unwrap_or_default()
    }

    /// The spelling used in records and logs: `none`, `pass`, `fail`, `missed`, `late`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Missed => "missed",
            Self::Late => "late",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::Cause;

    #[test]
    fn late_wins_over_whatever_was_decided() {
        let pass = Verdict::from_objections(vec![]);
        let missed = Verdict::missed(Cause::Model);
        assert_eq!(VerdictCode::of(&pass, false), VerdictCode::Pass);
        assert_eq!(VerdictCode::of(&missed, false), VerdictCode::Missed);
        assert_eq!(VerdictCode::of(&pass, true), VerdictCode::Late);
        assert_eq!(VerdictCode::of(&missed, true), VerdictCode::Late);
    }

    #[test]
    fn exactly_one_word_reads_as_a_pass() {
        let passes: Vec<u16> =
            (0..=u16::MAX).filter(|&word| VerdictCode::from_word(word) == VerdictCode::Pass).collect();
        assert_eq!(passes, [0x5AA5]);
        assert!(VerdictCode::Pass.word().count_ones() >= 8, "a stuck bit must not make a pass");
    }
}
