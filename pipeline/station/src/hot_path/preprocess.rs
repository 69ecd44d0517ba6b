//! `preprocess-<camera>`: frames become tensors and measurements. A picture that cannot be prepared costs its part the verdict.

use super::{Loss, Prepared, Route};
use crate::scale::CameraScale;
use plumb_inspection::{CameraId, Cause, Edition, Frame, Lap, Trip};
use plumb_preprocess::{PreprocessError, Preprocessor};
use std::{collections::BTreeMap, sync::Arc, time::Instant};

/// One camera's preprocessing, for every edition that looks through it. A plain value with one method.
pub struct Preparer {
    camera: CameraId,
    by_edition: BTreeMap<Edition, Cutting>,
}

/// What one edition cuts out of a camera's frames, and where the pieces go.
pub struct Cutting {
    preprocessor: Preprocessor,
    scale: CameraScale,
    route: Arc<Route>,
}

impl Cutting {
    /// `route` speaks of the regions in the order in which `preprocessor` cuts them.
    pub fn new(preprocessor: Preprocessor, scale: CameraScale, route: Route) -> Self {
        Self { preprocessor, scale, route: Arc::new(route) }
    }

    /// Does once what is done at the first frame of a size, so that no part pays for it.
    ///
    /// # Errors
    /// When frames like this one cannot be cut so: a region lies outside.
    pub fn rehearse(&mut self, frame: &Frame) -> Result<(), PreprocessError> {
        self.preprocessor.rehearse(frame)
    }
}

impl Preparer {
    /// A preparer that knows no edition yet.
    pub fn new(camera: CameraId) -> Self {
        Self { camera, by_edition: BTreeMap::new() }
    }

    /// From now on trips of `edition` are cut so.
    pub fn learn(&mut self, edition: Edition, cutting: Cutting) {
        self.by_edition.insert(edition, cutting);
    }

    /// No trip of `edition` matters any more.
    pub fn forget(&mut self, edition: Edition) -> Option<Cutting> {
        self.by_edition.remove(&edition)
    }

    /// Finds the part where its edition searches it, takes the measurements and cuts the tensors. A part that is not found
    /// travels on without tensors: the judge is to say so, and its picture is to be kept.
    ///
    /// # Errors
    /// The part, its view and why it cannot be judged.
    pub fn prepare(&mut self, trip: Trip<Frame>) -> Result<Trip<Prepared>, Loss> {
        let started = Instant::now();
        let (frame, mut trip) = trip.unload();
        let loss = |cause| Loss { part: trip.part, camera: self.camera.clone(), cause };
        let Some(cutting) = self.by_edition.get_mut(&trip.edition) else {
            return Err(loss(Cause::Recipe));
        };
        let scale = cutting.scale.at(&frame);
        match cutting.preprocessor.pieces(&frame, &scale) {
            Ok(pieces) => {
                trip.laps.add(Lap::Preprocess, started.elapsed());
                Ok(trip.carrying(Prepared::new(frame, pieces, cutting.route.clone())))
            }
            Err(error) => {
                tracing::error!(part = %trip.part, camera = %self.camera, %error, "Picture could not be prepared.");
                Err(loss(Cause::Preprocess))
            }
        }
    }
}
