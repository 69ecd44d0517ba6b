//! Is it the part that is judged, or the pictures? Where bad parts were photographed elsewhere, in other light or on
//! another day, anything tells them apart, and a model that does so is worth nothing on the line.

use crate::features::Grid;
use crate::score::image_score;
use plumb_quality::{Auc, Confidence, Roc, Scores};
use serde::Serialize;

/// A rival that separates this well is one.
const RIVAL_FROM: f64 = 0.85;

/// And that is nearly as good as the whole.
const NEARLY: f64 = 0.03;

/// What separates good from bad without looking at the part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rival {
    /// The outermost cells of the pictures.
    Border,
    /// How bright the pictures are on the whole.
    Brightness,
}

/// How well each separates good from bad.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Shortcut {
    /// The model.
    pub model: Auc,
    /// Its border cells alone.
    pub border: Auc,
    /// Mean brightness alone, whichever way it goes.
    pub brightness: Auc,
}

/// One picture for the check.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'d> {
    /// The distances of its cells, under a memory that had not seen it.
    pub distances: &'d [f32],
    /// Its mean grey level.
    pub brightness: f32,
}

impl Shortcut {
    /// The rivals that separate as well as the model does.
    pub fn rivals(&self) -> Vec<Rival> {
        let rivals = [(Rival::Border, self.border), (Rival::Brightness, self.brightness)];
        let is_one = |auc: &Auc| auc.seen >= RIVAL_FROM && auc.seen >= self.model.seen - NEARLY;
        rivals.into_iter().filter(|(_, auc)| is_one(auc)).map(|(rival, _)| rival).collect()
    }
}

/// Compares what the model makes of good and bad pictures with what their borders and their brightness alone say; `None`
/// without either kind.
pub fn shortcut(
    grid: Grid,
    good: &[Judged<'_>],
    bad: &[Judged<'_>],
    confidence: Confidence,
) -> Option<Shortcut> {
    let auc = |score: &dyn Fn(&Judged<'_>) -> f32| {
        let of =
            |judged: &[Judged<'_>]| judged.iter().map(|judged| f64::from(score(judged))).collect::<Vec<_>>();
        Some(Roc::of(&Scores::new(of(good), of(bad)).ok()?, confidence).auc)
    };
    let border = |judged: &Judged<'_>| {
        let cells = judged.distances.iter().enumerate().filter(|(cell, _)| grid.is_border(*cell));
        image_score(&cells.map(|(_, distance)| *distance).collect::<Vec<_>>())
    };
    let (bright, dark) = (auc(&|judged| judged.brightness)?, auc(&|judged| -judged.brightness)?);
    Some(Shortcut {
        model: auc(&|judged| image_score(judged.distances))?,
        border: auc(&border)?,
        brightness: if bright.seen >= dark.seen { bright } else { dark },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { rows: 4, columns: 4 };

    fn picture(seed: usize, middle: f32, border: f32) -> Vec<f32> {
        let noise = |cell: usize| ((cell * 7 + seed * 13) % 10) as f32 * 0.01;
        (0..16).map(|cell| noise(cell) + if GRID.is_border(cell) { border } else { middle }).collect()
    }

    fn check(bad_middle: f32, bad_border: f32, bad_light: f32) -> Vec<Rival> {
        let good: Vec<Vec<f32>> = (0..20).map(|seed| picture(seed, 0.5, 0.5)).collect();
        let bad: Vec<Vec<f32>> = (0..10).map(|seed| picture(seed + 3, bad_middle, bad_border)).collect();
        let of = |all: &[Vec<f32>], light: f32| -> Vec<(Vec<f32>, f32)> {
            all.iter().enumerate().map(|(i, distances)| (distances.clone(), light + (i % 7) as f32)).collect()
        };
        let (good, bad) = (of(&good, 100.0), of(&bad, bad_light));
        fn lent(all: &[(Vec<f32>, f32)]) -> Vec<Judged<'_>> {
            all.iter().map(|(distances, brightness)| Judged { distances, brightness: *brightness }).collect()
        }
        shortcut(GRID, &lent(&good), &lent(&bad), Confidence::NINETY_FIVE).unwrap().rivals()
    }

    #[test]
    fn a_border_that_tells_all_and_a_light_that_tells_all_are_named() {
        assert_eq!(check(2.0, 0.5, 100.0), [], "the part alone is bad");
        assert_eq!(check(0.5, 2.0, 100.0), [Rival::Border]);
        assert_eq!(check(2.0, 0.5, 60.0), [Rival::Brightness]);
    }
}
