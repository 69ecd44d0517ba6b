//! What is known of parts, as ground for choosing and proving a rule's threshold: a score for each piece and what the
//! piece really was, in the two sets that the ledger keeps apart.

use crate::{
    config::RecipePlan,
    rejudge::{CannotRejudge, views_of},
};
use jiff::Timestamp;
use plumb_inspection::{CameraId, Findings, PartId};
use plumb_ledger::{PartSet, Truth, Witnessed};
use plumb_verdict::RuleName;
use serde::Serialize;
use std::collections::{BTreeMap, btree_map::Entry};

/// The score of a part that another rule rejects whatever this one says: above any that a model gives.
pub const CAUGHT_ANYWAY: f64 = 1e300;

/// Scores of one set's pieces, one a piece.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pieces {
    /// Of pieces that should pass: the worst of their inspections.
    pub good: Vec<f64>,
    /// Of pieces that should be rejected: the best of their inspections, for one pass is an escape.
    pub defective: Vec<f64>,
}

/// Everything there is to choose and to prove a threshold by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// To look at and to choose by.
    pub tune: Pieces,
    /// To prove by.
    pub certify: Pieces,
    /// The same one by one, with the inspection that counts; ascending by score.
    pub pieces: Vec<Piece>,
    /// What does not count, and why.
    pub left_out: Vec<LeftOut>,
}

/// One piece: its score, and the inspection that gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Of the inspection that counts.
    pub score: f64,
    /// What the piece was.
    pub truth: Truth,
    /// Its set.
    pub part_set: PartSet,
    /// Which part it was then.
    pub part: PartId,
    /// When.
    pub triggered_at: Timestamp,
}

/// Inspections that do not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// How many.
    pub inspections: u64,
    /// Why, in a sentence's end.
    pub why: String,
}

impl Evidence {
    /// What `witnessed` parts say about `rule` of `recipe`. A part that other rules reject has the score
    /// [`CAUGHT_ANYWAY`], so that escapes and false rejects are those of the whole recipe.
    pub fn of(witnessed: &[Witnessed], recipe: &RecipePlan, rule: &RuleName) -> Self {
        let mut out: BTreeMap<String, u64> = BTreeMap::new();
        let mut pieces: BTreeMap<&str, Piece> = BTreeMap::new();
        let mut contradicted: BTreeMap<&str, u64> = BTreeMap::new();
        for Witnessed { record, truth, piece, part_set, .. } in witnessed {
            let score = match views_of(record, recipe) {
                Ok(views) => score_of(&views, recipe, rule),
                Err(why) => Err(why),
            };
            let score = match score {
                Ok(score) => score,
                Err(why) => {
                    *out.entry(why.to_string()).or_default() += 1;
                    continue;
                }
            };
            let (part, triggered_at) = (record.part_id, record.triggered_at);
            let seen = Piece { score, truth: *truth, part_set: *part_set, part, triggered_at };
            match pieces.entry(piece) {
                Entry::Vacant(entry) => drop(entry.insert(seen)),
                Entry::Occupied(mut entry) => {
                    let before = entry.get_mut();
                    if before.truth != *truth {
                        *contradicted.entry(piece).or_default() += 1;
                    }
                    let counts = match truth {
                        Truth::Good => score > before.score,
                        Truth::Defective => score < before.score,
                    };
                    if counts {
                        *before = Piece { truth: before.truth, ..seen };
                    }
                }
            }
        }
        let mut evidence = Self::default();
        for (name, piece) in pieces {
            if contradicted.contains_key(name) {
                *out.entry(
                    "the piece was called good at one inspection and defective at another".to_owned(),
                )
                .or_default() += 1;
                continue;
            }
            let set = match piece.part_set {
                PartSet::Tune => &mut evidence.tune,
                PartSet::Certify => &mut evidence.certify,
            };
            match piece.truth {
                Truth::Good => set.good.push(piece.score),
                Truth::Defective => set.defective.push(piece.score),
            }
            evidence.pieces.push(piece);
        }
        evidence.pieces.sort_by(|a, b| a.score.total_cmp(&b.score));
        evidence.left_out = out.into_iter().map(|(why, inspections)| LeftOut { inspections, why }).collect();
        evidence
    }
}

fn score_of(
    views: &[(CameraId, Findings)],
    recipe: &RecipePlan,
    rule: &RuleName,
) -> Result<f64, CannotRejudge> {
    let seen: Vec<(CameraId, &Findings)> =
        views.iter().map(|(camera, findings)| (camera.clone(), findings)).collect();
    let verdict = recipe.judge.judge(&seen);
    if verdict.reasons.iter().any(|reason| reason.rule != *rule) {
        return Ok(CAUGHT_ANYWAY);
    }
    recipe.judge.score(rule, &seen).ok_or(CannotRejudge::Missed)
}
