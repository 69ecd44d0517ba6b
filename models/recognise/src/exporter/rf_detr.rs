//! RF-DETR: outputs `dets` and `labels`, perhaps `masks`; no names, and only its training knows which column is nothing.
//!
//! As in its `detr.py` and `export/_runtime/decode.py`: stretched, RGB, ImageNet, a sigmoid a class, threshold 0.5.

use crate::draft::Draft;
use crate::sight::Sight;
use crate::{Source, labels};

pub(super) fn made(sight: &Sight) -> bool {
    let ends_with = |name: &str, side: Option<u64>| {
        let lengths = sight.output(name).map(|output| output.lengths());
        lengths.is_some_and(|lengths| lengths.len() == 3 && (side.is_none() || lengths[2] == side))
    };
    ends_with("dets", Some(4)) && ends_with("labels", None)
}

pub(super) fn read(sight: &Sight, draft: &mut Draft) {
    let custom = |what: &str| Source::Custom(format!("RF-DETR {what}"));
    let outputs = || Source::Shape("outputs dets and labels".to_owned());
    let with_masks = sight.output("masks").is_some();
    if sight.output("keypoints").is_some() {
        draft
            .obstacle("it is RF-DETR with keypoints, which Plumb does not read; YOLO's pose models are read");
    }
    draft.fact("family.kind", if with_masks { "instance_segmenter" } else { "detector" }, outputs());
    draft.fact("family.output", "detr", outputs());
    draft.number("family.score_min", 0.5, custom("takes threshold 0.5"));
    columns(sight, draft);
    draft.fact("input.colour", "rgb", custom("gives RGB"));
    draft.normalise_as("imagenet", &custom("normalises by ImageNet"));
    draft.fit("stretch", 0, custom("stretches"));
}

/// One more column than names means that the last is nothing, as RF-DETR's own reader has it.
fn columns(sight: &Sight, draft: &mut Draft) {
    let columns =
        sight.output("labels").and_then(|labels| labels.lengths()[2]).map(|columns| columns as usize);
    let Some(columns) = columns else { return labels::find(sight, draft, None) };
    // A list of labels beside the model may name the nothing or leave it out.
    let fits = |n: usize| sight.beside.labels.iter().any(|(_, labels)| labels.len() == n);
    let given = draft.get("labels").and_then(toml::Value::as_array).map(Vec::len);
    let nothing = match given {
        Some(given) => given + 1 == columns,
        None => !fits(columns),
    };
    if nothing && columns > 1 {
        let custom = "RF-DETR's last column is nothing where there is one more than names".to_owned();
        draft.fact("family.background", (columns - 1) as i64, Source::Custom(custom));
    }
    labels::find(sight, draft, Some(if nothing && columns > 1 { columns - 1 } else { columns }));
}
