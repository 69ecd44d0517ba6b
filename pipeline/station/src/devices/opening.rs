//! How a model is opened: kept beside it, so that it can be opened the same way again when its device has failed.

use plumb_inference::{Card, Device, LoadOptions, Model, ModelError, Runtime};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Everything that decides what a model is and where it runs.
#[derive(Debug)]
pub struct Opening {
    runtime: Runtime,
    card: Arc<Card>,
    options: LoadOptions,
    /// Where it came up the first time.
    device: String,
    wanted: AtomicBool,
}

impl Opening {
    /// As `model` was opened.
    pub fn of(runtime: &Runtime, card: Arc<Card>, options: LoadOptions, model: &Model) -> Self {
        let device = device_of(model);
        Self { runtime: runtime.clone(), card, options, device, wanted: AtomicBool::new(true) }
    }

    /// Opens it once more, on the same device.
    ///
    /// # Errors
    /// Why it does not come up; also when it does, but elsewhere: its thread owns one device, and a model that is
    /// slower than it was at the start has not been measured against its deadline.
    pub fn again(&self) -> Result<Model, String> {
        let model = Model::load(&self.runtime, &self.card, &self.options).map_err(|error| error.to_string())?;
        let came_up = device_of(&model);
        if came_up == self.device {
            return Ok(model);
        }
        Err(format!("model {:?} ran on {} and came up on {came_up}", self.card.name, self.device))
    }

    /// Nobody looks with it any more.
    pub fn not_wanted(&self) {
        self.wanted.store(false, Ordering::Relaxed);
    }

    /// Somebody still looks with it.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }
}

/// The device that a model runs on, as its thread is called.
pub fn device_of(model: &Model) -> String {
    model.info().provider.to_lowercase()
}

/// As [`Model::load`].
///
/// # Errors
/// As [`Model::load`].
pub fn open(runtime: &Runtime, card: &Card, device: Device, threads: usize) -> Result<(Model, LoadOptions), ModelError> {
    let options = LoadOptions { device, threads };
    Ok((Model::load(runtime, card, &options)?, options))
}
