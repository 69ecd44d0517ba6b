//! `plumb check`: every problem of the config at once, and the budget of time to the gate; no device is touched.

use super::{Exit, fail, print, say, station_file};
use crate::{
    budget::{self, Budget},
    config::{self, Plan},
};
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `plumb check`.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// The station's config; recipes are read from the folder `recipes` beside it.
    file: Option<PathBuf>,
    /// One JSON document on stdout, schema plumb.check/1.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> Exit {
        let file = station_file(self.file);
        let read = config::read(&file);
        let budgets = read.as_ref().map(budget::known).unwrap_or_default();
        let impossible: Vec<_> = budgets.iter().filter_map(Budget::impossible).collect();
        let ok = read.is_ok() && impossible.is_empty();
        if self.json {
            let problems = read.as_ref().err();
            let budgets: Vec<_> = budgets.iter().map(Budget::json).collect();
            let document = json!({
                "schema": "plumb.check/1", "file": file, "ok": ok, "problems": problems, "budgets": budgets,
            });
            print(format!("{document:#}\n").as_bytes());
            return if ok { Exit::Ok } else { Exit::Config };
        }
        match read {
            Ok(plan) => {
                budgets.iter().for_each(|budget| say(&budget.to_string()));
                if !impossible.is_empty() {
                    let says: Vec<_> = impossible.into_iter().map(|impossible| impossible.says).collect();
                    return fail(Exit::Config, format!("the budget cannot be met\n{}", says.join("\n")));
                }
                say(&summary(&file, &plan));
                Exit::Ok
            }
            Err(problems) => fail(Exit::Config, format!("the config has problems\n{problems}")),
        }
    }
}

fn summary(file: &std::path::Path, plan: &Plan) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    format!(
        "ok {}: {}, {}, {} (no device touched)",
        file.display(),
        count(plan.cameras.len(), "camera"),
        count(plan.recipes.len(), "recipe"),
        count(plan.models(), "model"),
    )
}
