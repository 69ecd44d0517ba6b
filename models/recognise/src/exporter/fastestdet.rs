//! FastestDet: one output, a grid a sixteenth of the input, whose channels are joined from a sigmoid, four plain numbers
//! and a softmax.
//!
//! As in its `test.py`: BGR, 0..1, stretched, threshold 0.65, NMS 0.45.

use crate::draft::Draft;
use crate::sight::Sight;
use crate::{Source, labels};

pub(super) fn made(sight: &Sight) -> bool {
    let [output] = &sight.outputs[..] else { return false };
    let [input] = &sight.inputs[..] else { return false };
    let ([_, Some(planes), Some(rows), Some(columns)], [_, Some(3), Some(height), Some(width)]) =
        (&output.lengths()[..], &input.lengths()[..])
    else {
        return false;
    };
    let joins = sight.onnx.node_giving(&output.name).filter(|node| node.op_type() == "Concat");
    let parts = |operator: &str| {
        joins.is_some_and(|node| node.input.iter().any(|part| sight.last_operator(part) == Some(operator)))
    };
    *planes > 5 && *height == rows * 16 && *width == columns * 16 && parts("Sigmoid") && parts("Softmax")
}

pub(super) fn read(sight: &Sight, draft: &mut Draft) {
    let custom = |what: &str| Source::Custom(format!("FastestDet's test.py {what}"));
    let output = &sight.outputs[0];
    let graph = || Source::Graph(format!("{output} is joined from a sigmoid, four numbers and a softmax"));
    draft.fact("family.kind", "detector", graph());
    draft.fact("family.output", "fastestdet", graph());
    draft.number("family.score_min", 0.65, custom("takes thresh 0.65"));
    draft.number("family.iou_max", 0.45, custom("takes nms_thresh 0.45"));
    let planes = output.lengths()[1].unwrap_or(5);
    labels::find(sight, draft, Some(planes.saturating_sub(5) as usize));
    draft.fact("input.colour", "bgr", custom("reads pictures with OpenCV and leaves them BGR"));
    draft.normalise_as("unit", &custom("gives 0..1"));
    draft.fit("stretch", 0, custom("stretches"));
}
