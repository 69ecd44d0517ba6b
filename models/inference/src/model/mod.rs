//! One model, loaded and warm: a tensor goes in, findings come out.

use crate::error::ModelError;
use crate::family::{Family, Look};
use crate::output::Output;
use crate::session::RunError;
use crate::{Card, LoadOptions, Runtime};
use plumb_inspection::{Element, Findings, RegionName, Tensor, TensorSpec, Values};
use std::time::{Duration, Instant};

mod backend;
mod batch;
mod check;
mod graph;
mod info;
mod load;

pub use info::{ModelInfo, Tried};

/// A model that is ready: its file fits its card and it has run. One owner; runs on the thread that calls it.
#[derive(Debug)]
pub struct Model {
    backend: backend::Backend,
    family: Box<dyn Family>,
    info: ModelInfo,
    batch: batch::Batch,
    /// What it was loaded from, for siblings; the device is the one it runs on.
    origin: Box<Origin>,
}

#[derive(Clone, Debug)]
struct Origin {
    runtime: Runtime,
    card: Card,
    options: LoadOptions,
}

impl Model {
    /// What the model sees in `tensor`: findings in frame px, inside the region shown, best first, and the raw score
    /// of the region. The tensor's numbers are lent to the model, not copied (f16 and graphics cards apart).
    ///
    /// # Errors
    /// When the model fails on this picture; the part is then to be `Missed`, for nothing is known about it.
    pub fn examine(&mut self, tensor: &Tensor) -> Result<Findings, ModelError> {
        self.examine_by(tensor, None)
    }

    fn examine_by(&mut self, tensor: &Tensor, by: Option<Instant>) -> Result<Findings, ModelError> {
        self.fits(tensor)?;
        let mut seen = self.look_at(&[tensor], by)?;
        seen.pop().expect("as many answers as tensors")
    }

    /// As [`Model::examine`], for several tensors; the answers come in their order. As many as
    /// [`ModelInfo::batch_max`] share a run; what is wrong with one picture costs that picture its answer alone. What is
    /// not there `by` then is an error: only a model on another machine is waited for so, and only up to then.
    pub fn examine_batch(
        &mut self,
        tensors: &[&Tensor],
        by: Option<Instant>,
    ) -> Vec<Result<Findings, ModelError>> {
        let mut answers = Vec::with_capacity(tensors.len());
        let mut tensors = tensors;
        while !tensors.is_empty() {
            let (run, rest) = tensors.split_at(tensors.len().min(self.info.batch_max));
            answers.extend(self.examine_together(run, by));
            tensors = rest;
        }
        answers
    }

    /// What the model is and where it runs.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Runs the model `runs` times (at least once) on an even grey and gives the median of what a run took, reading
    /// of the output excluded. With a CUDA graph, the thread that calls this is the one that must call `examine`.
    ///
    /// # Errors
    /// When the model fails.
    pub fn warm_up(&mut self, runs: usize) -> Result<Duration, ModelError> {
        let blank = check::blank(&self.info.input);
        let mut took: Vec<Duration> = Vec::with_capacity(runs.max(1));
        for _ in 0..runs.max(1) {
            let start = Instant::now();
            self.backend
                .run(&self.info.input, &[&blank], self.batch.filled_to(1), None, |_| ())
                .map_err(|error| self.failed(error, &check::nowhere()))?;
            took.push(start.elapsed());
        }
        took.sort_unstable();
        Ok(took[took.len() / 2])
    }

    /// One run. The outer error is the run's, an inner one is a picture's own.
    fn look_at(
        &mut self,
        tensors: &[&Tensor],
        by: Option<Instant>,
    ) -> Result<Vec<Result<Findings, ModelError>>, ModelError> {
        let Self { backend, family, info, batch, origin } = self;
        let pictures: Vec<&Values> = tensors.iter().map(|tensor| &tensor.values).collect();
        let filled_to = batch.filled_to(pictures.len());
        let spec = &info.input;
        let read = |outputs: &[Output<'_>]| {
            let mut each = Vec::with_capacity(tensors.len());
            for (i, tensor) in tensors.iter().enumerate() {
                let look = Look {
                    model: &info.name,
                    labels: &info.labels,
                    card: &origin.card.path,
                    region: &tensor.region,
                    placement: &tensor.placement,
                    input_px: (spec.width as f32, spec.height as f32),
                };
                each.push(match batch::of_picture(outputs, i, filled_to) {
                    Some(outputs) => seen(&outputs, &look, &mut **family),
                    None => Err(check::mixed_up(&info.name, filled_to, outputs)),
                });
            }
            each
        };
        match backend.run(spec, &pictures, filled_to, by, read) {
            Ok(each) => Ok(each),
            Err(error) => Err(self.failed(error, &tensors[0].region)),
        }
    }

    /// # Errors
    /// When `tensor` is not what the model is to be given.
    fn fits(&self, tensor: &Tensor) -> Result<(), ModelError> {
        let spec = &self.info.input;
        let (got, numbers) = match &tensor.values {
            Values::F32(values) => ("f32", values.len()),
            Values::U8(values) => ("u8", values.len()),
        };
        if (got == "u8") == (spec.element == Element::U8)
            && numbers == spec.len()
            && tensor.shape == spec.shape()
        {
            return Ok(());
        }
        Err(ModelError::Tensor {
            model: self.info.name.clone(),
            region: tensor.region.clone(),
            got: format!("{numbers} {got} numbers of shape {:?}", tensor.shape),
            wants: described(spec),
        })
    }

    fn failed(&self, error: RunError, region: &RegionName) -> ModelError {
        let (model, device) = (self.info.name.clone(), self.info.provider.clone());
        match error {
            RunError::Fault(fault, reason) => ModelError::DeviceFailed { model, device, fault, reason },
            RunError::Remote(error) => ModelError::Remote { model, error },
            RunError::Failed(reason) => ModelError::Run { model, region: region.clone(), reason },
        }
    }
}

fn seen(outputs: &[Output<'_>], look: &Look<'_>, family: &mut dyn Family) -> Result<Findings, ModelError> {
    all_finite(outputs, look)?;
    let mut findings = family.read(outputs, look)?;
    findings.list.sort_by(|a, b| b.score.get().total_cmp(&a.score.get()));
    Ok(findings)
}

fn all_finite(outputs: &[Output<'_>], look: &Look<'_>) -> Result<(), ModelError> {
    match outputs.iter().find(|output| !output.is_finite()) {
        None => Ok(()),
        Some(output) => Err(ModelError::NotANumber {
            model: look.model.clone(),
            output: output.name.to_owned(),
            region: look.region.clone(),
        }),
    }
}

/// `640x640 rgb, which is f32 [1, 3, 640, 640]`.
fn described(spec: &TensorSpec) -> String {
    let word = |debug: String| debug.to_lowercase();
    format!(
        "{}x{} {}, which is {} {:?}",
        spec.width,
        spec.height,
        word(format!("{:?}", spec.colour)),
        word(format!("{:?}", spec.element)),
        spec.shape()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_may_be_handed_to_the_thread_that_owns_it() {
        fn can_move<T: Send>() {}
        can_move::<Model>();
        can_move::<Runtime>();
    }
}
