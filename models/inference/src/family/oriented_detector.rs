//! Oriented detector: boxes turned at any angle, for parts that lie as they fell.

use super::layout::{self, YoloColumns, YoloEndToEnd};
use super::{Family, Look, half, is_false, quarter, three_hundred};
use crate::error::ModelError;
use crate::nms::{Candidate, Suppression};
use crate::number::Fraction;
use crate::output::Output;
use crate::rotated::RotatedBox;
use plumb_inspection::Findings;
use serde::{Deserialize, Serialize};

/// A model that gives rotated boxes: centre, width, height and the angle by which the box was turned about its centre,
/// in radians, clockwise as seen in the picture (y down).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrientedDetectorConfig {
    /// How the boxes lie in its output.
    pub output: OrientedDetectorOutput,
    /// A box with a lower score is no finding.
    #[serde(default = "quarter")]
    pub score_min: Fraction,
    /// A box that overlaps a better one of its class by more than this is no finding; the overlap is that of two
    /// Gaussians (see `rotated.rs`). Unless said, 0.5 for `yolo_v8`, and none for `yolo_end_to_end`, whose graph has
    /// sorted them out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iou_max: Option<Fraction>,
    /// Boxes of different classes suppress each other too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub class_agnostic: bool,
    /// Only the best so many are findings.
    #[serde(default = "three_hundred")]
    pub findings_max: usize,
}

/// How rotated boxes lie in the output. `n` is the number of classes, `k` the number of boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrientedDetectorOutput {
    /// `[1, 4 + n + 1, k]`: centre x, centre y, width, height in tensor px, a probability for each class, the angle.
    YoloV8,
    /// `[1, k, 7]`: centre x, centre y, width, height in tensor px, score, class number, the angle; sorted out in the
    /// graph.
    YoloEndToEnd,
}

/// The raw score of the region is the best score of any box.
#[derive(Debug)]
pub(crate) struct OrientedDetector {
    config: OrientedDetectorConfig,
    candidates: Vec<Candidate>,
    best: Vec<f32>,
    /// The candidates turned, beside them.
    boxes: Vec<RotatedBox>,
}

impl OrientedDetector {
    pub(crate) fn new(config: OrientedDetectorConfig) -> Self {
        Self { config, candidates: Vec::new(), best: Vec::new(), boxes: Vec::new() }
    }
}

/// Outputs that lie as the card says.
enum Layout<'o> {
    Columns(YoloColumns<'o>),
    EndToEnd(YoloEndToEnd<'o>),
}

impl<'o> Layout<'o> {
    fn of(
        config: &OrientedDetectorConfig,
        outputs: &'o [Output<'_>],
        look: &Look<'_>,
    ) -> Result<Self, ModelError> {
        let (name, wanted, layout) = match (config.output, outputs) {
            (OrientedDetectorOutput::YoloV8, outputs) => (
                "yolo_v8",
                "one output [1, 5 + classes, k]",
                outputs.first().and_then(|output| YoloColumns::of(output, 1)).map(Self::Columns),
            ),
            (OrientedDetectorOutput::YoloEndToEnd, outputs) => (
                "yolo_end_to_end",
                "one output [1, k, 7]",
                outputs.first().and_then(|output| YoloEndToEnd::of(output, 1)).map(Self::EndToEnd),
            ),
        };
        layout
            .filter(|_| outputs.len() == 1)
            .ok_or_else(|| layout::unreadable("an oriented detector", name, wanted, outputs, look))
    }

    fn angle(&self, at: usize) -> f32 {
        match self {
            Self::Columns(boxes) => boxes.extras(at).next().unwrap_or(0.0),
            Self::EndToEnd(boxes) => boxes.extras(at)[0],
        }
    }
}

impl Family for OrientedDetector {
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
            Layout::EndToEnd(boxes) => boxes.centred(score_min, 0, &mut self.candidates),
        };
        let all = matches!(layout, Layout::Columns(_));
        let suppression = Suppression {
            iou_max: self.config.iou_max.or_else(|| all.then(half)).map(Fraction::get),
            class_agnostic: self.config.class_agnostic,
            kept_max: self.config.findings_max,
        };
        suppression.rotated(&mut self.candidates, &mut self.boxes, |at| layout.angle(at as usize));
        let mut list = Vec::with_capacity(self.candidates.len());
        for (candidate, rotated) in self.candidates.iter().zip(&self.boxes) {
            list.extend(rotated.finding(candidate, look)?);
        }
        look.findings(list, raw)
    }
}
