//! CUSUM: small shifts of a measured value add up.

use serde::Serialize;

/// The tabular two-sided CUSUM: `S⁺ = max(0, S⁺ + x − target − slack)` and its mirror; a signal above `limit`.
///
/// E. S. Page, Biometrika 41 (1954); NIST/SEMATECH e-Handbook 6.3.2.3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cusum {
    target: f64,
    slack: f64,
    limit: f64,
    sums: (f64, f64),
}

/// Both sums after a value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CusumPoint {
    /// Of what lies above the target.
    pub high: f64,
    /// Of what lies below it.
    pub low: f64,
    /// True if either is above the limit.
    pub signals: bool,
}

impl Cusum {
    /// `slack` (k) is half the shift to be found, `limit` (h) four or five standard deviations, both in the unit of the
    /// values. `None` for numbers that are not finite, a negative slack or a limit that is not above 0.
    pub fn new(target: f64, slack: f64, limit: f64) -> Option<Self> {
        let is_right = [target, slack, limit].iter().all(|v| v.is_finite()) && slack >= 0.0 && limit > 0.0;
        is_right.then_some(Self { target, slack, limit, sums: (0.0, 0.0) })
    }

    /// Takes up the next value.
    pub fn add(&mut self, value: f64) -> CusumPoint {
        let off = value - self.target;
        let (high, low) = self.sums;
        self.sums = ((high + off - self.slack).max(0.0), (low - off - self.slack).max(0.0));
        let (high, low) = self.sums;
        CusumPoint { high, low, signals: high > self.limit || low > self.limit }
    }

    /// Begins anew, after the cause was found.
    pub fn reset(&mut self) {
        self.sums = (0.0, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST/SEMATECH e-Handbook 6.3.2.3.
    #[test]
    fn the_handbooks_shift_is_signalled_at_the_fourteenth_value() {
        let values = [
            324.925, 324.675, 324.725, 324.35, 325.35, 325.225, 324.125, 324.525, 325.225, 324.6, 324.625,
            325.15, 328.325, 327.25, 327.825, 328.5, 326.675, 327.775, 326.875, 328.35,
        ];
        let mut cusum = Cusum::new(325.0, 0.3175, 4.1959).unwrap();
        let points: Vec<CusumPoint> = values.iter().map(|value| cusum.add(*value)).collect();
        let high = |i: usize| points[i - 1].high;
        for (number, expected) in
            [(5, 0.0325), (13, 3.0075), (14, 4.94), (15, 7.4475), (17, 11.9875), (20, 19.035)]
        {
            assert!((high(number) - expected).abs() < 1e-9, "{number}: {}", high(number));
        }
        // The 16th is 10.63 as the handbook rounds it.
        assert!((high(16) - 10.63).abs() < 1e-9);
        assert_eq!(points.iter().position(|point| point.signals), Some(13));
        cusum.reset();
        assert_eq!(cusum.add(325.0).high, 0.0);
    }
}
