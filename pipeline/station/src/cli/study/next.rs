//! `plumb study next`: one measurement after the other, each on disk before the next is asked for.

use super::{open, reading::Reading};
use crate::cli::{Exit, fail, parts::WhichLedger, say};
use plumb_inspection::PartId;
use plumb_ledger::{PinBook, Query, Reader};
use plumb_study::{Source, Step, Study, Value, Word};
use std::{
    io::{self, BufRead as _},
    path::PathBuf,
};

/// Arguments of `plumb study next`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Next {
    /// The study's file.
    file: PathBuf,
    /// Take the value from the station's newest record when Enter is pressed: verdict, length_mm:CLASS, area_mm2:CLASS or
    /// score:MODEL.
    #[arg(long, value_name = "READING", value_parser = Reading::parse)]
    from_ledger: Option<Reading>,
    #[command(flatten)]
    which: WhichLedger,
    /// One measurement only.
    #[arg(long)]
    once: bool,
}

impl Next {
    pub(super) fn run(self) -> Exit {
        let mut study = match open(&self.file) {
            Ok(study) => study,
            Err(exit) => return exit,
        };
        let (reader, pins) = match &self.from_ledger {
            Some(_) => match self.which.folder() {
                Ok(folder) => (Some(Reader::new(&folder)), Some(PinBook::new(&folder))),
                Err(exit) => return exit,
            },
            None => (None, None),
        };
        say(
            "A value, or `undo` to correct the last one, `quit` to go on another time. Earlier values are not shown.",
        );
        let mut last: Option<usize> = None;
        let mut lines = io::stdin().lock().lines();
        let mut again: Option<usize> = None;
        loop {
            let steps = study.steps();
            let Some(at) = again.or_else(|| study.next().map(|(at, _)| at)) else {
                say(&format!(
                    "That was the last one; `plumb study report {}` writes the report.",
                    self.file.display()
                ));
                return Exit::Ok;
            };
            let (taken, all) = study.progress();
            say(&format!("[{}/{all}] {}", (taken + 1).min(all), asked(&steps[at], study.design.unit())));
            let Some(line) = lines.next() else { return Exit::Ok };
            let line = match line {
                Ok(line) => line,
                Err(error) => return fail(Exit::Device, format!("the terminal cannot be read: {error}")),
            };
            match line.trim() {
                "quit" => return Exit::Ok,
                "undo" => match last {
                    Some(step) => again = Some(step),
                    None => say("There is nothing to correct yet."),
                },
                typed => {
                    let (value, source) = match self.value(typed, &study, reader.as_ref()) {
                        Ok(found) => found,
                        Err(says) => {
                            say(&says);
                            continue;
                        }
                    };
                    if let Err(error) = study.enter(at, value, source.clone()) {
                        say(&error.to_string());
                        continue;
                    }
                    if let Err(error) = study.write(&self.file) {
                        return fail(Exit::Device, error);
                    }
                    if let (Some(pins), Source::Part(id)) = (&pins, source) {
                        self.pin(pins, id);
                    }
                    (last, again) = (Some(at), None);
                    if self.once {
                        return Exit::Ok;
                    }
                }
            }
        }
    }

    /// A study rests on its parts for as long as it is shown to somebody: no rule of the ledger deletes them.
    fn pin(&self, pins: &PinBook, id: u32) {
        let why = format!("measured in the study {}", self.file.display());
        let pinned = PartId::new(id).map_or(Ok(()), |part| pins.pin(&[(part, None)], "plumb study", &why));
        if let Err(error) = pinned {
            say(&format!("The part's record may be deleted by rule one day: {error}"));
        }
    }

    /// What was typed, or what the station says of the newest part.
    fn value(&self, typed: &str, study: &Study, reader: Option<&Reader>) -> Result<(Value, Source), String> {
        let (Some(reading), Some(reader), "") = (&self.from_ledger, reader, typed) else {
            return typed_value(typed).map(|value| (value, Source::Typed));
        };
        let newest = Query { limit: Some(1), ..Query::default() };
        let newest = reader.find(&newest).map_err(|error| error.to_string())?.pop();
        let record = newest.ok_or("the ledger has no part yet; let the station look at it first")?;
        let id = record.part_id.get();
        if study.entries().iter().any(|entry| entry.source == Source::Part(id)) {
            return Err(format!(
                "part {id} has been taken already; let the station look at the next one first"
            ));
        }
        reading.of(&record).map(|value| (value, Source::Part(id)))
    }
}

pub(super) fn typed_value(typed: &str) -> Result<Value, String> {
    match typed {
        "good" => Ok(Value::Word(Word::Good)),
        "bad" => Ok(Value::Word(Word::Bad)),
        number => number
            .replace(',', ".")
            .parse()
            .map(Value::Number)
            .map_err(|_| format!("{typed:?} is neither a number nor good or bad")),
    }
}

fn asked(step: &Step, unit: Option<&str>) -> String {
    let who = step.appraiser.as_ref().map_or(String::new(), |appraiser| format!("{appraiser}: "));
    let what = unit.map_or("good or bad".to_owned(), |unit| format!("in {unit}"));
    format!("{who}{}, trial {}, {what}?", step.part, step.trial)
}
