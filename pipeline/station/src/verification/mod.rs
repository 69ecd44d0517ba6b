//! Does a model still find what it found? Reference detections held against what it finds now.

mod difference;
mod examiner;
mod reference;

pub(crate) use difference::Difference;
pub(crate) use examiner::Examiner;
pub(crate) use reference::{Picture, Reference, Tolerance};

use plumb_inference::{Card, Device, LoadOptions, Model, Runtime};
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Card, reference or pictures.
    #[error("{0}")]
    Config(String),
    /// The model does not run.
    #[error("{0}")]
    Model(String),
}

fn config(says: impl ToString) -> Failure {
    Failure::Config(says.to_string())
}

fn model(says: impl ToString) -> Failure {
    Failure::Model(says.to_string())
}

/// What came of it.
pub(crate) struct Verification {
    /// What the model found when it was known to be right.
    pub(crate) reference: Reference,
    /// Empty: it finds the same.
    pub(crate) differences: Vec<Difference>,
    /// Thresholds that the reference was made with, where the card has others: a sentence each.
    pub(crate) settings_apart: Vec<String>,
}

/// Where a card's reference detections are unless somebody says otherwise.
pub(crate) fn reference_of(card: &Path) -> PathBuf {
    card.with_extension("reference.json")
}

/// The model of a card, ready to look at pictures.
pub(crate) fn examiner(card: &Path, device: &Device) -> Result<(Card, Examiner), Failure> {
    let card = Card::read(card).map_err(config)?;
    let runtime = Runtime::load(None).map_err(model)?;
    let options = LoadOptions { device: device.clone(), ..LoadOptions::default() };
    let opened = Model::load(&runtime, &card, &options).map_err(model)?;
    Ok((card, Examiner::new(opened).map_err(config)?))
}

/// Has the model of `card` look at the pictures of a reference on `device`, and compares.
pub(crate) fn verify(
    card: &Path,
    (file, folder): (&Path, &Path),
    device: &Device,
) -> Result<Verification, Failure> {
    let reference = Reference::read(file).map_err(config)?;
    let (card, mut examiner) = examiner(card, device)?;
    let mut differences = Vec::new();
    for expected in &reference.pictures {
        let path = folder.join(&expected.file);
        let (bytes, sha256) = read(&path)?;
        if expected.sha256.as_ref().is_some_and(|known| !known.eq_ignore_ascii_case(&sha256)) {
            differences.push(Difference {
                picture: expected.file.clone(),
                kind: "picture",
                says: format!(
                    "{} is not the picture that the reference was made from; put that one back, or make the reference anew with --write",
                    path.display()
                ),
            });
            continue;
        }
        let (found, size_px) = examiner.examine(&bytes, &path).map_err(model)?;
        let found = Picture::of(&expected.file, sha256, &found);
        differences.extend(differs(&expected.within(size_px), &found, reference.tolerance));
    }
    if reference.pictures.is_empty() {
        return Err(Failure::Config(format!("reference {} has no picture in it", file.display())));
    }
    let settings_apart = settings_apart(&reference, &card);
    Ok(Verification { reference, differences, settings_apart })
}

/// A picture's bytes, and their SHA-256 in hex.
pub(crate) fn read(path: &Path) -> Result<(Vec<u8>, String), Failure> {
    let bytes = fs::read(path)
        .map_err(|error| Failure::Config(format!("picture {} cannot be read: {error}", path.display())))?;
    let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, sha256))
}

fn differs(expected: &Picture, found: &Picture, tolerance: Tolerance) -> Vec<Difference> {
    let mut differences =
        difference::findings(&expected.file, &expected.findings, &found.findings, tolerance);
    if let (Some(was), Some(is)) = (expected.score, found.score)
        && (was - is).abs() > tolerance.score
    {
        let says = format!("the whole now scores {is:.4} and scored {was:.4}");
        differences.push(Difference { picture: expected.file.clone(), kind: "score", says });
    }
    differences
}

fn settings_apart(reference: &Reference, card: &Card) -> Vec<String> {
    let family = serde_json::to_value(&card.family).unwrap_or_default();
    let was = reference.settings.as_object().into_iter().flatten();
    was.filter_map(|(key, was)| {
        let is = family.get(key)?;
        let near = was.as_f64().zip(is.as_f64()).is_some_and(|(a, b)| (a - b).abs() < 1e-6);
        (was != is && !near).then(|| format!("the reference was made with {key} = {was}, the card says {is}"))
    })
    .collect()
}
