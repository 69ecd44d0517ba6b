//! What a look for a threshold found, in words and as JSON. Never "0 %": every share comes with its bound.

use crate::{
    config::RecipePlan,
    evidence::{CAUGHT_ANYWAY, Evidence, Pieces},
};
use plumb_quality::{Confidence, Infeasible, Roc, Share, Suggestion, Zones};
use plumb_verdict::{RuleName, Threshold};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Everything there is to tell.
pub(super) struct Told<'t> {
    pub(super) recipe: &'t RecipePlan,
    pub(super) rule: RuleName,
    /// As the recipe has it.
    pub(super) threshold: Threshold,
    pub(super) escape_max: f64,
    pub(super) confidence: Confidence,
    pub(super) evidence: &'t Evidence,
    /// Escapes and false rejects of the threshold as it is.
    pub(super) now: (Option<Share>, Option<Share>),
    /// Defective pieces that the promise takes at least, with none escaping.
    pub(super) needed: Option<u64>,
    /// These need good and defective pieces in the certifying set.
    pub(super) roc: Option<Roc>,
    pub(super) suggestion: Option<Result<Suggestion, Infeasible>>,
    pub(super) on_average: Option<Result<Suggestion, Infeasible>>,
    pub(super) zones: Option<Zones>,
}

impl Told<'_> {
    /// How a score reads as this rule's threshold.
    fn key(&self, score: f64) -> String {
        if score >= CAUGHT_ANYWAY {
            return format!("{}: any value does, other rules reject these parts", self.threshold.key);
        }
        self.threshold.from_which(score).to_string()
    }
}

pub(super) fn words(told: &Told<'_>) -> String {
    let mut out = format!("recipe \"{}\", rule \"{}\" ({})\n", told.recipe.name, told.rule, told.threshold);
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "  {name:<9} {text}"); // writing to a string does not fail
    };
    let Evidence { tune, certify, left_out, .. } = told.evidence;
    let sure = format!("{} % sure", told.confidence.get() * 100.0);
    line("tune", counted(tune));
    line("certify", counted(certify));
    let shares = |escapes: Option<Share>, false_rejects: Option<Share>| {
        let says = |share: Option<Share>| match share {
            Some(share) => share.says(told.confidence),
            None => "none to see it on".to_owned(),
        };
        format!("escapes {}   false rejects {}", says(escapes), says(false_rejects))
    };
    line("now", format!("{}   {}", told.threshold, shares(told.now.0, told.now.1)));
    if let Some(roc) = &told.roc {
        let Roc { auc, .. } = roc;
        line("AUC", format!("{:.4} ({:.4} to {:.4})", auc.seen, auc.interval.lower, auc.interval.upper));
    }
    let percent = told.escape_max * 100.0;
    match &told.suggestion {
        Some(Ok(found)) => line(
            "suggested",
            format!(
                "{}   {}   [{sure}]",
                told.key(found.threshold),
                shares(Some(found.escapes), Some(found.false_rejects))
            ),
        ),
        Some(Err(infeasible)) => line("suggested", format!("nothing: {infeasible}")),
        None => line("suggested", nothing_to_prove_with(certify, told.needed)),
    }
    match &told.on_average {
        Some(Ok(found)) => line(
            "average",
            format!(
                "{}   keeps {percent} % on the average over such studies, in a single one it may be more",
                told.key(found.threshold)
            ),
        ),
        Some(Err(infeasible)) => line("average", format!("nothing: {infeasible}")),
        None => {}
    }
    if let Some(zones) = &told.zones {
        line(
            "zones",
            format!(
                "pass below {}, reject from {}, a person looks between: {} good and {} defective of the set",
                zones.review_from,
                zones.reject_from,
                zones.good_in_review.events(),
                zones.defective_in_review.events()
            ),
        );
    }
    for left in left_out {
        line("left out", format!("{}: {}", left.inspections, left.why));
    }
    out + "Counted are pieces, not pictures; they must be independent and like those of production. The guarantee holds for\nthe certifying set alone, and for the models and rules as they are now.\n"
}

fn counted(pieces: &Pieces) -> String {
    format!("{} defective and {} good pieces", pieces.defective.len(), pieces.good.len())
}

fn nothing_to_prove_with(certify: &Pieces, needed: Option<u64>) -> String {
    let missing = match (certify.defective.len(), certify.good.len()) {
        (0, _) => "defective",
        _ => "good",
    };
    let needed = needed.map_or_else(String::new, |needed| {
        format!("; the promise takes at least {needed} defective ones, none escaping")
    });
    format!(
        "nothing: there is no {missing} piece to prove it with{needed}; say what parts were with `plumb parts judge`"
    )
}

pub(super) fn document(told: &Told<'_>) -> Value {
    let share = |share: Share| {
        let interval = share.interval(told.confidence);
        json!({
            "events": share.events(), "of": share.trials(), "at_most": share.at_most(told.confidence),
            "lower": interval.lower, "upper": interval.upper,
        })
    };
    let suggestion = |found: &Option<Result<Suggestion, Infeasible>>| match found {
        Some(Ok(found)) => json!({
            "value": told.threshold.from_which(found.threshold).value,
            "guarantee": found.guarantee,
            "escapes": share(found.escapes),
            "false_rejects": share(found.false_rejects),
        }),
        Some(Err(infeasible)) => json!({
            "infeasible": infeasible.to_string(), "defective": infeasible.defective, "needed": infeasible.needed,
        }),
        None => {
            json!({ "infeasible": nothing_to_prove_with(&told.evidence.certify, told.needed), "needed": told.needed })
        }
    };
    let pieces = |pieces: &Pieces| json!({ "good": pieces.good.len(), "defective": pieces.defective.len() });
    json!({
        "schema": "plumb.threshold/1",
        "recipe": told.recipe.name,
        "recipe_digest": told.recipe.digest,
        "rule": told.rule,
        "key": told.threshold.key,
        "escape_max": told.escape_max,
        "confidence": told.confidence,
        "tune": pieces(&told.evidence.tune),
        "certify": pieces(&told.evidence.certify),
        "now": {
            "value": told.threshold.value,
            "escapes": told.now.0.map(share),
            "false_rejects": told.now.1.map(share),
        },
        "auc": told.roc.as_ref().map(|roc| &roc.auc),
        "average_precision": told.roc.as_ref().map(|roc| roc.average_precision),
        "suggested": suggestion(&told.suggestion),
        "on_average": suggestion(&told.on_average),
        "zones": told.zones,
        "left_out": told.evidence.left_out,
    })
}
