//! `plumb model promote`: changes what a model is trusted with, with a name and a reason to it.

use super::{
    exit_of,
    known::{self, Known},
};
use crate::{
    cli::{Exit, fail, print, say, station_file},
    config,
};
use clap::builder::NonEmptyStringValueParser;
use plumb_inference::Card;
use plumb_ledger::{ModelBook, ModelEntry, ModelError, ModelState, pick};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of `plumb model promote`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Promote {
    /// The first digits of the model's digest, or its card.
    #[arg(value_name = "DIGEST|CARD")]
    model: String,
    /// draft, shadow, approved, live or retired.
    #[arg(long, value_name = "STATE")]
    to: ModelState,
    /// The reason; it is kept.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    why: String,
    /// Who does it; it is kept.
    #[arg(long, value_name = "NAME", env = "USER", value_parser = NonEmptyStringValueParser::new())]
    by: String,
    /// The station's config; recipes are read from the folder `recipes` beside it.
    #[arg(value_name = "STATION.toml")]
    file: Option<PathBuf>,
    /// The model as it stands then, as JSON on stdout, schema plumb.model_entry/1.
    #[arg(long)]
    json: bool,
}

impl Promote {
    pub(super) fn run(self) -> Exit {
        let plan = match config::read(&station_file(self.file.clone())) {
            Ok(plan) => plan,
            Err(problems) => return fail(Exit::Config, format!("the config has problems\n{problems}")),
        };
        let book = ModelBook::new(&plan.station.data);
        let known = match known::all(&plan, &book) {
            Ok(known) => known,
            Err(error) => return fail(Exit::Device, error),
        };
        let meant = match meant(&self.model, known) {
            Ok(meant) => meant,
            Err((exit, says)) => return fail(exit, says),
        };
        match self.promote(&book, &meant) {
            Ok(model) => self.tell(&meant, &model),
            Err(error) => fail(exit_of(&error), error),
        }
    }

    fn promote(&self, book: &ModelBook, meant: &Known) -> Result<ModelEntry, ModelError> {
        let entry = book.register(&meant.model, &self.by)?;
        let digest = &entry.digest;
        match self.to {
            ModelState::Draft if meant.entry.is_none() => Ok(entry),
            ModelState::Live => book.go_live(digest, &meant.named_by, &self.by, &self.why),
            to => book.change(digest, to, &self.by, &self.why),
        }
    }

    fn tell(&self, meant: &Known, model: &ModelEntry) -> Exit {
        let ModelEntry { name, digest, state, .. } = model;
        let short: String = digest.chars().take(12).collect();
        say(&format!("model \"{name}\" {short} is {state} now, by {}", model.by));
        for place in &meant.named_by {
            match state {
                ModelState::Live => {
                    say(&format!(
                        "recipe \"{}\" judges with it from its next start or changeover on",
                        place.recipe
                    ));
                }
                ModelState::Retired => say(&format!(
                    "recipe \"{}\" names it still; no station starts with it from now on",
                    place.recipe
                )),
                ModelState::Draft | ModelState::Shadow | ModelState::Approved => {}
            }
        }
        if !self.json {
            return Exit::Ok;
        }
        print(format!("{:#}\n", json!({ "schema": "plumb.model_entry/1", "model": model })).as_bytes())
    }
}

/// The one model meant by a card's file or by the first digits of a digest.
fn meant(model: &str, mut known: Vec<Known>) -> Result<Known, (Exit, String)> {
    let model_trouble = |error: &dyn std::fmt::Display| (Exit::Model, error.to_string());
    if Path::new(model).extension().is_some_and(|extension| extension == "toml") {
        let card = Card::read(Path::new(model)).map_err(|error| model_trouble(&error))?;
        let there = known.iter().position(|known| known.model.digest == card.sha256);
        let new = || Known { model: crate::lifecycle::as_new(&card), entry: None, named_by: Vec::new() };
        return Ok(there.map_or_else(new, |at| known.swap_remove(at)));
    }
    let digests = known::digests(&known);
    let (_, digest) = pick(model, &digests).map_err(|error| model_trouble(&error))?;
    let at = known.iter().position(|known| known.model.digest == *digest);
    Ok(known.swap_remove(at.expect("it was picked from these")))
}
