//! `plumb model inspect`: what an ONNX file is, as a table of fact, value and source.

use super::super::{Exit, fail, print};
use super::{document, given::Given};
use plumb_recognise::{Exporter, Question, Recognition};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Arguments of `plumb model inspect`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Inspect {
    /// The .onnx file; files beside it are looked at too.
    file: PathBuf,
    #[command(flatten)]
    given: Given,
    /// One JSON document on stdout, schema plumb.model/1.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(super) fn run(self) -> Exit {
        let answers = match self.given.answers() {
            Ok(answers) => answers,
            Err(says) => return fail(Exit::Usage, says),
        };
        let seen = match Recognition::of(&self.file, &answers) {
            Ok(seen) => seen,
            Err(error) => return fail(Exit::Model, error),
        };
        let text = if self.json { format!("{:#}\n", document::of(&seen)) } else { table(&seen) };
        match print(text.as_bytes()) {
            Exit::Ok if !seen.is_complete() => Exit::Finding,
            exit => exit,
        }
    }
}

/// Longer values are cut in the table; JSON has them whole.
const VALUE_CHARS_MAX: usize = 48;

/// For people.
fn table(seen: &Recognition) -> String {
    let opset = seen.opset.map_or("?".to_owned(), |opset| opset.to_string());
    let mut text = format!(
        "{} is {}, {}\n{} bytes, written by {}, opset {opset}, IR {}, sha256 {}\n\n",
        seen.file.display(),
        kind(seen),
        marks(seen),
        seen.bytes,
        if seen.producer.is_empty() { "an unknown program" } else { &seen.producer },
        seen.ir_version,
        &seen.sha256[..12],
    );
    for (word, values) in [("takes", &seen.inputs), ("gives", &seen.outputs)] {
        for value in values {
            let _ = writeln!(text, "  {word:<6} {value}");
        }
    }
    let rows: Vec<[String; 3]> = seen
        .facts
        .iter()
        .map(|fact| [fact.key.to_owned(), short(&shown(&fact.value)), fact.source.to_string()])
        .collect();
    let width = |column: usize, or: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(or)
    };
    let (keys, values) = (width(0, 4), width(1, 5));
    let _ = writeln!(text, "\n  {:<keys$}  {:<values$}  where from", "fact", "value");
    for [key, value, source] in &rows {
        let _ = writeln!(text, "  {key:<keys$}  {value:<values$}  {source}");
    }
    if !seen.questions.is_empty() {
        let _ = writeln!(text, "\nmissing, and to be said to `plumb model add`:\n{}", asked(&seen.questions));
    }
    for (title, says) in [("in the way", &seen.obstacles), ("notes", &seen.notes)] {
        if !says.is_empty() {
            let _ = writeln!(text, "\n{title}:");
        }
        for says in says {
            let _ = writeln!(text, "  - {says}");
        }
    }
    text
}

/// `an instance segmenter`.
pub(super) fn kind(seen: &Recognition) -> String {
    match seen.fact("family.kind").and_then(|fact| fact.value.as_str()) {
        None => "a model of no family that Plumb reads".to_owned(),
        Some(kind) => {
            let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            let model = if kind == "anomaly" || kind == "pose" { " model" } else { "" };
            format!("{article} {}{model}", kind.replace('_', " "))
        }
    }
}

/// Who made it, or how it was told.
fn marks(seen: &Recognition) -> String {
    match seen.exporter {
        None => "by no tool that leaves a mark".to_owned(),
        Some(Exporter::Plain | Exporter::Ssd) => "told by its shapes".to_owned(),
        Some(tool) => format!("by the marks of {tool}"),
    }
}

/// What is missing, and how it is said.
pub(super) fn asked(questions: &[Question]) -> String {
    let mut text = String::new();
    for question in questions {
        let _ = write!(text, "  {}: {}\n      {}", question.key, question.means, question.how());
        if let Some(suggestion) = &question.suggestion {
            let _ = write!(text, "\n      {} is likely: {}", suggestion.answer, suggestion.because);
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

fn shown(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(", "),
        toml::Value::Table(table) => {
            table.iter().map(|(key, value)| format!("{key} {}", shown(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= VALUE_CHARS_MAX {
        return text.to_owned();
    }
    let cut: String = text.chars().take(VALUE_CHARS_MAX - 1).collect();
    format!("{cut}…")
}
