//! One measurement that was taken.

use crate::Word;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What was measured or said.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A size, in the study's unit.
    Number(f64),
    /// A judgement.
    Word(Word),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => f.write_str(word.as_str()),
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Somebody typed it.
    Typed,
    /// From a file.
    Imported,
    /// From the station's record of a part.
    Part(u32),
}

/// A measurement. Entries are only ever added: of several for one step the last counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Which step of the study, from 0 in the order of taking.
    pub step: usize,
    /// What was measured.
    pub value: Value,
    /// When it was entered.
    pub at: Timestamp,
    /// Where it comes from.
    pub source: Source,
}
