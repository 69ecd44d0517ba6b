//! Everything the config says, read, checked against each other and resolved. Past a [`Plan`] nothing validates again.

use super::{
    document::Document,
    file::{
        CameraSection, InferSection, ModelSection, RecipeSection, RegionSection, StationSection,
        TriggerSection,
    },
    problem::{Problem, Problems, suggest},
};
use plumb_capture::{SourceConfig, WatchConfig, trigger::PhotoEye};
use plumb_inference::Card;
use plumb_inspection::{CameraId, FlatField, Lens, MmPerPx, RecipeName, RecipeNumber, RectPx, RegionName};
use plumb_ledger::LedgerConfig;
use plumb_line::LineConfig;
use plumb_plc::PlcConfig;
use plumb_preprocess::{Cut, Optics};
use plumb_verdict::{Judge, Look, RuleConfig, TrendConfig};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// A station that can be built: every name in it resolves.
#[derive(Debug)]
pub struct Plan {
    /// `[station]`.
    pub station: StationSection,
    /// In the order of the file.
    pub cameras: Vec<CameraPlan>,
    /// What begins a part; its lead camera is one of `cameras`.
    pub trigger: TriggerSection,
    /// How the PLC is reached.
    pub plc: PlcConfig,
    /// How records are kept.
    pub ledger: LedgerConfig,
    /// The built-in line, where a camera of kind `line` or `plumb demo` wants it.
    pub line: Option<LineConfig>,
    /// What the models run on.
    pub infer: InferSection,
    /// When the line had better stop.
    pub trend: TrendConfig,
    /// Each card once, whoever uses it.
    pub cards: Vec<Card>,
    /// By the number the PLC knows.
    pub recipes: BTreeMap<RecipeNumber, RecipePlan>,
    /// The recipe to start with; a key of `recipes`.
    pub first_recipe: RecipeNumber,
}

/// One camera, ready to be opened.
#[derive(Clone, Debug)]
pub struct CameraPlan {
    /// Its name.
    pub id: CameraId,
    /// What it is.
    pub source: SourceConfig,
    /// When it is down.
    pub watch: WatchConfig,
    /// What its calibration says.
    pub optics: Optics,
    /// Scale of the part's plane.
    pub mm_per_px: Option<MmPerPx>,
    /// How long a triggered frame may take.
    pub frame_wait: Duration,
}

/// What to check on one product.
#[derive(Debug)]
pub struct RecipePlan {
    /// Its name.
    pub name: RecipeName,
    /// Its number.
    pub number: RecipeNumber,
    /// SHA-256 over the recipe's file and its models' digests, in hex: two parts judged alike share it.
    pub digest: String,
    /// From trigger to answer.
    pub deadline: Duration,
    /// What is looked at, at least one.
    pub regions: Vec<RegionPlan>,
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
    /// Index into [`Plan::cards`].
    pub card: usize,
}

impl RegionPlan {
    /// How preprocessing has to cut it.
    pub fn cut(&self, cards: &[Card]) -> Cut {
        Cut { region: self.name.clone(), rect_px: self.rect_px, spec: cards[self.card].input.clone() }
    }
}

/// Reads `station.toml` and every `recipes/*.toml` beside it. Touches no device.
///
/// # Errors
/// Every problem of every file, at once.
pub fn read(station_toml: &Path) -> Result<Plan, Problems> {
    let mut problems = Problems::default();
    let plan =
        Reader { problems: &mut problems, cards: Vec::new(), card_files: Vec::new() }.station(station_toml);
    match plan {
        Some(plan) if problems.is_empty() => Ok(plan),
        _ => Err(problems.sorted()),
    }
}

/// Collects problems while it reads.
struct Reader<'p> {
    problems: &'p mut Problems,
    cards: Vec<Card>,
    card_files: Vec<PathBuf>,
}

const SECTIONS: [&str; 8] = ["station", "camera", "trigger", "plc", "ledger", "line", "infer", "trend"];

impl Reader<'_> {
    fn station(mut self, file: &Path) -> Option<Plan> {
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        let document = Document::read(file, self.problems)?;
        document.refuse_unknown_sections(&SECTIONS, self.problems);
        let station: Option<StationSection> = document.take(&["station"], self.problems);
        let trigger: Option<TriggerSection> = document.take(&["trigger"], self.problems);
        let infer = self.optional(&document, "infer").unwrap_or_default();
        let trend = self.optional(&document, "trend").unwrap_or_default();
        let ledger: LedgerConfig = self.optional(&document, "ledger").unwrap_or_default();
        for (key, says) in ledger.problems() {
            let route: Vec<&str> = ["ledger"].into_iter().chain(key.split('.')).collect();
            self.problems.push(document.problem(&route, format!("{key} {says}")));
        }
        let plc = self.optional(&document, "plc").unwrap_or(PlcConfig::None);
        if let PlcConfig::ModbusTcp(modbus) = &plc {
            modbus
                .problems()
                .into_iter()
                .for_each(|says| self.problems.push(document.problem(&["plc"], says)));
        }
        let line: Option<LineConfig> = self.optional(&document, "line");
        for problem in line.iter().flat_map(LineConfig::problems) {
            self.problems.push(document.problem(&["line", problem.field], problem.to_string()));
        }
        let cameras = self.cameras(&document, &folder, line.is_some());
        if let Some(trigger) = &trigger {
            self.check_trigger(&document, trigger, &cameras, &plc);
        }
        let recipes = self.recipes(&folder.join("recipes"), &cameras);
        let mut station = station?;
        station.data = folder.join(&station.data);
        let first = recipes.values().find(|recipe| recipe.name == station.recipe).map(|recipe| recipe.number);
        if first.is_none() && !recipes.is_empty() {
            let says = format!("there is no recipe \"{}\"", station.recipe);
            let names = recipes.values().map(|recipe| recipe.name.as_str());
            let hint = suggest(station.recipe.as_str(), names);
            self.problems.push(document.problem(&["station", "recipe"], says).hint(hint));
        }
        let cards = std::mem::take(&mut self.cards);
        let (trigger, first_recipe) = (trigger?, first?);
        Some(Plan {
            station,
            cameras,
            trigger,
            plc,
            ledger,
            line,
            infer,
            trend,
            cards,
            recipes,
            first_recipe,
        })
    }

    fn optional<T: serde::de::DeserializeOwned>(&mut self, document: &Document, section: &str) -> Option<T> {
        document.has(&[section]).then(|| document.take(&[section], self.problems)).flatten()
    }

    fn cameras(&mut self, document: &Document, folder: &Path, has_line: bool) -> Vec<CameraPlan> {
        let count = document.len_of(&["camera"]);
        if count == 0 {
            let problem = document.problem(&[], "there is no [[camera]]");
            self.problems.push(problem.hint("add one, e.g. from deploy/examples/camera"));
        }
        let mut cameras: Vec<CameraPlan> = Vec::new();
        for index in (0..count).map(|index| index.to_string()) {
            let route = ["camera", &index];
            let Some(section) = document.take::<CameraSection>(&route, self.problems) else { continue };
            if cameras.iter().any(|other| other.id == section.id) {
                let says = format!("a second camera is called \"{}\"", section.id);
                self.problems.push(document.problem(&["camera", &index, "id"], says));
            }
            if matches!(section.source, SourceConfig::Line(_)) && !has_line {
                let problem = document.problem(
                    &["camera", &index, "source"],
                    "a camera of kind \"line\" needs the built-in line",
                );
                self.problems.push(problem.hint("add a [line] section"));
            }
            let optics = Optics {
                lens: section.lens.as_ref().and_then(|file| self.lens(&folder.join(file))),
                flat_field: section.flat_field.as_ref().and_then(|file| self.flat_field(&folder.join(file))),
            };
            cameras.push(CameraPlan {
                id: section.id,
                source: section.source.relative_to(folder),
                watch: section.watch,
                optics,
                mm_per_px: section.mm_per_px,
                frame_wait: Duration::from_millis(section.frame_wait_ms),
            });
        }
        cameras
    }

    fn lens(&mut self, file: &Path) -> Option<Lens> {
        Document::read(file, self.problems)?.take(&[], self.problems)
    }

    fn flat_field(&mut self, file: &Path) -> Option<FlatField> {
        let picture = match image::open(file) {
            Ok(picture) => picture.to_luma32f(),
            Err(error) => {
                self.problems.push(Problem::of_file(file, format!("is no picture of a flat field: {error}")));
                return None;
            }
        };
        let mean = picture.iter().sum::<f32>() / picture.len() as f32;
        let darkest = picture.iter().copied().fold(f32::MAX, f32::min);
        if darkest < 0.02 {
            let says = "has black pixels; a flat field is a picture of an even, bright target";
            self.problems.push(Problem::of_file(file, says));
            return None;
        }
        let gain = picture.iter().map(|white| mean / white).collect();
        Some(FlatField { width: picture.width(), height: picture.height(), gain })
    }

    fn check_trigger(
        &mut self,
        document: &Document,
        trigger: &TriggerSection,
        cameras: &[CameraPlan],
        plc: &PlcConfig,
    ) {
        match trigger {
            TriggerSection::Frame { camera } => {
                self.check_camera(document, &["trigger"], camera.as_ref(), cameras)
            }
            TriggerSection::PhotoEye { camera, eye } => {
                self.check_camera(document, &["trigger"], camera.as_ref(), cameras);
                if let Err(error) = PhotoEye::new(eye.clone()) {
                    self.problems.push(document.problem(&["trigger", "eye"], error.to_string()));
                }
            }
            TriggerSection::Plc {} if matches!(plc, PlcConfig::None) => {
                let problem = document.problem(&["trigger"], "the PLC is to trigger, but there is no PLC");
                self.problems.push(problem.hint("add a [plc] section, e.g. from deploy/examples/plc"));
            }
            TriggerSection::Plc {} | TriggerSection::Api {} => {}
        }
    }

    fn check_camera(
        &mut self,
        document: &Document,
        route: &[&str],
        camera: Option<&CameraId>,
        cameras: &[CameraPlan],
    ) {
        let names = cameras.iter().map(|camera| camera.id.as_str());
        match camera {
            Some(id) if cameras.iter().all(|camera| camera.id != *id) => {
                let problem =
                    document.problem(&[route, &["camera"]].concat(), format!("there is no camera \"{id}\""));
                self.problems.push(problem.hint(suggest(id.as_str(), names)));
            }
            None if cameras.len() > 1 => {
                let problem =
                    document.problem(route, "there is more than one camera; `camera` must name one");
                self.problems.push(problem.hint(suggest("", names)));
            }
            _ => {}
        }
    }

    fn recipes(&mut self, folder: &Path, cameras: &[CameraPlan]) -> BTreeMap<RecipeNumber, RecipePlan> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        if files.is_empty() {
            let problem = Problem::of_file(folder, "there is no recipe in this folder");
            self.problems
                .push(problem.hint("a recipe is a file like recipes/bolt-m8.toml beside station.toml"));
        }
        let mut recipes: BTreeMap<RecipeNumber, RecipePlan> = BTreeMap::new();
        for file in files {
            let Some(document) = Document::read(&file, self.problems) else { continue };
            let Some(recipe) = self.recipe(&document, cameras) else { continue };
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

    fn recipe(&mut self, document: &Document, cameras: &[CameraPlan]) -> Option<RecipePlan> {
        document.refuse_unknown_sections(&["recipe", "region", "model", "rule"], self.problems);
        let section: Option<RecipeSection> = document.take(&["recipe"], self.problems);
        let before = self.problems.len();
        let models = self.models(document);
        let regions = self.regions(document, cameras, &models);
        let judge = self.judge(document, cameras, &regions, self.problems.len() == before);
        let section = section?;
        if section.number.0 == 0 {
            let says = "number 0 means \"no recipe\" on the wire; take 1 or more";
            self.problems.push(document.problem(&["recipe", "number"], says));
        }
        if section.deadline_ms == 0 {
            self.problems
                .push(document.problem(&["recipe", "deadline_ms"], "a deadline of 0 ms cannot be met"));
        }
        let mut digest = Sha256::new();
        digest.update(document.text());
        for region in &regions {
            digest.update(&self.cards[region.card].sha256);
        }
        Some(RecipePlan {
            name: section.name,
            number: section.number,
            digest: digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            deadline: Duration::from_millis(section.deadline_ms),
            regions,
            judge: judge?,
        })
    }

    /// The recipe's model names, each with the index of its card, if that could be read.
    fn models(&mut self, document: &Document) -> Vec<(String, Option<usize>)> {
        let folder = document.file().parent().unwrap_or(Path::new("")).to_owned();
        let mut models = Vec::new();
        for index in (0..document.len_of(&["model"])).map(|index| index.to_string()) {
            let Some(section) = document.take::<ModelSection>(&["model", &index], self.problems) else {
                continue;
            };
            if models.iter().any(|(name, _)| name == section.name.as_str()) {
                let says = format!("a second model is called \"{}\"", section.name);
                self.problems.push(document.problem(&["model", &index, "name"], says));
            }
            let file = folder.join(&section.card);
            let card = match self.card_files.iter().position(|known| *known == file) {
                Some(card) => Some(card),
                None => match Card::read(&file) {
                    Ok(card) => {
                        self.cards.push(card);
                        self.card_files.push(file);
                        Some(self.cards.len() - 1)
                    }
                    Err(error) => {
                        self.problems.push(document.problem(&["model", &index, "card"], error.to_string()));
                        None
                    }
                },
            };
            self.check_model_name(document, &index, card, &models);
            models.push((section.name.as_str().to_owned(), card));
        }
        models
    }

    /// Records and metrics know a model by the name on its card: two of one name could not be told apart.
    fn check_model_name(
        &mut self,
        document: &Document,
        index: &str,
        card: Option<usize>,
        earlier: &[(String, Option<usize>)],
    ) {
        let Some(card) = card else { return };
        let twin = earlier
            .iter()
            .filter_map(|(_, earlier)| *earlier)
            .find(|earlier| *earlier != card && self.cards[*earlier].name == self.cards[card].name);
        if let Some(twin) = twin {
            let says = format!(
                "the card {} calls its model \"{}\", and so does {}",
                self.card_files[card].display(),
                self.cards[card].name,
                self.card_files[twin].display()
            );
            let hint = "give one of them another `name` on its card: records tell models apart by it";
            self.problems.push(document.problem(&["model", index, "card"], says).hint(hint));
        }
    }

    fn regions(
        &mut self,
        document: &Document,
        cameras: &[CameraPlan],
        models: &[(String, Option<usize>)],
    ) -> Vec<RegionPlan> {
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
            self.check_camera(document, &route, section.camera.as_ref(), cameras);
            if regions.iter().any(|other| other.name == section.name) {
                let says = format!("a second region is called \"{}\"", section.name);
                self.problems.push(document.problem(&["region", &index, "name"], says));
            }
            let Some((_, card)) = models.iter().find(|(name, _)| name == section.model.as_str()) else {
                let says = format!(
                    "region \"{}\" is for model \"{}\", which the recipe lacks",
                    section.name, section.model
                );
                let hint = suggest(section.model.as_str(), models.iter().map(|(name, _)| name.as_str()));
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
            let camera = section.camera.or_else(|| cameras.first().map(|camera| camera.id.clone()));
            if let (Some(card), Some(camera)) = (*card, camera) {
                regions.push(RegionPlan { name: section.name, camera, rect_px: section.rect_px, card });
            }
        }
        regions
    }

    fn judge(
        &mut self,
        document: &Document,
        cameras: &[CameraPlan],
        regions: &[RegionPlan],
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
            if regions_are_whole {
                self.check_rule(document, &index, &rule, cameras, regions);
            }
            rules.push(rule);
        }
        let looks: Vec<Look> = regions
            .iter()
            .map(|region| Look {
                camera: region.camera.clone(),
                region: region.name.clone(),
                model: self.cards[region.card].name.clone(),
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
        cameras: &[CameraPlan],
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
            let labels = looked_at.iter().flat_map(|region| &self.cards[region.card].labels);
            if labels.clone().all(|label| label != class) {
                let says =
                    format!("rule \"{name}\" is about \"{class}\", which no model of its regions can see");
                let hint = suggest(class.as_str(), labels.map(|label| label.as_str()));
                self.problems.push(document.problem(&["rule", index], says).hint(hint));
            }
        }
        if rule.wants_mm() {
            let scaleless = cameras.iter().find(|camera| {
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
}
