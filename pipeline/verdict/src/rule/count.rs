//! So many findings, not more and not fewer: six tablets, at most two specks.

use super::{Objection, Rule};
use crate::{Rejects, RuleError, RuleName, Threshold, Zone, limits::Limits, seen::Scope, seen::Seen};
use plumb_inspection::{CameraId, ClassName, ModelName, RegionName, Score};
use serde::{Deserialize, Serialize};

/// Objects to fewer findings than `min` and to more than `max`; one of the two may be left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountRule {
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
    /// The fewest that pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// The most that pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

impl Rule for CountRule {
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
        match self.limits() {
            Limits { min: Some(0), max: None } => {
                vec![RuleError::ZeroWanted { rule: self.name.clone(), key: "min" }]
            }
            limits => limits.problem(&self.name, "min or max").into_iter().collect(),
        }
    }

    fn threshold(&self) -> Option<Threshold> {
        let counts_from =
            Threshold { key: "score_min", value: self.score_min.get(), rejects: Rejects::AtOrAbove };
        matches!(self.limits(), Limits { min: None, max: Some(_) }).then_some(counts_from)
    }

    fn score(&self, seen: &Seen<'_, '_>) -> Option<f64> {
        // One more than `max` is one too many: the part fails once that one counts.
        self.threshold()?;
        Some(seen.nth_score(self.class.as_ref(), self.max? as usize))
    }

    fn opine(&self, seen: &Seen<'_, '_>) -> Option<Objection> {
        seen.objection_to_number(self.class.as_ref(), self.score_min, self.limits())
    }
}

impl CountRule {
    fn limits(&self) -> Limits<u32> {
        Limits { min: self.min, max: self.max }
    }
}

#[cfg(test)]
mod tests {
    use crate::rule::table::{Table, view};

    #[test]
    fn so_many_findings_pass() {
        let specks = |n: usize| view("face", &vec![("speck", 0.5, [10, 10, 4, 4]); n]);
        Table::of("count", "class = 'speck'\nscore_min = 0.5\nmin = 1\nmax = 2")
            .objects(&specks(0), "0 × speck, 1 to 2 wanted")
            .passes(&specks(1))
            .passes(&specks(2))
            .objects(&specks(3), "3 × speck, 1 to 2 wanted");
        Table::of("count", "score_min = 0.50001\nmax = 0").passes(&specks(3));
        Table::of("count", "score_min = 0.5\nmax = 0").objects(&specks(3), "3 × speck, at most 0 allowed");
        Table::of("count", "score_min = 0\nmin = 3\nmax = 3").objects(&specks(4), "exactly 3 wanted");
    }

    #[test]
    fn only_what_the_rule_looks_at_is_counted() {
        let both = view("face", &[("speck", 0.9, [0, 0, 2, 2]), ("dent", 0.9, [100, 100, 2, 2])])
            .and(view("back", &[("speck", 0.9, [300, 0, 2, 2])]));
        for (keys, counted) in [
            ("", 3),
            ("region = 'face'", 2),
            ("region = 'back'", 1),
            ("class = 'speck'", 2),
            ("class = 'speck'\nregion = 'face'", 1),
            ("zone_px = [0, 0, 101.5, 101.5]", 2),
            ("zone_px = [0, 0, 101, 200]", 1), // the dent's centre lies on the right edge
            ("model = 'detector'", 3),
        ] {
            let rule = |limit: i32| format!("{keys}\nscore_min = 0.5\nmin = {limit}\nmax = {limit}");
            Table::of("count", &rule(counted)).passes(&both);
            Table::of("count", &rule(counted + 1)).objects(&both, &format!("exactly {} wanted", counted + 1));
        }
        Table::of("count", "score_min = 0.5\nmax = 0")
            .objects(&both, "1 × dent, 2 × speck, at most 0 allowed");
    }

    #[test]
    fn a_count_that_could_never_or_always_object_is_refused() {
        Table::refuses("count", "score_min = 0.5", "has no limit");
        Table::refuses("count", "score_min = 0.5\nmin = 0", "never object");
        Table::refuses("count", "score_min = 0.5\nmin = 3\nmax = 2", "at least 3 and at most 2");
    }
}
