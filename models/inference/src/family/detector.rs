//! Detector: boxes with a class. How they lie in the output differs from one training tool to the next.

use super::{Family, Look};
use crate::error::ModelError;
use crate::nms::{Candidate, suppress};
use crate::number::Fraction;
use crate::output::Output;
use plumb_inspection::Findings;
use serde::{Deserialize, Serialize};

mod layout;

/// A model that gives boxes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorConfig {
    /// How the boxes lie in its output.
    pub output: DetectorOutput,
    /// A box with a lower score is no finding.
    #[serde(default = "quarter")]
    pub score_min: Fraction,
    /// Of two boxes of one class whose intersection is more than this share of their union, the better one stays.
    #[serde(default = "half")]
    pub iou_max: Fraction,
    /// Only the best so many are findings.
    #[serde(default = "three_hundred")]
    pub findings_max: usize,
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

/// How boxes lie in a detector's output. `n` is the number of classes, `k` the number of boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectorOutput {
    /// `[1, 4 + n, k]`: centre x, centre y, width, height in tensor px, then a probability for each class.
    YoloV8,
    /// `[1, k, 5 + n]`: centre x, centre y, width, height in tensor px, objectness, then a probability for each
    /// class; the score is their product.
    YoloV5,
    /// `[1, k, 6]`: left, top, right, bottom in tensor px, score, class number. Made end to end, yet suppressed here
    /// too; set `iou_max = 1` to take it as it is.
    BoxesScoresLabels,
    /// Two outputs: scores `[1, k, 1 + n]`, of which the first is background, and boxes `[1, k, 4]`: left, top, right,
    /// bottom as shares of the tensor's sides.
    Ssd,
    /// `[1, 5 + n, h, w]`, one box a cell, still to be decoded: objectness, offset of the centre x and y (tanh, in
    /// cells), width, height (sigmoid, shares of the tensor's sides), then a probability for each class; the score is
    /// objectness^0.6 · class^0.4.
    #[serde(rename = "fastestdet")]
    FastestDet,
}

/// The raw score of the region is the best score of any box.
#[derive(Debug)]
pub(crate) struct Detector {
    config: DetectorConfig,
    candidates: Vec<Candidate>,
    /// Best class and score a box, for layouts that lie class by class.
    best: Vec<(f32, u32)>,
}

impl Detector {
    pub(crate) fn new(config: DetectorConfig) -> Self {
        Self { config, candidates: Vec::new(), best: Vec::new() }
    }
}

impl Family for Detector {
    fn check(&self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<(), ModelError> {
        match layout::classes(self.config.output, outputs, look)? {
            Some(classes) => look.check_labels(classes),
            None => Ok(()),
        }
    }

    fn read(&mut self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<Findings, ModelError> {
        layout::classes(self.config.output, outputs, look)?;
        self.candidates.clear();
        let score_min = self.config.score_min.get();
        let raw = match self.config.output {
            DetectorOutput::YoloV8 => {
                layout::yolo_v8(&outputs[0], score_min, &mut self.best, &mut self.candidates)
            }
            DetectorOutput::YoloV5 => layout::yolo_v5(&outputs[0], score_min, &mut self.candidates),
            DetectorOutput::BoxesScoresLabels => {
                layout::boxes_scores_labels(&outputs[0], score_min, &mut self.candidates)
            }
            DetectorOutput::Ssd => layout::ssd(outputs, look.input_px, score_min, &mut self.candidates),
            DetectorOutput::FastestDet => {
                layout::fastestdet(&outputs[0], look.input_px, score_min, &mut self.candidates)
            }
        };
        suppress(&mut self.candidates, self.config.iou_max.get(), self.config.findings_max);
        let mut list = Vec::with_capacity(self.candidates.len());
        for candidate in &self.candidates {
            list.extend(look.finding(candidate.class, candidate.score, candidate.box_px)?);
        }
        look.findings(list, raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::tests::look_at;

    fn detector(output: DetectorOutput) -> Detector {
        Detector::new(DetectorConfig { output, score_min: quarter(), iou_max: half(), findings_max: 300 })
    }

    fn output<'a>(name: &'a str, shape: &[usize], values: &[f32]) -> Output<'a> {
        assert_eq!(shape.iter().product::<usize>(), values.len());
        Output { name, shape: shape.to_vec(), values: values.to_vec().into() }
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
                DetectorOutput::BoxesScoresLabels,
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
            let names_classes = layout != DetectorOutput::BoxesScoresLabels;
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
            let refused = detector(DetectorOutput::BoxesScoresLabels).read(&outputs, look);
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
            let found = detector(DetectorOutput::BoxesScoresLabels).read(&outputs, look).unwrap();
            assert!(found.list.is_empty() && found.scores[0].2.get() == 0.0);
        });
    }
}
