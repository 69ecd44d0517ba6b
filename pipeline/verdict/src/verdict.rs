//! What the station says of a part, and why.

use plumb_inspection::{Cause, RegionName};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// A rule, as the recipe names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleName(Arc<str>);

impl RuleName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for RuleName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The word on a part. There is no default: nothing becomes a pass because nobody spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Every rule was asked and none objected.
    Pass,
    /// At least one rule objected.
    Fail,
    /// The part could not be judged; the PLC rejects it.
    Missed(Cause),
}

impl Decision {
    /// The spelling used in records and the API: `pass`, `fail`, `missed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Missed(_) => "missed",
        }
    }
}

/// One rule's objection, or why the part was missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule that objected; for a missed part the cause's name.
    pub rule: RuleName,
    /// Where; empty for a missed part.
    pub region: RegionName,
    /// The sentence a person reads: `3 scratches in "face", at most 0 are allowed`.
    pub says: String,
}

/// The station's word on a part with every reason for it: worst opinion wins, no reason is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Pass, fail or missed.
    pub decision: Decision,
    /// Empty for a pass, at least one entry otherwise.
    pub reasons: Vec<Reason>,
}

impl Verdict {
    /// A part that could not be judged.
    pub fn missed(cause: Cause) -> Self {
        Self::missed_because(cause, cause.to_string())
    }

    /// A part that could not be judged, in words of its own.
    pub fn missed_because(cause: Cause, says: String) -> Self {
        let reason = Reason { rule: RuleName::from(cause.as_str()), region: RegionName::from(""), says };
        Self { decision: Decision::Missed(cause), reasons: vec![reason] }
    }

    /// From all the rules' objections: none is a pass, any is a fail.
    pub fn from_objections(reasons: Vec<Reason>) -> Self {
        let decision = if reasons.is_empty() { Decision::Pass } else { Decision::Fail };
        Self { decision, reasons }
    }
}
