//! `plumb replay --scores`: stored parts judged again by what the models found then, without a picture.

use super::told::{Told, look, truths};
use crate::{
    cli::{Exit, fail, say},
    comparison::{Comparison, Pair},
    config::RecipePlan,
    rejudge::views_of,
};
use plumb_inspection::CameraId;
use plumb_ledger::{LedgerError, Query, Reader, RecordVerdict};
use plumb_verdict::{Judge, RuleName};
use std::{collections::BTreeMap, path::Path, time::Instant};

/// What the arguments of `plumb replay` say of it.
pub(super) struct Scores<'a> {
    pub(super) recipe: &'a RecipePlan,
    /// Where the ledger is.
    pub(super) data: &'a Path,
    /// `RULE=VALUE`, each another threshold.
    pub(super) set: &'a [String],
    pub(super) json: bool,
    pub(super) report: Option<&'a Path>,
}

/// A part as it came out of the scan.
enum Looked {
    Compared(Pair),
    LeftOut(String),
}

impl Scores<'_> {
    pub(super) fn run(&self) -> Exit {
        let judge = match with_thresholds(self.recipe, self.set) {
            Ok(judge) => judge,
            Err(says) => return fail(Exit::Usage, says),
        };
        let started = Instant::now();
        let comparison = match self.compare(&judge) {
            Ok(comparison) => comparison,
            Err(error @ LedgerError::Absent { .. }) => return fail(Exit::Usage, error),
            Err(error) => return fail(Exit::Device, error),
        };
        say(&format!("{} records in {:.2} s", comparison.parts, started.elapsed().as_secs_f64()));
        let Self { recipe, data, set, json, report } = *self;
        Told { recipe, data, set, how: "what the models found then", json, report }.tell(&comparison)
    }

    fn compare(&self, judge: &Judge) -> Result<Comparison, LedgerError> {
        let reader = Reader::new(self.data);
        let truths = truths(self.data, &self.recipe.name)?;
        let looked = reader.scan(&Query::default(), |record| {
            let views = match views_of(&record, self.recipe) {
                Ok(views) => views,
                Err(why) => return Looked::LeftOut(why.to_string()),
            };
            let seen: Vec<(CameraId, _)> =
                views.iter().map(|(camera, found)| (camera.clone(), found)).collect();
            let verdict = judge.judge(&seen);
            let after = RecordVerdict::from(verdict.decision);
            let why = verdict.reasons.first().or(record.reasons.first()).map(|reason| reason.says.clone());
            let truth = truths.get(&look(&record)).copied();
            let (part_id, before) = (record.part_id, record.verdict);
            Looked::Compared(Pair { part_id, before, after, truth, why, picture: None })
        })?;
        let (mut pairs, mut left_out) = (Vec::with_capacity(looked.len()), BTreeMap::new());
        for looked in looked {
            match looked {
                Looked::Compared(pair) => pairs.push(pair),
                Looked::LeftOut(why) => *left_out.entry(why).or_default() += 1,
            }
        }
        let mut comparison = Comparison::of(pairs, left_out);
        for flip in comparison.flips.iter_mut().take(super::page::PICTURES_MAX) {
            let record = reader.get(flip.part_id)?;
            flip.picture =
                record.and_then(|record| record.pictures.first().map(|picture| picture.path.clone()));
        }
        Ok(comparison)
    }
}

/// The recipe's judge with other thresholds.
pub(super) fn with_thresholds(recipe: &RecipePlan, set: &[String]) -> Result<Judge, String> {
    let mut judge = recipe.judge.clone();
    for asked in set {
        let parsed =
            asked.rsplit_once('=').and_then(|(rule, value)| Some((rule.trim(), value.trim().parse().ok()?)));
        let Some((rule, value)) = parsed else {
            return Err(format!("--set {asked:?} is nothing like `no-dent=0.4`"));
        };
        let name = RuleName::from(rule);
        judge = match judge.with_threshold(&name, value) {
            Ok(Some(judge)) => judge,
            Ok(None) => {
                let with = judge.rules().filter(|rule| rule.threshold().is_some());
                let known = with.map(|rule| format!("\"{}\"", rule.name())).collect::<Vec<_>>().join(", ");
                return Err(format!(
                    "recipe \"{}\" has no rule \"{rule}\" with a threshold; it has {known}",
                    recipe.name
                ));
            }
            Err(error) => return Err(format!("--set {asked:?}: {error}")),
        };
    }
    Ok(judge)
}
