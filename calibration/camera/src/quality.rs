//! How good a sighting is: sharp, large, well lit. Read from the target's own edges, so that nothing else in the
//! picture counts.

use crate::{
    error::{CameraError, opencv},
    target::Sighting,
};
use opencv::{
    core::{CV_8UC1, Mat, Point, Point2f, Scalar, Vector, no_array},
    imgproc,
    prelude::*,
};
use serde::{Deserialize, Serialize};

/// Brighter than this a sample says nothing any more.
pub(crate) const CLIPPED: u8 = 254;

/// Points whose edges are looked at: as many as it takes, however many there are.
const POINTS_LOOKED_AT: usize = 60;

/// What one picture shows of its target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Px from black to white across an edge, in the middle of all points; about 1.5 in a sharp picture.
    pub rise_px: f64,
    /// Px between the nearest two points.
    pub spacing_px: f64,
    /// Share of the picture that the points span, 0..=1.
    pub view_share: f64,
    /// Share of the target's bright half that is clipped, 0..=1.
    pub clipped_share: f64,
    /// Grey levels between dark and bright, 0..=255.
    pub contrast: f64,
    /// Px from the outermost point to the picture's edge.
    pub edge_px: f64,
    /// How far the points are from lying on one line: short over long side of their cloud, 0..=1.
    pub breadth: f64,
}

impl Quality {
    /// Of `sighting`, which has a point at least, in `grey`.
    pub(crate) fn of(grey: &Mat, sighting: &Sighting) -> Result<Self, CameraError> {
        let doing = opencv("looked at the target's edges");
        let points = &sighting.at_px;
        let (width, height) = (f64::from(grey.cols()), f64::from(grey.rows()));
        let spacing_px = nearest_two(points);
        let edges = points.iter().map(|p| p[0].min(p[1]).min(width - 1.0 - p[0]).min(height - 1.0 - p[1]));
        let edge_px = edges.fold(f64::MAX, f64::min);
        let cloud: Vector<Point2f> = points.iter().map(|p| Point2f::new(p[0] as f32, p[1] as f32)).collect();
        let mut hull = Vector::<Point2f>::new();
        imgproc::convex_hull_def(&cloud, &mut hull).map_err(&doing)?;
        let area = if hull.len() < 3 { 0.0 } else { imgproc::contour_area_def(&hull).map_err(&doing)? };
        let (clipped_share, bright) = clipped(grey, &hull).map_err(&doing)?;
        let (rise_px, contrast) = rise(grey, points, spacing_px).map_err(&doing)?;
        Ok(Self {
            rise_px,
            spacing_px,
            view_share: area / (width * height),
            clipped_share: if bright == 0.0 { 0.0 } else { clipped_share / bright },
            contrast,
            edge_px,
            breadth: breadth(points),
        })
    }
}

/// Square root of the ratio of the cloud's two principal variances.
fn breadth(points: &[[f64; 2]]) -> f64 {
    let n = points.len() as f64;
    let mean = |axis: usize| points.iter().map(|p| p[axis]).sum::<f64>() / n;
    let (mx, my) = (mean(0), mean(1));
    let sum = |f: &dyn Fn(f64, f64) -> f64| points.iter().map(|p| f(p[0] - mx, p[1] - my)).sum::<f64>() / n;
    let (xx, yy, xy) = (sum(&|x, _| x * x), sum(&|_, y| y * y), sum(&|x, y| x * y));
    let (half, root) = ((xx + yy) / 2.0, ((xx - yy) / 2.0).hypot(xy));
    if half + root <= 0.0 { 0.0 } else { ((half - root).max(0.0) / (half + root)).sqrt() }
}

fn nearest_two(points: &[[f64; 2]]) -> f64 {
    let pairs = points.iter().enumerate().flat_map(|(i, a)| points[i + 1..].iter().map(move |b| (a, b)));
    pairs.map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).fold(f64::MAX, f64::min)
}

/// Shares of the hull's pixels that are clipped, and that are brighter than its mean.
fn clipped(grey: &Mat, hull: &Vector<Point2f>) -> opencv::Result<(f64, f64)> {
    if hull.len() < 3 {
        return Ok((0.0, 0.0));
    }
    let mut mask = Mat::new_size_with_default(grey.size()?, CV_8UC1, Scalar::default())?;
    let corners: Vector<Point> =
        hull.iter().map(|p| Point::new(p.x.round() as i32, p.y.round() as i32)).collect();
    imgproc::fill_convex_poly_def(&mut mask, &corners, Scalar::all(255.0))?;
    let mean = opencv::core::mean(grey, &mask)?[0];
    let (mut all, mut clipped, mut bright) = (0_u64, 0_u64, 0_u64);
    for y in 0..grey.rows() {
        for (&value, &inside) in grey.at_row::<u8>(y)?.iter().zip(mask.at_row::<u8>(y)?) {
            if inside > 0 {
                all += 1;
                clipped += u64::from(value >= CLIPPED);
                bright += u64::from(f64::from(value) > mean);
            }
        }
    }
    let share = |count: u64| if all == 0 { 0.0 } else { count as f64 / all as f64 };
    Ok((share(clipped), share(bright)))
}

/// Median over the points of contrast / steepest slope around each, and of the contrast.
fn rise(grey: &Mat, points: &[[f64; 2]], spacing_px: f64) -> opencv::Result<(f64, f64)> {
    let reach = ((spacing_px * 0.6) as i32).clamp(3, 40);
    let (mut rises, mut contrasts) = (Vec::new(), Vec::new());
    for p in points.iter().step_by(points.len().div_ceil(POINTS_LOOKED_AT)) {
        let (x, y) = (p[0].round() as i32, p[1].round() as i32);
        let (x0, x1) = ((x - reach).max(0), (x + reach).min(grey.cols() - 1));
        let (y0, y1) = ((y - reach).max(0), (y + reach).min(grey.rows() - 1));
        let mut values = Vec::new();
        let mut steepest = 0.0_f64;
        for row in y0..=y1 {
            let here = &grey.at_row::<u8>(row)?[x0 as usize..=x1 as usize];
            values.extend_from_slice(here);
            if row == y1 {
                continue;
            }
            let below = &grey.at_row::<u8>(row + 1)?[x0 as usize..=x1 as usize];
            for (pair, under) in here.windows(2).zip(below.windows(2)) {
                // Slope over a block of 2 × 2, so that one noisy pixel counts half.
                let [a, b, c, d] = [pair[0], pair[1], under[0], under[1]].map(f64::from);
                let (dx, dy) = ((b + d - a - c) / 2.0, (c + d - a - b) / 2.0);
                steepest = steepest.max(dx.hypot(dy));
            }
        }
        values.sort_unstable();
        let at = |share: f64| f64::from(values[((values.len() - 1) as f64 * share) as usize]);
        let contrast = at(0.95) - at(0.05);
        contrasts.push(contrast);
        rises.push(if steepest > 0.0 { contrast / steepest } else { f64::from(reach) });
    }
    Ok((median(&mut rises), median(&mut contrasts)))
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n => (values[(n - 1) / 2] + values[n / 2]) / 2.0,
    }
}

/// True if the picture is so dark that nothing can be seen in it.
pub(crate) fn is_black(grey: &Mat) -> Result<bool, CameraError> {
    let doing = opencv("looked how bright the picture is");
    let mut most = 0.0;
    opencv::core::min_max_loc(grey, None, Some(&mut most), None, None, &no_array()).map_err(doing)?;
    Ok(most < 16.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_one_line_have_no_breadth() {
        let line: Vec<[f64; 2]> = (0..9).map(|i| [f64::from(i) * 10.0, f64::from(i) * 5.0]).collect();
        assert!(breadth(&line) < 1e-6);
        let square = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]];
        assert!((breadth(&square) - 1.0).abs() < 1e-9 && (nearest_two(&square) - 10.0).abs() < 1e-9);
    }
}
