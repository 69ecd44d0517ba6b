//! A bank for every cell: a patch is to look like a good one of the same place, or of a cell beside it.

use crate::coreset;
use crate::features::{FeatureMap, Grid, squared_distance};

/// A cell and those around it, as (down, right); the cell itself comes in the middle. A part that lies a cell aside is
/// good still.
pub(crate) const AROUND: [(isize, isize); 9] =
    [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 0), (0, 1), (1, -1), (1, 0), (1, 1)];

/// As many good patches for every cell.
#[derive(Clone, Debug, PartialEq)]
pub struct InPlace {
    grid: Grid,
    channels: usize,
    /// Patches a cell; a cell whose good parts look less various has some of them twice.
    each: usize,
    /// `cells × each` patches of `channels` numbers.
    bank: Vec<f32>,
    /// Which map of those remembered each patch is of.
    origin: Vec<usize>,
    /// Different patches, all cells together.
    patches: usize,
}

impl InPlace {
    /// For every cell the `each_max` patches of `maps` that leave no other of that cell far away.
    pub(super) fn of(maps: &[&FeatureMap], each_max: usize, seed: u64) -> Self {
        let (grid, channels) = (maps[0].grid(), maps[0].channels());
        let each = maps.len().min(each_max.max(1));
        let (mut bank, mut origin) = (Vec::with_capacity(grid.cells() * each * channels), Vec::new());
        let mut patches = 0;
        let mut here: Vec<f32> = Vec::with_capacity(maps.len() * channels);
        for cell in 0..grid.cells() {
            here.clear();
            here.extend(maps.iter().flat_map(|map| map.cell(cell)));
            let chosen = if maps.len() <= each {
                (0..maps.len()).collect()
            } else {
                coreset::greedy(&here, channels, each, seed)
            };
            patches += chosen.len();
            for i in chosen.iter().cycle().take(each) {
                bank.extend_from_slice(&here[i * channels..(i + 1) * channels]);
                origin.push(*i);
            }
        }
        Self { grid, channels, each, bank, origin, patches }
    }

    pub(super) fn grid(&self) -> Grid {
        self.grid
    }

    pub(super) fn patches(&self) -> usize {
        self.patches
    }

    /// `[cells, each, channels]` numbers, with `each` and `channels`.
    pub(crate) fn bank(&self) -> (&[f32], usize, usize) {
        (&self.bank, self.each, self.channels)
    }

    pub(super) fn distances(&self, map: &FeatureMap) -> Vec<f32> {
        (0..self.grid.cells()).map(|cell| self.nearest(map, cell).0.sqrt()).collect()
    }

    /// The map among those remembered, and the cell of it, that looks most like each cell of `map`.
    pub(crate) fn origins(&self, map: &FeatureMap) -> Vec<(usize, usize)> {
        let origin = |cell| {
            let (_, place, at) = self.nearest(map, cell);
            (self.origin[at], place)
        };
        (0..self.grid.cells()).map(origin).collect()
    }

    /// The square of the distance to the nearest patch, the cell that it is of, and where it is in the bank.
    fn nearest(&self, map: &FeatureMap, cell: usize) -> (f32, usize, usize) {
        let wanted = map.cell(cell);
        let places = AROUND.into_iter().filter_map(|beside| self.grid.beside(cell, beside));
        let mut best = (f32::INFINITY, cell, 0);
        for place in places {
            let first = place * self.each;
            let bank = &self.bank[first * self.channels..(first + self.each) * self.channels];
            for (i, patch) in bank.chunks_exact(self.channels).enumerate() {
                let far = squared_distance(wanted, patch);
                if far < best.0 {
                    best = (far, place, first + i);
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_good_in_its_place_and_beside_it_and_nowhere_else() {
        let grid = Grid { rows: 1, columns: 4 };
        let good = FeatureMap::of_cells(grid, 1, vec![7.0, 0.0, 0.0, 0.0]);
        let memory = InPlace::of(&[&good], 10, 1);
        for (at, far) in [(0, 0.0), (1, 0.0), (2, 7.0), (3, 7.0)] {
            let mut moved = vec![0.0; 4];
            moved[at] = 7.0;
            let distances = memory.distances(&FeatureMap::of_cells(grid, 1, moved));
            assert_eq!(distances[at], far, "{at}");
        }
    }

    #[test]
    fn what_is_absent_is_odd() {
        let grid = Grid { rows: 1, columns: 5 };
        let good = FeatureMap::of_cells(grid, 1, vec![3.0; 5]);
        let absent = FeatureMap::of_cells(grid, 1, vec![3.0, 3.0, 0.0, 3.0, 3.0]);
        assert_eq!(InPlace::of(&[&good, &good], 1, 1).distances(&absent), [0.0, 0.0, 3.0, 0.0, 0.0]);
    }

    #[test]
    fn of_many_parts_a_cell_keeps_the_most_various() {
        let grid = Grid { rows: 1, columns: 1 };
        let maps: Vec<FeatureMap> =
            (0..9).map(|i| FeatureMap::of_cells(grid, 1, vec![if i < 7 { 0.0 } else { i as f32 }])).collect();
        let memory = InPlace::of(&maps.iter().collect::<Vec<_>>(), 3, 1);
        for seen in [0.0, 7.0, 8.0] {
            let map = FeatureMap::of_cells(grid, 1, vec![seen]);
            assert_eq!(memory.distances(&map), [0.0], "{seen}");
        }
        let seen = memory.origins(&FeatureMap::of_cells(grid, 1, vec![7.9]));
        assert_eq!(seen, [(8, 0)]);
    }
}
