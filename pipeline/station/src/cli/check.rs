//! `plumb check`: every problem of the config at once; no device is touched.

use super::{Exit, fail, print, say, station_file};
use crate::config::{self, Plan};
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
        if self.json {
            let problems = read.as_ref().err();
            let document =
                json!({ "schema": "plumb.check/1", "file": file, "ok": read.is_ok(), "problems": problems });
            print(format!("{document:#}\n").as_bytes());
            return if read.is_ok() { Exit::Ok } else { Exit::Config };
        }
        match read {
            Ok(plan) => {
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
