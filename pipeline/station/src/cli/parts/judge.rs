//! `plumb parts judge`: what parts really were, by whom and how it is known. The machine's verdict stays what it was.

use super::{WhichLedger, part_id};
use crate::cli::{Exit, fail, print, say};
use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;
use plumb_inspection::PartId;
use plumb_ledger::{PartSet, Said, Truth, TruthBook, TruthError};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of `plumb parts judge`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Judge {
    /// The part.
    #[arg(value_parser = part_id, requires = "truth", required_unless_present = "csv")]
    part: Option<PartId>,
    /// good or defective.
    #[arg(value_parser = truth)]
    truth: Option<Truth>,
    /// Which inspection of the part, where its number was used again; the newest by default.
    #[arg(long, value_name = "TIME", requires = "part")]
    at: Option<Timestamp>,
    /// Many words at once: lines `part,good|defective[,time[,why]]`; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "part")]
    csv: Option<PathBuf>,
    /// How it is known; it is kept.
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    /// Who says so; it is kept.
    #[arg(long, value_name = "NAME", env = "USER", value_parser = NonEmptyStringValueParser::new())]
    by: String,
    #[command(flatten)]
    which: WhichLedger,
    /// One JSON document on stdout, schema plumb.truths/1.
    #[arg(long)]
    json: bool,
}

impl Judge {
    pub(super) fn run(self) -> Exit {
        let words = match (&self.csv, self.part, self.truth) {
            (Some(file), ..) => match read(file, &self.why) {
                Ok(words) => words,
                Err(problems) => return fail(Exit::Usage, problems),
            },
            (None, Some(part), Some(truth)) => {
                vec![Said { part, triggered_at: self.at, truth, why: self.why.clone() }]
            }
            (None, ..) => return fail(Exit::Usage, "say which part, and whether it was good or defective"),
        };
        let folder = match self.which.folder() {
            Ok(folder) => folder,
            Err(exit) => return exit,
        };
        let sets = match TruthBook::new(&folder).say(&words, &self.by) {
            Ok(sets) => sets,
            Err(error @ TruthError::NoRecord { .. }) => return fail(Exit::Finding, error),
            Err(error) => return fail(Exit::Device, error),
        };
        let tune = sets.iter().filter(|set| **set == PartSet::Tune).count();
        say(&format!(
            "{} said by {}: {tune} to tune by, {} to certify by",
            if sets.len() == 1 { "1 word".to_owned() } else { format!("{} words", sets.len()) },
            self.by,
            sets.len() - tune
        ));
        if !self.json {
            return Exit::Ok;
        }
        let told = words.iter().zip(&sets).map(
            |(said, set)| json!({ "part_id": said.part, "truth": said.truth, "set": set, "why": said.why }),
        );
        let document =
            json!({ "schema": "plumb.truths/1", "by": self.by, "truths": told.collect::<Vec<_>>() });
        print(format!("{document:#}\n").as_bytes())
    }
}

fn truth(word: &str) -> Result<Truth, String> {
    Truth::from_word(word).ok_or_else(|| "a part is good or defective".to_owned())
}

/// Every line, or every line's problem.
fn read(file: &Path, why: &str) -> Result<Vec<Said>, String> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let (mut words, mut problems) = (Vec::new(), Vec::new());
    let lines = text.lines().zip(1..).filter(|(line, _)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#') && !line.starts_with("part")
    });
    for (line, number) in lines {
        match one(line, why) {
            Ok(said) => words.push(said),
            Err(problem) => problems.push(format!("{}:{number}  {problem}", file.display())),
        }
    }
    match (problems.is_empty(), words.is_empty()) {
        (true, false) => Ok(words),
        (true, true) => Err(format!("{} has no line like `1234,defective`", file.display())),
        (false, _) => Err(problems.join("\n")),
    }
}

fn one(line: &str, why: &str) -> Result<Said, String> {
    let mut fields = line.splitn(4, ',').map(str::trim);
    let part = fields.next().unwrap_or_default();
    let part = part_id(part).map_err(|expected| format!("{part:?}: {expected}"))?;
    let word = fields.next().unwrap_or_default();
    let truth = truth(word).map_err(|expected| format!("{word:?}: {expected}"))?;
    let triggered_at = match fields.next().filter(|at| !at.is_empty()) {
        Some(at) => Some(at.parse().map_err(|_| format!("{at:?} is no time like 2026-11-24T06:00:00Z"))?),
        None => None,
    };
    let why = fields.next().unwrap_or(why).to_owned();
    Ok(Said { part, triggered_at, truth, why })
}
