//! Instance segmenter: boxes with a class, and for each the pixels that belong to it.

use super::layout::{self, Detr, Dets, Lists, YoloColumns, YoloEndToEnd, YoloRows};
use super::{Activation, Family, Look, half, is_false, quarter, three_hundred};
use crate::error::ModelError;
use crate::mask::{Edge, Mask, Picture};
use crate::nms::{Candidate, Suppression};
use crate::number::{Fraction, NotNegative};
use crate::output::Output;
use crate::prototypes::Prototypes;
use plumb_inspection::{Finding, Findings, RectPx};
use serde::{Deserialize, Serialize};

/// A model that gives boxes and a mask for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceSegmenterConfig {
    /// How the boxes and masks lie in its outputs.
    pub output: InstanceSegmenterOutput,
    /// A box with a lower score is no finding.
    #[serde(default = "quarter")]
    pub score_min: Fraction,
    /// Of two boxes of one class whose intersection is more than this share of their union, the better one stays.
    /// Unless said, 0.5 for `yolo_v8` and `yolo_v5`, and none for the others, whose graph has sorted them out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iou_max: Option<Fraction>,
    /// Boxes of different classes suppress each other too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub class_agnostic: bool,
    /// Only the best so many are findings.
    #[serde(default = "three_hundred")]
    pub findings_max: usize,
    /// A pixel belongs to a thing if its probability is above this.
    #[serde(default = "half")]
    pub mask_min: Fraction,
    /// A mask of fewer frame px² is no finding. One without any pixel never is.
    #[serde(default)]
    pub area_min_px: NotNegative,
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

/// How boxes and masks lie in the outputs. `n` is the number of classes, `k` the number of boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceSegmenterOutput {
    /// Two outputs: `[1, 4 + n + m, k]`: centre x, centre y, width, height in tensor px, a probability for each class,
    /// `m` coefficients; and prototypes `[1, m, h, w]`, whose sum weighted so is the mask, as logits, cut to the box.
    YoloV8,
    /// Two outputs: `[1, k, 5 + n + m]`: centre x, centre y, width, height in tensor px, objectness, a probability for
    /// each class, `m` coefficients; the score is objectness times class; and prototypes as above.
    YoloV5,
    /// Two outputs: `[1, k, 6 + m]`: left, top, right, bottom in tensor px, score, class number, `m` coefficients; and
    /// prototypes as above; sorted out in the graph.
    YoloEndToEnd,
    /// Three outputs: logits `[1, k, n]`, boxes `[1, k, 4]` as shares of the tensor's sides, and masks `[1, k, h, w]`
    /// of the whole tensor, as logits; sorted out by the model itself. RF-DETR.
    Detr,
    /// Four outputs: boxes `[k, 4]`, class numbers `[k]` (0 is background), scores `[k]` and masks `[k, 1, h, w]`, as
    /// probabilities: of the whole tensor where they have its size, else of the box.
    Torchvision,
    /// Three outputs: boxes `[1, k, 5]`: left, top, right, bottom in tensor px, score; class numbers `[1, k]`; masks
    /// `[1, k, h, w]`, as probabilities: of the whole tensor where they have its size, else of the box; with or
    /// without the batch of one. MMDeploy, Geti.
    Mmdeploy,
}

impl InstanceSegmenterOutput {
    /// Name in cards, and the shapes.
    fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::YoloV8 => ("yolo_v8", "two outputs, [1, 4 + classes + m, k] and prototypes [1, m, h, w]"),
            Self::YoloV5 => ("yolo_v5", "two outputs, [1, k, 5 + classes + m] and prototypes [1, m, h, w]"),
            Self::YoloEndToEnd => {
                ("yolo_end_to_end", "two outputs, [1, k, 6 + m] and prototypes [1, m, h, w]")
            }
            Self::Detr => {
                ("detr", "three outputs, logits [1, k, classes], boxes [1, k, 4] and masks [1, k, h, w]")
            }
            Self::Torchvision => {
                ("torchvision", "four outputs, boxes [k, 4], labels [k], scores [k] and masks [k, 1, h, w]")
            }
            Self::Mmdeploy => {
                ("mmdeploy", "three outputs, dets [1, k, 5], labels [1, k] and masks [1, k, h, w]")
            }
        }
    }
}

impl InstanceSegmenterConfig {
    /// The key that does not go with the output, and why.
    pub(super) fn misfit(&self) -> Option<(&'static str, String)> {
        let (name, _) = self.output.described();
        let numbered =
            !matches!(self.output, InstanceSegmenterOutput::YoloV8 | InstanceSegmenterOutput::Detr);
        if self.first_label.is_some() && !numbered {
            return Some((
                "first_label",
                format!("output {name:?} has no class numbers; leave `first_label` out"),
            ));
        }
        let detr = self.output == InstanceSegmenterOutput::Detr;
        let only = |key| Some((key, format!("`{key}` is for output \"detr\"; leave it out for {name:?}")));
        match (self.activation, self.background) {
            (Some(_), _) if !detr => only("activation"),
            (_, Some(_)) if !detr => only("background"),
            _ => None,
        }
    }

    pub(super) fn has_batch_axis(&self) -> bool {
        self.output != InstanceSegmenterOutput::Torchvision
    }
}

/// The raw score of the region is the best score of any box.
#[derive(Debug)]
pub(crate) struct InstanceSegmenter {
    config: InstanceSegmenterConfig,
    candidates: Vec<Candidate>,
    best: Vec<f32>,
    /// Coefficients of one box.
    coefficients: Vec<f32>,
    /// Logits of one box, made of prototypes.
    logits: Vec<f32>,
    mask: Mask,
}

impl InstanceSegmenter {
    pub(crate) fn new(config: InstanceSegmenterConfig) -> Self {
        Self {
            config,
            candidates: Vec::new(),
            best: Vec::new(),
            coefficients: Vec::new(),
            logits: Vec::new(),
            mask: Mask::default(),
        }
    }

    /// Fills the candidates and gives the best score of any box.
    fn find(&mut self, boxes: &Boxes<'_>, input_px: (f32, f32)) -> f32 {
        let score_min = self.config.score_min.get();
        let numbered_from = |first| self.config.first_label.unwrap_or(first);
        let candidates = &mut self.candidates;
        candidates.clear();
        match boxes {
            Boxes::Columns(boxes) => boxes.candidates(score_min, &mut self.best, candidates),
            Boxes::Rows(boxes) => boxes.candidates(score_min, candidates),
            Boxes::EndToEnd(boxes) => boxes.corners(score_min, numbered_from(0), candidates),
            Boxes::Detr(boxes) => {
                let activation = self.config.activation.unwrap_or(Activation::Sigmoid);
                boxes.candidates(activation, input_px, score_min, candidates)
            }
            Boxes::Lists(boxes) => boxes.candidates(score_min, numbered_from(1), candidates),
            Boxes::Dets(boxes) => boxes.candidates(score_min, numbered_from(0), candidates),
        }
    }

    /// Hands every finding to `seen`, with its mask; gives the best score of any box.
    fn each(
        &mut self,
        outputs: &[Output<'_>],
        look: &Look<'_>,
        mut seen: impl FnMut(Finding, &Mask),
    ) -> Result<f32, ModelError> {
        let (boxes, masks) = parts(&self.config, outputs, look)?;
        let raw = self.find(&boxes, look.input_px);
        let all = matches!(boxes, Boxes::Columns(_) | Boxes::Rows(_));
        let suppression = Suppression {
            iou_max: self.config.iou_max.or_else(|| all.then(half)).map(Fraction::get),
            class_agnostic: self.config.class_agnostic,
            kept_max: self.config.findings_max,
        };
        suppression.upright(&mut self.candidates);
        for i in 0..self.candidates.len() {
            let candidate = self.candidates[i];
            let found = look.finding(candidate.class as usize, candidate.score, candidate.box_px)?;
            let Some(finding) = found else { continue };
            self.draw(&candidate, &boxes, &masks, look);
            let Some((area_px, polygon)) = self.mask.area_and_outline(look) else { continue };
            if area_px >= self.config.area_min_px.get() {
                seen(Finding { area_px, polygon_px: Some(polygon), ..finding }, &self.mask);
            }
        }
        Ok(raw)
    }

    /// Draws the mask of `candidate`, in tensor px.
    fn draw(&mut self, candidate: &Candidate, boxes: &Boxes<'_>, masks: &Masks<'_>, look: &Look<'_>) {
        let (at, mask_min) = (candidate.at as usize, self.config.mask_min.get());
        let whole = RectPx { x: 0.0, y: 0.0, w: look.input_px.0, h: look.input_px.1 };
        match masks {
            Masks::Prototypes(prototypes) => {
                self.coefficients.clear();
                match boxes {
                    Boxes::Columns(boxes) => self.coefficients.extend(boxes.extras(at)),
                    Boxes::Rows(boxes) => self.coefficients.extend(boxes.extras(at)),
                    Boxes::EndToEnd(boxes) => self.coefficients.extend(boxes.extras(at)),
                    Boxes::Detr(_) | Boxes::Lists(_) | Boxes::Dets(_) => {}
                }
                let window = self.mask.window(candidate.box_px, look);
                let picture = prototypes.weighted(&self.coefficients, window, whole, &mut self.logits);
                self.mask.draw(&picture, Activation::Sigmoid.inverse(mask_min), Edge::Extended);
            }
            Masks::OfTensor { values, height, width, logits } => {
                let least = if *logits { Activation::Sigmoid.inverse(mask_min) } else { mask_min };
                let values = &values[at * height * width..(at + 1) * height * width];
                self.mask.window(whole, look);
                let picture = Picture { values, height: *height, width: *width, covers_px: whole };
                self.mask.draw(&picture, least, Edge::Extended);
            }
            Masks::OfBox { values, height, width } => {
                let values = &values[at * height * width..(at + 1) * height * width];
                self.mask.window(candidate.box_px, look);
                let picture = Picture { values, height: *height, width: *width, covers_px: candidate.box_px };
                self.mask.draw(&picture, mask_min, Edge::Zero);
            }
        }
    }
}

/// Boxes that lie as the card says.
enum Boxes<'o> {
    Columns(YoloColumns<'o>),
    Rows(YoloRows<'o>),
    EndToEnd(YoloEndToEnd<'o>),
    Detr(Detr<'o>),
    Lists(Lists<'o>),
    Dets(Dets<'o>),
}

/// Masks that lie as the card says.
enum Masks<'o> {
    Prototypes(Prototypes<'o>),
    /// One a box, each of the whole tensor.
    OfTensor {
        values: &'o [f32],
        height: usize,
        width: usize,
        logits: bool,
    },
    /// One a box, each of that box.
    OfBox {
        values: &'o [f32],
        height: usize,
        width: usize,
    },
}

/// Boxes and masks of outputs that lie as the card says.
fn parts<'o>(
    config: &InstanceSegmenterConfig,
    outputs: &'o [Output<'_>],
    look: &Look<'_>,
) -> Result<(Boxes<'o>, Masks<'o>), ModelError> {
    let (name, wanted) = config.output.described();
    let refused = || layout::unreadable("an instance segmenter", name, wanted, outputs, look);
    let (masks, others) = masks_and_others(outputs).ok_or_else(refused)?;
    let [.., height, width] = masks.shape[..] else { return Err(refused()) };
    let values: &[f32] = &masks.values;
    let in_box_or_tensor = |k: usize| {
        let whole = (width as f32, height as f32) == look.input_px;
        let fits = values.len() == k * height * width && height * width > 0;
        fits.then_some(if whole {
            Masks::OfTensor { values, height, width, logits: false }
        } else {
            Masks::OfBox { values, height, width }
        })
    };
    let parts = match (config.output, &others[..]) {
        (InstanceSegmenterOutput::YoloV8, [boxes]) => Prototypes::of(masks).and_then(|prototypes| {
            let boxes = YoloColumns::of(boxes, prototypes.count())?;
            Some((Boxes::Columns(boxes), Masks::Prototypes(prototypes)))
        }),
        (InstanceSegmenterOutput::YoloV5, [boxes]) => Prototypes::of(masks).and_then(|prototypes| {
            let boxes = YoloRows::of(boxes, prototypes.count())?;
            Some((Boxes::Rows(boxes), Masks::Prototypes(prototypes)))
        }),
        (InstanceSegmenterOutput::YoloEndToEnd, [boxes]) => Prototypes::of(masks).and_then(|prototypes| {
            let boxes = YoloEndToEnd::of(boxes, prototypes.count())?;
            Some((Boxes::EndToEnd(boxes), Masks::Prototypes(prototypes)))
        }),
        (InstanceSegmenterOutput::Detr, _) => {
            let background = config.background.map(usize::from);
            Detr::of(outputs, background)
                .filter(|boxes| masks.shape == [1, boxes.len(), height, width] && height * width > 0)
                .map(|boxes| (Boxes::Detr(boxes), Masks::OfTensor { values, height, width, logits: true }))
        }
        (InstanceSegmenterOutput::Torchvision, [a, b, c]) if masks.shape[1] == 1 => {
            Lists::of([a, b, c]).and_then(|boxes| Some((Boxes::Lists(boxes), in_box_or_tensor(boxes.len())?)))
        }
        (InstanceSegmenterOutput::Mmdeploy, [a, b]) => {
            Dets::of([a, b]).and_then(|boxes| Some((Boxes::Dets(boxes), in_box_or_tensor(boxes.len())?)))
        }
        _ => None,
    };
    parts.ok_or_else(refused)
}

/// The output with the most sides, and the others.
fn masks_and_others<'o>(outputs: &'o [Output<'_>]) -> Option<(&'o Output<'o>, Vec<&'o Output<'o>>)> {
    let masks = outputs.iter().max_by_key(|output| output.shape.len())?;
    let others: Vec<_> = outputs.iter().filter(|output| output.shape.len() < masks.shape.len()).collect();
    (others.len() + 1 == outputs.len()).then_some((masks, others))
}

impl Family for InstanceSegmenter {
    fn check(&self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<(), ModelError> {
        match parts(&self.config, outputs, look)?.0 {
            Boxes::Columns(boxes) => look.check_labels(boxes.classes),
            Boxes::Rows(boxes) => look.check_labels(boxes.classes),
            Boxes::Detr(boxes) => look.check_labels(boxes.classes()),
            Boxes::EndToEnd(_) | Boxes::Lists(_) | Boxes::Dets(_) => Ok(()),
        }
    }

    fn read(&mut self, outputs: &[Output<'_>], look: &Look<'_>) -> Result<Findings, ModelError> {
        let mut list = Vec::new();
        let raw = self.each(outputs, look, |finding, _| list.push(finding))?;
        look.findings(list, raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::FamilyConfig;
    use crate::family::tests::look_at;
    use crate::session::{Asked, Session, Source};
    use crate::{Device, LoadOptions, Runtime};
    use plumb_inspection::{TensorSpec, Values};
    use std::collections::BTreeSet;
    use std::path::Path;

    type Pixels = BTreeSet<(usize, usize)>;

    /// Every finding of one of `models/exports` with the pixels of its mask.
    fn seen(folder: &Path, family: &str, of_imagenet: bool) -> Vec<(Finding, Pixels)> {
        let picture = image::open(folder.join("picture.png")).unwrap().to_rgb8();
        let (width, height) = picture.dimensions();
        let planes = (0..3).flat_map(|c| picture.pixels().map(move |pixel| (c, pixel.0[c])));
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let values = planes.map(|(c, level)| match (f32::from(level) / 255.0, of_imagenet) {
            (level, true) => (level - mean[c]) / std[c],
            (level, false) => level,
        });
        let values = Values::F32(values.collect());
        let spec = serde_json::json!({ "width": width, "height": height });
        let spec: TensorSpec = serde_json::from_value(spec).unwrap();
        let runtime = Runtime::load(None).unwrap_or_else(|error| panic!("{error}"));
        let options = LoadOptions::default();
        let asked =
            Asked { runtime: &runtime, device: &Device::Cpu, options: &options, sides: &[], profile: None };
        let mut session = Session::open(&asked, Source::File(&folder.join("model.onnx")), None)
            .unwrap_or_else(|error| panic!("{folder:?}: {error:?}"));
        let config = crate::family::tests::config(family);
        let FamilyConfig::InstanceSegmenter(config) = config else { panic!("{family}") };
        let mut family = InstanceSegmenter::new(config);
        look_at(&["scratch", "dent", "stain"], width, height, |look| {
            let mut seen = Vec::new();
            let read = |outputs: &[Output<'_>]| {
                family.each(outputs, look, |finding, mask| seen.push((finding, mask.marked().collect())))
            };
            session.run(&spec, &[&values], 1, read).unwrap_or_else(|error| panic!("{error:?}")).unwrap();
            seen
        })
    }

    #[test]
    fn masks_are_those_of_the_packages_that_the_models_come_from() {
        let exports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../exports/files");
        let yolo = "kind = 'instance_segmenter'\noutput = 'yolo_v8'\niou_max = 0.45";
        let end_to_end = "kind = 'instance_segmenter'\noutput = 'yolo_end_to_end'";
        let rows = [
            ("ultralytics-v8-segment", yolo, false),
            ("ultralytics-v8-segment-half", yolo, false),
            ("ultralytics-v11-segment", yolo, false),
            ("ultralytics-v8-segment-nms", end_to_end, false),
            ("ultralytics-26-segment", end_to_end, false),
            ("rfdetr-segment", "kind = 'instance_segmenter'\noutput = 'detr'\nbackground = 3", true),
            ("torchvision-maskrcnn", "kind = 'instance_segmenter'\noutput = 'torchvision'", false),
        ];
        let mut compared = 0;
        for (name, family, of_imagenet) in rows {
            let folder = exports.join(name);
            let found = seen(&folder, family, of_imagenet);
            let reference = std::fs::read_to_string(folder.join("reference.json")).unwrap();
            let reference: serde_json::Value = serde_json::from_str(&reference).unwrap();
            for expected in reference["pictures"][0]["findings"].as_array().unwrap() {
                let mask = image::open(folder.join(expected["mask"].as_str().unwrap())).unwrap().to_luma8();
                let pixels: Pixels = mask
                    .enumerate_pixels()
                    .filter(|(_, _, level)| level.0[0] > 127)
                    .map(|(x, y, _)| (x as usize, y as usize))
                    .collect();
                let edge = |i: usize| expected["box_px"][i].as_f64().unwrap() as f32;
                let score = expected["score"].as_f64().unwrap() as f32;
                let same = |finding: &Finding| {
                    finding.class.as_str() == expected["class"]
                        && (finding.score.get() - score).abs() < 1e-3
                        && (finding.box_px.x - edge(0)).abs() < 1.0
                        && (finding.box_px.y - edge(1)).abs() < 1.0
                };
                let (_, ours) = found
                    .iter()
                    .find(|(finding, _)| same(finding))
                    .unwrap_or_else(|| panic!("{name}: no {expected}"));
                let both = ours.intersection(&pixels).count() as f32;
                let either = ours.union(&pixels).count() as f32;
                assert!(both / either >= 0.98, "{name}: {both} of {either} px for {expected}");
                compared += 1;
            }
        }
        println!("{compared} masks");
        assert!(compared >= 80, "{compared}");
    }
}
