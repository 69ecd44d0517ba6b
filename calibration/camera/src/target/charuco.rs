//! ChArUco boards: the markers say which squares these are, the squares' corners say where, precisely.
//!
//! Boards printed by OpenCV before and after 4.7 differ where the count of rows is even: the older begin with a white
//! square. Which it is shows in the picture, so nobody is asked.

use super::{
    Sighting,
    chessboard::refine,
    markers::{Dictionary, Marker},
};
use crate::geometry::through;
use opencv::{
    calib3d,
    core::{Mat, Point2f, Vector, no_array},
    prelude::*,
};
use std::collections::BTreeMap;

/// Which square a board begins with.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum First {
    Black,
    White,
}

/// The places of the white squares, `[column, row]`, in the order of their markers.
pub(super) fn white_squares([columns, rows]: [u32; 2], first: First) -> impl Iterator<Item = [u32; 2]> {
    let white = u32::from(first == First::Black);
    (0..rows)
        .flat_map(move |row| (0..columns).map(move |column| [column, row]))
        .filter(move |[c, r]| (c + r) % 2 == white)
}

/// Every inner corner that two of its markers show.
pub(super) fn find(
    grey: &Mat,
    squares: [u32; 2],
    marker_share: f64,
    dictionary: Dictionary,
) -> opencv::Result<Option<Sighting>> {
    let markers: BTreeMap<u32, Marker> =
        dictionary.find(grey)?.into_iter().map(|marker| (marker.id, marker)).collect();
    let mut best = Layout::default();
    for first in [First::Black, First::White] {
        let layout = Layout::new(&markers, squares, marker_share, first)?;
        if layout.fits > best.fits {
            best = layout;
        }
    }
    best.corners(grey, squares)
}

/// The markers laid on a board.
#[derive(Default)]
struct Layout {
    /// By square: corners on the board (in squares) and in the picture.
    placed: BTreeMap<[u32; 2], [([f64; 2], Point2f); 4]>,
    /// Markers that lie where the others say they should.
    fits: usize,
}

impl Layout {
    fn new(
        markers: &BTreeMap<u32, Marker>,
        squares: [u32; 2],
        marker_share: f64,
        first: First,
    ) -> opencv::Result<Self> {
        let margin = (1.0 - marker_share) / 2.0;
        let (near, far) = (margin, margin + marker_share);
        let mut placed = BTreeMap::new();
        for (id, square) in (0..).zip(white_squares(squares, first)) {
            let Some(marker) = markers.get(&id) else { continue };
            let [x, y] = square.map(f64::from);
            let on_board =
                [[x + near, y + near], [x + far, y + near], [x + far, y + far], [x + near, y + far]];
            let mut corners = on_board.map(|at| (at, Point2f::default()));
            for (corner, px) in corners.iter_mut().zip(marker.corners_px) {
                corner.1 = px;
            }
            placed.insert(square, corners);
        }
        if placed.len() < 2 {
            return Ok(Self::default());
        }
        // Distortion bends the board: a quarter of a square is near enough to tell right from wrong.
        let all: Vec<_> = placed.values().flatten().copied().collect();
        let Some(picture_from_board) = homography(&all, calib3d::RANSAC)? else { return Ok(Self::default()) };
        let side_px = |corners: &[([f64; 2], Point2f); 4]| {
            let (a, b) = (corners[0].1, corners[1].1);
            f64::from((a.x - b.x).hypot(a.y - b.y))
        };
        placed.retain(|_, corners| {
            let near = side_px(corners) * 0.25;
            corners.iter().all(|(board, px)| off_px(&picture_from_board, *board, *px) < near)
        });
        Ok(Self { fits: placed.len(), placed })
    }

    fn corners(&self, grey: &Mat, [columns, rows]: [u32; 2]) -> opencv::Result<Option<Sighting>> {
        let mut sighting = Sighting::default();
        let mut corners = Vector::<Point2f>::new();
        let mut window = f64::MAX;
        for (row, column) in (1..rows).flat_map(|row| (1..columns).map(move |column| (row, column))) {
            let around = [[column - 1, row - 1], [column, row - 1], [column - 1, row], [column, row]];
            let near: Vec<_> =
                around.iter().filter_map(|square| self.placed.get(square)).flatten().copied().collect();
            if near.len() < 8 {
                continue;
            }
            let Some(picture_from_board) = homography(&near, 0)? else { continue };
            let board = [f64::from(column), f64::from(row)];
            let [x, y] = through(&picture_from_board, board);
            // A corner's window must not reach a marker, whose edges would draw it away.
            let free = near.iter().map(|(_, px)| (f64::from(px.x) - x).hypot(f64::from(px.y) - y));
            window = free.fold(window, f64::min);
            sighting.points.push(((row - 1) * (columns - 1) + column - 1) as usize);
            corners.push(Point2f::new(x as f32, y as f32));
        }
        if corners.is_empty() {
            return Ok(None);
        }
        let window = ((window * 0.5).round() as i32).clamp(2, 11);
        let inside = |p: &Point2f| {
            let edge = (window + 1) as f32;
            p.x >= edge && p.y >= edge && p.x < grey.cols() as f32 - edge && p.y < grey.rows() as f32 - edge
        };
        let kept: Vec<bool> = corners.iter().map(|p| inside(&p)).collect();
        let mut keep = kept.iter();
        sighting.points.retain(|_| *keep.next().expect("as many as there are corners"));
        let mut corners: Vector<Point2f> = corners.iter().filter(inside).collect();
        if corners.is_empty() {
            return Ok(None);
        }
        refine(grey, &mut corners, window)?;
        sighting.at_px = corners.iter().map(|p| [f64::from(p.x), f64::from(p.y)]).collect();
        sighting.window_px = f64::from(window);
        Ok(Some(sighting))
    }
}

fn homography(points: &[([f64; 2], Point2f)], method: i32) -> opencv::Result<Option<[[f64; 3]; 3]>> {
    let from: Vector<Point2f> =
        points.iter().map(|(at, _)| Point2f::new(at[0] as f32, at[1] as f32)).collect();
    let to: Vector<Point2f> = points.iter().map(|(_, px)| *px).collect();
    let found = calib3d::find_homography(&from, &to, &mut no_array(), method, 8.0)?;
    if found.empty() {
        return Ok(None);
    }
    let rows = found.data_typed::<f64>()?;
    let row = |i: usize| [rows[i], rows[i + 1], rows[i + 2]];
    Ok(Some([row(0), row(3), row(6)]))
}

fn off_px(picture_from_board: &[[f64; 3]; 3], board: [f64; 2], px: Point2f) -> f64 {
    let [x, y] = through(picture_from_board, board);
    (x - f64::from(px.x)).hypot(y - f64::from(px.y))
}
