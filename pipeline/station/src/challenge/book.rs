//! Challenges in the audit log: `challenge_begun` by the console, `challenge_passed` and `challenge_failed` by the station,
//! under the name of whoever presented the parts.

use super::run::{End, Run};
use crate::config::{ChallengePlan, Due, RecipePlan};
use jiff::Timestamp;
use plumb_inspection::RecipeName;
use plumb_ledger::{AuditEntry, AuditLog, AuditQuery, NewAuditEntry, PeopleError};
use std::{collections::BTreeMap, path::Path};

/// As the console enters it, before anything is presented.
const BEGUN: &str = "challenge_begun";
const PASSED: &str = "challenge_passed";
const FAILED: &str = "challenge_failed";
/// Passes that are looked through at the start: more recipes than a station has.
const LOOKED_THROUGH: usize = 200;

/// The entries of one station's challenges.
#[derive(Debug)]
pub struct ChallengeBook {
    log: AuditLog,
}

impl ChallengeBook {
    /// In the station's data folder.
    pub fn new(data: &Path) -> Self {
        Self { log: AuditLog::new(data) }
    }

    /// How a challenge ended. It is on disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written: nothing must be released then.
    pub(crate) fn enter(&self, run: &Run, end: &End) -> Result<AuditEntry, PeopleError> {
        let (what, reason) = match end {
            End::Passed => (PASSED, String::new()),
            End::Failed(says) => (FAILED, says.clone()),
        };
        self.log.append(NewAuditEntry {
            who: run.by.name.clone(),
            role: run.by.role.as_str().to_owned(),
            from: run.by.address.clone(),
            what: what.to_owned(),
            of: run.recipe.to_string(),
            new: Some(run.told()),
            reason,
            ..NewAuditEntry::default()
        })
    }

    /// When each recipe's challenge was passed last, newest entries first.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn last_passed(&self) -> Result<BTreeMap<RecipeName, Timestamp>, PeopleError> {
        let mut last = BTreeMap::new();
        for entry in self.newest(PASSED, LOOKED_THROUGH)? {
            last.entry(RecipeName::from(entry.of.as_str())).or_insert(entry.at);
        }
        Ok(last)
    }

    /// Which recipes need no challenge though the station has just started, because one was passed since `shift` and
    /// nothing has happened that makes another due.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn still_passed(
        &self,
        plan: &ChallengePlan,
        shift: Timestamp,
        recipe: &RecipePlan,
    ) -> Result<BTreeMap<RecipeName, Timestamp>, PeopleError> {
        if plan.due.contains(&Due::Start) {
            return Ok(BTreeMap::new());
        }
        let begun = self.newest(BEGUN, 1)?.first().map_or(0, |entry| entry.n);
        let passed = self.newest(PASSED, LOOKED_THROUGH)?;
        // One that was begun after the last pass has failed, or was cut short.
        let all: &[AuditEntry] =
            if passed.first().is_some_and(|entry| entry.n > begun) { &passed } else { &[] };
        let in_time = |entry: &&AuditEntry| !plan.due.contains(&Due::Shift) || entry.at >= shift;
        let mut still = BTreeMap::new();
        if plan.due.contains(&Due::Changeover) {
            // Only the last one: a pass of another recipe, or of another version, lies on the far side of a changeover.
            let same = |entry: &&AuditEntry| {
                let digest = entry.new.as_ref().and_then(|new| new["recipe_digest"].as_str());
                entry.of == recipe.name.as_str() && digest == Some(recipe.digest.as_str())
            };
            still.extend(
                all.first().filter(in_time).filter(same).map(|entry| (recipe.name.clone(), entry.at)),
            );
            return Ok(still);
        }
        for entry in all.iter().filter(in_time) {
            still.entry(RecipeName::from(entry.of.as_str())).or_insert(entry.at);
        }
        Ok(still)
    }

    fn newest(&self, what: &str, limit: usize) -> Result<Vec<AuditEntry>, PeopleError> {
        self.log.find(&AuditQuery { what: Some(what.to_owned()), limit, ..AuditQuery::default() })
    }
}
