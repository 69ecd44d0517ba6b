//! What was recognised of one file: the facts, the questions, and the card.

use crate::draft::Draft;
use crate::sight::{Changed, Sight};
use crate::{Answers, Exporter, Fact, Question, card, labels, picture};
use plumb_inference::{Card, CardError};
use plumb_onnx::{ExternalFile, OnnxError, Presence};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// A file, and what it is.
#[derive(Clone, Debug)]
pub struct Recognition {
    /// The `.onnx`.
    pub file: PathBuf,
    /// Digest of the file that the card speaks of, 64 lower-case hex digits.
    pub sha256: String,
    /// Its length, without the files beside it.
    pub bytes: u64,
    /// The tool that exported it; `None` where nothing gives it away.
    pub exporter: Option<Exporter>,
    /// The program that wrote the file, as it says itself.
    pub producer: String,
    /// Version of the file format.
    pub ir_version: i64,
    /// Version of ONNX's own operators.
    pub opset: Option<i64>,
    /// What goes in, as `images: float32 [1, 3, 640, 640]`.
    pub inputs: Vec<String>,
    /// What comes out, likewise.
    pub outputs: Vec<String>,
    /// What the file left in its metadata, by key.
    pub metadata: Vec<(String, String)>,
    /// Files with weights that must lie beside it.
    pub external: Vec<(ExternalFile, Presence)>,
    /// The file that the card speaks of, where that is not the one that was looked at.
    pub changed: Option<Changed>,
    /// Digests of the files with weights, in the order of `external`.
    weights: Vec<(String, String)>,
    /// Lines of the card, in its order.
    pub facts: Vec<Fact>,
    /// What is missing.
    pub questions: Vec<Question>,
    /// Why the model cannot be used here; empty for nearly all.
    pub obstacles: Vec<String>,
    /// Worth knowing.
    pub notes: Vec<String>,
}

/// Why there is no card yet.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// It cannot be used, whatever is answered.
    #[error("{} cannot be used: {}", file.display(), reasons.join("; "))]
    Obstacles {
        /// The `.onnx`.
        file: PathBuf,
        /// One sentence each.
        reasons: Vec<String>,
    },
    /// Something has to be said first.
    #[error("{} does not tell everything that its card must say", file.display())]
    Questions {
        /// The `.onnx`.
        file: PathBuf,
        /// What is missing.
        questions: Vec<Question>,
    },
    /// What was found and answered makes no card.
    #[error("what was found and answered makes no card: {0}")]
    Card(CardError),
}

impl Recognition {
    /// Looks at the file at `path` and what lies beside it; `answers` go before what they say.
    ///
    /// # Errors
    /// When there is no whole ONNX model.
    pub fn of(path: &Path, answers: &Answers) -> Result<Self, OnnxError> {
        let sight = Sight::of(path)?;
        let mut draft = Draft::new(answers);
        picture::find(&sight, &mut draft);
        let exporter = Exporter::of(&sight);
        if let Some(exporter) = exporter {
            exporter.read(&sight, &mut draft);
            picture::finish(&mut draft);
        } else {
            unknown(&sight, &mut draft);
        }
        draft.notes.extend(sight.beside.problems.iter().cloned());

        let folder = path.parent().unwrap_or(Path::new(""));
        let external: Vec<(ExternalFile, Presence)> =
            sight.onnx.external_files().into_iter().map(|file| (file.clone(), file.beside(folder))).collect();
        draft.obstacles.extend(external.iter().filter_map(|(file, presence)| absent(file, *presence)));
        foreign_operators(&sight, &mut draft);
        if let Some(Changed { what, .. }) = &sight.changed {
            draft.note(what.clone());
        }

        let Draft { mut facts, questions, obstacles, notes } = draft;
        facts.sort_by_key(|fact| place(fact.key));
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        Ok(Self {
            file: path.to_owned(),
            sha256: sight.sha256,
            bytes: sight.bytes,
            exporter,
            producer: sight.onnx.producer(),
            ir_version: sight.onnx.ir_version(),
            opset: sight.onnx.opsets().get("").copied(),
            inputs: sight.inputs.iter().map(ToString::to_string).collect(),
            outputs: sight.outputs.iter().map(ToString::to_string).collect(),
            metadata: sight.onnx.metadata().into_iter().map(owned).collect(),
            weights: external
                .iter()
                .filter_map(|(file, presence)| digested(folder, file, *presence))
                .collect(),
            external,
            changed: sight.changed,
            facts,
            questions,
            obstacles,
            notes,
        })
    }

    /// The line of the card for `key`, e.g. `family.kind`.
    pub fn fact(&self, key: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.key == key)
    }

    /// The name of the file that the card speaks of, which lies beside it.
    pub fn card_file(&self) -> String {
        let changed = self.changed.as_ref().map_or("", |changed| changed.suffix);
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
        let extension = self.file.extension().map_or("onnx".into(), |extension| extension.to_string_lossy());
        format!("{stem}{changed}.{extension}")
    }

    /// Names and digests of the files with weights that were found beside it.
    pub fn weights(&self) -> &[(String, String)] {
        &self.weights
    }

    /// True where a card can be written.
    pub fn is_complete(&self) -> bool {
        self.questions.is_empty() && self.obstacles.is_empty()
    }

    /// The text of a card that lies beside the model; it parses.
    ///
    /// # Errors
    /// With what is missing, or in the way.
    pub fn card(&self) -> Result<String, Unready> {
        let file = || self.file.clone();
        if !self.obstacles.is_empty() {
            return Err(Unready::Obstacles { file: file(), reasons: self.obstacles.clone() });
        }
        if !self.questions.is_empty() {
            return Err(Unready::Questions { file: file(), questions: self.questions.clone() });
        }
        let text = card::text(self);
        Card::parse(&text, &self.file.with_extension("toml")).map_err(Unready::Card)?;
        Ok(text)
    }
}

/// Nothing reads such outputs; whoever knows better may still say how they are to be read.
fn unknown(sight: &Sight, draft: &mut Draft) {
    if draft.get("family.kind").is_none() {
        let outputs: Vec<String> = sight.outputs.iter().map(ToString::to_string).collect();
        draft.obstacle(format!(
            "its outputs ({}) are of no family that Plumb reads; if one fits all the same, say which: --set family.kind=detector|segmenter|anomaly|classifier",
            outputs.join("; ")
        ));
        return;
    }
    labels::find(sight, draft, None);
    draft.ask_normalisation(None);
    picture::finish(draft);
}

/// Read in pieces: such files are larger than memory may be.
fn digested(folder: &Path, file: &ExternalFile, presence: Presence) -> Option<(String, String)> {
    let Presence::There { .. } = presence else { return None };
    let mut digest = Sha256::new();
    let mut reader = std::fs::File::open(folder.join(&file.location)).ok()?;
    std::io::copy(&mut reader, &mut digest).ok()?;
    Some((file.location.clone(), digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn absent(file: &ExternalFile, presence: Presence) -> Option<String> {
    let ExternalFile { location, bytes, tensors } = file;
    let weights = if *tensors == 1 { "one weight lies".to_owned() } else { format!("{tensors} weights lie") };
    match presence {
        Presence::There { .. } => None,
        Presence::Missing => Some(format!(
            "{weights} in {location:?}, {} or more, which is not beside it; copy it there",
            size(*bytes)
        )),
        Presence::Short { bytes: there } => Some(format!(
            "{weights} in {location:?}, which has {} and must have {}; it was cut short: copy it again",
            size(there),
            size(*bytes)
        )),
        Presence::Outside => Some(format!(
            "{weights} in {location:?}, a path that leads out of the model's folder; export it again into one folder"
        )),
    }
}

/// Operators that no ONNX Runtime has by itself.
fn foreign_operators(sight: &Sight, draft: &mut Draft) {
    let known = ["", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "org.pytorch.aten"];
    let in_file: Vec<&str> = sight.onnx.model().functions.iter().map(|function| function.domain()).collect();
    for (operator, count) in sight.onnx.operators() {
        let domain = operator.domain.as_str();
        if !known.contains(&domain) && !in_file.contains(&domain) {
            let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
            draft.obstacle(format!(
                "it uses the operator {domain}:{} ({times}), which ONNX Runtime does not have; export it without",
                operator.name
            ));
        }
    }
}

/// `3.2 GB`, for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// Where on a card a key stands: as people read it.
fn place(key: &str) -> usize {
    const ORDER: [&str; 14] = [
        "name",
        "labels",
        "family.kind",
        "family.output",
        "family.activation",
        "family.",
        "input.width",
        "input.height",
        "input.colour",
        "input.layout",
        "input.element",
        "input.fit",
        "input.",
        "about.",
    ];
    let exact = ORDER.iter().position(|known| *known == key);
    exact.or_else(|| ORDER.iter().position(|known| key.starts_with(known))).unwrap_or(ORDER.len())
}
