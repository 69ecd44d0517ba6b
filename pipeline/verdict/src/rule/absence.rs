//! Nothing of that class is there: no scratch, no stain.

use super::{Objection, Rule};
use crate::{Rejects, RuleError, RuleName, Threshold, Zone, limits::Limits, seen::Scope, seen::Seen};
use plumb_inspection::{CameraId, ClassName, ModelName, RegionName, Score};
use serde::{Deserialize, Serialize};

/// Objects to any finding; one exactly at `score_min` is a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbsenceRule {
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
}

impl Rule for AbsenceRule {
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
        Vec::new()
    }

    fn threshold(&self) -> Option<Threshold> {
        Some(Threshold { key: "score_min", value: self.score_min.get(), rejects: Rejects::AtOrAbove })
    }

    fn score(&self, seen: &Seen<'_, '_>) -> Option<f64> {
        Some(seen.nth_score(self.class.as_ref(), 0))
    }

    fn opine(&self, seen: &Seen<'_, '_>) -> Option<Objection> {
        let none = Limits { min: None, max: Some(0) };
        seen.objection_to_number(self.class.as_ref(), self.score_min, none)
    }
}

#[cfg(test)]
mod tests {
    use crate::rule::table::{Table, view};

    #[test]
    fn nothing_of_that_class_is_there() {
        let dents = |score| view("face", &[("dent", score, [10, 10, 4, 4])]);
        Table::of("absence", "class = 'dent'\nscore_min = 0.5\nregion = 'face'")
            .passes(&view("face", &[]))
            .passes(&dents(0.49))
            .objects(&dents(0.5), "1 × dent in \"face\", at most 0 allowed")
            .objects(&view("back", &[]), "nothing was examined in \"face\"");
        Table::of("absence", "class = 'scratch'\nscore_min = 0.5").passes(&dents(0.9));
        Table::of("absence", "score_min = 0.5\nzone_px = [0, 0, 5, 5]").passes(&dents(0.9));
    }
}
