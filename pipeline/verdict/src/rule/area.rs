//! Findings cover so much: no stain above 2 mm², glue on at least 40 mm² in all.

use super::{Objection, Rule};
use crate::{
    RuleError, RuleName, Threshold, Zone,
    limits::{Limits, largest_that_passes},
    seen::Scope,
    seen::Seen,
};
use plumb_inspection::{CameraId, ClassName, ModelName, RegionName, Score};
use serde::{Deserialize, Serialize};

/// Objects to an area outside its limits, in px² or mm². With a lower limit, something must be there to be measured;
/// with a limit in mm², every finding's camera must have a scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AreaRule {
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
    /// Which area is meant.
    #[serde(default)]
    pub of: AreaOf,
    /// Smallest that passes, px².
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_px2: Option<f32>,
    /// Largest that passes, px².
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_px2: Option<f32>,
    /// Smallest that passes, mm².
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_mm2: Option<f32>,
    /// Largest that passes, mm².
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_mm2: Option<f32>,
}

/// Which area a rule means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AreaOf {
    /// Of each finding by itself.
    #[default]
    Each,
    /// Of all findings together; where they overlap it counts twice.
    Sum,
}

impl Rule for AreaRule {
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
        !self.mm2().are_open()
    }

    fn problems(&self) -> Vec<RuleError> {
        if self.wants_mm() && !self.px2().are_open() {
            return vec![RuleError::Either {
                rule: self.name.clone(),
                one: "a limit in px2",
                other: "one in mm2",
            }];
        }
        let limits = if self.wants_mm() { self.mm2() } else { self.px2() };
        let keys = "min_px2, max_px2, min_mm2 or max_mm2";
        limits.size_problem(&self.name, keys).into_iter().collect()
    }

    fn threshold(&self) -> Option<Threshold> {
        largest_that_passes(&[("max_px2", self.px2()), ("max_mm2", self.mm2())])
    }

    fn score(&self, seen: &Seen<'_, '_>) -> Option<f64> {
        self.threshold()?;
        let mut findings = seen.findings(self.class.as_ref(), self.score_min);
        let most = findings.try_fold(0.0_f32, |most, finding| {
            let area = if self.wants_mm() { finding.area_mm2? } else { finding.area_px };
            Some(match self.of {
                AreaOf::Each => most.max(area),
                AreaOf::Sum => most + area,
            })
        });
        most.map(f64::from)
    }

    fn opine(&self, seen: &Seen<'_, '_>) -> Option<Objection> {
        let findings = seen.findings(self.class.as_ref(), self.score_min);
        let (limits, unit) = if self.wants_mm() { (self.mm2(), "mm²") } else { (self.px2(), "px²") };
        let areas = findings
            .map(|finding| (finding, if self.wants_mm() { finding.area_mm2 } else { Some(finding.area_px) }));
        let class = self.class.as_ref();
        match self.of {
            AreaOf::Each => seen.objection_to_sizes(class, areas, limits, unit),
            AreaOf::Sum => seen.objection_to_sum(class, areas, limits, unit),
        }
    }
}

impl AreaRule {
    /// Changes the limit that is the rule's threshold.
    pub(super) fn set_max(&mut self, value: f32) {
        if self.wants_mm() {
            self.max_mm2 = Some(value);
        } else {
            self.max_px2 = Some(value);
        }
    }

    fn px2(&self) -> Limits<f32> {
        Limits { min: self.min_px2, max: self.max_px2 }
    }

    fn mm2(&self) -> Limits<f32> {
        Limits { min: self.min_mm2, max: self.max_mm2 }
    }
}

#[cfg(test)]
mod tests {
    use crate::rule::table::{Table, view};

    #[test]
    fn each_area_is_within_its_limits() {
        // 4×4 and 5×4 px.
        let stains = view("face", &[("stain", 0.9, [10, 10, 4, 4]), ("stain", 0.8, [30, 10, 5, 4])]);
        let rule = |limits: &str| Table::of("area", &format!("class = 'stain'\nscore_min = 0.5\n{limits}"));
        rule("max_px2 = 20").passes(&stains).passes(&view("face", &[]));
        rule("max_px2 = 19")
            .objects(&stains, "1 of 2 × stain out of limits, the worst 20.000 px², at most 19 allowed");
        rule("max_px2 = 1").objects(&stains, "2 of 2 × stain out of limits, the worst 20");
        rule("min_px2 = 17").objects(&stains, "the worst 16.000 px²");
        rule("min_px2 = 16\nmax_px2 = 20")
            .passes(&stains)
            .objects(&view("face", &[]), "no stain to measure in px²");
    }

    #[test]
    fn the_sum_of_areas_is_within_its_limits() {
        let glue = view("seam", &[("glue", 0.9, [10, 10, 4, 4]), ("glue", 0.8, [30, 10, 5, 4])]);
        let rule = |limits: &str| Table::of("area", &format!("of = 'sum'\nscore_min = 0.5\n{limits}"));
        rule("min_px2 = 36")
            .passes(&glue)
            .objects(&view("seam", &[]), "covers 0.000 px² in all, at least 36 wanted");
        rule("max_px2 = 35.9").objects(&glue, "finding covers 36.000 px² in all, at most 35.9 allowed");
        rule("max_mm2 = 9").passes(&glue.measured(0.5)).objects(&glue, "no scale");
    }

    #[test]
    fn an_area_in_mm2_wants_a_calibrated_camera() {
        let stain = view("face", &[("stain", 0.9, [10, 10, 4, 4])]);
        Table::of("area", "score_min = 0.5\nmax_mm2 = 4")
            .passes(&stain.measured(0.5))
            .objects(&stain.measured(0.51), "mm², at most 4 allowed")
            .objects(&stain, "stain cannot be measured in mm²: the camera has no scale (uncalibrated)");
    }

    #[test]
    fn limits_in_both_units_or_none_are_refused() {
        Table::refuses("area", "score_min = 0.5", "has no limit");
        Table::refuses(
            "area",
            "score_min = 0.5\nmax_px2 = 3\nmax_mm2 = 3",
            "both a limit in px2 and one in mm2",
        );
        Table::refuses("area", "score_min = 0.5\nmax_px2 = nan", "expected a number of 0 or more");
        Table::refuses("area", "score_min = 0.5\nmax_px2 = -1", "expected a number of 0 or more");
    }
}
