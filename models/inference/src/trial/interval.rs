//! Between which bounds the middle of what was measured lies, and how sure that is.

use serde::Serialize;

/// A median with an interval that holds the true one, whatever the figures' distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The middle of the figures.
    pub median: f64,
    /// One of the figures.
    pub low: f64,
    /// One of the figures.
    pub high: f64,
    /// Probability that such an interval holds the true median; 0.95 or more from six figures on.
    pub confidence: f64,
}

impl Interval {
    /// Below this nothing is said to differ.
    pub const CONFIDENCE_MIN: f64 = 0.95;

    /// From independent figures, at least one: the narrowest two of them, equally far from either end, that the sign
    /// test allows (each figure is above the true median with probability ½, so that the number above is binomial).
    /// With fewer than six the widest there is, and `confidence` says how little that means.
    pub fn of_median(figures: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let len = sorted.len();
        let median = f64::midpoint(sorted[(len - 1) / 2], sorted[len / 2]);
        // P(at most k of len are above), for k from 0: the probability that the interval misses on one side.
        let mut found = Self { median, low, high, confidence: 1.0 - 2.0 * 0.5_f64.powi(len as i32) };
        let (mut term, mut tail) = (0.5_f64.powi(len as i32), 0.0);
        for k in 0..len / 2 {
            tail += term;
            term *= (len - k) as f64 / (k + 1) as f64;
            let confidence = 1.0 - 2.0 * tail;
            if confidence < Self::CONFIDENCE_MIN {
                break;
            }
            found = Self { median, low: sorted[k], high: sorted[len - 1 - k], confidence };
        }
        found.confidence = found.confidence.max(0.0);
        Some(found)
    }

    /// True if the median is surely above `value`.
    pub fn surely_above(&self, value: f64) -> bool {
        self.low > value && self.confidence >= Self::CONFIDENCE_MIN
    }

    /// True if the median is surely below `value`.
    pub fn surely_below(&self, value: f64) -> bool {
        self.high < value && self.confidence >= Self::CONFIDENCE_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Conover, Practical Nonparametric Statistics, 3rd edition, table A3 (binomial, p = ½) gives the tails.
    #[test]
    fn the_interval_is_that_of_the_sign_test() {
        let figures = |len: usize| (1..=len).map(|i| i as f64).collect::<Vec<_>>();
        for (len, low, high, confidence) in [
            (5, 1.0, 5.0, 0.9375),
            (6, 1.0, 6.0, 0.96875),
            (8, 1.0, 8.0, 0.992_187_5),
            (9, 2.0, 8.0, 0.960_937_5),
            (11, 2.0, 10.0, 0.988_281_25),
            (12, 3.0, 10.0, 0.961_425_781_25),
        ] {
            let got = Interval::of_median(&figures(len)).unwrap();
            assert_eq!((got.low, got.high, got.confidence), (low, high, confidence), "{len} figures");
        }
    }

    #[test]
    fn few_figures_tell_nothing_however_clear_they_look() {
        assert!(Interval::of_median(&[]).is_none());
        assert!(!Interval::of_median(&[2.0; 5]).unwrap().surely_above(1.0));
        let six = Interval::of_median(&[2.0; 6]).unwrap();
        assert!(six.surely_above(1.0) && six.surely_below(3.0) && !six.surely_below(2.0));
        assert_eq!(Interval::of_median(&[3.0]).unwrap().confidence, 0.0);
    }
}
