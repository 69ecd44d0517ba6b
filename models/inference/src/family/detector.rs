//! Detector: boxes with a class. How they lie in the output differs from one training tool to the next.

use super::layout::{self, Detr, Dets, FastestDet, Lists, Ssd, YoloColumns, YoloEndToEnd, YoloRows};
use super::{Activation, Family, Look, half, is_false, quarter, three_hundred};
use crate::error::ModelError;
use crate::nms::{Candidate, Suppression};
use crate::number::Fraction;
use crate::output::Output;
use plumb_inspection::Findings;
use serde::{Deserialize, Serialize};

/// A model that gives boxes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorConfig {
    /// How the boxes lie in its outputs.
    pub output: DetectorOutput,
    /// A box with a lower score is no finding.
    #[serde(default = "quarter")]
    pub score_min: Fraction,
    /// Of two boxes of one class whose intersection is more than this share of their union, the better one stays.
    /// Unless said, 0.5 where the output holds every box that the model thought of; where the graph has sorted them
    /// out itself, they are taken as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iou_max: Option<Fraction>,
    /// Boxes of different classes suppress each other too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub class_agnostic: bool,
    /// Only the best so many are findings.
    #[serde(default = "three_hundred")]
    pub findings_max: usize,
    /// The class number that the first label has in the output; unless said 1 for torchvision, which counts the
    /// background as 0, and 0 for all others. Only for outputs that hold class numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_label: Option<u32>,
    /// From logits to probabilities, only for `detr`; sigmoid unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// The column of the logits (from 0) that means "nothing" and has no label, only for `detr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<u16>,
}

/// How boxes lie in a detector's outputs. `n` is the number of classes, `k` the number of boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectorOutput {
    /// `[1, 4 + n, k]`: centre x, centre y, width, height in tensor px, then a probability for each class.
    YoloV8,
    /// `[1, k, 5 + n]`: centre x, centre y, width, height in tensor px, objectness, then a probability for each
    /// class; the score is their product.
    YoloV5,
    /// `[1, k, 6]`: left, top, right, bottom in tensor px, score, class number; sorted out in the graph.
    #[serde(alias = "boxes_scores_labels")]
    YoloEndToEnd,
    /// Two outputs: logits `[1, k, n]` and boxes `[1, k, 4]`: centre x, centre y, width, height as shares of the
    /// tensor's sides; sorted out by the model itself. RF-DETR; RT-DETR and D-FINE of Hugging Face; DETR with
    /// `activation = "softmax"` and `background` = its last column.
    Detr,
    /// Three outputs: class numbers `[1, k]`, boxes `[1, k, 4]`: left, top, right, bottom in tensor px, and scores
    /// `[1, k]`; sorted out in the graph. RT-DETR and D-FINE as their authors export them, Geti.
    RtDetr,
    /// `[1, k, 6]`: centre x, centre y, width, height as shares of the tensor's sides, score, class number; sorted out in
    /// the graph. RT-DETR as Ultralytics exports it.
    UltralyticsRtDetr,
    /// Three outputs, as `rt_detr`, but without the batch of one; class number 0 is background.
    Torchvision,
    /// Two outputs: boxes `[1, k, 5]`: left, top, right, bottom in tensor px, score; and class numbers `[1, k]`; with
    /// or without the batch of one; sorted out in the graph. MMDeploy, Geti.
    Mmdeploy,
    /// Two outputs: scores `[1, k, 1 + n]`, of which the first is background, and boxes `[1, k, 4]`: left, top, right,
    /// bottom as shares of the tensor's sides.
    Ssd,
    /// `[1, 5 + n, h, w]`, one box a cell, still to be decoded: objectness, offset of the centre x and y (tanh, in
    /// cells), width, height (sigmoid, shares of the tensor's sides), then a probability for each class; the score is
    /// objectness^0.6 · class^0.4.
    #[serde(rename = "fastestdet")]
    FastestDet,
}

impl DetectorOutput {
    /// Name in cards, and the shapes.
    fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::YoloV8 => ("yolo_v8", "one output [1, 4 + classes, k]"),
            Self::YoloV5 => ("yolo_v5", "one output [1, k, 5 + classes]"),
            Self::YoloEndToEnd => ("yolo_end_to_end", "one output [1, k, 6]"),
            Self::Detr => ("detr", "two outputs, logits [1, k, classes] and boxes [1, k, 4]"),
            Self::RtDetr => ("rt_detr", "three outputs, labels [1, k], boxes [1, k, 4] and scores [1, k]"),
            Self::UltralyticsRtDetr => ("ultralytics_rt_detr", "one output [1, k, 6]"),
            Self::Torchvision => ("torchvision", "three outputs, boxes [k, 4], labels [k] and scores [k]"),
            Self::Mmdeploy => ("mmdeploy", "two outputs, dets [1, k, 5] and labels [1, k]"),
            Self::Ssd => ("ssd", "two outputs, scores [1, k, 1 + classes] and boxes [1, k, 4]"),
            Self::FastestDet => ("fastestdet", "one output [1, 5 + classes, h, w]"),
        }
    }

    /// True where the boxes are final: the graph, or the model itself, gives a thing once.
    fn is_sorted_out(self) -> bool {
        match self {
            Self::YoloEndToEnd
            | Self::Detr
            | Self::RtDetr
            | Self::UltralyticsRtDetr
            | Self::Torchvision
            | Self::Mmdeploy => true,
            Self::YoloV8 | Self::YoloV5 | Self::Ssd | Self::FastestDet => false,
        }
    }
}

impl DetectorConfig {
    /// The key that does not go with the output, and why.
    pub(super) fn misfit(&self) -> Option<(&'static str, String)> {
        let (name, _) = self.output.described();
        let numbered = matches!(
            self.output,
            DetectorOutput::YoloEndToEnd
                | DetectorOutput::RtDetr
                | DetectorOutput::UltralyticsRtDetr
                | DetectorOutput::Torchvision
                | DetectorOutput::Mmdeploy
        );
        if self.first_label.is_some() && !numbered {
            return Some((
                "first_label",
                format!("output {name:?} has no class numbers; leave `first_label` out"),
            ));
        }
        let detr = self.output == DetectorOutput::Detr;
        let only = |key| Some((key, format!("`{key}` is for output \"detr\"; leave it out for {name:?}")));
        match (self.activation, self.background) {
            (Some(_), _) if !detr => only("activation"),
            (_, Some(_)) if !detr => only("background"),
            _ => None,
        }
    }

    pub(super) fn has_batch_axis(&self) -> bool {
        self.output != DetectorOutput::Torchvision
    }
}

/// The raw score of the region is the best score of any box.
#[derive(Debug)]
pub(crate) struct Detector {
    config: DetectorConfig,
    candidates: Vec<Candidate>,
    /// Best score of each box, for layouts that lie class by class.
    best: Vec<f32>,
}

impl Detector {
    pub(crate) fn new(config: DetectorConfig) -> Self {
        Self { config, candidates: Vec::new(), best: Vec::new() }
    }

    /// Fills the candidates and gives the best score of any box.
    fn find(&mut self, layout: Layout<'_>, input_px: (f32, f32)) -> f32 {
        let score_min = self.config.score_min.get();
        let numbered_from = |first| self.config.first_label.unwrap_or(first);
        let candidates = &mut self.candidates;
        candidates.clear();
        match layout {
            Layout::YoloColumns(boxes) => boxes.candidates(score_min, &mut self.best, candidates),
            Layout::YoloRows(boxes) => boxes.candidates(score_min, candidates),
            Layout::Shares(boxes) => boxes.shares(input_px, score_min, numbered_from(0), candidates),
            Layout::YoloEndToEnd(boxes) => boxes.corners(score_min, numbered_from(0), candidates),
            Layout::Detr(boxes) => {
                let activation = self.config.activation.unwrap_or(Activation::Sigmoid);
                boxes.candidates(activation, input_px, score_min, candidates)
            }
            Layout::Lists(boxes, first) => boxes.candidates(score_min, numbered_from(first), candidates),
            Layout::Dets(boxes) => boxes.candidates(score_min, numbered_from(0), candidates),
            Layout::Ssd(boxes) => boxes.candidates(input_px, score_min, candidates),
            Layout::FastestDet(boxes) => boxes.candidates(input_px, score_min, candidates),
        }
    }
}

/// Outputs that lie as the card says.
enum Layout<'o> {
    YoloColumns(YoloColumns<'o>),
    YoloRows(YoloRows<'o>),
    YoloEndToEnd(YoloEndToEnd<'o>),
    /// The same rows, boxes as shares of the tensor's sides.
    Shares(YoloEndToEnd<'o>),
    Detr(Detr<'o>),
    Lists(Lists<'o>, u32),
    Dets(Dets<'o>),
    Ssd(Ssd<'o>),
    FastestDet(FastestDet<'o>),
}

impl<'o> Layout<'o> {
    fn of(config: &DetectorConfig, outputs: &'o [Output<'_>], look: &Look<'_>) -> Result<Self, ModelError> {
        let lists = |sides: usize| match outputs {
            [a, b, c] if outputs.iter().any(|output| output.shape.len() == sides) => Lists::of([a, b, c]),
            _ => None,
        };
        let layout = match (config.output, outputs) {
            (DetectorOutput::YoloV8, [output]) => YoloColumns::of(output, 0).map(Self::YoloColumns),
            (DetectorOutput::YoloV5, [output]) => YoloRows::of(output, 0).map(Self::YoloRows),
            (DetectorOutput::YoloEndToEnd, [output]) => YoloEndToEnd::of(output, 0).map(Self::YoloEndToEnd),
            (DetectorOutput::UltralyticsRtDetr, [output]) => YoloEndToEnd::of(output, 0).map(Self::Shares),
            (DetectorOutput::Detr, _) => {
                Detr::of(outputs, config.background.map(usize::from)).map(Self::Detr)
            }
            (DetectorOutput::RtDetr, _) => lists(3).map(|lists| Self::Lists(lists, 0)),
            (DetectorOutput::Torchvision, _) => lists(2).map(|lists| Self::Lists(lists, 1)),
            (DetectorOutput::Mmdeploy, [a, b]) => Dets::of([a, b]).map(Self::Dets),
            (DetectorOutput::Ssd, _) => Ssd::of(outputs).map(Self::Ssd),
            (DetectorOutput::FastestDet, [output]) => FastestDet::of(output).map(Self::FastestDet),
            _ => None,
        };
        let (name, wanted) = config.output.described();
        layout.ok_or_else(|| layout::unreadable("a detector", name, wanted, outputs, look))
    }

    /// How many classes the outputs tell apart; `None` where only the numbers themselves say it.
    fn classes(&self) -> Option<usize> {
        match self {
            Self::YoloColumns(boxes) => Some(boxes.classes),
            Self::YoloRows(boxes) => Some(boxes.classes),
            Self::Detr(boxes) => Some(boxes.classes()),
            Self::Ssd(boxes) => Some(boxes.classes),
            Self::FastestDet(boxes) => Some(boxes.classes),
            Self::YoloEndToEnd(_) | Self::Shares(_) | Self::Lists(..) | Self::Dets(_) => None,
        }
    }
}

impl Family for Detector {
    fn check(&self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<(), ModelError> {
        match Layout::of(&self.config, outputs, look)?.classes() {
            Some(classes) => look.check_labels(classes),
            None => Ok(()),
        }
    }

    fn read(&mut self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<Findings, ModelError> {
        let layout = Layout::of(&self.config, outputs, look)?;
        let raw = self.find(layout, look.input_px);
        let all = !self.config.output.is_sorted_out();
        let suppression = Suppression {
            iou_max: self.config.iou_max.or_else(|| all.then(half)).map(Fraction::get),
            class_agnostic: self.config.class_agnostic,
            kept_max: self.config.findings_max,
        };
        suppression.upright(&mut self.candidates);
        let mut list = Vec::with_capacity(self.candidates.len());
        for candidate in &self.candidates {
            list.extend(look.finding(candidate.class as usize, candidate.score, candidate.box_px)?);
        }
        look.findings(list, raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::tests::look_at;

    fn detector(output: DetectorOutput) -> Detector {
        Detector::new(DetectorConfig {
            output,
            score_min: quarter(),
            iou_max: None,
            class_agnostic: false,
            findings_max: 300,
            first_label: None,
            activation: None,
            background: None,
        })
    }

    fn output<'a>(name: &'a str, shape: &[usize], values: &[f32]) -> Output<'a> {
        assert_eq!(shape.iter().product::<usize>(), values.len());
        Output { name, shape: shape.to_vec(), values: values.to_vec().into(), whole: name == "labels" }
    }

    /// Two boxes in every layout: a `b` at 10,20 of 20×10 px with 0.9, and an `a` below the threshold with 0.1.
    fn every_layout() -> Vec<(DetectorOutput, Vec<Output<'static>>)> {
        let logit = |p: f32| (p / (1.0 - p)).ln();
        // Cells of 50 px: the box's centre 20,25 lies in the first, a tenth of a cell left of its corner plus half.
        let (tx, ty) = (0.4_f32.atanh(), 0.5_f32.atanh());
        #[rustfmt::skip]
        let fastestdet = [
            0.9, 0.1, 0.0, 0.0,
            tx, 0.0, 0.0, 0.0,
            ty, 0.0, 0.0, 0.0,
            logit(0.2), 0.0, 0.0, 0.0,
            logit(0.1), 0.0, 0.0, 0.0,
            0.1, 0.1, 0.0, 0.0,
            0.9, 0.0, 0.0, 0.0,
        ];
        vec![
            (
                DetectorOutput::YoloV8,
                vec![output(
                    "o",
                    &[1, 6, 2],
                    &[
                        20.0, 50.0, 25.0, 50.0, 20.0, 9.0, 10.0, 9.0, /* a */ 0.2, 0.1,
                        /* b */ 0.9, 0.0,
                    ],
                )],
            ),
            (
                DetectorOutput::YoloV5,
                vec![output(
                    "o",
                    &[1, 2, 7],
                    &[20.0, 25.0, 20.0, 10.0, 0.9, 0.2, 1.0, /* */ 50.0, 50.0, 9.0, 9.0, 0.5, 0.2, 0.0],
                )],
            ),
            (
                DetectorOutput::YoloEndToEnd,
                vec![output(
                    "o",
                    &[1, 2, 6],
                    &[10.0, 20.0, 30.0, 30.0, 0.9, 1.0, /* */ 50.0, 50.0, 59.0, 59.0, 0.1, 0.0],
                )],
            ),
            (
                DetectorOutput::Ssd,
                vec![
                    output("boxes", &[1, 2, 4], &[0.1, 0.2, 0.3, 0.3, 0.5, 0.5, 0.6, 0.6]),
                    output("scores", &[1, 2, 3], &[0.0, 0.1, 0.9, 0.8, 0.1, 0.1]),
                ],
            ),
            (DetectorOutput::FastestDet, vec![output("o", &[1, 7, 2, 2], &fastestdet)]),
            (
                DetectorOutput::Detr,
                vec![
                    output("dets", &[1, 2, 4], &[0.2, 0.25, 0.2, 0.1, 0.5, 0.5, 0.1, 0.1]),
                    output("labels", &[1, 2, 2], &[logit(0.2), logit(0.9), logit(0.1), logit(0.05)]),
                ],
            ),
            (
                DetectorOutput::RtDetr,
                vec![
                    output("labels", &[1, 2], &[1.0, 0.0]),
                    output("boxes", &[1, 2, 4], &[10.0, 20.0, 30.0, 30.0, 50.0, 50.0, 59.0, 59.0]),
                    output("scores", &[1, 2], &[0.9, 0.1]),
                ],
            ),
            (
                DetectorOutput::UltralyticsRtDetr,
                vec![output(
                    "o",
                    &[1, 2, 6],
                    &[0.2, 0.25, 0.2, 0.1, 0.9, 1.0, /* */ 0.5, 0.5, 0.1, 0.1, 0.1, 0.0],
                )],
            ),
            (
                DetectorOutput::Torchvision,
                vec![
                    output("boxes", &[2, 4], &[10.0, 20.0, 30.0, 30.0, 50.0, 50.0, 59.0, 59.0]),
                    output("labels", &[2], &[2.0, 1.0]),
                    output("scores", &[2], &[0.9, 0.1]),
                ],
            ),
            (
                DetectorOutput::Mmdeploy,
                vec![
                    output("dets", &[1, 2, 5], &[10.0, 20.0, 30.0, 30.0, 0.9, 50.0, 50.0, 59.0, 59.0, 0.1]),
                    output("labels", &[1, 2], &[1.0, 0.0]),
                ],
            ),
        ]
    }

    #[test]
    fn every_layout_gives_the_same_box_from_the_same_sight() {
        for (layout, outputs) in every_layout() {
            look_at(&["a", "b"], 100, 100, |look| {
                let mut detector = detector(layout);
                detector.check(&outputs, look).unwrap();
                let found = detector.read(&outputs, look).unwrap();
                assert_eq!(found.list.len(), 1, "{layout:?}: {found:?}");
                let finding = &found.list[0];
                assert_eq!(finding.class.as_str(), "b", "{layout:?}");
                assert!((finding.score.get() - 0.9).abs() < 1e-5, "{layout:?}: {finding:?}");
                assert_eq!(found.scores[0].2, finding.score, "{layout:?}");
                for (got, expected) in <[f32; 4]>::from(finding.box_px).iter().zip([10.0, 20.0, 20.0, 10.0]) {
                    assert!((got - expected).abs() < 1e-3, "{layout:?}: {finding:?}");
                }
            });
        }
    }

    #[test]
    fn every_layout_refuses_a_label_too_few_and_another_layouts_output() {
        for (layout, outputs) in every_layout() {
            let names_classes = !matches!(
                layout,
                DetectorOutput::YoloEndToEnd
                    | DetectorOutput::RtDetr
                    | DetectorOutput::UltralyticsRtDetr
                    | DetectorOutput::Torchvision
                    | DetectorOutput::Mmdeploy
            );
            look_at(&["only"], 100, 100, |look| {
                let refused = detector(layout).check(&outputs, look);
                assert_eq!(
                    matches!(refused, Err(ModelError::Labels { .. })),
                    names_classes,
                    "{layout:?}: {refused:?}"
                );
                let classifier = [output("o", &[1, 10], &[0.0; 10])];
                let refused = detector(layout).check(&classifier, look);
                assert!(matches!(refused, Err(ModelError::Output { .. })), "{layout:?}: {refused:?}");
            });
        }
    }

    #[test]
    fn an_end_to_end_class_without_a_label_is_an_error_and_not_another_class() {
        let outputs = [output("o", &[1, 1, 6], &[0.0, 0.0, 9.0, 9.0, 0.9, 2.0])];
        look_at(&["a", "b"], 100, 100, |look| {
            let refused = detector(DetectorOutput::YoloEndToEnd).read(&outputs, look);
            assert!(
                matches!(refused, Err(ModelError::UnknownClass { class: 2, labels: 2, .. })),
                "{refused:?}"
            );
        });
    }

    #[test]
    fn no_boxes_at_all_is_no_finding_and_a_raw_score_of_zero() {
        let outputs = [output("o", &[1, 0, 6], &[])];
        look_at(&["a"], 100, 100, |look| {
            let found = detector(DetectorOutput::YoloEndToEnd).read(&outputs, look).unwrap();
            assert!(found.list.is_empty() && found.scores[0].2.get() == 0.0);
        });
    }
}
