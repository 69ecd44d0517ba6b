//! Population stability index: how far a histogram has moved.

/// `Σ (now − then) ln(now / then)` over bins of shares. Below 0.1 is nothing, above 0.25 asks for action: a convention,
/// not a test.
///
/// Shares below 10⁻⁴ count as that, so that an empty bin is a finite surprise.
///
/// # Errors
/// For histograms of different or no length, and for shares that are negative, no numbers, or do not sum to 1.
pub fn psi(then: &[f64], now: &[f64]) -> Result<f64, PsiError> {
    const LEAST: f64 = 1e-4;
    if then.len() != now.len() || then.is_empty() {
        return Err(PsiError::Bins { then: then.len(), now: now.len() });
    }
    for shares in [then, now] {
        let sum: f64 = shares.iter().sum();
        if shares.iter().any(|share| share.is_nan() || *share < 0.0) || (sum - 1.0).abs() > 1e-6 {
            return Err(PsiError::Shares { sum });
        }
    }
    let moved = |(then, now): (&f64, &f64)| {
        let (then, now) = (then.max(LEAST), now.max(LEAST));
        (now - then) * (now / then).ln()
    };
    Ok(then.iter().zip(now).map(moved).sum())
}

/// Histograms that cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PsiError {
    /// Different bins.
    #[error("histograms of {then} and {now} bins cannot be compared; both need the same bins, at least one")]
    Bins {
        /// In the first.
        then: usize,
        /// In the second.
        now: usize,
    },
    /// No shares.
    #[error("a histogram's shares sum to {sum}; they must be 0 or more and sum to 1")]
    Shares {
        /// Of the shares given.
        sum: f64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example() {
        let now = [0.05, 0.06, 0.08, 0.09, 0.10, 0.10, 0.11, 0.12, 0.14, 0.15];
        assert!((psi(&[0.1; 10], &now).unwrap() - 0.098_938_5).abs() < 5e-8);
        assert_eq!(psi(&[0.1; 10], &[0.1; 10]), Ok(0.0));
        assert!(psi(&[1.0, 0.0], &[0.0, 1.0]).unwrap().is_finite());
        assert!(psi(&[1.0], &[0.5, 0.5]).is_err() && psi(&[], &[]).is_err());
        assert!(psi(&[1.0], &[0.9]).is_err() && psi(&[2.0, -1.0], &[0.5, 0.5]).is_err());
    }
}
