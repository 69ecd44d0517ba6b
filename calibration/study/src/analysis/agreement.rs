//! Attribute agreement of a study: each appraiser with himself, with each other and with the reference.

use crate::{Step, StudyError, Value, Word};
use plumb_quality::{
    Confidence, Share,
    gauge::{self, Agreement, Kappa, Table},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// What the study says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgreementFinding {
    /// Each appraiser.
    pub appraisers: Vec<AppraiserFinding>,
    /// Each pair of appraisers, trial by trial.
    pub pairs: Vec<PairFinding>,
    /// All appraisers together (Fleiss); `None` where only one word was used or only one judges.
    pub fleiss: Option<f64>,
    /// Parts on which everybody always said the same, and the reference too where there is one.
    pub all_agree: Share,
}

/// One appraiser.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AppraiserFinding {
    /// Who.
    pub name: String,
    /// Parts of which he always said the same; `None` with one trial.
    pub with_himself: Option<Share>,
    /// Against the reference, where there is one that has both kinds.
    pub with_reference: Option<Agreement>,
    /// His words (bad or not) against the reference's, both ways.
    pub table: Option<Table>,
}

/// Two appraisers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairFinding {
    /// One.
    pub first: String,
    /// The other.
    pub second: String,
    /// Their words, both ways: kappa is never shown without it.
    pub table: Table,
    /// Beyond chance; `None` where both used one word only.
    pub kappa: Option<Kappa>,
}

pub(super) fn of(
    appraisers: &[String],
    parts: &[String],
    reference: &BTreeMap<String, Word>,
    taken: &[(Step, Value)],
    confidence: Confidence,
) -> Result<AgreementFinding, StudyError> {
    // `[appraiser][part][trial]`: true for bad.
    let said: Vec<Vec<Vec<bool>>> = appraisers
        .iter()
        .map(|appraiser| parts.iter().map(|part| words(appraiser, part, taken)).collect())
        .collect();
    let is_bad: Option<Vec<bool>> =
        parts.iter().map(|part| Some(*reference.get(part)? == Word::Bad)).collect();
    let trials = said[0][0].len();
    let per_appraiser = appraisers
        .iter()
        .zip(&said)
        .map(|(name, by_part)| {
            let table = is_bad.as_ref().map(|truth| {
                Table::count(
                    by_part
                        .iter()
                        .zip(truth)
                        .flat_map(|(words, truth)| words.iter().map(|bad| (*bad, *truth))),
                )
            });
            AppraiserFinding {
                name: name.clone(),
                with_himself: (trials > 1)
                    .then(|| Share::of(by_part, |words| words.iter().all(|word| *word == words[0])).ok())
                    .flatten(),
                with_reference: table.as_ref().and_then(|table| gauge::agreement(table, confidence).ok()),
                table,
            }
        })
        .collect();
    let mut pairs = Vec::new();
    for (at, first) in appraisers.iter().enumerate() {
        for (other, second) in appraisers.iter().enumerate().skip(at + 1) {
            let both = said[at].iter().flatten().copied().zip(said[other].iter().flatten().copied());
            let table = Table::count(both);
            let kappa = gauge::cohen(&table, confidence).ok();
            pairs.push(PairFinding { first: first.clone(), second: second.clone(), table, kappa });
        }
    }
    let counts: Vec<Vec<u64>> = (0..parts.len())
        .map(|part| {
            let words = || said.iter().flat_map(|by_part| &by_part[part]);
            let bad = words().filter(|bad| **bad).count() as u64;
            vec![bad, words().count() as u64 - bad]
        })
        .collect();
    let agreed = (0..parts.len()).map(|part| {
        let mut words = said.iter().flat_map(|by_part| &by_part[part]);
        let first = is_bad.as_ref().map_or(said[0][part][0], |truth| truth[part]);
        words.all(|word| *word == first)
    });
    let all_agree = Share::of(agreed, |agreed| agreed).map_err(|_| gauge::AgreementError::NoParts)?;
    Ok(AgreementFinding {
        appraisers: per_appraiser,
        pairs,
        fleiss: (appraisers.len() > 1).then(|| gauge::fleiss(&counts).ok()).flatten(),
        all_agree,
    })
}

fn words(appraiser: &String, part: &String, taken: &[(Step, Value)]) -> Vec<bool> {
    let of =
        taken.iter().filter(|(step, _)| step.appraiser.as_ref() == Some(appraiser) && step.part == *part);
    let mut words: Vec<(usize, bool)> =
        of.map(|(step, value)| (step.trial, *value == Value::Word(Word::Bad))).collect();
    words.sort_by_key(|(trial, _)| *trial);
    words.into_iter().map(|(_, bad)| bad).collect()
}
