//! The files of one model: its own, and the same model with fewer bits; one of them runs.

use crate::error::ModelError;
use crate::{Card, Device, digest};
use plumb_inspection::{Element, TensorSpec};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What the card's own `file` is called among its variants.
pub const ORIGINAL: &str = "original";

/// `[[variant]]` of a card: the same model in another file, with the same labels, family and size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// What it is asked for by: `fp16`, `int8`.
    pub name: String,
    /// Its `.onnx`; written relative to the card, kept resolved.
    pub file: PathBuf,
    /// SHA-256 of that file, 64 lower-case hex digits.
    pub sha256: String,
    /// Files beside it that hold its weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<WeightsFile>,
    /// Where it was found to run best; stands for the card's `device`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// Number type of its input, where that is not the card's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<Element>,
}

/// A file that holds weights of a model: above 2 GiB they must lie apart, and some exporters always put them there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsFile {
    /// As the `.onnx` calls it, relative to its folder.
    pub file: String,
    /// SHA-256 of that file, 64 lower-case hex digits.
    pub sha256: String,
}

/// The file of a model that is to run.
#[derive(Clone, Debug)]
pub(crate) struct Chosen<'a> {
    /// `original` or a variant's name.
    pub(crate) name: &'a str,
    pub(crate) file: &'a Path,
    pub(crate) sha256: &'a str,
    pub(crate) weights: &'a [WeightsFile],
    /// Where it was found to run best.
    pub(crate) device: Option<&'a Device>,
    /// What it wants to be given.
    pub(crate) input: TensorSpec,
}

impl Chosen<'_> {
    /// Of all its files together, as the card says them: its own digest where there is one file, else that of the lines
    /// that `sha256sum` prints of the `.onnx` and of its weights in the order of their names.
    pub(crate) fn digest(&self) -> String {
        let mut weights: Vec<&WeightsFile> = self.weights.iter().collect();
        if weights.is_empty() {
            return self.sha256.to_owned();
        }
        weights.sort_by(|a, b| a.file.cmp(&b.file));
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let lines = weights.iter().map(|file| format!("{}  {}\n", file.sha256, file.file));
        let lines: String = std::iter::once(format!("{}  {name}\n", self.sha256)).chain(lines).collect();
        digest::of_bytes(lines.as_bytes())
    }
}

impl Variant {
    pub(crate) fn resolved(self, folder: &Path) -> Self {
        Self {
            file: folder.join(self.file),
            sha256: self.sha256.to_ascii_lowercase(),
            weights: self.weights.into_iter().map(WeightsFile::lowered).collect(),
            ..self
        }
    }

    /// What is wrong with it, beside variants of these names.
    pub(crate) fn problem(&self, known: &[&str]) -> Option<String> {
        if self.name.trim().is_empty() {
            return Some("a variant needs a name".to_owned());
        }
        if known.contains(&self.name.as_str()) {
            return Some(match self.name.as_str() {
                ORIGINAL => format!("{ORIGINAL:?} is the card's own `file`; name this variant otherwise"),
                name => format!("{name:?} stands here twice; nobody could say which is meant"),
            });
        }
        digest_problem(&self.file, &self.sha256)
            .or_else(|| self.weights.iter().find_map(WeightsFile::problem))
    }
}

impl WeightsFile {
    pub(crate) fn lowered(self) -> Self {
        Self { sha256: self.sha256.to_ascii_lowercase(), ..self }
    }

    pub(crate) fn problem(&self) -> Option<String> {
        digest_problem(Path::new(&self.file), &self.sha256)
    }
}

impl<'a> Chosen<'a> {
    /// The variant of `card` that `wish` names, else the card's default.
    ///
    /// # Errors
    /// For a name that the card does not have.
    pub(crate) fn of(card: &'a Card, wish: Option<&str>) -> Result<Self, ModelError> {
        let name = wish.or(card.default_variant.as_deref()).unwrap_or(ORIGINAL);
        if name == ORIGINAL {
            return Ok(Self {
                name: ORIGINAL,
                file: &card.file,
                sha256: &card.sha256,
                weights: &card.weights,
                device: card.device.as_ref(),
                input: card.input.clone(),
            });
        }
        let variant = card.variants.iter().find(|variant| variant.name == name).ok_or_else(|| {
            let variants = card.variants.iter().map(|variant| variant.name.clone());
            ModelError::Variant {
                model: card.name.clone(),
                variant: name.to_owned(),
                known: std::iter::once(ORIGINAL.to_owned()).chain(variants).collect(),
                card: card.path.clone(),
            }
        })?;
        let element = variant.element.unwrap_or(card.input.element);
        Ok(Self {
            name: &variant.name,
            file: &variant.file,
            sha256: &variant.sha256,
            weights: &variant.weights,
            device: variant.device.as_ref().or(card.device.as_ref()),
            input: TensorSpec { element, ..card.input.clone() },
        })
    }
}

/// What is wrong with a digest of `file`.
pub(crate) fn digest_problem(file: &Path, digest: &str) -> Option<String> {
    (digest.len() != 64 || !digest.chars().all(|c| c.is_ascii_hexdigit())).then(|| {
        format!(
            "sha256 is 64 hex digits, as `sha256sum {}` prints them; these are {} characters",
            file.display(),
            digest.chars().count()
        )
    })
}
