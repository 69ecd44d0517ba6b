//! The kinds of rules: one file each, which holds what the recipe may say, how it is judged, and a table of cases.

mod absence;
mod area;
mod count;
mod length;
mod measurement;
mod pairs;
mod presence;
mod score;
#[cfg(test)]
pub(crate) mod table;

use crate::{RuleError, RuleName, Threshold, seen::Scope, seen::Seen};
use plumb_inspection::{CameraId, ClassName, RegionName, Score, ScoreError};
use serde::{Deserialize, Serialize};

pub use absence::AbsenceRule;
pub use area::{AreaOf, AreaRule};
pub use count::CountRule;
pub use length::LengthRule;
pub use measurement::{InDoubt, MeasurementRule};
pub use pairs::PairsRule;
pub use presence::PresenceRule;
pub use score::ScoreRule;

/// A question asked of every part.
pub(crate) trait Rule {
    /// As the recipe names it.
    fn name(&self) -> &RuleName;

    /// Where it looks.
    fn scope(&self) -> Scope<'_>;

    /// The classes it is about; none: any.
    fn classes(&self) -> Vec<&ClassName>;

    /// True if it has a limit in mm or mm².
    fn wants_mm(&self) -> bool {
        false
    }

    /// Why it could never object, or never be content.
    fn problems(&self) -> Vec<RuleError>;

    /// The number that decides how strict it is, where one alone does and more of what it counts is worse.
    fn threshold(&self) -> Option<Threshold> {
        None
    }

    /// The number of these views that its threshold is compared with; 0 where nothing was found. `None` where there is
    /// no threshold, or the number could not be had. Asked only of views in which somebody looked.
    fn score(&self, _seen: &Seen<'_, '_>) -> Option<f64> {
        None
    }

    /// `None`: nothing to object to. Asked only of views in which somebody looked.
    fn opine(&self, seen: &Seen<'_, '_>) -> Option<Objection>;
}

/// What a rule has against a part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Objection {
    /// Where it is worst, if that is known.
    pub(crate) region: Option<RegionName>,
    /// The sentence a person reads.
    pub(crate) says: String,
}

/// One `[[rule]]` of a recipe: its `kind` says which question it asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RuleConfig {
    /// The score of a region or class stays under a limit.
    Score(ScoreRule),
    /// So many findings, not more and not fewer.
    Count(CountRule),
    /// Findings cover so much.
    Area(AreaRule),
    /// Findings are so long.
    Length(LengthRule),
    /// Something is there.
    Presence(PresenceRule),
    /// Nothing of that class is there.
    Absence(AbsenceRule),
    /// Everything of one class has one thing of another on it.
    Pairs(PairsRule),
    /// What is measured in the picture is within its limits.
    Measurement(MeasurementRule),
}

impl RuleConfig {
    /// Every kind, as the recipe spells it.
    pub const KINDS: [&'static str; 8] =
        ["score", "count", "area", "length", "presence", "absence", "pairs", "measurement"];

    /// The kind, as the recipe spells it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Score(_) => "score",
            Self::Count(_) => "count",
            Self::Area(_) => "area",
            Self::Length(_) => "length",
            Self::Presence(_) => "presence",
            Self::Absence(_) => "absence",
            Self::Pairs(_) => "pairs",
            Self::Measurement(_) => "measurement",
        }
    }

    /// As the recipe names it.
    pub fn name(&self) -> &RuleName {
        self.as_rule().name()
    }

    /// The only view it looks at; `None` is all.
    pub fn camera(&self) -> Option<&CameraId> {
        self.as_rule().scope().camera
    }

    /// The only region it looks at; `None` is all.
    pub fn region(&self) -> Option<&RegionName> {
        self.as_rule().scope().region
    }

    /// The classes it is about; empty is all.
    pub fn classes(&self) -> Vec<&ClassName> {
        self.as_rule().classes()
    }

    /// True if it has a limit in mm or mm²: its cameras need a scale.
    pub fn wants_mm(&self) -> bool {
        self.as_rule().wants_mm()
    }

    /// The number that decides how strict it is, where one alone does: what can be chosen by scores.
    pub fn threshold(&self) -> Option<Threshold> {
        self.as_rule().threshold()
    }

    /// The same rule with another value of its threshold; itself, where it has none.
    pub fn with_threshold(&self, value: f32) -> Result<Self, ScoreError> {
        let mut changed = self.clone();
        match &mut changed {
            Self::Score(rule) => rule.max = Score::new(value)?,
            Self::Count(rule) => rule.score_min = Score::new(value)?,
            Self::Absence(rule) => rule.score_min = Score::new(value)?,
            Self::Area(rule) => rule.set_max(value),
            Self::Length(rule) => rule.set_max(value),
            Self::Presence(_) | Self::Pairs(_) | Self::Measurement(_) => {}
        }
        Ok(changed)
    }

    pub(crate) fn as_rule(&self) -> &dyn Rule {
        match self {
            Self::Score(rule) => rule,
            Self::Count(rule) => rule,
            Self::Area(rule) => rule,
            Self::Length(rule) => rule,
            Self::Presence(rule) => rule,
            Self::Absence(rule) => rule,
            Self::Pairs(rule) => rule,
            Self::Measurement(rule) => rule,
        }
    }
}
