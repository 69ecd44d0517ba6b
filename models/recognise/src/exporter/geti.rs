//! Geti, OTX and Model API: metadata under `model_info NAME`.
//!
//! As in Model API's `models/parameters.py` and `adapters/utils.py`: mean and scale are of bytes 0..255, lists are joined
//! with spaces, and a space inside a label is written `_`.

use crate::draft::Draft;
use crate::sight::Sight;
use crate::{Source, labels};

pub(super) fn made(sight: &Sight) -> bool {
    info(sight, "model_type").is_some()
}

fn info<'s>(sight: &'s Sight, name: &str) -> Option<&'s str> {
    sight.metadata(&format!("model_info {name}")).map(str::trim).filter(|value| !value.is_empty())
}

fn source(name: &str) -> Source {
    Source::Metadata(format!("model_info {name}"))
}

fn is_true(sight: &Sight, name: &str) -> bool {
    info(sight, name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn numbers(sight: &Sight, name: &str) -> Vec<f32> {
    let written =
        info(sight, name).unwrap_or_default().split(|c: char| c.is_whitespace() || "[],".contains(c));
    written.filter_map(|number| number.parse().ok()).collect()
}

pub(super) fn read(sight: &Sight, draft: &mut Draft) {
    let kind = info(sight, "model_type").unwrap_or_default();
    match kind.to_lowercase().as_str() {
        "ssd" | "detection" => detector(sight, draft),
        "maskrcnn" | "instancesegmentation" => instance_segmenter(sight, draft),
        "classification" => classifier(sight, draft),
        "segmentation" => segmenter(sight, draft),
        "anomalydetection" | "anomaly" => anomaly(sight, draft),
        _ => draft.obstacle(format!(
            "its metadata says model_type {kind:?}; Plumb reads Geti's SSD, MaskRCNN, Classification, Segmentation and AnomalyDetection"
        )),
    }
    picture(sight, draft);
}

/// Labels as written; the empty label that Geti adds for "nothing" is taken off where the output has none for it.
fn names(sight: &Sight, draft: &mut Draft, classes: Option<u64>) {
    let written: Vec<&str> = info(sight, "labels").unwrap_or_default().split_whitespace().collect();
    let mut names: Vec<String> = written.iter().map(|name| name.replace('_', " ")).collect();
    let is_empty =
        |name: &String| ["otx empty lbl", "no object", "empty"].contains(&name.to_lowercase().as_str());
    if classes.is_none_or(|classes| names.len() as u64 > classes) {
        names.retain(|name| !is_empty(name));
    }
    if !names.is_empty() {
        draft.fact("labels", names, source("labels"));
    }
    labels::find(sight, draft, classes.map(|classes| classes as usize));
}

fn thresholds(sight: &Sight, draft: &mut Draft) {
    match numbers(sight, "confidence_threshold")[..] {
        [score, ..] => {
            draft.number("family.score_min", score.clamp(0.0, 1.0), source("confidence_threshold"))
        }
        [] => draft.number("family.score_min", 0.5, Source::Custom("Model API takes 0.5".to_owned())),
    }
    if is_true(sight, "nms_execute") {
        let iou = numbers(sight, "iou_threshold").first().copied().unwrap_or(0.5);
        draft.number("family.iou_max", iou.clamp(0.0, 1.0), source("iou_threshold"));
    }
}

fn detector(sight: &Sight, draft: &mut Draft) {
    let boxes = sight.outputs.iter().find(|output| output.lengths().last() == Some(&Some(5)));
    draft.fact("family.kind", "detector", source("model_type"));
    match (boxes, sight.outputs.len()) {
        (Some(boxes), 2..) => draft.fact("family.output", "mmdeploy", Source::Shape(boxes.to_string())),
        (None, 3) => {
            draft.fact("family.output", "rt_detr", Source::Shape("boxes, scores and labels apart".to_owned()))
        }
        _ => draft
            .obstacle("its boxes lie as Plumb does not read them; export it from Geti 2 or OTX 2 as ONNX"),
    }
    thresholds(sight, draft);
    names(sight, draft, None);
}

fn instance_segmenter(sight: &Sight, draft: &mut Draft) {
    draft.fact("family.kind", "instance_segmenter", source("model_type"));
    draft.fact(
        "family.output",
        "mmdeploy",
        Source::Custom("Model API reads boxes, labels and masks so".to_owned()),
    );
    thresholds(sight, draft);
    names(sight, draft, None);
}

fn classifier(sight: &Sight, draft: &mut Draft) {
    draft.fact("family.kind", "classifier", source("model_type"));
    let classes = sight.outputs.iter().find_map(|output| match output.lengths()[..] {
        [_, classes] | [_, classes, Some(1), Some(1)] => classes,
        _ => None,
    });
    if is_true(sight, "hierarchical") {
        draft.obstacle(
            "it sorts into a hierarchy of classes, which Plumb does not read; train a flat classifier",
        );
    }
    if is_true(sight, "multilabel") {
        draft.fact("family.activation", "sigmoid", source("multilabel"));
        draft.note("it may find several classes at once; Plumb takes the most probable one");
    } else {
        draft.fact("family.activation", "softmax", Source::Custom("Model API takes a softmax".to_owned()));
    }
    names(sight, draft, classes);
}

fn segmenter(sight: &Sight, draft: &mut Draft) {
    draft.fact("family.kind", "segmenter", source("model_type"));
    let scores = sight.outputs.iter().find(|output| output.sides().len() == 4);
    let classes = scores.and_then(|scores| scores.lengths()[1]);
    let last = scores.and_then(|scores| sight.last_operator(&scores.name));
    match last {
        Some(word @ ("Softmax" | "Sigmoid")) => {
            draft.fact("family.activation", "none", Source::Graph(format!("{word} gives the output")));
        }
        _ => draft.fact(
            "family.activation",
            "softmax",
            Source::Guess("such models mostly give logits".to_owned()),
        ),
    }
    // Without a blur, Model API heeds no threshold.
    let blurs = numbers(sight, "blur_strength").first().is_some_and(|blur| *blur > 0.0);
    match numbers(sight, "soft_threshold")[..] {
        [threshold, ..] if blurs => {
            draft.number("family.score_min", threshold.clamp(0.0, 1.0), source("soft_threshold"));
            draft.note("Model API blurs scores before it takes the best class, Plumb does not; outlines may differ a little");
        }
        _ => draft.number("family.score_min", 0.0, source("blur_strength is -1, so no threshold")),
    }
    // Model API draws no outline of channel 0; its labels may or may not name it.
    draft.fact("family.background", 0, Source::Custom("Model API takes channel 0 for nothing".to_owned()));
    let written: Vec<&str> = info(sight, "labels").unwrap_or_default().split_whitespace().collect();
    if classes == Some(written.len() as u64 + 1) {
        let named = ["background"].into_iter().chain(written).map(|name| name.replace('_', " "));
        draft.fact("labels", named.collect::<Vec<String>>(), source("labels, after the background"));
    }
    names(sight, draft, classes);
}

fn anomaly(sight: &Sight, draft: &mut Draft) {
    draft.fact("family.kind", "anomaly", source("model_type"));
    draft.fact("labels", vec!["anomaly"], Source::Custom("anomaly models know one class".to_owned()));
    if sight.output("anomaly_map").is_some() {
        draft.fact("family.map", "anomaly_map", Source::Shape("an output is called anomaly_map".to_owned()));
        if sight.output("pred_score").is_some() {
            draft.fact(
                "family.score",
                "pred_score",
                Source::Shape("an output is called pred_score".to_owned()),
            );
        }
        draft.number("family.map_min", 0.5, Source::Custom("Anomalib's operating point is 0.5".to_owned()));
    } else {
        let threshold = numbers(sight, "pixel_threshold").first().copied().unwrap_or(0.5);
        draft.number("family.map_min", threshold.max(0.0), source("pixel_threshold"));
    }
}

fn picture(sight: &Sight, draft: &mut Draft) {
    let built_in = is_true(sight, "embedded_processing");
    if built_in {
        for (key, name) in [("input.width", "orig_width"), ("input.height", "orig_height")] {
            if let [side, ..] = numbers(sight, name)[..] {
                draft.fact(key, side as i64, source(name));
            }
        }
    }
    let reversed = is_true(sight, "reverse_input_channels");
    let colour = match reversed {
        true => source("reverse_input_channels"),
        false => Source::Guess("Geti and OTX 2 train on RGB; older ones on BGR".to_owned()),
    };
    draft.fact("input.colour", "rgb", colour);
    let (mean, std) = (numbers(sight, "mean_values"), numbers(sight, "scale_values"));
    let is_anomaly = draft.text("family.kind") == "anomaly";
    if is_anomaly && mean.is_empty() {
        draft.normalise_as("unit", &Source::Custom("Model API gives anomaly models 0..1".to_owned()));
    } else if info(sight, "intensity_mode") == Some("scale_to_unit") {
        draft.normalise(1.0 / 255.0, &mean, &std, source("intensity_mode, mean_values, scale_values"));
    } else {
        draft.normalise(1.0, &mean, &std, source("mean_values, scale_values"));
    }
    let pad = numbers(sight, "pad_value").first().map_or(0, |pad| *pad as i64);
    match info(sight, "resize_type") {
        Some("crop") => draft.fit("crop", 0, source("resize_type")),
        Some("fit_to_window_letterbox") => {
            draft.fit("letterbox", pad.clamp(0, 255), source("resize_type, pad_value"))
        }
        Some("fit_to_window") => {
            draft.fit("letterbox", 0, source("resize_type"));
            draft.note("Model API pads at the right and at the bottom, Plumb all around; findings may differ a little");
        }
        _ => draft.fit("stretch", 0, source("resize_type is standard")),
    }
}
