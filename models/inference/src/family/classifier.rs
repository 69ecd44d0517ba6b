//! Classifier: one class for the whole region.

use super::{Activation, Family, Look, half, is_false};
use crate::error::ModelError;
use crate::number::Fraction;
use crate::output::Output;
use plumb_inspection::Findings;
use serde::{Deserialize, Serialize};

/// A model with one output `[1, classes]` (sides of 1 may follow).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Name of the output that is read; not needed where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<String>,
    /// From the scores to probabilities.
    #[serde(default)]
    pub activation: Activation,
    /// Each class is there or not by itself: every one of at least `score_min` is a finding. Needs activation
    /// `sigmoid`, or `none` where the graph has it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub multi_label: bool,
    /// A class with a lower probability is no finding; only with `multi_label`, 0.5 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_min: Option<Fraction>,
}

impl ClassifierConfig {
    /// The key that does not go with the others, and why.
    pub(super) fn misfit(&self) -> Option<(&'static str, String)> {
        if self.multi_label && self.activation == Activation::Softmax {
            let says = "with `multi_label` the classes do not share a sum of 1; set `activation` to \"sigmoid\", or \
                        \"none\" where the graph has it";
            return Some(("multi_label", says.to_owned()));
        }
        let says = "`score_min` is for `multi_label`; without it the most probable class is always a finding";
        (self.score_min.is_some() && !self.multi_label).then(|| ("score_min", says.to_owned()))
    }
}

/// One finding, the most probable class; with `multi_label` one for each class that is there, perhaps none. Each lies
/// around the whole region. The raw score is the highest probability.
#[derive(Debug)]
pub(crate) struct Classifier {
    config: ClassifierConfig,
}

impl Classifier {
    pub(crate) fn new(config: ClassifierConfig) -> Self {
        Self { config }
    }

    fn scores<'o>(&self, outputs: &'o [Output<'o>], look: &Look<'_>) -> Result<&'o [f32], ModelError> {
        let only = || outputs.first().filter(|_| outputs.len() == 1);
        let output = match &self.config.scores {
            Some(name) => outputs.iter().find(|output| output.name == name),
            None => only(),
        };
        if let Some(output) = output
            && let [1, classes, ref rest @ ..] = *output.shape
            && classes > 0
            && rest.iter().all(|side| *side == 1)
        {
            return Ok(&output.values);
        }
        Err(look.unreadable(
            "a classifier",
            "one output [1, classes]; among several, `scores` names it",
            outputs,
        ))
    }
}

impl Classifier {
    fn read_each(&self, scores: &[f32], look: &Look<'_>) -> Result<Findings, ModelError> {
        let score_min = self.config.score_min.unwrap_or_else(half).get();
        let (mut list, mut raw) = (Vec::new(), 0.0_f32);
        for (class, score) in scores.iter().enumerate() {
            let probability = self.config.activation.probability([].into_iter(), *score);
            raw = raw.max(probability);
            if probability >= score_min {
                list.extend(look.finding(class, probability, look.placement.content_px)?);
            }
        }
        look.findings(list, raw)
    }
}

impl Family for Classifier {
    fn check(&self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<(), ModelError> {
        look.check_labels(self.scores(outputs, look)?.len())
    }

    fn read(&mut self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<Findings, ModelError> {
        let scores = self.scores(outputs, look)?;
        if self.config.multi_label {
            return self.read_each(scores, look);
        }
        let (class, best) = scores
            .iter()
            .enumerate()
            .fold((0, f32::MIN), |best, (class, score)| if *score > best.1 { (class, *score) } else { best });
        let probability = self.config.activation.probability(scores.iter().copied(), best);
        let finding = look.finding(class, probability, look.placement.content_px)?;
        look.findings(finding.into_iter().collect(), probability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::tests::look_at;

    fn output<'a>(name: &'a str, values: &[f32]) -> Output<'a> {
        Output { name, shape: vec![1, values.len()], values: values.to_vec().into(), whole: false }
    }

    #[test]
    fn with_multi_label_every_class_that_is_there_is_a_finding_and_none_may_be() {
        let config =
            ClassifierConfig { activation: Activation::Sigmoid, multi_label: true, ..Default::default() };
        look_at(&["dirty", "bent", "short"], 4, 4, |look| {
            let mut family = Classifier::new(config);
            let found = family.read(&[output("logits", &[2.0, 0.0, -2.0])], look).unwrap();
            let classes: Vec<_> = found.list.iter().map(|f| f.class.as_str()).collect();
            assert_eq!(classes, ["dirty", "bent"], "a probability of exactly score_min is a finding");
            assert!((found.scores[0].2.get() - 0.880_797).abs() < 1e-6, "{found:?}");
            let found = family.read(&[output("logits", &[-3.0, -4.0, -5.0])], look).unwrap();
            assert!(found.list.is_empty() && found.scores[0].2.get() > 0.04, "{found:?}");
        });
    }

    #[test]
    fn among_several_outputs_the_named_one_is_read_and_none_is_guessed() {
        let outputs = [output("feature_vector", &[1.0; 2]), output("logits", &[0.0, 9.0])];
        look_at(&["a", "b"], 4, 4, |look| {
            let mut family = Classifier::new(ClassifierConfig::default());
            assert!(matches!(family.check(&outputs, look), Err(ModelError::Output { .. })));
            family.config.scores = Some("logits".to_owned());
            family.check(&outputs, look).unwrap();
            assert_eq!(family.read(&outputs, look).unwrap().list[0].class.as_str(), "b");
        });
    }
}
