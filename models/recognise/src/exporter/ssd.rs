//! Single-shot detectors: scores `[1, k, 1 + n]` with background first, and boxes `[1, k, 4]` as shares of the sides.

use crate::draft::Draft;
use crate::sight::Sight;
use crate::{Source, Suggestion, labels};
use plumb_onnx::Value;

pub(super) fn made(sight: &Sight) -> bool {
    scores(sight).is_some()
}

/// The scores, where the two outputs are scores and boxes of the same boxes.
fn scores(sight: &Sight) -> Option<&Value> {
    let [a, b] = &sight.outputs[..] else { return None };
    let is_boxes = |output: &Value| matches!(output.lengths()[..], [_, _, Some(4)]);
    let (boxes, scores) = match (is_boxes(a), is_boxes(b)) {
        (true, false) => (a, b),
        (false, true) => (b, a),
        (true, true) if a.name.contains("box") => (a, b),
        (true, true) if b.name.contains("box") => (b, a),
        _ => return None,
    };
    let same = |at: usize| boxes.lengths().get(at) == scores.lengths().get(at);
    let columns = scores.lengths().get(2).copied().flatten();
    // Logits of a DETR look the same but for the name; a softmax says that the columns share a sum.
    let is_shared = sight.last_operator(&scores.name) == Some("Softmax");
    (scores.sides().len() == 3 && same(1) && columns.is_some_and(|n| n > 1) && is_shared).then_some(scores)
}

pub(super) fn read(sight: &Sight, draft: &mut Draft) {
    let Some(scores) = scores(sight) else { return };
    let shape = || Source::Shape(format!("{scores}, and boxes beside them"));
    draft.fact("family.kind", "detector", shape());
    draft.fact("family.output", "ssd", shape());
    draft.number("family.score_min", 0.5, Source::Guess("half of all".to_owned()));
    draft.number("family.iou_max", 0.45, Source::Guess("single-shot detectors mostly take 0.45".to_owned()));
    let classes = scores.lengths()[2].unwrap_or(1).saturating_sub(1);
    labels::find(sight, draft, Some(classes as usize));
    if is_ultraface(sight) {
        let guess = || {
            Source::Guess(
                "its size, names and boxes are UltraFace's, which gives (RGB - 127) / 128".to_owned(),
            )
        };
        draft.normalise(1.0 / 128.0, &[127.0 / 128.0], &[], guess());
        draft.fact("input.colour", "rgb", guess());
    }
    let because = "single-shot detectors of PyTorch mostly take ImageNet's".to_owned();
    draft.ask_normalisation(Some(Suggestion { answer: "imagenet".to_owned(), because }));
}

/// UltraFace's two sizes, each with as many boxes as its anchors give.
fn is_ultraface(sight: &Sight) -> bool {
    let boxes = sight.output("boxes").map(|boxes| boxes.lengths());
    let sides = sight.inputs.first().map(|input| input.lengths());
    matches!(
        (sides.as_deref(), boxes.as_deref()),
        (Some([_, Some(3), Some(240), Some(320)]), Some([_, Some(4420), _]))
            | (Some([_, Some(3), Some(480), Some(640)]), Some([_, Some(17640), _]))
    )
}
