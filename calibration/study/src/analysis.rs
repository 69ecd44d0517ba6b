//! What a complete study says.

mod agreement;

pub use agreement::{AgreementFinding, AppraiserFinding, PairFinding};

use crate::{Design, Step, Study, StudyError, Value};
use plumb_quality::{
    Confidence,
    gauge::{GaugeStudy, Linearity, Repeatability, Type1, linearity, type1},
};
use serde::Serialize;

/// The result of a study.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// Type 1.
    Type1(Type1),
    /// Gage R&R, by both methods; the range method knows studies of a usual size only.
    Grr {
        /// By analysis of variance: the one that counts.
        anova: Box<Repeatability>,
        /// By averages and ranges, as on the paper form.
        ranges: Option<Box<Repeatability>>,
    },
    /// Attribute agreement.
    Agreement(AgreementFinding),
    /// Linearity and bias.
    Linearity(Linearity),
}

impl Study {
    /// What the study says, intervals at `confidence`.
    ///
    /// # Errors
    /// When a measurement is missing, or the values give no result.
    pub fn analyse(&self, confidence: Confidence) -> Result<Finding, StudyError> {
        let taken = self.complete()?;
        match &self.design {
            Design::Type1 { reference, tolerance, settings, .. } => {
                let values: Vec<f64> = taken.iter().map(|(_, value)| number(value)).collect();
                Ok(Finding::Type1(type1(&values, *reference, *tolerance, *settings)?))
            }
            Design::Grr { appraisers, parts, tolerance, .. } => {
                let study = GaugeStudy::new(&crossed(appraisers, parts, &taken))?;
                let ranges = study.ranges(*tolerance).ok().map(Box::new);
                Ok(Finding::Grr { anova: Box::new(study.anova(*tolerance)), ranges })
            }
            Design::Agreement { appraisers, parts, reference, .. } => {
                agreement::of(appraisers, parts, reference, &taken, confidence).map(Finding::Agreement)
            }
            Design::Linearity { parts, .. } => {
                let reference =
                    |name: &str| parts.iter().find(|(part, _)| part == name).map(|(_, value)| *value);
                let pairs: Vec<(f64, f64)> = taken
                    .iter()
                    .filter_map(|(step, value)| Some((reference(&step.part)?, number(value))))
                    .collect();
                Ok(Finding::Linearity(linearity(&pairs, confidence)?))
            }
        }
    }
}

/// `[appraiser][part][trial]`, each cell in the order of trials.
pub(crate) fn crossed(
    appraisers: &[String],
    parts: &[String],
    taken: &[(Step, Value)],
) -> Vec<Vec<Vec<f64>>> {
    let cell = |appraiser: &String, part: &String| {
        let of =
            taken.iter().filter(|(step, _)| step.appraiser.as_ref() == Some(appraiser) && step.part == *part);
        let mut cell: Vec<(usize, f64)> = of.map(|(step, value)| (step.trial, number(value))).collect();
        cell.sort_by_key(|(trial, _)| *trial);
        cell.into_iter().map(|(_, value)| value).collect()
    };
    appraisers.iter().map(|a| parts.iter().map(|p| cell(a, p)).collect()).collect()
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Number(number) => *number,
        Value::Word(_) => f64::NAN, // `Study::enter` takes none here; NaN is refused by name
    }
}
