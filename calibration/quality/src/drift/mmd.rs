//! Maximum mean discrepancy: a distance of two samples that sees more than their means.

use super::{SampleError, check};
use serde::Serialize;

/// The squared distance, both ways of estimating it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mmd {
    /// Never negative; too large by a little on small samples.
    pub biased: f64,
    /// Right on the average, hence sometimes negative.
    pub unbiased: f64,
}

/// With a Gaussian kernel `exp(−d² / 2 width²)`. Costs the square of the samples' sizes: take a thousand values at most.
///
/// A. Gretton et al., "A kernel two-sample test", Journal of Machine Learning Research 13 (2012).
///
/// # Errors
/// For samples of fewer than two values, and for values (or a width) that are not finite.
pub fn mmd(first: &[f64], second: &[f64], width: f64) -> Result<Mmd, SampleError> {
    check(first, second, 2)?;
    if !(width > 0.0 && width.is_finite()) {
        return Err(SampleError::NotANumber);
    }
    let kernel = |a: f64, b: f64| (-(a - b).powi(2) / (2.0 * width * width)).exp();
    let sum =
        |a: &[f64], b: &[f64]| a.iter().map(|x| b.iter().map(|y| kernel(*x, *y)).sum::<f64>()).sum::<f64>();
    let (n, m) = (first.len() as f64, second.len() as f64);
    let (own, other, across) = (sum(first, first), sum(second, second), sum(first, second));
    let cross = 2.0 * across / (n * m);
    Ok(Mmd {
        biased: own / (n * n) + other / (m * m) - cross,
        // A value's kernel with itself is 1 and says nothing.
        unbiased: (own - n) / (n * (n - 1.0)) + (other - m) / (m * (m - 1.0)) - cross,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example() {
        let found = mmd(&[0.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0], 1.0).unwrap();
        assert!((found.biased - 0.124_958_1).abs() < 5e-8, "{found:?}");
        assert!((found.unbiased + 0.199_927_6).abs() < 5e-8, "{found:?}");
        assert!(mmd(&[0.0], &[1.0, 2.0], 1.0).is_err() && mmd(&[0.0, 1.0], &[1.0, 2.0], 0.0).is_err());
    }
}
