//! The input: what can be told of it from its declared shape alone.

use crate::draft::Draft;
use crate::sight::Sight;
use crate::{Question, Source, Suggestion};
use plumb_onnx::{ElementType, Value};

/// Reads the one input's layout, sides, channels and number type into `draft`.
pub(crate) fn find(sight: &Sight, draft: &mut Draft) {
    let [input] = &sight.inputs[..] else {
        let names: Vec<String> = sight.inputs.iter().map(ToString::to_string).collect();
        draft.obstacle(match names.len() {
            0 => "it has no input; a picture must go into it".to_owned(),
            n => format!(
                "it has {n} inputs ({}), but is given one picture; export it with the others built in",
                names.join("; ")
            ),
        });
        return;
    };
    number_type(input, draft);
    let lengths = input.lengths();
    let (batch, [b, c, d]) = match lengths[..] {
        [batch, b, c, d] => (batch, [b, c, d]),
        // Torchvision's detectors take one picture, without a batch.
        [b, c, d] => (None, [b, c, d]),
        _ => {
            draft.obstacle(format!(
                "its input is {input}, and a picture has four sides: [batch, channel, row, column] or [batch, row, column, channel]; export it so"
            ));
            return;
        }
    };
    match batch {
        Some(0) => draft.obstacle(format!("its batch is 0 (input {input}), which holds no picture; export it again")),
        None | Some(1) => {}
        Some(fixed) => draft.note(format!(
            "its batch is fixed at {fixed}: one picture costs as much as {fixed}; exported with batch 1 it would be faster"
        )),
    }
    let of_input = || Source::Shape(input.to_string());
    let is_picture = |channels: Option<u64>| matches!(channels, Some(1 | 3));
    let layout = match draft.text("input.layout") {
        "nhwc" => "nhwc",
        "nchw" => "nchw",
        _ if is_picture(b) => "nchw",
        _ if is_picture(d) => "nhwc",
        _ if b.is_none() && d.is_none() => {
            let means = "order of the axes: nchw is batch, channel, row, column; nhwc has the channels last";
            let because = "PyTorch exports so".to_owned();
            draft.ask(Question {
                key: "input.layout",
                means: means.to_owned(),
                choices: vec!["nchw".to_owned(), "nhwc".to_owned()],
                suggestion: Some(Suggestion { answer: "nchw".to_owned(), because }),
            });
            return;
        }
        _ => {
            let channels = b.or(d).map_or_else(|| "another number of".to_owned(), |n| n.to_string());
            draft.obstacle(format!(
                "its input is {input}, with {channels} channels, and a camera gives 1 or 3; such a model needs pictures that Plumb does not take"
            ));
            return;
        }
    };
    let [channels, rows, columns] = if layout == "nchw" { [b, c, d] } else { [d, b, c] };
    draft.fact("input.layout", layout, of_input());
    for (key, length) in [("input.width", columns), ("input.height", rows)] {
        match length {
            Some(length) => draft.fact(key, i64::try_from(length).unwrap_or(i64::MAX), of_input()),
            None => draft.note(format!(
                "{} may vary; the card fixes it, for a fixed size is faster and what was verified",
                if key == "input.width" { "its width" } else { "its height" }
            )),
        }
    }
    if channels == Some(1) {
        draft.fact("input.colour", "grey", of_input());
    }
}

fn number_type(input: &Value, draft: &mut Draft) {
    let element = match input.element {
        Some(ElementType::F32) => "f32",
        Some(ElementType::F16) => "f16",
        Some(ElementType::U8) => "u8",
        _ => {
            draft.obstacle(format!(
                "its input is {input}, and a picture is float32, float16 or uint8; export it so"
            ));
            return;
        }
    };
    draft.fact("input.element", element, Source::Shape(input.to_string()));
    if element == "u8" {
        let graph = "it takes bytes, so the rest is done inside".to_owned();
        draft.normalise(1.0, &[], &[], Source::Graph(graph));
    }
}

/// What is likely where the exporter says nothing: RGB, stretched, and sides that have to be asked for.
pub(crate) fn finish(draft: &mut Draft) {
    if draft.get("input.layout").is_none() {
        return;
    }
    draft.fact("input.colour", "rgb", Source::Guess("most training code reads pictures as RGB".to_owned()));
    draft.fit("stretch", 0, Source::Guess("most training code stretches pictures to the input".to_owned()));
    for (key, which) in [("input.width", "width"), ("input.height", "height")] {
        draft.ask(Question {
            key,
            means: format!("the {which} in px of the pictures that the model was trained on"),
            choices: vec![],
            suggestion: None,
        });
    }
}
