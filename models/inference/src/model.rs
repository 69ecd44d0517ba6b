//! One model, loaded and warm: a tensor goes in, findings come out.

use crate::error::ModelError;
use crate::family::{Family, Look};
use crate::output::Output;
use crate::session::{OpenError, Session};
use crate::{Card, Device, Runtime};
use plumb_inspection::{
    Affine, ClassName, Element, Findings, ModelName, Placement, RectPx, RegionName, Tensor, TensorSpec,
    Values,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How a model is to be run: `[models]` of a station.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoadOptions {
    /// Where.
    pub device: Device,
    /// Threads that share one run on the processor; 0 is taken as 1.
    pub threads: usize,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { device: Device::Auto, threads: 1 }
    }
}

/// What is worth knowing, and keeping on record, about a loaded model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    /// As its card says.
    pub name: ModelName,
    /// SHA-256 of its file, 64 lower-case hex digits; computed, and equal to the card's.
    pub digest: String,
    /// Where it runs: `cpu` or `cuda:0`.
    pub provider: String,
    /// Why there: `asked for`, or what spoke against the graphics card.
    pub why: String,
    /// What it is to be given.
    pub input: TensorSpec,
    /// Names of its classes, in the order of its output.
    pub labels: Vec<ClassName>,
    /// What one run took at load, once warm.
    pub warm_up: Duration,
}

/// A model that is ready: its file fits its card and it has run. One owner; runs one tensor at a time.
#[derive(Debug)]
pub struct Model {
    session: Session,
    family: Box<dyn Family>,
    info: ModelInfo,
    card: PathBuf,
}

impl Model {
    /// Loads the card's file, checks it against the card, and runs it twice.
    ///
    /// # Errors
    /// For every way in which file, card and device can fail to fit, said before the station is ready.
    pub fn load(runtime: &Runtime, card: &Card, options: &LoadOptions) -> Result<Self, ModelError> {
        let bytes = checked_bytes(card)?;
        let session = Session::open(runtime, &bytes, &options.device, options.threads)
            .map_err(|error| refused(card, options.device.clone(), error))?;
        check_input(&session, card)?;
        let info = ModelInfo {
            name: card.name.clone(),
            digest: card.sha256.clone(),
            provider: session.provider.clone(),
            why: session.why.clone(),
            input: card.input.clone(),
            labels: card.labels.clone(),
            warm_up: Duration::ZERO,
        };
        let mut model = Self { session, family: card.family.reader(), info, card: card.path.clone() };
        model.check_output()?;
        model.info.warm_up = model.warm_up(1)?;
        tracing::debug!(
            model = %model.info.name, provider = model.info.provider, why = model.info.why,
            run_ms = model.info.warm_up.as_secs_f64() * 1e3, "Model is ready."
        );
        Ok(model)
    }

    /// What the model sees in `tensor`: findings in frame px, inside the region shown, best first, and the raw score
    /// of the region. The tensor's numbers are lent to the model, not copied (f16 apart).
    ///
    /// # Errors
    /// When the model fails on this picture; the part is then to be `Missed`, for nothing is known about it.
    pub fn examine(&mut self, tensor: &Tensor) -> Result<Findings, ModelError> {
        let (model, spec) = (&self.info.name, &self.info.input);
        let fits = match tensor.values {
            Values::F32(ref values) => spec.element != Element::U8 && values.len() == spec.len(),
            Values::U8(ref values) => spec.element == Element::U8 && values.len() == spec.len(),
        };
        if !fits || tensor.shape != spec.shape() {
            let (got, numbers) = match tensor.values {
                Values::F32(ref values) => ("f32", values.len()),
                Values::U8(ref values) => ("u8", values.len()),
            };
            return Err(ModelError::Tensor {
                model: model.clone(),
                region: tensor.region.clone(),
                got: format!("{numbers} {got} numbers of shape {:?}", tensor.shape),
                wants: described(spec),
            });
        }
        let look = Look {
            model,
            labels: &self.info.labels,
            card: &self.card,
            region: &tensor.region,
            placement: &tensor.placement,
            input_px: (spec.width as f32, spec.height as f32),
        };
        let family = &mut self.family;
        self.session
            .run(tensor.shape, &tensor.values, spec.element, |outputs| {
                all_finite(outputs, &look)?;
                let mut findings = family.read(outputs, &look)?;
                findings.list.sort_by(|a, b| b.score.get().total_cmp(&a.score.get()));
                Ok(findings)
            })
            .map_err(|reason| ModelError::Run {
                model: model.clone(),
                region: tensor.region.clone(),
                reason,
            })?
    }

    /// As [`Model::examine`], for several tensors; the answers come in their order. What is not there `by` then is an
    /// error: only a model on another machine is waited for so, and only up to then.
    pub fn examine_batch(
        &mut self,
        tensors: &[&Tensor],
        _by: Option<Instant>,
    ) -> Vec<Result<Findings, ModelError>> {
        tensors.iter().map(|tensor| self.examine(tensor)).collect()
    }

    /// What the model is and where it runs.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Runs the model `runs` times (at least once) on an even grey and gives the median of what a run took, reading
    /// of the output excluded.
    ///
    /// # Errors
    /// When the model fails.
    pub fn warm_up(&mut self, runs: usize) -> Result<Duration, ModelError> {
        let blank = blank(&self.info.input);
        let mut took: Vec<Duration> = Vec::with_capacity(runs.max(1));
        for _ in 0..runs.max(1) {
            let start = Instant::now();
            self.session
                .run(self.info.input.shape(), &blank, self.info.input.element, |_| ())
                .map_err(|reason| self.failed_blank(reason))?;
            took.push(start.elapsed());
        }
        took.sort_unstable();
        Ok(took[took.len() / 2])
    }

    /// One run, to see the shapes that the file itself may leave open.
    fn check_output(&mut self) -> Result<(), ModelError> {
        let spec = &self.info.input;
        let region = RegionName::from("(warm-up)");
        let placement = Placement {
            frame_from_tensor: Affine::IDENTITY,
            content_px: RectPx { x: 0.0, y: 0.0, w: spec.width as f32, h: spec.height as f32 },
        };
        let look = Look {
            model: &self.info.name,
            labels: &self.info.labels,
            card: &self.card,
            region: &region,
            placement: &placement,
            input_px: (spec.width as f32, spec.height as f32),
        };
        let (blank, family) = (blank(spec), &self.family);
        match self.session.run(spec.shape(), &blank, spec.element, |outputs| family.check(outputs, &look)) {
            Ok(checked) => checked,
            Err(reason) => Err(self.failed_blank(reason)),
        }
    }

    fn failed_blank(&self, reason: String) -> ModelError {
        ModelError::Run { model: self.info.name.clone(), region: "(warm-up)".into(), reason }
    }
}

/// A grey picture, as preprocessing would hand it over but for mean and std.
fn blank(spec: &TensorSpec) -> Values {
    match spec.element {
        Element::F32 | Element::F16 => Values::F32(vec![0.5; spec.len()]),
        Element::U8 => Values::U8(vec![128; spec.len()]),
    }
}

/// The file's bytes, read once: what was digested is what is loaded.
fn checked_bytes(card: &Card) -> Result<Vec<u8>, ModelError> {
    let (model, file) = (card.name.clone(), card.file.clone());
    let bytes = std::fs::read(&file).map_err(|error| ModelError::Unreadable {
        model: model.clone(),
        file: file.clone(),
        card: card.path.clone(),
        error,
    })?;
    if bytes.is_empty() {
        return Err(ModelError::Empty { model, file });
    }
    let got: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if got != card.sha256 {
        let (card, expected) = (card.path.clone(), card.sha256.clone());
        return Err(ModelError::Digest { model, file, card, got, expected });
    }
    Ok(bytes)
}

fn refused(card: &Card, device: Device, error: OpenError) -> ModelError {
    let (model, file) = (card.name.clone(), card.file.clone());
    match error {
        OpenError::Device(reason) => ModelError::Device { model, device, reason },
        OpenError::NotOnnx(reason) => ModelError::NotOnnx { model, file, reason },
        OpenError::Operator(operator) => ModelError::Operator { model, file, operator },
        OpenError::Refused(reason) => ModelError::Refused { model, file, reason },
    }
}

fn check_input(session: &Session, card: &Card) -> Result<(), ModelError> {
    let inputs = session.inputs();
    if inputs.len() != 1 {
        return Err(ModelError::Inputs { model: card.name.clone(), inputs });
    }
    let spec = &card.input;
    let fits = session.input().is_some_and(|(element, sides)| {
        element == spec.element
            && sides.len() == 4
            && sides
                .iter()
                .zip(spec.shape())
                .all(|(wants, says)| *wants < 0 || usize::try_from(*wants) == Ok(says))
    });
    if fits {
        return Ok(());
    }
    Err(ModelError::Input {
        model: card.name.clone(),
        wants: session.input_type(),
        says: described(spec),
        card: card.path.clone(),
    })
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
