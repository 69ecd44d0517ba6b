//! Ways to read what a model gives: one family, one file.

use crate::error::ModelError;
use crate::number::Fraction;
use crate::output::{Output, described};
use plumb_inspection::{ClassName, Finding, Findings, ModelName, Placement, RectPx, RegionName, Score};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

mod anomaly;
mod classifier;
mod detector;
mod instance_segmenter;
mod layout;
mod oriented_detector;
mod pose;
mod segmenter;

pub use anomaly::AnomalyConfig;
pub use classifier::ClassifierConfig;
pub use detector::{DetectorConfig, DetectorOutput};
pub use instance_segmenter::{InstanceSegmenterConfig, InstanceSegmenterOutput};
pub use oriented_detector::{OrientedDetectorConfig, OrientedDetectorOutput};
pub use pose::{PoseConfig, PoseOutput};
pub use segmenter::SegmenterConfig;

/// `[family]` of a card: its `kind`, and what that kind needs to know.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FamilyConfig {
    /// Boxes.
    Detector(DetectorConfig),
    /// Boxes turned at any angle.
    OrientedDetector(OrientedDetectorConfig),
    /// Boxes with keypoints.
    Pose(PoseConfig),
    /// Boxes with a mask for each.
    InstanceSegmenter(InstanceSegmenterConfig),
    /// A class for every pixel.
    Segmenter(SegmenterConfig),
    /// A map of how odd every pixel is, and a score for the whole.
    Anomaly(AnomalyConfig),
    /// One class for the whole region.
    Classifier(ClassifierConfig),
}

impl FamilyConfig {
    /// Reads the table by its `kind`; what is wrong keeps its place in the file.
    pub(crate) fn from_toml(table: Spanned<DeValue<'_>>) -> Result<Self, Misplaced> {
        let span = table.span();
        let wrong = |span: Range<usize>, message: &str| (Some(span), message.to_owned());
        let DeValue::Table(mut table) = table.into_inner() else {
            return Err(wrong(span, "[family] is a table"));
        };
        let kind = table.remove("kind").ok_or_else(|| wrong(span.clone(), "[family] needs a `kind`"))?;
        let keys: Vec<(String, Range<usize>)> =
            table.iter().map(|(key, value)| (key.get_ref().to_string(), value.span())).collect();
        let rest = ValueDeserializer::from(Spanned::new(span, DeValue::Table(table)));
        let family = match kind.get_ref().as_str() {
            Some("detector") => DetectorConfig::deserialize(rest).map(Self::Detector),
            Some("oriented_detector") => OrientedDetectorConfig::deserialize(rest).map(Self::OrientedDetector),
            Some("pose") => PoseConfig::deserialize(rest).map(Self::Pose),
            Some("instance_segmenter") => {
                InstanceSegmenterConfig::deserialize(rest).map(Self::InstanceSegmenter)
            }
            Some("segmenter") => SegmenterConfig::deserialize(rest).map(Self::Segmenter),
            Some("anomaly") => AnomalyConfig::deserialize(rest).map(Self::Anomaly),
            Some("classifier") => ClassifierConfig::deserialize(rest).map(Self::Classifier),
            _ => {
                let kinds = "`kind` is \"detector\", \"oriented_detector\", \"pose\", \"instance_segmenter\", \
                             \"segmenter\", \"anomaly\" or \"classifier\"";
                return Err(wrong(kind.span(), kinds));
            }
        }
        .map_err(|e| (e.span(), e.message().to_owned()))?;
        match family.misfit() {
            None => Ok(family),
            Some((key, message)) => {
                Err((keys.into_iter().find(|(name, _)| name == key).map(|(_, span)| span), message))
            }
        }
    }

    /// A key that does not go with the others, and why: an option that would be silently ignored is a mistake.
    fn misfit(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Detector(config) => config.misfit(),
            Self::InstanceSegmenter(config) => config.misfit(),
            Self::Pose(config) => config.misfit(),
            Self::Classifier(config) => config.misfit(),
            Self::OrientedDetector(_) | Self::Segmenter(_) | Self::Anomaly(_) => None,
        }
    }

    /// False where the outputs have no batch axis, so that a batch of pictures cannot be told apart in them: such a
    /// model is given one picture at a time.
    pub fn has_batch_axis(&self) -> bool {
        match self {
            Self::Detector(config) => config.has_batch_axis(),
            Self::InstanceSegmenter(config) => config.has_batch_axis(),
            Self::OrientedDetector(_)
            | Self::Pose(_)
            | Self::Segmenter(_)
            | Self::Anomaly(_)
            | Self::Classifier(_) => true,
        }
    }

    pub(crate) fn reader(&self) -> Box<dyn Family> {
        match self {
            Self::Detector(config) => Box::new(detector::Detector::new(config.clone())),
            Self::OrientedDetector(config) => {
                Box::new(oriented_detector::OrientedDetector::new(config.clone()))
            }
            Self::Pose(config) => Box::new(pose::Pose::new(config.clone())),
            Self::InstanceSegmenter(config) => {
                Box::new(instance_segmenter::InstanceSegmenter::new(config.clone()))
            }
            Self::Segmenter(config) => Box::new(segmenter::Segmenter::new(config.clone())),
            Self::Anomaly(config) => Box::new(anomaly::Anomaly::new(config.clone())),
            Self::Classifier(config) => Box::new(classifier::Classifier::new(config.clone())),
        }
    }
}

fn quarter() -> Fraction {
    const { Fraction::known(0.25) }
}
fn half() -> Fraction {
    const { Fraction::known(0.5) }
}
fn three_hundred() -> usize {
    300
}
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Where in a card's text something is wrong, in bytes, and what.
pub(crate) type Misplaced = (Option<Range<usize>>, String);

/// A way to read outputs. Owns what it needs from one picture to the next, so `read` allocates little.
pub(crate) trait Family: std::fmt::Debug + Send {
    /// Refuses outputs of which it cannot read findings with the card's labels.
    fn check(&self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<(), ModelError>;

    /// The findings in `outputs`, in any order, and the raw score of the region. Every number is finite.
    fn read(&mut self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<Findings, ModelError>;
}

/// Numbers as they come out of the last layer → probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Classes share a sum of 1.
    #[default]
    Softmax,
    /// Each class by itself.
    Sigmoid,
    /// The graph did it already.
    None,
}

impl Activation {
    /// Probability of class `best` among `scores`.
    pub(crate) fn probability(self, scores: impl Iterator<Item = f32>, best: f32) -> f32 {
        match self {
            Self::None => best,
            Self::Sigmoid => 1.0 / (1.0 + (-best).exp()),
            // Taking the best off first keeps exp from overflowing; it is 1 for the best itself.
            Self::Softmax => 1.0 / scores.map(|score| (score - best).exp()).sum::<f32>(),
        }
    }

    /// The score of a class by itself from which on it has at least `probability`; a softmax has none, for its classes
    /// are not by themselves, and gives −∞.
    pub(crate) fn inverse(self, probability: f32) -> f32 {
        match self {
            Self::None => probability,
            Self::Sigmoid => (probability / (1.0 - probability)).ln(),
            Self::Softmax => f32::NEG_INFINITY,
        }
    }
}

/// One look of one model at one region: what a family must know besides the numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    pub(crate) model: &'a ModelName,
    pub(crate) labels: &'a [ClassName],
    /// For messages.
    pub(crate) card: &'a Path,
    pub(crate) region: &'a RegionName,
    pub(crate) placement: &'a Placement,
    /// Width and height of the tensor.
    pub(crate) input_px: (f32, f32),
}

impl Look<'_> {
    /// A finding of class `class` at `box_px` of the tensor, cut to what shows the region; `None` where nothing of it
    /// is left.
    pub(crate) fn finding(
        &self,
        class: usize,
        score: f32,
        box_px: RectPx,
    ) -> Result<Option<Finding>, ModelError> {
        let shown = box_px.intersection(self.placement.content_px);
        if shown.area() <= 0.0 {
            return Ok(None);
        }
        let label = self.labels.get(class).ok_or_else(|| self.unknown_class(class as i64))?;
        Ok(Some(Finding {
            class: label.clone(),
            score: self.score(score)?,
            box_px: self.placement.rect(shown),
            polygon_px: None,
            keypoints_px: None,
            area_px: self.placement.area(shown.area()),
            length_mm: None,
            area_mm2: None,
            region: self.region.clone(),
            model: self.model.clone(),
        }))
    }

    /// Findings with the raw score of the region.
    pub(crate) fn findings(&self, list: Vec<Finding>, raw: f32) -> Result<Findings, ModelError> {
        Ok(Findings { list, scores: vec![(self.model.clone(), self.region.clone(), self.score(raw)?)] })
    }

    fn score(&self, score: f32) -> Result<Score, ModelError> {
        Score::new(score).map_err(|_| self.not_a_number("score"))
    }

    pub(crate) fn not_a_number(&self, output: &str) -> ModelError {
        ModelError::NotANumber {
            model: self.model.clone(),
            output: output.to_owned(),
            region: self.region.clone(),
        }
    }

    pub(crate) fn unknown_class(&self, class: i64) -> ModelError {
        let labels = self.labels.len();
        ModelError::UnknownClass { model: self.model.clone(), class, labels, card: self.card.to_owned() }
    }

    /// The outputs are not what `family` reads.
    pub(crate) fn unreadable(&self, family: &str, wanted: &str, outputs: &[Output<'_>]) -> ModelError {
        ModelError::Output {
            model: self.model.clone(),
            family: family.to_owned(),
            wanted: wanted.to_owned(),
            gives: described(outputs),
            card: self.card.to_owned(),
        }
    }

    /// A wrong label is a wrong verdict, so that one too many is refused like one too few.
    pub(crate) fn check_labels(&self, classes: usize) -> Result<(), ModelError> {
        if classes == self.labels.len() {
            return Ok(());
        }
        let labels = self.labels.len();
        Err(ModelError::Labels { model: self.model.clone(), classes, labels, card: self.card.to_owned() })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use plumb_inspection::Affine;

    /// Runs `test` with a look at a tensor of `width` × `height` px that lies 1:1 in the frame.
    pub(crate) fn look_at<R>(
        labels: &[&str],
        width: u32,
        height: u32,
        test: impl FnOnce(&Look<'_>) -> R,
    ) -> R {
        let labels: Vec<ClassName> = labels.iter().map(|label| ClassName::from(*label)).collect();
        let content_px = RectPx { x: 0.0, y: 0.0, w: width as f32, h: height as f32 };
        test(&Look {
            model: &"m".into(),
            labels: &labels,
            card: Path::new("m.toml"),
            region: &"whole".into(),
            placement: &Placement { frame_from_tensor: Affine::IDENTITY, content_px },
            input_px: (width as f32, height as f32),
        })
    }

    #[test]
    fn a_finding_is_cut_to_the_region_and_given_in_frame_px() {
        look_at(&["a"], 100, 100, |look| {
            let placement = Placement {
                frame_from_tensor: Affine::scale_then_move(2.0, 2.0, 10.0, -40.0),
                content_px: RectPx::from([0.0, 20.0, 100.0, 60.0]),
            };
            let look = Look { placement: &placement, ..*look };
            let finding = look.finding(0, 0.5, RectPx::from([90.0, 10.0, 40.0, 20.0])).unwrap().unwrap();
            assert_eq!(finding.box_px, RectPx::from([190.0, 0.0, 20.0, 20.0]));
            assert_eq!(finding.area_px, 400.0);
            assert!(look.finding(0, 0.5, RectPx::from([0.0, 0.0, 50.0, 20.0])).unwrap().is_none());
            assert!(matches!(
                look.finding(1, 0.5, RectPx::from([0.0, 30.0, 5.0, 5.0])),
                Err(ModelError::UnknownClass { class: 1, labels: 1, .. })
            ));
        });
    }

    #[test]
    fn probabilities_survive_large_numbers() {
        let softmax =
            |scores: [f32; 2]| Activation::Softmax.probability(scores.into_iter(), scores[0].max(scores[1]));
        assert_eq!(softmax([1e30, 0.0]), 1.0);
        assert_eq!(softmax([3.0, 3.0]), 0.5);
        assert_eq!(Activation::Sigmoid.probability([].into_iter(), 0.0), 0.5);
        assert_eq!(Activation::None.probability([].into_iter(), 0.7), 0.7);
    }
}
