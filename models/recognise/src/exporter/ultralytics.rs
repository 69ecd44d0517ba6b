//! Ultralytics: the metadata says nearly everything (keys `task`, `names`, `imgsz`, `args`, `end2end`, `kpt_shape`).
//!
//! Read in `engine/exporter.py`, `engine/predictor.py` and `data/augment.py` of 8.4: pictures are letterboxed with grey
//! 114 in the middle, RGB, 0..1; classifiers resize the short side and cut out the centre.

use crate::Source;
use crate::draft::Draft;
use crate::labels;
use crate::python::Python;
use crate::sight::Sight;

pub(super) fn made(sight: &Sight) -> bool {
    ["task", "names", "stride"].iter().all(|key| sight.metadata(key).is_some())
}

pub(super) fn read(sight: &Sight, draft: &mut Draft) {
    let task = sight.metadata("task").unwrap_or_default();
    names(sight, draft);
    sides(sight, draft);
    colours(draft);
    match task {
        "detect" => detect(sight, draft, "detector", 0),
        "segment" => detect(sight, draft, "instance_segmenter", coefficients(sight)),
        "obb" => detect(sight, draft, "oriented_detector", 1),
        "pose" => pose(sight, draft),
        "classify" => classify(draft),
        "semantic" => semantic(draft),
        _ => draft.obstacle(format!(
            "its metadata says task {task:?}; Plumb reads Ultralytics' detect, segment, pose, obb, classify and semantic"
        )),
    }
}

/// Names of the classes, which both generations of the tool leave in the same way.
pub(super) fn names(sight: &Sight, draft: &mut Draft) {
    let written = sight.metadata("names").unwrap_or_default();
    match Python::parse(written).and_then(|names| names.names()) {
        Some(names) => draft.fact("labels", names, Source::Metadata("names".to_owned())),
        None => {
            draft.note("the names in its metadata could not be read");
            labels::find(sight, draft, None);
        }
    }
}

/// Where the file leaves width and height open, `imgsz` is what it was exported (and mostly trained) with.
fn sides(sight: &Sight, draft: &mut Draft) {
    let written = sight.metadata("imgsz").and_then(Python::parse).and_then(|sides| sides.ints());
    if let Some([height, width]) = written.as_deref() {
        draft.fact("input.width", *width, Source::Metadata("imgsz".to_owned()));
        draft.fact("input.height", *height, Source::Metadata("imgsz".to_owned()));
    }
}

fn colours(draft: &mut Draft) {
    let custom = || Source::Custom("Ultralytics gives RGB, 0..1".to_owned());
    draft.fact("input.colour", "rgb", custom());
    draft.normalise_as("unit", &custom());
}

/// Mask coefficients of each box: as many as there are prototypes.
fn coefficients(sight: &Sight) -> u64 {
    sight
        .output("output1")
        .and_then(|prototypes| prototypes.lengths().get(1).copied().flatten())
        .unwrap_or(32)
}

/// Boxes with `extras` more numbers each.
fn detect(sight: &Sight, draft: &mut Draft, kind: &'static str, extras: u64) {
    let classes = draft.get("labels").and_then(toml::Value::as_array).map(|labels| labels.len() as u64);
    let task = || Source::Metadata("task".to_owned());
    draft.fact("family.kind", kind, task());
    let custom = |what: &str| Source::Custom(format!("Ultralytics' predict() {what}"));
    draft.number("family.score_min", 0.25, custom("takes conf=0.25"));
    if sight.metadata("head") == Some("RTDETRDecoder") {
        draft.fact("family.output", "ultralytics_rt_detr", Source::Metadata("head".to_owned()));
        draft.fit("stretch", 0, custom("stretches for RT-DETR"));
        return;
    }
    let (output, source) = layout(sight, classes.unwrap_or(0), extras);
    draft.fact("family.output", output, source);
    draft.fit("letterbox", 114, custom("letterboxes with grey 114"));
    if output == "yolo_v8" {
        draft.number("family.iou_max", 0.7, custom("takes iou=0.7"));
    }
}

/// How the boxes lie: sorted out in the graph or all of them. The shape tells, and the metadata where sides are open.
fn layout(sight: &Sight, classes: u64, extras: u64) -> (&'static str, Source) {
    let output = sight.output("output0").or(sight.outputs.first());
    let shape = || Source::Shape(output.map(ToString::to_string).unwrap_or_default());
    let is_true = |key: &str| sight.metadata(key) == Some("True");
    let nms = sight.metadata("args").and_then(Python::parse).and_then(|args| args.get("nms").cloned());
    match output.map(|output| output.lengths()).as_deref() {
        Some([_, Some(rows), _]) if *rows == 4 + classes + extras && !is_true("end2end") => {
            ("yolo_v8", shape())
        }
        Some([_, _, Some(columns)]) if *columns == 6 + extras => ("yolo_end_to_end", shape()),
        _ if is_true("end2end") => ("yolo_end_to_end", Source::Metadata("end2end".to_owned())),
        _ if nms == Some(Python::Bool(true)) => ("yolo_end_to_end", Source::Metadata("args, nms".to_owned())),
        _ => ("yolo_v8", Source::Metadata("end2end and nms are not set".to_owned())),
    }
}

fn pose(sight: &Sight, draft: &mut Draft) {
    let key = || Source::Metadata("kpt_shape".to_owned());
    let shape = sight.metadata("kpt_shape").and_then(Python::parse).and_then(|shape| shape.ints());
    match shape.as_deref() {
        Some([keypoints @ 1..=1000, numbers @ (2 | 3)]) => {
            draft.fact("family.keypoints", *keypoints, key());
            draft.fact("family.keypoint_scores", *numbers == 3, key());
            detect(sight, draft, "pose", keypoints.unsigned_abs() * numbers.unsigned_abs());
        }
        _ => draft.obstacle(
            "its metadata says task \"pose\" but not how many keypoints (kpt_shape); export it again",
        ),
    }
}

fn classify(draft: &mut Draft) {
    draft.fact("family.kind", "classifier", Source::Metadata("task".to_owned()));
    let custom = |what: &str| Source::Custom(format!("Ultralytics {what}"));
    draft.fact("family.activation", "none", custom("exports classifiers with their softmax"));
    draft.fit("crop", 0, custom("resizes the short side and cuts out the centre"));
}

fn semantic(draft: &mut Draft) {
    draft.fact("family.kind", "segmenter", Source::Metadata("task".to_owned()));
    let custom = |what: &str| Source::Custom(format!("Ultralytics {what}"));
    draft.fact("family.activation", "softmax", custom("exports semantic models as logits"));
    draft.fit("letterbox", 114, custom("letterboxes with grey 114"));
}
