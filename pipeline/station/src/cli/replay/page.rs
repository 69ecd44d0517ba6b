//! A comparison on paper, with the pictures of parts that would change.

use crate::{comparison::Comparison, config::RecipePlan};
use plumb_ledger::Truth;
use plumb_quality::{Confidence, Share};
use plumb_report::{Block, Page, Picture, Table, Tone};
use std::path::Path;

/// More pictures than that nobody looks at, and a browser must still open the page.
pub(super) const PICTURES_MAX: usize = 60;

pub(super) fn page(told: &Comparison, recipe: &RecipePlan, set: &[String], how: &str, data: &Path) -> Page {
    let confidence = Confidence::NINETY_FIVE;
    let changed = if set.is_empty() { "the recipe as it is now".to_owned() } else { set.join(", ") };
    let row = |name: &str, shares: Option<[Share; 2]>| match shares {
        Some([before, after]) => [name.to_owned(), before.says(confidence), after.says(confidence)],
        None => [name.to_owned(), "not known".to_owned(), "not known".to_owned()],
    };
    let table = Table::new(["of parts whose truth is known", "before", "after"])
        .row(row("escapes", told.escapes))
        .row(row("false rejects", told.false_rejects));
    let [better, worse] = told.discordant;
    let note = match told.p {
        None => (Tone::Careful, "No known part is judged otherwise: nothing is shown either way.".to_owned()),
        Some(p) if p > 0.05 => (
            Tone::Careful,
            format!(
                "{better} known parts become right and {worse} wrong: chance alone may do that (p = {p:.4})."
            ),
        ),
        Some(p) if better > worse => (
            Tone::Good,
            format!("{better} known parts become right and {worse} wrong: hardly by chance (p = {p:.4})."),
        ),
        Some(p) => (
            Tone::Bad,
            format!("{worse} known parts become wrong and {better} right: hardly by chance (p = {p:.4})."),
        ),
    };
    let mut result = vec![
        Block::Text(format!(
            "{} parts: {} that passed would be rejected, {} that were rejected would pass.",
            told.parts, told.newly_rejected, told.newly_passed
        )),
        Block::Note(note.0, note.1),
        Block::Table(table),
    ];
    if !told.left_out.is_empty() {
        let rows = told.left_out.iter().map(|(why, parts)| [parts.to_string(), why.clone()]);
        result.push(Block::Table(Table::new(["left out", "why"]).rows(rows)));
    }
    result.extend(told.notes.iter().map(|note| Block::Note(Tone::Careful, note.clone())));
    let flips = told.flips.iter().take(500).map(|flip| {
        [
            flip.part_id.get().to_string(),
            flip.before.as_str().to_owned(),
            flip.after.as_str().to_owned(),
            flip.truth.map_or("", Truth::as_str).to_owned(),
            flip.why.clone().unwrap_or_default(),
        ]
    });
    let mut page = Page::new(format!("Replay of recipe {}", recipe.name))
        .fact("Compared with", changed)
        .fact("Judged again by", how)
        .fact("Recipe digest", recipe.digest.clone())
        .fact("Ledger", data.display().to_string())
        .fact("Bounds", "95 % confidence, Clopper and Pearson; McNemar exact")
        .section("Result", result)
        .section(
            format!("Parts that would change ({})", told.flips.len()),
            vec![Block::Table(Table::new(["part", "before", "after", "really", "why"]).rows(flips))],
        );
    let pictures: Vec<Picture> = told
        .flips
        .iter()
        .filter_map(|flip| {
            let path = flip.picture.as_ref()?;
            let bytes = std::fs::read(data.join(path)).ok()?;
            let media_type = if path.ends_with(".png") { "image/png" } else { "image/jpeg" };
            let says = format!("part {}: {} → {}", flip.part_id, flip.before.as_str(), flip.after.as_str());
            Some(Picture { bytes, media_type, says })
        })
        .take(PICTURES_MAX)
        .collect();
    if !pictures.is_empty() {
        page = page.section("Their pictures, as far as they were kept", vec![Block::Pictures(pictures)]);
    }
    page.to_sign(["Reviewed", "Approved"])
}
