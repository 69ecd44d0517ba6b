//! One thing's mask: a coarse map, enlarged to tensor px within a window and cut at a threshold.

use crate::family::Look;
use crate::outline::{outline, simplified};
use crate::pieces::{Pieces, Run};
use plumb_inspection::{PointPx, RectPx};

/// Pixels of the tensor: the first column and row, and how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// A map of numbers, row by row, spread over a rectangle of the tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) covers_px: RectPx,
}

/// What lies beyond the outermost centres of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// The outermost values go on.
    Extended,
    /// Zeros.
    Zero,
}

/// Which pixels of a window belong to a thing. Refilled for every thing.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    window: Window,
    pieces: Pieces,
    pixels: usize,
    /// One row of the map at the height of one row of the tensor, with a number more at each end.
    row: Vec<f32>,
    /// For each column of the window: the first of two numbers in `row`, and the share of the second.
    columns: Vec<(u32, f32)>,
}

impl Mask {
    /// The pixels of the tensor whose left top corner lies in `box_px` (so Ultralytics cuts masks) and whose centre
    /// shows the region. The next mask is drawn there.
    pub(crate) fn window(&mut self, box_px: RectPx, look: &Look<'_>) -> Window {
        let content = look.placement.content_px;
        let span = |from: f32, to: f32, content_from: f32, content_to: f32, len: f32| {
            let first = from.max(content_from - 0.5).max(0.0).ceil();
            let last = to.min(content_to - 0.5).min(len).max(0.0).ceil();
            (first as usize, (last - first).max(0.0) as usize)
        };
        let (width, height) = look.input_px;
        let (left, columns) = span(box_px.x, box_px.right(), content.x, content.right(), width);
        let (top, rows) = span(box_px.y, box_px.bottom(), content.y, content.bottom(), height);
        self.window = Window { left, top, width: columns, height: rows };
        self.window
    }

    /// Marks the pixels of the window at whose centre `picture` is above `least`, bilinear between the centres of its
    /// own pixels: what `interpolate` and `grid_sample` of PyTorch give with `align_corners=False`.
    pub(crate) fn draw(&mut self, picture: &Picture<'_>, least: f32, edge: Edge) {
        self.pieces.clear();
        self.pixels = 0;
        let Window { left, top, width, height } = self.window;
        let covers = picture.covers_px;
        if width == 0 || height == 0 || !(covers.w > 0.0 && covers.h > 0.0) {
            return;
        }
        let beyond = |inner: f32| if edge == Edge::Zero { 0.0 } else { inner };
        // Where a pixel lies between the map's centres; a number more at each end stands for what is beyond.
        let place = |at: usize, from: f32, scale: f32, len: usize| {
            let place = ((at as f32 + 0.5 - from) * scale + 0.5).clamp(0.0, len as f32 + 1.0);
            let first = (place.floor() as usize).min(len);
            (first as u32, place - first as f32)
        };
        let (sx, sy) = (picture.width as f32 / covers.w, picture.height as f32 / covers.h);
        self.columns.clear();
        self.columns.extend((left..left + width).map(|x| place(x, covers.x, sx, picture.width)));
        self.row.resize(picture.width + 2, 0.0);
        let ends = picture.width;
        for y in top..top + height {
            let (above, share) = place(y, covers.y, sy, picture.height);
            let above = above as usize;
            let map_row = |row: usize| {
                // Row 0 is beyond the top, row 1 the map's first.
                let inside = row.clamp(1, picture.height) - 1;
                let values = &picture.values[inside * picture.width..(inside + 1) * picture.width];
                let weight = if inside + 1 == row || edge == Edge::Extended { 1.0 } else { 0.0 };
                (values, weight)
            };
            let ((upper, upper_weight), (lower, lower_weight)) = (map_row(above), map_row(above + 1));
            let (upper_share, lower_share) = ((1.0 - share) * upper_weight, share * lower_weight);
            for (value, (a, b)) in self.row[1..=ends].iter_mut().zip(upper.iter().zip(lower)) {
                *value = a * upper_share + b * lower_share;
            }
            self.row[0] = beyond(self.row[1]);
            self.row[ends + 1] = beyond(self.row[ends]);
            self.mark_row(y - top, least);
        }
    }

    /// Runs of pixels above `least` in the window's row `y`.
    fn mark_row(&mut self, y: usize, least: f32) {
        let mut start = None;
        let row = &self.row;
        for (x, (first, share)) in self.columns.iter().enumerate() {
            let first = *first as usize;
            let inside = row[first] * (1.0 - share) + row[first + 1] * share > least;
            match (inside, start) {
                (true, None) => start = Some(x),
                (false, Some(from)) => {
                    self.pieces.push(Run::new(y, from..x, 0));
                    self.pixels += x - from;
                    start = None;
                }
                _ => {}
            }
        }
        if let Some(from) = start {
            self.pieces.push(Run::new(y, from..self.columns.len(), 0));
            self.pixels += self.columns.len() - from;
        }
    }

    /// How many frame px² all its pieces cover, and the outline of the largest in frame px; `None` where no pixel is
    /// marked.
    pub(crate) fn area_and_outline(&mut self, look: &Look<'_>) -> Option<(f32, Vec<PointPx>)> {
        // Of equal ones the first.
        let largest = self.pieces.join().iter().rev().max_by_key(|piece| piece.pixels)?;
        let (start, number) = (largest.start, largest.number);
        let corners = outline(start, |x, y| self.pieces.piece_at(x, y) == Some(number));
        let content = look.placement.content_px;
        let in_frame = |(x, y): (usize, usize)| {
            let x = ((self.window.left + x) as f32).clamp(content.x, content.right());
            let y = ((self.window.top + y) as f32).clamp(content.y, content.bottom());
            look.placement.point(PointPx { x, y })
        };
        let polygon = simplified(&corners).into_iter().map(in_frame).collect();
        Some((look.placement.area(self.pixels as f32), polygon))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::family::tests::look_at;
    use proptest::prelude::*;

    impl Mask {
        /// The pixels of the tensor that are marked.
        pub(crate) fn marked(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
            let Window { left, top, width, height } = self.window;
            let pixels = (0..height).flat_map(move |y| (0..width).map(move |x| (x, y)));
            let marked = pixels.filter(|(x, y)| self.pieces.piece_at(*x, *y).is_some());
            marked.map(move |(x, y)| (left + x, top + y))
        }
    }

    fn whole(look: &Look<'_>) -> RectPx {
        RectPx { x: 0.0, y: 0.0, w: look.input_px.0, h: look.input_px.1 }
    }

    #[test]
    fn a_coarse_map_is_enlarged_between_the_centres_of_its_pixels() {
        // Two pixels −1 and 1 over 8: the sign changes in the middle, and their share grows evenly.
        look_at(&["a"], 8, 2, |look| {
            let mut mask = Mask::default();
            mask.window(whole(look), look);
            let picture = Picture { values: &[-1.0, 1.0], width: 2, height: 1, covers_px: whole(look) };
            mask.draw(&picture, 0.0, Edge::Extended);
            let (area, polygon) = mask.area_and_outline(look).unwrap();
            assert_eq!(area, 8.0);
            assert_eq!(polygon, [[4.0, 0.0], [8.0, 0.0], [8.0, 2.0], [4.0, 2.0]].map(PointPx::from));
            mask.draw(&picture, 0.7, Edge::Extended);
            assert_eq!(mask.area_and_outline(look).unwrap().0, 6.0, "0.75 and the rim's 1, 1");
            mask.draw(&picture, 1.0, Edge::Extended);
            assert!(mask.area_and_outline(look).is_none(), "a pixel must be above");
        });
    }

    #[test]
    fn a_mask_is_cut_to_its_box_and_to_what_shows_the_region() {
        look_at(&["a"], 10, 10, |look| {
            let placement = plumb_inspection::Placement {
                content_px: RectPx::from([0.0, 2.0, 10.0, 6.0]),
                ..*look.placement
            };
            let look = Look { placement: &placement, ..*look };
            let mut mask = Mask::default();
            mask.window(RectPx::from([2.4, -5.0, 4.0, 50.0]), &look);
            let picture = Picture { values: &[1.0], width: 1, height: 1, covers_px: whole(&look) };
            mask.draw(&picture, 0.5, Edge::Extended);
            let (area, polygon) = mask.area_and_outline(&look).unwrap();
            assert_eq!(area, 4.0 * 6.0);
            assert_eq!(polygon[0], PointPx { x: 3.0, y: 2.0 });
        });
    }

    #[test]
    fn of_several_pieces_the_largest_is_outlined_and_all_are_counted() {
        look_at(&["a"], 6, 1, |look| {
            let mut mask = Mask::default();
            mask.window(whole(look), look);
            let values = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0];
            mask.draw(
                &Picture { values: &values, width: 6, height: 1, covers_px: whole(look) },
                0.5,
                Edge::Zero,
            );
            let (area, polygon) = mask.area_and_outline(look).unwrap();
            assert_eq!(area, 4.0);
            assert_eq!(polygon[0], PointPx { x: 2.0, y: 0.0 });
        });
    }

    /// `interpolate` and `grid_sample` with `align_corners=False`, pixel by pixel as their documentation has it.
    fn sampled(picture: &Picture<'_>, x: usize, y: usize, edge: Edge) -> f64 {
        let covers = picture.covers_px;
        let source = |at: usize, from: f32, length: f32, count: usize| {
            (at as f64 + 0.5 - f64::from(from)) * count as f64 / f64::from(length) - 0.5
        };
        let (u, v) =
            (source(x, covers.x, covers.w, picture.width), source(y, covers.y, covers.h, picture.height));
        let value = |i: f64, j: f64| {
            let (inner_i, inner_j) =
                (i.clamp(0.0, picture.width as f64 - 1.0), j.clamp(0.0, picture.height as f64 - 1.0));
            if edge == Edge::Zero && (inner_i, inner_j) != (i, j) {
                return 0.0;
            }
            f64::from(picture.values[inner_j as usize * picture.width + inner_i as usize])
        };
        let (i, j) = (u.floor(), v.floor());
        let (s, t) = (u - i, v - j);
        (value(i, j) * (1.0 - s) + value(i + 1.0, j) * s) * (1.0 - t)
            + (value(i, j + 1.0) * (1.0 - s) + value(i + 1.0, j + 1.0) * s) * t
    }

    proptest! {
        #[test]
        fn a_mask_is_what_pytorch_gives(
            (width, height, values) in (1usize..7, 1usize..7).prop_flat_map(|(width, height)| {
                (Just(width), Just(height), prop::collection::vec(0.0..1.0f32, width * height))
            }),
            covers in (-5.0..10.0f32, -5.0..10.0f32, 0.5..30.0f32, 0.5..30.0f32),
            least in 0.05..0.95f32,
            edge in prop::sample::select(&[Edge::Zero, Edge::Extended][..]),
        ) {
            let covers_px = RectPx { x: covers.0, y: covers.1, w: covers.2, h: covers.3 };
            let picture = Picture { values: &values, width, height, covers_px };
            look_at(&["a"], 20, 16, |look| -> Result<(), TestCaseError> {
                let mut mask = Mask::default();
                mask.window(whole(look), look);
                mask.draw(&picture, least, edge);
                let area = mask.area_and_outline(look).map_or(0.0, |(area, _)| area);
                let marked: Vec<_> = mask.marked().collect();
                prop_assert_eq!(area, marked.len() as f32);
                for (x, y) in (0..16).flat_map(|y| (0..20).map(move |x| (x, y))) {
                    let expected = sampled(&picture, x, y, edge);
                    // Within rounding of the threshold either answer will do.
                    if (expected - f64::from(least)).abs() > 1e-4 {
                        let expected_marked = expected > f64::from(least);
                        prop_assert_eq!(marked.contains(&(x, y)), expected_marked, "{} at {}, {}", expected, x, y);
                    }
                }
                Ok(())
            })?;
        }
    }
}
