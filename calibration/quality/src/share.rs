//! A share of parts, never without its bound.

use crate::{Confidence, Interval, beta};
use serde::{Deserialize, Serialize};

/// So many events among so many independent parts.
///
/// Bounds are those of Clopper and Pearson (1934): never too narrow, whatever the true share. They hold for parts that
/// are independent and like those of production: 300 pictures of 10 parts are 10 parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Share {
    events: u64,
    trials: u64,
}

#[derive(Serialize, Deserialize)]
struct Written {
    events: u64,
    trials: u64,
}

impl Share {
    /// # Errors
    /// For no trial at all, and for more events than trials.
    pub fn new(events: u64, trials: u64) -> Result<Self, ShareError> {
        if trials == 0 || events > trials {
            return Err(ShareError { events, trials });
        }
        Ok(Self { events, trials })
    }

    /// Those of `parts` for which `is_event` is true.
    ///
    /// # Errors
    /// For no part at all.
    pub fn of<T>(
        parts: impl IntoIterator<Item = T>,
        is_event: impl Fn(T) -> bool,
    ) -> Result<Self, ShareError> {
        let (mut events, mut trials) = (0, 0);
        for part in parts {
            trials += 1;
            events += u64::from(is_event(part));
        }
        Self::new(events, trials)
    }

    /// How many.
    pub fn events(self) -> u64 {
        self.events
    }

    /// Of how many; at least 1.
    pub fn trials(self) -> u64 {
        self.trials
    }

    /// The share seen, 0..=1. It is no promise: show a bound beside it.
    pub fn seen(self) -> f64 {
        self.events as f64 / self.trials as f64
    }

    /// The true share is no higher, `confidence` sure (one-sided).
    pub fn at_most(self, confidence: Confidence) -> f64 {
        self.upper(confidence.risk())
    }

    /// The true share is no lower, `confidence` sure (one-sided).
    pub fn at_least(self, confidence: Confidence) -> f64 {
        self.lower(confidence.risk())
    }

    /// The true share lies within, `confidence` sure (two-sided).
    pub fn interval(self, confidence: Confidence) -> Interval {
        let risk = confidence.risk() / 2.0;
        Interval { lower: self.lower(risk), upper: self.upper(risk) }
    }

    /// `0 of 59 (at most 4.95 %)`, `3 of 300 (1.00 %, at most 2.56 %)`: what may be printed.
    pub fn says(self, confidence: Confidence) -> String {
        let Self { events, trials } = self;
        let bound = percent(self.at_most(confidence));
        if events == 0 {
            format!("0 of {trials} (at most {bound})")
        } else {
            format!("{events} of {trials} ({}, at most {bound})", percent(self.seen()))
        }
    }

    fn lower(self, risk: f64) -> f64 {
        if self.events == 0 {
            return 0.0;
        }
        beta::quantile(risk, self.events as f64, (self.trials - self.events) as f64 + 1.0)
    }

    fn upper(self, risk: f64) -> f64 {
        if self.events == self.trials {
            return 1.0;
        }
        beta::quantile(1.0 - risk, self.events as f64 + 1.0, (self.trials - self.events) as f64)
    }
}

/// Three digits that mean something: `4.95 %`, `0.0312 %`.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = if percent >= 1.0 || percent == 0.0 { 2 } else { (2.0 - percent.log10().floor()) as usize };
    format!("{percent:.digits$} %")
}

impl TryFrom<Written> for Share {
    type Error = ShareError;
    fn try_from(written: Written) -> Result<Self, ShareError> {
        Self::new(written.events, written.trials)
    }
}

impl From<Share> for Written {
    fn from(Share { events, trials }: Share) -> Self {
        Self { events, trials }
    }
}

/// Counts that make no share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{events} of {trials} is no share; it takes at least one part, and no more events than parts")]
pub struct ShareError {
    /// As given.
    pub events: u64,
    /// As given.
    pub trials: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(events: u64, trials: u64) -> Share {
        Share::new(events, trials).unwrap()
    }

    /// Worked with scipy's beta distribution.
    #[test]
    fn the_bounds_are_those_of_clopper_and_pearson() {
        let rows = [
            (0, 29, 0.098_144_6),
            (0, 59, 0.049_507_6),
            (0, 299, 0.009_969_15),
            (1, 473, 0.009_989_71),
            (2, 100, 0.061_619_2),
            (3, 300, 0.025_641_4),
            (5, 1000, 0.010_484_1),
        ];
        for (events, trials, bound) in rows {
            let got = share(events, trials).at_most(Confidence::NINETY_FIVE);
            assert!((got / bound - 1.0).abs() < 1e-5, "{events} of {trials}: {got} for {bound}");
        }
        let rows = [
            (10, 20, 0.271_957_8, 0.728_042_2),
            (2, 100, 0.002_431_3, 0.070_383_9),
            (0, 29, 0.0, 0.119_444_9),
        ];
        for (events, trials, lower, upper) in rows {
            let got = share(events, trials).interval(Confidence::NINETY_FIVE);
            assert!((got.lower - lower).abs() < 1e-7 && (got.upper - upper).abs() < 1e-7, "{got:?}");
        }
    }

    #[test]
    fn what_is_printed_is_never_nought_per_cent() {
        let says = |events, trials| share(events, trials).says(Confidence::NINETY_FIVE);
        assert_eq!(says(0, 59), "0 of 59 (at most 4.95 %)");
        assert_eq!(says(3, 300), "3 of 300 (1.00 %, at most 2.56 %)");
        assert_eq!(says(1, 100_000), "1 of 100000 (0.00100 %, at most 0.00474 %)");
        assert_eq!(says(7, 7), "7 of 7 (100.00 %, at most 100.00 %)");
    }

    #[test]
    fn both_ends_mirror_each_other() {
        let (few, many) = (share(3, 50), share(47, 50));
        let sure = Confidence::new(0.9).unwrap();
        assert!((few.at_most(sure) + many.at_least(sure) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_year_of_parts_still_has_an_interval_and_it_is_symmetric() {
        let of = 3_000_000_000;
        let half = share(of / 2, of).interval(Confidence::NINETY_FIVE);
        // The normal approximation is exact enough here: ± 1.96 · √(¼ / n).
        let wide = 1.959_964 * (0.25 / of as f64).sqrt();
        assert!((half.upper - 0.5 - wide).abs() < 1e-3 * wide, "{half:?}");
        assert!((0.5 - half.lower - wide).abs() < 1e-3 * wide, "{half:?}");
        let few = share(3, of).interval(Confidence::NINETY_FIVE);
        let mirror = share(of - 3, of).interval(Confidence::NINETY_FIVE);
        assert!(few.lower > 0.0 && few.upper < 9e-9, "{few:?}");
        assert!((1.0 - few.upper - mirror.lower).abs() < 1e-9 && mirror.upper < 1.0, "{mirror:?}");
    }

    #[test]
    fn no_parts_make_no_share() {
        assert!(Share::new(0, 0).is_err());
        assert!(Share::new(2, 1).unwrap_err().to_string().contains("2 of 1"));
        assert_eq!(Share::of([0.1, 0.7, 0.9], |score| score >= 0.7), Share::new(2, 3));
    }
}
