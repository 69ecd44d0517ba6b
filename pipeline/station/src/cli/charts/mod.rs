//! `plumb charts`: is the process what it was?

mod page;

use super::{Exit, fail, parts::WhichLedger, print, say};
use crate::{config, rejudge::views_of};
use jiff::Timestamp;
use plumb_inspection::CameraId;
use plumb_ledger::{LedgerError, Query, Reader};
use plumb_process::{Charted, Process};
use plumb_quality::Confidence;
use plumb_verdict::RuleName;
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `plumb charts`.
#[derive(Debug, clap::Args)]
pub(super) struct Charts {
    /// The recipe, by name.
    #[arg(long, value_name = "NAME")]
    recipe: String,
    /// Chart this rule's score too.
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Parts in a sample.
    #[arg(long, value_name = "PARTS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    sample: u64,
    /// Only parts from this moment on: 2026-11-24T06:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Only parts before this moment.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    #[command(flatten)]
    which: WhichLedger,
    /// One JSON document on stdout, schema plumb.charts/1.
    #[arg(long)]
    json: bool,
    /// Write a page to be printed, with the charts drawn.
    #[arg(long, value_name = "HTML")]
    report: Option<PathBuf>,
}

impl Charts {
    pub(super) fn run(self) -> Exit {
        let plan = match config::read(self.which.station()) {
            Ok(plan) => plan,
            Err(problems) => return fail(Exit::Config, format!("the config has problems\n{problems}")),
        };
        let Some(recipe) = plan.recipes.values().find(|recipe| recipe.name.as_str() == self.recipe) else {
            let known =
                plan.recipes.values().map(|recipe| recipe.name.as_str()).collect::<Vec<_>>().join(", ");
            let says = format!("there is no recipe \"{}\"; the station has {known}", self.recipe);
            return fail(Exit::Usage, says);
        };
        let rule = self.rule.as_deref().map(RuleName::from);
        let with: Vec<&RuleName> =
            recipe.judge.rules().filter(|rule| rule.threshold().is_some()).map(|rule| rule.name()).collect();
        if let Some(rule) = rule.as_ref().filter(|rule| !with.contains(rule)) {
            let known = with.iter().map(|rule| format!("\"{rule}\"")).collect::<Vec<_>>().join(", ");
            return fail(
                Exit::Usage,
                format!("recipe \"{}\" has no rule \"{rule}\" with a threshold; it has {known}", recipe.name),
            );
        }
        let folder = match self.which.folder() {
            Ok(folder) => folder,
            Err(exit) => return exit,
        };
        let query = Query { from: self.from, until: self.until, ..Query::default() };
        let charted = Reader::new(&folder).scan(&query, |record| {
            if record.recipe != recipe.name {
                return None;
            }
            let mut part = Charted::of(&record);
            if let Some(rule) = &rule
                && let Ok(views) = views_of(&record, recipe)
            {
                let seen: Vec<(CameraId, _)> =
                    views.iter().map(|(camera, findings)| (camera.clone(), findings)).collect();
                part.score = recipe.judge.score(rule, &seen);
            }
            Some(part)
        });
        let parts: Vec<Charted> = match charted {
            Ok(charted) => charted.into_iter().flatten().collect(),
            Err(error @ LedgerError::Absent { .. }) => return fail(Exit::Usage, error),
            Err(error) => return fail(Exit::Device, error),
        };
        let process = match Process::of(&parts, self.sample, rule.as_ref().map(RuleName::as_str)) {
            Ok(process) => process,
            Err(error) => return fail(Exit::Usage, format!("recipe \"{}\": {error}", recipe.name)),
        };
        if let Some(file) = &self.report {
            let page = page::page(&process, &recipe.name, &folder);
            if let Err(error) = std::fs::write(file, page.html()) {
                return fail(Exit::Device, format!("{} cannot be written: {error}", file.display()));
            }
            say(&format!("{}: print it from a browser", file.display()));
        }
        let printed = match self.json {
            true => {
                let document =
                    json!({ "schema": "plumb.charts/1", "recipe": recipe.name, "process": process });
                print(format!("{document:#}\n").as_bytes())
            }
            false => print(process.words(Confidence::NINETY_FIVE).as_bytes()),
        };
        match printed {
            Exit::Ok if process.signals() => Exit::Finding,
            exit => exit,
        }
    }
}
