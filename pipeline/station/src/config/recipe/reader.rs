//! Reads one recipe's tables, checks them against each other and against the cameras, and tells every problem.

use super::{ModelPlan, RecipePlan, RegionPlan, ShadowPlan, recipe_files};
use crate::config::{
    align,
    document::Document,
    file::{ModelSection, RecipeSection, RegionSection, ShadowSection},
    gate::Gate,
    measure::{self, MeasurePlan},
    plan::CameraPlan,
    problem::{Problem, Problems, suggest},
};
use plumb_inference::{Card, ORIGINAL};
use plumb_inspection::{CameraId, ModelName, RecipeNumber, RegionName};
use plumb_verdict::{Judge, Look, RuleConfig};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Collects problems while it reads.
pub(in crate::config) struct RecipeReader<'r> {
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
    pub(in crate::config) fn new(
        problems: &'r mut Problems,
        cameras: &'r [CameraPlan],
        gate: Option<Gate>,
    ) -> Self {
        Self { problems, cameras, gate, cards: Vec::new() }
    }

    /// Every recipe of `folder`.
    pub(in crate::config) fn folder(mut self, folder: &Path) -> BTreeMap<RecipeNumber, RecipePlan> {
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

    /// What one document says; `None` where too little of it can be read.
    pub(super) fn recipe(&mut self, document: &Document) -> Option<RecipePlan> {
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

/// A camera that is named must be there, and must be named where there are several.
pub(in crate::config) fn check_camera(
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
