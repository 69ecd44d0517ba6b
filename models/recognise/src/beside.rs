//! The files that exporters and people leave beside a model.

use serde_json::Value as Json;
use std::path::Path;

/// Longer ones hold something else.
const BYTES_MAX: u64 = 1 << 20;

/// Side files that some exporter writes.
const JSON_NAMES: [&str; 5] =
    ["deploy.json", "pipeline.json", "detail.json", "config.json", "preprocessor_config.json"];

/// Names that a list of labels goes by, best first; `*` is the model's own name.
const LABEL_NAMES: [&str; 9] = [
    "*.labels.txt",
    "*.labels",
    "*.names",
    "*.txt",
    "labels.txt",
    "classes.txt",
    "class_names.txt",
    "obj.names",
    "coco.names",
];

/// What lies beside a model and speaks of it.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    json: Vec<(&'static str, Json)>,
    /// Lists of labels by the name of their file, best first.
    pub(crate) labels: Vec<(String, Vec<String>)>,
    /// Files that should have been read and could not.
    pub(crate) problems: Vec<String>,
}

impl Beside {
    /// Looks at the files beside the model at `path`.
    pub(crate) fn of(path: &Path) -> Self {
        let mut beside = Self::default();
        let folder = path.parent().unwrap_or(Path::new(""));
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        for name in JSON_NAMES {
            if let Some(text) = beside.text(folder, name) {
                match serde_json::from_str(&text) {
                    Ok(json) => beside.json.push((name, json)),
                    Err(error) => beside.problems.push(format!("{name} beside it is no JSON: {error}")),
                }
            }
        }
        for name in LABEL_NAMES.map(|name| name.replacen('*', &stem, 1)) {
            if let Some(text) = beside.text(folder, &name) {
                let labels: Vec<String> =
                    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
                beside.labels.push((name, labels));
            }
        }
        beside
    }

    /// The side file of that name, if it is there.
    pub(crate) fn json(&self, name: &str) -> Option<&Json> {
        self.json.iter().find(|(known, _)| *known == name).map(|(_, json)| json)
    }

    fn text(&mut self, folder: &Path, name: &str) -> Option<String> {
        let path = folder.join(name);
        let there = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
        if there.len() > BYTES_MAX {
            self.problems.push(format!("{name} beside it is too long to be what its name says"));
            return None;
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) => {
                self.problems.push(format!("{name} beside it cannot be read: {error}"));
                None
            }
        }
    }
}
