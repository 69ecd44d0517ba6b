//! Why a proposal is not taken, or not decided.

use super::ProposalState;
use crate::PeopleError;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// A change without a reason.
    #[error("say why: a change without a reason cannot be approved by somebody else")]
    NoReason,
    /// There is none.
    #[error("there is no proposal {n}")]
    None {
        /// As asked for.
        n: u64,
    },
    /// Another decision came first.
    #[error("proposal {n} is {} already", state.as_str())]
    Settled {
        /// Which.
        n: u64,
        /// What it is.
        state: ProposalState,
    },
    /// Four eyes are two people's.
    #[error("proposal {n} is your own; it takes a second person to decide on it")]
    OwnProposal {
        /// Which.
        n: u64,
    },
    /// Only whoever proposed it may take it back.
    #[error("proposal {n} is {by}'s; refuse it instead of withdrawing it")]
    NotYours {
        /// Which.
        n: u64,
        /// Whose.
        by: String,
    },
    /// The file.
    #[error(transparent)]
    People(#[from] PeopleError),
}
