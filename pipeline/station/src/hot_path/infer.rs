//! `infer-<device>`: tensors become findings in frame px. Sole owner of the model sessions.

use super::{Examined, Loss, Prepared};
use crate::config::Plan;
use plumb_inference::{LoadOptions, Model, ModelError, ModelInfo, Runtime};
use plumb_inspection::{CameraId, Cause, Findings, Lap, RecipeNumber, Trip};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Every model of the plan, loaded, and which of them looks at which region.
pub struct Examiner {
    models: Vec<Model>,
    /// For each recipe and camera, the model of each of its tensors, in order.
    routes: BTreeMap<RecipeNumber, BTreeMap<CameraId, Vec<usize>>>,
}

impl Examiner {
    /// Loads every model, each with one run to check its outputs.
    ///
    /// # Errors
    /// The first model that cannot run, with the sentence that says why.
    pub fn load(plan: &Plan, runtime: &Runtime) -> Result<Self, ModelError> {
        let options = LoadOptions {
            device: plan.infer.device.clone(),
            threads: plan.infer.threads,
            ..LoadOptions::default()
        };
        let models = plan
            .cards
            .iter()
            .map(|card| Model::load(runtime, card, &options))
            .collect::<Result<Vec<_>, _>>()?;
        let routes = plan
            .recipes
            .values()
            .map(|recipe| {
                let by_camera = recipe.cameras().into_iter().map(|camera| {
                    let models = recipe.regions_of(&camera).map(|region| region.card).collect();
                    (camera, models)
                });
                (recipe.number, by_camera.collect())
            })
            .collect();
        Ok(Self { models, routes })
    }

    /// What was loaded, in the order of [`Plan::cards`].
    pub fn infos(&self) -> Vec<ModelInfo> {
        self.models.iter().map(|model| model.info().clone()).collect()
    }

    /// Runs every model a few times, so that the first part does not pay for what is made on first use.
    ///
    /// # Errors
    /// As [`Model::warm_up`].
    pub fn warm_up(&mut self, runs: usize) -> Result<Vec<Duration>, ModelError> {
        self.models.iter_mut().map(|model| model.warm_up(runs)).collect()
    }

    /// Lets each tensor's model look at it.
    ///
    /// # Errors
    /// The part, its view and why it cannot be judged.
    pub fn examine(&mut self, trip: Trip<Prepared>) -> Result<Trip<Examined>, Loss> {
        let started = Instant::now();
        let (Prepared { frame, tensors }, mut trip) = trip.unload();
        let loss = |cause| Loss { part: trip.part, camera: frame.camera.clone(), cause };
        let route = self.routes.get(&trip.recipe).and_then(|cameras| cameras.get(&frame.camera));
        let Some(route) = route else { return Err(loss(Cause::Recipe)) };
        let mut findings = Findings::default();
        for (tensor, &model) in tensors.iter().zip(route) {
            match self.models[model].examine(tensor) {
                Ok(seen) => findings.append(seen),
                Err(error) => {
                    tracing::error!(part = %trip.part, region = %tensor.region, %error, "Model gave no answer.");
                    return Err(loss(error.cause()));
                }
            }
        }
        trip.laps.add(Lap::Infer, started.elapsed());
        Ok(trip.carrying(Examined { frame, findings }))
    }
}
