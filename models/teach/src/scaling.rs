//! Every channel brought to the same weight, and many channels to fewer.

use crate::features::FeatureMap;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A channel that never changes among good parts is not weighed more than this much above the middle one: else the rounding
/// of a dead channel would outvote all that can be seen.
const WEIGHT_MAX: f32 = 1000.0;

/// `(value − mean) · weight` a channel, then perhaps a projection to fewer.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// Of the good parts, one a channel.
    pub mean: Vec<f32>,
    /// One over their standard deviation, one a channel.
    pub weight: Vec<f32>,
    /// Rows of as many numbers as there are channels; `None` keeps the channels.
    pub projection: Option<Projection>,
}

/// Random directions, whose inner products keep distances nearly as they were (Johnson and Lindenstrauss 1984).
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// How many come out.
    pub channels: usize,
    /// `channels` rows, row by row, from a normal distribution of variance `1 / channels`.
    pub rows: Vec<f32>,
}

impl Scaling {
    /// As the cells of `parts` want it; with more than `channels_max` channels they are projected.
    pub fn of<'m>(
        parts: impl Iterator<Item = &'m FeatureMap> + Clone,
        channels_max: usize,
        seed: u64,
    ) -> Self {
        let channels = parts.clone().next().map_or(0, FeatureMap::channels);
        let (mut sums, mut count) = (vec![0.0_f64; channels], 0.0_f64);
        for cell in parts.clone().flat_map(|map| map.cells()) {
            sums.iter_mut().zip(cell).for_each(|(sum, value)| *sum += f64::from(*value));
            count += 1.0;
        }
        let mean: Vec<f64> = sums.iter().map(|sum| sum / count.max(1.0)).collect();
        let mut squares = vec![0.0_f64; channels];
        for cell in parts.flat_map(|map| map.cells()) {
            for ((square, value), mean) in squares.iter_mut().zip(cell).zip(&mean) {
                *square += (f64::from(*value) - mean).powi(2);
            }
        }
        let deviation: Vec<f32> =
            squares.iter().map(|square| (square / count.max(1.0)).sqrt() as f32).collect();
        let mut sorted = deviation.clone();
        sorted.sort_by(f32::total_cmp);
        let middle =
            sorted.get(channels.saturating_sub(1) / 2).copied().unwrap_or(1.0).max(f32::MIN_POSITIVE.sqrt());
        Self {
            mean: mean.iter().map(|mean| *mean as f32).collect(),
            weight: deviation.iter().map(|deviation| 1.0 / deviation.max(middle / WEIGHT_MAX)).collect(),
            projection: (channels > channels_max).then(|| Projection::random(channels, channels_max, seed)),
        }
    }

    /// Channels that come out.
    pub fn channels(&self) -> usize {
        self.projection.as_ref().map_or(self.mean.len(), |projection| projection.channels)
    }

    /// A map of the same grid, scaled.
    pub fn apply(&self, map: &FeatureMap) -> FeatureMap {
        let mut values = Vec::with_capacity(map.grid().cells() * self.channels());
        let mut scaled = vec![0.0; self.mean.len()];
        for cell in map.cells() {
            for (i, value) in cell.iter().enumerate() {
                scaled[i] = (value - self.mean[i]) * self.weight[i];
            }
            match &self.projection {
                None => values.extend_from_slice(&scaled),
                Some(projection) => values.extend(
                    projection
                        .rows
                        .chunks_exact(scaled.len())
                        .map(|row| row.iter().zip(&scaled).map(|(a, b)| a * b).sum::<f32>()),
                ),
            }
        }
        FeatureMap::of_cells(map.grid(), self.channels(), values)
    }
}

impl Projection {
    /// From `from` channels to `to`; the same for the same `seed`.
    pub(crate) fn random(from: usize, to: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let scale = 1.0 / (to.max(1) as f32).sqrt();
        Self { channels: to, rows: (0..from * to).map(|_| normal(&mut rng) * scale).collect() }
    }
}

/// Box and Muller (1958).
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let (u, v) = (1.0 - rng.random::<f32>(), rng.random::<f32>());
    (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{Grid, squared_distance};

    #[test]
    fn a_loud_channel_weighs_no_more_than_a_quiet_one() {
        let grid = Grid { rows: 1, columns: 4 };
        let map = FeatureMap::of_cells(grid, 2, vec![0.0, 1.0, 100.0, 1.1, 200.0, 1.2, 300.0, 1.3]);
        let scaled = Scaling::of([&map].into_iter(), 8, 1).apply(&map);
        for cell in scaled.cells() {
            assert!((cell[0] - cell[1]).abs() < 1e-3, "{cell:?}");
        }
    }

    #[test]
    fn a_channel_that_never_changes_is_no_division_by_nought() {
        let map = FeatureMap::of_cells(Grid { rows: 1, columns: 2 }, 2, vec![5.0, 1.0, 5.0, 3.0]);
        let scaling = Scaling::of([&map].into_iter(), 8, 1);
        assert!(scaling.weight.iter().all(|weight| weight.is_finite()), "{scaling:?}");
        let still = FeatureMap::of_cells(Grid { rows: 1, columns: 2 }, 2, vec![5.0; 4]);
        assert!(Scaling::of([&still].into_iter(), 8, 1).weight.iter().all(|weight| weight.is_finite()));
    }

    #[test]
    fn a_projection_keeps_distances_nearly() {
        let grid = Grid { rows: 1, columns: 20 };
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let map = FeatureMap::of_cells(grid, 512, (0..20 * 512).map(|_| normal(&mut rng)).collect());
        let scaling = Scaling::of([&map].into_iter(), 128, 1);
        let projected = scaling.apply(&map);
        assert_eq!(projected.channels(), 128);
        for (a, b) in (0..19).map(|cell| (cell, cell + 1)) {
            let was: f32 =
                (0..512).map(|i| ((map.cell(a)[i] - map.cell(b)[i]) * scaling.weight[i]).powi(2)).sum();
            let is = squared_distance(projected.cell(a), projected.cell(b));
            assert!((is / was - 1.0).abs() < 0.5, "{is} for {was}");
        }
    }
}
