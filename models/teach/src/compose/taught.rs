//! A memory put behind a feature graph, and its distances made a map and a score.

use super::features::FeatureGraph;
use super::nodes::{cells, reduce, reshape, resize};
use super::{anywhere, in_place};
use crate::fit::Fit;
use crate::memory::Memory;
use crate::score::worst;
use plumb_onnx::{Attribute, Draft, OnnxFile};

/// Name of the map, `[1, 1, height, width]` in px of the picture given, as Anomalib calls it.
pub const OUTPUT_MAP: &str = "anomaly_map";
/// Name of the score of the whole, one number, as Anomalib calls it.
pub const OUTPUT_SCORE: &str = "pred_score";

/// The distances that become 1: at and below it a part looks as taught.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Of the score of the whole; above 0.
    pub score: f32,
    /// Of a px of the map; above 0.
    pub map: f32,
}

/// The taught model: `graph` with the memory of `fit` behind it. `notes` goes into the file's free text, key by key.
///
/// The names of its outputs come with it: the constants above, unless the backbone uses these names itself.
pub fn taught(
    graph: &FeatureGraph,
    fit: &Fit,
    limit: Limit,
    notes: &[(&str, &str)],
) -> (OnnxFile, [String; 2]) {
    let (grid, picture) = (graph.grid, &graph.spec);
    let mut draft = Draft::of(&graph.file);
    draft.without_outputs();
    let scaled = scale(&mut draft, graph, fit);
    let sides = [fit.scaling.channels(), grid.rows, grid.columns];
    let rows = cells(&mut draft, &scaled, sides);
    let squared = match &fit.memory {
        Memory::Anywhere(memory) => anywhere::nearest(&mut draft, memory, &rows),
        Memory::InPlace(memory) => in_place::nearest(&mut draft, memory, grid, &rows),
    };
    // A known patch may come out a hair below 0.
    let nought = draft.floats("nought", &[1], &[0.0]);
    let squared = draft.node("Max", &[&squared, &nought], &[]);
    let distances = draft.node("Sqrt", &[&squared], &[]);
    let distances = reshape(&mut draft, &distances, &[grid.cells()]);

    let count = draft.wholes("worst", &[1], &[worst(grid.cells()) as i64]);
    let [highest, _places] = draft.node_of("TopK", &[&distances, &count], &[("axis", Attribute::Int(0))]);
    let mean = reduce(&mut draft, "ReduceMean", &highest, 0, true);
    let unit = draft.floats("limit", &[1], &[limit.score]);
    let score = draft.node("Div", &[&mean, &unit], &[]);

    let unit = draft.floats("limit", &[1], &[limit.map]);
    let map = draft.node("Div", &[&distances, &unit], &[]);
    let map = reshape(&mut draft, &map, &[1, 1, grid.rows, grid.columns]);
    let sides = [1, 1, picture.height as usize, picture.width as usize];
    let map = resize(&mut draft, &map, sides);

    let map = draft.output(&map, OUTPUT_MAP, &sides);
    let score = draft.output(&score, OUTPUT_SCORE, &[1]);
    for (key, value) in notes {
        draft.note(key, value);
    }
    (draft.finish(), [map, score])
}

/// Features as the memory has them: less the mean, times the weight, perhaps projected.
fn scale(draft: &mut Draft, graph: &FeatureGraph, fit: &Fit) -> String {
    let channels = graph.channels;
    let mean = draft.floats("mean", &[1, channels, 1, 1], &fit.scaling.mean);
    let weight = draft.floats("weight", &[1, channels, 1, 1], &fit.scaling.weight);
    let centred = draft.node("Sub", &[&graph.output, &mean], &[]);
    let scaled = draft.node("Mul", &[&centred, &weight], &[]);
    match &fit.scaling.projection {
        None => scaled,
        Some(projection) => {
            let rows = draft.floats("projection", &[projection.channels, channels, 1, 1], &projection.rows);
            draft.node("Conv", &[&scaled, &rows], &[("kernel_shape", Attribute::Ints(vec![1, 1]))])
        }
    }
}
