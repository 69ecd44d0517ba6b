//! Why a study cannot be planned, gone on with, or analysed.

use crate::Value;
use plumb_quality::gauge::{AgreementError, GaugeError, LinearityError, Type1Error};
use std::{io, path::PathBuf};

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// The plan could tell nothing.
    #[error("{}", problems.join("; "))]
    Design {
        /// Each a sentence.
        problems: Vec<String>,
    },
    /// Not a value of this study.
    #[error("{value} is no value of a {kind} study; {expected}")]
    Value {
        /// As given.
        value: Value,
        /// `grr`, `agreement`.
        kind: &'static str,
        /// What would be.
        expected: &'static str,
    },
    /// No such step.
    #[error("the study has {steps} measurements; there is no number {}", step + 1)]
    NoStep {
        /// As given, from 0.
        step: usize,
        /// How many there are.
        steps: usize,
    },
    /// Not yet complete.
    #[error(
        "{missing} of {steps} measurements are missing, the next is {next}; `plumb study next` goes on with it"
    )]
    Missing {
        /// How many.
        missing: usize,
        /// Of how many.
        steps: usize,
        /// The next one, in words.
        next: String,
    },
    /// The numbers do not give a result.
    #[error(transparent)]
    Type1(#[from] Type1Error),
    /// The numbers do not give a result.
    #[error(transparent)]
    Gauge(#[from] GaugeError),
    /// The words do not give a result.
    #[error(transparent)]
    Agreement(#[from] AgreementError),
    /// The numbers do not give a result.
    #[error(transparent)]
    Linearity(#[from] LinearityError),
    /// The file is there already.
    #[error("{} is there already; a study is never overwritten: go on with it, or take another name", file.display())]
    Exists {
        /// As given.
        file: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("study {} cannot be {doing} ({source})", file.display())]
    File {
        /// As given.
        file: PathBuf,
        /// `read`, `written`.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no study.
    #[error("{} is no study that this version can read ({source})", file.display())]
    Format {
        /// As given.
        file: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}
