//! A model's files, read and compared with the card before anything runs: what was digested is what is loaded.

use crate::Card;
use crate::digest;
use crate::error::ModelError;
use crate::variant::Chosen;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The `.onnx` and the files with its weights, each with the digest that the card says.
#[derive(Debug)]
pub(crate) struct ModelFile {
    /// Of the `.onnx` alone; where weights lie apart, of the lines that `sha256sum` prints for all of them, so that
    /// other weights are another model.
    pub(crate) digest: String,
    /// Each file as it was when it was digested.
    seen: Vec<(PathBuf, Stamp)>,
}

impl ModelFile {
    /// Reads and compares all of them.
    ///
    /// # Errors
    /// For a file that is missing, empty or not the one the card speaks of.
    pub(crate) fn checked(card: &Card, chosen: &Chosen<'_>) -> Result<Self, ModelError> {
        let unreadable = |error| ModelError::Unreadable {
            model: card.name.clone(),
            file: chosen.file.to_owned(),
            card: card.path.clone(),
            error,
        };
        let stamp = Stamp::of(chosen.file).map_err(unreadable)?;
        if stamp.bytes == 0 {
            return Err(ModelError::Empty { model: card.name.clone(), file: chosen.file.to_owned() });
        }
        let digest = digest::of_file(chosen.file).map_err(unreadable)?;
        same(card, chosen.file, &digest, chosen.sha256)?;
        let mut seen = vec![(chosen.file.to_owned(), stamp)];
        let folder = chosen.file.parent().unwrap_or(Path::new(""));
        let mut lines = format!("{digest}  {}\n", name_of(chosen.file));
        for weights in chosen.weights {
            let file = folder.join(&weights.file);
            let missing = |error: std::io::Error| ModelError::Unreadable {
                model: card.name.clone(),
                file: file.clone(),
                card: card.path.clone(),
                error,
            };
            let stamp = Stamp::of(&file).map_err(missing)?;
            let digest = digest::of_file(&file).map_err(missing)?;
            same(card, &file, &digest, &weights.sha256)?;
            lines += &format!("{digest}  {}\n", weights.file);
            seen.push((file, stamp));
        }
        let digest = if chosen.weights.is_empty() { digest } else { digest::of_bytes(lines.as_bytes()) };
        Ok(Self { digest, seen })
    }

    /// To be asked once ONNX Runtime has opened the files.
    ///
    /// # Errors
    /// When one of them was exchanged since it was digested.
    pub(crate) fn still_the_same(&self, card: &Card) -> Result<(), ModelError> {
        match self.seen.iter().find(|(file, stamp)| Stamp::of(file).ok().as_ref() != Some(stamp)) {
            None => Ok(()),
            Some((file, _)) => Err(ModelError::Changed { model: card.name.clone(), file: file.clone() }),
        }
    }
}

fn same(card: &Card, file: &Path, got: &str, expected: &str) -> Result<(), ModelError> {
    if got == expected {
        return Ok(());
    }
    Err(ModelError::Digest {
        model: card.name.clone(),
        file: file.to_owned(),
        card: card.path.clone(),
        got: got.to_owned(),
        expected: expected.to_owned(),
    })
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What changes when a file is written to or another takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    changed: Option<SystemTime>,
    inode: u64,
}

impl Stamp {
    fn of(file: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let about = std::fs::metadata(file)?;
        Ok(Self { bytes: about.len(), changed: about.modified().ok(), inode: about.ino() })
    }
}
