//! Asks all of a recipe's rules of a part's views: the worst opinion wins, every reason is kept.

use crate::{Reason, RuleConfig, RuleError, RuleName, Verdict, rule::Objection, seen::Seen};
use plumb_inspection::{
    Alignment, CameraId, Cause, ClassName, Finding, Findings, ModelName, RegionName, ScoreError,
};

/// A recipe's rules, checked. A value of this type can object to something.
///
/// No rule is content because nobody looked: where the region it asks about has no entry in [`Findings::scores`] (each
/// model leaves one for each region it examined, found something or not), the rule objects. Which looks a part is owed
/// is known exactly once [`Judge::owing`] was told; until then a rule without a region wants every view examined
/// somewhere, and a rule with one wants it examined in at least one view.
#[derive(Clone, Debug)]
pub struct Judge {
    rules: Vec<Asked>,
}

/// A look the recipe owes every part: this model at this region of this camera.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Look {
    /// Whose view.
    pub camera: CameraId,
    /// The region examined.
    pub region: RegionName,
    /// The model that examines it.
    pub model: ModelName,
}

/// A rule and the looks it depends on; none: not told.
#[derive(Clone, Debug)]
struct Asked {
    rule: RuleConfig,
    owed: Vec<Look>,
}

impl Judge {
    /// The PLC tells so many rules apart: codes 1..=99 are rules, from 100 on they are causes.
    pub const RULES_MAX: usize = 99;

    /// # Errors
    /// Every problem of every rule: no rules at all, names that are missing, twice or a cause's, and limits that let
    /// everything or nothing pass.
    pub fn new(rules: Vec<RuleConfig>) -> Result<Self, Vec<RuleError>> {
        let mut errors: Vec<RuleError> = rules.iter().flat_map(|rule| rule.as_rule().problems()).collect();
        errors.extend(name_problems(&rules));
        if rules.is_empty() {
            errors.push(RuleError::NoRules);
        }
        if rules.len() > Self::RULES_MAX {
            errors.push(RuleError::TooManyRules { got: rules.len(), most: Self::RULES_MAX });
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self { rules: rules.into_iter().map(|rule| Asked { rule, owed: Vec::new() }).collect() })
    }

    /// Says which looks every part is owed: from now on a rule objects if one of those it covers was not taken.
    ///
    /// # Errors
    /// For each rule that covers none: it would object to every part.
    pub fn owing(mut self, looks: &[Look]) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        for Asked { rule, owed } in &mut self.rules {
            let scope = rule.as_rule().scope();
            *owed = looks.iter().filter(|look| scope.covers(look)).cloned().collect();
            if owed.is_empty() {
                let place = scope.place();
                errors.push(RuleError::NobodyLooks {
                    rule: rule.name().clone(),
                    place,
                    region: scope.region.cloned(),
                });
            }
        }
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }

    /// The verdict on a part from all its views. One reason a rule at most, in the order of the rules.
    ///
    /// A part that was not found in a view is `Missed(NotFound)`, whatever other views show: nothing of it was looked at
    /// there. A finding whose place or size is not a number makes the part `Missed(Model)`: no rule could be trusted with it.
    pub fn judge(&self, views: &[(CameraId, &Findings)]) -> Verdict {
        if let Some(says) = views.iter().find_map(not_found) {
            return Verdict::missed_because(Cause::NotFound, says);
        }
        if views.iter().flat_map(|(_, view)| &view.list).any(is_nowhere) {
            return Verdict::missed(Cause::Model);
        }
        let objections = self.rules.iter().filter_map(|Asked { rule, owed }| {
            let rule = rule.as_rule();
            let seen = Seen::new(rule.scope(), views);
            let unexamined = seen.unexamined(owed).map(|says| Objection { region: None, says });
            let Objection { region, says } = unexamined.or_else(|| rule.opine(&seen))?;
            let region = seen.scope.region.cloned().or(region).unwrap_or_else(|| RegionName::from(""));
            Some(Reason { rule: rule.name().clone(), region, says })
        });
        Verdict::from_objections(objections.collect())
    }

    /// The number that the threshold of `rule` is compared with, the higher the worse; 0 where nothing was found. `None`
    /// where there is no such rule, it has no threshold, nobody looked, or something could not be measured.
    pub fn score(&self, rule: &RuleName, views: &[(CameraId, &Findings)]) -> Option<f64> {
        if views.iter().flat_map(|(_, view)| &view.list).any(is_nowhere) || views.iter().any(is_not_found) {
            return None;
        }
        let Asked { rule, owed } = self.rules.iter().find(|asked| asked.rule.name() == rule)?;
        let rule = rule.as_rule();
        let seen = Seen::new(rule.scope(), views);
        match seen.unexamined(owed) {
            Some(_) => None,
            None => rule.score(&seen),
        }
    }

    /// The same rules with another threshold of one of them; `None` where it has none or no rule is called so.
    ///
    /// # Errors
    /// When `value` is no number.
    pub fn with_threshold(&self, rule: &RuleName, value: f32) -> Result<Option<Self>, ScoreError> {
        let mut judge = self.clone();
        let Some(asked) = judge.rules.iter_mut().find(|asked| asked.rule.name() == rule) else {
            return Ok(None);
        };
        if asked.rule.threshold().is_none() {
            return Ok(None);
        }
        asked.rule = asked.rule.with_threshold(value)?;
        Ok(Some(judge))
    }

    /// Word 15 of the register block: the rule's place in the recipe, counting from 1; for a missed part the cause's
    /// code, 100 and above; 0 for a reason that is neither.
    pub fn reason_code(&self, reason: &Reason) -> u16 {
        let rule = self.rules.iter().zip(1..).find(|(asked, _)| *asked.rule.name() == reason.rule);
        let cause = || Cause::ALL.iter().find(|cause| cause.as_str() == reason.rule.as_str());
        rule.map(|(_, place)| place).or_else(|| cause().map(|cause| cause.code())).unwrap_or(0)
    }

    /// The rules, in the order of the recipe.
    pub fn rules(&self) -> impl Iterator<Item = &RuleConfig> {
        self.rules.iter().map(|asked| &asked.rule)
    }

    /// True if a rule believes one model only, so that it matters who found what.
    pub fn asks_who(&self) -> bool {
        self.rules().any(|rule| rule.as_rule().scope().model.is_some())
    }

    /// Each class that a rule names, with the rule.
    pub fn classes_used(&self) -> impl Iterator<Item = (&RuleName, &ClassName)> {
        self.rules().flat_map(|rule| rule.classes().into_iter().map(|class| (rule.name(), class)))
    }

    /// Each region that a rule names, with the rule.
    pub fn regions_used(&self) -> impl Iterator<Item = (&RuleName, &RegionName)> {
        self.rules().filter_map(|rule| Some((rule.name(), rule.region()?)))
    }
}

fn name_problems(rules: &[RuleConfig]) -> Vec<RuleError> {
    let mut errors = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let (name, position) = (rule.name(), at + 1);
        if name.as_str().trim().is_empty() {
            errors.push(RuleError::NoName { position });
        } else if let Some(first) = rules[..at].iter().position(|before| before.name() == name) {
            errors.push(RuleError::SameName { rule: name.clone(), first: first + 1, second: position });
        } else if Cause::ALL.iter().any(|cause| cause.as_str() == name.as_str()) {
            errors.push(RuleError::ReservedName { rule: name.clone() });
        }
    }
    errors
}

/// Which camera does not show the part, where one does not.
fn not_found((camera, view): &(CameraId, &Findings)) -> Option<String> {
    let Some(Alignment::NotFound { score, score_min }) = view.alignment else { return None };
    Some(format!("{}: camera \"{camera}\", best score {score:.3}, {score_min} wanted", Cause::NotFound))
}

fn is_not_found(view: &(CameraId, &Findings)) -> bool {
    not_found(view).is_some()
}

fn is_nowhere(finding: &Finding) -> bool {
    let [x, y, w, h] = finding.box_px.into();
    let outline = finding.polygon_px.iter().flatten().flat_map(|p| [p.x, p.y]);
    let keypoints = finding.keypoints_px.iter().flatten().flat_map(|p| <[f32; 3]>::from(*p));
    ![x, y, w, h, finding.area_px].into_iter().chain(outline).chain(keypoints).all(f32::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Decision;
    use crate::rule::table::{View, view};
    use proptest::prelude::*;

    #[derive(serde::Deserialize)]
    struct Rules {
        rule: Vec<RuleConfig>,
    }

    fn rules(toml: &str) -> Vec<RuleConfig> {
        toml::from_str::<Rules>(toml).unwrap_or_else(|error| panic!("{error}")).rule
    }

    fn absence(name: &str, keys: &str) -> String {
        format!("[[rule]]\nname = '{name}'\nkind = 'absence'\nscore_min = 0.5\n{keys}\n")
    }

    fn judge(toml: &str) -> Judge {
        Judge::new(rules(toml)).unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    fn says(judge: &Judge, views: &[(&str, &View)]) -> Vec<String> {
        let views: Vec<_> = views.iter().map(|(id, view)| (CameraId::from(*id), &view.findings)).collect();
        judge.judge(&views).reasons.into_iter().map(|reason| reason.says).collect()
    }

    #[test]
    fn the_worst_opinion_wins_and_every_reason_is_kept() {
        let judge = judge(
            &[
                absence("no-scratch", "class = 'scratch'"),
                absence("no-stain", "class = 'stain'"),
                absence("no-dent", "class = 'dent'\nregion = 'face'"),
            ]
            .concat(),
        );
        let bad = view("face", &[("scratch", 0.9, [0, 0, 9, 9]), ("dent", 0.9, [0, 0, 9, 9])]);
        let verdict = judge.judge(&[("top".into(), &bad.findings)]);
        assert_eq!(verdict.decision, Decision::Fail);
        let told: Vec<_> =
            verdict.reasons.iter().map(|r| (r.rule.as_str(), r.region.as_str(), r.says.as_str())).collect();
        assert_eq!(
            told,
            [
                ("no-scratch", "face", "1 × scratch, at most 0 allowed"),
                ("no-dent", "face", "1 × dent in \"face\", at most 0 allowed"),
            ]
        );
        let codes: Vec<u16> = verdict.reasons.iter().map(|reason| judge.reason_code(reason)).collect();
        assert_eq!(codes, [1, 3]);
        assert_eq!(judge.judge(&[("top".into(), &view("face", &[]).findings)]).decision, Decision::Pass);
    }

    #[test]
    fn several_views_of_one_part_join_into_one_verdict() {
        let two = judge(
            "[[rule]]\nname = 'two'\nkind = 'count'\nclass = 'screw'\nscore_min = 0.5\nmin = 2\nmax = 2",
        );
        let top_only = judge(&absence("top-clean", "camera = 'top'"));
        let (one, none) = (view("head", &[("screw", 0.9, [0, 0, 9, 9])]), view("head", &[]));
        assert!(says(&two, &[("top", &one), ("side", &one)]).is_empty(), "one in each view is two");
        assert_eq!(says(&two, &[("top", &one), ("side", &none)]), ["1 × screw, exactly 2 wanted"]);
        assert!(says(&top_only, &[("top", &none), ("side", &one)]).is_empty());
        assert_eq!(says(&top_only, &[("side", &none)]), ["nothing was examined of camera \"top\""]);
    }

    #[test]
    fn a_rule_is_not_content_because_nobody_looked() {
        let nothing = View::default();
        let (face, back) = (view("face", &[]), view("back", &[]));
        let by_region = judge(&absence("clean", "region = 'face'"));
        let anywhere = judge(&absence("clean", ""));
        let passes = |judge: &Judge, views: &[(&str, &View)]| says(judge, views).is_empty();
        assert!(passes(&by_region, &[("top", &face)]));
        assert!(!passes(&by_region, &[("top", &back)]));
        assert!(!passes(&by_region, &[("top", &nothing)]));
        assert!(!passes(&by_region, &[]));
        assert!(passes(&by_region, &[("top", &back), ("side", &face)]));
        assert!(passes(&anywhere, &[("top", &face), ("side", &back)]));
        assert!(!passes(&anywhere, &[("top", &face), ("side", &nothing)]));
        assert!(!passes(&anywhere, &[]));
    }

    #[test]
    fn a_look_that_is_owed_and_was_not_taken_is_objected_to() {
        let look = |camera: &str, region: &str, model: &str| Look {
            camera: camera.into(),
            region: region.into(),
            model: model.into(),
        };
        let looks = [
            look("top", "face", "detector"),
            look("top", "face", "anomaly"),
            look("side", "rim", "detector"),
        ];
        let judge =
            judge(&(absence("face-clean", "region = 'face'") + &absence("rim-clean", "camera = 'side'")));
        let judge = judge.owing(&looks).unwrap();
        let (face, rim) = (view("face", &[]), view("rim", &[]));
        let whole = face.clone().scored("anomaly", "face", 0.0);
        assert!(says(&judge, &[("top", &whole), ("side", &rim)]).is_empty());
        assert_eq!(
            says(&judge, &[("top", &face), ("side", &rim)]),
            ["\"face\" of camera \"top\" was not examined by \"anomaly\""]
        );
        assert_eq!(says(&judge, &[("side", &whole), ("top", &rim)]).len(), 2, "the cameras are mixed up");
        let lost = judge.owing(&[look("front", "face", "detector")]).unwrap_err();
        assert_eq!(
            lost[0].to_string(),
            "no model examines anything of camera \"side\", so rule \"rim-clean\" would reject every part; add the \
             model or correct it"
        );
    }

    #[test]
    fn a_part_that_was_not_found_in_one_view_is_missed_and_says_so() {
        let judge = judge(&absence("clean", ""));
        let (mut found, mut gone) = (view("face", &[]), View::default());
        let pose = plumb_inspection::Pose { x: 1.0, y: 2.0, angle_deg: 0.0, scale: 1.0, score: 0.97 };
        found.findings.alignment = Some(Alignment::Found(pose));
        gone.findings.alignment = Some(Alignment::NotFound { score: 0.31, score_min: 0.7 });
        assert_eq!(judge.judge(&[("top".into(), &found.findings)]).decision, Decision::Pass);
        let verdict = judge.judge(&[("top".into(), &found.findings), ("side".into(), &gone.findings)]);
        assert_eq!(verdict.decision, Decision::Missed(Cause::NotFound));
        assert_eq!(judge.reason_code(&verdict.reasons[0]), 115);
        assert_eq!(
            verdict.reasons[0].says,
            "it was not found in its picture: camera \"side\", best score 0.310, 0.7 wanted"
        );
        assert_eq!(judge.score(&"clean".into(), &[("side".into(), &gone.findings)]), None);
    }

    #[test]
    fn a_finding_that_is_nowhere_makes_the_part_missed() {
        let judge = judge(&absence("clean", "zone_px = [0, 0, 10, 10]"));
        let spoilers: [fn(&mut Finding); 4] = [
            |f| f.box_px.x = f32::NAN,
            |f| f.area_px = f32::INFINITY,
            |f| f.polygon_px = Some(vec![[1.0, f32::NAN].into()]),
            |f| f.keypoints_px = Some(vec![[1.0, 2.0, f32::NAN].into()]),
        ];
        for spoil in spoilers {
            let mut view = view("face", &[("scratch", 0.9, [100, 100, 9, 9])]);
            assert!(says(&judge, &[("top", &view)]).is_empty());
            spoil(&mut view.findings.list[0]);
            let verdict = judge.judge(&[("top".into(), &view.findings)]);
            assert_eq!(verdict.decision, Decision::Missed(Cause::Model));
            assert_eq!(judge.reason_code(&verdict.reasons[0]), Cause::Model.code());
        }
    }

    #[test]
    fn all_that_is_wrong_with_the_rules_is_said_at_once() {
        let wrong = absence("a", "")
            + &absence("a", "")
            + &absence("", "")
            + &absence("deadline", "")
            + "[[rule]]\nname = 'c'\nkind = 'count'\nscore_min = 0.5";
        let errors = Judge::new(rules(&wrong)).unwrap_err();
        let said: Vec<String> = errors.iter().map(RuleError::to_string).collect();
        assert_eq!(
            said,
            [
                "rule \"c\" has no limit, so it could never object; give it min or max",
                "rules 1 and 2 are both called \"a\"; give each its own name",
                "rule 3 has no name; give it one, it is what the operator reads",
                "rule \"deadline\" is called like a cause for which parts are missed; call it something else",
            ]
        );
        assert_eq!(Judge::new(vec![]).unwrap_err(), [RuleError::NoRules]);
        let many: String = (0..100).map(|i| absence(&i.to_string(), "")).collect();
        assert_eq!(Judge::new(rules(&many)).unwrap_err(), [RuleError::TooManyRules { got: 100, most: 99 }]);
    }

    #[test]
    fn what_the_rules_name_can_be_checked_against_the_recipe() {
        let judge = judge(
            &(absence("clean", "class = 'dent'\nregion = 'face'")
                + "[[rule]]\nname = 'caps'\nkind = 'pairs'\neach = 'Bottle'\nhas = 'Cap'\nscore_min = 0.5"),
        );
        let classes: Vec<_> =
            judge.classes_used().map(|(rule, class)| (rule.as_str(), class.as_str())).collect();
        assert_eq!(classes, [("clean", "dent"), ("caps", "Bottle"), ("caps", "Cap")]);
        let regions: Vec<_> =
            judge.regions_used().map(|(rule, region)| (rule.as_str(), region.as_str())).collect();
        assert_eq!(regions, [("clean", "face")]);
    }

    fn with_a_threshold() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "kind = 'absence'\nscore_min = 0.5",
            "kind = 'absence'\nscore_min = 0.5\nclass = 'dent'\nregion = 'face'",
            "kind = 'count'\nscore_min = 0.5\nmax = 2",
            "kind = 'score'\nmax = 0.5\nclass = 'dent'",
            "kind = 'score'\nmax = 0.5",
            "kind = 'length'\nscore_min = 0.25\nmax_px = 30",
            "kind = 'area'\nscore_min = 0.25\nmax_px2 = 400\nof = 'sum'",
            "kind = 'area'\nscore_min = 0.25\nmax_px2 = 200\nof = 'each'",
        ])
    }

    proptest! {
        /// What a threshold would do to stored parts is what the rule does to them.
        #[test]
        fn a_rule_objects_exactly_where_its_threshold_rejects_the_score(
            rule in with_a_threshold(),
            found in prop::collection::vec(
                (prop::sample::select(vec!["dent", "stain"]), 0.01..1.0f32, 1..40i32, 1..40i32), 0..6,
            ),
            moved in 0.01..50.0f32,
        ) {
            let found: Vec<_> =
                found.iter().map(|(class, score, w, h)| (*class, *score, [5, 5, *w, *h])).collect();
            let seen = view("face", &found);
            let views = [("top".into(), &seen.findings)];
            let judge = judge(&format!("[[rule]]\nname = 'r'\n{rule}"));
            let name = RuleName::from("r");
            let score = judge.score(&name, &views).expect("it has one");
            for judge in [judge.clone(), judge.with_threshold(&name, moved).expect("a number").expect("has one")] {
                let threshold = judge.rules().next().and_then(RuleConfig::threshold).expect("it has one");
                let objects = judge.judge(&views).decision == Decision::Fail;
                prop_assert_eq!(objects, threshold.rejects(score), "{} and score {}", threshold, score);
            }
        }
    }

    #[test]
    fn what_nobody_saw_or_measured_has_no_score() {
        let name = RuleName::from("r");
        let in_mm = judge("[[rule]]\nname = 'r'\nkind = 'length'\nscore_min = 0.5\nmax_mm = 3");
        let seen = view("face", &[("dent", 0.9, [0, 0, 9, 9])]);
        assert_eq!(in_mm.score(&name, &[("top".into(), &seen.findings)]), None, "no scale");
        assert_eq!(in_mm.score(&name, &[("top".into(), &View::default().findings)]), None, "nobody looked");
        assert_eq!(in_mm.score(&name, &[("top".into(), &view("face", &[]).findings)]), Some(0.0));
        assert_eq!(in_mm.score(&RuleName::from("other"), &[("top".into(), &seen.findings)]), None);
        let pairs = "[[rule]]\nname = 'r'\nkind = 'pairs'\neach = 'Bottle'\nhas = 'Cap'\nscore_min = 0.5";
        let pairs = judge(pairs);
        assert_eq!(pairs.rules().next().and_then(RuleConfig::threshold), None);
        assert!(pairs.with_threshold(&name, 0.5).unwrap().is_none());
    }
}
