//! A class for every pixel of a map → findings, one for each piece that hangs together.

use crate::error::ModelError;
use crate::family::Look;
use crate::outline::{outline, simplified};
use plumb_inspection::{Finding, PointPx, RectPx};
use std::ops::Range;

/// More pieces than this are dropped, smallest first: such a map is noise, and any rule has seen enough.
const PIECES_MAX: usize = 1_000;

/// A map of classes with their scores, refilled for every picture. It may be coarser or finer than the tensor.
#[derive(Debug, Default)]
pub(crate) struct ClassMap {
    width: usize,
    height: usize,
    /// What each pixel is; `None` is nothing.
    classes: Vec<Option<u16>>,
    scores: Vec<f32>,
    /// Number of the piece a pixel belongs to; 0 is none.
    pieces: Vec<u32>,
    /// Pixels still to be looked around.
    open: Vec<(usize, usize)>,
}

/// How the pixels of a piece make up its score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PieceScore {
    /// The mean.
    Mean,
    /// The highest.
    Max,
}

/// Pixels of one class that touch, corners included: a scratch is often one pixel wide.
#[derive(Clone, Copy, Debug)]
struct Piece {
    number: u32,
    class: u16,
    /// First in reading order, so nothing of the piece lies above it.
    start: (usize, usize),
    /// Left, top, right, bottom; the last two exclusive.
    bounds: [usize; 4],
    pixels: usize,
    score_sum: f64,
    score_max: f32,
}

impl ClassMap {
    /// Makes the map `width` × `height` and empty.
    pub(crate) fn clear(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        let len = width * height;
        self.classes.clear();
        self.classes.resize(len, None);
        self.scores.resize(len, 0.0);
        self.pieces.clear();
        self.pieces.resize(len, 0);
    }

    /// Columns and rows of the map whose centres show the region; the rest is padding and is to be left empty.
    pub(crate) fn shown(&self, look: &Look<'_>) -> (Range<usize>, Range<usize>) {
        let (sx, sy) = self.scale(look);
        let content = look.placement.content_px;
        let centres = |from: f32, to: f32, scale: f32, len: usize| {
            let first = |edge: f32| (edge / scale - 0.5).ceil().max(0.0) as usize;
            first(from).min(len)..first(to).min(len)
        };
        (
            centres(content.x, content.right(), sx, self.width),
            centres(content.y, content.bottom(), sy, self.height),
        )
    }

    /// Says what the pixel at `index` (row by row) is.
    pub(crate) fn set(&mut self, index: usize, class: u16, score: f32) {
        self.classes[index] = Some(class);
        self.scores[index] = score;
    }

    /// One finding a piece of at least `area_min_px` frame px², with its outline.
    pub(crate) fn findings(
        &mut self,
        look: &Look<'_>,
        area_min_px: f32,
        score: PieceScore,
    ) -> Result<Vec<Finding>, ModelError> {
        let (sx, sy) = self.scale(look);
        let area_px = |piece: &Piece| look.placement.area(piece.pixels as f32 * sx * sy);
        let mut pieces = self.find_pieces();
        pieces.retain(|piece| area_px(piece) >= area_min_px);
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.pixels));
        pieces.truncate(PIECES_MAX);

        let mut findings = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let [x0, y0, x1, y1] = piece.bounds.map(|edge| edge as f32);
            let box_px = RectPx::from_corners(x0 * sx, y0 * sy, x1 * sx, y1 * sy);
            let score = match score {
                PieceScore::Mean => (piece.score_sum / piece.pixels as f64) as f32,
                PieceScore::Max => piece.score_max,
            };
            let Some(finding) = look.finding(usize::from(piece.class), score, box_px)? else { continue };
            let corners = outline(piece.start, |x, y| self.piece_at(x, y) == piece.number);
            let polygon = simplified(&corners).into_iter().map(|(x, y)| self.in_frame(look, x, y)).collect();
            // Pixels on the rim of the region reach beyond it; the piece has no more of the frame than its box.
            let area_px = area_px(&piece).min(finding.area_px);
            findings.push(Finding { polygon_px: Some(polygon), area_px, ..finding });
        }
        Ok(findings)
    }

    /// Map px → tensor px.
    fn scale(&self, look: &Look<'_>) -> (f32, f32) {
        (look.input_px.0 / self.width as f32, look.input_px.1 / self.height as f32)
    }

    /// A corner of the map, in frame px, kept within what shows the region: half a pixel of a coarse map may lie
    /// outside.
    fn in_frame(&self, look: &Look<'_>, x: usize, y: usize) -> PointPx {
        let (sx, sy) = self.scale(look);
        let content = look.placement.content_px;
        let x = (x as f32 * sx).clamp(content.x, content.right());
        let y = (y as f32 * sy).clamp(content.y, content.bottom());
        look.placement.point(PointPx { x, y })
    }

    fn piece_at(&self, x: usize, y: usize) -> u32 {
        if x < self.width && y < self.height { self.pieces[y * self.width + x] } else { 0 }
    }

    /// Numbers the pieces in reading order, from 1. Each pixel that is something is looked around once.
    fn find_pieces(&mut self) -> Vec<Piece> {
        let mut found: Vec<Piece> = Vec::new();
        for index in 0..self.classes.len() {
            let Some(class) = self.classes[index] else { continue };
            if self.pieces[index] == 0 {
                let start = (index % self.width, index / self.width);
                found.push(self.fill(start, class, found.len() as u32 + 1));
            }
        }
        found
    }

    fn fill(&mut self, start: (usize, usize), class: u16, number: u32) -> Piece {
        let mut piece = Piece {
            number,
            class,
            start,
            bounds: [start.0, start.1, start.0 + 1, start.1 + 1],
            pixels: 0,
            score_sum: 0.0,
            score_max: f32::MIN,
        };
        self.pieces[start.1 * self.width + start.0] = number;
        self.open.push(start);
        while let Some((x, y)) = self.open.pop() {
            let score = self.scores[y * self.width + x];
            let [x0, y0, x1, y1] = piece.bounds;
            piece.bounds = [x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1)];
            piece.pixels += 1;
            piece.score_sum += f64::from(score);
            piece.score_max = piece.score_max.max(score);
            for near_y in y.saturating_sub(1)..(y + 2).min(self.height) {
                for near_x in x.saturating_sub(1)..(x + 2).min(self.width) {
                    let near = near_y * self.width + near_x;
                    if self.classes[near] == Some(class) && self.pieces[near] == 0 {
                        self.pieces[near] = number;
                        self.open.push((near_x, near_y));
                    }
                }
            }
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::tests::look_at;
    use plumb_inspection::{Affine, Placement};

    /// A map drawn in text: a digit is a class, a dot is nothing.
    fn drawn(rows: &[&str]) -> ClassMap {
        let mut map = ClassMap::default();
        map.clear(rows[0].len(), rows.len());
        for (i, c) in rows.concat().chars().enumerate() {
            if let Some(class) = c.to_digit(10) {
                map.set(i, class as u16, 0.5 + i as f32 / 1000.0);
            }
        }
        map
    }

    #[test]
    fn pixels_of_one_class_that_touch_even_at_a_corner_are_one_finding() {
        let mut map = drawn(&[
            "00..1", //
            "..0.1", "...00", "1....",
        ]);
        look_at(&["scratch", "dent"], 5, 4, |look| {
            let mut found = map.findings(look, 0.0, PieceScore::Mean).unwrap();
            found.sort_by(|a, b| b.area_px.total_cmp(&a.area_px));
            let seen: Vec<_> =
                found.iter().map(|f| (f.class.as_str(), f.area_px, <[f32; 4]>::from(f.box_px))).collect();
            assert_eq!(
                seen,
                [
                    ("scratch", 5.0, [0.0, 0.0, 5.0, 3.0]),
                    ("dent", 2.0, [4.0, 0.0, 1.0, 2.0]),
                    ("dent", 1.0, [0.0, 3.0, 1.0, 1.0]),
                ]
            );
        });
    }

    #[test]
    fn a_piece_below_the_least_area_is_no_finding_and_one_exactly_at_it_is() {
        let mut map = drawn(&["0.00", "....", ".000"]);
        look_at(&["a"], 8, 6, |look| {
            let areas: Vec<f32> =
                map.findings(look, 8.0, PieceScore::Max).unwrap().iter().map(|f| f.area_px).collect();
            assert_eq!(areas, [12.0, 8.0], "a map pixel is 2x2 tensor px here");
        });
    }

    #[test]
    fn the_score_of_a_piece_is_the_mean_or_the_best_of_its_pixels() {
        let mut map = drawn(&["00"]);
        look_at(&["a"], 2, 1, |look| {
            let score = |findings: Vec<Finding>| findings[0].score.get();
            assert!((score(map.findings(look, 0.0, PieceScore::Mean).unwrap()) - 0.5005).abs() < 1e-6);
            assert_eq!(score(drawn(&["00"]).findings(look, 0.0, PieceScore::Max).unwrap()), 0.501);
        });
    }

    #[test]
    fn padding_is_not_shown() {
        let mut map = ClassMap::default();
        map.clear(8, 8);
        look_at(&["a"], 16, 16, |look| {
            let placement = Placement {
                frame_from_tensor: Affine::IDENTITY,
                content_px: RectPx::from([0.0, 4.0, 16.0, 8.0]),
            };
            assert_eq!(map.shown(&Look { placement: &placement, ..*look }), (0..8, 2..6));
            let odd = Placement { content_px: RectPx::from([0.0, 4.5, 16.0, 7.6]), ..placement };
            assert_eq!(map.shown(&Look { placement: &odd, ..*look }), (0..8, 2..6));
        });
    }

    #[test]
    fn a_map_of_noise_gives_a_bounded_number_of_findings() {
        let mut map = ClassMap::default();
        map.clear(200, 200);
        for i in (0..40_000).filter(|i| i % 2 == 0 && (i / 200) % 2 == 0) {
            map.set(i, 0, 0.9);
        }
        look_at(&["a"], 200, 200, |look| {
            assert_eq!(map.findings(look, 0.0, PieceScore::Mean).unwrap().len(), PIECES_MAX);
        });
    }
}
