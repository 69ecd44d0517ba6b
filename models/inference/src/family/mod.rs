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

    /// The findings in `outputs`, in any order, and the raw score of the region. Every number is finite: a NaN
    /// anywhere, even in a box below every threshold, has failed the picture before. A network that gives one there
    /// is not to be believed elsewhere.
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
        Ok(Findings {
            list,
            scores: vec![(self.model.clone(), self.region.clone(), self.score(raw)?)],
            ..Findings::default()
        })
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
    use proptest::prelude::*;

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

    pub(crate) fn config(toml: &str) -> FamilyConfig {
        let table = toml::de::DeTable::parse(toml).unwrap();
        let value = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
        FamilyConfig::from_toml(value).unwrap_or_else(|(_, message)| panic!("{toml}: {message}"))
    }

    /// A `[family]` for two classes and a tensor of 16 × 16 px; its outputs' names and shapes for `k` boxes, and
    /// which of them hold whole numbers.
    type Kind = (&'static str, fn(usize) -> Vec<(&'static str, Vec<usize>)>, &'static [&'static str]);

    /// Every kind with every output.
    const EVERY: [Kind; 21] = [
        ("kind = 'detector'\noutput = 'yolo_v8'", |k| vec![("o", vec![1, 6, k])], &[]),
        ("kind = 'detector'\noutput = 'yolo_v5'", |k| vec![("o", vec![1, k, 7])], &[]),
        ("kind = 'detector'\noutput = 'yolo_end_to_end'", |k| vec![("o", vec![1, k, 6])], &[]),
        ("kind = 'detector'\noutput = 'ultralytics_rt_detr'", |k| vec![("o", vec![1, k, 6])], &[]),
        (
            "kind = 'detector'\noutput = 'detr'\nbackground = 2\nactivation = 'softmax'",
            |k| vec![("labels", vec![1, k, 3]), ("dets", vec![1, k, 4])],
            &[],
        ),
        (
            "kind = 'detector'\noutput = 'rt_detr'\niou_max = 0.5",
            |k| vec![("labels", vec![1, k]), ("boxes", vec![1, k, 4]), ("scores", vec![1, k])],
            &["labels"],
        ),
        (
            "kind = 'detector'\noutput = 'torchvision'",
            |k| vec![("boxes", vec![k, 4]), ("labels", vec![k]), ("scores", vec![k])],
            &["labels"],
        ),
        (
            "kind = 'detector'\noutput = 'mmdeploy'",
            |k| vec![("dets", vec![1, k, 5]), ("labels", vec![1, k])],
            &["labels"],
        ),
        (
            "kind = 'detector'\noutput = 'ssd'",
            |k| vec![("scores", vec![1, k, 3]), ("boxes", vec![1, k, 4])],
            &[],
        ),
        ("kind = 'detector'\noutput = 'fastestdet'", |k| vec![("o", vec![1, 7, k + 1, 2])], &[]),
        ("kind = 'oriented_detector'\noutput = 'yolo_v8'", |k| vec![("o", vec![1, 7, k])], &[]),
        ("kind = 'oriented_detector'\noutput = 'yolo_end_to_end'", |k| vec![("o", vec![1, k, 7])], &[]),
        ("kind = 'pose'\noutput = 'yolo_v8'\nkeypoints = 2", |k| vec![("o", vec![1, 12, k])], &[]),
        (
            "kind = 'pose'\noutput = 'yolo_end_to_end'\nkeypoints = 2\nkeypoint_scores = false",
            |k| vec![("o", vec![1, k, 10])],
            &[],
        ),
        (
            "kind = 'instance_segmenter'\noutput = 'yolo_v8'",
            |k| vec![("o", vec![1, 8, k]), ("p", vec![1, 2, 4, 4])],
            &[],
        ),
        (
            "kind = 'instance_segmenter'\noutput = 'yolo_v5'",
            |k| vec![("o", vec![1, k, 9]), ("p", vec![1, 2, 4, 4])],
            &[],
        ),
        (
            "kind = 'instance_segmenter'\noutput = 'yolo_end_to_end'",
            |k| vec![("o", vec![1, k, 8]), ("p", vec![1, 2, 4, 4])],
            &[],
        ),
        (
            "kind = 'instance_segmenter'\noutput = 'detr'",
            |k| vec![("dets", vec![1, k, 4]), ("labels", vec![1, k, 2]), ("masks", vec![1, k, 4, 4])],
            &[],
        ),
        (
            "kind = 'instance_segmenter'\noutput = 'torchvision'",
            |k| {
                vec![
                    ("boxes", vec![k, 4]),
                    ("labels", vec![k]),
                    ("scores", vec![k]),
                    ("masks", vec![k, 1, 16, 16]),
                ]
            },
            &["labels"],
        ),
        (
            "kind = 'instance_segmenter'\noutput = 'mmdeploy'",
            |k| vec![("dets", vec![1, k, 5]), ("labels", vec![1, k]), ("masks", vec![1, k, 5, 5])],
            &["labels"],
        ),
        ("kind = 'segmenter'\nbackground = 0", |k| vec![("o", vec![1, 2, k + 1, 3])], &[]),
    ];

    fn outputs<'a>((_, shapes, whole): &Kind, k: usize, mut number: impl FnMut() -> f32) -> Vec<Output<'a>> {
        let output = |(name, shape): (&'static str, Vec<usize>)| {
            let whole = whole.contains(&name);
            let len = shape.iter().product();
            let values: Vec<f32> = (0..len)
                .map(|_| if whole { number().abs() % 3.0 } else { number() })
                .map(|v| if whole { v.floor() } else { v })
                .collect();
            Output { name, shape, values: values.into(), whole }
        };
        shapes(k).into_iter().map(output).collect()
    }

    #[test]
    fn every_kind_takes_no_boxes_at_all_for_nothing_seen() {
        for kind in &EVERY {
            look_at(&["a", "b"], 16, 16, |look| {
                let mut family = config(kind.0).reader();
                let outputs = outputs(kind, 0, || 0.0);
                family.check(&outputs, look).unwrap_or_else(|error| panic!("{}: {error}", kind.0));
                let found = family.read(&outputs, look).unwrap_or_else(|error| panic!("{}: {error}", kind.0));
                assert!(found.list.is_empty() || kind.0.contains("segmenter"), "{}: {found:?}", kind.0);
            });
        }
    }

    #[test]
    fn every_kind_refuses_other_shapes_with_a_sentence_and_never_reads_them() {
        for kind in &EVERY {
            look_at(&["a", "b"], 16, 16, |look| {
                let mut family = config(kind.0).reader();
                let shapes: [&[usize]; 6] = [&[], &[1], &[1, 2, 3, 4, 5], &[0], &[1, 0, 0], &[3, 1, 1, 1]];
                for shape in shapes {
                    let values = vec![0.5; shape.iter().product()];
                    let outputs =
                        [Output { name: "x", shape: shape.to_vec(), values: values.into(), whole: false }];
                    let says = family.check(&outputs, look).unwrap_err().to_string();
                    assert!(says.contains("m.toml") && says.contains("[family]"), "{}: {says}", kind.0);
                    assert!(family.read(&outputs, look).is_err(), "{} reads {shape:?}", kind.0);
                }
                assert!(family.check(&[], look).is_err() && family.read(&[], look).is_err(), "{}", kind.0);
            });
        }
    }

    #[test]
    fn every_kind_reads_ten_thousand_candidates_and_gives_no_more_than_asked_for() {
        for kind in EVERY.iter().filter(|kind| !kind.0.contains("'segmenter'")) {
            look_at(&["a", "b"], 16, 16, |look| {
                let mut family = config(kind.0).reader();
                let mut state = 1_u32;
                let outputs = outputs(kind, 10_000, || {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 8) as f32 / (1 << 24) as f32
                });
                match family.read(&outputs, look) {
                    Ok(found) => assert!(found.list.len() <= 300, "{}: {}", kind.0, found.list.len()),
                    Err(ModelError::UnknownClass { .. }) => {}
                    Err(error) => panic!("{}: {error}", kind.0),
                }
            });
        }
    }

    /// Numbers as models give them, and as no model should.
    fn any_number() -> impl Strategy<Value = f32> {
        prop_oneof![
            6 => -1.0..2.0f32,
            4 => -5.0..20.0f32,
            1 => prop::sample::select(&[0.0, -0.0, 1e-40, 1e30, -1e30, f32::MAX, f32::MIN, 16.0, 0.5][..]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn whatever_finite_numbers_a_model_gives_its_findings_are_numbers_in_the_region(
            kind in prop::sample::select(&EVERY[..]),
            k in 0usize..6,
            numbers in prop::collection::vec(any_number(), 64),
            content in (0.0..8.0f32, 0.0..8.0f32, 0.0..8.0f32, 0.0..8.0f32),
        ) {
            look_at(&["a", "b"], 16, 16, |look| -> Result<(), TestCaseError> {
                let placement = Placement {
                    frame_from_tensor: Affine::scale_then_move(3.0, 2.0, 100.0, 50.0),
                    content_px: RectPx::from([content.0, content.1, content.2, content.3]),
                };
                let look = Look { placement: &placement, ..*look };
                let mut numbers = numbers.iter().copied().cycle();
                let outputs = outputs(&kind, k, || numbers.next().unwrap());
                let mut family = config(kind.0).reader();
                let found = match family.read(&outputs, &look) {
                    Ok(found) => found,
                    Err(ModelError::UnknownClass { .. } | ModelError::NotANumber { .. }) => return Ok(()),
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                };
                let region = placement.rect(placement.content_px);
                let within = |x: f32, y: f32| {
                    x >= region.x - 0.01
                        && x <= region.right() + 0.01
                        && y >= region.y - 0.01
                        && y <= region.bottom() + 0.01
                };
                for finding in &found.list {
                    let b = finding.box_px;
                    prop_assert!(within(b.x, b.y) && within(b.right(), b.bottom()), "{:?} in {:?}", b, region);
                    prop_assert!(finding.area_px.is_finite(), "{:?}", finding);
                    for p in finding.polygon_px.iter().flatten() {
                        prop_assert!(p.x.is_finite() && p.y.is_finite(), "{:?}", finding);
                        prop_assert!(kind.0.contains("oriented") || within(p.x, p.y), "{:?}", finding);
                    }
                    for p in finding.keypoints_px.iter().flatten() {
                        prop_assert!(within(p.x, p.y) && p.score.is_finite(), "{:?}", finding);
                    }
                }
                Ok(())
            })?;
        }
    }
}
