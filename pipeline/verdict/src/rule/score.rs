//! The score of a region or class stays under a limit: for anomaly models, and for "not a trace of".

use super::{Objection, Rule};
use crate::{Rejects, RuleError, RuleName, Threshold, Zone, seen::Scope, seen::Seen};
use plumb_inspection::{CameraId, ClassName, ModelName, RegionName, Score};
use serde::{Deserialize, Serialize};

/// Objects to a score above `max`; a score exactly at it passes. With a class or a zone it asks the findings; without, the
/// models' raw scores of the regions as wholes, such as an anomaly model's image score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreRule {
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
    /// Findings of this class only; without it, the region's own score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ClassName>,
    /// Only what has its centre in here: `[x, y, w, h]` or `[[x, y], …]` in frame px.
    #[serde(default, alias = "zone", skip_serializing_if = "Option::is_none")]
    pub zone_px: Option<Zone>,
    /// The highest score that passes.
    #[serde(alias = "score_max")]
    pub max: Score,
}

impl Rule for ScoreRule {
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
        Some(Threshold { key: "max", value: self.max.get(), rejects: Rejects::Above })
    }

    fn score(&self, seen: &Seen<'_, '_>) -> Option<f64> {
        if self.class.is_some() || self.zone_px.is_some() {
            return Some(seen.nth_score(self.class.as_ref(), 0));
        }
        seen.region_scores().map(|(_, score)| f64::from(score.get())).max_by(f64::total_cmp)
    }

    fn opine(&self, seen: &Seen<'_, '_>) -> Option<Objection> {
        if self.class.is_some() || self.zone_px.is_some() {
            let worst = seen
                .findings(self.class.as_ref(), self.max)
                .max_by(|a, b| a.score.get().total_cmp(&b.score.get()))?;
            self.objection(worst.class.as_str(), &worst.region, worst.score, seen)
        } else {
            let (region, score) =
                seen.region_scores().max_by(|(_, a), (_, b)| a.get().total_cmp(&b.get()))?;
            self.objection("the score", region, score, seen)
        }
    }
}

impl ScoreRule {
    fn objection(
        &self,
        what: &str,
        region: &RegionName,
        score: Score,
        seen: &Seen<'_, '_>,
    ) -> Option<Objection> {
        (score > self.max).then(|| Objection {
            region: Some(region.clone()),
            says: format!(
                "{what}{} is {}, at most {} allowed",
                seen.scope.place(),
                score.get(),
                self.max.get()
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::rule::table::{Table, view};

    #[test]
    fn a_finding_exactly_at_score_max_passes() {
        let scratches =
            |score| view("face", &[("scratch", score, [10, 10, 4, 4]), ("dent", 0.9, [50, 50, 4, 4])]);
        Table::of("score", "class = 'scratch'\nmax = 0.7")
            .passes(&scratches(0.7))
            .passes(&scratches(0.1))
            .passes(&view("face", &[]))
            .objects(&scratches(0.700_001), "scratch is 0.700001, at most 0.7 allowed");
        Table::of("score", "class = 'scratch'\nscore_max = 0.7\nzone_px = [0, 0, 10, 10]")
            .passes(&scratches(0.8));
        Table::of("score", "zone = [[0, 0], [20, 0], [20, 20], [0, 20]]\nmax = 0.7")
            .passes(&scratches(0.6)) // the dent lies outside
            .objects(&scratches(0.8), "in a zone is 0.8");
    }

    #[test]
    fn without_a_class_the_score_of_the_region_as_a_whole_counts() {
        let anomaly = |score| view("face", &[]).scored("anomaly", "face", score);
        Table::of("score", "region = 'face'\nmax = 3.5\nmodel = 'anomaly'")
            .passes(&anomaly(3.5))
            .objects(&anomaly(3.75), "the score in \"face\" by \"anomaly\" is 3.75, at most 3.5 allowed")
            .objects(&view("face", &[]), "nothing was examined in \"face\" by \"anomaly\"");
        Table::of("score", "max = 3.5").objects(&anomaly(1.0).scored("anomaly", "back", 9.0), "is 9");
    }
}
