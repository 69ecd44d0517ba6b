//! What people say parts really were, beside what the machine said: the ground on which thresholds are chosen and proved.
//!
//! **Pieces and sets.** Many looks at one physical thing teach no more than one, so everything is counted by *piece*:
//! the serial number, or the single inspection of a part without one. A piece belongs to one of two sets from the first
//! word that is said of it, for good: thresholds are chosen on [`PartSet::Tune`] (a third of the pieces) and proved on
//! [`PartSet::Certify`]. The piece's own name decides, so nobody can choose, and the database refuses to change it.

mod book;
mod error;

pub use book::{Newest, Review, Said, TruthBook, Witnessed};
pub use error::TruthError;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a part really was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// It should pass.
    Good,
    /// It should be rejected.
    Defective,
}

impl Truth {
    /// The spelling used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Defective => "defective",
        }
    }

    /// From that spelling.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Good, Self::Defective].into_iter().find(|truth| truth.as_str() == word)
    }
}

/// What a person said of a part when they looked at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It should pass.
    Good,
    /// It should be rejected.
    Defective,
    /// They looked, and cannot say.
    Unsure,
    /// What was said before is taken back.
    Withdrawn,
}

impl Word {
    /// Every word.
    pub const ALL: [Self; 4] = [Self::Good, Self::Defective, Self::Unsure, Self::Withdrawn];

    /// The spelling used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Defective => "defective",
            Self::Unsure => "unsure",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// From that spelling.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }

    /// What it says of the part, if it says anything.
    pub fn truth(self) -> Option<Truth> {
        Truth::from_word(self.as_str())
    }
}

impl From<Truth> for Word {
    fn from(truth: Truth) -> Self {
        match truth {
            Truth::Good => Self::Good,
            Truth::Defective => Self::Defective,
        }
    }
}

/// What a piece may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartSet {
    /// To look at, and to choose thresholds on.
    Tune,
    /// To prove a threshold that was chosen without it.
    Certify,
}

impl PartSet {
    /// The spelling used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tune => "tune",
            Self::Certify => "certify",
        }
    }

    /// The set of a piece that belongs to none yet: a third of all names, whatever they look like, goes to
    /// [`PartSet::Tune`].
    fn of_new(piece: &str) -> Self {
        let digest = Sha256::digest(piece.as_bytes());
        let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        if number % 3 == 0 { Self::Tune } else { Self::Certify }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_the_pieces_tunes_and_the_name_alone_decides() {
        let tune = (0..3_000).filter(|n| PartSet::of_new(&format!("SN-{n}")) == PartSet::Tune).count();
        assert!((900..1_100).contains(&tune), "{tune}");
        assert_eq!(PartSet::of_new("SN-1"), PartSet::of_new("SN-1"));
        assert_eq!(Truth::from_word("defective"), Some(Truth::Defective));
        assert_eq!(Truth::from_word("bad"), None);
    }
}
