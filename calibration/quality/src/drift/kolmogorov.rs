//! Kolmogorov and Smirnov: the widest gap between two samples' distributions.

use super::{SampleError, check};
use serde::Serialize;

/// Size and significance of the gap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KolmogorovSmirnov {
    /// Widest gap between the two distribution functions, 0..=1: the size of the effect.
    pub gap: f64,
    /// Chance of such a gap or a wider one if both came from one distribution.
    pub p: f64,
}

/// Up to this many pairs the p is exact; beyond, Kolmogorov's limit is as good.
const EXACT_PAIRS: usize = 1_000_000;

/// The two-sided test of two samples.
///
/// The exact p counts lattice paths that stay within the gap (J. L. Hodges, Arkiv för Matematik 3, 1958); the limit is
/// Kolmogorov's series. Ties make the exact p somewhat too large, never too small.
///
/// # Errors
/// For an empty sample, and for values that are not finite.
pub fn kolmogorov_smirnov(first: &[f64], second: &[f64]) -> Result<KolmogorovSmirnov, SampleError> {
    check(first, second, 1)?;
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let (first, second) = (sorted(first), sorted(second));
    let (n, m) = (first.len(), second.len());
    // In whole numbers: |i·m − j·n| of n·m.
    let mut gap = 0;
    let (mut i, mut j) = (0, 0);
    while i < n && j < m {
        let at = first[i].min(second[j]);
        while i < n && first[i] <= at {
            i += 1;
        }
        while j < m && second[j] <= at {
            j += 1;
        }
        gap = gap.max((i * m).abs_diff(j * n));
    }
    let p = if n * m <= EXACT_PAIRS { exact(n, m, gap) } else { limit(n as f64, m as f64, gap) };
    Ok(KolmogorovSmirnov { gap: gap as f64 / (n * m) as f64, p })
}

/// Share of all paths from (0, 0) to (n, m) that somewhere are `gap` or more off the diagonal.
fn exact(n: usize, m: usize, gap: usize) -> f64 {
    if gap == 0 {
        return 1.0;
    }
    // inside[j] is the chance that a random path through (i, j) stayed inside so far; the chance to have come from the
    // left or from below is by how many steps were left to take.
    let mut inside = vec![0.0_f64; m + 1];
    for i in 0..=n {
        for j in 0..=m {
            inside[j] = if (i * m).abs_diff(j * n) >= gap {
                0.0
            } else if i + j == 0 {
                1.0
            } else {
                let from_first = if i > 0 { inside[j] * i as f64 } else { 0.0 };
                let from_second = if j > 0 { inside[j - 1] * j as f64 } else { 0.0 };
                (from_first + from_second) / (i + j) as f64
            };
        }
    }
    (1.0 - inside[m]).clamp(0.0, 1.0)
}

fn limit(n: f64, m: f64, gap: usize) -> f64 {
    let scaled = gap as f64 / (n * m) * (n * m / (n + m)).sqrt();
    if scaled < 0.2 {
        return 1.0; // the series converges slowly there, towards 1
    }
    let term = |k: f64| if k % 2.0 == 1.0 { 1.0 } else { -1.0 } * (-2.0 * k * k * scaled * scaled).exp();
    (2.0 * (1..=100).map(f64::from).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example_to_its_last_digit() {
        let first: Vec<f64> = (1..=20).map(|i| f64::from(i) / 21.0).collect();
        let second: Vec<f64> = first.iter().map(|a| 0.8 * a + 0.25).collect();
        let found = kolmogorov_smirnov(&first, &second).unwrap();
        assert!((found.gap - 0.3).abs() < 1e-12, "{found:?}");
        assert!((found.p - 0.335_591).abs() < 5e-7, "{found:?}");
    }

    #[test]
    fn equal_samples_have_no_gap_and_distant_ones_have_all() {
        let sample = [0.1, 0.2, 0.3, 0.4];
        assert_eq!(kolmogorov_smirnov(&sample, &sample).unwrap(), KolmogorovSmirnov { gap: 0.0, p: 1.0 });
        let far = [1.1, 1.2, 1.3, 1.4];
        let found = kolmogorov_smirnov(&sample, &far).unwrap();
        // Two of the 70 orders are as extreme.
        assert!(found.gap == 1.0 && (found.p - 2.0 / 70.0).abs() < 1e-12, "{found:?}");
        assert!(kolmogorov_smirnov(&[], &far).is_err());
        assert!(kolmogorov_smirnov(&[f64::NAN], &far).is_err());
    }

    #[test]
    fn the_limit_meets_the_exact_p_where_one_takes_over() {
        for gap in [30_000, 45_000, 60_000] {
            let (exact, limit) = (exact(1000, 900, gap), limit(1000.0, 900.0, gap));
            assert!((exact - limit).abs() < 0.02, "{exact} and {limit}");
        }
    }
}
