//! Everything of one class has one thing of another on it: every bottle its cap.

use super::{Objection, Rule};
use crate::{RuleError, RuleName, Zone, seen::Scope, seen::Seen};
use plumb_inspection::{CameraId, ClassName, Finding, Findings, ModelName, RectPx, RegionName, Score};
use serde::{Deserialize, Serialize};

/// Objects to an `each` without exactly one `has` on it, and to fewer than `at_least` of `each` at all.
///
/// A `has` is on an `each` if its centre lies in the other's box, grown by `grow`. Where boxes overlap it belongs to the
/// one in which it lies most central: a neighbour's cap does not close an open bottle. A `has` on nothing is ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairsRule {
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
    /// Only what has its centre in here: `[x, y, w, h]` or `[[x, y], …]` in frame px.
    #[serde(default, alias = "zone", skip_serializing_if = "Option::is_none")]
    pub zone_px: Option<Zone>,
    /// The class that must have something, e.g. `Bottle`. `zone_px` narrows these only.
    pub each: ClassName,
    /// The class that must be on it, e.g. `Cap`.
    pub has: ClassName,
    /// An `each` counts from this score up.
    pub score_min: Score,
    /// A `has` counts from this score up; as `score_min` if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_score_min: Option<Score>,
    /// By how much of its width and height the box of an `each` is grown on every side; 0.1 is a tenth.
    #[serde(default)]
    pub grow: f32,
    /// So many of `each` must be there; 1 if nothing is said, 0 lets a picture without any pass.
    #[serde(default = "one")]
    pub at_least: u32,
}

fn one() -> u32 {
    1
}

impl Rule for PairsRule {
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
        vec![&self.each, &self.has]
    }

    fn problems(&self) -> Vec<RuleError> {
        let rule = self.name.clone();
        if self.each == self.has {
            return vec![RuleError::Either { rule, one: "one class as each", other: "the same as has" }];
        }
        let odd = !self.grow.is_finite() || self.grow < 0.0;
        odd.then_some(RuleError::NotASize { rule, keys: "grow", got: self.grow }).into_iter().collect()
    }

    fn opine(&self, seen: &Seen<'_, '_>) -> Option<Objection> {
        let mut owners = 0;
        let mut wrong: Vec<(&Finding, usize)> = Vec::new();
        for view in seen.views() {
            for (owner, on_it) in self.owners(view, seen) {
                owners += 1;
                if on_it != 1 {
                    wrong.push((owner, on_it));
                }
            }
        }
        let place = seen.scope.place();
        let Self { each, has, .. } = self;
        if owners < self.at_least {
            let says = format!("{owners} × {each}{place}, at least {} wanted", self.at_least);
            return Some(Objection { region: None, says });
        }
        let &(first, _) = wrong.first()?;
        let without = wrong.iter().filter(|(_, on_it)| *on_it == 0).count();
        let too_many = wrong.len() - without;
        let says = match (without, too_many) {
            (_, 0) => format!("{without} of {owners} × {each}{place} without {has}"),
            (0, _) => format!("{too_many} of {owners} × {each}{place} with more than one {has}"),
            _ => {
                format!("of {owners} × {each}{place} {without} without {has}, {too_many} with more than one")
            }
        };
        Some(Objection { region: Some(first.region.clone()), says })
    }
}

impl PairsRule {
    /// Each `each` of the view, in the zone, with how many `has` are on it. Those outside the zone still keep their own.
    fn owners<'v>(&self, view: &'v Findings, seen: &Seen<'_, 'v>) -> Vec<(&'v Finding, usize)> {
        let everywhere = seen.without_zone();
        let mut owners: Vec<(&Finding, usize)> =
            everywhere.findings_of(view, Some(&self.each), self.score_min).map(|owner| (owner, 0)).collect();
        let has_score_min = self.has_score_min.unwrap_or(self.score_min);
        for thing in everywhere.findings_of(view, Some(&self.has), has_score_min) {
            let nearest = owners
                .iter_mut()
                .filter_map(|owner| Some((self.off_centre(owner.0.box_px, thing.box_px)?, owner)))
                .min_by(|(a, _), (b, _)| a.total_cmp(b));
            if let Some((_, (_, on_it))) = nearest {
                *on_it += 1;
            }
        }
        owners.retain(|(owner, _)| seen.is_in_zone(owner));
        owners
    }

    /// How far from the middle of `owner` the middle of `thing` is, in half widths and heights, squared; `None` if it
    /// is not on it.
    fn off_centre(&self, owner: RectPx, thing: RectPx) -> Option<f32> {
        let (of, at) = (owner.centre(), thing.centre());
        let reach = 0.5 + self.grow;
        let (dx, dy) = ((at.x - of.x) / owner.w, (at.y - of.y) / owner.h);
        (dx.abs() <= reach && dy.abs() <= reach).then_some(4.0 * (dx * dx + dy * dy))
    }
}

#[cfg(test)]
mod tests {
    use crate::rule::table::{Table, view};

    type Row<'a> = (&'a str, f32, [i32; 4]);
    const LEFT: Row = ("Bottle", 0.9, [0, 100, 100, 300]);
    const LEFT_CAP: Row = ("Cap", 0.9, [20, 100, 60, 30]);
    const RIGHT: Row = ("Bottle", 0.9, [90, 100, 100, 300]);
    const RIGHT_CAP: Row = ("Cap", 0.9, [110, 100, 60, 30]);
    const EVERY_BOTTLE_ITS_CAP: &str = "each = 'Bottle'\nhas = 'Cap'\nscore_min = 0.5";

    #[test]
    fn every_bottle_has_its_cap() {
        let loose_cap = ("Cap", 0.9, [500, 100, 60, 30]);
        Table::of("pairs", EVERY_BOTTLE_ITS_CAP)
            .passes(&view("belt", &[LEFT, LEFT_CAP]))
            .passes(&view("belt", &[LEFT, RIGHT, RIGHT_CAP, LEFT_CAP]))
            .passes(&view("belt", &[LEFT, LEFT_CAP, loose_cap]))
            .objects(&view("belt", &[LEFT]), "1 of 1 × Bottle without Cap")
            .objects(&view("belt", &[LEFT, LEFT_CAP, RIGHT]), "1 of 2 × Bottle without Cap")
            .objects(&view("belt", &[LEFT, LEFT_CAP, LEFT_CAP]), "1 of 1 × Bottle with more than one Cap")
            .objects(
                &view("belt", &[LEFT, RIGHT, RIGHT_CAP, RIGHT_CAP]),
                "of 2 × Bottle 1 without Cap, 1 with more than one",
            )
            .objects(&view("belt", &[LEFT_CAP]), "0 × Bottle, at least 1 wanted")
            .objects(&view("belt", &[("Bottle", 0.49, LEFT.2), LEFT_CAP]), "0 × Bottle")
            .objects(&view("belt", &[LEFT, ("Cap", 0.49, LEFT_CAP.2)]), "without Cap");
    }

    #[test]
    fn a_neighbours_cap_does_not_close_an_open_bottle() {
        // The boxes overlap, and the right bottle's cap lies in both.
        let shared = ("Cap", 0.9, [85, 100, 20, 30]);
        let left_of_it = ("Bottle", 0.9, [0, 100, 120, 300]);
        let right = ("Bottle", 0.9, [60, 100, 100, 300]);
        Table::of("pairs", EVERY_BOTTLE_ITS_CAP)
            .objects(&view("belt", &[left_of_it, right, shared]), "1 of 2 × Bottle without Cap")
            .passes(&view("belt", &[left_of_it, right, shared, ("Cap", 0.9, [20, 100, 60, 30])]));
    }

    #[test]
    fn what_sticks_out_is_on_it_if_the_box_is_grown() {
        let on_top = ("Cap", 0.9, [20, 60, 60, 20]); // its middle 30 px above the bottle's box, a tenth of its height
        Table::of("pairs", EVERY_BOTTLE_ITS_CAP).objects(&view("belt", &[LEFT, on_top]), "without Cap");
        Table::of("pairs", &format!("{EVERY_BOTTLE_ITS_CAP}\ngrow = 0.1"))
            .passes(&view("belt", &[LEFT, on_top]));
        Table::of("pairs", &format!("{EVERY_BOTTLE_ITS_CAP}\ngrow = 0.09"))
            .objects(&view("belt", &[LEFT, on_top]), "without Cap");
    }

    #[test]
    fn a_bottle_outside_the_zone_is_not_asked_for_but_keeps_its_cap() {
        let zone = format!("{EVERY_BOTTLE_ITS_CAP}\nzone_px = [100, 0, 200, 500]");
        Table::of("pairs", &zone)
            .passes(&view("belt", &[LEFT, RIGHT, RIGHT_CAP]))
            .objects(&view("belt", &[LEFT, LEFT_CAP]), "0 × Bottle in a zone, at least 1 wanted")
            .objects(&view("belt", &[LEFT, LEFT_CAP, RIGHT]), "1 of 1 × Bottle in a zone without Cap");
    }

    #[test]
    fn each_class_may_have_its_own_threshold_and_a_picture_without_any_may_pass() {
        let rule = format!("{EVERY_BOTTLE_ITS_CAP}\nhas_score_min = 0.8\nat_least = 0");
        Table::of("pairs", &rule)
            .passes(&view("belt", &[]))
            .objects(&view("belt", &[LEFT, ("Cap", 0.79, LEFT_CAP.2)]), "without Cap");
        Table::refuses("pairs", "each = 'Cap'\nhas = 'Cap'\nscore_min = 0.5", "the same");
        Table::refuses(
            "pairs",
            &format!("{EVERY_BOTTLE_ITS_CAP}\ngrow = -0.1"),
            "expected a number of 0 or more",
        );
    }
}
