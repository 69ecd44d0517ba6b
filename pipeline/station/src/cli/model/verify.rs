//! `plumb model verify`: does a model still find what it found?

use super::super::{Exit, fail, print, say};
use super::compare::{self, Difference};
use super::prepare::Examiner;
use super::reference::{Picture, Reference, Tolerance};
use plumb_inference::{Card, Device, LoadOptions, Model, Runtime};
use serde_json::json;
use sha2::{Digest as _, Sha256};
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

impl Verify {
    pub(super) fn run(self) -> Exit {
        let done = if self.write { self.write() } else { self.compare() };
        done.unwrap_or_else(|Stop(exit, says)| fail(exit, says))
    }

    /// The reference and its folder.
    fn reference(&self) -> (PathBuf, PathBuf) {
        let file = self.reference.clone().unwrap_or_else(|| self.card.with_extension("reference.json"));
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        (file, self.pictures.clone().unwrap_or(folder))
    }

    fn examiner(&self) -> Result<(Card, Examiner), Stop> {
        let card = Card::read(&self.card).map_err(stop(Exit::Config))?;
        let runtime = Runtime::load(None).map_err(stop(Exit::Model))?;
        let options = LoadOptions { device: self.device.clone(), ..LoadOptions::default() };
        let model = Model::load(&runtime, &card, &options).map_err(stop(Exit::Model))?;
        let examiner = Examiner::new(model).map_err(stop(Exit::Config))?;
        Ok((card, examiner))
    }

    fn compare(&self) -> Result<Exit, Stop> {
        let (file, folder) = self.reference();
        let reference = Reference::read(&file).map_err(stop(Exit::Config))?;
        let (card, mut examiner) = self.examiner()?;
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
            let (found, size_px) = examiner.examine(&bytes, &path).map_err(stop(Exit::Model))?;
            let found = Picture::of(&expected.file, sha256, &found);
            differences.extend(differs(&expected.within(size_px), &found, reference.tolerance));
        }
        if reference.pictures.is_empty() {
            return Err(Stop(Exit::Config, format!("reference {} has no picture in it", file.display())));
        }
        for (key, was, is) in settings_apart(&reference, &card) {
            say(&format!("the reference was made with {key} = {was}, the card says {is}"));
        }
        self.tell(&file, &reference, &differences)
    }

    fn tell(&self, file: &Path, reference: &Reference, differences: &[Difference]) -> Result<Exit, Stop> {
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
        let (card, mut examiner) = self.examiner()?;
        let mut pictures = Vec::new();
        for name in names {
            let path = folder.join(&name);
            let (bytes, sha256) = read(&path)?;
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

fn differs(expected: &Picture, found: &Picture, tolerance: Tolerance) -> Vec<Difference> {
    let mut differences = compare::findings(&expected.file, &expected.findings, &found.findings, tolerance);
    if let (Some(was), Some(is)) = (expected.score, found.score)
        && (was - is).abs() > tolerance.score
    {
        let says = format!("the whole now scores {is:.4} and scored {was:.4}");
        differences.push(Difference { picture: expected.file.clone(), kind: "score", says });
    }
    differences
}

/// Thresholds that the reference was made with, where the card has others.
fn settings_apart(reference: &Reference, card: &Card) -> Vec<(String, String, String)> {
    let family = serde_json::to_value(&card.family).unwrap_or_default();
    let was = reference.settings.as_object().into_iter().flatten();
    was.filter_map(|(key, was)| {
        let is = family.get(key)?;
        let near = was.as_f64().zip(is.as_f64()).is_some_and(|(a, b)| (a - b).abs() < 1e-6);
        (was != is && !near).then(|| (key.clone(), was.to_string(), is.to_string()))
    })
    .collect()
}

fn read(path: &Path) -> Result<(Vec<u8>, String), Stop> {
    let bytes = fs::read(path)
        .map_err(|error| Stop(Exit::Config, format!("picture {} cannot be read: {error}", path.display())))?;
    let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, sha256))
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
