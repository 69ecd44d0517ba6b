//! Charts of shares: p, np, and Laney's p′ for large samples whose share wanders more than chance explains.
//!
//! For reject rates in ppm use [`super::BernoulliCusum`]: a sample large enough for a p chart takes a week to fill.

use serde::{Deserialize, Serialize};

/// One sample: so many rejects among so many parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Rejects.
    pub rejects: u64,
    /// Parts, at least 1.
    pub parts: u64,
}

/// A sample's place in its chart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// What is drawn: a share (p, p′) or a count (np).
    pub value: f64,
    /// Lower control limit; never below 0.
    pub lower: f64,
    /// Centre line.
    pub centre: f64,
    /// Upper control limit; never above 1 (share) or the sample (count).
    pub upper: f64,
    /// Distance from the centre in standard deviations, for [`super::nelson`].
    pub z: f64,
}

impl Limits {
    /// True outside the limits.
    pub fn is_out(&self) -> bool {
        self.value < self.lower || self.value > self.upper
    }
}

/// The p chart: `p̄ ± 3 √(p̄ (1 − p̄) / n)`, limits for each sample's own size.
///
/// D. C. Montgomery, *Introduction to Statistical Quality Control*, on attribute charts.
///
/// # Errors
/// Without a sample, with one of no parts or more rejects than parts, or where all or none are rejects.
pub fn p_chart(samples: &[Counted]) -> Result<Vec<Limits>, ChartError> {
    let centre = pooled(samples)?;
    Ok(samples.iter().map(|sample| share(*sample, centre, 1.0)).collect())
}

/// Laney's p′ chart: the p chart's limits, wider by how much more the samples differ than chance explains.
///
/// D. B. Laney, "Improved control charts for attributes", Quality Engineering 14 (2002).
///
/// # Errors
/// As [`p_chart`], and with fewer than two samples.
pub fn laney_p_chart(samples: &[Counted]) -> Result<Vec<Limits>, ChartError> {
    laney_p_chart_on(samples, samples)
}

/// As [`laney_p_chart`], with centre and limits found on `base` alone, a time when the process was as it should be: a
/// change does not widen the limits that are to show it.
///
/// # Errors
/// As [`laney_p_chart`], of `base`; and for a sample of `samples` that is none.
pub fn laney_p_chart_on(base: &[Counted], samples: &[Counted]) -> Result<Vec<Limits>, ChartError> {
    let plain = p_chart(base)?;
    if plain.len() < 2 {
        return Err(ChartError::TooFew { samples: plain.len(), wanted: 2 });
    }
    are_samples(samples)?;
    let moved: f64 = plain.windows(2).map(|pair| (pair[1].z - pair[0].z).abs()).sum();
    // 1.128 is d2 of two values: a mean moving range in standard deviations.
    let wider = moved / (plain.len() - 1) as f64 / 1.128;
    let centre = plain[0].centre;
    Ok(samples.iter().map(|sample| share(*sample, centre, wider)).collect())
}

/// The np chart: counts of rejects in samples of one size.
///
/// # Errors
/// As [`p_chart`], and with samples of different sizes.
pub fn np_chart(samples: &[Counted]) -> Result<Vec<Limits>, ChartError> {
    let centre = pooled(samples)?;
    let parts = samples[0].parts;
    if let Some(at) = samples.iter().position(|sample| sample.parts != parts) {
        return Err(ChartError::Sizes { at, parts: samples[at].parts, first: parts });
    }
    let n = parts as f64;
    let scaled = |limits: Limits| Limits {
        value: limits.value * n,
        lower: limits.lower * n,
        centre: limits.centre * n,
        upper: limits.upper * n,
        z: limits.z,
    };
    Ok(samples.iter().map(|sample| scaled(share(*sample, centre, 1.0))).collect())
}

fn share(Counted { rejects, parts }: Counted, centre: f64, wider: f64) -> Limits {
    let deviation = (centre * (1.0 - centre) / parts as f64).sqrt() * wider;
    let value = rejects as f64 / parts as f64;
    Limits {
        value,
        lower: (centre - 3.0 * deviation).max(0.0),
        centre,
        upper: (centre + 3.0 * deviation).min(1.0),
        z: if deviation > 0.0 { (value - centre) / deviation } else { 0.0 },
    }
}

fn pooled(samples: &[Counted]) -> Result<f64, ChartError> {
    if samples.is_empty() {
        return Err(ChartError::TooFew { samples: 0, wanted: 1 });
    }
    are_samples(samples)?;
    let (rejects, parts) = samples.iter().fold((0, 0), |(r, p), s| (r + s.rejects, p + s.parts));
    if rejects == 0 || rejects == parts {
        return Err(ChartError::NoSpread { rejects, parts });
    }
    Ok(rejects as f64 / parts as f64)
}

fn are_samples(samples: &[Counted]) -> Result<(), ChartError> {
    match samples.iter().position(|sample| sample.parts == 0 || sample.rejects > sample.parts) {
        Some(at) => Err(ChartError::Sample { at, rejects: samples[at].rejects, parts: samples[at].parts }),
        None => Ok(()),
    }
}

/// Samples of which no chart can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChartError {
    /// Too few samples.
    #[error("{samples} samples make no chart; it takes at least {wanted}")]
    TooFew {
        /// Given.
        samples: usize,
        /// Least.
        wanted: usize,
    },
    /// A sample that is none.
    #[error("sample number {} has {rejects} rejects among {parts} parts; it needs at least one part, and no more rejects than parts", at + 1)]
    Sample {
        /// Where, from 0.
        at: usize,
        /// As given.
        rejects: u64,
        /// As given.
        parts: u64,
    },
    /// Samples of different sizes.
    #[error("sample number {} has {parts} parts, the first has {first}; an np chart wants one size, a p chart takes any", at + 1)]
    Sizes {
        /// Where, from 0.
        at: usize,
        /// Its size.
        parts: u64,
        /// The first one's.
        first: u64,
    },
    /// All parts alike.
    #[error(
        "{rejects} of {parts} parts are rejects; where all or none are, there is no spread to chart: use a CUSUM of single parts"
    )]
    NoSpread {
        /// In all samples.
        rejects: u64,
        /// In all samples.
        parts: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Montgomery's orange juice cans: 30 samples of 50.
    const CANS: [u64; 30] = [
        12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13,
        9, 6,
    ];

    fn cans() -> Vec<Counted> {
        CANS.iter().map(|&rejects| Counted { rejects, parts: 50 }).collect()
    }

    fn near(got: f64, wanted: f64) {
        assert!((got - wanted).abs() < 5e-8, "{got} for {wanted}");
    }

    #[test]
    fn the_cans_are_out_of_control_at_samples_15_and_23() {
        let chart = p_chart(&cans()).unwrap();
        near(chart[0].centre, 0.231_333_33);
        near(chart[0].lower, 0.052_427_5);
        near(chart[0].upper, 0.410_239_1);
        let out: Vec<usize> = (0..30).filter(|i| chart[*i].is_out()).map(|i| i + 1).collect();
        assert_eq!(out, [15, 23]);
        let counts = np_chart(&cans()).unwrap();
        near(counts[0].upper, chart[0].upper * 50.0);
        assert_eq!(counts.iter().filter(|limits| limits.is_out()).count(), 2);
    }

    #[test]
    fn laneys_limits_allow_for_a_share_that_wanders() {
        let chart = laney_p_chart(&cans()).unwrap();
        near(chart[0].upper, 0.528_472_0);
        assert_eq!(chart[0].lower, 0.0);
        assert!(chart.iter().all(|limits| !limits.is_out()));
    }

    #[test]
    fn limits_of_a_base_are_not_moved_by_what_comes_after() {
        let base: Vec<Counted> =
            [3, 5, 4, 6, 2, 4, 5, 3].into_iter().map(|rejects| Counted { rejects, parts: 100 }).collect();
        let alone = laney_p_chart(&base).unwrap();
        let after = [&base[..], &[Counted { rejects: 30, parts: 100 }; 3]].concat();
        let chart = laney_p_chart_on(&base, &after).unwrap();
        assert_eq!(chart[..8], alone[..]);
        assert!(chart[8..].iter().all(Limits::is_out) && !chart[..8].iter().any(Limits::is_out));
        assert!(laney_p_chart_on(&base, &[Counted { rejects: 2, parts: 1 }]).is_err());
    }

    #[test]
    fn samples_of_nothing_are_refused_by_number() {
        let none = Counted { rejects: 0, parts: 10 };
        assert!(matches!(p_chart(&[none, none]), Err(ChartError::NoSpread { .. })));
        let wrong = [Counted { rejects: 1, parts: 10 }, Counted { rejects: 3, parts: 2 }];
        assert!(p_chart(&wrong).unwrap_err().to_string().contains("sample number 2"));
        let sizes = [Counted { rejects: 1, parts: 10 }, Counted { rejects: 1, parts: 20 }];
        assert!(matches!(np_chart(&sizes), Err(ChartError::Sizes { at: 1, .. })));
        assert!(p_chart(&[]).is_err() && laney_p_chart(&sizes[..1]).is_err());
    }
}
