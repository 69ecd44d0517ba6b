//! `preprocess-<camera>`: frames become tensors. A picture that cannot be prepared costs its part the verdict.

use super::{Loss, Prepared};
use plumb_inspection::{CameraId, Cause, Frame, Lap, RecipeNumber, Trip};
use plumb_preprocess::Preprocessor;
use std::{collections::BTreeMap, time::Instant};

/// One camera's preprocessing, for every recipe that looks through it. A plain value with one method.
pub struct Preparer {
    camera: CameraId,
    by_recipe: BTreeMap<RecipeNumber, Preprocessor>,
}

impl Preparer {
    /// `by_recipe` holds what each recipe cuts out of this camera's frames.
    pub fn new(camera: CameraId, by_recipe: BTreeMap<RecipeNumber, Preprocessor>) -> Self {
        Self { camera, by_recipe }
    }

    /// Cuts the trip's frame into its recipe's tensors.
    ///
    /// # Errors
    /// The part, its view and why it cannot be judged.
    pub fn prepare(&mut self, trip: Trip<Frame>) -> Result<Trip<Prepared>, Loss> {
        let started = Instant::now();
        let (frame, mut trip) = trip.unload();
        let loss = |cause| Loss { part: trip.part, camera: self.camera.clone(), cause };
        let Some(preprocessor) = self.by_recipe.get_mut(&trip.recipe) else {
            return Err(loss(Cause::Recipe));
        };
        match preprocessor.prepare(&frame) {
            Ok(tensors) => {
                trip.laps.add(Lap::Preprocess, started.elapsed());
                Ok(trip.carrying(Prepared { frame, tensors }))
            }
            Err(error) => {
                tracing::error!(part = %trip.part, camera = %self.camera, %error, "Picture could not be prepared.");
                Err(loss(Cause::Preprocess))
            }
        }
    }
}
