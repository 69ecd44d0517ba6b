//! Pose: boxes with keypoints, for where the parts of a thing are.

use super::layout::{self, YoloColumns, YoloEndToEnd};
use super::{Family, Look, half, is_false, quarter, three_hundred};
use crate::error::ModelError;
use crate::nms::{Candidate, Suppression};
use crate::number::Fraction;
use crate::output::Output;
use plumb_inspection::{Finding, Findings, KeypointPx, PointPx};
use serde::{Deserialize, Serialize};

/// A model that gives boxes with keypoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoseConfig {
    /// How the boxes and keypoints lie in its output.
    pub output: PoseOutput,
    /// Keypoints of each box.
    pub keypoints: u16,
    /// Each keypoint has a score after its x and y.
    #[serde(default = "yes")]
    pub keypoint_scores: bool,
    /// A box with a lower score is no finding.
    #[serde(default = "quarter")]
    pub score_min: Fraction,
    /// Of two boxes of one class whose intersection is more than this share of their union, the better one stays.
    /// Unless said, 0.5 for `yolo_v8`, and none for `yolo_end_to_end`, whose graph has sorted them out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iou_max: Option<Fraction>,
    /// Boxes of different classes suppress each other too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub class_agnostic: bool,
    /// Only the best so many are findings.
    #[serde(default = "three_hundred")]
    pub findings_max: usize,
}

fn yes() -> bool {
    true
}

/// How boxes and keypoints lie in the output. `n` is the number of classes, `k` the number of boxes, `m` the numbers
/// of all keypoints: x and y in tensor px and perhaps a score, keypoint by keypoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoseOutput {
    /// `[1, 4 + n + m, k]`: centre x, centre y, width, height in tensor px, a probability for each class, the
    /// keypoints.
    YoloV8,
    /// `[1, k, 6 + m]`: left, top, right, bottom in tensor px, score, class number, the keypoints; sorted out in the
    /// graph.
    YoloEndToEnd,
}

impl PoseConfig {
    /// The key that does not go with the others, and why.
    pub(super) fn misfit(&self) -> Option<(&'static str, String)> {
        (self.keypoints == 0).then(|| {
            (
                "keypoints",
                "a pose has at least one keypoint; a model that gives boxes alone is a detector".to_owned(),
            )
        })
    }

    /// Numbers of one keypoint.
    fn numbers(&self) -> usize {
        2 + usize::from(self.keypoint_scores)
    }
}

/// The raw score of the region is the best score of any box.
#[derive(Debug)]
pub(crate) struct Pose {
    config: PoseConfig,
    candidates: Vec<Candidate>,
    best: Vec<f32>,
    /// Numbers of one box's keypoints.
    numbers: Vec<f32>,
}

impl Pose {
    pub(crate) fn new(config: PoseConfig) -> Self {
        Self { config, candidates: Vec::new(), best: Vec::new(), numbers: Vec::new() }
    }
}

/// Outputs that lie as the card says.
enum Layout<'o> {
    Columns(YoloColumns<'o>),
    EndToEnd(YoloEndToEnd<'o>),
}

impl<'o> Layout<'o> {
    fn of(config: &PoseConfig, outputs: &'o [Output<'_>], look: &Look<'_>) -> Result<Self, ModelError> {
        let numbers = config.numbers() * usize::from(config.keypoints);
        let layout = match (config.output, outputs) {
            (PoseOutput::YoloV8, [output]) => YoloColumns::of(output, numbers).map(Self::Columns),
            (PoseOutput::YoloEndToEnd, [output]) => YoloEndToEnd::of(output, numbers).map(Self::EndToEnd),
            _ => None,
        };
        layout.ok_or_else(|| {
            let (name, wanted) = match config.output {
                PoseOutput::YoloV8 => ("yolo_v8", format!("one output [1, 4 + classes + {numbers}, k]")),
                PoseOutput::YoloEndToEnd => ("yolo_end_to_end", format!("one output [1, k, 6 + {numbers}]")),
            };
            layout::unreadable("a pose model", name, &wanted, outputs, look)
        })
    }
}

impl Family for Pose {
    fn check(&self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<(), ModelError> {
        match Layout::of(&self.config, outputs, look)? {
            Layout::Columns(boxes) => look.check_labels(boxes.classes),
            Layout::EndToEnd(_) => Ok(()),
        }
    }

    fn read(&mut self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<Findings, ModelError> {
        let layout = Layout::of(&self.config, outputs, look)?;
        let score_min = self.config.score_min.get();
        self.candidates.clear();
        let raw = match &layout {
            Layout::Columns(boxes) => boxes.candidates(score_min, &mut self.best, &mut self.candidates),
            Layout::EndToEnd(boxes) => boxes.corners(score_min, 0, &mut self.candidates),
        };
        let all = matches!(layout, Layout::Columns(_));
        let suppression = Suppression {
            iou_max: self.config.iou_max.or_else(|| all.then(half)).map(Fraction::get),
            class_agnostic: self.config.class_agnostic,
            kept_max: self.config.findings_max,
        };
        suppression.upright(&mut self.candidates);
        let mut list = Vec::with_capacity(self.candidates.len());
        for candidate in &self.candidates {
            let found = look.finding(candidate.class as usize, candidate.score, candidate.box_px)?;
            let Some(finding) = found else { continue };
            self.numbers.clear();
            match &layout {
                Layout::Columns(boxes) => self.numbers.extend(boxes.extras(candidate.at as usize)),
                Layout::EndToEnd(boxes) => self.numbers.extend(boxes.extras(candidate.at as usize)),
            }
            let keypoints =
                self.numbers.chunks_exact(self.config.numbers()).map(|v| keypoint(v, look)).collect();
            list.push(Finding { keypoints_px: Some(keypoints), ..finding });
        }
        look.findings(list, raw)
    }
}

/// One keypoint in frame px; one that the model sees beyond the edge of the region lies on that edge.
fn keypoint(numbers: &[f32], look: &Look<'_>) -> KeypointPx {
    let content = look.placement.content_px;
    let x = numbers[0].clamp(content.x, content.right());
    let y = numbers[1].clamp(content.y, content.bottom());
    let PointPx { x, y } = look.placement.point(PointPx { x, y });
    KeypointPx { x, y, score: numbers.get(2).copied().unwrap_or(1.0) }
}
