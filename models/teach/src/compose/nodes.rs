//! Operators whose shape changed between operator sets, built for the file's own.

use plumb_onnx::{Attribute, Draft};

/// Operator sets in which what is added here has been run; from 11 on `Resize` knows half-pixel centres.
pub(super) const OPSETS: std::ops::RangeInclusive<i64> = 11..=26;

/// `op` of `value` over `axes`: an attribute before 18, an input from then on.
pub(super) fn reduce(draft: &mut Draft, op: &str, value: &str, axis: i64, keep: bool) -> String {
    let keep = ("keepdims", Attribute::Int(i64::from(keep)));
    if draft.opset() >= 18 {
        let axes = draft.wholes("axes", &[1], &[axis]);
        draft.node(op, &[value, &axes], &[keep])
    } else {
        draft.node(op, &[value], &[("axes", Attribute::Ints(vec![axis])), keep])
    }
}

/// `value` with other sides.
pub(super) fn reshape(draft: &mut Draft, value: &str, sides: &[usize]) -> String {
    let sides: Vec<i64> = sides.iter().map(|side| *side as i64).collect();
    let shape = draft.wholes("shape", &[sides.len()], &sides);
    draft.node("Reshape", &[value, &shape], &[])
}

/// `value`, `[1, channels, rows, columns]`, bilinear to other rows and columns; centres of pixels stay centres.
pub(super) fn resize(draft: &mut Draft, value: &str, sides: [usize; 4]) -> String {
    let sizes = draft.wholes("sizes", &[4], &sides.map(|side| side as i64));
    let attributes = [
        ("mode", Attribute::Text("linear")),
        ("coordinate_transformation_mode", Attribute::Text("half_pixel")),
    ];
    // Before 13 the two unused inputs must be there.
    if draft.opset() < 13 {
        let nothing = draft.floats("nothing", &[0], &[]);
        return draft.node("Resize", &[value, &nothing, &nothing, &sizes], &attributes);
    }
    draft.node("Resize", &[value, "", "", &sizes], &attributes)
}

/// `[1, channels, rows, columns]` as `[cells, channels]`.
pub(super) fn cells(draft: &mut Draft, value: &str, [channels, rows, columns]: [usize; 3]) -> String {
    let last = draft.node("Transpose", &[value], &[("perm", Attribute::Ints(vec![0, 2, 3, 1]))]);
    reshape(draft, &last, &[rows * columns, channels])
}

/// The sum of the squares of each row of `[cells, channels]`, as `[cells, 1]`. A product with ones: sums changed with the
/// operator sets, products did not.
pub(super) fn squares(draft: &mut Draft, cells: &str, channels: usize) -> String {
    let squared = draft.node("Mul", &[cells, cells], &[]);
    let ones = draft.floats("ones", &[channels, 1], &vec![1.0; channels]);
    draft.node("MatMul", &[&squared, &ones], &[])
}
