//! Gage R&R: how much of what is measured is the gauge, how much the people, how much the parts.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, FisherSnedecor};

/// A crossed study: every appraiser measures every part equally often. Nothing is missing.
#[derive(Clone, Debug, PartialEq)]
pub struct GaugeStudy {
    appraisers: usize,
    parts: usize,
    trials: usize,
    /// `[appraiser][part][trial]`.
    values: Vec<f64>,
}

/// A source of spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Component {
    /// Standard deviation, in the unit of the values.
    pub deviation: f64,
    /// In per cent of the total standard deviation.
    pub percent_study: f64,
    /// In per cent of the total variance.
    pub percent_contribution: f64,
    /// Six standard deviations in per cent of the tolerance, where there is one.
    pub percent_tolerance: Option<f64>,
}

/// What a study says. AIAG's limits for `gauge.percent_study`: below 10 good, up to 30 perhaps, above not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Repeatability {
    /// Equipment variation: the same part by the same appraiser.
    pub repeatability: Component,
    /// Appraiser variation, interaction with the parts included.
    pub reproducibility: Component,
    /// Both together.
    pub gauge: Component,
    /// The parts themselves.
    pub parts: Component,
    /// All of it.
    pub total: Component,
    /// Categories that the gauge can tell apart, `⌊1.41 · parts / gauge⌋`; at least 5 are wanted. `None` for a gauge
    /// without any spread.
    pub distinct_categories: Option<u64>,
    /// The table it comes from; `None` by the range method.
    pub anova: Option<Anova>,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AnovaRow {
    /// Sum of squares.
    pub sum: f64,
    /// Degrees of freedom.
    pub free: f64,
    /// Mean square.
    pub mean: f64,
}

/// The analysis of variance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Anova {
    /// Between appraisers.
    pub appraisers: AnovaRow,
    /// Between parts.
    pub parts: AnovaRow,
    /// Appraiser by part.
    pub interaction: AnovaRow,
    /// Within.
    pub equipment: AnovaRow,
    /// F of the interaction.
    pub interaction_f: f64,
    /// Its p.
    pub interaction_p: f64,
    /// True if the interaction was taken for chance (p above 0.25) and counted with the equipment.
    pub is_pooled: bool,
}

/// Above this p the interaction is taken for chance, as AIAG does.
const POOL_ABOVE: f64 = 0.25;

impl GaugeStudy {
    /// `values[appraiser][part][trial]`.
    ///
    /// # Errors
    /// With fewer than two appraisers, parts or trials, with a missing cell, or with what is no number; the place is
    /// named.
    pub fn new(values: &[Vec<Vec<f64>>]) -> Result<Self, GaugeError> {
        let appraisers = values.len();
        let parts = values.first().map_or(0, Vec::len);
        let trials = values.first().and_then(|parts| parts.first()).map_or(0, Vec::len);
        if appraisers < 2 || parts < 2 || trials < 2 {
            return Err(GaugeError::TooSmall { appraisers, parts, trials });
        }
        let mut flat = Vec::with_capacity(appraisers * parts * trials);
        for (appraiser, by_part) in values.iter().enumerate() {
            if by_part.len() != parts {
                return Err(GaugeError::Missing { appraiser, part: by_part.len().min(parts) });
            }
            for (part, cell) in by_part.iter().enumerate() {
                if cell.len() != trials {
                    return Err(GaugeError::Missing { appraiser, part });
                }
                if cell.iter().any(|value| !value.is_finite()) {
                    return Err(GaugeError::NotANumber { appraiser, part });
                }
                flat.extend(cell);
            }
        }
        Ok(Self { appraisers, parts, trials, values: flat })
    }

    /// By analysis of variance (AIAG MSA, 4th edition, appendix A), which sees the interaction too. `tolerance` is the
    /// width between the limits.
    pub fn anova(&self, tolerance: Option<f64>) -> Repeatability {
        let anova = self.table();
        let (o, p, r) = (self.appraisers as f64, self.parts as f64, self.trials as f64);
        let within = if anova.is_pooled {
            (anova.interaction.sum + anova.equipment.sum) / (anova.interaction.free + anova.equipment.free)
        } else {
            anova.equipment.mean
        };
        let crossed = if anova.is_pooled { within } else { anova.interaction.mean };
        let interaction = if anova.is_pooled { 0.0 } else { ((crossed - within) / r).max(0.0) };
        let appraisers = ((anova.appraisers.mean - crossed) / (p * r)).max(0.0);
        let parts = ((anova.parts.mean - crossed) / (o * r)).max(0.0);
        let mut found = summed(within, appraisers + interaction, parts, tolerance);
        found.anova = Some(anova);
        found
    }

    /// By averages and ranges (AIAG MSA, 4th edition, chapter III-B), as on the paper form.
    ///
    /// # Errors
    /// Outside the form's constants: 2 or 3 trials, 2 or 3 appraisers, 2 to 10 parts.
    #[expect(clippy::approx_constant, reason = "the form's constants as it prints them; one looks like 1/√2")]
    pub fn ranges(&self, tolerance: Option<f64>) -> Result<Repeatability, GaugeError> {
        const K1: [f64; 2] = [0.8862, 0.5908];
        const K2: [f64; 2] = [0.7071, 0.5231];
        const K3: [f64; 9] = [0.7071, 0.5231, 0.4467, 0.4030, 0.3742, 0.3534, 0.3375, 0.3249, 0.3146];
        let outside = || GaugeError::NoConstants {
            appraisers: self.appraisers,
            parts: self.parts,
            trials: self.trials,
        };
        let constant = |table: &[f64], n: usize| table.get(n - 2).copied().ok_or_else(outside);
        let (k1, k2, k3) =
            (constant(&K1, self.trials)?, constant(&K2, self.appraisers)?, constant(&K3, self.parts)?);
        let spread = |values: &[f64]| {
            let (low, high) = values
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
            high - low
        };
        let cells: Vec<&[f64]> = self.values.chunks_exact(self.trials).collect();
        let range = cells.iter().map(|cell| spread(cell)).sum::<f64>() / cells.len() as f64;
        let of_appraisers: Vec<f64> = (0..self.appraisers).map(|a| mean(self.of_appraiser(a))).collect();
        let of_parts: Vec<f64> = (0..self.parts).map(|p| mean(self.of_part(p))).collect();
        let equipment = range * k1;
        let taken_off = equipment * equipment / (self.parts * self.trials) as f64;
        let appraisers = ((spread(&of_appraisers) * k2).powi(2) - taken_off).max(0.0);
        let parts = (spread(&of_parts) * k3).powi(2);
        Ok(summed(equipment * equipment, appraisers, parts, tolerance))
    }

    fn table(&self) -> Anova {
        let (o, p, r) = (self.appraisers as f64, self.parts as f64, self.trials as f64);
        let grand = mean(self.values.iter().copied());
        let squares =
            |values: &mut dyn Iterator<Item = f64>| values.map(|v| (v - grand).powi(2)).sum::<f64>();
        let appraisers = p * r * squares(&mut (0..self.appraisers).map(|a| mean(self.of_appraiser(a))));
        let parts = o * r * squares(&mut (0..self.parts).map(|part| mean(self.of_part(part))));
        let cells = self.values.chunks_exact(self.trials).map(|cell| mean(cell.iter().copied()));
        let interaction = r * squares(&mut { cells }) - appraisers - parts;
        let within = |cell: &[f64]| {
            let mean = mean(cell.iter().copied());
            cell.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
        };
        let equipment = self.values.chunks_exact(self.trials).map(within).sum::<f64>();
        let row = |sum: f64, free: f64| AnovaRow { sum: sum.max(0.0), free, mean: sum.max(0.0) / free };
        let interaction = row(interaction, (o - 1.0) * (p - 1.0));
        let equipment = row(equipment, o * p * (r - 1.0));
        let interaction_f = interaction.mean / equipment.mean;
        let chance = FisherSnedecor::new(interaction.free, equipment.free).expect("a study has two of each");
        // A gauge that never varies has no F; its interaction is then no chance.
        let interaction_p = if interaction_f.is_finite() { chance.sf(interaction_f) } else { 0.0 };
        Anova {
            appraisers: row(appraisers, o - 1.0),
            parts: row(parts, p - 1.0),
            interaction,
            equipment,
            interaction_f,
            interaction_p,
            is_pooled: interaction_p > POOL_ABOVE,
        }
    }

    fn of_appraiser(&self, appraiser: usize) -> impl Iterator<Item = f64> {
        let each = self.parts * self.trials;
        self.values[appraiser * each..(appraiser + 1) * each].iter().copied()
    }

    fn of_part(&self, part: usize) -> impl Iterator<Item = f64> {
        let cells = self.values.chunks_exact(self.trials).skip(part).step_by(self.parts);
        cells.flatten().copied()
    }
}

/// Variances become components.
fn summed(equipment: f64, appraisers: f64, parts: f64, tolerance: Option<f64>) -> Repeatability {
    let gauge = equipment + appraisers;
    let total = gauge + parts;
    let component = |variance: f64| Component {
        deviation: variance.sqrt(),
        percent_study: if total > 0.0 { 100.0 * (variance / total).sqrt() } else { 0.0 },
        percent_contribution: if total > 0.0 { 100.0 * variance / total } else { 0.0 },
        percent_tolerance: tolerance
            .filter(|width| *width > 0.0)
            .map(|width| 600.0 * variance.sqrt() / width),
    };
    Repeatability {
        repeatability: component(equipment),
        reproducibility: component(appraisers),
        gauge: component(gauge),
        parts: component(parts),
        total: component(total),
        distinct_categories: (gauge > 0.0).then(|| (1.41 * (parts / gauge).sqrt()).floor() as u64),
        anova: None,
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    sum / n
}

/// Why a study cannot be reckoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GaugeError {
    /// Too small.
    #[error(
        "{appraisers} appraisers, {parts} parts and {trials} trials are too few; take at least two of each, better three appraisers, ten parts and three trials"
    )]
    TooSmall {
        /// Given.
        appraisers: usize,
        /// Given.
        parts: usize,
        /// Given.
        trials: usize,
    },
    /// A missing cell.
    #[error("appraiser number {} lacks trials of part number {}; take them, or leave the part out for everybody", appraiser + 1, part + 1)]
    Missing {
        /// From 0.
        appraiser: usize,
        /// From 0.
        part: usize,
    },
    /// NaN or infinity.
    #[error("appraiser number {} has a value of part number {} that is no number; a missed measurement is to be taken again", appraiser + 1, part + 1)]
    NotANumber {
        /// From 0.
        appraiser: usize,
        /// From 0.
        part: usize,
    },
    /// Outside the paper form.
    #[error(
        "the range method has constants for 2 or 3 appraisers, 2 to 10 parts and 2 or 3 trials, not for {appraisers}, {parts} and {trials}; use the analysis of variance"
    )]
    NoConstants {
        /// Given.
        appraisers: usize,
        /// Given.
        parts: usize,
        /// Given.
        trials: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AIAG MSA's example: three appraisers, three trials, ten parts.
    const AIAG: [[[f64; 10]; 3]; 3] = [
        [
            [0.29, -0.56, 1.34, 0.47, -0.80, 0.02, 0.59, -0.31, 2.26, -1.36],
            [0.41, -0.68, 1.17, 0.50, -0.92, -0.11, 0.75, -0.20, 1.99, -1.25],
            [0.64, -0.58, 1.27, 0.64, -0.84, -0.21, 0.66, -0.17, 2.01, -1.31],
        ],
        [
            [0.08, -0.47, 1.19, 0.01, -0.56, -0.20, 0.47, -0.63, 1.80, -1.68],
            [0.25, -1.22, 0.94, 1.03, -1.20, 0.22, 0.55, 0.08, 2.12, -1.62],
            [0.07, -0.68, 1.34, 0.20, -1.28, 0.06, 0.83, -0.34, 2.19, -1.50],
        ],
        [
            [0.04, -1.38, 0.88, 0.14, -1.46, -0.29, 0.02, -0.46, 1.77, -1.49],
            [-0.11, -1.13, 1.09, 0.20, -1.07, -0.67, 0.01, -0.56, 1.45, -1.77],
            [-0.15, -0.96, 0.67, 0.11, -1.45, -0.49, 0.21, -0.49, 1.87, -2.16],
        ],
    ];

    fn aiag() -> Vec<Vec<Vec<f64>>> {
        AIAG.iter()
            .map(|trials| (0..10).map(|part| trials.iter().map(|trial| trial[part]).collect()).collect())
            .collect()
    }

    fn near(got: f64, wanted: f64, digits: i32) {
        assert!((got - wanted).abs() <= 0.51 * 10_f64.powi(-digits), "{got} for {wanted}");
    }

    #[test]
    fn the_analysis_of_variance_of_aiags_example() {
        let found = GaugeStudy::new(&aiag()).unwrap().anova(None);
        let table = found.anova.unwrap();
        near(table.appraisers.sum, 3.167_262_2, 7);
        near(table.parts.sum, 88.361_934_4, 7);
        near(table.interaction.sum, 0.358_982_2, 7);
        near(table.equipment.sum, 2.758_933_3, 7);
        near(table.appraisers.mean, 1.583_631_1, 7);
        near(table.parts.mean, 9.817_992_7, 7);
        near(table.interaction.mean, 0.019_943_5, 7);
        near(table.equipment.mean, 0.045_982_2, 7);
        near(table.interaction_f, 0.433_72, 5);
        near(table.interaction_p, 0.9741, 4);
        assert!(table.is_pooled);
        near(found.repeatability.deviation, 0.199_933, 6);
        near(found.reproducibility.deviation, 0.226_838, 6);
        near(found.gauge.deviation, 0.302_372, 6);
        near(found.parts.deviation, 1.042_327, 6);
        near(found.total.deviation, 1.085_300, 6);
        for (component, study, contribution) in [
            (found.repeatability, 18.42, 3.39),
            (found.reproducibility, 20.90, 4.37),
            (found.gauge, 27.86, 7.76),
            (found.parts, 96.04, 92.24),
        ] {
            near(component.percent_study, study, 2);
            near(component.percent_contribution, contribution, 2);
        }
        assert_eq!(found.distinct_categories, Some(4));
    }

    #[test]
    fn averages_and_ranges_of_aiags_example() {
        let found = GaugeStudy::new(&aiag()).unwrap().ranges(Some(4.0)).unwrap();
        near(found.repeatability.deviation, 0.201_857, 6);
        near(found.reproducibility.deviation, 0.229_667, 6);
        near(found.gauge.deviation, 0.305_766, 6);
        near(found.parts.deviation, 1.104_596, 6);
        near(found.total.deviation, 1.146_135, 6);
        near(found.gauge.percent_study, 26.68, 2);
        assert_eq!(found.distinct_categories, Some(5));
        near(found.gauge.percent_tolerance.unwrap(), 600.0 * 0.305_766 / 4.0, 3);
    }

    #[test]
    fn missing_cells_and_single_appraisers_are_named() {
        let mut values = aiag();
        values[1][4].pop();
        assert_eq!(GaugeStudy::new(&values), Err(GaugeError::Missing { appraiser: 1, part: 4 }));
        let mut values = aiag();
        values[2][9][1] = f64::NAN;
        let says = GaugeStudy::new(&values).unwrap_err().to_string();
        assert!(says.contains("appraiser number 3") && says.contains("part number 10"), "{says}");
        assert!(matches!(GaugeStudy::new(&aiag()[..1]), Err(GaugeError::TooSmall { appraisers: 1, .. })));
        let mut short = aiag();
        short[2].pop();
        assert_eq!(GaugeStudy::new(&short), Err(GaugeError::Missing { appraiser: 2, part: 9 }));
    }

    #[test]
    fn a_gauge_that_never_varies_is_no_panic() {
        let frozen = vec![vec![vec![1.0; 3]; 5]; 2];
        let found = GaugeStudy::new(&frozen).unwrap().anova(Some(1.0));
        assert_eq!((found.total.deviation, found.distinct_categories), (0.0, None));
        let many = vec![vec![vec![1.0, 1.1]; 12]; 2];
        let says = GaugeStudy::new(&many).unwrap().ranges(None).unwrap_err().to_string();
        assert!(says.contains("analysis of variance"), "{says}");
    }
}
