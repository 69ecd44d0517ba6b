//! Bernoulli CUSUM: each part counts, so that a reject or escape rate in ppm is watched without waiting for samples.

use serde::Serialize;

/// A one-sided CUSUM of single parts: a defect adds `m − 1` steps, every other part takes one off, down to 0; a signal
/// from `limit` steps on.
///
/// M. R. Reynolds and Z. G. Stoumbos, "A CUSUM chart for monitoring a proportion when inspecting continuously", Journal
/// of Quality Technology 31 (1999), with their reference value rounded to `1/m`, which makes the chart a Markov chain
/// whose average run length [`average_parts`](Self::average_parts) is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BernoulliCusum {
    m: u64,
    limit: u64,
    sum: u64,
}

/// More steps than this are not looked for: such a chart would take millions of parts to say anything.
const LIMIT_MAX: u64 = 1 << 22;

impl BernoulliCusum {
    /// To tell `share_bad` from `share_good`, with a false alarm once in `parts_between_false_alarms` parts or more
    /// seldom while the share is good.
    ///
    /// # Errors
    /// For shares that are not `0 < good < bad < 1`, and for more patience than a chart of a few million steps has.
    pub fn new(
        share_good: f64,
        share_bad: f64,
        parts_between_false_alarms: f64,
    ) -> Result<Self, BernoulliError> {
        if !(share_good > 0.0 && share_good < share_bad && share_bad < 1.0) {
            return Err(BernoulliError::Shares { good: share_good, bad: share_bad });
        }
        let (good, bad) = (share_good, share_bad);
        let off = -((1.0 - bad) / (1.0 - good)).ln();
        let on = (bad * (1.0 - good) / (good * (1.0 - bad))).ln();
        let m = ((on / off).round() as u64).max(2);
        let fits = |limit: u64| Self { m, limit, sum: 0 }.average_parts(good) >= parts_between_false_alarms;
        let patience = BernoulliError::Patience { parts: parts_between_false_alarms };
        let (mut too_low, mut enough) = (0, m);
        while !fits(enough) {
            too_low = enough;
            enough = enough.checked_mul(2).filter(|limit| *limit <= LIMIT_MAX).ok_or(patience)?;
        }
        while enough - too_low > 1 {
            let middle = too_low + (enough - too_low) / 2;
            if fits(middle) {
                enough = middle;
            } else {
                too_low = middle;
            }
        }
        Ok(Self { m, limit: enough, sum: 0 })
    }

    /// Takes up the next part; true if the chart signals. It goes on signalling until [`reset`](Self::reset).
    pub fn add(&mut self, is_defect: bool) -> bool {
        self.sum = if is_defect {
            (self.sum + self.m - 1).min(self.limit)
        } else if self.signals() {
            self.sum
        } else {
            self.sum.saturating_sub(1)
        };
        self.signals()
    }

    /// True from the limit on.
    pub fn signals(&self) -> bool {
        self.sum >= self.limit
    }

    /// How near to a signal, 0..=1.
    pub fn level(&self) -> f64 {
        self.sum as f64 / self.limit as f64
    }

    /// Begins anew, after the cause was found.
    pub fn reset(&mut self) {
        self.sum = 0;
    }

    /// Parts until it signals, on the average and from 0, if the true share of defects is `share`: exact, from the
    /// chain's own equations. Infinite for a share of 0.
    pub fn average_parts(&self, share: f64) -> f64 {
        if share <= 0.0 {
            return f64::INFINITY;
        }
        let jump = (self.m - 1) as usize;
        let states = self.limit as usize;
        // E(s) is the average from s on. From the top downwards E(s) = a + b·E(s − 1). A jump from s lands at s + jump,
        // and E there follows from E(s) through the steps between: E(top) = sum(s) + product(s)·E(s).
        let (mut sum, mut product) = (vec![0.0; states], vec![1.0; states]);
        for s in (0..states).rev() {
            let (jumped, of_self) = match s + jump {
                landing if landing >= states => (0.0, 0.0),
                landing => ((sum[s] - sum[landing]) / product[landing], product[s] / product[landing]),
            };
            if s == 0 {
                return (1.0 + share * jumped) / (share * (1.0 - of_self));
            }
            let stays = 1.0 - share * of_self;
            let (a, b) = ((1.0 + share * jumped) / stays, (1.0 - share) / stays);
            sum[s - 1] = sum[s] + product[s] * a;
            product[s - 1] = product[s] * b;
        }
        f64::INFINITY
    }
}

/// Why there is no such chart.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BernoulliError {
    /// Not two shares to be told apart.
    #[error("a share of {bad} is not to be told from {good}; it takes 0 < good < bad < 1")]
    Shares {
        /// As given.
        good: f64,
        /// As given.
        bad: f64,
    },
    /// Shares too near each other, or too seldom a false alarm.
    #[error(
        "a false alarm in {parts} parts or more seldom would make the chart blind; allow more of them, or look for a larger change"
    )]
    Patience {
        /// As given.
        parts: f64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    fn simulated(chart: BernoulliCusum, share: f64, runs: u32) -> (f64, f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let lengths: Vec<f64> = (0..runs)
            .map(|_| {
                let (mut chart, mut parts) = (chart, 1.0);
                while !chart.add(rng.random::<f64>() < share) {
                    parts += 1.0;
                }
                parts
            })
            .collect();
        let mean = lengths.iter().sum::<f64>() / f64::from(runs);
        let spread = lengths.iter().map(|length| (length - mean).powi(2)).sum::<f64>() / f64::from(runs);
        (mean, (spread / f64::from(runs)).sqrt())
    }

    #[test]
    fn the_average_run_length_is_that_of_a_simulation() {
        for (good, bad, patience) in [(0.01, 0.03, 5_000.0), (0.05, 0.2, 400.0)] {
            let chart = BernoulliCusum::new(good, bad, patience).unwrap();
            for share in [good, bad] {
                let (mean, error) = simulated(chart, share, 2000);
                let exact = chart.average_parts(share);
                assert!((mean - exact).abs() < 4.0 * error, "{chart:?} at {share}: {mean} for {exact}");
            }
            assert!(chart.average_parts(good) >= patience);
            assert!(chart.average_parts(bad) < patience / 10.0);
        }
    }

    #[test]
    fn a_tenfold_rise_in_ppm_is_told_within_thousands_of_parts_not_weeks() {
        let chart = BernoulliCusum::new(100e-6, 1000e-6, 1e6).unwrap();
        assert!(chart.average_parts(100e-6) >= 1e6);
        let found = chart.average_parts(1000e-6);
        assert!(found < 6_000.0, "{found}");
    }

    #[test]
    fn it_signals_until_it_is_reset() {
        let mut chart = BernoulliCusum::new(0.01, 0.1, 1000.0).unwrap();
        while !chart.add(true) {}
        assert!(chart.add(false) && chart.level() == 1.0);
        chart.reset();
        assert!(!chart.signals());
    }

    #[test]
    fn shares_that_are_none_are_refused() {
        for (good, bad) in [(0.0, 0.1), (0.1, 0.1), (0.2, 0.1), (0.1, 1.0), (f64::NAN, 0.1)] {
            assert!(matches!(BernoulliCusum::new(good, bad, 100.0), Err(BernoulliError::Shares { .. })));
        }
        assert!(matches!(BernoulliCusum::new(0.01, 0.010_000_1, 1e12), Err(BernoulliError::Patience { .. })));
    }
}
