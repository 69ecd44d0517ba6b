//! The nearest of all good patches, as a matrix product: `|x − b|² = |x|² + |b|² − 2·x·b`.

use super::nodes::{reduce, squares};
use crate::memory::Anywhere;
use plumb_onnx::{Attribute, Draft};

/// Patches up to which the nearest is found by its place and measured again: exact, and nought for a patch that is known.
/// Above, only the least of `|b|² − 2·x·b` is kept, in pieces: that costs less memory, and errs by some 1e-5 of |x|².
const EXACT_MAX: usize = 2000;

/// Patches of one piece.
const PIECE: usize = 1000;

/// From `cells`, `[cells, channels]`, to the squares of their distances, `[cells, 1]`.
pub(super) fn nearest(draft: &mut Draft, memory: &Anywhere, cells: &str) -> String {
    let (bank, channels) = memory.bank();
    let count = bank.len() / channels;
    if count <= EXACT_MAX {
        let (patches, far) = held_against(draft, bank, channels, cells);
        let best =
            draft.node("ArgMin", &[&far], &[("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))]);
        let nearest = draft.node("Gather", &[&patches, &best], &[("axis", Attribute::Int(0))]);
        let apart = draft.node("Sub", &[cells, &nearest], &[]);
        return squares(draft, &apart, channels);
    }
    let mut least: Vec<String> = Vec::new();
    for piece in bank.chunks(PIECE * channels) {
        let (_, far) = held_against(draft, piece, channels, cells);
        least.push(reduce(draft, "ReduceMin", &far, 1, true));
    }
    let least: Vec<&str> = least.iter().map(String::as_str).collect();
    let least = draft.node("Min", &least, &[]);
    let own = squares(draft, cells, channels);
    draft.node("Add", &[&least, &own], &[])
}

/// The bank as a weight, and `|b|² − 2·x·b` as `[cells, patches]`.
fn held_against(draft: &mut Draft, bank: &[f32], channels: usize, cells: &str) -> (String, String) {
    let count = bank.len() / channels;
    let squares: Vec<f32> =
        bank.chunks_exact(channels).map(|patch| patch.iter().map(|value| value * value).sum()).collect();
    let patches = draft.floats("bank", &[count, channels], bank);
    let squares = draft.floats("squares", &[count], &squares);
    let attributes = [("alpha", Attribute::Float(-2.0)), ("transB", Attribute::Int(1))];
    let far = draft.node("Gemm", &[cells, &patches, &squares], &attributes);
    (patches, far)
}
