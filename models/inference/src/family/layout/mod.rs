//! How boxes lie in the outputs of the tools that train detectors: one tool's way, one file. Each layout is a view of
//! outputs that fit it and gives candidates in tensor px, with the best score of all boxes.

use super::Look;
use crate::error::ModelError;
use crate::output::Output;
use plumb_inspection::RectPx;

mod detr;
mod fastestdet;
mod lists;
mod ssd;
mod yolo_columns;
mod yolo_end_to_end;
mod yolo_rows;

pub(super) use detr::Detr;
pub(super) use fastestdet::FastestDet;
pub(super) use lists::{Dets, Lists};
pub(super) use ssd::Ssd;
pub(super) use yolo_columns::YoloColumns;
pub(super) use yolo_end_to_end::YoloEndToEnd;
pub(super) use yolo_rows::YoloRows;

/// The outputs are not what a `kind` with this `output` gives.
pub(super) fn unreadable(
    kind: &str,
    output: &str,
    wanted: &str,
    outputs: &[Output<'_>],
    look: &Look<'_>,
) -> ModelError {
    look.unreadable(&format!("{kind} with output {output:?}"), wanted, outputs)
}

fn centred(cx: f32, cy: f32, w: f32, h: f32) -> RectPx {
    RectPx { x: cx - w / 2.0, y: cy - h / 2.0, w, h }
}

/// The best of `scores`, none of which is NaN; 0 where all are below.
fn best_of(scores: &[f32]) -> (u32, f32) {
    let better =
        |best: (u32, f32), (class, score): (u32, &f32)| if *score > best.1 { (class, *score) } else { best };
    (0..).zip(scores).fold((0, 0.0), better)
}

/// A class number of the output → the place of its label. What is below the first label, or no number of a class at
/// all, becomes one far above every label, and so an error.
fn label_of(number: f32, first_label: u32) -> u32 {
    if number >= first_label as f32 { (number as u32).saturating_sub(first_label) } else { u32::MAX }
}

/// A list of `[1, k, …]` or, from tools that know no batches, `[k, …]`: the sides after the batch.
fn unbatched(shape: &[usize], sides: usize) -> Option<&[usize]> {
    match shape {
        [1, rest @ ..] if rest.len() == sides => Some(rest),
        rest if rest.len() == sides => Some(rest),
        _ => None,
    }
}
