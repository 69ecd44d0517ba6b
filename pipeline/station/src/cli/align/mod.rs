//! `plumb align`: teach where a part lies, and try it on pictures. One file a command.

mod teach;
mod trial;

use super::{Exit, fail, print, say};
use plumb_camera::Picture;
use std::path::Path;

/// What `plumb align` can do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Align {
    /// Write the reference of a recipe's [align] from a picture of a good part, and print the table to put there.
    Teach(teach::Teach),
    /// Look for the part in pictures as a recipe does: where it lies, how sure that is, and what is measured.
    Try(trial::Try),
}

impl Align {
    pub(super) fn run(self) -> Exit {
        let done = match self {
            Self::Teach(teach) => teach.run(),
            Self::Try(trial) => trial.run(),
        };
        done.unwrap_or_else(|Stop(exit, says)| fail(exit, says))
    }
}

/// How it ended before its time.
struct Stop(Exit, String);

impl Stop {
    fn new(exit: Exit, says: impl std::fmt::Display) -> Self {
        Self(exit, says.to_string())
    }
}

fn picture_of(file: &Path) -> Result<Picture, Stop> {
    Picture::read(file).map_err(|error| Stop::new(Exit::Config, error))
}
