//! Are two ways of judging different? Exact tests, for the small numbers that escapes are.

use crate::beta;
use statrs::distribution::{Discrete as _, Hypergeometric};

/// McNemar's test on parts that both ways judged: of the `only_first` + `only_second` parts on which they disagree,
/// could the split be a coin's? The two-sided p of the exact (binomial) form; 1 where they never disagree.
///
/// Q. McNemar, Psychometrika 12 (1947).
pub fn mcnemar_exact(only_first: u64, only_second: u64) -> f64 {
    let all = only_first + only_second;
    if all == 0 {
        return 1.0;
    }
    (2.0 * beta::binomial_at_most(only_first.min(only_second), all, 0.5)).min(1.0)
}

/// Fisher's exact test, two-sided: could `a` of `a_all` and `b` of `b_all` have the same true share? The sum over all
/// tables of the same margins that are no more probable than the one seen.
pub fn fisher_exact((a, a_all): (u64, u64), (b, b_all): (u64, u64)) -> f64 {
    if a > a_all || b > b_all {
        return f64::NAN;
    }
    let (events, all) = (a + b, a_all + b_all);
    let Ok(tables) = Hypergeometric::new(all, events, a_all) else { return f64::NAN };
    // By logarithms: the binomials of some hundred parts leave what a number can hold.
    let chance = |x: u64| tables.ln_pmf(x).exp();
    let seen = chance(a);
    let (fewest, most) = (events.saturating_sub(b_all), events.min(a_all));
    // A table as probable as the one seen counts; its probability may differ in the last digits.
    let sum: f64 = (fewest..=most).map(chance).filter(|p| *p <= seen * (1.0 + 1e-7)).sum();
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reject_rate_of_the_worked_example_has_changed() {
        let p = fisher_exact((30, 1000), (60, 1000));
        assert!((p - 0.001_620_6).abs() < 1e-7, "{p}");
        assert!((fisher_exact((5, 100), (5, 100)) - 1.0).abs() < 1e-9);
        assert!((fisher_exact((0, 10), (0, 20)) - 1.0).abs() < 1e-12);
        assert!(fisher_exact((3, 2), (0, 5)).is_nan());
    }

    #[test]
    fn a_split_of_nought_to_six_is_hardly_a_coins() {
        assert!((mcnemar_exact(0, 6) - 2.0 / 64.0).abs() < 1e-12);
        assert_eq!(mcnemar_exact(0, 0), 1.0);
        assert_eq!(mcnemar_exact(4, 4), 1.0);
        assert_eq!(mcnemar_exact(2, 7), mcnemar_exact(7, 2));
    }
}
