//! Linearity and bias: is the gauge as right at the ends of its range as in the middle?

use crate::{Confidence, Interval};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// A coefficient of the line, its interval, and the chance to see it if it were 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fit {
    /// As fitted.
    pub value: f64,
    /// Where the true one lies.
    pub interval: Interval,
    /// Two-sided p of the t test against 0.
    pub p: f64,
}

/// Bias over the range: `bias = intercept + slope · reference`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Linearity {
    /// Bias gained a unit of the reference; 0 for a linear gauge.
    pub slope: Fit,
    /// Bias at reference 0.
    pub intercept: Fit,
    /// Share of the biases' spread that the line explains, 0..=1.
    pub r2: f64,
    /// Mean bias at each reference, ascending.
    pub biases: Vec<(f64, f64)>,
}

impl Linearity {
    /// True if neither coefficient can be told from 0 at `risk`: the gauge is linear and without bias.
    pub fn is_acceptable(&self, risk: f64) -> bool {
        self.slope.p > risk && self.intercept.p > risk
    }
}

/// Of pairs (reference, measured), by least squares over single biases.
///
/// # Errors
/// With fewer than three pairs or two references, or with what is no number.
pub fn linearity(pairs: &[(f64, f64)], confidence: Confidence) -> Result<Linearity, LinearityError> {
    if let Some(at) = pairs.iter().position(|(x, y)| !x.is_finite() || !y.is_finite()) {
        return Err(LinearityError::NotANumber { at });
    }
    let mut references: Vec<f64> = pairs.iter().map(|(reference, _)| *reference).collect();
    references.sort_by(f64::total_cmp);
    references.dedup();
    if references.len() < 2 || pairs.len() < 3 {
        return Err(LinearityError::TooFew { pairs: pairs.len(), references: references.len() });
    }
    let n = pairs.len() as f64;
    let bias = |(reference, measured): &(f64, f64)| measured - reference;
    let x_mean = pairs.iter().map(|(x, _)| x).sum::<f64>() / n;
    let y_mean = pairs.iter().map(bias).sum::<f64>() / n;
    let sxx: f64 = pairs.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    let sxy: f64 = pairs.iter().map(|pair| (pair.0 - x_mean) * (bias(pair) - y_mean)).sum();
    let syy: f64 = pairs.iter().map(|pair| (bias(pair) - y_mean).powi(2)).sum();
    let slope = sxy / sxx;
    let intercept = y_mean - slope * x_mean;
    let left: f64 = pairs.iter().map(|pair| (bias(pair) - intercept - slope * pair.0).powi(2)).sum();
    let variance = left / (n - 2.0);
    let t = StudentsT::new(0.0, 1.0, n - 2.0).expect("there are three pairs");
    let wide = t.inverse_cdf(1.0 - confidence.risk() / 2.0);
    let fit = |value: f64, error: f64| Fit {
        value,
        interval: Interval { lower: value - wide * error, upper: value + wide * error },
        // A line through every point leaves no doubt, unless it lies at 0.
        p: if error > 0.0 { 2.0 * t.cdf(-(value / error).abs()) } else { f64::from(u8::from(value == 0.0)) },
    };
    let biases = references
        .into_iter()
        .map(|reference| {
            let at: Vec<f64> = pairs.iter().filter(|(x, _)| *x == reference).map(bias).collect();
            (reference, at.iter().sum::<f64>() / at.len() as f64)
        })
        .collect();
    Ok(Linearity {
        slope: fit(slope, (variance / sxx).sqrt()),
        intercept: fit(intercept, (variance * (1.0 / n + x_mean * x_mean / sxx)).sqrt()),
        r2: if syy > 0.0 { 1.0 - left / syy } else { 1.0 },
        biases,
    })
}

/// Why there is no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinearityError {
    /// NaN or infinity.
    #[error("measurement number {} or its reference is no number", at + 1)]
    NotANumber {
        /// Where, from 0.
        at: usize,
    },
    /// Not a range.
    #[error(
        "{pairs} measurements of {references} references make no line; take at least two references that differ, better five, each measured ten times"
    )]
    TooFew {
        /// Given.
        pairs: usize,
        /// Different ones.
        references: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AIAG's example: five references, twelve trials each.
    fn aiag() -> Vec<(f64, f64)> {
        let rows: [(f64, [f64; 12]); 5] = [
            (2.0, [2.7, 2.5, 2.4, 2.5, 2.7, 2.3, 2.5, 2.5, 2.4, 2.4, 2.6, 2.4]),
            (4.0, [5.1, 3.9, 4.2, 5.0, 3.8, 3.9, 3.9, 3.9, 3.9, 4.0, 4.1, 3.8]),
            (6.0, [5.8, 5.7, 5.9, 5.9, 6.0, 6.1, 6.0, 6.1, 6.4, 6.3, 6.0, 6.1]),
            (8.0, [7.6, 7.7, 7.8, 7.7, 7.8, 7.8, 7.8, 7.7, 7.8, 7.5, 7.6, 7.7]),
            (10.0, [9.1, 9.3, 9.5, 9.3, 9.4, 9.5, 9.5, 9.5, 9.6, 9.2, 9.3, 9.4]),
        ];
        rows.iter().flat_map(|(reference, values)| values.map(|value| (*reference, value))).collect()
    }

    #[test]
    fn aiags_gauge_is_not_linear() {
        let found = linearity(&aiag(), Confidence::NINETY_FIVE).unwrap();
        assert!((found.slope.value + 0.131_667).abs() < 1e-6, "{found:?}");
        assert!((found.intercept.value - 0.736_667).abs() < 1e-6, "{found:?}");
        assert!((found.r2 - 0.714).abs() < 1e-3, "{found:?}");
        assert!(!found.is_acceptable(0.05) && found.slope.p < 1e-9, "{found:?}");
        assert_eq!(found.biases.len(), 5);
        assert!((found.biases[0].1 - 0.491_667).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn a_gauge_without_bias_is_acceptable_and_one_reference_is_no_range() {
        let exact: Vec<(f64, f64)> = (0..12)
            .map(|i| (f64::from(i % 3), f64::from(i % 3) + if i % 2 == 0 { 0.1 } else { -0.1 }))
            .collect();
        assert!(linearity(&exact, Confidence::NINETY_FIVE).unwrap().is_acceptable(0.05));
        assert!(linearity(&[(1.0, 1.0); 5], Confidence::NINETY_FIVE).is_err());
        assert!(linearity(&[(1.0, f64::NAN)], Confidence::NINETY_FIVE).is_err());
    }
}
