//! Type 1 study: one known part, measured again and again. Is the gauge good enough to begin a study with?

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// What Cg and Cgk are reckoned with. Plants differ: some take a tenth of the tolerance, some four deviations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Type1Settings {
    /// The share of the tolerance that the gauge may use up.
    pub tolerance_share: f64,
    /// Standard deviations that make up the gauge's spread.
    pub deviations: f64,
}

impl Default for Type1Settings {
    /// A fifth of the tolerance, six standard deviations.
    fn default() -> Self {
        Self { tolerance_share: 0.2, deviations: 6.0 }
    }
}

/// What the study says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Type1 {
    /// Repetitions.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// Mean less reference.
    pub bias: f64,
    /// Chance of such a bias if there were none (two-sided t test).
    pub bias_p: f64,
    /// Spread against tolerance; 1.33 is the usual limit.
    pub cg: f64,
    /// The same with the bias counted in.
    pub cgk: f64,
}

/// `values` of one part whose true value is `reference`, for a tolerance `tolerance` wide.
///
/// `Cg = share · T / (k · s)`, `Cgk = (share/2 · T − |bias|) / (k/2 · s)`.
///
/// # Errors
/// With fewer than ten values, with values that do not differ or are no numbers, or without a tolerance.
pub fn type1(
    values: &[f64],
    reference: f64,
    tolerance: f64,
    settings: Type1Settings,
) -> Result<Type1, Type1Error> {
    let n = values.len();
    if n < 10 {
        return Err(Type1Error::TooFew { n });
    }
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return Err(Type1Error::NotANumber { at });
    }
    let Type1Settings { tolerance_share, deviations } = settings;
    let positive = [tolerance, tolerance_share, deviations];
    if !positive.iter().all(|v| *v > 0.0 && v.is_finite()) || !reference.is_finite() {
        return Err(Type1Error::Tolerance { tolerance, reference });
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1) as f64).sqrt();
    if deviation == 0.0 {
        return Err(Type1Error::NoSpread { value: mean });
    }
    let bias = mean - reference;
    let t = bias / (deviation / (n as f64).sqrt());
    let chance = StudentsT::new(0.0, 1.0, (n - 1) as f64).expect("n is at least 10");
    let allowed = tolerance_share * tolerance;
    Ok(Type1 {
        n,
        mean,
        deviation,
        bias,
        bias_p: 2.0 * chance.cdf(-t.abs()),
        cg: allowed / (deviations * deviation),
        cgk: (allowed / 2.0 - bias.abs()) / (deviations / 2.0 * deviation),
    })
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Type1Error {
    /// Too few.
    #[error("{n} repetitions are too few for a type 1 study; take at least 10, better 50")]
    TooFew {
        /// Given.
        n: usize,
    },
    /// NaN or infinity.
    #[error("repetition number {} is no number; a missed measurement is no measurement: take it again", at + 1)]
    NotANumber {
        /// Where, from 0.
        at: usize,
    },
    /// All alike.
    #[error(
        "every repetition gave {value}; the gauge's resolution is too coarse for its spread to be seen, or the picture was the same one"
    )]
    NoSpread {
        /// The one value.
        value: f64,
    },
    /// Nothing to compare with.
    #[error(
        "a tolerance {tolerance} wide around the reference {reference} is none; give the width of the tolerance and the part's certified value"
    )]
    Tolerance {
        /// As given.
        tolerance: f64,
        /// As given.
        reference: f64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values with this mean and standard deviation exactly.
    fn values(mean: f64, deviation: f64) -> Vec<f64> {
        let n = 50_usize;
        let raw: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let scale = deviation / (n as f64 / (n - 1) as f64).sqrt();
        raw.into_iter().map(|v| mean + v * scale).collect()
    }

    #[test]
    fn cg_and_cgk_of_the_worked_example() {
        let settings = Type1Settings::default();
        let found = type1(&values(10.001, 0.0012), 10.0, 0.1, settings).unwrap();
        assert!((found.cg - 2.7778).abs() < 1e-4 && (found.cgk - 2.5).abs() < 1e-4, "{found:?}");
        assert!(found.bias_p < 1e-6, "{found:?}");
        let four = Type1Settings { deviations: 4.0, ..settings };
        let found = type1(&values(10.001, 0.0012), 10.0, 0.1, four).unwrap();
        assert!((found.cg - 4.1667).abs() < 1e-4 && (found.cgk - 3.75).abs() < 1e-4, "{found:?}");
    }

    #[test]
    fn a_study_of_nothing_is_refused() {
        let study = |values: &[f64]| type1(values, 10.0, 0.1, Type1Settings::default()).unwrap_err();
        assert!(matches!(study(&[10.0; 9]), Type1Error::TooFew { n: 9 }));
        assert!(matches!(study(&[10.0; 20]), Type1Error::NoSpread { .. }));
        let mut values = values(10.0, 0.1);
        values[3] = f64::NAN;
        assert!(study(&values).to_string().contains("number 4"));
        assert!(type1(&[1.0; 12], 1.0, 0.0, Type1Settings::default()).is_err());
    }
}
