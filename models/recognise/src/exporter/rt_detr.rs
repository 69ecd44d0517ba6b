//! RT-DETR and D-FINE as their authors export them: outputs `labels`, `boxes`, `scores`, sorted out in the graph.
//!
//! As in `tools/export_onnx.py` of both: stretched, RGB, 0..1. That script gives the graph a second input, the size of the
//! picture, which must be built in.

use crate::draft::Draft;
use crate::sight::{Sight, is_whole};
use crate::{Source, labels};

pub(super) fn made(sight: &Sight) -> bool {
    let rank = |name: &str| sight.output(name).map(|output| output.sides().len());
    [rank("labels"), rank("boxes"), rank("scores")] == [Some(2), Some(3), Some(2)]
        && sight.output("labels").is_some_and(is_whole)
}

pub(super) fn read(sight: &Sight, draft: &mut Draft) {
    let custom = |what: &str| Source::Custom(format!("RT-DETR and D-FINE {what}"));
    let outputs = || Source::Shape("outputs labels, boxes and scores, with a batch".to_owned());
    draft.fact("family.kind", "detector", outputs());
    draft.fact("family.output", "rt_detr", outputs());
    draft.number("family.score_min", 0.5, Source::Guess("their demos draw boxes from 0.4 to 0.6".to_owned()));
    labels::find(sight, draft, None);
    draft.fact("input.colour", "rgb", custom("give RGB"));
    draft.normalise_as("unit", &custom("give 0..1"));
    draft.fit("stretch", 0, custom("stretch"));
}
