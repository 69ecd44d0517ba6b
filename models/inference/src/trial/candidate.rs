//! One way to run a model.

use crate::{Card, Device, LoadOptions, ModelInfo, ORIGINAL};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a model is to run, which of its files, with how many threads and pictures a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Where; never `auto`, which is a choice between such.
    pub device: Device,
    /// Name of a `[[variant]]` of the card; `None` is the card's own `file`.
    pub variant: Option<String>,
    /// Threads that share one run on the processor.
    pub threads: usize,
    /// Pictures a run.
    pub batch: usize,
}

impl Candidate {
    /// What everything is compared with: the card's own file on the processor, one thread, one picture a run.
    pub fn reference() -> Self {
        Self { device: Device::Cpu, variant: None, threads: 1, batch: 1 }
    }

    /// As a model is loaded for it.
    pub fn options(&self) -> LoadOptions {
        LoadOptions {
            device: self.device.clone(),
            variant: Some(self.variant.clone().unwrap_or_else(|| ORIGINAL.to_owned())),
            threads: self.threads,
            batch_max: self.batch,
            ..LoadOptions::default()
        }
    }

    /// # Errors
    /// In a sentence, when the model that was loaded does not run so.
    pub fn check(&self, info: &ModelInfo) -> Result<(), String> {
        let wanted = self.device.to_string();
        if wanted.split(':').next() != info.provider.split(':').next() {
            return Err(format!("{wanted} was asked for, but the model runs on {}", info.provider));
        }
        match info.batch_max {
            max if self.batch <= max => Ok(()),
            1 => Err("a run of this model takes one picture".to_owned()),
            max => Err(format!("a run of this model takes {max} pictures at most")),
        }
    }

    /// True where the processor does the work, so that threads make a difference.
    pub fn on_processor(device: &Device) -> bool {
        matches!(device, Device::Cpu | Device::OpenVino(crate::OpenVino::Cpu))
    }
}

/// What the card asks for now; where it says nothing, the reference.
pub fn present(card: &Card) -> Candidate {
    let name = card.default_variant.as_deref().filter(|name| *name != ORIGINAL);
    let variant = card.variants.iter().find(|variant| Some(variant.name.as_str()) == name);
    let device = variant.and_then(|variant| variant.device.clone()).or_else(|| card.device.clone());
    let device = device.filter(|device| *device != Device::Auto).unwrap_or(Device::Cpu);
    let threads = if Candidate::on_processor(&device) { card.threads.map_or(1, usize::from) } else { 1 };
    Candidate { device, variant: name.map(str::to_owned), threads, batch: 1 }
}

/// The card's files, its own (`None`) first.
pub fn variants(card: &Card) -> Vec<Option<String>> {
    std::iter::once(None).chain(card.variants.iter().map(|variant| Some(variant.name.clone()))).collect()
}

/// What ONNX Runtime calls the execution provider that drives `device`; `None` for what is not its own to drive.
pub fn provider(device: &Device) -> Option<&'static str> {
    match device {
        Device::Cpu => Some("CPUExecutionProvider"),
        Device::Cuda(_) => Some("CUDAExecutionProvider"),
        Device::TensorRt(_) => Some("TensorrtExecutionProvider"),
        Device::OpenVino(_) => Some("OpenVINOExecutionProvider"),
        Device::Auto | Device::Kserve(_) => None,
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.device)?;
        if let Some(variant) = &self.variant {
            write!(f, " {variant}")?;
        }
        if Self::on_processor(&self.device) {
            write!(f, ", {} thread{}", self.threads, if self.threads == 1 { "" } else { "s" })?;
        }
        if self.batch > 1 { write!(f, ", {} pictures a run", self.batch) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_told_in_the_words_of_the_config() {
        let rows = [
            (Candidate::reference(), "cpu, 1 thread"),
            (
                Candidate { variant: Some("int8".to_owned()), threads: 2, ..Candidate::reference() },
                "cpu int8, 2 threads",
            ),
            (
                Candidate { device: Device::Cuda(0), batch: 4, ..Candidate::reference() },
                "cuda:0, 4 pictures a run",
            ),
        ];
        for (candidate, told) in rows {
            assert_eq!(candidate.to_string(), told);
        }
    }
}
