//! What was made once from a model, kept for the next start: whole and unchanged, or not used at all.
//!
//! A shelf is a folder whose name says what its content was made from. It is filled beside its place, sealed with the
//! digest of every file, and moved there in one step; before each use the digests are compared. ONNX Runtime maps
//! weights from it, so a shelf is never changed in place.

use crate::digest;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The place of one thing made from one model.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    cache: PathBuf,
    folder: PathBuf,
}

/// What lies on a shelf.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing yet.
    Nothing,
    /// What was put there, unchanged.
    Whole,
    /// Something else; with what is wrong.
    Spoilt(String),
}

/// Digests of all other files, as `sha256sum` writes them.
const SEAL: &str = "sha256sums";

/// More than the models of a station times its devices; what is older goes when one more is put there.
const SHELVES_MAX: usize = 64;

impl Shelf {
    /// In the folder `cache`, for what is made from `parts`: everything that would make it another.
    pub(crate) fn new(cache: &Path, name: &str, parts: &[&str]) -> Self {
        let key = digest::of_bytes(parts.join("\n").as_bytes());
        let plain: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
            .take(40)
            .collect();
        let folder = cache.join(format!("{plain}-{}", &key[..24]));
        Self { cache: cache.to_owned(), folder }
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Looks at every file's digest.
    pub(crate) fn content(&self) -> Content {
        if !self.folder.exists() {
            return Content::Nothing;
        }
        let seal = match std::fs::read_to_string(self.folder.join(SEAL)) {
            Ok(seal) => seal,
            Err(error) => return Content::Spoilt(format!("its {SEAL} cannot be read: {error}")),
        };
        match sums(&self.folder) {
            Ok(found) if found == seal => Content::Whole,
            Ok(found) => {
                let (found, sealed) = (by_name(&found), by_name(&seal));
                let name =
                    sealed.keys().chain(found.keys()).find(|name| found.get(*name) != sealed.get(*name));
                Content::Spoilt(format!("{} is not what was put there", name.unwrap_or(&SEAL)))
            }
            Err(error) => Content::Spoilt(error.to_string()),
        }
    }

    /// Takes everything off it.
    pub(crate) fn clear(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(folder = %self.folder.display(), %error, "A spoilt model cache cannot be removed.");
        }
    }

    /// Has `fill` put files into a folder, then seals it and moves it here. What another process has put here
    /// meanwhile stays.
    ///
    /// # Errors
    /// The outer one when the file system refuses, the inner one is `fill`'s own.
    pub(crate) fn put<E>(&self, fill: impl FnOnce(&Path) -> Result<(), E>) -> std::io::Result<Result<(), E>> {
        std::fs::create_dir_all(&self.cache)?;
        let mut made = self.folder.clone().into_os_string();
        made.push(format!(".making-{}", std::process::id()));
        let made = PathBuf::from(made);
        let _ = std::fs::remove_dir_all(&made);
        std::fs::create_dir(&made)?;
        let put = || {
            if let Err(error) = fill(&made) {
                return Ok(Err(error));
            }
            std::fs::write(made.join(SEAL), sums(&made)?)?;
            match std::fs::rename(&made, &self.folder) {
                Err(_) if self.folder.exists() => Ok(Ok(())),
                moved => moved.map(Ok),
            }
        };
        let done = put();
        let _ = std::fs::remove_dir_all(&made);
        self.make_room();
        done
    }

    /// Takes the oldest shelves away until there are no more than [`SHELVES_MAX`].
    fn make_room(&self) {
        let shelves = std::fs::read_dir(&self.cache).into_iter().flatten().flatten();
        let mut by_age: Vec<(SystemTime, PathBuf)> = shelves
            .filter(|entry| entry.path().join(SEAL).is_file() && entry.path() != self.folder)
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        by_age.sort();
        let surplus = (by_age.len() + 1).saturating_sub(SHELVES_MAX);
        for (_, oldest) in by_age.into_iter().take(surplus) {
            let _ = std::fs::remove_dir_all(oldest);
        }
    }
}

/// `digest  name` of every file in `folder` but the seal, by name.
fn sums(folder: &Path) -> std::io::Result<String> {
    let mut lines = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != SEAL {
            lines.insert(name, digest::of_file(&entry.path())?);
        }
    }
    Ok(lines.into_iter().map(|(name, digest)| format!("{digest}  {name}\n")).collect())
}

fn by_name(sums: &str) -> BTreeMap<&str, &str> {
    sums.lines().filter_map(|line| line.split_once("  ")).map(|(digest, name)| (name, digest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(shelf: &Shelf) {
        shelf
            .put(|folder| {
                std::fs::write(folder.join("graph.onnx"), "graph")?;
                std::fs::write(folder.join("weights.bin"), "weights")
            })
            .unwrap()
            .unwrap();
    }

    #[test]
    fn what_was_put_there_is_whole_and_every_change_spoils_it() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(&dir.path().join("cache"), "bottle cap/2", &["digest", "1.32.0", "cpu"]);
        assert_eq!(shelf.content(), Content::Nothing);
        filled(&shelf);
        assert_eq!(shelf.content(), Content::Whole);
        type Change = fn(&Path);
        let changes: [(&str, Change); 5] = [
            ("weights.bin", |f| std::fs::write(f.join("weights.bin"), "Weights").unwrap()),
            ("graph.onnx", |f| std::fs::write(f.join("graph.onnx"), "").unwrap()),
            ("graph.onnx", |f| std::fs::remove_file(f.join("graph.onnx")).unwrap()),
            ("more", |f| std::fs::write(f.join("more"), "").unwrap()),
            ("sha256sums", |f| std::fs::remove_file(f.join("sha256sums")).unwrap()),
        ];
        for (named, change) in changes {
            change(shelf.folder());
            let content = shelf.content();
            assert!(
                matches!(&content, Content::Spoilt(what) if what.contains(named)),
                "{named}: {content:?}"
            );
            shelf.clear();
            assert_eq!(shelf.content(), Content::Nothing);
            filled(&shelf);
        }
    }

    #[test]
    fn other_parts_are_another_shelf() {
        let of = |parts: &[&str]| Shelf::new(Path::new("c"), "m", parts).folder;
        assert_ne!(of(&["a", "1.32.0"]), of(&["a", "1.32.1"]));
        assert_ne!(of(&["a", "b"]), of(&["ab"]));
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
    }

    #[test]
    fn a_failure_leaves_nothing_behind_and_no_half_shelf() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(dir.path(), "m", &["x"]);
        let failed = shelf.put(|folder| {
            std::fs::write(folder.join("half"), "half").unwrap();
            Err("no engine")
        });
        assert_eq!(failed.unwrap(), Err("no engine"));
        assert_eq!(shelf.content(), Content::Nothing);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn shelves_have_an_end_and_the_oldest_go_first() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..SHELVES_MAX + 3 {
            filled(&Shelf::new(dir.path(), "m", &[&i.to_string()]));
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), SHELVES_MAX);
        let last = Shelf::new(dir.path(), "m", &[&(SHELVES_MAX + 2).to_string()]);
        assert_eq!(last.content(), Content::Whole, "the newest stays");
    }
}
