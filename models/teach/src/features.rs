//! What a feature graph says of one picture: a grid of cells, each with as many numbers.

/// A grid over a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// From top to bottom.
    pub rows: usize,
    /// From left to right.
    pub columns: usize,
}

impl Grid {
    /// How many there are.
    pub fn cells(self) -> usize {
        self.rows * self.columns
    }

    /// The cell that lies `down` and `right` of cell `cell`, if that is within the grid.
    pub fn beside(self, cell: usize, (down, right): (isize, isize)) -> Option<usize> {
        let row = (cell / self.columns).checked_add_signed(down).filter(|row| *row < self.rows)?;
        let column =
            (cell % self.columns).checked_add_signed(right).filter(|column| *column < self.columns)?;
        Some(row * self.columns + column)
    }

    /// True for a cell that has fewer than eight neighbours.
    pub fn is_border(self, cell: usize) -> bool {
        let (row, column) = (cell / self.columns, cell % self.columns);
        row == 0 || column == 0 || row + 1 == self.rows || column + 1 == self.columns
    }
}

/// The features of one picture. Cell by cell, row by row; a cell's numbers lie side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMap {
    grid: Grid,
    channels: usize,
    values: Vec<f32>,
}

/// What is no map of features.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// Not four sides with a batch of one.
    #[error("features of shape {shape:?} have no place in the picture; [1, channels, rows, columns] has")]
    Shape {
        /// As the graph gave it.
        shape: Vec<usize>,
    },
    /// A graph that gives NaN has failed, whatever else it says.
    #[error("the features hold a number that is not finite; the graph does not suit these pictures")]
    NotFinite,
}

impl FeatureMap {
    /// From a tensor `[1, channels, rows, columns]`.
    ///
    /// # Errors
    /// For another shape, an empty one, and numbers that are not finite.
    pub fn from_nchw(shape: &[usize], values: &[f32]) -> Result<Self, FeatureError> {
        let &[1, channels, rows, columns] = shape else {
            return Err(FeatureError::Shape { shape: shape.to_vec() });
        };
        let grid = Grid { rows, columns };
        let cells = grid.cells();
        if cells * channels == 0 || values.len() != cells * channels {
            return Err(FeatureError::Shape { shape: shape.to_vec() });
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(FeatureError::NotFinite);
        }
        let mut by_cell = vec![0.0; values.len()];
        for (channel, plane) in values.chunks_exact(cells).enumerate() {
            for (cell, value) in plane.iter().enumerate() {
                by_cell[cell * channels + channel] = *value;
            }
        }
        Ok(Self { grid, channels, values: by_cell })
    }

    /// Of cells that lie as this type keeps them.
    pub(crate) fn of_cells(grid: Grid, channels: usize, values: Vec<f32>) -> Self {
        debug_assert_eq!(values.len(), grid.cells() * channels);
        Self { grid, channels, values }
    }

    /// Its cells.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Numbers a cell.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The numbers of one cell.
    pub fn cell(&self, cell: usize) -> &[f32] {
        &self.values[cell * self.channels..(cell + 1) * self.channels]
    }

    /// Every cell's, in order.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.channels)
    }

    /// All numbers, cell by cell.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// The square of the distance of two points. Eight sums side by side: the compiler keeps the order of a single one, and
/// so does one number at a time.
pub(crate) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| (a - b) * (a - b)).sum();
    for (a, b) in a8.zip(b8) {
        for lane in 0..8 {
            let apart = a[lane] - b[lane];
            sums[lane] += apart * apart;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_has_its_number_of_every_plane() {
        let map = FeatureMap::from_nchw(&[1, 2, 1, 3], &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0]).unwrap();
        assert_eq!((map.cell(0), map.cell(2)), (&[1.0, 10.0][..], &[3.0, 30.0][..]));
        for shape in [&[2, 2, 1, 3][..], &[1, 2, 1, 2], &[1, 6], &[1, 0, 1, 1]] {
            assert!(FeatureMap::from_nchw(shape, &[0.0; 6]).is_err(), "{shape:?}");
        }
        assert_eq!(FeatureMap::from_nchw(&[1, 1, 1, 1], &[f32::NAN]), Err(FeatureError::NotFinite));
    }

    #[test]
    fn a_grid_ends_at_its_border() {
        let grid = Grid { rows: 2, columns: 3 };
        assert_eq!(grid.beside(4, (-1, 1)), Some(2));
        assert_eq!(
            (grid.beside(2, (0, 1)), grid.beside(3, (1, 0)), grid.beside(0, (-1, 0))),
            (None, None, None)
        );
    }

    #[test]
    fn a_distance_is_what_it_is_one_by_one() {
        let of = |seed: usize| (0..51).map(|i| ((i * seed) % 17) as f32 * 0.25).collect::<Vec<_>>();
        let (a, b) = (of(7), of(11));
        let plain: f32 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum();
        assert!((squared_distance(&a, &b) - plain).abs() < 1e-4);
    }
}
