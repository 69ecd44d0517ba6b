//! No tool in particular: what the one output is, told by its shape and by the operator that gives it.

use super::huggingface;
use crate::draft::Draft;
use crate::sight::{Sight, is_whole};
use crate::{Question, Source, Suggestion, labels};
use plumb_onnx::Value;

pub(super) fn made(sight: &Sight) -> bool {
    shape(sight).is_some()
}

enum Shape {
    Classifier { classes: Option<u64> },
    Scores { classes: Option<u64> },
    Map,
}

/// What the one output's sides are, next to those of the input.
fn shape(sight: &Sight) -> Option<Shape> {
    let ([output], [input]) = (&sight.outputs[..], &sight.inputs[..]) else { return None };
    if input.sides().len() != 4 {
        return None;
    }
    match output.lengths()[..] {
        [_, classes] => Some(Shape::Classifier { classes }),
        [_, classes, Some(1), Some(1)] => Some(Shape::Classifier { classes }),
        [_, Some(1), _, _] | [_, _, _] if is_whole(output) => Some(Shape::Map),
        [_, classes, rows, columns] if rows != Some(1) || columns != Some(1) => {
            Some(Shape::Scores { classes })
        }
        _ => None,
    }
}

pub(super) fn read(sight: &Sight, draft: &mut Draft) {
    let Some(shape) = shape(sight) else { return };
    let output = &sight.outputs[0];
    let of_output = || Source::Shape(output.to_string());
    match shape {
        Shape::Classifier { classes } => {
            draft.fact("family.kind", "classifier", of_output());
            activation(sight, output, draft, "softmax");
            if classes == Some(1) {
                draft.obstacle(
                    "it gives a single number, and a classifier needs one a class; export it with two classes, or ask for its map",
                );
            }
            find_labels(sight, draft, classes);
        }
        Shape::Scores { classes: Some(1) } if is_odd(output) => anomaly(output, draft),
        Shape::Scores { classes } => {
            draft.fact("family.kind", "segmenter", of_output());
            activation(sight, output, draft, if classes == Some(1) { "sigmoid" } else { "softmax" });
            if classes != Some(1) {
                background(draft);
            }
            find_labels(sight, draft, classes);
        }
        Shape::Map => {
            draft.fact("family.kind", "segmenter", Source::Graph(format!("{output} holds class numbers")));
            background(draft);
            find_labels(sight, draft, None);
        }
    }
    let by_file = huggingface::preprocessor(sight, draft);
    if !by_file {
        built_in(sight, draft);
        let suggestion = (draft.text("input.colour") != "grey").then(|| Suggestion {
            answer: "imagenet".to_owned(),
            because: "most models in colour start from weights that were trained so".to_owned(),
        });
        draft.ask_normalisation(suggestion);
    }
}

fn find_labels(sight: &Sight, draft: &mut Draft, classes: Option<u64>) {
    labels::find(sight, draft, classes.map(|classes| usize::try_from(classes).unwrap_or(usize::MAX)));
}

/// The last operator says whether probabilities come out; where it does not, `usual` is what such models need.
fn activation(sight: &Sight, output: &Value, draft: &mut Draft, usual: &'static str) {
    let last = sight.last_operator(&output.name);
    let graph = |word: &str| Source::Graph(format!("{word} gives {}", output.name));
    match last {
        Some(word @ ("Softmax" | "Sigmoid" | "HardSigmoid")) => {
            draft.fact("family.activation", "none", graph(word))
        }
        Some(word @ ("Gemm" | "MatMul" | "Conv" | "Add" | "Resize" | "ConvTranspose")) => {
            draft.fact("family.activation", usual, graph(&format!("{word}, so logits,")));
        }
        _ => {
            draft.fact("family.activation", usual, Source::Guess("such models mostly give logits".to_owned()))
        }
    }
}

fn background(draft: &mut Draft) {
    draft.fact("family.background", 0, Source::Guess("the first class mostly is what is nothing".to_owned()));
}

fn is_odd(output: &Value) -> bool {
    let name = output.name.to_lowercase();
    ["anomaly", "heat", "score_map", "error_map"].iter().any(|word| name.contains(word))
}

fn anomaly(output: &Value, draft: &mut Draft) {
    draft.fact("family.kind", "anomaly", Source::Shape(output.to_string()));
    draft.fact("labels", vec!["anomaly"], Source::Custom("such models know one class".to_owned()));
    draft.ask(Question {
        key: "family.map_min",
        means: "the value of the map from which on a pixel is odd; the training's threshold".to_owned(),
        choices: vec![],
        suggestion: None,
    });
}

/// A graph that begins by taking off a mean or dividing tells the range it expects.
fn built_in(sight: &Sight, draft: &mut Draft) {
    let mut value = sight.inputs[0].name.clone();
    // Casts and moves, then arithmetic with a few constants: a real graph has no more than a handful of these.
    for _ in 0..8 {
        let takers: Vec<_> = sight.onnx.nodes_taking(&value).take(2).collect();
        let [node] = takers[..] else { return };
        let numbers =
            node.input.iter().filter(|input| **input != value).find_map(|name| sight.onnx.numbers(name));
        let bytes = |says: &str| Source::Graph(format!("the graph begins with {says}"));
        match (node.op_type(), numbers) {
            ("Sub", Some(mean)) if mean.iter().all(|mean| (1.5..=255.0).contains(mean)) => {
                return draft.normalise_as("bytes", &bytes("Sub of a mean in 0..255"));
            }
            ("Sub", Some(mean)) if mean.iter().all(|mean| (0.0..=1.0).contains(mean)) => {
                return draft.normalise_as("unit", &bytes("Sub of a mean in 0..1"));
            }
            ("Div", Some(by)) if by.iter().all(|by| (127.0..=256.0).contains(by)) => {
                return draft.normalise_as("bytes", &bytes("Div by 255 or so"));
            }
            ("Mul", Some(by)) if by.iter().all(|by| (0.003..0.009).contains(by)) => {
                return draft.normalise_as("bytes", &bytes("Mul by 1/255 or so"));
            }
            ("Cast" | "Transpose" | "Identity", _) => {}
            _ => return,
        }
        let Some(next) = node.output.first() else { return };
        value.clone_from(next);
    }
}
