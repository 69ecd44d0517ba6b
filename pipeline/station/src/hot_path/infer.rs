//! `infer-<device>`: tensors become findings in frame px. Sole owner of the model sessions on its device.
//!
//! Trips that wait together are looked at together: one run a model, as many regions in it as the batch holds.

use super::{Examined, Loss, Prepared};
use crate::edition::ModelId;
use plumb_inference::{Model, ModelError};
use plumb_inspection::{Cause, Findings, Lap, ModelName, Tensor, Trip};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

/// The models of one device. A plain value with one method.
pub struct Examiner {
    models: BTreeMap<ModelId, Seat>,
    batch_max: usize,
    news: Vec<(ModelId, News)>,
}

/// A model's place on the device.
enum Seat {
    /// `silent` while its server does not answer.
    Ready { model: Box<Model>, silent: bool },
    /// Its device failed; it is being opened again, and whoever needs it meanwhile is missed.
    Vacant,
}

/// What happened to a model beyond the trips it looked at.
pub enum News {
    /// Its device failed with these words, and it was taken off: to be dropped by somebody who has the time.
    Failed(Box<Model>, String),
    /// Its server does not answer, with these words.
    Silent(String),
    /// Its server answers again.
    Answers,
}

/// What became of one trip.
pub enum Looked {
    /// On to its next device.
    Onward(Trip<Prepared>),
    /// Every region of it has been looked at.
    Done(Trip<Examined>),
    /// It cannot be judged.
    Lost(Loss),
}

impl Examiner {
    /// No models yet; at most `batch_max` regions in one run.
    pub fn new(batch_max: usize) -> Self {
        Self { models: BTreeMap::new(), batch_max: batch_max.max(1), news: Vec::new() }
    }

    /// A model takes its seat.
    pub fn seat(&mut self, id: ModelId, model: Box<Model>) {
        self.models.insert(id, Seat::Ready { model, silent: false });
    }

    /// A model that was opened again takes its old seat; it comes back if that is gone.
    pub fn reseat(&mut self, id: ModelId, model: Box<Model>) -> Option<Box<Model>> {
        match self.models.get_mut(&id) {
            Some(seat) => {
                *seat = Seat::Ready { model, silent: false };
                None
            }
            None => Some(model),
        }
    }

    /// A model's seat is taken away, and the model with it if it is there.
    pub fn unseat(&mut self, id: ModelId) -> Option<Box<Model>> {
        match self.models.remove(&id)? {
            Seat::Ready { model, .. } => Some(model),
            Seat::Vacant => None,
        }
    }

    /// What happened since this was asked last.
    pub fn news(&mut self) -> Vec<(ModelId, News)> {
        std::mem::take(&mut self.news)
    }

    /// Lets each trip's models on this device look at it. Whatever goes wrong costs only the trips it belongs to.
    pub fn examine(&mut self, mut trips: Vec<Trip<Prepared>>) -> Vec<Looked> {
        let mut lost: Vec<Option<Cause>> = vec![None; trips.len()];
        for (model, looks) in looks_by_model(&trips) {
            for batch in looks.chunks(self.batch_max) {
                let batch: Vec<(usize, usize)> =
                    batch.iter().filter(|(trip, _)| lost[*trip].is_none()).copied().collect();
                for ((trip, tensor), seen) in batch.iter().zip(self.run(model, &trips, &batch)) {
                    match seen {
                        Ok(findings) => trips[*trip].cargo.seen[*tensor] = Some(findings),
                        Err(cause) => lost[*trip] = Some(cause),
                    }
                }
            }
        }
        trips.into_iter().zip(lost).map(|(trip, lost)| move_on(trip, lost)).collect()
    }

    /// One run of one model, on one region of each of some trips.
    fn run(
        &mut self,
        id: ModelId,
        trips: &[Trip<Prepared>],
        batch: &[(usize, usize)],
    ) -> Vec<Result<Findings, Cause>> {
        let all = |cause| vec![Err(cause); batch.len()];
        let (model, silent) = match self.models.get_mut(&id) {
            Some(Seat::Ready { model, silent }) => (model, silent),
            Some(Seat::Vacant) => return all(Cause::Device),
            None => return all(Cause::Recipe), // its edition is gone, and with it whoever waited for the answer
        };
        let tensors: Vec<&Tensor> = batch.iter().map(|&(trip, at)| &trips[trip].cargo.tensors[at]).collect();
        let by = batch.iter().map(|&(trip, _)| trips[trip].deadline).min();
        let answers = look(model, &tensors, by);
        let mut trouble = None;
        let mut seen = Vec::with_capacity(batch.len());
        for ((&(trip, _), tensor), answer) in batch.iter().zip(&tensors).zip(answers) {
            seen.push(answer.map_err(|none| {
                let (cause, says) = none.told();
                let part = trips[trip].part;
                tracing::error!(%part, region = %tensor.region, cause = cause.as_str(), "Model gave no answer: {says}");
                trouble.get_or_insert((cause, says));
                cause
            }));
        }
        match trouble {
            Some((Cause::Device, says)) => {
                if let Some(Seat::Ready { model, .. }) = self.models.insert(id, Seat::Vacant) {
                    self.news.push((id, News::Failed(model, says)));
                }
            }
            Some((Cause::Remote, says)) if !*silent => {
                *silent = true;
                self.news.push((id, News::Silent(says)));
            }
            None if *silent => {
                *silent = false;
                self.news.push((id, News::Answers));
            }
            _ => {}
        }
        seen
    }
}

/// Why a model gave nothing.
enum NoAnswer {
    Error(ModelError),
    Panic(ModelName),
}

impl NoAnswer {
    fn told(self) -> (Cause, String) {
        match self {
            Self::Error(error) => (error.cause(), error.to_string()),
            Self::Panic(model) => (Cause::Model, format!("model {model:?} ended by a panic")),
        }
    }
}

/// A panic in a batch is laid at the door of the region that causes it alone, too.
fn look(model: &mut Model, tensors: &[&Tensor], by: Option<Instant>) -> Vec<Result<Findings, NoAnswer>> {
    match catch_unwind(AssertUnwindSafe(|| model.examine_batch(tensors, by))) {
        Ok(answers) => answers.into_iter().map(|answer| answer.map_err(NoAnswer::Error)).collect(),
        Err(_) if tensors.len() > 1 => {
            tensors.iter().flat_map(|tensor| look(model, std::slice::from_ref(tensor), by)).collect()
        }
        Err(_) => vec![Err(NoAnswer::Panic(model.info().name.clone()))],
    }
}

/// For each model, the regions it is to look at: trip and tensor, in the order of the trips.
fn looks_by_model(trips: &[Trip<Prepared>]) -> BTreeMap<ModelId, Vec<(usize, usize)>> {
    let mut looks: BTreeMap<ModelId, Vec<(usize, usize)>> = BTreeMap::new();
    for (at, trip) in trips.iter().enumerate().filter(|(_, trip)| trip.cargo.is_found()) {
        for &(tensor, model) in &trip.cargo.leg().looks {
            looks.entry(model).or_default().push((at, tensor));
        }
    }
    looks
}

fn move_on(mut trip: Trip<Prepared>, lost: Option<Cause>) -> Looked {
    if let Some(cause) = lost {
        return Looked::Lost(Loss { part: trip.part, camera: trip.camera, cause });
    }
    if trip.cargo.is_found() && trip.cargo.next_leg() {
        return Looked::Onward(trip);
    }
    let (Prepared { frame, seen, alignment, measurements, since, .. }, mut trip) = trip.unload();
    let mut findings = Findings { alignment, measurements, ..Findings::default() };
    seen.into_iter().flatten().for_each(|region| findings.append(region));
    trip.laps.add(Lap::Infer, since.elapsed());
    Looked::Done(trip.carrying(Examined { frame, findings }))
}
