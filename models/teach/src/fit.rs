//! A memory with the scaling it was made under, and what good parts score that it has not seen.

use crate::features::FeatureMap;
use crate::memory::{Kind, Limits, Memory};
use crate::scaling::Scaling;
use crate::score::image_score;

/// The features of one good part.
#[derive(Clone, Debug, PartialEq)]
pub struct GoodPart {
    /// As it was seen.
    pub seen: FeatureMap,
    /// As it would have been seen shifted or turned a little. They are remembered with it, and never counted as parts.
    pub copies: Vec<FeatureMap>,
}

impl GoodPart {
    fn maps(&self) -> impl Iterator<Item = &FeatureMap> + Clone {
        std::iter::once(&self.seen).chain(&self.copies)
    }
}

/// How a memory is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FitOptions {
    /// How much may be remembered.
    pub limits: Limits,
    /// Channels above which features are projected to so many.
    pub channels_max: usize,
    /// Groups of parts that are held against what the others taught.
    pub folds: usize,
}

impl Default for FitOptions {
    /// 1 000 patches anywhere, 64 a cell, 128 channels, five folds: a picture then costs little beside its features.
    fn default() -> Self {
        Self { limits: Limits { anywhere_max: 1000, in_place_max: 64, seed: 1 }, channels_max: 128, folds: 5 }
    }
}

/// What good parts taught.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Under which their features were remembered.
    pub scaling: Scaling,
    /// What is remembered.
    pub memory: Memory,
}

/// What one part scored under a memory that had not seen it.
#[derive(Clone, Debug, PartialEq)]
pub struct Unseen {
    /// How far each of its cells is from what is remembered.
    pub distances: Vec<f32>,
    /// Mean of the worst hundredth of its cells.
    pub score: f32,
    /// The worst cell.
    pub peak: f32,
}

impl Fit {
    /// Remembers `parts`; `None` where there is none.
    pub fn of(kind: Kind, parts: &[&GoodPart], options: FitOptions) -> Option<Self> {
        let maps = || parts.iter().flat_map(|part| part.maps());
        let scaling = Scaling::of(maps(), options.channels_max, options.limits.seed);
        let scaled: Vec<FeatureMap> = maps().map(|map| scaling.apply(map)).collect();
        let memory = Memory::of(kind, &scaled.iter().collect::<Vec<_>>(), options.limits)?;
        Some(Self { scaling, memory })
    }

    /// How far each cell of a picture's features is from what is remembered.
    pub fn distances(&self, map: &FeatureMap) -> Vec<f32> {
        self.memory.distances(&self.scaling.apply(map))
    }

    /// What a picture scores.
    pub fn score(&self, map: &FeatureMap) -> Unseen {
        let distances = self.distances(map);
        Unseen {
            score: image_score(&distances),
            peak: distances.iter().copied().fold(0.0, f32::max),
            distances,
        }
    }

    /// For each cell of a picture, the good part whose patch it is most like, and the cell of that patch: "this should look
    /// like that". Parts count as `of` was given them.
    pub fn nearest_good(&self, map: &FeatureMap, parts: &[&GoodPart]) -> Vec<(usize, usize)> {
        let owner: Vec<usize> = parts
            .iter()
            .enumerate()
            .flat_map(|(i, part)| std::iter::repeat_n(i, 1 + part.copies.len()))
            .collect();
        let scaled = self.scaling.apply(map);
        let origins = match &self.memory {
            Memory::Anywhere(memory) => memory.origins(&scaled),
            Memory::InPlace(memory) => memory.origins(&scaled),
        };
        origins.into_iter().map(|(map, cell)| (owner.get(map).copied().unwrap_or(0), cell)).collect()
    }
}

/// What each part scores under the memory of the others: `folds` groups, each held against a memory of the rest, and the
/// scaling made anew each time. Neighbours in the list are seldom alike, so part `i` is of group `i mod folds`.
///
/// The memory that is kept in the end has seen more parts than these, and finds a good part nearer: the scores err high.
pub fn cross_validated(kind: Kind, parts: &[GoodPart], options: FitOptions) -> Vec<Unseen> {
    let folds = options.folds.clamp(2, parts.len().max(2));
    let mut scores = vec![Unseen { distances: vec![], score: 0.0, peak: 0.0 }; parts.len()];
    for fold in 0..folds {
        let of_others = parts.iter().enumerate().filter(|(i, _)| i % folds != fold).map(|(_, part)| part);
        let Some(fit) = Fit::of(kind, &of_others.collect::<Vec<_>>(), options) else { continue };
        for (i, part) in parts.iter().enumerate().filter(|(i, _)| i % folds == fold) {
            scores[i] = fit.score(&part.seen);
        }
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Grid;

    fn part(values: &[f32]) -> GoodPart {
        let grid = Grid { rows: 1, columns: values.len() };
        GoodPart { seen: FeatureMap::of_cells(grid, 1, values.to_vec()), copies: vec![] }
    }

    #[test]
    fn no_part_is_judged_by_a_memory_of_itself() {
        let mut parts: Vec<GoodPart> = (0..10).map(|i| part(&[i as f32 * 0.01, 1.0, 2.0])).collect();
        parts[7] = part(&[0.0, 1.0, 9.0]);
        for kind in [Kind::Anywhere, Kind::InPlace] {
            let whole = Fit::of(kind, &parts.iter().collect::<Vec<_>>(), FitOptions::default()).unwrap();
            assert_eq!(whole.score(&parts[7].seen).score, 0.0, "it knows what it was taught");
            let unseen = cross_validated(kind, &parts, FitOptions::default());
            let worst = (0..10).max_by(|a, b| unseen[*a].score.total_cmp(&unseen[*b].score));
            assert_eq!(worst, Some(7), "{kind:?}: {unseen:?}");
        }
    }

    #[test]
    fn the_nearest_good_part_is_named_also_when_a_copy_of_it_is_nearest() {
        let mut parts = [part(&[0.0, 0.0]), part(&[5.0, 5.0])];
        parts[0].copies.push(part(&[1.0, 1.0]).seen);
        let of: Vec<&GoodPart> = parts.iter().collect();
        let fit = Fit::of(Kind::InPlace, &of, FitOptions::default()).unwrap();
        let nearest = fit.nearest_good(&part(&[1.1, 4.0]).seen, &of);
        assert_eq!((nearest[0].0, nearest[1].0), (0, 1));
    }
}
