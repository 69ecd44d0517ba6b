//! MMDeploy: `deploy.json`, `pipeline.json` and `detail.json` beside the file; or outputs `dets` and `labels`.
//!
//! As in its `backend/sdk/export_info.py`: the pipeline lists the transforms with mean, std and to_rgb of bytes 0..255.
//! Class names are nowhere in it.

use crate::draft::Draft;
use crate::sight::Sight;
use crate::{Question, Source, Suggestion, labels};
use serde_json::Value as Json;

pub(super) fn made(sight: &Sight) -> bool {
    let is_deployed = sight.beside.json("deploy.json").is_some_and(|deploy| deploy.get("models").is_some());
    is_deployed || dets(sight)
}

/// `[1, k, 5]` and the class numbers beside it.
fn dets(sight: &Sight) -> bool {
    let last = |name: &str| sight.output(name).map(|output| output.lengths().last().copied().flatten());
    last("dets") == Some(Some(5)) && sight.output("labels").is_some()
}

pub(super) fn read(sight: &Sight, draft: &mut Draft) {
    let task = sight.beside.json("deploy.json").and_then(|deploy| deploy.get("task")).and_then(Json::as_str);
    let of_task = || Source::Beside { file: "deploy.json".into(), key: "task".into() };
    let shape = || Source::Shape("outputs dets and labels".to_owned());
    let with_masks = sight.output("masks").is_some();
    match task {
        _ if dets(sight) => {
            draft.fact("family.kind", if with_masks { "instance_segmenter" } else { "detector" }, shape());
            draft.fact("family.output", "mmdeploy", shape());
            score_min(sight, draft);
            labels::find(sight, draft, None);
        }
        Some("Classifier") => {
            draft.fact("family.kind", "classifier", of_task());
            draft.fact(
                "family.activation",
                "none",
                Source::Custom("MMPretrain exports probabilities".to_owned()),
            );
            labels::find(
                sight,
                draft,
                sight.lengths().first().and_then(|sides| sides.last().copied().flatten()).map(|n| n as usize),
            );
        }
        Some("Segmentor") => {
            draft.fact("family.kind", "segmenter", of_task());
            labels::find(sight, draft, None);
            draft.fact(
                "family.background",
                0,
                Source::Guess("the first class mostly is what is nothing".to_owned()),
            );
        }
        _ => draft.obstacle(format!(
            "deploy.json says task {:?}; Plumb reads MMDeploy's detectors, classifiers and segmenters",
            task.unwrap_or("nothing")
        )),
    }
    picture(sight, draft);
}

fn score_min(sight: &Sight, draft: &mut Draft) {
    let post = task(sight, |task| task.get("name").and_then(Json::as_str) == Some("postprocess"));
    let written = post.and_then(|post| post.get("params")?.get("score_thr")?.as_f64());
    match written.filter(|score| (0.0..=1.0).contains(score)) {
        Some(score) => {
            draft.note(format!(
                "pipeline.json keeps boxes from {score} on, for statistics; a station wants sure ones"
            ));
            draft.number(
                "family.score_min",
                0.3,
                Source::Custom("MMDetection draws boxes from 0.3 on".to_owned()),
            );
        }
        None => draft.number(
            "family.score_min",
            0.3,
            Source::Custom("MMDetection draws boxes from 0.3 on".to_owned()),
        ),
    }
}

/// The first task of `pipeline.json` that fits.
fn task(sight: &Sight, fits: impl Fn(&Json) -> bool) -> Option<&Json> {
    let tasks = sight.beside.json("pipeline.json")?.get("pipeline")?.get("tasks")?.as_array()?;
    tasks.iter().find(|task| fits(task))
}

fn picture(sight: &Sight, draft: &mut Draft) {
    let of = |key: &str| Source::Beside { file: "pipeline.json".into(), key: key.to_owned() };
    let preprocess = task(sight, |task| task.get("transforms").is_some());
    let Some(transforms) = preprocess.and_then(|task| task.get("transforms")?.as_array()) else {
        let means =
            "order of the channels; MMDetection before 3 mostly takes bgr, pipeline.json would say it"
                .to_owned();
        draft.ask(Question {
            key: "input.colour",
            means,
            choices: vec!["rgb".to_owned(), "bgr".to_owned()],
            suggestion: Some(Suggestion {
                answer: "rgb".to_owned(),
                because: "most of its configs say so".to_owned(),
            }),
        });
        draft.ask_normalisation(Some(Suggestion {
            answer: "imagenet".to_owned(),
            because: "most of its configs say so; pipeline.json is not beside it".to_owned(),
        }));
        return;
    };
    let find =
        |kind: &str| transforms.iter().find(|step| step.get("type").and_then(Json::as_str) == Some(kind));
    let mut letterboxed = false;
    if let Some(normalize) = find("Normalize") {
        let numbers = |key: &str| -> Vec<f32> {
            let written = normalize.get(key).and_then(Json::as_array).into_iter().flatten();
            written.filter_map(Json::as_f64).map(|value| value as f32).collect()
        };
        draft.normalise(1.0, &numbers("mean"), &numbers("std"), of("Normalize"));
        let to_rgb = normalize.get("to_rgb").and_then(Json::as_bool).unwrap_or(true);
        draft.fact("input.colour", if to_rgb { "rgb" } else { "bgr" }, of("Normalize, to_rgb"));
    } else {
        draft.normalise_as("bytes", &of("no Normalize"));
        draft.fact(
            "input.colour",
            "bgr",
            Source::Custom("MMDeploy reads pictures with OpenCV, BGR".to_owned()),
        );
    }
    if let Some(resize) = find("Resize") {
        let written = resize.get("size").and_then(Json::as_array).into_iter().flatten();
        let size: Vec<i64> = written.filter_map(Json::as_i64).collect();
        if let [width, height] = size[..] {
            draft.fact("input.width", width, of("Resize"));
            draft.fact("input.height", height, of("Resize"));
        }
        letterboxed = resize.get("keep_ratio").and_then(Json::as_bool).unwrap_or(false);
    }
    if letterboxed {
        let value = find("Pad").and_then(|pad| pad.get("pad_val"));
        let value = value.and_then(|value| value.get("img").unwrap_or(value).pointer("/0").or(Some(value)));
        let pad = value.and_then(Json::as_f64).unwrap_or(0.0).clamp(0.0, 255.0) as i64;
        draft.fit("letterbox", pad, of("Resize, keep_ratio"));
        draft.note(
            "MMDeploy pads at the right and at the bottom, Plumb all around; findings may differ a little",
        );
    } else if find("CenterCrop").is_some() {
        draft.fit("crop", 0, of("CenterCrop"));
    } else {
        draft.fit("stretch", 0, of("Resize"));
    }
}
