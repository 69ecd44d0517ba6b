//! `[challenge]`: the known parts that must be told right before the station may judge, and when.

use super::{
    document::Document,
    problem::{Problems, suggest},
    recipe::RecipePlan,
};
use plumb_inspection::{RecipeName, RecipeNumber};
use plumb_verdict::RuleName;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Known parts of one recipe, at most: a challenge that takes longer is not done.
const PARTS_MAX: usize = 24;

/// `[challenge]` as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChallengeSection {
    /// When it is due.
    #[serde(default = "always")]
    due: BTreeSet<Due>,
    /// All parts must be presented within so many minutes.
    #[serde(default = "ten")]
    minutes: u64,
    /// In the order in which they are presented.
    #[serde(default, rename = "part")]
    parts: Vec<PartSection>,
}

fn always() -> BTreeSet<Due> {
    BTreeSet::from([Due::Start, Due::Shift, Due::Changeover])
}
fn ten() -> u64 {
    10
}

/// `[[challenge.part]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartSection {
    /// As on its label.
    name: String,
    /// The recipe that it belongs to.
    recipe: RecipeName,
    /// What the machine must say of it.
    expect: Expected,
    /// The rule that must object.
    #[serde(default)]
    rule: Option<RuleName>,
    /// Where it lies and how it is presented, for the operator.
    #[serde(default)]
    note: String,
}

/// When a challenge is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// Each time the station starts.
    Start,
    /// At each time of `[console] shifts`.
    Shift,
    /// After each change to another recipe, or to another version of the same.
    Changeover,
}

/// What the machine must say of a known part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// A golden part.
    Pass,
    /// A red rabbit.
    Fail,
}

impl Expected {
    /// The verdict's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}

/// When known parts must be told right, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengePlan {
    /// When it is due.
    pub due: BTreeSet<Due>,
    /// From its beginning to the last part.
    pub within: Duration,
    /// In the order in which they are presented; never empty. A recipe that is not here is not challenged.
    pub parts: BTreeMap<RecipeName, Vec<KnownPart>>,
}

/// A part of which is known what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPart {
    /// As on its label.
    pub name: String,
    /// What the machine must say of it.
    pub expect: Expected,
    /// The rule that must object; any, where none is named.
    pub rule: Option<RuleName>,
    /// Where it lies and how it is presented.
    pub note: String,
}

/// Reads the section, where there is one, and checks its names against the recipes.
pub(super) fn read(
    document: &Document,
    recipes: &BTreeMap<RecipeNumber, RecipePlan>,
    problems: &mut Problems,
) -> Option<ChallengePlan> {
    if !document.has(&["challenge"]) {
        return None;
    }
    let section: ChallengeSection = document.take(&["challenge"], problems)?;
    if section.due.is_empty() {
        let says = "due is empty, so no challenge would ever be due";
        let problem = document.problem(&["challenge", "due"], says);
        problems.push(problem.hint("name \"start\", \"shift\" or \"changeover\", or take the section out"));
    }
    if !(1..=120).contains(&section.minutes) {
        let says = format!("minutes is {}; it can be 1 to 120", section.minutes);
        problems.push(document.problem(&["challenge", "minutes"], says));
    }
    if section.parts.is_empty() {
        let problem = document.problem(&["challenge"], "there is no known part to present");
        problems.push(problem.hint("add a [[challenge.part]] with name, recipe and expect"));
    }
    let mut parts = BTreeMap::<RecipeName, Vec<KnownPart>>::new();
    for (at, part) in section.parts.into_iter().enumerate() {
        let at = at.to_string();
        let place = |key| ["challenge", "part", &at, key];
        let PartSection { name, recipe, expect, rule, note } = part;
        if name.trim().is_empty() {
            problems.push(document.problem(&place("name"), "a known part has a name, as on its label"));
        }
        let Some(plan) = recipes.values().find(|plan| plan.name == recipe) else {
            let names = recipes.values().map(|plan| plan.name.as_str());
            let hint = suggest(recipe.as_str(), names);
            let says = format!("there is no recipe \"{recipe}\"");
            problems.push(document.problem(&place("recipe"), says).hint(hint));
            continue;
        };
        if let Some(rule) = &rule {
            let mut names = plan.judge.rules().map(|rule| rule.name().as_str());
            if expect == Expected::Pass {
                let says = format!("part \"{name}\" is to pass, so no rule objects; take `rule` out");
                problems.push(document.problem(&place("rule"), says));
            } else if !names.any(|known| known == rule.as_str()) {
                let hint = suggest(rule.as_str(), plan.judge.rules().map(|rule| rule.name().as_str()));
                let says = format!("recipe \"{recipe}\" has no rule \"{rule}\"");
                problems.push(document.problem(&place("rule"), says).hint(hint));
            }
        }
        let of_recipe = parts.entry(recipe.clone()).or_default();
        if of_recipe.iter().any(|other| other.name == name) {
            let says = format!("a second known part of recipe \"{recipe}\" is called \"{name}\"");
            problems.push(document.problem(&place("name"), says));
        }
        if of_recipe.len() == PARTS_MAX {
            let says = format!("recipe \"{recipe}\" has more than {PARTS_MAX} known parts");
            problems.push(document.problem(&place("recipe"), says));
        }
        of_recipe.push(KnownPart { name, expect, rule, note });
    }
    for (recipe, parts) in &parts {
        if parts.iter().all(|part| part.expect == Expected::Pass) {
            let says = format!(
                "no known part of recipe \"{recipe}\" is to be rejected, so a station that passes everything would do"
            );
            let problem = document.problem(&["challenge"], says);
            problems.push(problem.hint("add one with expect = \"fail\""));
        }
    }
    let within = Duration::from_secs(60 * section.minutes);
    Some(ChallengePlan { due: section.due, within, parts })
}
