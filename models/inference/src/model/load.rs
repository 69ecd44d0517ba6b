//! From a card to a model that is ready: which file, which device, and whether it does what the card says.

use super::backend::Backend;
use super::batch::Batch;
use super::graph::Prepared;
use super::{Model, ModelInfo, Origin, Tried, check};
use crate::cache::Shelf;
use crate::error::ModelError;
use crate::file::{ModelFile, folder_of};
use crate::served::Served;
use crate::session::{Asked, OpenError, Session, Source, lacking};
use crate::variant::Chosen;
use crate::{Card, Device, LoadOptions, Runtime};
use plumb_inspection::TensorSpec;
use std::time::{Duration, Instant};

impl Model {
    /// Loads the card's file, checks it against the card, and runs it.
    ///
    /// With `device = "auto"`, in this order: where the card says it was found to run best; the first NVIDIA card by CUDA;
    /// the processor. What the loaded library has nothing for, or what fails to open or to run, is not taken, and
    /// [`ModelInfo::tried`] says why.
    ///
    /// # Errors
    /// For every way in which file, card and device can fail to fit, said before the station is ready.
    pub fn load(runtime: &Runtime, card: &Card, options: &LoadOptions) -> Result<Self, ModelError> {
        let started = Instant::now();
        let chosen = Chosen::of(card, options.variant.as_deref())?;
        let mut tried = Vec::new();
        let (wishes, (last, last_why)) = candidates(&options.device, chosen.device);
        for (device, why) in wishes {
            match Self::open(runtime, card, options, &chosen, &device) {
                Ok(model) => return Ok(model.ready(why.to_owned(), tried, started)),
                Err(error) if error.may_do_elsewhere() => {
                    tracing::debug!(model = %card.name, %device, %error, "Not taken.");
                    tried.push(Tried { device, reason: error.reason() });
                }
                Err(error) => return Err(error),
            }
        }
        let why = last_why.map_or_else(|| because(&tried), ToOwned::to_owned);
        Ok(Self::open(runtime, card, options, &chosen, &last)?.ready(why, tried, started))
    }

    /// Loads the same model several times, for as many threads: the first decides where, and the others are its
    /// [siblings](Model::sibling).
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_many(
        runtime: &Runtime,
        card: &Card,
        options: &LoadOptions,
        count: usize,
    ) -> Result<Vec<Self>, ModelError> {
        let mut models = vec![Self::load(runtime, card, options)?];
        while models.len() < count {
            models.push(models[0].sibling()?);
        }
        Ok(models)
    }

    /// The same model once more, on the same device, for another thread. On the processor both share the weights where
    /// [`LoadOptions::cache`] is set: they are mapped from one file.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn sibling(&self) -> Result<Self, ModelError> {
        let started = Instant::now();
        let Origin { runtime, card, options } = &*self.origin;
        let chosen = Chosen::of(card, options.variant.as_deref())?;
        let sibling = match &self.backend {
            // One set of connections, and one bound on what is under way.
            Backend::There(served) => Self::checked(
                runtime,
                card,
                options.clone(),
                Backend::There(served.clone()),
                self.info.digest.clone(),
                self.info.input.clone(),
            )?,
            Backend::Here(_) => Self::open(runtime, card, options, &chosen, &options.device)?,
        };
        Ok(sibling.ready(self.info.why.clone(), self.info.tried.clone(), started))
    }

    /// Opens, checks and runs the model on `device`.
    fn open(
        runtime: &Runtime,
        card: &Card,
        options: &LoadOptions,
        chosen: &Chosen<'_>,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let options = LoadOptions {
            device: device.clone(),
            variant: Some(chosen.name.to_owned()),
            threads: match options.threads {
                0 => card.threads.map_or(1, usize::from),
                threads => threads,
            },
            ..options.clone()
        };
        if let Device::Kserve(server) = device {
            // What the server runs is its own: the card's file need not be here, and its digest is the card's word.
            let served = Served::connect(card, server, &options.remote)?;
            let (digest, input) = (chosen.digest(), chosen.input.clone());
            return Self::checked(runtime, card, options, Backend::There(served), digest, input);
        }
        let refused = |error| refused(card, chosen, device, error);
        // What the library has nothing for is said before any work is done for it.
        lacking(runtime, device).map_or(Ok(()), |reason| Err(refused(OpenError::Device(reason))))?;
        let file = ModelFile::checked(card, chosen)?;
        let Prepared { edited, input, sides, profile } =
            Prepared::new(card, chosen, &file, &options, device)?;
        let asked = Asked { runtime, device, options: &options, sides: &sides, profile: profile.as_ref() };
        let source = match &edited {
            None => Source::File(chosen.file),
            Some(bytes) => Source::Edited { bytes, folder: folder_of(chosen.file) },
        };
        let shelf = options.cache.as_ref().map(|cache| shelf(cache, card, &file, &asked));
        let session = Session::open(&asked, source, shelf.as_ref()).map_err(refused)?;
        file.still_the_same(card)?;
        drop(edited);
        Self::checked(runtime, card, options, Backend::Here(Box::new(session)), file.digest, input)
    }

    /// Holds what was opened against the card, and runs it.
    fn checked(
        runtime: &Runtime,
        card: &Card,
        options: LoadOptions,
        backend: Backend,
        digest: String,
        input: TensorSpec,
    ) -> Result<Self, ModelError> {
        let batch_max = if card.family.has_batch_axis() { options.batch_max } else { 1 };
        let batch = Batch::new(check::input(&backend, card, &input)?, &options.device, batch_max);
        let info = ModelInfo {
            name: card.name.clone(),
            digest,
            variant: options.variant.clone().unwrap_or_default(),
            provider: options.device.to_string(),
            why: String::new(),
            tried: Vec::new(),
            nodes: backend.nodes(),
            input,
            labels: card.labels.clone(),
            batch_max: batch.max(),
            load: Duration::ZERO,
            warm_up: Duration::ZERO,
        };
        let origin = Box::new(Origin { runtime: runtime.clone(), card: card.clone(), options });
        let mut model = Self { backend, family: card.family.reader(), info, batch, origin };
        model.check_output()?;
        model.settle_batch();
        model.info.warm_up = model.warm_up(1)?;
        Ok(model)
    }

    /// Takes as many pictures a run as it has been seen to keep apart.
    fn settle_batch(&mut self) {
        if self.batch.max() == 1 || matches!(self.batch, Batch::Fixed(_)) {
            return;
        }
        if let Err(reason) = self.prove_batch() {
            tracing::info!(model = %self.info.name, reason, "Its pictures are examined one by one.");
            self.batch = Batch::UpTo(1);
        }
        self.info.batch_max = self.batch.max();
    }

    fn ready(mut self, why: String, tried: Vec<Tried>, started: Instant) -> Self {
        self.info.why = why;
        self.info.tried = tried;
        self.info.load = started.elapsed();
        let info = &self.info;
        tracing::debug!(
            model = %info.name, provider = info.provider, why = info.why, variant = info.variant, nodes = ?info.nodes,
            batch_max = info.batch_max, load_ms = info.load.as_secs_f64() * 1e3,
            run_ms = info.warm_up.as_secs_f64() * 1e3, "Model is ready."
        );
        self
    }
}

/// A device with why it is taken; `None` for what `auto` falls back on.
type Sure = (Device, Option<&'static str>);

/// Where a model is tried, each with why it would be taken, and where it runs if all of these fail.
fn candidates(wish: &Device, recommended: Option<&Device>) -> (Vec<(Device, &'static str)>, Sure) {
    const CARD: &str = "its card says that it runs best there";
    let cuda = (Device::Cuda(0), "the first graphics card works");
    match (wish, recommended) {
        (Device::Auto, Some(Device::Cpu)) => (vec![], (Device::Cpu, Some(CARD))),
        (Device::Auto, None | Some(Device::Auto)) => (vec![cuda], (Device::Cpu, None)),
        (Device::Auto, Some(device)) => {
            let mut wishes = vec![(device.clone(), CARD), cuda];
            wishes.dedup_by(|b, a| a.0 == b.0);
            (wishes, (Device::Cpu, None))
        }
        (device, _) => (vec![], (device.clone(), Some("asked for"))),
    }
}

/// Why it is the processor after all.
fn because(tried: &[Tried]) -> String {
    let each: Vec<String> =
        tried.iter().map(|tried| format!("{} was not taken: {}", tried.device, tried.reason)).collect();
    each.join("; ")
}

/// Where what `asked` makes of `file` is kept.
fn shelf(cache: &std::path::Path, card: &Card, file: &ModelFile, asked: &Asked<'_>) -> Shelf {
    let options = asked.options;
    let parts = [
        "1",
        &file.digest,
        asked.runtime.version(),
        &asked.device.to_string(),
        &format!("{:?} {:?} {}", options.precision, options.normalise, options.batch_max),
        &format!("{:?} {:?} {:?}", card.input, asked.sides, asked.profile),
        &processor(),
    ];
    Shelf::new(cache, &format!("{}-{}", card.name, asked.device), &parts)
}

/// Kernels, and the layout of weights with them, are chosen by what the processor can do.
fn processor() -> String {
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let can = about.lines().find(|line| line.starts_with("flags") || line.starts_with("Features"));
    format!("{} {}", std::env::consts::ARCH, can.unwrap_or_default())
}

fn refused(card: &Card, chosen: &Chosen<'_>, device: &Device, error: OpenError) -> ModelError {
    let (model, file, device) = (card.name.clone(), chosen.file.to_owned(), device.clone());
    match error {
        OpenError::Device(reason) => ModelError::Device { model, device, reason },
        OpenError::Fault(fault, reason) => {
            ModelError::DeviceFailed { model, device: device.to_string(), fault, reason }
        }
        OpenError::NotOnnx(reason) => ModelError::NotOnnx { model, file, reason },
        OpenError::Operator(operator) => ModelError::Operator { model, file, operator },
        OpenError::Refused(reason) => ModelError::Refused { model, file, reason },
    }
}
