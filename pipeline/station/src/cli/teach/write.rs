//! Where a taught model goes: a file under a name of its own content, then the card that speaks of it. Whatever happens
//! between the two, the card that is there speaks of a model that is whole.

use super::Stop;
use crate::{cli::Exit, config::ViewPlan};
use plumb_inference::Card;
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// The first words of `[about] method` on a card that a lesson wrote.
pub(super) const METHOD: &str = "plumb teach:";

/// The card to write.
pub(super) struct Place {
    /// The card.
    pub(super) card: PathBuf,
    folder: PathBuf,
    /// The card's name without its end: that of the model.
    pub(super) stem: String,
}

impl Place {
    /// Where `out` says, else where the recipe says that its model's card is.
    pub(super) fn of(out: Option<&Path>, view: &ViewPlan) -> Result<Self, String> {
        let card = match (out, &view.card) {
            (Some(out), _) => out.to_owned(),
            (None, Some(card)) => card.clone(),
            (None, None) => {
                return Err(format!(
                    "recipe \"{}\" names no card for model \"{}\"; add [[model]] with name and card, or say --out CARD.toml",
                    view.recipe, view.model
                ));
            }
        };
        if card.extension().is_none_or(|end| end != "toml") {
            return Err(format!(
                "a card is a .toml file, and {} is none; say --out CARD.toml",
                card.display()
            ));
        }
        let stem = card.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let folder = card.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self { folder: folder.to_owned(), stem, card })
    }

    /// A card that somebody else wrote is not written over unless that is meant.
    pub(super) fn may_be_written(&self, force: bool) -> Result<(), String> {
        if force || !self.card.exists() {
            return Ok(());
        }
        let is_taught = |card: &Card| {
            let method = card.about.as_ref().and_then(|about| about.method.as_ref());
            method.is_some_and(|method| method.starts_with(METHOD))
        };
        match Card::read(&self.card) {
            Ok(card) if is_taught(&card) => Ok(()),
            _ => Err(format!(
                "{} is there already and was not taught; --out names another card, --force writes over it",
                self.card.display()
            )),
        }
    }

    /// Writes `model`, tries it with the card that `text` makes of its file's name and digest, and puts that card in place.
    pub(super) fn write(
        &self,
        model: &[u8],
        text: impl FnOnce(&str, &str) -> String,
        try_out: impl FnOnce(&Card) -> Result<(), String>,
    ) -> Result<(), Stop> {
        let sha256: String = Sha256::digest(model).iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{}-{}.onnx", self.stem, &sha256[..12]);
        let file = self.folder.join(&name);
        let before = Card::read(&self.card).ok().map(|card| card.file);
        fs::create_dir_all(&self.folder).map_err(|error| self.unwritten(&self.folder, &error))?;
        let was_there = file.exists();
        in_one_step(&file, model).map_err(|error| self.unwritten(&file, &error))?;
        let text = text(&name, &sha256);
        let written = Card::parse(&text, &self.card)
            .map_err(|error| Stop::new(Exit::Bug, error))
            .and_then(|card| try_out(&card).map_err(|says| Stop(Exit::Model, says)))
            .and_then(|()| {
                in_one_step(&self.card, text.as_bytes()).map_err(|error| self.unwritten(&self.card, &error))
            });
        if written.is_err() && !was_there {
            let _ = fs::remove_file(&file); // nobody speaks of it
        }
        written?;
        self.clear(&name, before.as_deref());
        Ok(())
    }

    /// Removes what earlier lessons left, but for the model before this one: a station that runs may open it again.
    fn clear(&self, now: &str, before: Option<&Path>) {
        let before = before.and_then(Path::file_name);
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_ours = name
                .to_str()
                .and_then(|name| name.strip_prefix(&*self.stem)?.strip_prefix('-'))
                .is_some_and(|rest| {
                    rest.len() == 17
                        && rest.ends_with(".onnx")
                        && rest[..12].bytes().all(|b| b.is_ascii_hexdigit())
                });
            if is_ours && name.to_str() != Some(now) && Some(name.as_os_str()) != before {
                let _ = fs::remove_file(entry.path()); // it is in nobody's way but the disk's
            }
        }
    }

    fn unwritten(&self, file: &Path, error: &io::Error) -> Stop {
        let old = if self.card.exists() { "; the model that was there is whole" } else { "" };
        Stop(Exit::Device, format!("{} cannot be written: {error}{old}", file.display()))
    }
}

/// Under its name the file is there whole, or not at all.
fn in_one_step(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut part = tempfile::Builder::new().prefix(".plumb-teach-").suffix(".part").tempfile_in(folder)?;
    part.write_all(bytes)?;
    part.as_file().sync_all()?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    part.as_file().set_permissions(mode)?;
    part.persist(file).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &Path) -> Place {
        Place { card: folder.join("pack.toml"), folder: folder.to_owned(), stem: "pack".to_owned() }
    }

    fn card(model: &str, sha256: &str) -> String {
        format!(
            "name = \"pack\"\nfile = \"{model}\"\nsha256 = \"{sha256}\"\nlabels = [\"anomaly\"]\n[family]\nkind = \"anomaly\"\nmap_min = 1.0\n[input]\nwidth = 32\nheight = 32\n[about]\nmethod = \"{METHOD} in place\"\n"
        )
    }

    fn models(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).unwrap().flatten();
        entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "onnx")).count()
    }

    #[test]
    fn a_card_always_speaks_of_a_model_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        for lesson in 0..4 {
            assert!(place.write(&[lesson; 100], card, |_| Ok(())).is_ok());
            let card = Card::read(&place.card).unwrap();
            assert_eq!(fs::read(&card.file).unwrap(), [lesson; 100]);
            assert!(models(folder.path()) <= 2, "the one before is kept, and no older one");
        }
        let Err(Stop(exit, says)) = place.write(b"bad", card, |_| Err("it does not run".to_owned())) else {
            panic!("a model that does not run was written")
        };
        assert_eq!((exit, says.as_str()), (Exit::Model, "it does not run"));
        assert_eq!(
            fs::read(Card::read(&place.card).unwrap().file).unwrap(),
            [3; 100],
            "the old one is whole"
        );
    }

    #[test]
    fn a_card_that_no_lesson_wrote_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        assert!(place.may_be_written(false).is_ok());
        fs::write(&place.card, card("m.onnx", &"0".repeat(64)).replace(METHOD, "trained:")).unwrap();
        assert!(place.may_be_written(false).unwrap_err().contains("was not taught"));
        assert!(place.may_be_written(true).is_ok());
        fs::write(&place.card, card("m.onnx", &"0".repeat(64))).unwrap();
        assert!(place.may_be_written(false).is_ok());
    }
}
