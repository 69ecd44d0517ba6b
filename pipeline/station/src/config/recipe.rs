//! One recipe: what to check on one product, read from its file and its models' cards.
//!
//! Read with the whole config at the start, and alone when it is loaded again while the station runs.

mod reader;

pub(super) use reader::{RecipeReader, check_camera};

use super::{
    align::AlignPlan,
    document::Document,
    file::LedgerFull,
    gate::Gate,
    measure::MeasurePlan,
    plan::CameraPlan,
    problem::{Problem, Problems, suggest},
};
use plumb_inference::{Card, Device};
use plumb_inspection::{CameraId, ModelName, RecipeName, RecipeNumber, RectPx, RegionName};
use plumb_preprocess::{Aligner, Gauge};
use plumb_verdict::Judge;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// What to check on one product.
#[derive(Clone, Debug)]
pub struct RecipePlan {
    /// Its name.
    pub name: RecipeName,
    /// Its number.
    pub number: RecipeNumber,
    /// SHA-256 over the recipe's file, its models' digests, their cards and its taught pictures, in hex: two parts judged alike share it.
    pub digest: String,
    /// The text of its file as it was read.
    pub text: Arc<str>,
    /// From trigger to answer.
    pub deadline: Duration,
    /// What to do when records cannot be kept any more.
    pub ledger_full: LedgerFull,
    /// Its models, in the order of the file.
    pub models: Vec<ModelPlan>,
    /// What is looked at, at least one.
    pub regions: Vec<RegionPlan>,
    /// Where the part is searched before its view is cut: at most one a camera.
    pub aligns: Vec<AlignPlan>,
    /// What is measured in the pictures themselves.
    pub measures: Vec<MeasurePlan>,
    /// Who looks on.
    pub shadows: Vec<ShadowPlan>,
    /// The rules.
    pub judge: Judge,
}

impl RecipePlan {
    /// The cameras whose views make a part of this recipe, each once, in the order of its regions.
    pub fn cameras(&self) -> Vec<CameraId> {
        let mut cameras: Vec<CameraId> = Vec::new();
        for region in &self.regions {
            if !cameras.contains(&region.camera) {
                cameras.push(region.camera.clone());
            }
        }
        cameras
    }

    /// The regions that one camera's view is cut into, in order.
    pub fn regions_of<'a>(&'a self, camera: &'a CameraId) -> impl Iterator<Item = &'a RegionPlan> {
        self.regions.iter().filter(move |region| region.camera == *camera)
    }

    /// What finds the part in one camera's view, where the recipe searches it there.
    pub fn aligner_of(&self, camera: &CameraId) -> Option<&Aligner> {
        self.aligns.iter().find(|align| align.camera == *camera).map(|align| &align.aligner)
    }

    /// What is measured in one camera's view, in order.
    pub fn gauges_of(&self, camera: &CameraId) -> Vec<Gauge> {
        let here = self.measures.iter().filter(|measure| measure.camera == *camera);
        here.map(|measure| measure.gauge.clone()).collect()
    }

    /// True if the verdict rests on this model: a region is for it.
    pub fn rests_on(&self, model: usize) -> bool {
        self.regions.iter().any(|region| region.model == model)
    }
}

/// One model as a recipe wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelPlan {
    /// Its name in the recipe.
    pub name: ModelName,
    /// What it is.
    pub card: Arc<Card>,
    /// Where it is to run, if the recipe says so.
    pub device: Option<Device>,
    /// Which of the card's files is to run, if the recipe says so.
    pub variant: Option<String>,
}

impl ModelPlan {
    /// SHA-256 of what runs, as its card says: what its [`ModelInfo`](plumb_inference::ModelInfo) will say too.
    pub fn digest(&self) -> String {
        self.card.digest(self.variant.as_deref()).unwrap_or_else(|| self.card.sha256.clone())
    }
}

/// One region of one camera for one model.
#[derive(Clone, Debug)]
pub struct RegionPlan {
    /// Its name.
    pub name: RegionName,
    /// Whose view.
    pub camera: CameraId,
    /// Where.
    pub rect_px: Option<RectPx>,
    /// Index into [`RecipePlan::models`].
    pub model: usize,
}

/// One model that looks on beside another, at some of its regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowPlan {
    /// Who looks on: index into [`RecipePlan::models`].
    pub model: usize,
    /// Beside whom: index into [`RecipePlan::models`].
    pub instead_of: usize,
    /// At which regions: indices into [`RecipePlan::regions`], at least one.
    pub regions: Vec<usize>,
}

/// Why one recipe was not read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RecipeError {
    /// No file has it.
    #[error("there is no recipe \"{wanted}\" in {}; {hint}", folder.display())]
    Unknown {
        /// Name or number, as asked for.
        wanted: String,
        /// Where it was looked for.
        folder: PathBuf,
        /// What there is.
        hint: String,
    },
    /// It has problems.
    #[error(transparent)]
    Problems(#[from] Problems),
}

/// Reads the one recipe of `folder` with this name or number, as it is on disk now.
///
/// # Errors
/// Every problem of the recipe's file and of its models' cards, at once.
pub fn read_recipe(
    folder: &Path,
    cameras: &[CameraPlan],
    gate: Option<Gate>,
    wanted: &str,
) -> Result<RecipePlan, RecipeError> {
    read_as(folder, cameras, gate, (wanted, None))
}

/// As [`read_recipe`], as it would be with `text` in `file`: nothing is written.
///
/// # Errors
/// As there.
pub fn try_recipe(
    folder: &Path,
    cameras: &[CameraPlan],
    gate: Option<Gate>,
    (wanted, file, text): (&str, &Path, &str),
) -> Result<RecipePlan, RecipeError> {
    read_as(folder, cameras, gate, (wanted, Some((file, text))))
}

/// One recipe's file, whether it can be loaded or not.
#[derive(Clone, Debug)]
pub struct RecipeText {
    /// The file.
    pub file: PathBuf,
    /// Its text; empty where it cannot be read.
    pub text: String,
    /// Name and number, as far as the text tells them.
    pub name: Option<String>,
    /// As the text tells it.
    pub number: Option<String>,
    /// The `card` of each of its models, as written.
    pub cards: Vec<String>,
    /// Everything that is wrong with it.
    pub problems: Problems,
}

/// Every recipe's file of `folder` as it is now, by file name, each checked as at the start.
pub fn recipe_texts(folder: &Path, cameras: &[CameraPlan], gate: Option<Gate>) -> Vec<RecipeText> {
    let mut texts: Vec<RecipeText> = Vec::new();
    for file in recipe_files(folder) {
        let mut problems = Problems::default();
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| {
            problems.push(Problem::of_file(&file, format!("cannot be read: {error}")));
            String::new()
        });
        let document =
            problems.is_empty().then(|| Document::parse(&file, text.clone(), &mut problems)).flatten();
        let (mut name, mut number, mut cards) = (None, None, Vec::new());
        if let Some(document) = &document {
            (name, number) = (document.text_at(&["recipe", "name"]), document.text_at(&["recipe", "number"]));
            let card = |index: usize| document.text_at(&["model", &index.to_string(), "card"]);
            cards = (0..document.len_of(&["model"])).filter_map(card).collect();
            RecipeReader::new(&mut problems, cameras, gate).recipe(document);
            let is_same = |other: &&RecipeText| {
                (name.is_some() && other.name == name) || (number.is_some() && other.number == number)
            };
            if let Some(other) = texts.iter().find(is_same) {
                let says = format!("{} has the same name or number", other.file.display());
                problems.push(document.problem(&["recipe"], says).hint("give each recipe its own"));
            }
        }
        texts.push(RecipeText { file, text, name, number, cards, problems: problems.sorted() });
    }
    texts
}

/// The file of `folder` that holds the recipe of this name.
pub fn recipe_file(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut unread = Problems::default();
    recipe_files(folder).into_iter().find(|file| {
        let document = Document::read(file, &mut unread);
        document.and_then(|document| document.text_at(&["recipe", "name"])).as_deref() == Some(name)
    })
}

fn read_as(
    folder: &Path,
    cameras: &[CameraPlan],
    gate: Option<Gate>,
    (wanted, instead): (&str, Option<(&Path, &str)>),
) -> Result<RecipePlan, RecipeError> {
    let mut problems = Problems::default();
    let mut unreadable = Problems::default();
    let (mut found, mut names) = (Vec::new(), Vec::new());
    for file in recipe_files(folder) {
        let document = match instead {
            Some((changed, text)) if changed == file => {
                Document::parse(&file, text.to_owned(), &mut unreadable)
            }
            _ => Document::read(&file, &mut unreadable),
        };
        let Some(document) = document else { continue };
        let (name, number) = (document.text_at(&["recipe", "name"]), document.text_at(&["recipe", "number"]));
        if [&name, &number].into_iter().flatten().any(|is| is == wanted) {
            found.push((document, name, number));
        } else {
            names.push((name, number));
        }
    }
    let mut found = found.into_iter();
    let Some((document, name, number)) = found.next() else {
        if !unreadable.is_empty() {
            return Err(unreadable.sorted().into()); // one of them may be the one asked for
        }
        let known = names.iter().filter_map(|(name, _)| name.as_deref());
        let hint = suggest(wanted, known);
        return Err(RecipeError::Unknown { wanted: wanted.to_owned(), folder: folder.to_owned(), hint });
    };
    let clash = found
        .map(|(_, name, number)| (name, number))
        .chain(names)
        .find(|other| (other.0.is_some() && other.0 == name) || (other.1.is_some() && other.1 == number));
    if let Some((name, number)) = clash {
        let says = format!(
            "another recipe in this folder is called \"{}\" and has number {}",
            name.unwrap_or_default(),
            number.unwrap_or_default()
        );
        problems.push(document.problem(&["recipe"], says).hint("give each recipe its own name and number"));
    }
    let recipe = RecipeReader::new(&mut problems, cameras, gate).recipe(&document);
    match recipe {
        Some(recipe) if problems.is_empty() => Ok(recipe),
        _ => Err(problems.sorted().into()),
    }
}

/// The folder's recipes, by file name.
pub(super) fn recipe_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}
