//! What was taught, in words, as JSON and on the card. Never "0 %": a share of parts comes with its bound.

use super::{
    Bad, Told,
    pictures::Prepared,
    source::Source,
    write::{METHOD, Place},
};
use crate::config::ViewPlan;
use plumb_inspection::{ColourOrder, TensorSpec};
use plumb_quality::{Confidence, GoodOnly, Share, parts_needed};
use plumb_teach::{
    Kind, Lesson,
    compose::FeatureGraph,
    pictures::{Doubt, Rival, Shortcut},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

const SURE: Confidence = Confidence::NINETY_FIVE;

/// Good parts that score highest, shown first.
const WORST_SHOWN: usize = 5;

/// What goes into the taught file's own free text.
pub(super) fn note(view: &ViewPlan, source: &Source, lesson: &Lesson, parts: usize) -> String {
    let note = json!({
        "schema": "plumb.teach.note/1", "recipe": view.recipe, "region": view.region, "parts": parts,
        "memory": lesson.fit.memory.kind(), "patches": lesson.fit.memory.patches(),
        "features": { "name": source.name, "sha256": source.sha256, "taps": source.taps() },
        "unit": { "score": lesson.limit.limit, "map": lesson.map_limit.limit },
    });
    note.to_string()
}

/// A card to be written.
pub(super) struct CardText<'t> {
    pub(super) place: &'t Place,
    pub(super) view: &'t ViewPlan,
    pub(super) source: &'t Source,
    pub(super) graph: &'t FeatureGraph,
    pub(super) lesson: &'t Lesson,
    /// Names of the map and of the score.
    pub(super) outputs: &'t [String; 2],
}

impl CardText<'_> {
    /// For the model in `file` beside the card, taught with `pictures`.
    pub(super) fn text(&self, file: &str, sha256: &str, pictures: &[&Prepared]) -> String {
        let Self { view, source, lesson, .. } = self;
        let TensorSpec { width, height, colour, .. } = self.graph.spec;
        let colour = if colour == ColourOrder::Grey { "grey" } else { "rgb" };
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let mut of_all = Sha256::new();
        pictures.iter().for_each(|picture| of_all.update(&picture.sha256));
        let of_all: String = of_all.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let trained_on = format!(
            "{} good parts, region \"{}\" of recipe \"{}\"; SHA-256 over the pictures' own, in their order: {of_all}",
            pictures.len(),
            view.region,
            view.recipe
        );
        let method = format!(
            "{METHOD} nearest good patch {}, {} patches; features {} ({}), SHA-256 {}",
            match lesson.fit.memory.kind() {
                Kind::InPlace => "of the same place within one cell",
                Kind::Anywhere => "of any place",
            },
            lesson.fit.memory.patches(),
            source.name,
            source.taps().join(", "),
            source.sha256
        );
        format!(
            "# Written by `plumb teach`. The model's unit is its own limit: a part that scores above 1 does not look as taught.\n\
             # A rule for it: kind = \"score\", region = {region}, max = 1.0. Teaching again writes this card anew.\n\
             name = {name}\nfile = {file}\nsha256 = \"{sha256}\"\nlabels = [\"anomaly\"]\n\n\
             [family]\nkind = \"anomaly\"\nmap = {map}\nscore = {score}\nmap_min = 1.0\n\n\
             [input]\nwidth = {width}\nheight = {height}\ncolour = \"{colour}\"\nlayout = \"nhwc\"\nelement = \"u8\"\n\n\
             [about]\ntrained_on = {trained_on}\nmethod = {method}\naccuracy = {accuracy}\n",
            region = quoted(view.region.as_str()),
            name = quoted(&self.place.stem),
            file = quoted(file),
            map = quoted(&self.outputs[0]),
            score = quoted(&self.outputs[1]),
            trained_on = quoted(&trained_on),
            method = quoted(&method),
            accuracy = quoted(&worth(&lesson.limit)),
        )
    }
}

/// What the limit is worth.
fn worth(limit: &GoodOnly) -> String {
    format!(
        "good parts above the limit, each under a memory that had not seen it: {}, 95 % sure; a new good part is above it in \
         {} on the average; of defects nothing is known from good parts alone",
        limit.rejected.says(SURE),
        percent(limit.on_average_max)
    )
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// One doubt in words.
pub(super) fn doubt(doubt: &Doubt) -> String {
    match *doubt {
        Doubt::Odd { deviations } => {
            format!("looks like no other good part: {deviations:.1} robust deviations above the middle one")
        }
        Doubt::Blurred { of_middle } => {
            format!("blurred: {:.0} % as sharp as the middle one", of_middle * 100.0)
        }
        Doubt::Light { grey_levels } if grey_levels < 0.0 => {
            format!("darker than the others by {:.0} grey levels", -grey_levels)
        }
        Doubt::Light { grey_levels } => format!("lighter than the others by {grey_levels:.0} grey levels"),
        Doubt::Moved { right, down } => {
            let (right, down) = (right * 100.0, down * 100.0);
            format!("lies elsewhere: {right:+.0} % of the width to the right, {down:+.0} % down")
        }
    }
}

/// What `count` good parts can and cannot claim.
fn claims(limit: &GoodOnly) -> Vec<String> {
    let count = limit.rejected.trials();
    let mut lines = Vec::new();
    if !limit.is_kept() {
        lines.push(format!(
            "{count} parts cannot promise {} on the average: that takes {}; the limit is the highest score of a good part",
            percent(limit.wanted_max),
            limit.needed
        ));
    }
    let needed = parts_needed(0, limit.wanted_max, SURE);
    if let Some(needed) = needed.filter(|needed| *needed > count) {
        lines.push(format!(
            "to say it 95 % sure takes {needed} good parts with none above the limit; what {count} say is at most {}",
            percent(limit.at_most(SURE))
        ));
    }
    lines.push("how many defects pass is not known from good parts: --bad shows some, `plumb threshold suggest` bounds it".to_owned());
    lines
}

pub(super) fn words(told: &Told<'_>) -> String {
    let Told { lesson, view, graph, .. } = told;
    let mut out =
        format!("recipe \"{}\", region \"{}\": {}\n", view.recipe, view.region, told.place.card.display());
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "  {name:<9} {text}"); // writing to a string does not fail
    };
    let copies = told.alike.copies().count();
    let copies = if copies == 0 {
        String::new()
    } else {
        format!(", {copies} more show the same as another and were left out")
    };
    line("learned", format!("{} good parts{copies}, in {:.1} s", told.learned.len(), told.seconds));
    let kind = match lesson.fit.memory.kind() {
        Kind::InPlace => "in place",
        Kind::Anywhere => "anywhere",
    };
    line(
        "memory",
        format!(
            "{kind}, {} patches, {} x {} cells of {} numbers; {}",
            lesson.fit.memory.patches(),
            graph.grid.columns,
            graph.grid.rows,
            lesson.fit.scaling.channels(),
            lesson.why
        ),
    );
    line(
        "limit",
        format!(
            "good parts above it {}; {} on the average",
            lesson.limit.rejected.says(SURE),
            percent(lesson.limit.on_average_max)
        ),
    );
    for claim in claims(&lesson.limit) {
        line("", claim);
    }
    for (i, (name, score)) in worst(told).into_iter().enumerate() {
        line(if i == 0 { "worst" } else { "" }, format!("{score:.3}  {name}"));
    }
    for (i, (of, found)) in told.doubts.iter().enumerate() {
        line(if i == 0 { "doubts" } else { "" }, format!("{}  {}", told.good[*of].name, doubt(found)));
    }
    if let Some(bad) = &told.bad {
        line(
            "bad",
            format!(
                "escapes {}",
                escapes(bad).map_or_else(|| "none to see it on".to_owned(), |share| share.says(SURE))
            ),
        );
        if let Some(shortcut) = &bad.shortcut {
            let auc = |auc: plumb_quality::Auc| {
                format!("{:.3} ({:.3} to {:.3})", auc.seen, auc.interval.lower, auc.interval.upper)
            };
            line(
                "AUC",
                format!(
                    "{}   border alone {}   brightness alone {}",
                    auc(shortcut.model),
                    auc(shortcut.border),
                    auc(shortcut.brightness)
                ),
            );
            for rival in shortcut.rivals() {
                line("warning", warning(rival).to_owned());
            }
        }
        let mut lowest: Vec<(f32, &String)> = bad.scores.iter().copied().zip(&bad.names).collect();
        lowest.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (i, (score, name)) in lowest.into_iter().take(WORST_SHOWN).enumerate() {
            line(if i == 0 { "lowest" } else { "" }, format!("{score:.3}  {name}"));
        }
    }
    let _ = write!(
        out,
        "\na rule for it:\n[[rule]]\nname = \"as-taught\"\nkind = \"score\"\nregion = \"{}\"\nmax = 1.0\n",
        view.region
    );
    out
}

fn warning(rival: Rival) -> &'static str {
    match rival {
        Rival::Border => {
            "the border of the pictures alone tells good from bad: it may be the background that is judged; draw the region \
             (rect_px) around the part, or follow it with [align]"
        }
        Rival::Brightness => {
            "how bright the pictures are alone tells good from bad: it may be the light that is judged; take good and bad \
             ones in the same light, or even it out (`plumb calibrate light`)"
        }
    }
}

fn escapes(bad: &Bad) -> Option<Share> {
    Share::of(&bad.scores, |score| *score <= 1.0).ok()
}

/// The good parts that scored highest unseen, in units of the limit.
fn worst<'t>(told: &'t Told<'_>) -> Vec<(&'t str, f64)> {
    let scores = told.lesson.unseen.iter().map(|unseen| f64::from(unseen.score) / told.lesson.limit.limit);
    let mut scores: Vec<(&str, f64)> =
        told.learned.iter().map(|i| told.good[*i].name.as_str()).zip(scores).collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    scores.truncate(WORST_SHOWN);
    scores
}

pub(super) fn document(told: &Told<'_>) -> String {
    let Told { lesson, view, source, graph, .. } = told;
    let scores: Vec<Value> = told
        .learned
        .iter()
        .zip(&lesson.unseen)
        .map(|(i, unseen)| {
            json!({
                "picture": told.good[*i].name, "sha256": told.good[*i].sha256,
                "score": f64::from(unseen.score) / lesson.limit.limit, "peak": f64::from(unseen.peak) / lesson.map_limit.limit,
            })
        })
        .collect();
    let name = |i: usize| told.good[i].name.as_str();
    let copies: Vec<Value> =
        told.alike.copies().map(|(copy, of)| json!({ "picture": name(copy), "of": name(of) })).collect();
    let doubts: Vec<Value> = told
        .doubts
        .iter()
        .map(|(i, found)| json!({ "picture": name(*i), "kind": word(found), "says": doubt(found) }))
        .collect();
    let bad = told.bad.as_ref().map(|bad| {
        let scores: Vec<Value> = bad
            .names
            .iter()
            .zip(&bad.scores)
            .map(|(name, score)| json!({ "picture": name, "score": score }))
            .collect();
        let rivals = bad.shortcut.as_ref().map(Shortcut::rivals);
        json!({
            "scores": scores, "auc": bad.shortcut, "shortcuts": rivals, "escapes": escapes(bad),
            "escapes_at_most": escapes(bad).map(|share| share.at_most(SURE)),
        })
    });
    let limit = json!({
        "false_rejects": lesson.limit.rejected, "false_rejects_at_most": lesson.limit.at_most(SURE), "confidence": SURE.get(),
        "on_average_at_most": lesson.limit.on_average_max, "wanted_at_most": lesson.limit.wanted_max,
        "kept": lesson.limit.is_kept(), "parts_needed": lesson.limit.needed, "claims": claims(&lesson.limit),
        "distance": lesson.limit.limit, "distance_map": lesson.map_limit.limit,
    });
    let document = json!({
        "schema": "plumb.teach/1", "recipe": view.recipe, "region": view.region, "card": told.place.card,
        "features": { "name": source.name, "sha256": source.sha256, "taps": source.taps() },
        "memory": {
            "kind": lesson.fit.memory.kind(), "why": lesson.why, "patches": lesson.fit.memory.patches(),
            "rows": graph.grid.rows, "columns": graph.grid.columns, "channels": lesson.fit.scaling.channels(),
        },
        "good": scores, "copies": copies, "doubts": doubts, "limit": limit, "bad": bad, "seconds": told.seconds,
    });
    format!("{document:#}\n")
}

fn word(doubt: &Doubt) -> &'static str {
    match doubt {
        Doubt::Odd { .. } => "odd",
        Doubt::Blurred { .. } => "blurred",
        Doubt::Light { .. } => "light",
        Doubt::Moved { .. } => "moved",
    }
}
