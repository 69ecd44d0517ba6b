//! Gauge studies: planned, measured blind and in random order, resumable, analysed and put on paper.
//!
//! A [`Study`] is one JSON file. It is written anew after every single measurement, so a study goes on where it was left,
//! whatever happened in between; a corrected measurement keeps the one it replaces. [`Study::analyse`] gives what AIAG's
//! *Measurement Systems Analysis* (4th edition) asks for, [`report`] the paper that people sign.

mod analysis;
mod design;
mod entry;
mod error;
mod file;
pub mod report;
mod study;

pub use analysis::{AgreementFinding, AppraiserFinding, Finding, PairFinding};
pub use design::{Design, Step, Word};
pub use entry::{Entry, Source, Value};
pub use error::StudyError;
pub use study::Study;
