//! Where a model runs: what was asked for, in one word.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where a model is asked to run: written `auto`, `cpu` or `cuda:0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// The first graphics card if one works, else the processor. What was chosen, and why, is in
    /// [`ModelInfo`](crate::ModelInfo).
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// NVIDIA card of this number, or an error: never quietly the processor instead.
    Cuda(u32),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(card) => write!(f, "cuda:{card}"),
        }
    }
}

impl FromStr for Device {
    type Err = DeviceError;
    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|card| card.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| DeviceError { text: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for Device {
    type Error = DeviceError;
    fn try_from(text: String) -> Result<Self, DeviceError> {
        text.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

/// A word that is no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("device {text:?} is not known; write \"auto\", \"cpu\" or \"cuda:0\"")]
pub struct DeviceError {
    /// As written.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_reads_as_it_is_written() {
        for text in ["auto", "cpu", "cuda:0", "cuda:12"] {
            assert_eq!(text.parse::<Device>().map(|d| d.to_string()), Ok(text.to_owned()));
            assert_eq!(serde_json::from_str::<Device>(&format!("{text:?}")).unwrap().to_string(), text);
        }
        for text in ["", "gpu", "cuda", "cuda:", "cuda:-1", "CPU"] {
            assert!(text.parse::<Device>().unwrap_err().to_string().contains("cuda:0"), "{text}");
        }
    }
}
