//! `plumb model verify`: does a model still find what it found?

use super::super::{Exit, fail, print, say};
use crate::verification::{self, Failure, Picture, Reference, Tolerance, Verification};
use plumb_inference::Device;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Arguments of `plumb model verify`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Verify {
    /// The model's card.
    card: PathBuf,
    /// The folder of the pictures; by default that of the reference.
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
    /// The reference detections; by default CARD with .reference.json for .toml.
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// Where the model is to run.
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// Store what is found now as the reference.
    #[arg(long)]
    write: bool,
    /// One JSON document on stdout, schema plumb.verify/1.
    #[arg(long)]
    json: bool,
}

/// How it ended before its time.
struct Stop(Exit, String);

fn stop<E: ToString>(exit: Exit) -> impl Fn(E) -> Stop {
    move |says| Stop(exit, says.to_string())
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Config(says) => Self(Exit::Config, says),
            Failure::Model(says) => Self(Exit::Model, says),
        }
    }
}

impl Verify {
    pub(super) fn run(self) -> Exit {
        let done = if self.write { self.write() } else { self.compare() };
        done.unwrap_or_else(|Stop(exit, says)| fail(exit, says))
    }

    /// The reference and its folder.
    fn reference(&self) -> (PathBuf, PathBuf) {
        let file = self.reference.clone().unwrap_or_else(|| verification::reference_of(&self.card));
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        (file, self.pictures.clone().unwrap_or(folder))
    }

    fn compare(&self) -> Result<Exit, Stop> {
        let (file, folder) = self.reference();
        let found = verification::verify(&self.card, (&file, &folder), &self.device)?;
        for apart in &found.settings_apart {
            say(apart);
        }
        self.tell(&file, &found)
    }

    fn tell(&self, file: &Path, found: &Verification) -> Result<Exit, Stop> {
        let Verification { reference, differences, .. } = found;
        let findings: usize = reference.pictures.iter().map(|picture| picture.findings.len()).sum();
        let pictures = reference.pictures.len();
        let text = if self.json {
            let document = json!({
                "schema": "plumb.verify/1", "card": self.card, "reference": file, "made_by": reference.made_by,
                "pictures": pictures, "findings": findings, "ok": differences.is_empty(), "differences": differences,
            });
            format!("{document:#}\n")
        } else {
            differences.iter().map(|d| format!("{}: {}\n", d.picture, d.says)).collect()
        };
        let told = print(text.as_bytes());
        if told != Exit::Ok {
            return Ok(told);
        }
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let (of, made_by) = (count(findings, "finding"), &reference.made_by);
        let of = format!("{of} of {made_by} in {}", count(pictures, "picture"));
        if differences.is_empty() {
            say(&format!("ok {}: the same {of}", self.card.display()));
            return Ok(Exit::Ok);
        }
        say(&format!("{}: {} from {of}", self.card.display(), count(differences.len(), "difference")));
        Ok(Exit::Finding)
    }

    fn write(&self) -> Result<Exit, Stop> {
        let (file, folder) = self.reference();
        let names = pictures(&folder).map_err(stop(Exit::Config))?;
        let (card, mut examiner) = verification::examiner(&self.card, &self.device)?;
        let mut pictures = Vec::new();
        for name in names {
            let path = folder.join(&name);
            let (bytes, sha256) = verification::read(&path)?;
            let (found, _) = examiner.examine(&bytes, &path).map_err(stop(Exit::Model))?;
            pictures.push(Picture::of(&name, sha256, &found));
        }
        let tolerance = Reference::read(&file).map_or_else(|_| Tolerance::default(), |was| was.tolerance);
        let reference = Reference {
            schema: "plumb.reference/1".to_owned(),
            made_by: concat!("plumb ", env!("CARGO_PKG_VERSION")).to_owned(),
            tolerance,
            settings: serde_json::to_value(&card.family).map_err(stop(Exit::Bug))?,
            pictures,
        };
        let text = serde_json::to_string_pretty(&reference).map_err(stop(Exit::Bug))? + "\n";
        let part = file.with_extension("json.part");
        fs::write(&part, &text)
            .and_then(|()| fs::rename(&part, &file))
            .map_err(|error| Stop(Exit::Device, format!("{} cannot be written: {error}", file.display())))?;
        say(&format!("ok {}: what is found in {} pictures now", file.display(), reference.pictures.len()));
        Ok(if self.json { print(text.as_bytes()) } else { Exit::Ok })
    }
}

/// Names of the pictures in a folder, in their order.
fn pictures(folder: &Path) -> Result<Vec<String>, String> {
    let there = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(there)
        .map_err(|error| format!("pictures {} cannot be read: {error}", there.display()))?;
    let is_picture = |name: &String| {
        let end = Path::new(name).extension().map(|end| end.to_string_lossy().to_lowercase());
        end.is_some_and(|end| ["png", "jpg", "jpeg", "bmp", "tif", "tiff"].contains(&end.as_str()))
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(is_picture).collect();
    names.sort();
    if names.is_empty() {
        return Err(format!(
            "there is no picture in {}; --pictures names a folder with some",
            there.display()
        ));
    }
    Ok(names)
}
