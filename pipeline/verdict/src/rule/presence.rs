//! Something is there: the label, the screw, all four screws.

use super::{Objection, Rule};
use crate::{RuleError, RuleName, Zone, limits::Limits, seen::Scope, seen::Seen};
use plumb_inspection::{CameraId, ClassName, ModelName, RegionName, Score};
use serde::{Deserialize, Serialize};

/// Objects where fewer than `at_least` (1 if nothing is said) or not `exactly` so many are there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresenceRule {
    /// What the operator reads.
    pub name: RuleName,
    /// Looks at this camera's view only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraId>,
    /// Believes this model only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
    /// Looks at this region only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionName>,
    /// Findings of this class only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ClassName>,
    /// A finding counts from this score up.
    pub score_min: Score,
    /// Only what has its centre in here: `[x, y, w, h]` or `[[x, y], …]` in frame px.
    #[serde(default, alias = "zone", skip_serializing_if = "Option::is_none")]
    pub zone_px: Option<Zone>,
    /// So many or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u32>,
    /// So many, no more and no fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exactly: Option<u32>,
}

impl Rule for PresenceRule {
    fn name(&self) -> &RuleName {
        &self.name
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            camera: self.camera.as_ref(),
            model: self.model.as_ref(),
            region: self.region.as_ref(),
            zone: self.zone_px.as_ref(),
        }
    }

    fn classes(&self) -> Vec<&ClassName> {
        self.class.iter().collect()
    }

    fn problems(&self) -> Vec<RuleError> {
        let rule = self.name.clone();
        match (self.at_least, self.exactly) {
            (Some(_), Some(_)) => vec![RuleError::Either { rule, one: "at_least", other: "exactly" }],
            (Some(0), None) => vec![RuleError::ZeroWanted { rule, key: "at_least" }],
            (None, Some(0)) => vec![RuleError::ZeroWanted { rule, key: "exactly" }],
            _ => Vec::new(),
        }
    }

    fn opine(&self, seen: &Seen<'_, '_>) -> Option<Objection> {
        let limits = match self.exactly {
            Some(exactly) => Limits { min: Some(exactly), max: Some(exactly) },
            None => Limits { min: Some(self.at_least.unwrap_or(1)), max: None },
        };
        seen.objection_to_number(self.class.as_ref(), self.score_min, limits)
    }
}

#[cfg(test)]
mod tests {
    use crate::rule::table::{Table, view};

    #[test]
    fn what_must_be_there_is_there() {
        let screws = |n: usize| view("head", &vec![("screw", 0.6, [10, 10, 4, 4]); n]);
        Table::of("presence", "class = 'screw'\nscore_min = 0.6")
            .objects(&screws(0), "0 × screw, at least 1 wanted")
            .passes(&screws(1))
            .passes(&screws(9));
        Table::of("presence", "class = 'screw'\nscore_min = 0.6\nat_least = 2")
            .objects(&screws(1), "at least 2");
        Table::of("presence", "class = 'screw'\nscore_min = 0.6\nexactly = 4")
            .passes(&screws(4))
            .objects(&screws(5), "5 × screw, exactly 4 wanted");
        Table::of("presence", "class = 'screw'\nscore_min = 0.61").objects(&screws(4), "0 × screw");
    }

    #[test]
    fn a_presence_of_nothing_is_refused() {
        Table::refuses("presence", "score_min = 0.5\nat_least = 0", "at_least = 0");
        Table::refuses("presence", "score_min = 0.5\nexactly = 0", "did you mean kind = \"absence\"");
        Table::refuses("presence", "score_min = 0.5\nexactly = 1\nat_least = 1", "both at_least and exactly");
    }
}
