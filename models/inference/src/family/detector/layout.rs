//! The layouts themselves: numbers → candidates in tensor px. Each gives the best score of all boxes back.

use super::DetectorOutput;
use crate::error::ModelError;
use crate::family::Look;
use crate::nms::Candidate;
use crate::output::Output;
use plumb_inspection::RectPx;

/// How many classes the outputs tell apart; `None` where only the numbers themselves say it.
///
/// # Errors
/// When the outputs do not lie as `layout` says.
pub(super) fn classes(
    layout: DetectorOutput,
    outputs: &[Output<'_>],
    look: &Look<'_>,
) -> Result<Option<usize>, ModelError> {
    let sides: Vec<&[usize]> = outputs.iter().map(|output| &output.shape[..]).collect();
    let (name, wanted) = match (layout, &sides[..]) {
        (DetectorOutput::YoloV8, [[1, rows, _]]) if *rows > 4 => return Ok(Some(rows - 4)),
        (DetectorOutput::YoloV5, [[1, _, columns]]) if *columns > 5 => return Ok(Some(columns - 5)),
        (DetectorOutput::BoxesScoresLabels, [[1, _, 6]]) => return Ok(None),
        (DetectorOutput::Ssd, [[1, _, _], [1, _, _]]) => {
            if let Some((boxes, scores)) = boxes_and_scores(outputs)
                && boxes.shape[1] == scores.shape[1]
                && scores.shape[2] > 1
            {
                return Ok(Some(scores.shape[2] - 1));
            }
            ("ssd", "scores [1, k, 1 + classes] and boxes [1, k, 4]")
        }
        (DetectorOutput::FastestDet, [[1, planes, h, w]]) if *planes > 5 && h * w > 0 => {
            return Ok(Some(planes - 5));
        }
        (DetectorOutput::YoloV8, _) => ("yolo_v8", "one output [1, 4 + classes, k]"),
        (DetectorOutput::YoloV5, _) => ("yolo_v5", "one output [1, k, 5 + classes]"),
        (DetectorOutput::BoxesScoresLabels, _) => ("boxes_scores_labels", "one output [1, k, 6]"),
        (DetectorOutput::Ssd, _) => ("ssd", "two outputs, scores [1, k, 1 + classes] and boxes [1, k, 4]"),
        (DetectorOutput::FastestDet, _) => ("fastestdet", "one output [1, 5 + classes, h, w]"),
    };
    Err(look.unreadable(&format!("a detector with output {name:?}"), wanted, outputs))
}

/// Class by class through memory, so that each row is read once and in order.
pub(super) fn yolo_v8(
    output: &Output<'_>,
    score_min: f32,
    best: &mut Vec<(f32, u32)>,
    candidates: &mut Vec<Candidate>,
) -> f32 {
    let boxes = output.shape[2];
    let row = |r: usize| &output.values[r * boxes..(r + 1) * boxes];
    best.clear();
    best.resize(boxes, (0.0, 0));
    for class in 0..output.shape[1] - 4 {
        for (best, score) in best.iter_mut().zip(row(4 + class)) {
            if *score > best.0 {
                *best = (*score, class as u32);
            }
        }
    }
    let (cx, cy, w, h) = (row(0), row(1), row(2), row(3));
    let mut raw = 0.0_f32;
    for (i, (score, class)) in best.iter().copied().enumerate() {
        raw = raw.max(score);
        if score >= score_min {
            candidates.push(Candidate {
                box_px: centred(cx[i], cy[i], w[i], h[i]),
                score,
                class: class as usize,
            });
        }
    }
    raw
}

pub(super) fn yolo_v5(output: &Output<'_>, score_min: f32, candidates: &mut Vec<Candidate>) -> f32 {
    let mut raw = 0.0_f32;
    for values in output.values.chunks_exact(output.shape[2]) {
        let (class, of_class) = best_of(&values[5..]);
        let score = values[4] * of_class;
        raw = raw.max(score);
        if score >= score_min {
            candidates.push(Candidate {
                box_px: centred(values[0], values[1], values[2], values[3]),
                score,
                class,
            });
        }
    }
    raw
}

pub(super) fn boxes_scores_labels(
    output: &Output<'_>,
    score_min: f32,
    candidates: &mut Vec<Candidate>,
) -> f32 {
    let mut raw = 0.0_f32;
    for values in output.values.chunks_exact(6) {
        let (score, class) = (values[4], values[5]);
        raw = raw.max(score);
        if score >= score_min {
            // A class below 0 becomes one far above every label, and so an error.
            let class = if class < 0.0 { usize::MAX } else { class as usize };
            let box_px = RectPx::from_corners(values[0], values[1], values[2], values[3]);
            candidates.push(Candidate { box_px, score, class });
        }
    }
    raw
}

pub(super) fn ssd(
    outputs: &[Output<'_>],
    (width, height): (f32, f32),
    score_min: f32,
    candidates: &mut Vec<Candidate>,
) -> f32 {
    let Some((boxes, scores)) = boxes_and_scores(outputs) else { return 0.0 };
    let mut raw = 0.0_f32;
    for (at, scores) in boxes.values.chunks_exact(4).zip(scores.values.chunks_exact(scores.shape[2])) {
        let (class, score) = best_of(&scores[1..]);
        raw = raw.max(score);
        if score >= score_min {
            let box_px = RectPx::from_corners(at[0] * width, at[1] * height, at[2] * width, at[3] * height);
            candidates.push(Candidate { box_px, score, class });
        }
    }
    raw
}

pub(super) fn fastestdet(
    output: &Output<'_>,
    (width, height): (f32, f32),
    score_min: f32,
    candidates: &mut Vec<Candidate>,
) -> f32 {
    let (rows, columns) = (output.shape[2], output.shape[3]);
    let cells = rows * columns;
    let at = |plane: usize, cell: usize| output.values[plane * cells + cell];
    let sigmoid = |v: f32| 1.0 / (1.0 + (-v).exp());
    let mut raw = 0.0_f32;
    for cell in 0..cells {
        let (mut class, mut of_class) = (0, 0.0);
        for plane in 5..output.shape[1] {
            if at(plane, cell) > of_class {
                (class, of_class) = (plane - 5, at(plane, cell));
            }
        }
        let score = at(0, cell).max(0.0).powf(0.6) * of_class.powf(0.4);
        raw = raw.max(score);
        if score >= score_min {
            let cx = ((cell % columns) as f32 + at(1, cell).tanh()) / columns as f32 * width;
            let cy = ((cell / columns) as f32 + at(2, cell).tanh()) / rows as f32 * height;
            let (w, h) = (sigmoid(at(3, cell)) * width, sigmoid(at(4, cell)) * height);
            candidates.push(Candidate { box_px: centred(cx, cy, w, h), score, class });
        }
    }
    raw
}

/// Which of two outputs is which: the one called boxes, else the one with four columns.
fn boxes_and_scores<'o>(outputs: &'o [Output<'o>]) -> Option<(&'o Output<'o>, &'o Output<'o>)> {
    let [a, b] = outputs else { return None };
    let is_boxes = |output: &Output<'_>| output.shape.last() == Some(&4);
    match (is_boxes(a), is_boxes(b)) {
        (true, false) => Some((a, b)),
        (false, true) => Some((b, a)),
        // Three classes and a background have four columns too.
        (true, true) if a.name.contains("box") => Some((a, b)),
        (true, true) if b.name.contains("box") => Some((b, a)),
        _ => None,
    }
}

fn centred(cx: f32, cy: f32, w: f32, h: f32) -> RectPx {
    RectPx { x: cx - w / 2.0, y: cy - h / 2.0, w, h }
}

/// The best of `scores`, none of which may be NaN; 0 where all are below.
fn best_of(scores: &[f32]) -> (usize, f32) {
    scores
        .iter()
        .enumerate()
        .fold((0, 0.0), |best, (class, score)| if *score > best.1 { (class, *score) } else { best })
}
