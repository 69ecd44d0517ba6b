//! How a model is opened: kept beside it, so that it can be opened the same way again when its device has failed.

use plumb_inference::{Card, LoadOptions, Model, ModelError, ModelInfo, Runtime};
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
    wanted: AtomicBool,
}

impl Opening {
    /// As `options` opened the model of which `info` tells: on the device where it came up, whatever was asked for. Its
    /// thread owns that device, and elsewhere it has not been measured against its deadline.
    pub fn of(runtime: &Runtime, card: &Arc<Card>, options: LoadOptions, info: &ModelInfo) -> Self {
        let device = info.provider.parse().unwrap_or_else(|_| options.device.clone());
        let options = LoadOptions { device, variant: Some(info.variant.clone()), ..options };
        Self { runtime: runtime.clone(), card: card.clone(), options, wanted: AtomicBool::new(true) }
    }

    /// Opens it once more, on the same device.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn again(&self) -> Result<Model, ModelError> {
        Model::load(&self.runtime, &self.card, &self.options)
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
