//! The shadow's work on one part: cut, look, put what was seen in the place of what the machine saw, ask the rules.

use super::{
    Passed, Seen,
    opinion::{Recorder, Skipped},
};
use crate::{
    config::Plan,
    edition::{LoadedRecipe, LoadedShadow, ModelId},
};
use plumb_inference::Model;
use plumb_inspection::{CameraId, Cause, Edition, Findings, ModelName, RegionName};
use plumb_ledger::ViewRecord;
use plumb_preprocess::{Cut, Preprocessor};
use plumb_verdict::measure;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

/// Sessions and cuts of every shadow. A plain value with one method.
pub(super) struct Looker {
    plan: Arc<Plan>,
    recorder: Recorder,
    models: BTreeMap<ModelId, Model>,
    /// For each edition and each of its shadows: how to cut each camera's frames for it.
    cuts: BTreeMap<Edition, Vec<Cuts>>,
}

/// By camera; or why they cannot be made.
type Cuts = Result<BTreeMap<CameraId, Preprocessor>, String>;

impl Looker {
    pub(super) fn new(plan: Arc<Plan>, recorder: Recorder) -> Self {
        Self { plan, recorder, models: BTreeMap::new(), cuts: BTreeMap::new() }
    }

    pub(super) fn seat(&mut self, id: ModelId, model: Model) {
        self.models.insert(id, model);
    }

    pub(super) fn unseat(&mut self, id: ModelId) -> Option<Box<Model>> {
        self.models.remove(&id).map(Box::new)
    }

    pub(super) fn learn(&mut self, recipe: &LoadedRecipe) {
        let cuts = recipe.shadows.iter().map(|shadow| self.cuts_of(recipe, shadow)).collect();
        self.cuts.insert(recipe.edition, cuts);
    }

    pub(super) fn forget(&mut self, edition: Edition) {
        self.cuts.remove(&edition);
    }

    pub(super) fn skip(&self, passed: &Passed) {
        self.recorder.skipped(passed, Skipped::Gone);
    }

    /// Lets each shadow of the part's recipe look at it.
    pub(super) fn look(&mut self, passed: Passed) {
        let Some(mut cuts) = self.cuts.remove(&passed.recipe.edition) else {
            return self.skip(&passed);
        };
        for (shadow, cuts) in passed.recipe.shadows.iter().zip(&mut cuts) {
            let started = Instant::now();
            let seen = catch_unwind(AssertUnwindSafe(|| self.see(&passed, shadow, cuts)));
            let took = started.elapsed();
            match seen.unwrap_or_else(|_| Err("ended by a panic".to_owned())) {
                Ok(views) => {
                    let opinion = self.judge(&passed, &views);
                    self.recorder.judged(&passed, shadow, opinion, took);
                }
                Err(says) => {
                    let model = passed.recipe.shadow_name(shadow);
                    tracing::warn!(part = %passed.trigger.part, model, "Shadow model gave no answer: {says}.");
                    self.recorder.failed(&passed, shadow, Cause::Model, took);
                }
            }
        }
        self.cuts.insert(passed.recipe.edition, cuts);
    }

    /// The machine's findings, with the shadow's in the place of those it stands in for.
    fn see(&mut self, passed: &Passed, shadow: &LoadedShadow, cuts: &mut Cuts) -> Result<Vec<Seen>, String> {
        let cuts = cuts.as_mut().map_err(|says| says.clone())?;
        let loaded = shadow.model.as_ref().map_err(Clone::clone)?;
        let model = self.models.get_mut(&loaded.id).ok_or_else(|| "it is not there any more".to_owned())?;
        let recipe = &passed.recipe;
        let beside = &recipe.plan.models[shadow.plan.instead_of].card.name;
        let mut views = Vec::with_capacity(passed.views.len());
        for (frame, findings) in &passed.views {
            let mut findings = findings.clone();
            if let Some(preprocessor) = cuts.get_mut(&frame.camera) {
                for tensor in preprocessor.prepare(frame).map_err(|error| error.to_string())? {
                    let seen = model.examine(&tensor).map_err(|error| error.to_string())?;
                    take_place(&mut findings, seen, &tensor.region, beside);
                }
                let camera = self.plan.cameras.iter().find(|camera| camera.id == frame.camera);
                measure(&mut findings, camera.and_then(|camera| camera.mm_per_px));
            }
            views.push((frame.camera.clone(), findings));
        }
        Ok(views)
    }

    fn judge(&self, passed: &Passed, views: &[Seen]) -> (plumb_verdict::Verdict, Vec<ViewRecord>) {
        let looked_at: Vec<_> = views.iter().map(|(camera, findings)| (camera.clone(), findings)).collect();
        let verdict = passed.recipe.plan.judge.judge(&looked_at);
        let records = views.iter().zip(&passed.views).map(|((camera, findings), (frame, _))| {
            ViewRecord::new(camera.clone(), frame.seq, findings.clone())
        });
        (verdict, records.collect())
    }

    fn cuts_of(&self, recipe: &LoadedRecipe, shadow: &LoadedShadow) -> Cuts {
        let model = shadow.model.as_ref().map_err(Clone::clone)?;
        let mut cuts: BTreeMap<CameraId, Vec<Cut>> = BTreeMap::new();
        for region in shadow.plan.regions.iter().map(|&region| &recipe.plan.regions[region]) {
            let spec = model.info.input.clone();
            let cut = Cut { region: region.name.clone(), rect_px: region.rect_px, spec };
            cuts.entry(region.camera.clone()).or_default().push(cut);
        }
        let preprocessor = |(camera, cuts): (CameraId, Vec<Cut>)| {
            let plan = self.plan.cameras.iter().find(|plan| plan.id == camera);
            let optics = plan.map(|plan| plan.optics.clone()).unwrap_or_default();
            let preprocessor = Preprocessor::new(optics, cuts).map_err(|error| error.to_string())?;
            let preprocessor = match recipe.plan.aligner_of(&camera) {
                Some(aligner) => preprocessor.following(aligner.clone()),
                None => preprocessor,
            };
            Ok((camera, preprocessor))
        };
        cuts.into_iter().map(preprocessor).collect()
    }
}

/// What `beside` saw in the region goes, what the shadow saw comes, under the name that the rules know.
fn take_place(findings: &mut Findings, mut seen: Findings, region: &RegionName, beside: &ModelName) {
    findings.list.retain(|finding| finding.model != *beside || finding.region != *region);
    findings.scores.retain(|(model, of, _)| model != beside || of != region);
    for finding in &mut seen.list {
        finding.model.clone_from(beside);
    }
    for (model, _, _) in &mut seen.scores {
        model.clone_from(beside);
    }
    findings.append(seen);
}
