//! Pieces of a map that hang together, put together from the runs of its rows.

use std::ops::Range;

/// Neighbours of one class in a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    y: u32,
    start: u32,
    end: u32,
    class: u16,
    /// Sum and maximum of its pixels' scores.
    score_sum: f64,
    score_max: f32,
    /// An earlier run of the same piece, or itself.
    parent: u32,
    /// Number of its piece, once all runs are there.
    piece: u32,
}

impl Run {
    /// Pixels `columns` of row `y`, without scores.
    pub(crate) fn new(y: usize, columns: Range<usize>, class: u16) -> Self {
        let (start, end) = (columns.start as u32, columns.end as u32);
        Self { y: y as u32, start, end, class, score_sum: 0.0, score_max: f32::MIN, parent: 0, piece: 0 }
    }

    /// As [`Run::new`], its pixels' scores added up.
    pub(crate) fn scored(
        y: usize,
        columns: Range<usize>,
        class: u16,
        scores: impl Iterator<Item = f32>,
    ) -> Self {
        let (sum, max) =
            scores.fold((0.0, f32::MIN), |(sum, max), score| (sum + f64::from(score), score.max(max)));
        Self { score_sum: sum, score_max: max, ..Self::new(y, columns, class) }
    }
}

/// Pixels of one class that touch, corners included: a scratch is often one pixel wide.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Piece {
    pub(crate) number: u32,
    pub(crate) class: u16,
    /// First in reading order, so nothing of the piece lies above it.
    pub(crate) start: (usize, usize),
    /// Left, top, right, bottom; the last two exclusive.
    pub(crate) bounds: [usize; 4],
    pub(crate) pixels: usize,
    pub(crate) score_sum: f64,
    pub(crate) score_max: f32,
}

/// Takes runs in reading order, tells the pieces. Costs one look at each run and each of those it touches, however
/// many pixels they have.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    runs: Vec<Run>,
    /// First run of every row from the first run's on, and one more.
    rows: Vec<usize>,
    pieces: Vec<Piece>,
}

impl Pieces {
    /// Forgets all runs.
    pub(crate) fn clear(&mut self) {
        self.runs.clear();
        self.rows.clear();
        self.pieces.clear();
    }

    /// Takes the next run; it lies after the one before.
    pub(crate) fn push(&mut self, run: Run) {
        let index = self.runs.len();
        let first_y = self.runs.first().map_or(run.y, |first| first.y);
        let row = (run.y - first_y) as usize;
        while self.rows.len() <= row {
            self.rows.push(index);
        }
        self.runs.push(Run { parent: index as u32, ..run });
        if row == 0 {
            return;
        }
        let run = self.runs[index].clone();
        // Runs of the row above that end left of this one and its corner cannot touch any later one either, but a
        // binary search finds the first that can without keeping a place.
        let above = self.rows[row - 1]..self.rows[row];
        let first = above.start + self.runs[above.clone()].partition_point(|other| other.end < run.start);
        for other in first..above.end {
            if self.runs[other].start > run.end {
                break;
            }
            if self.runs[other].class == run.class {
                self.unite(other, index);
            }
        }
    }

    /// Puts the runs together; pieces in reading order of their first pixel.
    pub(crate) fn join(&mut self) -> &[Piece] {
        self.pieces.clear();
        for index in 0..self.runs.len() {
            // The root is the first run of the piece, so it has its number already.
            let root = self.root(index);
            let number = if root == index { self.pieces.len() as u32 } else { self.runs[root].piece };
            let run = &mut self.runs[index];
            run.piece = number;
            let (x0, x1, y) = (run.start as usize, run.end as usize, run.y as usize);
            if root == index {
                self.pieces.push(Piece {
                    number,
                    class: run.class,
                    start: (x0, y),
                    bounds: [x0, y, x1, y + 1],
                    pixels: x1 - x0,
                    score_sum: run.score_sum,
                    score_max: run.score_max,
                });
            } else {
                let piece = &mut self.pieces[number as usize];
                let [left, top, right, _] = piece.bounds;
                piece.bounds = [left.min(x0), top, right.max(x1), y + 1];
                piece.pixels += x1 - x0;
                piece.score_sum += run.score_sum;
                piece.score_max = piece.score_max.max(run.score_max);
            }
        }
        &self.pieces
    }

    /// Number of the piece that holds pixel (`x`, `y`), asked after [`Pieces::join`]; any place may be asked for.
    pub(crate) fn piece_at(&self, x: usize, y: usize) -> Option<u32> {
        let row = y.checked_sub(self.runs.first()?.y as usize)?;
        let from = *self.rows.get(row)?;
        let to = self.rows.get(row + 1).copied().unwrap_or(self.runs.len());
        let runs = &self.runs[from..to];
        let run = runs.get(runs.partition_point(|run| run.end as usize <= x))?;
        (run.start as usize <= x).then_some(run.piece)
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        let (first, later) = (a.min(b), a.max(b));
        self.runs[later].parent = first as u32;
    }

    fn root(&mut self, mut index: usize) -> usize {
        loop {
            let parent = self.runs[index].parent as usize;
            if parent == index {
                return index;
            }
            // Each look shortens the way for the next.
            let grandparent = self.runs[parent].parent;
            self.runs[index].parent = grandparent;
            index = grandparent as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A map drawn in text: a digit is a class, a dot is nothing.
    fn drawn(rows: &[Vec<u8>]) -> Pieces {
        let mut pieces = Pieces::default();
        for (y, row) in rows.iter().enumerate() {
            let mut x = 0;
            for same in row.chunk_by(|a, b| a == b) {
                if same[0] != b'.' {
                    pieces.push(Run::new(y, x..x + same.len(), u16::from(same[0] - b'0')));
                }
                x += same.len();
            }
        }
        pieces
    }

    fn lines(rows: &[&str]) -> Vec<Vec<u8>> {
        rows.iter().map(|row| row.as_bytes().to_vec()).collect()
    }

    #[test]
    fn two_arms_that_meet_further_down_are_one_piece_from_its_first_pixel_on() {
        let mut pieces = drawn(&lines(&["...", "..0", "0.0", ".0."]));
        let found = pieces.join();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].start, found[0].bounds, found[0].pixels), ((2, 1), [0, 1, 3, 4], 4));
        assert_eq!(pieces.piece_at(1, 3), Some(0));
        for nothing in [(0, 0), (0, 1), (3, 1), (1, 2), (2, 3), (0, 4), (usize::MAX, 2), (0, usize::MAX)] {
            assert_eq!(pieces.piece_at(nothing.0, nothing.1), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_row_without_anything_parts_what_lies_above_and_below() {
        assert_eq!(drawn(&lines(&["00", "..", "00"])).join().len(), 2);
        assert_eq!(drawn(&[]).join().len(), 0);
    }

    /// The plain way: from each pixel to all of its neighbours.
    fn flooded(rows: &[Vec<u8>]) -> Vec<Vec<usize>> {
        let (height, width) = (rows.len(), rows[0].len());
        let mut numbers = vec![vec![usize::MAX; width]; height];
        let mut count = 0;
        for start in (0..height * width).map(|i| (i % width, i / width)) {
            if rows[start.1][start.0] == b'.' || numbers[start.1][start.0] != usize::MAX {
                continue;
            }
            let mut open = vec![start];
            while let Some((x, y)) = open.pop() {
                if numbers[y][x] != usize::MAX {
                    continue;
                }
                numbers[y][x] = count;
                for near_y in y.saturating_sub(1)..(y + 2).min(height) {
                    for near_x in x.saturating_sub(1)..(x + 2).min(width) {
                        if rows[near_y][near_x] == rows[y][x] {
                            open.push((near_x, near_y));
                        }
                    }
                }
            }
            count += 1;
        }
        numbers
    }

    proptest! {
        #[test]
        fn runs_tell_the_same_pieces_as_a_flood(
            rows in (1usize..12, 1usize..12).prop_flat_map(|(width, height)| {
                prop::collection::vec(prop::collection::vec(prop::sample::select(&b".0.01"[..]), width), height)
            }),
        ) {
            let expected = flooded(&rows);
            let mut pieces = drawn(&rows);
            let found = pieces.join().to_vec();
            for (y, row) in expected.iter().enumerate() {
                for (x, number) in row.iter().enumerate() {
                    let expected = (*number != usize::MAX).then_some(*number as u32);
                    prop_assert_eq!(pieces.piece_at(x, y), expected, "at {}, {}", x, y);
                }
            }
            for piece in found {
                let of_piece = expected.iter().flatten().filter(|number| **number as u32 == piece.number).count();
                prop_assert_eq!(piece.pixels, of_piece);
            }
        }
    }
}
