//! Px to mm: how long a finding is and how much it covers.

use plumb_inspection::{Finding, Findings, MmPerPx};

/// Fills `length_mm` (the longest side of the box, or of the smallest rectangle around the outline at any angle) and
/// `area_mm2` of every finding. Without a scale, or with one that is no size, both become `None`, to which a rule in mm
/// objects.
pub fn measure(findings: &mut Findings, scale: Option<MmPerPx>) {
    let scale = scale.filter(|scale| [scale.x, scale.y].iter().all(|mm| mm.is_finite() && *mm > 0.0));
    for finding in &mut findings.list {
        finding.length_mm = scale.map(|scale| longest_side(finding, [scale.x, scale.y]));
        finding.area_mm2 = scale.map(|scale| (f64::from(finding.area_px) * scale.x * scale.y) as f32);
    }
}

/// In px times `scale`, which may differ along x and y.
pub(crate) fn longest_side(finding: &Finding, [sx, sy]: [f64; 2]) -> f32 {
    match finding.polygon_px.as_deref() {
        Some(outline) if !outline.is_empty() => {
            let points = outline.iter().map(|p| [f64::from(p.x) * sx, f64::from(p.y) * sy]).collect();
            longest_side_of_smallest_rect(&hull(points)) as f32
        }
        _ => (f64::from(finding.box_px.w) * sx).max(f64::from(finding.box_px.h) * sy) as f32,
    }
}

type Point = [f64; 2];

/// The convex hull, counter-clockwise without its repeats (Andrew's monotone chain).
fn hull(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    points.dedup();
    if points.len() < 3 {
        return points;
    }
    let mut hull: Vec<Point> = Vec::with_capacity(points.len() + 1);
    let there = points.iter().copied();
    let back = points.iter().rev().skip(1).copied();
    let mut floor = 2;
    for (step, p) in there.chain(back).enumerate() {
        if step == points.len() {
            floor = hull.len() + 1;
        }
        while hull.len() >= floor && turn(hull[hull.len() - 2], hull[hull.len() - 1], p) <= 0.0 {
            hull.pop();
        }
        hull.push(p);
    }
    hull.pop();
    hull
}

/// Above 0 for a left turn.
fn turn(a: Point, b: Point, c: Point) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// The smallest rectangle has a side along an edge of the hull. As the edge goes round, so do the three corners that
/// stick out furthest ahead of it, across from it and behind it (rotating calipers).
fn longest_side_of_smallest_rect(hull: &[Point]) -> f64 {
    let corner = |at: usize| hull[at % hull.len()];
    let (mut smallest, mut longest) = (f64::INFINITY, 0.0);
    let (mut ahead, mut across, mut behind) = (1, 1, 1);
    for at in 0..hull.len() {
        let (a, b) = (corner(at), corner(at + 1));
        let edge = (b[0] - a[0]).hypot(b[1] - a[1]);
        let [ux, uy] = [(b[0] - a[0]) / edge, (b[1] - a[1]) / edge];
        let along = |p: usize| corner(p)[0] * ux + corner(p)[1] * uy;
        let away = |p: usize| corner(p)[1] * ux - corner(p)[0] * uy;
        while along(ahead + 1) > along(ahead) {
            ahead += 1;
        }
        across = across.max(ahead);
        while away(across + 1) > away(across) {
            across += 1;
        }
        behind = behind.max(across);
        while along(behind + 1) < along(behind) {
            behind += 1;
        }
        let (long, wide) = (along(ahead) - along(behind), away(across) - away(at));
        if long * wide < smallest {
            (smallest, longest) = (long * wide, long.max(wide));
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::{PointPx, RectPx, Score};
    use proptest::prelude::*;

    fn finding(box_px: [f32; 4], outline: Option<&[[f32; 2]]>) -> Finding {
        Finding {
            class: "scratch".into(),
            score: Score::new(1.0).unwrap(),
            box_px: RectPx::from(box_px),
            polygon_px: outline.map(|corners| corners.iter().map(|p| PointPx::from(*p)).collect()),
            keypoints_px: None,
            area_px: 50.0,
            length_mm: None,
            area_mm2: None,
            region: "face".into(),
            model: "surface".into(),
        }
    }

    #[test]
    fn a_box_is_as_long_as_its_longer_side_in_mm() {
        let mut findings =
            Findings { list: vec![finding([5.0, 5.0, 10.0, 4.0], None)], ..Findings::default() };
        measure(&mut findings, Some(MmPerPx { x: 0.1, y: 0.5 }));
        assert_eq!(findings.list[0].length_mm, Some(2.0), "4 px of 0.5 mm are longer than 10 px of 0.1 mm");
        assert_eq!(findings.list[0].area_mm2, Some(2.5));
    }

    #[test]
    fn a_camera_without_a_scale_leaves_nothing_in_mm() {
        for scale in [None, Some(MmPerPx { x: 0.0, y: 1.0 }), Some(MmPerPx { x: 1.0, y: f64::NAN })] {
            let mut findings = Findings { list: vec![finding([0.0; 4], None)], ..Findings::default() };
            findings.list[0].length_mm = Some(1.0);
            measure(&mut findings, scale);
            assert_eq!((findings.list[0].length_mm, findings.list[0].area_mm2), (None, None));
        }
    }

    #[test]
    fn an_outline_is_as_long_as_it_lies() {
        // Each in a box of its own that is longer or shorter than what lies in it.
        let rows: [(&[[f32; 2]], f32); 5] = [
            (&[[0.0, 0.0], [3.0, 4.0]], 5.0),
            (&[[0.0, 0.0], [3.0, 4.0], [1.5, 2.0]], 5.0), // on one line
            (&[[7.0, 7.0]], 0.0),
            (&[[0.0, 0.0], [10.0, 0.0], [10.0, 2.0], [5.0, 1.0], [0.0, 2.0]], 10.0), // hollow
            (&[[1.0, 0.0], [9.0, 8.0], [8.0, 9.0], [0.0, 1.0]], 8.0 * std::f32::consts::SQRT_2), // at 45°
        ];
        for (outline, long) in rows {
            let got = longest_side(&finding([0.0, 0.0, 10.0, 10.0], Some(outline)), [1.0, 1.0]);
            assert!((got - long).abs() < 1e-4, "{outline:?}: {got}");
        }
    }

    /// Every edge against every corner: slow, and plain to see.
    fn longest_side_by_trying(hull: &[Point]) -> (f64, f64) {
        let edges = hull.iter().zip(hull.iter().cycle().skip(1));
        let rects = edges.map(|(a, b)| {
            let edge = (b[0] - a[0]).hypot(b[1] - a[1]);
            let [ux, uy] = [(b[0] - a[0]) / edge, (b[1] - a[1]) / edge];
            let extent = |ux: f64, uy: f64| {
                let at = hull.iter().map(|[x, y]| x * ux + y * uy);
                at.clone().fold(f64::MIN, f64::max) - at.fold(f64::MAX, f64::min)
            };
            (extent(ux, uy) * extent(-uy, ux), extent(ux, uy).max(extent(-uy, ux)))
        });
        let mut rects: Vec<(f64, f64)> = rects.collect();
        rects.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        // Two rectangles may be as good as equally small, and differ in length.
        let smallest = rects.first().map_or(0.0, |(area, _)| *area);
        let alike =
            rects.iter().take_while(|(area, _)| *area <= smallest * (1.0 + 1e-9)).map(|(_, long)| *long);
        (alike.clone().fold(f64::MAX, f64::min), alike.fold(0.0, f64::max))
    }

    proptest! {
        #[test]
        fn the_calipers_miss_no_edge(
            points in proptest::collection::vec([0.0..50.0f64, 0.0..50.0f64], 3..60),
            on_a_grid in any::<bool>(), flat in 0.01..1.0f64,
        ) {
            let place = |[x, y]: [f64; 2]| if on_a_grid { [x.round(), y.round()] } else { [x, y * flat] };
            let hull = hull(points.into_iter().map(place).collect());
            prop_assume!(hull.len() > 2);
            let (shortest, longest) = longest_side_by_trying(&hull);
            let got = longest_side_of_smallest_rect(&hull);
            prop_assert!(got >= shortest - 1e-6 && got <= longest + 1e-6, "{} is not {}..{}", got, shortest, longest);
        }

        #[test]
        fn turning_a_part_does_not_change_its_length(
            angle in 0.0..std::f64::consts::TAU, long in 20.0..200.0f64, wide in 1.0..15.0f64,
        ) {
            let (sin, cos) = angle.sin_cos();
            let corners = [[0.0, 0.0], [long, 0.0], [long / 3.0, wide / 2.0], [long, wide], [0.0, wide]]
                .map(|[x, y]| [(x * cos - y * sin + 300.0) as f32, (x * sin + y * cos + 300.0) as f32]);
            let got = longest_side(&finding([0.0; 4], Some(&corners)), [1.0, 1.0]);
            prop_assert!((f64::from(got) - long).abs() < 0.01, "{} is not {}", got, long);
        }
    }
}
