//! Torchvision's detectors: lists of boxes, class numbers and scores without a batch, perhaps masks.
//!
//! As in its `models/detection/transform.py`: resizing and ImageNet's normalisation are in the graph, from RGB 0..1.

use crate::draft::Draft;
use crate::sight::{Sight, is_whole};
use crate::{Source, labels};
use plumb_onnx::Value;

pub(super) fn made(sight: &Sight) -> bool {
    let has = |fits: fn(&Value) -> bool| sight.outputs.iter().any(fits);
    matches!(sight.outputs.len(), 3 | 4)
        && has(|output| matches!(output.lengths()[..], [_, Some(4)]))
        && has(|output| output.sides().len() == 1 && is_whole(output))
        && has(|output| output.sides().len() == 1 && !is_whole(output))
}

pub(super) fn read(sight: &Sight, draft: &mut Draft) {
    let custom = |what: &str| Source::Custom(format!("torchvision's detectors {what}"));
    let outputs = || Source::Shape("lists of boxes, class numbers and scores without a batch".to_owned());
    let with_masks = sight.outputs.iter().any(|output| output.sides().len() == 4);
    draft.fact("family.kind", if with_masks { "instance_segmenter" } else { "detector" }, outputs());
    draft.fact("family.output", "torchvision", outputs());
    draft.number(
        "family.score_min",
        0.5,
        Source::Guess("torchvision itself keeps boxes from 0.05 on".to_owned()),
    );
    labels::find(sight, draft, None);
    draft.fact("input.colour", "rgb", custom("want RGB"));
    draft.normalise_as("unit", &custom("normalise in the graph, from 0..1"));
    draft.fit("letterbox", 0, custom("keep proportions and pad with 0"));
}
