//! How sure one can be of a share that was counted: the exact interval of Clopper and Pearson.
//!
//! C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
//! Biometrika 26 (1934). Its bounds are quantiles of the beta distribution.

/// The two-sided interval, within 0..=1, of the share of which `hits` in `of` were counted. It holds the true share at
/// least in `confidence` (0.95: in 95 of 100) of all cases, however few were counted.
///
/// `None` where nothing was counted, `hits` is more than `of`, or `confidence` is not between 0 and 1.
pub fn clopper_pearson(hits: u64, of: u64, confidence: f64) -> Option<(f64, f64)> {
    if of == 0 || hits > of || !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let tail = (1.0 - confidence) / 2.0;
    let (x, n) = (hits as f64, of as f64);
    let low = if hits == 0 { 0.0 } else { quantile(tail, x, n - x + 1.0) };
    let high = if hits == of { 1.0 } else { quantile(1.0 - tail, x + 1.0, n - x) };
    Some((low, high))
}

/// Where the beta distribution of `a` and `b` (both at least 1) reaches `p`. By halving: the distribution rises
/// everywhere, and 60 halvings leave no digit of an f64 undecided that matters.
fn quantile(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if beta(middle, a, b) < p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The regularised incomplete beta function, by its continued fraction on the side where that converges fast.
/// W. H. Press et al., Numerical Recipes, 3rd edition, section 6.4.
fn beta(x: f64, a: f64, b: f64) -> f64 {
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

/// ln Γ(x) for x ≥ 1, to about 14 digits. C. Lanczos (1964), with the coefficients of P. Godfrey for g = 7.
fn ln_gamma(x: f64) -> f64 {
    const G: f64 = 7.0;
    const FIRST: f64 = 0.999_999_999_999_809_9;
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let series = COEFFICIENTS.iter().zip(1..).fold(FIRST, |sum, (c, k)| sum + c / (x + f64::from(k)));
    let t = x + G + 0.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + series.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_those_of_the_published_tables() {
        // hits, of, confidence, lower, upper. A one-sided 95 % bound is a side of the two-sided 90 % interval.
        let rows = [
            (10, 20, 0.95, Some(0.271_957_8), 0.728_042_2),
            (2, 100, 0.95, Some(0.002_431_3), 0.070_383_9),
            (0, 29, 0.95, Some(0.0), 0.119_444_9),
            (0, 29, 0.90, Some(0.0), 0.098_144_6),
            (0, 59, 0.90, Some(0.0), 0.049_507_6),
            (0, 299, 0.90, Some(0.0), 0.009_969_15),
            (1, 473, 0.90, None, 0.009_989_71),
            (2, 100, 0.90, None, 0.061_619_2),
            (3, 300, 0.90, None, 0.025_641_4),
            (5, 1000, 0.90, None, 0.010_484_1),
        ];
        for (hits, of, confidence, lower, upper) in rows {
            let (low, high) = clopper_pearson(hits, of, confidence).expect("counted");
            assert!(lower.is_none_or(|lower| (low - lower).abs() < 1e-7), "{hits}/{of}: {low}");
            assert!((high - upper).abs() < 1e-7, "{hits}/{of}: {high}");
        }
    }

    /// The chance of at most `x` hits in `n`, added up term by term: slow, and as plain as the definition.
    fn at_most(x: u64, n: u64, share: f64) -> f64 {
        let (mut term, mut sum) = ((n as f64 * (-share).ln_1p()).exp(), 0.0);
        for k in 0..=x {
            sum += term;
            term *= (n - k) as f64 / (k + 1) as f64 * share / (1.0 - share);
        }
        sum
    }

    #[test]
    fn each_bound_leaves_just_its_tail_outside() {
        for (hits, of) in [(1, 2), (3, 7), (1, 100), (40, 1_000), (7, 100_000), (300, 100_000)] {
            let (low, high) = clopper_pearson(hits, of, 0.95).expect("counted");
            assert!((at_most(hits, of, high) - 0.025).abs() < 1e-9, "{hits}/{of} upper {high}");
            assert!((1.0 - at_most(hits - 1, of, low) - 0.025).abs() < 1e-9, "{hits}/{of} lower {low}");
        }
    }

    #[test]
    fn a_year_of_parts_still_has_an_interval_and_it_is_symmetric() {
        let of = 3_000_000_000;
        let (low, high) = clopper_pearson(of / 2, of, 0.95).expect("counted");
        // The normal approximation is exact enough here: ± 1.96 · √(¼ / n).
        let wide = 1.959_964 * (0.25 / of as f64).sqrt();
        assert!((high - 0.5 - wide).abs() < 1e-3 * wide && (0.5 - low - wide).abs() < 1e-3 * wide);
        let (low, high) = clopper_pearson(3, of, 0.95).expect("counted");
        let (mirror_low, mirror_high) = clopper_pearson(of - 3, of, 0.95).expect("counted");
        assert!(
            low > 0.0 && high < 3e-9 + 6e-9 && (1.0 - high - mirror_low).abs() < 1e-9 && mirror_high < 1.0
        );
    }

    #[test]
    fn what_was_not_counted_has_no_interval_and_all_or_nothing_is_open_on_one_side() {
        assert_eq!(clopper_pearson(0, 0, 0.95), None);
        assert_eq!(clopper_pearson(3, 2, 0.95), None);
        assert_eq!(clopper_pearson(1, 2, 1.0), None);
        assert_eq!(clopper_pearson(1, 2, f64::NAN), None);
        assert_eq!(clopper_pearson(0, 5, 0.95).map(|(low, _)| low), Some(0.0));
        assert_eq!(clopper_pearson(5, 5, 0.95).map(|(_, high)| high), Some(1.0));
    }
}
