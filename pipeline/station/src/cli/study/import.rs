//! `plumb study import`: values that were taken elsewhere, all of them or none.

use super::{exit_of, next::typed_value, open};
use crate::cli::{Exit, fail, say};
use plumb_study::{Source, Step, Study};
use std::path::{Path, PathBuf};

/// Arguments of `plumb study import`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Import {
    /// The study's file.
    file: PathBuf,
    /// Lines `appraiser,part,trial,value`; the appraiser is empty where the study does not tell people apart.
    csv: PathBuf,
}

impl Import {
    pub(super) fn run(self) -> Exit {
        let mut study = match open(&self.file) {
            Ok(study) => study,
            Err(exit) => return exit,
        };
        match read(&self.csv, &mut study) {
            Err(problems) => return fail(Exit::Usage, problems),
            Ok(0) => {
                return fail(
                    Exit::Usage,
                    format!("{} has no line like `ann,part 1,1,10.02`", self.csv.display()),
                );
            }
            Ok(taken) => say(&format!("{taken} values taken")),
        }
        match study.write(&self.file) {
            Ok(()) => Exit::Ok,
            Err(error) => fail(exit_of(&error), error),
        }
    }
}

/// Enters every line, or gives every line's problem.
fn read(csv: &Path, study: &mut Study) -> Result<usize, String> {
    let text =
        std::fs::read_to_string(csv).map_err(|error| format!("{} cannot be read: {error}", csv.display()))?;
    let steps = study.steps();
    let (mut taken, mut problems) = (0, Vec::new());
    let lines =
        text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty() && !line.starts_with("appraiser,"));
    for (line, number) in lines {
        let entered = one(line, &steps).and_then(|(step, value)| {
            study.enter(step, value, Source::Imported).map_err(|error| error.to_string())
        });
        match entered {
            Ok(()) => taken += 1,
            Err(problem) => problems.push(format!("{}:{number}  {problem}", csv.display())),
        }
    }
    if problems.is_empty() { Ok(taken) } else { Err(problems.join("\n")) }
}

fn one(line: &str, steps: &[Step]) -> Result<(usize, plumb_study::Value), String> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [appraiser, part, trial, value] = fields[..] else {
        return Err(format!("{} fields, expected appraiser,part,trial,value", fields.len()));
    };
    let trial: usize = trial.parse().map_err(|_| format!("{trial:?} is no number of a trial"))?;
    let is_it = |step: &Step| {
        step.appraiser.as_deref().unwrap_or_default() == appraiser && step.part == part && step.trial == trial
    };
    let step = steps.iter().position(is_it).ok_or_else(|| stranger(steps, appraiser, part, trial))?;
    Ok((step, typed_value(value)?))
}

/// Says what of a line the study does not know, and what it does.
fn stranger(steps: &[Step], appraiser: &str, part: &str, trial: usize) -> String {
    let known = |of: &dyn Fn(&Step) -> String| {
        let mut known = Vec::new();
        for name in steps.iter().map(of) {
            if !known.contains(&name) {
                known.push(name);
            }
        }
        known.sort_by_key(|name| (name.len(), name.clone()));
        known
    };
    let quoted = |name: &str| format!("{name:?}");
    let table = [
        (
            "appraiser",
            quoted(appraiser),
            known(&|step| quoted(step.appraiser.as_deref().unwrap_or_default())),
        ),
        ("part", quoted(part), known(&|step| quoted(&step.part))),
        ("trial", trial.to_string(), known(&|step| step.trial.to_string())),
    ];
    let strange = table.iter().filter(|(_, name, known)| !known.contains(name));
    let says: Vec<String> = strange
        .map(|(what, name, known)| format!("the study has no {what} {name}; it has {}", known.join(", ")))
        .collect();
    if says.is_empty() {
        return format!("the study has no trial {trial} of {part:?} by {appraiser:?}");
    }
    says.join("; ")
}
