//! What the console must have asked of whoever runs the models: it has no runtime itself.

use crate::Refused;
use serde::Serialize;
use std::fmt;

/// The models of the station's recipes. Every question may wait for the disk or for a run; none is asked on a thread that
/// serves others, and what runs stands back behind the line.
pub trait Models: fmt::Debug + Send + Sync {
    /// Every place where a recipe names a model: those that are loaded first.
    ///
    /// # Errors
    /// When the recipes cannot be read.
    fn named(&self) -> Result<Vec<ModelSeen>, Refused>;

    /// The model's file, looked into.
    ///
    /// # Errors
    /// When no recipe names such a model, or its file cannot be read.
    fn inspect(&self, digest: &str) -> Result<ModelFile, Refused>;

    /// Has the model look at its reference's pictures and compares what it finds.
    ///
    /// # Errors
    /// When no recipe names such a model, it has no reference, or it does not run.
    fn verify(&self, digest: &str) -> Result<ModelVerified, Refused>;

    /// Times the model in every way this machine can run it, and recommends one: a table, as the command line prints it. Takes
    /// minutes.
    ///
    /// # Errors
    /// When no recipe names such a model, or it does not run.
    fn bench(&self, digest: &str) -> Result<String, Refused>;
}

/// A model where a recipe names it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelSeen {
    /// SHA-256 of what runs, in hex.
    pub digest: String,
    /// On its card.
    pub name: String,
    /// How its output is read.
    pub family: String,
    /// The recipe.
    pub recipe: String,
    /// The model beside which it looks on; `None`: its word counts.
    pub shadow_of: Option<String>,
    /// The card's file.
    pub card: String,
    /// What it can see.
    pub labels: Vec<String>,
    /// What its card says of where it comes from: key and text.
    pub about: Vec<(String, String)>,
    /// There are reference detections beside its card.
    pub has_reference: bool,
    /// What runs it; `None` where it is not loaded.
    pub runs: Option<ModelRun>,
    /// Why it is not loaded, where that is a failure.
    pub failed: Option<String>,
}

/// A model that is loaded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelRun {
    /// What runs it: `cpu`, `cuda` …
    pub provider: String,
    /// Why it runs there.
    pub why: String,
    /// What was asked for.
    pub asked: String,
    /// What one run took when it was warmed, ms.
    pub run_ms: f64,
    /// From trigger to answer, ms.
    pub deadline_ms: u64,
    /// Why it does not run where it was meant to.
    pub degraded: Option<String>,
}

/// What a model's file is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ModelFile {
    /// Where it lies.
    pub file: String,
    /// How long it is.
    pub bytes: u64,
    /// What wrote it, opset and so on, in a sentence.
    pub written_by: String,
    /// Name, type and shape of each.
    pub inputs: Vec<String>,
    /// Name, type and shape of each.
    pub outputs: Vec<String>,
    /// Key, value, and where that was taken from.
    pub facts: Vec<(String, String, String)>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// What came of holding a model against its reference detections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelVerified {
    /// What made the reference.
    pub made_by: String,
    /// Pictures of the reference.
    pub pictures: usize,
    /// Findings in them.
    pub findings: usize,
    /// Picture, and what is not as it was. Empty: it finds the same.
    pub differences: Vec<(String, String)>,
    /// Thresholds that were others then.
    pub notes: Vec<String>,
}
