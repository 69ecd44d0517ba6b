//! The beta distribution for counts of any size. The library's own stops after 140 steps of its continued fraction, which
//! is too few, silently, from some tens of thousands of parts on.

use statrs::function::gamma::ln_gamma;

/// Where the beta distribution of `a` and `b` (both at least 1) reaches `p`. By halving: the distribution rises
/// everywhere, and 60 halvings leave no digit of an f64 undecided that matters.
pub(crate) fn quantile(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if cumulative(middle, a, b) < p { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The chance of `events` or fewer among `trials` parts, each with chance `share`.
pub(crate) fn binomial_at_most(events: u64, trials: u64, share: f64) -> f64 {
    if events >= trials {
        return 1.0;
    }
    1.0 - cumulative(share, events as f64 + 1.0, (trials - events) as f64)
}

/// The regularised incomplete beta function, by its continued fraction on the side where that converges fast.
/// W. H. Press et al., Numerical Recipes, 3rd edition, section 6.4.
pub(crate) fn cumulative(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction by Lentz's method. It takes some √max(a, b) steps; the bound is far above that for every
/// count that a line can reach.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let not_zero = |v: f64| if v.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { v };
    let (mut c, mut d) = (1.0, 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0)));
    let mut value = d;
    for step in 1..1_000_000_u32 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / not_zero(1.0 + term * d);
            c = not_zero(1.0 + term / c);
            change = c * d;
            value *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chance of at most `x` in `n`, added up term by term: slow, and as plain as the definition.
    fn added_up(x: u64, n: u64, share: f64) -> f64 {
        let (mut term, mut sum) = ((n as f64 * (-share).ln_1p()).exp(), 0.0);
        for k in 0..=x {
            sum += term;
            term *= (n - k) as f64 / (k + 1) as f64 * share / (1.0 - share);
        }
        sum
    }

    #[test]
    fn the_binomial_is_the_sum_of_its_terms() {
        for (x, n, share) in
            [(0, 2, 0.3), (3, 7, 0.5), (40, 1_000, 0.05), (7, 100_000, 1e-4), (300, 100_000, 0.003)]
        {
            let (got, plain) = (binomial_at_most(x, n, share), added_up(x, n, share));
            assert!((got - plain).abs() < 1e-9, "{x} of {n}: {got} for {plain}");
        }
        assert_eq!(binomial_at_most(5, 5, 0.3), 1.0);
    }

    #[test]
    fn a_quantile_leaves_just_its_tail() {
        for (a, b) in [(1.0, 59.0), (2.0, 99.0), (301.0, 99_700.0), (5e5, 5e5)] {
            for p in [0.025, 0.5, 0.95] {
                assert!((cumulative(quantile(p, a, b), a, b) - p).abs() < 1e-9, "{p} of {a}, {b}");
            }
        }
    }
}
