//! `plumb model list`: every model that the recipes name or the ledger knows.

use super::known::{self, Known};
use crate::{
    cli::{Exit, fail, print, station_file},
    config,
};
use plumb_ledger::{LedgerError, ModelBook, Reader, ShadowSummary};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Arguments of `plumb model list`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct List {
    /// The station's config; recipes are read from the folder `recipes` beside it.
    file: Option<PathBuf>,
    /// One JSON document on stdout, schema plumb.model_list/1.
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(self) -> Exit {
        let plan = match config::read(&station_file(self.file)) {
            Ok(plan) => plan,
            Err(problems) => return fail(Exit::Config, format!("the config has problems\n{problems}")),
        };
        let (book, reader) = (ModelBook::new(&plan.station.data), Reader::new(&plan.station.data));
        let told = known::all(&plan, &book).and_then(|known| {
            known.into_iter().map(|known| Ok((account(&reader, &known)?, known))).collect()
        });
        let told: Vec<(Option<ShadowSummary>, Known)> = match told {
            Ok(told) => told,
            Err(error) => return fail(Exit::Device, error),
        };
        if self.json {
            let models: Vec<Value> =
                told.iter().map(|(shadow, known)| as_json(shadow.as_ref(), known)).collect();
            let document = json!({ "schema": "plumb.model_list/1", "models": models });
            return print(format!("{document:#}\n").as_bytes());
        }
        print(table(&told).as_bytes())
    }
}

/// What it did as a shadow, if it ever was one.
fn account(reader: &Reader, known: &Known) -> Result<Option<ShadowSummary>, LedgerError> {
    match known.entry {
        Some(_) => reader.shadow_summary(&known.model.digest),
        None => Ok(None),
    }
}

fn as_json(shadow: Option<&ShadowSummary>, known: &Known) -> Value {
    let entry = known.entry.as_ref();
    json!({
        "name": known.model.name,
        "digest": known.model.digest,
        "family": known.model.family,
        "state": entry.map(|entry| entry.state),
        "since": entry.map(|entry| format!("{:.6}", entry.since)),
        "by": entry.map(|entry| &entry.by),
        "why": entry.map(|entry| &entry.why),
        "live_in": entry.map_or(&[][..], |entry| &entry.live_in),
        "named_by": known.named_by,
        "shadow": shadow,
    })
}

fn table(told: &[(Option<ShadowSummary>, Known)]) -> String {
    let mut rows =
        vec![["MODEL", "DIGEST", "STATE", "SINCE", "BY", "RECIPES", "AS SHADOW"].map(str::to_owned)];
    rows.extend(told.iter().map(|(shadow, known)| row(shadow.as_ref(), known)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn row(shadow: Option<&ShadowSummary>, Known { model, entry, named_by }: &Known) -> [String; 7] {
    let entry = entry.as_ref();
    let live_in = entry.map_or(&[][..], |entry| &entry.live_in);
    let mut recipes: Vec<&str> = named_by.iter().chain(live_in).map(|place| place.recipe.as_str()).collect();
    recipes.sort_unstable();
    recipes.dedup();
    [
        model.name.to_string(),
        model.digest.chars().take(12).collect(),
        entry.map_or("not known yet".to_owned(), |entry| entry.state.to_string()),
        entry.map_or(String::new(), |entry| format!("{:.0}", entry.since)),
        entry.map_or(String::new(), |entry| entry.by.clone()),
        recipes.join(", "),
        shadow.map_or(String::new(), as_words),
    ]
}

/// `3 of 1200 otherwise (0.05 … 0.73 %), 1 would pass`.
fn as_words(shadow: &ShadowSummary) -> String {
    let compared = shadow.agreements + shadow.disagreements;
    let Some(rate) = shadow.disagreement_rate else {
        return format!("{} parts, none compared", shadow.seen);
    };
    format!(
        "{} of {compared} otherwise ({:.2} … {:.2} %), {} of them would have passed",
        shadow.disagreements,
        100.0 * rate.low,
        100.0 * rate.high,
        shadow.would_pass_where_failed
    )
}
