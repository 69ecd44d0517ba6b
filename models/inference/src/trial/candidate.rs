//! One way to run a model.

use crate::{Card, Device, LoadOptions, ModelInfo};
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
        LoadOptions { device: self.device.clone(), threads: self.threads }
    }

    /// # Errors
    /// In a sentence, when the model that was loaded does not run so.
    pub fn check(&self, _info: &ModelInfo) -> Result<(), String> {
        let batch_max = 1;
        if self.batch <= batch_max {
            return Ok(());
        }
        Err(format!("a run of this model takes {batch_max} picture{}", if batch_max == 1 { "" } else { "s" }))
    }

    /// True where the processor does the work, so that threads make a difference.
    pub fn on_processor(device: &Device) -> bool {
        matches!(device, Device::Cpu | Device::OpenVino(crate::OpenVino::Cpu))
    }
}

/// What the card asks for now; where it says nothing, the reference.
pub fn present(_card: &Card) -> Candidate {
    Candidate::reference()
}

/// The card's files, its own (`None`) first.
pub fn variants(_card: &Card) -> Vec<Option<String>> {
    vec![None]
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
