//! `plumb study`: is the station a capable gauge? Studies as AIAG asks for them, one file each.

mod import;
mod next;
mod plan;
mod reading;
mod report;
mod show;

use super::{Exit, fail};
use plumb_study::{Study, StudyError};
use std::path::Path;

/// What `plumb study` can do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum StudyCommand {
    /// Plan a type 1 study: one known part, again and again.
    Type1(plan::Type1),
    /// Plan a Gage R&R, crossed: everybody measures every part.
    Grr(plan::Grr),
    /// Plan an attribute agreement: everybody calls every part good or bad, the station too.
    Agreement(plan::Agreement),
    /// Plan a study of linearity and bias: parts whose value is known.
    Linearity(plan::Linearity),
    /// Go on with a study: it says what to measure next, and takes the value.
    Next(next::Next),
    /// Take values from a CSV file.
    Import(import::Import),
    /// Show how far it is, and the result once it is complete.
    Show(show::Show),
    /// Write the report to be printed and signed.
    Report(report::Report),
}

impl StudyCommand {
    pub(super) fn run(self) -> Exit {
        match self {
            Self::Type1(plan) => plan.run(),
            Self::Grr(plan) => plan.run(),
            Self::Agreement(plan) => plan.run(),
            Self::Linearity(plan) => plan.run(),
            Self::Next(next) => next.run(),
            Self::Import(import) => import.run(),
            Self::Show(show) => show.run(),
            Self::Report(report) => report.run(),
        }
    }
}

/// # Errors
/// The exit, after the problem has been told.
fn open(file: &Path) -> Result<Study, Exit> {
    Study::read(file).map_err(|error| fail(exit_of(&error), error))
}

fn exit_of(error: &StudyError) -> Exit {
    match error {
        StudyError::File { doing: "written", .. } => Exit::Device,
        StudyError::Missing { .. }
        | StudyError::Type1(_)
        | StudyError::Gauge(_)
        | StudyError::Agreement(_)
        | StudyError::Linearity(_) => Exit::Finding,
        _ => Exit::Usage,
    }
}
