//! Classifier: one class for the whole region.

use super::{Activation, Family, Look};
use crate::error::ModelError;
use crate::output::Output;
use plumb_inspection::Findings;
use serde::{Deserialize, Serialize};

/// A model with one output `[1, classes]` (sides of 1 may follow).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierConfig {
    /// From the scores to probabilities.
    #[serde(default)]
    pub activation: Activation,
}

/// Always one finding: the most probable class, around the whole region. Its probability is the raw score too.
#[derive(Debug)]
pub(crate) struct Classifier {
    config: ClassifierConfig,
}

impl Classifier {
    pub(crate) fn new(config: ClassifierConfig) -> Self {
        Self { config }
    }

    fn scores<'o>(&self, outputs: &'o [Output<'o>], look: &Look<'_>) -> Result<&'o [f32], ModelError> {
        if let [output] = outputs
            && let [1, classes, ref rest @ ..] = *output.shape
            && classes > 0
            && rest.iter().all(|side| *side == 1)
        {
            return Ok(&output.values);
        }
        Err(look.unreadable("a classifier", "one output [1, classes]", outputs))
    }
}

impl Family for Classifier {
    fn check(&self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<(), ModelError> {
        look.check_labels(self.scores(outputs, look)?.len())
    }

    fn read(&mut self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<Findings, ModelError> {
        let scores = self.scores(outputs, look)?;
        let (class, best) = scores
            .iter()
            .enumerate()
            .fold((0, f32::MIN), |best, (class, score)| if *score > best.1 { (class, *score) } else { best });
        let probability = self.config.activation.probability(scores.iter().copied(), best);
        let finding = look.finding(class, probability, look.placement.content_px)?;
        look.findings(finding.into_iter().collect(), probability)
    }
}
