//! From the features of good parts to a model with its limits, and to what can be said of it.

use crate::compose::Limit;
use crate::features::Grid;
use crate::fit::{Fit, FitOptions, GoodPart, Unseen, cross_validated};
use crate::memory::Kind;
use plumb_quality::{GoodOnly, GoodOnlyError, limit_from_good};

/// Good parts below which nothing is learned: how they differ cannot be known from fewer.
pub const PARTS_MIN: usize = 5;

/// In place costs a good part so much more distance than anywhere at most, if it is laid as it was taught. Where parts lie
/// freely it costs several times as much.
const IN_PLACE_COSTS_MAX: f32 = 1.5;

/// What is to be learned, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// Which memory; `None` lets the parts decide.
    pub kind: Option<Kind>,
    /// How it is fitted.
    pub fit: FitOptions,
    /// The share of good parts that may be rejected on the average.
    pub false_reject_max: f64,
}

/// What was learned.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    /// The memory.
    pub fit: Fit,
    /// Why this kind of memory.
    pub why: String,
    /// What each part scores under the memory of the others, in their order.
    pub unseen: Vec<Unseen>,
    /// The same under the memory of the other kind: a bad part among good ones may be odd to one of them alone.
    pub unseen_otherwise: Vec<Unseen>,
    /// From the scores of the whole.
    pub limit: GoodOnly,
    /// From the worst cells.
    pub map_limit: GoodOnly,
}

/// Why nothing was learned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LessonError {
    /// Too few.
    #[error("{} good to learn from, and it takes at least {PARTS_MIN} different ones; with 20 a limit begins to mean something", parts(*.have))]
    TooFew {
        /// Different good parts.
        have: usize,
    },
    /// A feature graph of one picture size gives one grid.
    #[error("the features of part {part} have {}x{} cells of {channels} numbers, those of the first another size; teach with pictures of one size", grid.columns, grid.rows)]
    Grid {
        /// Counts from 1.
        part: usize,
        /// Its cells.
        grid: Grid,
        /// Its channels.
        channels: usize,
    },
    /// A share or a score that gives no limit.
    #[error(transparent)]
    Limit(#[from] GoodOnlyError),
    /// Every part scores 0: the pictures hold nothing that a score could be a multiple of.
    #[error(
        "all good parts look exactly alike to these features, so that any difference would be odd; are the pictures black, or copies of one?"
    )]
    AllAlike,
}

fn parts(count: usize) -> String {
    format!("{count} part{}", if count == 1 { " is" } else { "s are" })
}

/// Learns from `parts`, each a part of its own: copies of one count as one, and are to be sorted out before.
///
/// # Errors
/// For too few parts, and for features that cannot be compared.
pub fn learn(parts: &[GoodPart], wish: &Wish) -> Result<Lesson, LessonError> {
    if parts.len() < PARTS_MIN {
        return Err(LessonError::TooFew { have: parts.len() });
    }
    let first = &parts[0].seen;
    for (i, part) in parts.iter().enumerate() {
        let fits = |map: &crate::FeatureMap| map.grid() == first.grid() && map.channels() == first.channels();
        if let Some(map) = std::iter::once(&part.seen).chain(&part.copies).find(|map| !fits(map)) {
            return Err(LessonError::Grid { part: i + 1, grid: map.grid(), channels: map.channels() });
        }
    }
    let [in_place, anywhere] =
        [Kind::InPlace, Kind::Anywhere].map(|kind| cross_validated(kind, parts, wish.fit));
    let (kind, why) = match wish.kind {
        Some(kind) => (kind, "asked for".to_owned()),
        None => chosen(&in_place, &anywhere),
    };
    let (unseen, unseen_otherwise) = match kind {
        Kind::InPlace => (in_place, anywhere),
        Kind::Anywhere => (anywhere, in_place),
    };
    let of = |number: fn(&Unseen) -> f32| {
        unseen.iter().map(|unseen| f64::from(number(unseen))).collect::<Vec<_>>()
    };
    let limit = limit_from_good(&of(|unseen| unseen.score), wish.false_reject_max)?;
    let map_limit = limit_from_good(&of(|unseen| unseen.peak), wish.false_reject_max)?;
    if limit.limit <= 0.0 || map_limit.limit <= 0.0 {
        return Err(LessonError::AllAlike);
    }
    let fit = Fit::of(kind, &parts.iter().collect::<Vec<_>>(), wish.fit).ok_or(LessonError::AllAlike)?;
    Ok(Lesson { fit, why, unseen, unseen_otherwise, limit, map_limit })
}

/// Where parts lie as they were taught, a memory in place finds a good part as near as one of anywhere does, and sees what
/// is absent besides. Where they lie freely it finds nothing near.
fn chosen(in_place: &[Unseen], anywhere: &[Unseen]) -> (Kind, String) {
    let middle = |unseen: &[Unseen]| {
        let mut scores: Vec<f32> = unseen.iter().map(|unseen| unseen.score).collect();
        scores.sort_by(f32::total_cmp);
        scores[scores.len() / 2]
    };
    let costs = middle(in_place) / middle(anywhere).max(f32::MIN_POSITIVE);
    let says = format!("a good part is {costs:.2} times as far from good ones of its own place as from any");
    if costs <= IN_PLACE_COSTS_MAX {
        (Kind::InPlace, format!("{says}: the parts lie as they were taught"))
    } else {
        (Kind::Anywhere, format!("{says}: they lie freely, or have no places"))
    }
}

impl Lesson {
    /// What each part scores in each way that it could be odd in: in the mean of its worst cells and in the worst one, under
    /// both kinds of memory. For [`doubts`](crate::pictures::doubts).
    pub fn oddities(&self) -> Vec<Vec<f32>> {
        let ways = [&self.unseen, &self.unseen_otherwise].into_iter().flat_map(|unseen| {
            let of = |number: fn(&Unseen) -> f32| unseen.iter().map(number).collect();
            [of(|unseen| unseen.score), of(|unseen| unseen.peak)]
        });
        ways.collect()
    }

    /// The distances that the taught model calls 1.
    pub fn unit(&self) -> Limit {
        Limit { score: self.limit.limit as f32, map: self.map_limit.limit as f32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FeatureMap;

    const GRID: Grid = Grid { rows: 6, columns: 6 };

    /// A pattern of cells that are all unlike each other, shifted by `by`, with a little noise of its own.
    fn part(seed: usize, by: usize) -> GoodPart {
        let values = (0..GRID.cells()).flat_map(|cell| {
            (0..4).map(move |channel| {
                let pattern = ((cell + by) % GRID.cells() * 37 + channel * 11) % 23;
                let noise = (cell * 7 + channel * 3 + seed * 101) % 13;
                pattern as f32 + noise as f32 * 0.02
            })
        });
        GoodPart { seen: FeatureMap::of_cells(GRID, 4, values.collect()), copies: vec![] }
    }

    fn wish() -> Wish {
        Wish { kind: None, fit: FitOptions::default(), false_reject_max: 0.05 }
    }

    #[test]
    fn parts_that_lie_alike_are_remembered_in_place_and_others_anywhere() {
        let alike: Vec<GoodPart> = (0..20).map(|seed| part(seed, 0)).collect();
        let lesson = learn(&alike, &wish()).unwrap();
        assert_eq!(lesson.fit.memory.kind(), Kind::InPlace, "{}", lesson.why);
        let freely: Vec<GoodPart> = (0..20).map(|seed| part(seed, seed * 5)).collect();
        let lesson = learn(&freely, &wish()).unwrap();
        assert_eq!(lesson.fit.memory.kind(), Kind::Anywhere, "{}", lesson.why);
    }

    #[test]
    fn a_limit_comes_with_what_it_is_worth() {
        let parts: Vec<GoodPart> = (0..20).map(|seed| part(seed, 0)).collect();
        let lesson = learn(&parts, &wish()).unwrap();
        let above =
            lesson.unseen.iter().filter(|unseen| f64::from(unseen.score) > lesson.limit.limit).count();
        assert_eq!(above as u64, lesson.limit.rejected.events());
        assert!(lesson.limit.is_kept() && lesson.limit.on_average_max >= 1.0 / 21.0);
        let few = learn(&parts[..10], &wish()).unwrap();
        assert!(!few.limit.is_kept(), "ten parts cannot say 5 %");
    }

    #[test]
    fn too_few_parts_and_parts_all_alike_are_refused() {
        let says = learn(&[part(1, 0)], &wish()).unwrap_err();
        assert!(
            says.to_string().starts_with("1 part is good to learn from, and it takes at least 5"),
            "{says}"
        );
        let flat = FeatureMap::of_cells(GRID, 1, vec![3.0; GRID.cells()]);
        let flat: Vec<GoodPart> = (0..6).map(|_| GoodPart { seen: flat.clone(), copies: vec![] }).collect();
        assert_eq!(learn(&flat, &wish()), Err(LessonError::AllAlike));
        let mut mixed: Vec<GoodPart> = (0..6).map(|seed| part(seed, 0)).collect();
        mixed[4].seen = FeatureMap::of_cells(Grid { rows: 1, columns: 1 }, 4, vec![0.0; 4]);
        assert!(matches!(learn(&mixed, &wish()), Err(LessonError::Grid { part: 5, .. })));
    }
}
