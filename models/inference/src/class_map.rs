//! A class for every pixel of a map → findings, one for each piece that hangs together.

use crate::error::ModelError;
use crate::family::Look;
use crate::outline::{outline, simplified};
use crate::pieces::{Piece, Pieces, Run};
use plumb_inspection::{Finding, PointPx, RectPx};
use std::ops::Range;

/// More pieces than this are dropped, smallest first: such a map is noise, and any rule has seen enough.
const PIECES_MAX: usize = 1_000;

/// A map of classes with their scores, read row by row. It may be coarser or finer than the tensor.
#[derive(Debug, Default)]
pub(crate) struct ClassMap {
    width: usize,
    height: usize,
    pieces: Pieces,
}

/// How the pixels of a piece make up its score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PieceScore {
    /// The mean.
    Mean,
    /// The highest.
    Max,
}

/// What a pixel is, and how surely; `None` is nothing.
pub(crate) type Pixel = Option<(u16, f32)>;

impl ClassMap {
    /// Makes the map `width` × `height` and empty.
    pub(crate) fn clear(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        self.pieces.clear();
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

    /// Says what the pixels of row `y` are from column `first` on. Rows are told from top to bottom.
    pub(crate) fn row(&mut self, y: usize, first: usize, pixels: &[Pixel]) {
        let mut x = first;
        for same in pixels.chunk_by(|a, b| a.map(|(class, _)| class) == b.map(|(class, _)| class)) {
            if let Some((class, _)) = same[0] {
                let scores = same.iter().flatten().map(|(_, score)| *score);
                self.pieces.push(Run::scored(y, x..x + same.len(), class, scores));
            }
            x += same.len();
        }
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
        let large = |piece: &&Piece| area_px(piece) >= area_min_px;
        let mut pieces: Vec<Piece> = self.pieces.join().iter().filter(large).cloned().collect();
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
            let corners = outline(piece.start, |x, y| self.pieces.piece_at(x, y) == Some(piece.number));
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
        for (y, row) in rows.iter().enumerate() {
            let pixel = |(x, c): (usize, char)| {
                c.to_digit(10).map(|class| (class as u16, 0.5 + (y * row.len() + x) as f32 / 1000.0))
            };
            let pixels: Vec<Pixel> = row.chars().enumerate().map(pixel).collect();
            map.row(y, 0, &pixels);
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
        let dotted: Vec<Pixel> = (0..200).map(|x| (x % 2 == 0).then_some((0, 0.9))).collect();
        (0..200).step_by(2).for_each(|y| map.row(y, 0, &dotted));
        look_at(&["a"], 200, 200, |look| {
            assert_eq!(map.findings(look, 0.0, PieceScore::Mean).unwrap().len(), PIECES_MAX);
        });
    }
}
