//! Two sets of findings in one picture: what is the same, and for all else a sentence.

use super::reference::{Seen, Tolerance};
use plumb_inspection::RectPx;
use serde::Serialize;

/// One thing that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub(crate) picture: String,
    /// `missing`, `extra`, `moved`, `score`, `class`, `area`, `keypoints`, `picture`.
    pub(crate) kind: &'static str,
    pub(crate) says: String,
}

/// Findings whose boxes share this much of their union are of the same thing, if not the same finding.
const SAME_THING: f32 = 0.3;

/// What differs in `picture` between what is `expected` and what is `found`.
pub(crate) fn findings(
    picture: &str,
    expected: &[Seen],
    found: &[Seen],
    tolerance: Tolerance,
) -> Vec<Difference> {
    let (mut open, mut left) = (found.iter().collect::<Vec<_>>(), Vec::new());
    for expected in expected {
        match open.iter().position(|found| off(expected, found, tolerance).is_empty()) {
            Some(at) => drop(open.remove(at)),
            None => left.push(expected),
        }
    }
    let mut differences = Vec::new();
    let mut tell = |kind, says| differences.push(Difference { picture: picture.to_owned(), kind, says });
    for expected in left {
        // The same class goes before a better overlap.
        let likeness =
            |found: &Seen| overlap(expected, found) + f32::from(u8::from(expected.class == found.class));
        let near = open.iter().enumerate().filter(|(_, found)| overlap(expected, found) > SAME_THING);
        match near.max_by(|(_, a), (_, b)| likeness(a).total_cmp(&likeness(b))).map(|(at, _)| at) {
            None => tell("missing", format!("{} is missing", named(expected))),
            Some(at) => {
                for (kind, says) in off(expected, open.remove(at), tolerance) {
                    tell(kind, says);
                }
            }
        }
    }
    for found in open {
        tell("extra", format!("{} is new", named(found)));
    }
    differences
}

/// In what `found` is another than `expected`; nothing, if they are the same.
fn off(expected: &Seen, found: &Seen, tolerance: Tolerance) -> Vec<(&'static str, String)> {
    let mut off = Vec::new();
    let who = || named(expected);
    if expected.class != found.class {
        off.push(("class", format!("{} is now a {}", who(), found.class)));
    }
    let apart = (expected.score - found.score).abs();
    if apart > tolerance.score {
        let says = format!("{} now scores {:.4}, off by {apart:.4}", who(), found.score);
        off.push(("score", says));
    }
    let moved = moved(expected, found);
    if moved > tolerance.box_px {
        off.push(("moved", format!("{} moved by {moved:.1} px, to {}", who(), place(found))));
    }
    if let (Some(was), Some(is)) = (&expected.keypoints_px, &found.keypoints_px) {
        let furthest = furthest(was, is);
        if was.len() != is.len() || furthest > tolerance.box_px {
            let says = format!("{} has a keypoint {furthest:.1} px from where it was", who());
            off.push(("keypoints", says));
        }
    }
    // An outline that is off by so many px all around covers so much more or less.
    if let (Some(was), Some(is), Some([_, _, w, h]), Some(_)) =
        (expected.area_px, found.area_px, expected.box_px, &found.polygon_px)
        && (was - is).abs() > tolerance.box_px * 2.0 * (w + h)
    {
        off.push(("area", format!("{} now covers {is:.0} px² and covered {was:.0}", who())));
    }
    off
}

fn overlap(a: &Seen, b: &Seen) -> f32 {
    match (a.box_px, b.box_px) {
        (Some(a), Some(b)) => RectPx::from(a).iou(RectPx::from(b)),
        // What has no box is about the whole picture.
        _ => 1.0,
    }
}

/// The furthest that an edge has moved, in px.
fn moved(a: &Seen, b: &Seen) -> f32 {
    let edges = |[x, y, w, h]: [f32; 4]| [x, y, x + w, y + h];
    match (a.box_px, b.box_px) {
        (Some(a), Some(b)) => {
            edges(a).into_iter().zip(edges(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        }
        _ => 0.0,
    }
}

fn furthest(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    let apart = |(a, b): (&Vec<f32>, &Vec<f32>)| match (&a[..], &b[..]) {
        ([ax, ay, ..], [bx, by, ..]) => (ax - bx).hypot(ay - by),
        _ => f32::INFINITY,
    };
    a.iter().zip(b).map(apart).fold(0.0, f32::max)
}

/// `scratch 0.83 at 75,31 (12x43)`.
fn named(seen: &Seen) -> String {
    format!("{} {:.3} at {}", seen.class, seen.score, place(seen))
}

fn place(seen: &Seen) -> String {
    match seen.box_px {
        Some([x, y, w, h]) => format!("{x:.0},{y:.0} ({w:.0}x{h:.0})"),
        None => "the whole picture".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(class: &str, score: f32, box_px: [f32; 4]) -> Seen {
        Seen {
            class: class.to_owned(),
            score,
            box_px: Some(box_px),
            polygon_px: None,
            keypoints_px: None,
            area_px: None,
        }
    }

    fn told(expected: &[Seen], found: &[Seen]) -> Vec<String> {
        findings("a.png", expected, found, Tolerance::default()).into_iter().map(|d| d.says).collect()
    }

    #[test]
    fn each_difference_is_a_sentence() {
        let scratch = || seen("scratch", 0.9, [10.0, 20.0, 30.0, 40.0]);
        let rows: [(&[Seen], &[Seen], &[&str]); 7] = [
            (&[scratch()], &[seen("scratch", 0.9005, [10.5, 20.0, 30.0, 39.0])], &[]),
            (&[scratch()], &[], &["scratch 0.900 at 10,20 (30x40) is missing"]),
            (&[], &[scratch()], &["scratch 0.900 at 10,20 (30x40) is new"]),
            (
                &[scratch()],
                &[seen("scratch", 0.9, [13.0, 20.0, 30.0, 40.0])],
                &["scratch 0.900 at 10,20 (30x40) moved by 3.0 px, to 13,20 (30x40)"],
            ),
            (
                &[scratch()],
                &[seen("scratch", 0.85, [10.0, 20.0, 30.0, 40.0])],
                &["scratch 0.900 at 10,20 (30x40) now scores 0.8500, off by 0.0500"],
            ),
            (
                &[scratch()],
                &[seen("dent", 0.9, [10.0, 20.0, 30.0, 40.0])],
                &["scratch 0.900 at 10,20 (30x40) is now a dent"],
            ),
            (
                &[scratch()],
                &[seen("scratch", 0.9, [200.0, 20.0, 30.0, 40.0])],
                &["scratch 0.900 at 10,20 (30x40) is missing", "scratch 0.900 at 200,20 (30x40) is new"],
            ),
        ];
        for (expected, found, says) in rows {
            assert_eq!(told(expected, found), says);
        }
    }

    #[test]
    fn two_of_a_kind_are_each_found_once() {
        let twice = [seen("dent", 0.8, [0.0, 0.0, 9.0, 9.0]), seen("dent", 0.7, [1.0, 0.0, 9.0, 9.0])];
        assert!(told(&twice, &[twice[1].clone(), twice[0].clone()]).is_empty());
        assert_eq!(told(&twice, &twice[..1]), ["dent 0.700 at 1,0 (9x9) is missing"]);
    }
}
