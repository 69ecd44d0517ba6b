//! What `bench` and its workers say to each other: one JSON line each, an answer for every order.

use plumb_inference::{
    ModelError,
    trial::{Candidate, Round},
};
use plumb_inspection::{Finding, Findings, RectPx, Score};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a worker is to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Order {
    /// Load ONNX Runtime and say what it has.
    Library,
    /// Load the model.
    Load { card: PathBuf, candidate: Candidate, region_px: Option<RectPx> },
    /// Look at a picture.
    Look { picture: PathBuf },
    /// Look at nothing in particular, for want of pictures.
    Draw,
    /// Run so many times over the first pictures it was shown.
    Time { runs: usize },
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "snake_case")]
pub(super) enum Answer {
    Library {
        path: PathBuf,
        version: String,
        providers: Vec<String>,
    },
    /// The model is warm.
    Ready {
        provider: String,
        load_ms: f64,
    },
    Saw {
        findings: Vec<Finding>,
        raw: Option<Score>,
    },
    Drew,
    Timed {
        round: Round,
    },
    /// It cannot; in a sentence.
    Failed {
        says: String,
    },
}

impl Answer {
    pub(super) fn saw(mut findings: Findings) -> Self {
        let raw = findings.scores.pop().map(|(_, _, score)| score);
        Self::Saw { findings: findings.list, raw }
    }

    pub(super) fn failed(says: impl ToString) -> Self {
        Self::Failed { says: says.to_string() }
    }
}

impl From<ModelError> for Answer {
    fn from(error: ModelError) -> Self {
        Self::failed(error)
    }
}

/// What a worker saw, as the crate that compares wants it.
pub(super) fn findings(list: Vec<Finding>, raw: Option<Score>) -> Findings {
    Findings {
        list,
        scores: raw.map(|raw| ("".into(), "the picture".into(), raw)).into_iter().collect(),
        ..Findings::default()
    }
}
