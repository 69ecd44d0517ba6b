//! `plumb model add`: the card of an ONNX file, written once the model has run with it.

use super::super::{Exit, fail, print, say};
use super::{document, given::Given, inspect::asked, inspect::kind};
use plumb_inference::{Card, Device, LoadOptions, Model, Runtime};
use plumb_recognise::{Answers, Question, Recognition, Unready};
use serde_json::json;
use std::{
    fs,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

/// Arguments of `plumb model add`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Add {
    /// The .onnx file; files beside it are looked at too.
    file: PathBuf,
    /// Copy the model and what belongs to it into this folder, and write the card there; else beside the file.
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// The model's name in records and metrics, and its card's; by default that of the file.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    given: Given,
    /// Take the likely answer to every question that has one, without asking.
    #[arg(long)]
    yes: bool,
    /// Write over a card and a model that are there.
    #[arg(long)]
    force: bool,
    /// One JSON document on stdout, schema plumb.model/1 with the path of the card.
    #[arg(long)]
    json: bool,
}

/// How it ended before its time.
struct Stop(Exit, String);

fn stop(exit: Exit) -> impl FnOnce(String) -> Stop {
    move |says| Stop(exit, says)
}

impl Add {
    pub(super) fn run(self) -> Exit {
        match self.add() {
            Ok((seen, card, model)) => {
                if self.json {
                    let mut document = document::of(&seen);
                    document["card"] = json!(card);
                    return print(format!("{document:#}\n").as_bytes());
                }
                let info = model.info();
                say(&format!(
                    "ok {}: \"{}\" is {} and ran once on {} in {:.1} ms",
                    card.display(),
                    info.name,
                    kind(&seen),
                    info.provider,
                    info.warm_up.as_secs_f64() * 1e3
                ));
                for fact in seen.facts.iter().filter(|fact| fact.source.word() == "guess") {
                    say(&format!("   {} = {}, a {}", fact.key, fact.value, fact.source));
                }
                for note in &seen.notes {
                    say(&format!("   {note}"));
                }
                Exit::Ok
            }
            Err(Stop(exit, says)) => fail(exit, says),
        }
    }

    fn add(&self) -> Result<(Recognition, PathBuf, Model), Stop> {
        let mut answers = self.given.answers().map_err(stop(Exit::Usage))?;
        if let Some(name) = &self.name {
            if name.trim().is_empty() || name.contains(['/', '\\', '\0']) || name.starts_with('.') {
                return Err(Stop(Exit::Usage, format!("--name {name:?} cannot be the name of a file")));
            }
            answers.set("name", name).map_err(|error| Stop(Exit::Usage, error.to_string()))?;
        }
        let seen = self.recognise(answers)?;
        let text = seen.card().map_err(|error| unready(&error))?;
        let place = Place::of(self, &seen);
        place.check(self.force).map_err(stop(Exit::Config))?;
        let card = Card::parse(&text, &place.card).map_err(|error| Stop(Exit::Config, error.to_string()))?;

        let copied = place.copy(&seen).map_err(|says| Stop(Exit::Device, says))?;
        let loaded = Runtime::load(None).map_err(|error| error.to_string()).and_then(|runtime| {
            let options = LoadOptions { device: Device::Cpu, ..LoadOptions::default() };
            Model::load(&runtime, &card, &options).map_err(|error| error.to_string())
        });
        let written = loaded.map_err(stop(Exit::Model)).and_then(|model| {
            place.write_card(&text).map_err(stop(Exit::Device))?;
            Ok(model)
        });
        match written {
            Ok(model) => Ok((seen, place.card, model)),
            Err(stopped) => {
                // A card that does not run is worse than none, and so is a copy that nobody speaks of.
                copied.iter().for_each(|file| drop(fs::remove_file(file)));
                Err(stopped)
            }
        }
    }

    /// Looks at the file, and asks until there is nothing to ask or nobody to answer.
    fn recognise(&self, mut answers: Answers) -> Result<Recognition, Stop> {
        let somebody = io::stdin().is_terminal() && io::stderr().is_terminal() && !self.yes;
        let bug = |error: plumb_recognise::AnswerError| Stop(Exit::Bug, error.to_string());
        // Each round answers one question; a card has no more lines than this.
        for _ in 0..64 {
            let seen = Recognition::of(&self.file, &answers)
                .map_err(|error| Stop(Exit::Model, error.to_string()))?;
            let Some(question) = seen.questions.first().filter(|_| seen.obstacles.is_empty()) else {
                return Ok(seen);
            };
            if self.yes {
                let likely = |question: &Question| Some((question.key, question.suggestion.clone()?));
                let Some((key, likely)) = seen.questions.iter().find_map(likely) else { return Ok(seen) };
                answers.suppose(key, &likely.answer, &likely.because).map_err(bug)?;
                continue;
            }
            let answer = if somebody { ask(question) } else { None };
            let Some(answer) = answer else { return Ok(seen) };
            answers.set(question.key, &answer).map_err(bug)?;
        }
        Err(Stop(Exit::Bug, format!("{} asks without end", self.file.display())))
    }
}

/// What to do when there is no card yet.
fn unready(error: &Unready) -> Stop {
    match error {
        Unready::Obstacles { .. } => Stop(Exit::Model, error.to_string()),
        Unready::Card(_) => Stop(Exit::Config, error.to_string()),
        Unready::Questions { questions, .. } => {
            let likely = questions.iter().all(|question| question.suggestion.is_some());
            let yes = if likely { "\nor take what is likely: --yes" } else { "" };
            let says = format!("{error}; add to the command\n{}{yes}", asked(questions));
            Stop(Exit::Usage, says)
        }
    }
}

/// One question on the terminal; `None` when nobody answers any more.
fn ask(question: &Question) -> Option<String> {
    say(&format!("\n{}: {}", question.key, question.means));
    loop {
        let choices = if question.choices.is_empty() {
            String::new()
        } else {
            format!(" ({})", question.choices.join(", "))
        };
        let likely = question.suggestion.as_ref();
        let or = likely.map(|likely| format!(" [{}: {}]", likely.answer, likely.because)).unwrap_or_default();
        let _ = write!(io::stderr(), "{}{choices}{or} > ", question.key);
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line).ok()? == 0 {
            return None;
        }
        let answer = match (line.trim(), likely) {
            ("", Some(likely)) => likely.answer.clone(),
            (answer, _) => answer.to_owned(),
        };
        let is_choice = question.choices.is_empty() || question.choices.contains(&answer);
        if !answer.is_empty() && is_choice {
            return Some(answer);
        }
        say("that is none of the answers");
    }
}

/// Where the files go.
struct Place {
    folder: PathBuf,
    card: PathBuf,
    /// The model's file there.
    model: PathBuf,
    /// True where the model is copied or changed, so that a file is made.
    makes_model: bool,
}

impl Place {
    fn of(add: &Add, seen: &Recognition) -> Self {
        let beside = add.file.parent().unwrap_or(Path::new("")).to_owned();
        let folder = add.to.clone().unwrap_or_else(|| beside.clone());
        let stem = add.name.clone().unwrap_or_else(|| {
            add.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
        });
        let model = folder.join(seen.card_file());
        let same =
            fs::canonicalize(&model).ok().zip(fs::canonicalize(&add.file).ok()).is_some_and(|(a, b)| a == b);
        Self { card: folder.join(format!("{stem}.toml")), makes_model: !same, model, folder }
    }

    /// Nothing that is there is written over unless that is meant.
    fn check(&self, force: bool) -> Result<(), String> {
        let files = [Some(&self.card), self.makes_model.then_some(&self.model)];
        match files.into_iter().flatten().find(|file| file.exists()) {
            Some(file) if !force => Err(format!(
                "{} is there already; take --force to write over it, or another --name or --to",
                file.display()
            )),
            _ => Ok(()),
        }
    }

    /// Copies the model and the files with its weights; gives what was made, so that it can be taken back.
    fn copy(&self, seen: &Recognition) -> Result<Vec<PathBuf>, String> {
        if !self.makes_model {
            return Ok(vec![]);
        }
        fs::create_dir_all(&self.folder).map_err(|error| unwritten(&self.folder, &error))?;
        let mut copied = Vec::new();
        let part = with_end(&self.model, "part");
        let result = match &seen.changed {
            Some(changed) => fs::write(&part, &changed.bytes),
            None => fs::copy(&seen.file, &part).map(drop),
        };
        result
            .and_then(|()| fs::rename(&part, &self.model))
            .map_err(|error| unwritten(&self.model, &error))?;
        copied.push(self.model.clone());
        let beside = seen.file.parent().unwrap_or(Path::new(""));
        for (weights, _) in seen.weights() {
            let (from, to) = (beside.join(weights), self.folder.join(weights));
            if fs::canonicalize(&from).ok() == fs::canonicalize(&to).ok() {
                continue;
            }
            let result = to.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::copy(&from, &to));
            if let Err(error) = result {
                copied.iter().for_each(|file| drop(fs::remove_file(file)));
                return Err(unwritten(&to, &error));
            }
            copied.push(to);
        }
        Ok(copied)
    }

    /// In one step, so that nobody ever reads half a card.
    fn write_card(&self, text: &str) -> Result<(), String> {
        let part = with_end(&self.card, "part");
        fs::write(&part, text)
            .and_then(|()| fs::rename(&part, &self.card))
            .map_err(|error| unwritten(&self.card, &error))
    }
}

fn unwritten(file: &Path, error: &io::Error) -> String {
    format!("{} cannot be written: {error}", file.display())
}

fn with_end(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}
