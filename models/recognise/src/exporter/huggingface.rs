//! Hugging Face's transformers: outputs `logits` and `pred_boxes`; `config.json` and `preprocessor_config.json` beside the
//! file say the rest.

use crate::draft::Draft;
use crate::sight::Sight;
use crate::{Source, labels};
use serde_json::Value as Json;

pub(super) fn made(sight: &Sight) -> bool {
    sight.output("logits").is_some() && sight.output("pred_boxes").is_some()
}

/// Kin whose logits share a sum of 1 with a last column for nothing; all younger ones take a sigmoid a class.
const WITH_NOTHING: [&str; 4] = ["detr", "conditional_detr_softmax", "yolos", "table-transformer"];

pub(super) fn read(sight: &Sight, draft: &mut Draft) {
    let outputs = || Source::Shape("outputs logits and pred_boxes".to_owned());
    draft.fact("family.kind", "detector", outputs());
    draft.fact("family.output", "detr", outputs());
    draft.number(
        "family.score_min",
        0.5,
        Source::Custom("transformers' post_process_object_detection() takes threshold 0.5".to_owned()),
    );
    let kin =
        sight.beside.json("config.json").and_then(|config| config.get("model_type")).and_then(Json::as_str);
    let columns = sight.output("logits").and_then(|logits| logits.lengths().last().copied().flatten());
    let columns = columns.map(|columns| columns as usize);
    let is_old = kin.is_some_and(|kin| WITH_NOTHING.contains(&kin));
    if is_old && let Some(columns) = columns.filter(|columns| *columns > 1) {
        let of = || Source::Beside { file: "config.json".into(), key: "model_type".into() };
        draft.fact("family.activation", "softmax", of());
        draft.fact("family.background", (columns - 1) as i64, of());
        labels::find(sight, draft, Some(columns - 1));
    } else {
        if kin.is_none() {
            draft.note(
                "config.json is not beside it; read as RT-DETR and its kin are, a sigmoid a class. The first DETR and \
                 YOLOS want --set family.activation=softmax --set family.background=LAST",
            );
        }
        labels::find(sight, draft, columns);
    }
    draft.fact("input.colour", "rgb", Source::Custom("transformers' image processors give RGB".to_owned()));
    if !preprocessor(sight, draft) {
        let custom = Source::Guess(
            "RT-DETR and D-FINE give 0..1; preprocessor_config.json is not beside it".to_owned(),
        );
        draft.normalise_as("unit", &custom);
        draft.fit("stretch", 0, Source::Guess("RT-DETR and D-FINE stretch".to_owned()));
    }
}

/// What `preprocessor_config.json` says of pixel values and sides; false where there is none.
pub(super) fn preprocessor(sight: &Sight, draft: &mut Draft) -> bool {
    let Some(config) = sight.beside.json("preprocessor_config.json") else { return false };
    let of = |key: &str| Source::Beside { file: "preprocessor_config.json".into(), key: key.to_owned() };
    let does = |key: &str, or: bool| config.get(key).and_then(Json::as_bool).unwrap_or(or);
    let numbers = |key: &str| -> Vec<f32> {
        let written = config.get(key).and_then(Json::as_array).into_iter().flatten();
        written.filter_map(Json::as_f64).map(|value| value as f32).collect()
    };
    let factor = config.get("rescale_factor").and_then(Json::as_f64).unwrap_or(1.0 / 255.0) as f32;
    let scale = if does("do_rescale", true) { factor } else { 1.0 };
    let (mean, std) = match does("do_normalize", false) {
        true => (numbers("image_mean"), numbers("image_std")),
        false => (vec![], vec![]),
    };
    draft.normalise(scale, &mean, &std, of("rescale_factor, image_mean, image_std"));
    let size = config.get("size");
    let side = |key: &str| size.and_then(|size| size.get(key)).and_then(Json::as_i64);
    if let (Some(height), Some(width)) = (side("height"), side("width")) {
        draft.fact("input.width", width, of("size"));
        draft.fact("input.height", height, of("size"));
    }
    match side("shortest_edge") {
        None => draft.fit("stretch", 0, of("size")),
        Some(_) if does("do_center_crop", false) => draft.fit("crop", 0, of("size, do_center_crop")),
        Some(_) => draft.note("it was trained on pictures that kept their proportions; --set input.fit=letterbox may fit better"),
    }
    true
}
