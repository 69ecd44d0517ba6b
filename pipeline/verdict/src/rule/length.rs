//! Findings are so long: no scratch above 3 mm, a thread of 19.9 to 20.1 mm.

use super::{Objection, Rule};
use crate::{
    RuleError, RuleName, Threshold, Zone,
    limits::{Limits, largest_that_passes},
    measure::longest_side,
    seen::Scope,
    seen::Seen,
};
use plumb_inspection::{CameraId, ClassName, ModelName, RegionName, Score};
use serde::{Deserialize, Serialize};

/// Objects to a finding whose longest side is outside the limits, in px or mm. With a lower limit, something must be
/// there to be measured; with a limit in mm, every finding's camera must have a scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LengthRule {
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
    /// Shortest that passes, px.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_px: Option<f32>,
    /// Longest that passes, px.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_px: Option<f32>,
    /// Shortest that passes, mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_mm: Option<f32>,
    /// Longest that passes, mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_mm: Option<f32>,
}

impl Rule for LengthRule {
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

    fn wants_mm(&self) -> bool {
        !self.mm().are_open()
    }

    fn problems(&self) -> Vec<RuleError> {
        if self.wants_mm() && !self.px().are_open() {
            return vec![RuleError::Either {
                rule: self.name.clone(),
                one: "a limit in px",
                other: "one in mm",
            }];
        }
        let limits = if self.wants_mm() { self.mm() } else { self.px() };
        limits.size_problem(&self.name, "min_px, max_px, min_mm or max_mm").into_iter().collect()
    }

    fn threshold(&self) -> Option<Threshold> {
        largest_that_passes(&[("max_px", self.px()), ("max_mm", self.mm())])
    }

    fn score(&self, seen: &Seen<'_, '_>) -> Option<f64> {
        self.threshold()?;
        let mut findings = seen.findings(self.class.as_ref(), self.score_min);
        let longest = findings.try_fold(0.0_f32, |longest, finding| {
            let length = if self.wants_mm() { finding.length_mm? } else { longest_side(finding, [1.0, 1.0]) };
            Some(longest.max(length))
        });
        longest.map(f64::from)
    }

    fn opine(&self, seen: &Seen<'_, '_>) -> Option<Objection> {
        let class = self.class.as_ref();
        let findings = seen.findings(class, self.score_min);
        if self.wants_mm() {
            seen.objection_to_sizes(
                class,
                findings.map(|finding| (finding, finding.length_mm)),
                self.mm(),
                "mm",
            )
        } else {
            let one_px = [1.0, 1.0];
            let lengths = findings.map(|finding| (finding, Some(longest_side(finding, one_px))));
            seen.objection_to_sizes(class, lengths, self.px(), "px")
        }
    }
}

impl LengthRule {
    /// Changes the limit that is the rule's threshold.
    pub(super) fn set_max(&mut self, value: f32) {
        if self.wants_mm() {
            self.max_mm = Some(value);
        } else {
            self.max_px = Some(value);
        }
    }

    fn px(&self) -> Limits<f32> {
        Limits { min: self.min_px, max: self.max_px }
    }

    fn mm(&self) -> Limits<f32> {
        Limits { min: self.min_mm, max: self.max_mm }
    }
}

#[cfg(test)]
mod tests {
    use crate::rule::table::{Table, view};

    #[test]
    fn each_length_is_within_its_limits() {
        let scratches = view("face", &[("scratch", 0.9, [10, 10, 4, 30]), ("scratch", 0.8, [30, 10, 20, 4])]);
        let rule =
            |limits: &str| Table::of("length", &format!("class = 'scratch'\nscore_min = 0.5\n{limits}"));
        rule("max_px = 30").passes(&scratches).passes(&view("face", &[]));
        rule("max_px = 29.9")
            .objects(&scratches, "1 of 2 × scratch out of limits, the worst 30.000 px, at most 29.9");
        rule("min_px = 20")
            .passes(&scratches)
            .objects(&view("face", &[]), "no scratch to measure in px, at least 20");
        rule("max_mm = 15")
            .passes(&scratches.measured(0.5))
            .objects(&scratches.measured(0.51), "the worst 15.300 mm");
        rule("max_mm = 15")
            .objects(&scratches, "cannot be measured in mm: the camera has no scale (uncalibrated)");
    }

    #[test]
    fn a_slanting_scratch_is_as_long_as_its_outline_not_as_its_box() {
        let mut slanting = view("face", &[("scratch", 0.9, [0, 0, 30, 40])]);
        slanting.findings.list[0].polygon_px = Some(vec![[0.0, 0.0].into(), [30.0, 40.0].into()]);
        Table::of("length", "score_min = 0.5\nmax_px = 49").objects(&slanting, "the worst 50.000 px");
    }

    #[test]
    fn limits_in_both_units_or_none_are_refused() {
        Table::refuses("length", "score_min = 0.5", "has no limit");
        Table::refuses(
            "length",
            "score_min = 0.5\nmin_px = 3\nmax_mm = 3",
            "both a limit in px and one in mm",
        );
        Table::refuses("length", "score_min = 0.5\nmin_mm = 3\nmax_mm = 2", "nothing can be");
    }
}
