//! The models of the station's recipes, for the console: where each runs, what its file is, whether it still finds what it
//! found, and how fast it is.

use crate::{
    background::family_of,
    config::{ModelPlan, Plan, RecipePlan},
    edition::{Editions, LoadedModel, LoadedRecipe},
    verification::{self, Verification},
};
use plumb_console::{ModelFile, ModelRun, ModelSeen, ModelVerified, Models, Refused};
use plumb_inference::{About, Card, Device};
use plumb_recognise::{Answers, Recognition};
use std::{
    collections::BTreeSet,
    fmt,
    process::{Command, Stdio},
    sync::Arc,
};

pub(crate) struct StationModels {
    plan: Arc<Plan>,
    editions: Arc<Editions>,
}

impl fmt::Debug for StationModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StationModels").finish_non_exhaustive()
    }
}

impl StationModels {
    pub(crate) fn new(plan: Arc<Plan>, editions: Arc<Editions>) -> Self {
        Self { plan, editions }
    }

    /// The newest edition of each recipe that is loaded.
    fn loaded(&self) -> Vec<Arc<LoadedRecipe>> {
        let mut newest: Vec<Arc<LoadedRecipe>> = Vec::new();
        for recipe in self.editions.all() {
            newest.retain(|other| other.plan.name != recipe.plan.name);
            newest.push(recipe);
        }
        newest
    }

    /// The card of the model with this digest, wherever a recipe names it.
    fn card(&self, digest: &str) -> Result<Arc<Card>, Refused> {
        let loaded = self.loaded();
        let plans = loaded.iter().map(|recipe| &recipe.plan).chain(self.plan.recipes.values());
        let mut models = plans.flat_map(|plan| &plan.models);
        let found = models.find(|model| model.digest() == digest).map(|model| model.card.clone());
        found.ok_or_else(|| Refused(format!("no recipe of this station names model {digest}")))
    }
}

impl Models for StationModels {
    fn named(&self) -> Result<Vec<ModelSeen>, Refused> {
        let loaded = self.loaded();
        let mut seen = Vec::new();
        for recipe in &loaded {
            for (model, planned) in recipe.models.iter().zip(&recipe.plan.models) {
                if let Some(model) = model {
                    seen.push(ModelSeen {
                        runs: Some(run(model, &recipe.plan)),
                        ..named(planned, &recipe.plan)
                    });
                }
            }
            for shadow in &recipe.shadows {
                let place = named(&recipe.plan.models[shadow.plan.model], &recipe.plan);
                let shadow_of = Some(recipe.plan.models[shadow.plan.instead_of].card.name.to_string());
                seen.push(match &shadow.model {
                    Ok(model) => ModelSeen { shadow_of, runs: Some(run(model, &recipe.plan)), ..place },
                    Err(says) => ModelSeen { shadow_of, failed: Some(says.clone()), ..place },
                });
            }
        }
        let names: BTreeSet<_> = loaded.iter().map(|recipe| recipe.plan.name.clone()).collect();
        for plan in self.plan.recipes.values().filter(|plan| !names.contains(&plan.name)) {
            for (at, model) in plan.models.iter().enumerate() {
                let shadow = plan.shadows.iter().find(|shadow| shadow.model == at);
                let shadow_of = shadow.map(|shadow| plan.models[shadow.instead_of].card.name.to_string());
                seen.push(ModelSeen { shadow_of, ..named(model, plan) });
            }
        }
        Ok(seen)
    }

    fn inspect(&self, digest: &str) -> Result<ModelFile, Refused> {
        let card = self.card(digest)?;
        let seen =
            Recognition::of(&card.file, &Answers::default()).map_err(|error| Refused(error.to_string()))?;
        let opset = seen.opset.map_or_else(|| "?".to_owned(), |opset| opset.to_string());
        let producer = if seen.producer.is_empty() { "an unknown program" } else { seen.producer.as_str() };
        let fact = |fact: &plumb_recognise::Fact| {
            let value = match &fact.value {
                toml::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            (fact.key.to_owned(), value, fact.source.to_string())
        };
        Ok(ModelFile {
            file: seen.file.display().to_string(),
            bytes: seen.bytes,
            written_by: format!("{producer}, opset {opset}, IR {}", seen.ir_version),
            inputs: seen.inputs.clone(),
            outputs: seen.outputs.clone(),
            facts: seen.facts.iter().map(fact).collect(),
            // What is in the way of a card is not: there is one.
            notes: seen.notes.clone(),
        })
    }

    fn verify(&self, digest: &str) -> Result<ModelVerified, Refused> {
        let card = self.card(digest)?;
        let file = verification::reference_of(&card.path);
        let folder = file.parent().unwrap_or(std::path::Path::new("")).to_owned();
        // The line's devices are the line's: the processor has room behind it.
        let found = verification::verify(&card.path, (&file, &folder), &Device::Cpu);
        let Verification { reference, differences, settings_apart } =
            found.map_err(|error| Refused(error.to_string()))?;
        Ok(ModelVerified {
            made_by: reference.made_by,
            pictures: reference.pictures.len(),
            findings: reference.pictures.iter().map(|picture| picture.findings.len()).sum(),
            differences: differences.into_iter().map(|one| (one.picture, one.says)).collect(),
            notes: settings_apart,
        })
    }

    fn bench(&self, digest: &str) -> Result<String, Refused> {
        let card = self.card(digest)?;
        let program = std::env::current_exe()
            .map_err(|error| Refused(format!("this program does not find itself: {error}")))?;
        // A process of its own, which stands back because this thread does: nothing of it is in the station's memory.
        let mut command = Command::new(program);
        command.args(["--quiet", "model", "bench"]).arg(&card.path).stdin(Stdio::null());
        let folder = card.path.parent().unwrap_or(std::path::Path::new(""));
        if verification::reference_of(&card.path).exists() {
            command.arg("--pictures").arg(folder);
        }
        let done = command
            .output()
            .map_err(|error| Refused(format!("no process of its own can be started: {error}")))?;
        if !done.status.success() {
            let says = String::from_utf8_lossy(&done.stderr);
            return Err(Refused(format!("plumb model bench ended with {}: {}", done.status, says.trim())));
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }
}

fn named(planned: &ModelPlan, plan: &RecipePlan) -> ModelSeen {
    let card = &planned.card;
    ModelSeen {
        digest: planned.digest(),
        name: card.name.to_string(),
        family: family_of(card),
        recipe: plan.name.to_string(),
        shadow_of: None,
        card: card.path.display().to_string(),
        labels: card.labels.iter().map(|label| label.as_str().to_owned()).collect(),
        about: card.about.as_ref().map(about).unwrap_or_default(),
        has_reference: verification::reference_of(&card.path).exists(),
        runs: None,
        failed: None,
    }
}

fn run(model: &LoadedModel, plan: &RecipePlan) -> ModelRun {
    ModelRun {
        provider: model.info.provider.to_string(),
        why: model.info.why.to_string(),
        asked: model.asked.to_string(),
        run_ms: model.run.as_secs_f64() * 1e3,
        deadline_ms: plan.deadline.as_millis() as u64,
        degraded: model.degraded.clone(),
    }
}

fn about(about: &About) -> Vec<(String, String)> {
    let About { trained_on, method, accuracy, licence, attribution } = about;
    let all = [
        ("trained_on", trained_on),
        ("method", method),
        ("accuracy", accuracy),
        ("licence", licence),
        ("attribution", attribution),
    ];
    all.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.clone()?))).collect()
}
