//! A model's files, read and compared with the card before anything runs: what was digested is what is loaded.

use crate::Card;
use crate::digest;
use crate::error::ModelError;
use crate::variant::Chosen;
use plumb_onnx::{ExternalFile, OnnxError, OnnxFile, Prelude, PreludeError, Presence, Value};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The `.onnx` and the files with its weights, each with the digest that the card says.
#[derive(Debug)]
pub(crate) struct ModelFile {
    /// Of the `.onnx` alone; where weights lie apart, of the lines that `sha256sum` prints for all of them, so that
    /// other weights are another model.
    pub(crate) digest: String,
    /// What the graph is to be given, as the file declares it.
    pub(crate) inputs: Vec<Value>,
    /// Each file as it was when it was digested, the `.onnx` first.
    seen: Vec<(PathBuf, Stamp)>,
    /// Of the `.onnx`.
    own_digest: String,
}

impl ModelFile {
    /// Reads and compares all of them. The bytes are not kept: ONNX Runtime reads the file itself, and until it has done
    /// so [`ModelFile::still_the_same`] watches over it.
    ///
    /// # Errors
    /// For a file that is missing, empty, cut short or not the one the card speaks of.
    pub(crate) fn checked(card: &Card, chosen: &Chosen<'_>) -> Result<Self, ModelError> {
        let unreadable = |file: &Path, error| ModelError::Unreadable {
            model: card.name.clone(),
            file: file.to_owned(),
            card: card.path.clone(),
            error,
        };
        let stamp = Stamp::of(chosen.file).map_err(|error| unreadable(chosen.file, error))?;
        let own_digest = digest::of_file(chosen.file).map_err(|error| unreadable(chosen.file, error))?;
        if stamp.bytes == 0 {
            return Err(ModelError::Empty { model: card.name.clone(), file: chosen.file.to_owned() });
        }
        same(card, chosen.file, &own_digest, chosen.sha256)?;
        let onnx = OnnxFile::read(chosen.file).map_err(|error| not_onnx(card, chosen, error))?;
        let mut seen = vec![(chosen.file.to_owned(), stamp)];
        for (weights, expected) in listed(card, chosen, onnx.external_files())? {
            let file = folder_of(chosen.file).join(&weights.location);
            let stamp = Stamp::of(&file).map_err(|error| unreadable(&file, error))?;
            let got = digest::of_file(&file).map_err(|error| unreadable(&file, error))?;
            same(card, &file, &got, expected)?;
            seen.push((file, stamp));
        }
        // The files are those that the card says, so the digest is the card's.
        Ok(Self { digest: chosen.digest(), inputs: onnx.inputs(), seen, own_digest })
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

    /// The `.onnx` with `prelude` in front of it.
    ///
    /// # Errors
    /// The outer one when the file has changed, the inner one when it cannot have a prelude.
    pub(crate) fn with_prelude(
        &self,
        card: &Card,
        prelude: &Prelude,
    ) -> Result<Result<OnnxFile, PreludeError>, ModelError> {
        let file = &self.seen[0].0;
        let changed = || ModelError::Changed { model: card.name.clone(), file: file.clone() };
        let bytes = std::fs::read(file).map_err(|_| changed())?;
        if digest::of_bytes(&bytes) != self.own_digest {
            return Err(changed());
        }
        let onnx = OnnxFile::parse(bytes, file).map_err(|_| changed())?;
        Ok(prelude.compose(&onnx))
    }
}

/// Each file of weights that the model needs, with the digest that the card says of it. All are there, and long enough.
fn listed<'a>(
    card: &Card,
    chosen: &Chosen<'a>,
    needed: Vec<ExternalFile>,
) -> Result<Vec<(ExternalFile, &'a str)>, ModelError> {
    let folder = folder_of(chosen.file);
    let wrong = |what| ModelError::WeightsList { model: card.name.clone(), what, card: card.path.clone() };
    let plain = |location: &str| location.trim_start_matches("./").to_owned();
    let surplus = chosen
        .weights
        .iter()
        .find(|listed| !needed.iter().any(|needed| plain(&needed.location) == plain(&listed.file)));
    if let Some(surplus) = surplus {
        let (model, surplus) = (name_of(chosen.file), &surplus.file);
        return Err(wrong(format!(
            "{model} keeps no weights in {surplus:?}; take it off `weights` of its card"
        )));
    }
    let mut all = Vec::with_capacity(needed.len());
    for weights in needed {
        let found = match weights.beside(folder) {
            Presence::There { .. } => None,
            Presence::Missing => Some(None),
            Presence::Short { bytes } => Some(Some(bytes)),
            Presence::Outside => {
                return Err(wrong(format!(
                    "{} keeps weights in {:?}, outside its own folder, where no model has business; export it again",
                    name_of(chosen.file),
                    weights.location
                )));
            }
        };
        let file = folder.join(&weights.location);
        if let Some(found) = found {
            return Err(ModelError::Weights {
                model: card.name.clone(),
                file: chosen.file.to_owned(),
                weights: file,
                bytes: weights.bytes,
                found,
            });
        }
        match chosen.weights.iter().find(|listed| plain(&listed.file) == plain(&weights.location)) {
            Some(listed) => all.push((weights, listed.sha256.as_str())),
            None => {
                let digest = digest::of_file(&file).unwrap_or_else(|error| error.to_string());
                return Err(wrong(format!(
                    "{} keeps its weights in {}, of which its card says nothing; if that is the right file, write there weights = [{{ file = {:?}, sha256 = \
                     \"{digest}\" }}]",
                    name_of(chosen.file),
                    file.display(),
                    weights.location
                )));
            }
        }
    }
    Ok(all)
}

fn not_onnx(card: &Card, chosen: &Chosen<'_>, error: OnnxError) -> ModelError {
    let (model, file) = (card.name.clone(), chosen.file.to_owned());
    let reason = match error {
        OnnxError::Unreadable { error, .. } => {
            return ModelError::Unreadable { model, file, card: card.path.clone(), error };
        }
        OnnxError::Empty { .. } => return ModelError::Empty { model, file },
        OnnxError::TooLarge { bytes, .. } => {
            format!(
                "it has {bytes} bytes, and none has more than 2 GiB: its weights belong into a file of their own"
            )
        }
        OnnxError::Another { kind, .. } => format!("it is {kind}"),
        OnnxError::NotOnnx { reason, .. } => reason,
        OnnxError::NoGraph { .. } => "there is no graph in it that gives an output".to_owned(),
    };
    ModelError::NotOnnx { model, file, reason }
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

/// The folder that weights are looked for in.
pub(crate) fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_exchanged_while_it_is_loaded_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
        let mut card = Card::read(&beside.join("classifier.toml")).unwrap();
        let file = dir.path().join("classifier.onnx");
        std::fs::copy(&card.file, &file).unwrap();
        card.file.clone_from(&file);
        let checked = ModelFile::checked(&card, &Chosen::of(&card, None).unwrap()).unwrap();
        checked.still_the_same(&card).unwrap();
        // The same bytes, but another file: nobody knows what ONNX Runtime has read meanwhile.
        let other = dir.path().join("other");
        std::fs::copy(beside.join("classifier.onnx"), &other).unwrap();
        std::fs::rename(&other, &file).unwrap();
        let says = checked.still_the_same(&card).unwrap_err().to_string();
        assert!(says.contains("classifier.onnx was changed while it was being loaded"), "{says}");
    }
}
