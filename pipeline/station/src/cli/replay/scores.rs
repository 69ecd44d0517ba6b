//! `plumb replay --scores`: stored parts judged again by what the models found then, without a picture.

use crate::{
    cli::{Exit, fail, print, say},
    comparison::{Comparison, Pair},
    config::RecipePlan,
    rejudge::views_of,
};
use plumb_inspection::CameraId;
use plumb_ledger::{LedgerError, PartSet, Query, Reader, RecordVerdict, Truth, TruthBook};
use plumb_quality::Confidence;
use plumb_verdict::{Judge, RuleName};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    time::Instant,
};

/// What the arguments of `plumb replay` say of it.
pub(super) struct Scores<'a> {
    pub(super) recipe: &'a RecipePlan,
    /// Where the ledger is.
    pub(super) data: &'a Path,
    /// `RULE=VALUE`, each another threshold.
    pub(super) set: &'a [String],
    pub(super) json: bool,
    pub(super) report: Option<&'a PathBuf>,
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
        if let Some(file) = self.report {
            let page = super::page::page(&comparison, self.recipe, self.set, self.data);
            if let Err(error) = std::fs::write(file, page.html()) {
                return fail(Exit::Device, format!("{} cannot be written: {error}", file.display()));
            }
            say(&format!("{}: print it from a browser", file.display()));
        }
        let confidence = Confidence::NINETY_FIVE;
        match self.json {
            true => print(format!("{:#}\n", comparison.document(confidence)).as_bytes()),
            false => print(comparison.words(confidence).as_bytes()),
        }
    }

    fn compare(&self, judge: &Judge) -> Result<Comparison, LedgerError> {
        let reader = Reader::new(self.data);
        let truths: HashMap<(u32, i64), Truth> = TruthBook::new(self.data)
            .witnessed(&self.recipe.name)?
            .into_iter()
            // A threshold that was chosen on some parts is not compared on them, or it would flatter itself.
            .filter(|witnessed| witnessed.part_set == PartSet::Certify)
            .map(|witnessed| {
                let record = &witnessed.record;
                ((record.part_id.get(), record.triggered_at.as_microsecond()), witnessed.truth)
            })
            .collect();
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
            let truth = truths.get(&(record.part_id.get(), record.triggered_at.as_microsecond())).copied();
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
fn with_thresholds(recipe: &RecipePlan, set: &[String]) -> Result<Judge, String> {
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
