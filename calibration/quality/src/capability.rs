//! How much of its tolerance a process uses, with the uncertainty of that figure.

use crate::{Confidence, Interval};
use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF as _, Normal};

/// Limits of a dimension; at least one is there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tolerance {
    lower: Option<f64>,
    upper: Option<f64>,
}

impl Tolerance {
    /// # Errors
    /// Without any limit, with a limit that is no number, or with the lower not below the upper.
    pub fn new(lower: Option<f64>, upper: Option<f64>) -> Result<Self, CapabilityError> {
        let is_right = match (lower, upper) {
            (Some(lower), Some(upper)) => lower < upper && lower.is_finite() && upper.is_finite(),
            (Some(limit), None) | (None, Some(limit)) => limit.is_finite(),
            (None, None) => false,
        };
        if is_right { Ok(Self { lower, upper }) } else { Err(CapabilityError::Tolerance { lower, upper }) }
    }
}

/// A figure with where the true one lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// As computed.
    pub value: f64,
    /// Of the true one.
    pub interval: Interval,
}

/// How a process sits in its tolerance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Capability {
    /// Tolerance by six standard deviations; `None` with one limit only.
    pub cp: Option<Estimate>,
    /// Distance of the mean from the nearer limit, by three standard deviations.
    pub cpk: Estimate,
}

/// Of `n` values with this mean and standard deviation (within subgroups for Cp and Cpk, of all for Pp and Ppk).
///
/// Cp's interval is exact for normal values (its variance is chi-square); Cpk's is A. F. Bissell's approximation,
/// Applied Statistics 39 (1990).
///
/// # Errors
/// With fewer than two values or a standard deviation that is not above 0.
pub fn capability(
    mean: f64,
    deviation: f64,
    n: usize,
    tolerance: Tolerance,
    confidence: Confidence,
) -> Result<Capability, CapabilityError> {
    if n < 2 || !(deviation > 0.0 && deviation.is_finite() && mean.is_finite()) {
        return Err(CapabilityError::Values { n, mean, deviation });
    }
    let (tail, free) = (confidence.risk() / 2.0, n as f64 - 1.0);
    let spread = ChiSquared::new(free).expect("n is at least 2");
    let cp = tolerance.lower.zip(tolerance.upper).map(|(lower, upper)| {
        let value = (upper - lower) / (6.0 * deviation);
        let times = |p: f64| value * (spread.inverse_cdf(p) / free).sqrt();
        Estimate { value, interval: Interval { lower: times(tail), upper: times(1.0 - tail) } }
    });
    let sides = [tolerance.upper.map(|upper| upper - mean), tolerance.lower.map(|lower| mean - lower)];
    let nearer = sides.into_iter().flatten().fold(f64::INFINITY, f64::min);
    let value = nearer / (3.0 * deviation);
    let z = Normal::standard().inverse_cdf(1.0 - tail);
    let half = z * (1.0 / (9.0 * n as f64) + value * value / (2.0 * free)).sqrt();
    let interval = Interval { lower: value - half, upper: value + half };
    Ok(Capability { cp, cpk: Estimate { value, interval } })
}

/// Why there is no capability.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum CapabilityError {
    /// No limits to be within.
    #[error(
        "a tolerance of {lower:?} to {upper:?} is none; give a lower limit, a higher upper limit, or both"
    )]
    Tolerance {
        /// As given.
        lower: Option<f64>,
        /// As given.
        upper: Option<f64>,
    },
    /// Nothing to compute from.
    #[error(
        "{n} values with mean {mean} and standard deviation {deviation} have no capability; it takes at least two values that differ"
    )]
    Values {
        /// How many.
        n: usize,
        /// As given.
        mean: f64,
        /// As given.
        deviation: f64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST/SEMATECH e-Handbook, 6.1.6: limits 8 and 20, mean 16, standard deviation 2.
    #[test]
    fn the_handbooks_process_fills_its_tolerance_and_sits_off_centre() {
        let tolerance = Tolerance::new(Some(8.0), Some(20.0)).unwrap();
        let found = capability(16.0, 2.0, 50, tolerance, Confidence::NINETY_FIVE).unwrap();
        let cp = found.cp.unwrap();
        assert!((cp.value - 1.0).abs() < 1e-12 && (found.cpk.value - 0.666_667).abs() < 1e-6, "{found:?}");
        // χ²(49) at 2.5 % and 97.5 %: 31.5549 and 70.2224.
        assert!((cp.interval.lower - (31.5549_f64 / 49.0).sqrt()).abs() < 1e-5, "{cp:?}");
        assert!((cp.interval.upper - (70.2224_f64 / 49.0).sqrt()).abs() < 1e-5, "{cp:?}");
        assert!(found.cpk.interval.contains(0.6667) && found.cpk.interval.lower > 0.5, "{found:?}");
    }

    #[test]
    fn one_limit_has_no_cp_and_nonsense_is_refused() {
        let upper = Tolerance::new(None, Some(20.0)).unwrap();
        let found = capability(14.0, 2.0, 10, upper, Confidence::NINETY_FIVE).unwrap();
        assert_eq!((found.cp, found.cpk.value), (None, 1.0));
        assert!(Tolerance::new(None, None).is_err() && Tolerance::new(Some(2.0), Some(1.0)).is_err());
        for (n, deviation) in [(1, 1.0), (10, 0.0), (10, f64::NAN)] {
            assert!(capability(1.0, deviation, n, upper, Confidence::NINETY_FIVE).is_err());
        }
    }
}
