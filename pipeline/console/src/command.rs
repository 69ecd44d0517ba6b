//! What people may want of the station, and how it answers.

use crate::Who;
use plumb_inspection::PartId;
use tokio::sync::oneshot;

/// A wish. Whether the person may have it is settled before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The belt is clear: the count of parts begins anew.
    Rezero,
    /// The next frame of each camera is looked at.
    Trigger,
    /// Read this recipe again as it is on disk, load it beside the running one and change over to it.
    LoadRecipe {
        /// Name or number.
        recipe: String,
    },
    /// The next parts are the known ones of a challenge.
    BeginChallenge,
    /// They are not; the challenge stays due.
    BreakOffChallenge,
}

impl Command {
    /// What the audit log calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rezero => "rezero",
            Self::Trigger => "trigger",
            Self::LoadRecipe { .. } => "load_recipe",
            Self::BeginChallenge => "begin_challenge",
            Self::BreakOffChallenge => "break_off_challenge",
        }
    }
}

/// A wish on its way to the station.
#[derive(Debug)]
pub struct Order {
    /// Whose it is.
    pub by: Who,
    /// What is to be done.
    pub command: Command,
    /// Where the answer goes. Dropped unanswered, the person hears that the station did not answer.
    pub answer: oneshot::Sender<Result<Done, Refused>>,
}

/// It was done, or has been begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What, in a sentence.
    pub says: String,
    /// The first part it holds for, where that is known.
    pub from_part: Option<PartId>,
}

/// It was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(
    /// Why, and what to do.
    pub String,
);
