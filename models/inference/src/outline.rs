//! The outline of a piece of a map, along the edges of its pixels, and with fewer corners.

/// More corners than this are not kept: a finding is stored and drawn, and finer than this is the map's own noise.
const CORNERS_MAX: usize = 256;

/// A corner of a pixel: (0, 0) is the left top of the first.
type Corner = (usize, usize);

/// Walks around the piece that has its first pixel (in reading order) at `start`, clockwise, and gives the corners
/// where the way turns. Holes are not walked.
///
/// `inside` says whether a pixel belongs to the piece; it is asked beyond the edges too.
pub(crate) fn outline(start: Corner, inside: impl Fn(usize, usize) -> bool) -> Vec<Corner> {
    // Right, down, left, up. The piece is on the right hand; at the left top corner of its first pixel that is below.
    const WAYS: [(isize, isize); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];
    let step =
        |(x, y): Corner, (dx, dy): (isize, isize)| (x.wrapping_add_signed(dx), y.wrapping_add_signed(dy));
    let mut corners = vec![start];
    let (mut at, mut way) = (start, 0);
    loop {
        at = step(at, WAYS[way]);
        // Of the four pixels around this corner, the two ahead. A step up or left beyond 0 wraps to a number that
        // is outside of any map.
        let (dx, dy) = WAYS[way];
        let ahead = |left: bool| {
            // The pixel ahead on one hand: half a step on, half a step aside.
            let side = if left { (dy, -dx) } else { (-dy, dx) };
            let (x2, y2) = (dx + side.0, dy + side.1);
            inside(at.0.wrapping_add_signed((x2 - 1) / 2), at.1.wrapping_add_signed((y2 - 1) / 2))
        };
        // The left first: pixels that touch at a corner belong together.
        let turned = if ahead(true) {
            (way + 3) % 4
        } else if ahead(false) {
            way
        } else {
            (way + 1) % 4
        };
        if at == start && turned == 0 {
            return corners;
        }
        if turned != way {
            corners.push(at);
        }
        way = turned;
    }
}

/// The same outline with fewer corners: none of those left out lies further than three quarters of a pixel from it,
/// which makes a slanted edge one line instead of a stair (more only where that leaves over [`CORNERS_MAX`]).
pub(crate) fn simplified(corners: &[Corner]) -> Vec<Corner> {
    let mut tolerance = 0.75;
    loop {
        let fewer = ring_simplified(corners, tolerance);
        if fewer.len() <= CORNERS_MAX {
            return fewer;
        }
        tolerance *= 2.0;
    }
}

/// Ramer–Douglas–Peucker on a ring, cut at its first corner and the one furthest from it.
fn ring_simplified(corners: &[Corner], tolerance: f64) -> Vec<Corner> {
    let squared = |a: Corner, b: Corner| {
        let (dx, dy) = (a.0 as f64 - b.0 as f64, a.1 as f64 - b.1 as f64);
        dx * dx + dy * dy
    };
    let Some(far) = (0..corners.len())
        .max_by(|a, b| squared(corners[*a], corners[0]).total_cmp(&squared(corners[*b], corners[0])))
    else {
        return Vec::new();
    };
    let ring = |i: usize| corners[i % corners.len()];
    let mut keep = vec![false; corners.len()];
    (keep[0], keep[far]) = (true, true);
    // Each half keeps its furthest corner however near that is, or a piece as thin as the tolerance would vanish.
    let mut spans = vec![(0, far, 0.0), (far, corners.len(), 0.0)];
    while let Some((from, to, near)) = spans.pop() {
        let furthest = (from + 1..to)
            .map(|i| (distance(ring(i), ring(from), ring(to)), i))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((distance, i)) = furthest
            && distance > near
        {
            keep[i] = true;
            spans.extend([(from, i, tolerance), (i, to, tolerance)]);
        }
    }
    corners.iter().zip(keep).filter_map(|(corner, keep)| keep.then_some(*corner)).collect()
}

/// Of `p` from the line through `a` and `b`, or from `a` where these are one.
fn distance(p: Corner, a: Corner, b: Corner) -> f64 {
    let f = |c: Corner| (c.0 as f64, c.1 as f64);
    let ((px, py), (ax, ay), (bx, by)) = (f(p), f(a), f(b));
    let length = (bx - ax).hypot(by - ay);
    if length == 0.0 {
        return (px - ax).hypot(py - ay);
    }
    ((bx - ax) * (ay - py) - (ax - px) * (by - ay)).abs() / length
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn around(rows: &[&str]) -> Vec<Corner> {
        let full = |x: usize, y: usize| rows.get(y).and_then(|row| row.as_bytes().get(x)) == Some(&b'#');
        let start =
            (0..rows.len()).find_map(|y| (0..rows[y].len()).find(|x| full(*x, y)).map(|x| (x, y))).unwrap();
        outline(start, full)
    }

    /// Signed so that clockwise (y down) is positive.
    fn area(corners: &[Corner]) -> f64 {
        let next = corners.iter().cycle().skip(1);
        corners.iter().zip(next).map(|(a, b)| a.0 as f64 * b.1 as f64 - b.0 as f64 * a.1 as f64).sum::<f64>()
            / 2.0
    }

    #[test]
    fn a_pixel_is_a_square_and_an_l_has_six_corners() {
        assert_eq!(around(&["#"]), [(0, 0), (1, 0), (1, 1), (0, 1)]);
        assert_eq!(around(&["#.", "##"]), [(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (0, 2)]);
    }

    #[test]
    fn pixels_that_touch_at_a_corner_have_one_outline() {
        assert_eq!(area(&around(&["#.", ".#"])), 2.0);
        assert_eq!(area(&around(&[".#", "#."])), 2.0);
        assert_eq!(area(&around(&["#.#", ".#.", "#.#"])), 5.0);
    }

    #[test]
    fn a_hole_is_walked_past() {
        assert_eq!(area(&around(&["###", "#.#", "###"])), 9.0);
    }

    #[test]
    fn a_stair_becomes_a_line_and_a_thin_piece_does_not_vanish() {
        let stair: Vec<String> = (0..20).map(|y| "#".repeat(y + 1)).collect();
        let rows: Vec<&str> = stair.iter().map(String::as_str).collect();
        let corners = around(&rows);
        assert!(corners.len() > 40 && simplified(&corners).len() <= 5, "{:?}", simplified(&corners));
        assert_eq!(simplified(&around(&["#"])).len(), 4);
        assert_eq!(simplified(&around(&["########"])).len(), 4);
        assert_eq!(simplified(&around(&["#...", ".#..", "..#.", "...#"])).len(), 4);
    }

    #[test]
    fn a_comb_of_a_thousand_teeth_keeps_a_bounded_outline() {
        let teeth = "#.".repeat(1000);
        let back = "#".repeat(2000);
        let rows: Vec<&str> = [vec![&*teeth; 40], vec![&back]].concat();
        assert!(simplified(&around(&rows)).len() <= CORNERS_MAX);
    }

    proptest! {
        #[test]
        fn the_outline_of_a_piece_without_holes_holds_as_many_px_as_the_piece(
            widths in prop::collection::vec(1usize..30, 1..30),
        ) {
            let rows: Vec<String> = widths.iter().map(|w| "#".repeat(*w)).collect();
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            let corners = around(&rows);
            prop_assert_eq!(area(&corners), widths.iter().sum::<usize>() as f64);
            let fewer = simplified(&corners);
            prop_assert!(fewer.len() >= 3 && fewer.len() <= corners.len());
            prop_assert!(fewer.iter().all(|c| corners.contains(c)));
        }
    }
}
