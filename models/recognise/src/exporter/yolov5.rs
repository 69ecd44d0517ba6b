//! The repository yolov5: its `export.py` leaves `stride` and `names`, and no task.
//!
//! As in its `utils/dataloaders.py`, `utils/general.py` and `classify/predict.py`: detectors letterbox with grey 114,
//! RGB, 0..1, conf 0.25, iou 0.45; classifiers cut out the centre and normalise by ImageNet.

use super::ultralytics;
use crate::Source;
use crate::draft::Draft;
use crate::sight::Sight;

pub(super) fn made(sight: &Sight) -> bool {
    ["names", "stride"].iter().all(|key| sight.metadata(key).is_some()) && sight.metadata("task").is_none()
}

pub(super) fn read(sight: &Sight, draft: &mut Draft) {
    ultralytics::names(sight, draft);
    let classes = draft.get("labels").and_then(toml::Value::as_array).map_or(0, |labels| labels.len() as u64);
    let custom = |what: &str| Source::Custom(format!("yolov5 {what}"));
    let shape = || Source::Shape(sight.outputs[0].to_string());
    draft.fact("input.colour", "rgb", custom("gives RGB"));
    match &sight.lengths()[..] {
        [rows, rest @ ..] if is_detector(rows, rest, classes) => {
            draft.fact("family.kind", if rest.is_empty() { "detector" } else { "instance_segmenter" }, shape());
            draft.fact("family.output", "yolo_v5", shape());
            draft.number("family.score_min", 0.25, custom("takes conf 0.25"));
            draft.number("family.iou_max", 0.45, custom("takes iou 0.45"));
            draft.normalise_as("unit", &custom("gives 0..1"));
            draft.fit("letterbox", 114, custom("letterboxes with grey 114"));
        }
        [only] if matches!(only[..], [_, Some(scores)] if scores == classes) => {
            draft.fact("family.kind", "classifier", shape());
            draft.fact("family.activation", "softmax", custom("exports classifiers as logits"));
            draft.normalise_as("imagenet", &custom("normalises for classifiers by ImageNet"));
            draft.fit("crop", 0, custom("cuts out the centre for classifiers"));
        }
        _ => draft.obstacle(format!(
            "yolov5 left {classes} names, and its outputs ({}) are neither boxes [1, k, {}], with prototypes or without, nor scores [1, {classes}]; export it again with yolov5's export.py",
            sight.outputs.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            5 + classes
        )),
    }
}

/// Rows of `5 + n` numbers, and where prototypes of masks follow, as many more as there are prototypes.
fn is_detector(rows: &[Option<u64>], rest: &[Vec<Option<u64>>], classes: u64) -> bool {
    let coefficients = match rest {
        [] => Some(0),
        [prototypes] => prototypes.get(1).copied().flatten().filter(|_| prototypes.len() == 4),
        _ => None,
    };
    matches!((rows, coefficients), ([_, _, Some(columns)], Some(more)) if *columns == 5 + classes + more)
}
