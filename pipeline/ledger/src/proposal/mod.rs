//! Changes that one person proposes and another approves: who, when, from what to what, why, and what the station itself
//! counted. Kept in `people.sqlite`; the database refuses to rewrite them, and to have a person approve their own.

mod book;
mod error;
mod version;

pub use book::ProposalBook;
pub use error::ProposalError;
pub use version::{RecipeVersion, VersionBook};

use jiff::Timestamp;
use plumb_inspection::{PartId, RecipeName};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// What is to be another.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Change {
    /// The threshold of one rule.
    Threshold {
        /// The rule.
        rule: String,
        /// Which of the rule's keys: `max`, `score_min`.
        key: String,
        /// From this value, as in the file …
        #[serde(serialize_with = "as_written")]
        old: f32,
        /// … to this.
        #[serde(serialize_with = "as_written")]
        new: f32,
    },
    /// The recipe's whole file.
    Recipe {
        /// Its text to be.
        text: String,
    },
}

impl Change {
    /// The rule whose threshold it is about; empty where it is about the whole recipe.
    pub fn rule(&self) -> &str {
        match self {
            Self::Threshold { rule, .. } => rule,
            Self::Recipe { .. } => "",
        }
    }
}

/// A change of one recipe.
#[derive(Clone, Debug, PartialEq)]
pub struct NewProposal {
    /// The recipe.
    pub recipe: RecipeName,
    /// What is to be another.
    pub change: Change,
    /// SHA-256 of the recipe's file as it is, in hex: a file that has changed since is not what was proposed for.
    pub file_digest: String,
    /// Why; not empty.
    pub reason: String,
    /// What the station counted itself.
    pub numbers: Value,
}

/// A proposal, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proposal {
    /// 1, 2, 3 …
    pub n: u64,
    /// When it was made.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// The recipe.
    pub recipe: RecipeName,
    /// What is to be another.
    #[serde(flatten)]
    pub change: Change,
    /// Of the recipe's file when it was made.
    pub file_digest: String,
    /// Why.
    pub reason: String,
    /// What the station counted itself.
    pub numbers: Value,
    /// How it stands.
    pub state: ProposalState,
    /// When that was decided.
    pub decided_at: Option<Timestamp>,
    /// By whom.
    pub decided_by: Option<String>,
    /// Why.
    pub decided_why: Option<String>,
    /// The first part it holds for, once it is live and that is known.
    pub from_part: Option<PartId>,
}

/// As a recipe writes it: 0.6, and not the 0.6000000238 that a 32-bit number is among 64-bit ones.
fn as_written<S: Serializer>(value: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(value.to_string().parse().unwrap_or(f64::from(*value)))
}

/// How a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalState {
    /// Waits for a second person.
    Open,
    /// A second person has signed; it is on its way into the recipe.
    Approved,
    /// It is in the recipe.
    Live,
    /// A second person has said no.
    Refused,
    /// Whoever proposed it has taken it back.
    Withdrawn,
}

impl ProposalState {
    const ALL: [Self; 5] = [Self::Open, Self::Approved, Self::Live, Self::Refused, Self::Withdrawn];

    /// The spelling used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Live => "live",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}
