//! What is wrong in a file, where, and what to do about it. All problems of a file are reported at once.

use serde::Serialize;
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// One thing wrong in one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file it is in.
    pub file: PathBuf,
    /// From 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// In characters, from 1; 0 when the file as a whole is meant.
    pub column: usize,
    /// What is wrong, and what was expected.
    pub says: String,
    /// What to do, where we can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Keys from the file's root to what is meant, elements of lists by their index; empty where no one value is.
    #[serde(skip)]
    pub route: Vec<String>,
}

impl Problem {
    /// A problem of a file as a whole: missing, unreadable.
    pub fn of_file(file: &Path, says: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, says: says.into(), hint: None, route: Vec::new() }
    }

    /// With advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, "  {}", self.says)?;
        match &self.hint {
            Some(hint) => write!(f, "\n    hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Every problem found, in the order of files and lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes one more.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// True if nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// By file, line and column, each once.
    pub fn sorted(mut self) -> Self {
        self.0.sort();
        self.0.dedup();
        self
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        let s = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "{} problem{s}", self.0.len())
    }
}

impl std::error::Error for Problems {}

/// `did you mean "thread"?` if one of `known` is close to `word`, else the list of what there is.
pub(super) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let closest = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min();
    match closest {
        Some((_, candidate)) => format!("did you mean \"{candidate}\"?"),
        None if known.is_empty() => "there is none to choose from yet".to_owned(),
        None => format!("there is {}", quoted_list(&known)),
    }
}

/// `"a", "b", "c"`.
fn quoted_list(names: &[&str]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
