//! The studies of one station: files `studies/<name>.json` in its data folder, as `plumb study` reads and writes them too.

use crate::Refused;
use plumb_ledger::{Query, Reader, Record, RecordVerdict};
use plumb_study::{Design, Source, Study, Value, Word};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Longest name of a study, which is a file's name too.
const NAME_MAX: usize = 64;
/// Measurements of one study at most: more than anybody takes by hand.
const STEPS_MAX: usize = 2_000;

/// Where they lie.
#[derive(Debug)]
pub(crate) struct Studies {
    folder: PathBuf,
    reader: Reader,
    /// One entry at a time: of two for the same step the second finds it taken.
    writing: Mutex<()>,
}

/// What is taken down.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reading {
    /// What somebody measured or called.
    Typed(String),
    /// The verdict on the newest part.
    Verdict,
    /// A size that was measured on the newest part.
    Size(String),
}

impl Studies {
    /// In the station's data folder.
    pub(crate) fn new(data: &Path) -> Self {
        Self { folder: data.join("studies"), reader: Reader::new(data), writing: Mutex::default() }
    }

    /// Every study by its name, or why one cannot be read.
    pub(crate) fn all(&self) -> Vec<(String, Result<Study, String>)> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let name = |entry: fs::DirEntry| {
            Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()).filter(|name| is_name(name))
        };
        let mut names: Vec<String> = entries.flatten().filter_map(name).collect();
        names.sort();
        names.into_iter().map(|name| (name.clone(), self.read(&name).map_err(|refused| refused.0))).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is none of that name, or it cannot be read.
    pub(crate) fn read(&self, name: &str) -> Result<Study, Refused> {
        let file = self.file(name)?;
        if !file.exists() {
            return Err(Refused(format!("there is no study \"{name}\"; /studies lists those there are")));
        }
        Study::read(&file).map_err(|error| Refused(error.to_string()))
    }

    /// A new one.
    ///
    /// # Errors
    /// When it could tell nothing, its name is taken, or the file cannot be written.
    pub(crate) fn plan(&self, name: &str, design: Design, seed: u64) -> Result<Study, Refused> {
        let file = self.file(name)?;
        let told = |error: plumb_study::StudyError| Refused(error.to_string());
        let study = Study::plan(name, design, seed).map_err(told)?;
        let (_, steps) = study.progress();
        if steps > STEPS_MAX {
            return Err(Refused(format!("{steps} measurements are too many; {STEPS_MAX} at most")));
        }
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        fs::create_dir_all(&self.folder)
            .map_err(|error| Refused(format!("{} cannot be made: {error}", self.folder.display())))?;
        study.create(&file).map_err(told)?;
        Ok(study)
    }

    /// Takes down the value of `step`, which is the next one or the one before it.
    ///
    /// # Errors
    /// When somebody else has taken it meanwhile, it is no value of such a study, or the newest part has none.
    pub(crate) fn enter(&self, name: &str, step: usize, reading: &Reading) -> Result<Study, Refused> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut study = self.read(name)?;
        let last = study.entries().last().map(|entry| entry.step);
        let next = study.next().map(|(at, _)| at);
        if next != Some(step) && last != Some(step) {
            return Err(Refused("somebody has taken this measurement meanwhile; reload the page".to_owned()));
        }
        let (value, source) = self.value(&study, reading).map_err(Refused)?;
        study.enter(step, value, source).map_err(|error| Refused(error.to_string()))?;
        study.write(&self.file(name)?).map_err(|error| Refused(error.to_string()))?;
        Ok(study)
    }

    fn value(&self, study: &Study, reading: &Reading) -> Result<(Value, Source), String> {
        if let Reading::Typed(typed) = reading {
            return match typed.trim() {
                "good" => Ok((Value::Word(Word::Good), Source::Typed)),
                "bad" => Ok((Value::Word(Word::Bad), Source::Typed)),
                number => {
                    let parsed =
                        number.replace(',', ".").parse().map(|number| (Value::Number(number), Source::Typed));
                    parsed.map_err(|_| format!("{typed:?} is neither a number nor good or bad"))
                }
            };
        }
        let record = self.newest()?.ok_or("no part has come yet; let the station look at it first")?;
        let part = record.part_id.get();
        if study.entries().iter().any(|entry| entry.source == Source::Part(part)) {
            return Err(format!(
                "part {part} has been taken already; let the station look at the next one first"
            ));
        }
        let value = match reading {
            Reading::Size(name) => {
                let found = sizes(&record).find(|(known, _)| known == name);
                Value::Number(found.ok_or_else(|| format!("\"{name}\" was not measured on part {part}"))?.1)
            }
            _ => match record.verdict {
                RecordVerdict::Pass => Value::Word(Word::Good),
                RecordVerdict::Fail => Value::Word(Word::Bad),
                other => return Err(format!("part {part} was {}; have it looked at again", other.as_str())),
            },
        };
        Ok((value, Source::Part(part)))
    }

    /// Sizes that were measured on the newest part.
    pub(crate) fn sizes(&self) -> Vec<String> {
        let newest = self.newest().ok().flatten();
        newest.iter().flat_map(sizes).map(|(name, _)| name).collect()
    }

    fn newest(&self) -> Result<Option<Record>, String> {
        match self.reader.find(&Query { limit: Some(1), ..Query::default() }) {
            Err(plumb_ledger::LedgerError::Absent { .. }) => Ok(None),
            other => other.map(|mut found| found.pop()).map_err(|error| error.to_string()),
        }
    }

    fn file(&self, name: &str) -> Result<PathBuf, Refused> {
        if !is_name(name) {
            return Err(Refused(format!(
                "{name:?} cannot be a study's name; take up to {NAME_MAX} letters, digits, - and _"
            )));
        }
        Ok(self.folder.join(format!("{name}.json")))
    }
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(plain)
}

/// In mm where the camera has a scale, else in px.
fn sizes(record: &Record) -> impl Iterator<Item = (String, f64)> {
    let all = record.views.iter().flat_map(|view| &view.measurements);
    all.filter_map(|measured| Some((measured.name.clone(), measured.mm.or(measured.px)?.value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement() -> Design {
        let names = |names: [&str; 2]| names.map(str::to_owned).to_vec();
        Design::Agreement {
            appraisers: names(["ann", "bob"]),
            parts: names(["1", "2"]),
            trials: 1,
            reference: [("1".to_owned(), Word::Good), ("2".to_owned(), Word::Bad)].into(),
        }
    }

    #[test]
    fn a_study_goes_on_where_it_was_left_and_a_measurement_is_taken_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let good = Reading::Typed("good".into());
        {
            let studies = Studies::new(folder.path());
            studies.plan("caps", agreement(), 7).expect("it can tell something");
            assert!(studies.plan("caps", agreement(), 7).is_err(), "a study is never overwritten");
            studies.enter("caps", 0, &good).expect("the first");
        }
        let studies = Studies::new(folder.path());
        assert_eq!(studies.read("caps").expect("it is there").progress(), (1, 4));
        assert!(studies.enter("caps", 2, &good).is_err_and(|refused| refused.0.contains("meanwhile")));
        assert!(studies.enter("caps", 1, &Reading::Typed("5".into())).is_err(), "a number is no word");
        assert!(
            studies.enter("caps", 1, &Reading::Verdict).is_err_and(|refused| refused.0.contains("no part"))
        );
        let corrected = studies.enter("caps", 0, &Reading::Typed("bad".into())).expect("the last one again");
        assert_eq!((corrected.progress(), corrected.corrections()), ((1, 4), 1));
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let studies = Studies::new(folder.path());
        for name in ["../people", "a/b", "", ".", "a.json", &"a".repeat(65), "é"] {
            assert!(studies.read(name).is_err_and(|refused| refused.0.contains("name")), "{name}");
        }
    }
}
