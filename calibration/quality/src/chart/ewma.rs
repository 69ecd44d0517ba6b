//! EWMA: a mean that forgets, for slow drifts.

use serde::Serialize;

/// Exponentially weighted moving average, `z = λ x + (1 − λ) z`, with limits that widen to their steady width.
///
/// S. W. Roberts, Technometrics 1 (1959); NIST/SEMATECH e-Handbook 6.3.2.4.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ewma {
    weight: f64,
    mean: f64,
    deviation: f64,
    width: f64,
    z: f64,
    faded: f64,
}

/// One value's place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EwmaPoint {
    /// The weighted mean.
    pub value: f64,
    /// Lower limit at this point.
    pub lower: f64,
    /// Upper limit at this point.
    pub upper: f64,
}

impl EwmaPoint {
    /// True outside the limits.
    pub fn is_out(&self) -> bool {
        self.value < self.lower || self.value > self.upper
    }
}

impl Ewma {
    /// Around `mean`, for single values that spread by `deviation`. `weight` (λ) in 0..=1 without 0, 0.05 to 0.3 being
    /// usual; `width` (L) in standard deviations, 3 or somewhat less. `None` for numbers outside these.
    pub fn new(mean: f64, deviation: f64, weight: f64, width: f64) -> Option<Self> {
        let is_right = weight > 0.0 && weight <= 1.0 && deviation > 0.0 && width > 0.0;
        let is_finite = [mean, deviation, width].iter().all(|v| v.is_finite());
        (is_right && is_finite).then_some(Self { weight, mean, deviation, width, z: mean, faded: 1.0 })
    }

    /// Takes up the next value.
    pub fn add(&mut self, value: f64) -> EwmaPoint {
        self.z += self.weight * (value - self.z);
        self.faded *= (1.0 - self.weight).powi(2);
        let steady = self.weight / (2.0 - self.weight);
        let half = self.width * self.deviation * (steady * (1.0 - self.faded)).sqrt();
        EwmaPoint { value: self.z, lower: self.mean - half, upper: self.mean + half }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST/SEMATECH e-Handbook 6.3.2.4.
    #[test]
    fn the_handbooks_values_stay_within_their_limits() {
        let values = [
            52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5, 49.6, 47.6, 49.9, 51.3, 47.8, 51.2,
            52.6, 52.4, 53.6, 52.1,
        ];
        let expected = [
            50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33, 50.11, 49.36, 49.52, 50.05,
            49.38, 49.92, 50.73, 51.23, 51.94, 51.99,
        ];
        let mut ewma = Ewma::new(50.0, 2.0539, 0.3, 3.0).unwrap();
        for (value, expected) in values.into_iter().zip(expected) {
            let point = ewma.add(value);
            assert!((point.value - expected).abs() <= 0.0051, "{point:?} for {expected}");
            assert!(!point.is_out());
        }
        for _ in 0..100 {
            ewma.add(50.0);
        }
        let steady = ewma.add(50.0);
        assert!((steady.upper - 52.5884).abs() < 1e-4 && (steady.lower - 47.4116).abs() < 1e-4, "{steady:?}");
    }

    #[test]
    fn numbers_that_make_no_chart_make_none() {
        assert!(Ewma::new(0.0, 1.0, 0.0, 3.0).is_none() && Ewma::new(0.0, 0.0, 0.2, 3.0).is_none());
        assert!(Ewma::new(f64::NAN, 1.0, 0.2, 3.0).is_none());
    }
}
