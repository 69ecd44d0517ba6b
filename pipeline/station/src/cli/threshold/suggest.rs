//! `plumb threshold suggest`: what the certifying set proves, what it cannot, and how many more parts that would take.

use super::say::{Told, document, words};
use crate::{
    cli::{Exit, fail, parts::WhichLedger, print},
    config::{self, RecipePlan},
    evidence::{Evidence, Pieces},
};
use plumb_ledger::{LedgerError, TruthBook};
use plumb_quality::{Confidence, Roc, Scores, Share, parts_needed, suggest, suggest_on_average, zones};
use plumb_verdict::{RuleName, Threshold};

/// Arguments of `plumb threshold suggest`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Suggest {
    /// The recipe, by name.
    #[arg(long, value_name = "NAME")]
    recipe: String,
    /// The rule whose threshold is meant; not needed where only one has any.
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// At most this share of defective parts may pass.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = share)]
    escape: f64,
    /// How sure that has to be.
    #[arg(long, value_name = "LEVEL", default_value = "0.95", value_parser = confidence)]
    confidence: Confidence,
    /// Three zones: at most this share of good parts may be rejected without a person's look.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    false_reject: Option<f64>,
    #[command(flatten)]
    which: WhichLedger,
    /// One JSON document on stdout, schema plumb.threshold/1.
    #[arg(long)]
    json: bool,
}

impl Suggest {
    pub(super) fn run(self) -> Exit {
        let plan = match config::read(self.which.station()) {
            Ok(plan) => plan,
            Err(problems) => return fail(Exit::Config, format!("the config has problems\n{problems}")),
        };
        let known = || plan.recipes.values().map(|r| r.name.as_str()).collect::<Vec<_>>().join(", ");
        let Some(recipe) = plan.recipes.values().find(|recipe| recipe.name.as_str() == self.recipe) else {
            let says = format!("there is no recipe \"{}\"; the station has {}", self.recipe, known());
            return fail(Exit::Usage, says);
        };
        let (rule, threshold) = match rule_of(recipe, self.rule.as_deref()) {
            Ok(found) => found,
            Err(says) => return fail(Exit::Usage, says),
        };
        let folder = match self.which.folder() {
            Ok(folder) => folder,
            Err(exit) => return exit,
        };
        let witnessed = match TruthBook::new(&folder).witnessed(&recipe.name) {
            Ok(witnessed) => witnessed,
            Err(error @ LedgerError::Absent { .. }) => return fail(Exit::Usage, error),
            Err(error) => return fail(Exit::Device, error),
        };
        let evidence = Evidence::of(&witnessed, recipe, &rule);
        let told = self.look(recipe, rule, threshold, &evidence);
        let printed = match self.json {
            true => print(format!("{:#}\n", document(&told)).as_bytes()),
            false => print(words(&told).as_bytes()),
        };
        match printed {
            Exit::Ok if told.suggestion.as_ref().is_none_or(Result::is_err) => Exit::Finding,
            exit => exit,
        }
    }

    fn look<'t>(
        &self,
        recipe: &'t RecipePlan,
        rule: RuleName,
        threshold: Threshold,
        evidence: &'t Evidence,
    ) -> Told<'t> {
        let scores = Scores::new(evidence.certify.good.clone(), evidence.certify.defective.clone()).ok();
        let with = |pieces: &Pieces, kind: Kind| share_of(pieces, kind, threshold);
        Told {
            recipe,
            rule,
            threshold,
            escape_max: self.escape,
            confidence: self.confidence,
            evidence,
            now: (with(&evidence.certify, Kind::Escapes), with(&evidence.certify, Kind::FalseRejects)),
            needed: parts_needed(0, self.escape, self.confidence),
            roc: scores.as_ref().map(|scores| Roc::of(scores, self.confidence)),
            suggestion: scores.as_ref().map(|scores| suggest(scores, self.escape, self.confidence)),
            on_average: scores.as_ref().map(|scores| suggest_on_average(scores, self.escape)),
            zones: self.false_reject.and_then(|false_reject| {
                let scores = scores.as_ref()?;
                zones(scores, self.escape, false_reject, self.confidence).ok()
            }),
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Escapes,
    FalseRejects,
}

/// What the recipe's present threshold does; `None` without a piece to see it on.
fn share_of(pieces: &Pieces, kind: Kind, threshold: Threshold) -> Option<Share> {
    match kind {
        Kind::Escapes => Share::of(&pieces.defective, |score| !threshold.rejects(*score)).ok(),
        Kind::FalseRejects => Share::of(&pieces.good, |score| threshold.rejects(*score)).ok(),
    }
}

/// The rule that is meant, and its threshold.
fn rule_of(recipe: &RecipePlan, wanted: Option<&str>) -> Result<(RuleName, Threshold), String> {
    let with: Vec<(&RuleName, Threshold)> =
        recipe.judge.rules().filter_map(|rule| Some((rule.name(), rule.threshold()?))).collect();
    let names = with.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    if with.is_empty() {
        return Err(format!(
            "no rule of recipe \"{}\" has a threshold that scores could be compared with: presence and pairs ask \
             whether something is there, and a rule with two limits has two thresholds",
            recipe.name
        ));
    }
    match wanted {
        Some(wanted) => with
            .iter()
            .find(|(name, _)| name.as_str() == wanted)
            .map(|(name, threshold)| ((*name).clone(), *threshold))
            .ok_or_else(|| {
                format!(
                    "recipe \"{}\" has no rule \"{wanted}\" with a threshold; it has {names}",
                    recipe.name
                )
            }),
        None if with.len() == 1 => Ok((with[0].0.clone(), with[0].1)),
        None => Err(format!(
            "recipe \"{}\" has several rules with a threshold: {names}; name one with --rule",
            recipe.name
        )),
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| {
        "a share lies between 0 and 1, as 0.01 for 1 %; that none escapes, nothing can prove".to_owned()
    })
}

fn confidence(text: &str) -> Result<Confidence, String> {
    let level = text.parse().map_err(|_| "a confidence is a number, as 0.95".to_owned())?;
    Confidence::new(level).map_err(|error| error.to_string())
}
