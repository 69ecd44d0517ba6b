//! One recipe: what to check on one product, read from its file and its models' cards.
//!
//! Read with the whole config at the start, and alone when it is loaded again while the station runs.

use super::{
    align::{self, AlignPlan},
    document::Document,
    file::{LedgerFull, ModelSection, RecipeSection, RegionSection, ShadowSection},
    gate::Gate,
    measure::{self, MeasurePlan},
    plan::CameraPlan,
    problem::{Problem, Problems, suggest},
};
use plumb_inference::{Card, Device, ORIGINAL};
use plumb_inspection::{CameraId, ModelName, RecipeName, RecipeNumber, RectPx, RegionName};
use plumb_preprocess::{Aligner, Gauge};
use plumb_verdict::{Judge, Look, RuleConfig};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
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

/// Collects problems while it reads.
pub(super) struct RecipeReader<'r> {
    problems: &'r mut Problems,
    cameras: &'r [CameraPlan],
    /// What the deadline follows from where a recipe does not say it.
    gate: Option<Gate>,
    /// Each card once, whoever uses it.
    cards: Vec<(PathBuf, Arc<Card>)>,
}

/// A recipe's models by name; `None` where the card could not be read.
type Named = (ModelName, Option<usize>);

impl<'r> RecipeReader<'r> {
    pub(super) fn new(problems: &'r mut Problems, cameras: &'r [CameraPlan], gate: Option<Gate>) -> Self {
        Self { problems, cameras, gate, cards: Vec::new() }
    }

    /// Every recipe of `folder`.
    pub(super) fn folder(mut self, folder: &Path) -> BTreeMap<RecipeNumber, RecipePlan> {
        let files = recipe_files(folder);
        if files.is_empty() {
            let problem = Problem::of_file(folder, "there is no recipe in this folder");
            self.problems
                .push(problem.hint("a recipe is a file like recipes/bolt-m8.toml beside station.toml"));
        }
        let mut recipes: BTreeMap<RecipeNumber, RecipePlan> = BTreeMap::new();
        for file in files {
            let Some(document) = Document::read(&file, self.problems) else { continue };
            let Some(recipe) = self.recipe(&document) else { continue };
            let same = |other: &&RecipePlan| other.number == recipe.number || other.name == recipe.name;
            if let Some(other) = recipes.values().find(same) {
                let says = format!(
                    "recipe \"{}\" number {} clashes with recipe \"{}\" number {}",
                    recipe.name, recipe.number.0, other.name, other.number.0
                );
                let problem = document.problem(&["recipe"], says);
                self.problems.push(problem.hint("give each recipe its own name and number"));
            } else {
                recipes.insert(recipe.number, recipe);
            }
        }
        recipes
    }

    fn recipe(&mut self, document: &Document) -> Option<RecipePlan> {
        let known = ["recipe", "region", "model", "align", "measure", "shadow", "rule"];
        document.refuse_unknown_sections(&known, self.problems);
        let section: Option<RecipeSection> = document.take(&["recipe"], self.problems);
        let before = self.problems.len();
        let (models, named) = self.models(document);
        let regions = self.regions(document, &named);
        self.check_names(document, &models, &named, &regions);
        let aligns = align::read(document, self.cameras, &regions, self.problems);
        let measures = measure::read(document, self.cameras, &regions, &aligns, self.problems);
        let whole = self.problems.len() == before;
        let judge = self.judge(document, &models, &regions, &measures, whole);
        let shadows = self.shadows(document, &models, &named, &regions, judge.as_ref());
        let section = section?;
        if section.number.0 == 0 {
            let says = "number 0 means \"no recipe\" on the wire; take 1 or more";
            self.problems.push(document.problem(&["recipe", "number"], says));
        }
        let deadline = self.deadline(document, section.deadline_ms);
        let mut digest = Sha256::new();
        digest.update(document.text());
        for region in &regions {
            digest.update(models[region.model].digest());
            digest.update(&models[region.model].card.text_sha256);
        }
        aligns.iter().for_each(|align| digest.update(&align.digest));
        Some(RecipePlan {
            name: section.name,
            number: section.number,
            digest: digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            text: document.text().into(),
            deadline: deadline?,
            ledger_full: section.ledger_full,
            models,
            regions,
            aligns,
            measures,
            shadows,
            judge: judge?,
        })
    }

    /// As written, or what the way to the gate leaves. Whether that can be met is the budget's business.
    fn deadline(&mut self, document: &Document, stated_ms: Option<u64>) -> Option<Duration> {
        let (route, says, hint) = match (stated_ms, self.gate) {
            (Some(0), _) => (&["recipe", "deadline_ms"][..], "a deadline of 0 ms cannot be met", None),
            (Some(ms), _) => return Some(Duration::from_millis(ms)),
            (None, Some(gate)) => return Some(gate.deadline(gate.wire)),
            (None, None) => {
                let hint = "add it, or a [gate] to station.toml that it can follow from";
                (&["recipe"][..], "[recipe] lacks the key \"deadline_ms\"", Some(hint))
            }
        };
        let problem = document.problem(route, says);
        self.problems.push(match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
        None
    }

    fn models(&mut self, document: &Document) -> (Vec<ModelPlan>, Vec<Named>) {
        let folder = document.file().parent().unwrap_or(Path::new("")).to_owned();
        let (mut models, mut named) = (Vec::new(), Vec::<Named>::new());
        for index in (0..document.len_of(&["model"])).map(|index| index.to_string()) {
            let Some(section) = document.take::<ModelSection>(&["model", &index], self.problems) else {
                // It is there, only wrong: regions that name it are not to blame.
                let name = document.text_at(&["model", &index, "name"]);
                named.extend(name.map(|name| (ModelName::from(&*name), None)));
                continue;
            };
            if named.iter().any(|(name, _)| *name == section.name) {
                let says = format!("a second model is called \"{}\"", section.name);
                self.problems.push(document.problem(&["model", &index, "name"], says));
            }
            let card = self.card(&folder.join(&section.card)).map_err(|says| {
                self.problems.push(document.problem(&["model", &index, "card"], says));
            });
            let at = card.ok().map(|card| {
                self.check_variant(document, &index, section.variant.as_deref(), &card);
                let (name, device, variant) = (section.name.clone(), section.device, section.variant);
                models.push(ModelPlan { name, card, device, variant });
                models.len() - 1
            });
            named.push((section.name, at));
        }
        (models, named)
    }

    fn card(&mut self, file: &Path) -> Result<Arc<Card>, String> {
        if let Some((_, card)) = self.cards.iter().find(|(known, _)| known == file) {
            return Ok(card.clone());
        }
        let card = Arc::new(Card::read(file).map_err(|error| error.to_string())?);
        self.cards.push((file.to_owned(), card.clone()));
        Ok(card)
    }

    fn check_variant(&mut self, document: &Document, index: &str, variant: Option<&str>, card: &Card) {
        let known = || std::iter::once(ORIGINAL).chain(card.variants.iter().map(|known| known.name.as_str()));
        if let Some(variant) = variant.filter(|variant| known().all(|known| known != *variant)) {
            let says = format!("model card {} has no variant \"{variant}\"", card.path.display());
            let hint = suggest(variant, known());
            self.problems.push(document.problem(&["model", index, "variant"], says).hint(hint));
        }
    }

    /// Records and metrics know a model by the name on its card: two of one name whose word counts could not be told
    /// apart. A shadow may have the name of the model that it looks over.
    fn check_names(
        &mut self,
        document: &Document,
        models: &[ModelPlan],
        named: &[Named],
        regions: &[RegionPlan],
    ) {
        let counts = |model: &usize| regions.iter().any(|region| region.model == *model);
        for (index, model) in
            named.iter().enumerate().filter_map(|(index, (_, model))| Some((index, (*model)?)))
        {
            let own = &models[model].card;
            let is_twin =
                |other: &usize| models[*other].card.name == own.name && models[*other].card.path != own.path;
            if !counts(&model) {
                continue;
            }
            if let Some(twin) = (0..model).filter(counts).find(is_twin) {
                let says = format!(
                    "the card {} calls its model \"{}\", and so does {}",
                    own.path.display(),
                    own.name,
                    models[twin].card.path.display()
                );
                let hint = "give one of them another `name` on its card: records tell models apart by it";
                let route = ["model", &index.to_string(), "card"];
                self.problems.push(document.problem(&route, says).hint(hint));
            }
        }
    }

    fn regions(&mut self, document: &Document, models: &[Named]) -> Vec<RegionPlan> {
        let count = document.len_of(&["region"]);
        if count == 0 {
            let problem = document.problem(&[], "the recipe has no [[region]], so it looks at nothing");
            self.problems.push(
                problem.hint("add [[region]] with name and model; without rect_px it is the whole frame"),
            );
        }
        let mut regions: Vec<RegionPlan> = Vec::new();
        for index in (0..count).map(|index| index.to_string()) {
            let route = ["region", &index];
            let Some(section) = document.take::<RegionSection>(&route, self.problems) else { continue };
            check_camera(document, &route, section.camera.as_ref(), self.cameras, self.problems);
            if regions.iter().any(|other| other.name == section.name) {
                let says = format!("a second region is called \"{}\"", section.name);
                self.problems.push(document.problem(&["region", &index, "name"], says));
            }
            let Some((_, model)) = models.iter().find(|(name, _)| *name == section.model) else {
                let says = format!(
                    "region \"{}\" is for model \"{}\", which the recipe lacks",
                    section.name, section.model
                );
                let hint = suggest(section.model.as_str(), names(models));
                self.problems.push(document.problem(&["region", &index, "model"], says).hint(hint));
                continue;
            };
            if let Some(rect) = section.rect_px
                && (rect.w < 1.0 || rect.h < 1.0)
            {
                let says = format!(
                    "region \"{}\" is {} x {} px; it needs at least 1 x 1",
                    section.name, rect.w, rect.h
                );
                self.problems.push(document.problem(&["region", &index, "rect_px"], says));
            }
            let camera = section.camera.or_else(|| self.cameras.first().map(|camera| camera.id.clone()));
            if let (Some(model), Some(camera)) = (*model, camera) {
                regions.push(RegionPlan { name: section.name, camera, rect_px: section.rect_px, model });
            }
        }
        regions
    }

    fn judge(
        &mut self,
        document: &Document,
        models: &[ModelPlan],
        regions: &[RegionPlan],
        measures: &[MeasurePlan],
        regions_are_whole: bool,
    ) -> Option<Judge> {
        let count = document.len_of(&["rule"]);
        if count == 0 {
            let problem = document.problem(&[], "the recipe has no [[rule]], so nothing could ever fail");
            self.problems.push(problem.hint("add a rule, e.g. from deploy/examples/rule"));
            return None;
        }
        let mut rules = Vec::new();
        let before = self.problems.len();
        for index in (0..count).map(|index| index.to_string()) {
            let Some(rule) = document.take::<RuleConfig>(&["rule", &index], self.problems) else { continue };
            if let RuleConfig::Measurement(rule) = &rule {
                if regions_are_whole {
                    measure::check_rule(document, &index, rule, measures, self.cameras, self.problems);
                }
            } else if regions_are_whole {
                self.check_rule(document, &index, &rule, models, regions);
            }
            rules.push(rule);
        }
        let looks: Vec<Look> = regions
            .iter()
            .map(|region| Look {
                camera: region.camera.clone(),
                region: region.name.clone(),
                model: models[region.model].card.name.clone(),
            })
            .collect();
        if !regions_are_whole || self.problems.len() > before {
            return None; // what the rules say together would only repeat what was told already
        }
        match Judge::new(rules).and_then(|judge| judge.owing(&looks)) {
            Ok(judge) => Some(judge),
            Err(errors) => {
                for error in errors {
                    self.problems.push(document.problem(&["rule"], error.to_string()));
                }
                None
            }
        }
    }

    fn check_rule(
        &mut self,
        document: &Document,
        index: &str,
        rule: &RuleConfig,
        models: &[ModelPlan],
        regions: &[RegionPlan],
    ) {
        let name = rule.name();
        if let Some(region) = rule.region()
            && regions.iter().all(|known| known.name != *region)
        {
            let says = format!("rule \"{name}\" looks at region \"{region}\", which the recipe lacks");
            let hint = suggest(region.as_str(), regions.iter().map(|known| known.name.as_str()));
            self.problems.push(document.problem(&["rule", index, "region"], says).hint(hint));
            return;
        }
        let looked_at: Vec<&RegionPlan> =
            regions.iter().filter(|known| rule.region().is_none_or(|region| known.name == *region)).collect();
        for class in rule.classes() {
            let labels = looked_at.iter().flat_map(|region| &models[region.model].card.labels);
            if labels.clone().all(|label| label != class) {
                let says =
                    format!("rule \"{name}\" is about \"{class}\", which no model of its regions can see");
                let hint = suggest(class.as_str(), labels.map(|label| label.as_str()));
                self.problems.push(document.problem(&["rule", index], says).hint(hint));
            }
        }
        if rule.wants_mm() {
            let scaleless = self.cameras.iter().find(|camera| {
                camera.mm_per_px.is_none() && looked_at.iter().any(|region| region.camera == camera.id)
            });
            if let Some(camera) = scaleless {
                let says =
                    format!("rule \"{name}\" has a limit in mm, but camera \"{}\" has no scale", camera.id);
                let problem = document.problem(&["rule", index], says);
                self.problems.push(
                    problem.hint(format!("give camera \"{}\" its mm_per_px, or a limit in px", camera.id)),
                );
            }
        }
    }

    fn shadows(
        &mut self,
        document: &Document,
        models: &[ModelPlan],
        named: &[Named],
        regions: &[RegionPlan],
        judge: Option<&Judge>,
    ) -> Vec<ShadowPlan> {
        let mut shadows: Vec<ShadowPlan> = Vec::new();
        for index in (0..document.len_of(&["shadow"])).map(|index| index.to_string()) {
            let Some(section) = document.take::<ShadowSection>(&["shadow", &index], self.problems) else {
                continue;
            };
            let Some(model) = self.named_model(document, &index, "model", &section.model, named) else {
                continue;
            };
            let beside = match &section.instead_of {
                Some(name) => self.named_model(document, &index, "instead_of", name, named),
                None => self.only_model(document, &index, regions),
            };
            let Some(instead_of) = beside else { continue };
            let name = &section.model;
            if model == instead_of || shadows.iter().any(|other| other.model == model) {
                let says = if model == instead_of {
                    format!("model \"{name}\" cannot be its own shadow")
                } else {
                    format!("a second shadow is model \"{name}\"")
                };
                self.problems.push(document.problem(&["shadow", &index, "model"], says));
                continue;
            }
            let theirs: Vec<usize> =
                (0..regions.len()).filter(|&region| regions[region].model == instead_of).collect();
            let at = match &section.regions {
                None => theirs.clone(),
                Some(wanted) => self.named_regions(document, &index, wanted, regions, &theirs),
            };
            if at.is_empty() {
                let says = format!("shadow \"{name}\" has no region to look at");
                let hint = format!("no region is for model \"{}\"", models[instead_of].name);
                self.problems.push(document.problem(&["shadow", &index], says).hint(hint));
                continue;
            }
            let shadow = ShadowPlan { model, instead_of, regions: at };
            for rule in judge.into_iter().flat_map(Judge::rules) {
                self.check_shadow_sees(document, &index, rule, &shadow, models, regions);
            }
            shadows.push(shadow);
        }
        shadows
    }

    fn named_model(
        &mut self,
        document: &Document,
        index: &str,
        key: &str,
        name: &ModelName,
        named: &[Named],
    ) -> Option<usize> {
        let Some((_, model)) = named.iter().find(|(known, _)| known == name) else {
            let says = format!("the recipe has no model \"{name}\"");
            let hint = suggest(name.as_str(), names(named));
            self.problems.push(document.problem(&["shadow", index, key], says).hint(hint));
            return None;
        };
        *model // else its card could not be read, which is told already
    }

    fn only_model(&mut self, document: &Document, index: &str, regions: &[RegionPlan]) -> Option<usize> {
        let first = regions.first()?.model;
        if regions.iter().any(|region| region.model != first) {
            let problem = document.problem(
                &["shadow", index],
                "the recipe's regions have more than one model; `instead_of` must name one",
            );
            self.problems
                .push(problem.hint("the shadow looks at that model's regions, and is compared with it"));
            return None;
        }
        Some(first)
    }

    fn named_regions(
        &mut self,
        document: &Document,
        index: &str,
        wanted: &[RegionName],
        regions: &[RegionPlan],
        theirs: &[usize],
    ) -> Vec<usize> {
        let mut at = Vec::new();
        for name in wanted {
            match theirs.iter().find(|&&region| regions[region].name == *name) {
                Some(&region) => at.push(region),
                None => {
                    let says = format!("region \"{name}\" is not one of the model that the shadow is beside");
                    let hint =
                        suggest(name.as_str(), theirs.iter().map(|&region| regions[region].name.as_str()));
                    self.problems.push(document.problem(&["shadow", index, "regions"], says).hint(hint));
                }
            }
        }
        at.sort_unstable();
        at.dedup();
        at
    }

    /// A shadow that cannot see what a rule is about would disagree by construction.
    fn check_shadow_sees(
        &mut self,
        document: &Document,
        index: &str,
        rule: &RuleConfig,
        shadow: &ShadowPlan,
        models: &[ModelPlan],
        regions: &[RegionPlan],
    ) {
        let covers = |&region: &usize| rule.region().is_none_or(|name| regions[region].name == *name);
        if !shadow.regions.iter().any(covers) {
            return;
        }
        let (shadow, beside) = (&models[shadow.model], &models[shadow.instead_of]);
        for class in rule.classes() {
            if beside.card.labels.contains(class) && !shadow.card.labels.contains(class) {
                let says = format!(
                    "shadow \"{}\" cannot see \"{class}\", which rule \"{}\" is about",
                    shadow.name,
                    rule.name()
                );
                let hint = suggest(class.as_str(), shadow.card.labels.iter().map(|label| label.as_str()));
                self.problems.push(document.problem(&["shadow", index, "model"], says).hint(hint));
            }
        }
    }
}

fn names(models: &[Named]) -> impl Iterator<Item = &str> {
    models.iter().map(|(name, _)| name.as_str())
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

/// A camera that is named must be there, and must be named where there are several.
pub(super) fn check_camera(
    document: &Document,
    route: &[&str],
    camera: Option<&CameraId>,
    cameras: &[CameraPlan],
    problems: &mut Problems,
) {
    let names = cameras.iter().map(|camera| camera.id.as_str());
    match camera {
        Some(id) if cameras.iter().all(|camera| camera.id != *id) => {
            let problem =
                document.problem(&[route, &["camera"]].concat(), format!("there is no camera \"{id}\""));
            problems.push(problem.hint(suggest(id.as_str(), names)));
        }
        None if cameras.len() > 1 => {
            let problem = document.problem(route, "there is more than one camera; `camera` must name one");
            problems.push(problem.hint(suggest("", names)));
        }
        _ => {}
    }
}
