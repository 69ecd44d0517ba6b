//! Planning a study: its file is made, and is never overwritten.

use super::exit_of;
use crate::cli::{Exit, fail, say};
use jiff::Timestamp;
use plumb_quality::gauge::Type1Settings;
use plumb_study::{Design, Study, Word};
use std::{collections::BTreeMap, path::PathBuf};

/// What every study is given.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Common {
    /// The study's file; it must not be there yet.
    file: PathBuf,
    /// As it is called on paper; the file's name by default.
    #[arg(long)]
    name: Option<String>,
    /// Decides the order of the parts; by chance unless given.
    #[arg(long)]
    seed: Option<u64>,
}

impl Common {
    fn plan(self, design: Design) -> Exit {
        let stem = || self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = self.name.clone().unwrap_or_else(stem);
        let seed = self.seed.unwrap_or_else(|| Timestamp::now().as_nanosecond().unsigned_abs() as u64);
        let study = match Study::plan(name, design, seed) {
            Ok(study) => study,
            Err(error) => return fail(exit_of(&error), error),
        };
        if let Err(error) = study.create(&self.file) {
            return fail(exit_of(&error), error);
        }
        let (_, steps) = study.progress();
        say(&format!("planned {steps} measurements; `plumb study next {}` begins", self.file.display()));
        Exit::Ok
    }
}

/// Arguments of `plumb study type1`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Type1 {
    #[command(flatten)]
    common: Common,
    /// The part's certified value.
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    reference: f64,
    /// Width of the tolerance.
    #[arg(long, value_name = "WIDTH")]
    tolerance: f64,
    /// How often.
    #[arg(long, value_name = "N", default_value_t = 50)]
    repetitions: usize,
    /// Of the values.
    #[arg(long, default_value = "mm")]
    unit: String,
    /// The share of the tolerance that the gauge may use up.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    share: f64,
    /// Standard deviations that make up the gauge's spread.
    #[arg(long, value_name = "N", default_value_t = 6.0)]
    deviations: f64,
}

impl Type1 {
    pub(super) fn run(self) -> Exit {
        let settings = Type1Settings { tolerance_share: self.share, deviations: self.deviations };
        let Self { reference, tolerance, repetitions, unit, .. } = self;
        self.common.plan(Design::Type1 { reference, tolerance, repetitions, settings, unit })
    }
}

/// Who measures what, and how often.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Crossed {
    /// Who, with commas between.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    appraisers: Vec<String>,
    /// How many parts, or their names with commas between.
    #[arg(long, value_name = "N|NAMES", default_value = "10", value_parser = names)]
    parts: Names,
    /// How often everybody measures each.
    #[arg(long, value_name = "N", default_value_t = 3)]
    trials: usize,
}

#[derive(Clone, Debug)]
struct Names(Vec<String>);

fn names(text: &str) -> Result<Names, String> {
    match text.parse::<usize>() {
        Ok(n @ 1..=10_000) => Ok(Names((1..=n).map(|i| format!("part {i}")).collect())),
        Ok(n) => Err(format!("{n} parts; take 1 to 10000")),
        Err(_) => Ok(Names(text.split(',').map(|name| name.trim().to_owned()).collect())),
    }
}

/// Arguments of `plumb study grr`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Grr {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    crossed: Crossed,
    /// Width of the tolerance, where there is one.
    #[arg(long, value_name = "WIDTH")]
    tolerance: Option<f64>,
    /// Of the values.
    #[arg(long, default_value = "mm")]
    unit: String,
}

impl Grr {
    pub(super) fn run(self) -> Exit {
        let Crossed { appraisers, parts: Names(parts), trials } = self.crossed;
        let (tolerance, unit) = (self.tolerance, self.unit);
        self.common.plan(Design::Grr { appraisers, parts, trials, tolerance, unit })
    }
}

/// Arguments of `plumb study agreement`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Agreement {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    crossed: Crossed,
    /// What the parts really are: lines `part,good|bad`.
    #[arg(long, value_name = "CSV")]
    reference: Option<PathBuf>,
}

impl Agreement {
    pub(super) fn run(self) -> Exit {
        let reference = match self.reference.as_ref().map(reference).transpose() {
            Ok(reference) => reference.unwrap_or_default(),
            Err(problems) => return fail(Exit::Usage, problems),
        };
        let Crossed { appraisers, parts: Names(parts), trials } = self.crossed;
        self.common.plan(Design::Agreement { appraisers, parts, trials, reference })
    }
}

/// Every line, or every line's problem.
fn reference(file: &PathBuf) -> Result<BTreeMap<String, Word>, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let (mut words, mut problems) = (BTreeMap::new(), Vec::new());
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
        let word = line.rsplit_once(',').and_then(|(part, word)| match word.trim() {
            "good" => Some((part, Word::Good)),
            "bad" => Some((part, Word::Bad)),
            _ => None,
        });
        match word {
            Some((part, word)) => drop(words.insert(part.trim().to_owned(), word)),
            None if number == 1 => {} // a heading
            None => {
                problems.push(format!("{}:{number}  {line:?} is no line like `part 1,bad`", file.display()))
            }
        }
    }
    if problems.is_empty() { Ok(words) } else { Err(problems.join("\n")) }
}

/// Arguments of `plumb study linearity`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Linearity {
    #[command(flatten)]
    common: Common,
    /// Each part with its certified value: `block 2=2.0001,block 4=4.0002`.
    #[arg(long, value_name = "NAME=VALUE,…", value_delimiter = ',', required = true, value_parser = known)]
    parts: Vec<(String, f64)>,
    /// How often each.
    #[arg(long, value_name = "N", default_value_t = 10)]
    trials: usize,
    /// Of the values.
    #[arg(long, default_value = "mm")]
    unit: String,
}

impl Linearity {
    pub(super) fn run(self) -> Exit {
        let Self { parts, trials, unit, .. } = self;
        self.common.plan(Design::Linearity { parts, trials, unit })
    }
}

fn known(text: &str) -> Result<(String, f64), String> {
    let parsed = text
        .rsplit_once('=')
        .and_then(|(name, value)| Some((name.trim().to_owned(), value.trim().parse().ok()?)));
    parsed.ok_or_else(|| format!("{text:?} is nothing like `block 2=2.0001`"))
}
