//! One bank for the whole picture: PatchCore (Roth et al. 2022).

use crate::coreset;
use crate::features::{FeatureMap, Grid, squared_distance};
use ndarray::ArrayView2;

/// Cells of a picture that are held against the bank at once.
const BLOCK: usize = 256;

/// A bank of good patches, whatever their place.
#[derive(Clone, Debug, PartialEq)]
pub struct Anywhere {
    grid: Grid,
    channels: usize,
    /// Patches of `channels` numbers, side by side.
    bank: Vec<f32>,
    /// Which map of those remembered each patch is of, and which cell of it.
    origin: Vec<(usize, usize)>,
}

impl Anywhere {
    /// The `patches_max` patches of `maps` that leave no other far away.
    pub(super) fn of(maps: &[&FeatureMap], patches_max: usize, seed: u64) -> Self {
        let (grid, channels) = (maps[0].grid(), maps[0].channels());
        let all: Vec<f32> = maps.iter().flat_map(|map| map.values()).copied().collect();
        let chosen = coreset::greedy(&all, channels, patches_max, seed);
        let patch = |i: &usize| &all[i * channels..(i + 1) * channels];
        let bank = chosen.iter().flat_map(patch).copied().collect();
        let origin = chosen.iter().map(|i| (i / grid.cells(), i % grid.cells())).collect();
        Self { grid, channels, bank, origin }
    }

    pub(super) fn grid(&self) -> Grid {
        self.grid
    }

    pub(super) fn patches(&self) -> usize {
        self.origin.len()
    }

    /// The bank, `patches` rows of `channels` numbers.
    pub(crate) fn bank(&self) -> (&[f32], usize) {
        (&self.bank, self.channels)
    }

    pub(super) fn distances(&self, map: &FeatureMap) -> Vec<f32> {
        let nearest = self.nearest(map);
        map.cells()
            .zip(nearest)
            .map(|(cell, patch)| squared_distance(cell, self.patch(patch)).sqrt())
            .collect()
    }

    /// The map among those remembered, and the cell of it, that looks most like each cell of `map`.
    pub(crate) fn origins(&self, map: &FeatureMap) -> Vec<(usize, usize)> {
        self.nearest(map).into_iter().map(|patch| self.origin[patch]).collect()
    }

    fn patch(&self, i: usize) -> &[f32] {
        &self.bank[i * self.channels..(i + 1) * self.channels]
    }

    /// The nearest patch of each cell, by `|b|² − 2·x·b`: what the graph calculates too.
    fn nearest(&self, map: &FeatureMap) -> Vec<usize> {
        let patches = self.patches();
        let square = |patch: &[f32]| patch.iter().map(|value| value * value).sum::<f32>();
        let squares: Vec<f32> = self.bank.chunks_exact(self.channels).map(square).collect();
        let bank =
            ArrayView2::from_shape((patches, self.channels), &self.bank).expect("rows of equal length");
        let mut nearest = Vec::with_capacity(map.grid().cells());
        for block in map.values().chunks(BLOCK * self.channels) {
            let cells = ArrayView2::from_shape((block.len() / self.channels, self.channels), block)
                .expect("cells of equal length");
            let products = cells.dot(&bank.t());
            for row in products.rows() {
                let far = row.iter().zip(&squares).map(|(product, square)| square - 2.0 * product);
                let best = far
                    .enumerate()
                    .fold((0, f32::INFINITY), |best, (i, far)| if far < best.1 { (i, far) } else { best });
                nearest.push(best.0);
            }
        }
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_good_wherever_it_was_seen() {
        let grid = Grid { rows: 1, columns: 3 };
        let good = FeatureMap::of_cells(grid, 1, vec![0.0, 5.0, 9.0]);
        let memory = Anywhere::of(&[&good], 10, 1);
        let turned = FeatureMap::of_cells(grid, 1, vec![9.0, 0.0, 5.5]);
        assert_eq!(memory.distances(&turned), [0.0, 0.0, 0.5]);
        assert_eq!(memory.origins(&turned), [(0, 2), (0, 0), (0, 1)]);
    }
}
