//! What a comparison says: for people, as JSON, and on paper.

use super::page::page;
use crate::{
    cli::{Exit, fail, print, say},
    comparison::Comparison,
    config::RecipePlan,
};
use plumb_inspection::RecipeName;
use plumb_ledger::{LedgerError, PartSet, Record, Truth, TruthBook};
use plumb_quality::Confidence;
use std::{collections::HashMap, path::Path};

/// How a comparison is to be told, and of what.
pub(super) struct Told<'a> {
    pub(super) recipe: &'a RecipePlan,
    pub(super) data: &'a Path,
    pub(super) set: &'a [String],
    /// By what parts were judged again.
    pub(super) how: &'a str,
    pub(super) json: bool,
    pub(super) report: Option<&'a Path>,
}

impl Told<'_> {
    pub(super) fn tell(&self, comparison: &Comparison) -> Exit {
        if let Some(file) = self.report {
            let page = page(comparison, self.recipe, self.set, self.how, self.data);
            if let Err(error) = std::fs::write(file, page.html()) {
                return fail(Exit::Device, format!("{} cannot be written: {error}", file.display()));
            }
            say(&format!("{}: print it from a browser", file.display()));
        }
        let confidence = Confidence::NINETY_FIVE;
        match self.json {
            true => print(format!("{:#}\n", comparison.document(confidence)).as_bytes()),
            false => print(comparison.words(confidence).as_bytes()),
        }
    }
}

/// One look at a part: its id and when it was triggered, in µs.
pub(super) fn look(record: &Record) -> (u32, i64) {
    (record.part_id.get(), record.triggered_at.as_microsecond())
}

/// What people said of parts that `recipe` looked at. A threshold that was chosen on some parts is not compared on them, or
/// it would flatter itself: only those that certify count.
pub(super) fn truths(data: &Path, recipe: &RecipeName) -> Result<HashMap<(u32, i64), Truth>, LedgerError> {
    let witnessed = TruthBook::new(data).witnessed(recipe)?;
    let certify = witnessed.into_iter().filter(|witnessed| witnessed.part_set == PartSet::Certify);
    Ok(certify.map(|witnessed| (look(&witnessed.record), witnessed.truth)).collect())
}
