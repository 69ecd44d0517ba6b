//! A measured size over time: where it lies, how it spreads, and how much of its tolerance that uses.

use crate::SAMPLES_WANTED;
use plumb_inspection::PartId;
use plumb_quality::{
    Confidence,
    capability::{Capability, CapabilityError, Tolerance, capability},
    chart::{Hit, Rule, nelson},
};
use serde::Serialize;

/// Mean moving range of two normal values, in standard deviations (d₂ of n = 2; Montgomery, *Introduction to Statistical
/// Quality Control*, appendix VI).
const D2: f64 = 1.128;

/// One part's value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Which part.
    pub part: PartId,
    /// In the chart's unit.
    pub value: f64,
}

/// A chart of single values and their capability. Limits stand on the first half of the values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SizeChart {
    /// Which `[[measure]]` of the recipe.
    pub name: String,
    /// Of the values.
    pub unit: String,
    /// Oldest first.
    pub values: Vec<Measured>,
    /// Mean of the first half.
    pub centre: f64,
    /// Standard deviation from the mean moving range of the first half: what varies from one part to the next.
    pub within: f64,
    /// Standard deviation of all values: what the customer gets.
    pub overall: f64,
    /// Nelson's rules 1, 2, 3 and 5.
    pub signals: Vec<Hit>,
    /// Limits of the recipe's rule.
    pub tolerance: Option<Tolerance>,
    /// Cp and Cpk, by `within`; `None` without limits.
    pub short_term: Option<Capability>,
    /// Pp and Ppk, by `overall`; `None` without limits.
    pub long_term: Option<Capability>,
}

impl SizeChart {
    /// Of `values`, oldest first.
    ///
    /// # Errors
    /// With fewer than [`SAMPLES_WANTED`] values, or values that do not differ: neither has a spread to stand on.
    pub fn of(
        name: &str,
        unit: &str,
        values: Vec<Measured>,
        tolerance: Option<Tolerance>,
        confidence: Confidence,
    ) -> Result<Self, String> {
        let n = values.len();
        if n < SAMPLES_WANTED {
            return Err(format!("\"{name}\" was measured on {n} parts; its chart wants {SAMPLES_WANTED}"));
        }
        let first: Vec<f64> = values[..n.div_ceil(2)].iter().map(|measured| measured.value).collect();
        let all: Vec<f64> = values.iter().map(|measured| measured.value).collect();
        let centre = mean(&first);
        let ranges: Vec<f64> = first.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
        let within = mean(&ranges) / D2;
        let variance = all.iter().map(|value| (value - mean(&all)).powi(2)).sum::<f64>() / (n as f64 - 1.0);
        let overall = variance.sqrt();
        if !(within > 0.0 && overall > 0.0 && within.is_finite()) {
            return Err(format!("\"{name}\" measured the same on every part: there is no spread to chart"));
        }
        let z: Vec<f64> = all.iter().map(|value| (value - centre) / within).collect();
        let sits = |deviation| -> Result<Option<Capability>, CapabilityError> {
            tolerance.map(|tolerance| capability(mean(&all), deviation, n, tolerance, confidence)).transpose()
        };
        let told = |error: CapabilityError| format!("\"{name}\": {error}");
        Ok(Self {
            name: name.to_owned(),
            unit: unit.to_owned(),
            centre,
            within,
            overall,
            signals: nelson(&z, &Rule::USUAL),
            tolerance,
            short_term: sits(within).map_err(told)?,
            long_term: sits(overall).map_err(told)?,
            values,
        })
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(of: impl Fn(u32) -> f64) -> Vec<Measured> {
        (1..=60).map(|n| Measured { part: PartId::new(n).expect("not 0"), value: of(n) }).collect()
    }

    #[test]
    fn a_steady_size_signals_nothing_and_one_that_moves_does() {
        let saw = |n: u32| 8.0 + 0.01 * f64::from(n * 37 % 11) / 11.0;
        let tolerance = Tolerance::new(Some(7.95), Some(8.05)).ok();
        let of = |values| {
            SizeChart::of("bore", "mm", values, tolerance, Confidence::NINETY_FIVE).expect("a chart")
        };
        let steady = of(values(saw));
        assert!(steady.signals.is_empty(), "{:?}", steady.signals);
        let cpk = steady.short_term.expect("it has limits").cpk;
        assert!(cpk.value > 1.33 && cpk.interval.contains(cpk.value), "{cpk:?}");
        let moved = of(values(|n| saw(n) + if n > 45 { 0.03 } else { 0.0 }));
        assert!(
            moved.signals.iter().all(|hit| hit.at >= 45) && !moved.signals.is_empty(),
            "{:?}",
            moved.signals
        );
        let worse = moved.long_term.expect("it has limits").cpk.value;
        assert!(worse < moved.short_term.expect("it has limits").cpk.value, "{worse}: what moves spreads");
    }

    #[test]
    fn what_has_no_spread_is_not_charted() {
        let chart = |values| SizeChart::of("bore", "mm", values, None, Confidence::NINETY_FIVE);
        assert!(chart(values(|_| 8.0)).is_err_and(|says| says.contains("no spread")));
        assert!(chart(values(f64::from)[..19].to_vec()).is_err_and(|says| says.contains("wants 20")));
        assert!(chart(values(|n| f64::from(n % 7))).is_ok_and(|chart| chart.short_term.is_none()));
    }
}
