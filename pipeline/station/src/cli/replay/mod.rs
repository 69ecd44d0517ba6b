//! `plumb replay`: a recipe over stored pictures, one record a line.

mod page;
mod pictures;
mod progress;
mod scores;
mod told;

use super::{Exit, fail, print, run::exit_of, say};
use crate::{
    config, replay,
    station::{Station, Wiring},
};
use plumb_ledger::{Record, RecordVerdict};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Arguments of `plumb replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Replay {
    /// A recipe: its file, or its name in the station's config.
    recipe: PathBuf,
    /// A folder of pictures, a picture, a video, or a station's data folder.
    source: PathBuf,
    /// The station's config; by default the one the recipe lies beside.
    #[arg(long)]
    station: Option<PathBuf>,
    /// One record a line on stdout, schema plumb.record/1.
    #[arg(long)]
    json: bool,
    /// Feed so many pictures a second instead of as many as the machine takes.
    #[arg(long, value_name = "FPS")]
    paced: Option<f64>,
    /// Judge a data folder's parts again by what the models found then, without pictures; says who would change, and what
    /// it would do to escapes and false rejects. With --json one document, schema plumb.replay/1.
    #[arg(long, conflicts_with = "paced", group = "comparing")]
    scores: bool,
    /// Look again at the pictures a data folder kept, on all cores, by the recipe and the models as they are now; says who
    /// would change, as --scores does.
    #[arg(long, conflicts_with = "paced", group = "comparing")]
    compare: bool,
    /// With --compare: parts that this other recipe checked then.
    #[arg(long, value_name = "RECIPE", requires = "compare")]
    of: Option<String>,
    /// Another threshold of a rule, as `no-dent=0.4`; may be given several times.
    #[arg(long, value_name = "RULE=VALUE", requires = "comparing")]
    set: Vec<String>,
    /// Write a page to be printed, with pictures of the parts that would change.
    #[arg(long, value_name = "HTML", requires = "comparing")]
    report: Option<PathBuf>,
}

impl Replay {
    pub(super) fn run(self) -> Exit {
        let station_file = self.station.clone().unwrap_or_else(|| beside(&self.recipe));
        let plan = match config::read(&station_file) {
            Ok(plan) => plan,
            Err(problems) => return fail(Exit::Config, format!("the config has problems\n{problems}")),
        };
        let Some(recipe) = recipe_name(&plan, &self.recipe) else {
            return fail(
                Exit::Config,
                format!("{} is no recipe of {}", self.recipe.display(), station_file.display()),
            );
        };
        if self.scores {
            let meant = plan.recipes.values().find(|known| known.name.as_str() == recipe);
            let Some(recipe) = meant else {
                return fail(Exit::Usage, format!("there is no recipe \"{recipe}\""));
            };
            let (data, set, report) = (self.source.as_path(), &self.set, self.report.as_deref());
            return scores::Scores { recipe, data, set, json: self.json, report }.run();
        }
        if self.compare {
            let of = self.of.as_deref().unwrap_or(&recipe).into();
            let (data, set, report) = (self.source.as_path(), &self.set, self.report.as_deref());
            let asked = pictures::Pictures { recipe: &recipe, data, of, set, json: self.json, report };
            return asked.run(plan);
        }
        let data = match tempfile::tempdir() {
            Ok(data) => data,
            Err(error) => return fail(Exit::Device, format!("there is no room for a replay: {error}")),
        };
        let plan = match replay::plan(plan, &recipe, &self.source, self.paced, data.path()) {
            Ok(plan) => plan,
            Err(error) => return fail(Exit::Config, error),
        };
        let (records_in, records) = std::sync::mpsc::channel::<Record>();
        let tap = Box::new(move |record: &Record| drop(records_in.send(record.clone())));
        let wiring = Wiring { tap: Some(tap), replay: true, ..Wiring::default() };
        let station = match Station::start(plan, wiring) {
            Ok(station) => station,
            Err(error) => return fail(exit_of(&error), error),
        };
        let started = Instant::now();
        let mut tally = Tally::default();
        let mut exit = Exit::Ok;
        while exit == Exit::Ok && !station.has_ended() {
            if let Ok(record) = records.recv_timeout(Duration::from_millis(20)) {
                exit = self.tell(&record, &mut tally);
            } else if let Some(says) = station.cameras_down().first() {
                // A camera may come back; a file that is no picture stays one.
                exit = fail(Exit::Device, format!("{} cannot be replayed: {says}", self.source.display()));
            }
        }
        let stopped = station.stop();
        for record in records {
            if exit == Exit::Ok {
                exit = self.tell(&record, &mut tally);
            }
        }
        say(&tally.summary(started.elapsed()));
        match stopped {
            Ok(()) => exit,
            Err(error) => fail(exit_of(&error), error),
        }
    }

    fn tell(&self, record: &Record, tally: &mut Tally) -> Exit {
        *tally.0.entry(record.verdict.as_str()).or_default() += 1;
        let line = if self.json {
            match serde_json::to_string(record) {
                Ok(line) => line + "\n",
                Err(error) => return fail(Exit::Bug, error),
            }
        } else {
            line(record)
        };
        print(line.as_bytes())
    }
}

/// `part 12  FAIL  8.1 ms  1 scratch in "face", at most 0 are allowed`.
pub(super) fn line(record: &Record) -> String {
    let ms = record.timings_us.total.unwrap_or(0) as f64 / 1000.0;
    let word = record.verdict.as_str().to_uppercase();
    let says: Vec<&str> = record.reasons.iter().map(|reason| reason.says.as_str()).collect();
    format!("part {:>7}  {word:<6} {ms:>7.1} ms  {}\n", record.part_id, says.join("; "))
}

#[derive(Default)]
struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    fn summary(&self, time: Duration) -> String {
        let total: u64 = self.0.values().sum();
        let counts = RecordVerdict::ALL.map(|verdict| {
            format!("{} {}", self.0.get(verdict.as_str()).copied().unwrap_or(0), verdict.as_str())
        });
        format!(
            "{total} parts in {:.1} s ({:.1}/s): {}",
            time.as_secs_f64(),
            total as f64 / time.as_secs_f64(),
            counts.join(", ")
        )
    }
}

/// `recipes/x.toml` lies in the folder beside `station.toml`.
fn beside(recipe: &Path) -> PathBuf {
    match recipe.extension() {
        Some(_) => recipe.parent().unwrap_or(Path::new("")).join("..").join("station.toml"),
        None => PathBuf::from("station.toml"),
    }
}

/// The name of the recipe that was given as a file or by name.
fn recipe_name(plan: &config::Plan, recipe: &Path) -> Option<String> {
    if recipe.extension().is_none() {
        return recipe.to_str().map(str::to_owned);
    }
    let text = std::fs::read_to_string(recipe).ok()?;
    let table: toml::Table = text.parse().ok()?;
    let name = table.get("recipe")?.get("name")?.as_str()?;
    plan.recipes.values().any(|known| known.name.as_str() == name).then(|| name.to_owned())
}
