//! One line of a card and where it is from; one line that is missing.

use std::fmt;

/// One line of a card: what is known, and why we believe it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Its place on the card, e.g. `input.width`.
    pub key: &'static str,
    /// As the card writes it.
    pub value: toml::Value,
    /// Why we believe it.
    pub source: Source,
}

/// Where a fact comes from, surest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Whoever adds the model said so.
    Answer,
    /// Written in the file's metadata under this key.
    Metadata(String),
    /// A file beside it: its name, and where in it.
    Beside {
        /// Its name.
        file: String,
        /// Where in it; empty for the whole.
        key: String,
    },
    /// Declared shape, name or number type of an input or output.
    Shape(String),
    /// What the graph's own nodes do.
    Graph(String),
    /// The tool that exported it always does it so.
    Custom(String),
    /// Nothing says so; this is the likeliest, and why.
    Guess(String),
}

impl Source {
    /// One word, for tables and JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Metadata(_) => "metadata",
            Self::Beside { .. } => "file",
            Self::Shape(_) => "shape",
            Self::Graph(_) => "graph",
            Self::Custom(_) => "custom",
            Self::Guess(_) => "guess",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer => f.write_str("as you said"),
            Self::Metadata(key) => write!(f, "metadata {key:?}"),
            Self::Beside { file, key } if key.is_empty() => write!(f, "{file} beside it"),
            Self::Beside { file, key } => write!(f, "{file} beside it, {key}"),
            Self::Shape(of) => write!(f, "shape: {of}"),
            Self::Graph(what) => write!(f, "graph: {what}"),
            Self::Custom(who) => write!(f, "custom: {who}"),
            Self::Guess(why) => write!(f, "guess: {why}"),
        }
    }
}

/// Something that a card needs and the file does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its place on the card; `input.normalisation` stands for `scale`, `mean` and `std` together.
    pub key: &'static str,
    /// What it means, in one sentence.
    pub means: String,
    /// What may be answered; empty where anything may.
    pub choices: Vec<String>,
    /// The likeliest answer, where there is one.
    pub suggestion: Option<Suggestion>,
}

/// The likeliest answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// One that may be given as it stands.
    pub answer: String,
    /// Why it is the likeliest.
    pub because: String,
}

impl Question {
    /// How it is answered on the command line.
    pub fn how(&self) -> String {
        match (self.key, &self.choices[..]) {
            ("labels", _) => "--labels NAME,NAME,… or --labels-file FILE".to_owned(),
            (key, []) => format!("--set {key}=…"),
            (key, choices) => format!("--set {key}={}", choices.join("|")),
        }
    }
}
