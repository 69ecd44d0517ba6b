//! The station's challenge as the console shows it: known parts, and what was said of each.

use jiff::Timestamp;
use plumb_inspection::{PartId, RecipeName};
use plumb_verdict::RuleName;
use serde::Serialize;

/// The challenge of the recipe in use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChallengeSeen {
    /// Whose known parts these are.
    pub recipe: RecipeName,
    /// How it stands.
    pub stand: ChallengeStand,
    /// Since when it stands so.
    pub since: Timestamp,
    /// Why it became due last: the end of a sentence of the station, in English.
    pub why: String,
    /// Who presents parts now.
    pub by: Option<String>,
    /// In the order in which they are presented; with what was said of them in the challenge that is under way, or in the
    /// last one.
    pub parts: Vec<KnownPartSeen>,
    /// How the last one since the station's start ended.
    pub last: Option<ChallengeEnd>,
}

/// How a challenge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChallengeStand {
    /// The recipe has no known parts.
    NotNeeded,
    /// Every part is rejected until it is passed.
    Due,
    /// Parts are being presented; every part is rejected.
    UnderWay,
    /// Passed, and nothing has made it due again.
    Passed,
}

impl ChallengeStand {
    /// The spelling in JSON, style sheet and catalogue.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotNeeded => "not_needed",
            Self::Due => "due",
            Self::UnderWay => "under_way",
            Self::Passed => "passed",
        }
    }
}

/// One known part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KnownPartSeen {
    /// As on its label.
    pub name: String,
    /// Where it lies and how it is presented.
    pub note: String,
    /// `pass` or `fail`.
    pub expected: &'static str,
    /// The rule that must object.
    pub rule: Option<RuleName>,
    /// Its number, once it came.
    pub part: Option<PartId>,
    /// What the machine said: `pass`, `fail`, `missed` or `late`.
    pub seen: Option<&'static str>,
    /// Why.
    pub says: String,
    /// Whether that was right; once its answer was taken.
    pub is_right: Option<bool>,
    /// The next part to come is this one.
    pub is_next: bool,
}

/// How a challenge ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChallengeEnd {
    /// When it was entered in the audit log.
    pub at: Timestamp,
    /// Who presented the parts.
    pub by: String,
    /// Every part was told right.
    pub is_passed: bool,
    /// Else which part, what was expected, what was seen: a sentence of the station, in English.
    pub says: String,
}
