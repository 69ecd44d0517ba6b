//! Chessboards: two detectors one after the other, then the corners to a fraction of a px.

use super::Sighting;
use opencv::{
    calib3d::{
        CALIB_CB_ACCURACY, CALIB_CB_ADAPTIVE_THRESH, CALIB_CB_EXHAUSTIVE, CALIB_CB_NORMALIZE_IMAGE,
        find_chessboard_corners, find_chessboard_corners_sb,
    },
    core::{Mat, Point2f, Size, TermCriteria, TermCriteria_COUNT, TermCriteria_EPS, Vector},
    imgproc,
};

/// Half the side of the largest window a corner is read from, in px.
const WINDOW_MAX_PX: i32 = 11;

/// All `columns × rows` inner corners, or none.
pub(super) fn find(grey: &Mat, columns: u32, rows: u32) -> opencv::Result<Option<Sighting>> {
    let size = Size::new(columns as i32, rows as i32);
    let mut corners = Vector::<Point2f>::new();
    let flags = CALIB_CB_ADAPTIVE_THRESH | CALIB_CB_NORMALIZE_IMAGE;
    // The second detector reads blurred and badly lit boards, and needs three corners a side.
    let found = find_chessboard_corners(grey, size, &mut corners, flags)?
        || columns.min(rows) > 2
            && find_chessboard_corners_sb(grey, size, &mut corners, CALIB_CB_EXHAUSTIVE | CALIB_CB_ACCURACY)?;
    if !found || corners.len() != (columns * rows) as usize {
        return Ok(None);
    }
    let window = window_px(&corners, columns as usize);
    refine(grey, &mut corners, window)?;
    Ok(Some(Sighting {
        points: (0..corners.len()).collect(),
        at_px: corners.iter().map(|p| [f64::from(p.x), f64::from(p.y)]).collect(),
        window_px: f64::from(window),
    }))
}

/// Moves corners to where the edges meet: half-side `window` px around each.
///
/// A wide window is read from a picture calmed by a Gaussian of 1 px: on rendered boards that takes a quarter off the
/// corners' scatter. In a narrow one it would draw in what lies outside.
pub(super) fn refine(grey: &Mat, corners: &mut Vector<Point2f>, window: i32) -> opencv::Result<()> {
    let until = TermCriteria::new(TermCriteria_COUNT | TermCriteria_EPS, 40, 0.001)?;
    let mut calm = Mat::default();
    let from = if window >= 5 {
        imgproc::gaussian_blur_def(grey, &mut calm, Size::new(0, 0), 1.0)?;
        &calm
    } else {
        grey
    };
    imgproc::corner_sub_pix(from, corners, Size::new(window, window), Size::new(-1, -1), until)
}

/// A window that holds this corner's edges and none of its neighbours'.
fn window_px(corners: &Vector<Point2f>, columns: usize) -> i32 {
    let apart = |a: usize, b: usize| match (corners.get(a), corners.get(b)) {
        (Ok(a), Ok(b)) => (a.x - b.x).hypot(a.y - b.y),
        _ => f32::MAX,
    };
    let nearest = (0..corners.len())
        .map(|i| {
            let right = if (i + 1) % columns == 0 { f32::MAX } else { apart(i, i + 1) };
            right.min(apart(i, i + columns))
        })
        .fold(f32::MAX, f32::min);
    ((nearest * 0.2).round() as i32).clamp(2, WINDOW_MAX_PX)
}
