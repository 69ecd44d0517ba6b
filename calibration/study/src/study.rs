//! A study as it stands: its plan and what has been measured so far.

use crate::{Design, Entry, Source, Step, StudyError, Value};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A plan with its measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    schema: Schema,
    /// As it is called on paper.
    pub name: String,
    /// What is measured, by whom and how often.
    pub design: Design,
    /// Decides the order of the parts.
    pub seed: u64,
    /// When it was planned.
    pub begun: Timestamp,
    /// Everything that was entered, in the order of entering.
    entries: Vec<Entry>,
}

/// The word `plumb.study/1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Schema {
    #[serde(rename = "plumb.study/1")]
    V1,
}

impl Study {
    /// A study in which nothing has been measured yet.
    ///
    /// # Errors
    /// When it could tell nothing.
    pub fn plan(name: impl Into<String>, design: Design, seed: u64) -> Result<Self, StudyError> {
        design.check()?;
        let (schema, begun, entries) = (Schema::V1, Timestamp::now(), Vec::new());
        Ok(Self { schema, name: name.into(), design, seed, begun, entries })
    }

    /// Every measurement of the study, in the order of taking.
    pub fn steps(&self) -> Vec<Step> {
        self.design.steps(self.seed)
    }

    /// The value that counts for each step; `None` where it is still to be taken.
    pub fn values(&self) -> Vec<Option<Value>> {
        let mut values = vec![None; self.steps().len()];
        for entry in &self.entries {
            if let Some(value) = values.get_mut(entry.step) {
                *value = Some(entry.value);
            }
        }
        values
    }

    /// The next measurement to take, with its number from 0; `None` once all are there.
    pub fn next(&self) -> Option<(usize, Step)> {
        let at = self.values().iter().position(Option::is_none)?;
        Some((at, self.steps().swap_remove(at)))
    }

    /// How many are taken, of how many.
    pub fn progress(&self) -> (usize, usize) {
        let values = self.values();
        (values.iter().flatten().count(), values.len())
    }

    /// Takes a measurement down, or corrects one: the earlier entry stays in the file.
    ///
    /// # Errors
    /// When there is no such step, or it is no value of such a study.
    pub fn enter(&mut self, step: usize, value: Value, source: Source) -> Result<(), StudyError> {
        let steps = self.steps().len();
        if step >= steps {
            return Err(StudyError::NoStep { step, steps });
        }
        if !self.design.takes(&value) {
            let expected = match self.design {
                Design::Agreement { .. } => "good or bad",
                _ => "a finite number",
            };
            return Err(StudyError::Value { value, kind: self.design.kind(), expected });
        }
        self.entries.push(Entry { step, value, at: Timestamp::now(), source });
        Ok(())
    }

    /// Everything that was entered, corrected values among it.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many entries were replaced later.
    pub fn corrections(&self) -> usize {
        self.entries.len() - self.progress().0
    }

    /// Each step with its value, when all are there.
    pub(crate) fn complete(&self) -> Result<Vec<(Step, Value)>, StudyError> {
        if let Some((_, next)) = self.next() {
            let (taken, steps) = self.progress();
            let next = match &next.appraiser {
                Some(appraiser) => format!("part {} by {appraiser}, trial {}", next.part, next.trial),
                None => format!("part {}, trial {}", next.part, next.trial),
            };
            return Err(StudyError::Missing { missing: steps - taken, steps, next });
        }
        Ok(self.steps().into_iter().zip(self.values().into_iter().flatten()).collect())
    }
}
