//! Which ONNX Runtime libraries there are: the one that a station here would load, and those that lie beside it.

use super::{
    crew::Hand,
    words::{Answer, Order},
};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A library that loads, in a process of its own.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Library {
    pub(super) path: PathBuf,
    pub(super) version: String,
    /// As ONNX Runtime names them, e.g. `CPUExecutionProvider`.
    pub(super) providers: Vec<String>,
}

/// A place where one was named or seen that cannot be used.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Unusable {
    pub(super) path: PathBuf,
    pub(super) reason: String,
}

/// The station's own first, then those of `named`, then those of the folders where a station looks, and of the folders in
/// them. None twice.
///
/// # Errors
/// Where even the station's own does not load.
pub(super) fn found(named: &[PathBuf]) -> Result<(Vec<Library>, Vec<Unusable>), String> {
    let mut libraries = vec![probed(None)?];
    let mut unusable = Vec::new();
    for place in named.iter().cloned().chain(usual_places()) {
        let known = |library: &Library| library.path.parent() == Some(&place) || library.path == place;
        if libraries.iter().any(known) {
            continue;
        }
        match probed(Some(&place)) {
            Ok(library) if libraries.iter().any(|known| known.path == library.path) => {}
            Ok(library) => libraries.push(library),
            Err(reason) => unusable.push(Unusable { path: place, reason }),
        }
    }
    Ok((libraries, unusable))
}

fn probed(place: Option<&Path>) -> Result<Library, String> {
    match Hand::start(place)?.ask(&Order::Library)? {
        Answer::Library { path, version, providers } => Ok(Library { path, version, providers }),
        other => Err(format!("it was asked for its library and said {other:?}")),
    }
}

/// Folders with a library in them.
fn usual_places() -> Vec<PathBuf> {
    let (here, program) = (std::env::current_dir().ok(), std::env::current_exe().ok());
    let installed = program.iter().filter_map(|program| Some(program.parent()?.parent()?.join("lib/plumb")));
    let folders = here.iter().flat_map(|here| here.ancestors());
    let folders = folders.chain(program.iter().flat_map(|program| program.ancestors().skip(1)));
    let shelves: Vec<PathBuf> = installed.chain(folders.map(|folder| folder.join(".plumb/lib"))).collect();
    let mut places: Vec<PathBuf> = Vec::new();
    for shelf in shelves.into_iter().filter(|shelf| shelf.is_dir()) {
        let beside = fs::read_dir(&shelf).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut folders: Vec<PathBuf> = beside.filter(|path| path.is_dir()).collect();
        folders.sort();
        for folder in std::iter::once(shelf).chain(folders) {
            let folder = folder.canonicalize().unwrap_or(folder);
            if holds_a_library(&folder) && !places.contains(&folder) {
                places.push(folder);
            }
        }
    }
    places
}

fn holds_a_library(folder: &Path) -> bool {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("libonnxruntime.so"))
}
