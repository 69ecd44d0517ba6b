//! The nearest good patch of the same place, as one batched matrix product.
//!
//! Every cell's bank is held against the features of the nine cells around it, so that it is read once: `[cells, 9,
//! channels]` by `[cells, channels, patches]`. What a cell is compared with lies then at nine places of the result, one
//! for each bank beside it; a table brings them together.

use super::nodes::{reduce, reshape, squares};
use crate::memory::AROUND;
use crate::memory::InPlace;
use plumb_onnx::{Attribute, Draft};

/// Where in `AROUND` the cell itself is.
const ITSELF: usize = 4;

/// From `cells`, `[cells, channels]`, to the squares of their distances, `[cells, 1]`.
pub(super) fn nearest(
    draft: &mut Draft,
    memory: &InPlace,
    grid: crate::features::Grid,
    cells: &str,
) -> String {
    let (bank, each, channels) = memory.bank();
    let count = grid.cells();
    let around: Vec<i64> = (0..count)
        .flat_map(|cell| AROUND.map(|beside| grid.beside(cell, beside).unwrap_or(cell) as i64))
        .collect();
    let around = draft.wholes("around", &[count, AROUND.len()], &around);
    let given = draft.node("Gather", &[cells, &around], &[("axis", Attribute::Int(0))]);

    // As MatMul wants it, and half the squares: the factor 2 comes last.
    let mut columns = vec![0.0; bank.len()];
    let mut halves = Vec::with_capacity(count * each);
    for (cell, patches) in bank.chunks_exact(each * channels).enumerate() {
        for (i, patch) in patches.chunks_exact(channels).enumerate() {
            halves.push(patch.iter().map(|value| value * value).sum::<f32>() / 2.0);
            for (channel, value) in patch.iter().enumerate() {
                columns[(cell * channels + channel) * each + i] = *value;
            }
        }
    }
    let columns = draft.floats("bank", &[count, channels, each], &columns);
    let halves = draft.floats("squares", &[count, 1, each], &halves);
    let products = draft.node("MatMul", &[&given, &columns], &[]);
    let far = draft.node("Sub", &[&halves, &products], &[]);
    let least = reduce(draft, "ReduceMin", &far, 2, false);
    let least = reshape(draft, &least, &[count * AROUND.len()]);

    // The bank that lies `(-down, -right)` of a cell was held against it as its neighbour `(down, right)`.
    let back: Vec<i64> = (0..count)
        .flat_map(|cell| {
            AROUND.into_iter().enumerate().map(move |(k, (down, right))| {
                let (of, as_neighbour) =
                    grid.beside(cell, (-down, -right)).map_or((cell, ITSELF), |of| (of, k));
                (of * AROUND.len() + as_neighbour) as i64
            })
        })
        .collect();
    let back = draft.wholes("back", &[count, AROUND.len()], &back);
    let together = draft.node("Gather", &[&least, &back], &[("axis", Attribute::Int(0))]);
    let least = reduce(draft, "ReduceMin", &together, 1, true);
    let two = draft.floats("two", &[1], &[2.0]);
    let least = draft.node("Mul", &[&least, &two], &[]);
    let own = squares(draft, cells, channels);
    draft.node("Add", &[&least, &own], &[])
}
