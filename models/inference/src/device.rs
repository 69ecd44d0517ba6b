//! Where a model runs: what was asked for, in one word.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where a model is asked to run: written `auto`, `cpu`, `cuda:0`, `tensorrt:0`, `openvino:CPU` or
/// `kserve:grpc://host:port/model`. All but `auto` run there or give an error: never quietly somewhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// The fastest that works here. What was tried, what was chosen and why is in
    /// [`ModelInfo`](crate::ModelInfo).
    #[default]
    Auto,
    /// The processor, by ONNX Runtime's own kernels.
    Cpu,
    /// NVIDIA card of this number, by CUDA.
    Cuda(u32),
    /// NVIDIA card of this number, by an engine that TensorRT builds.
    TensorRt(u32),
    /// What Intel's OpenVINO drives.
    OpenVino(OpenVino),
    /// An inference server that speaks the open inference protocol v2 over gRPC.
    Kserve(Kserve),
}

/// What OpenVINO drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OpenVino {
    /// The processor, by OpenVINO's kernels.
    Cpu,
    /// Intel graphics.
    Gpu,
    /// Intel's neural unit.
    Npu,
}

impl OpenVino {
    const ALL: [Self; 3] = [Self::Cpu, Self::Gpu, Self::Npu];

    /// As OpenVINO spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Gpu => "GPU",
            Self::Npu => "NPU",
        }
    }
}

/// A model on one or several inference servers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kserve {
    /// `host:port` of each server, at least one, in the order in which they are tried.
    pub endpoints: Vec<String>,
    /// The model's name on the server.
    pub model: String,
}

impl FromStr for Kserve {
    type Err = ();
    /// `grpc://host:port[,host:port …]/model`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (endpoints, model) =
            text.strip_prefix("grpc://").and_then(|rest| rest.split_once('/')).ok_or(())?;
        let endpoints: Vec<String> =
            endpoints.split(',').map(|endpoint| endpoint.trim().to_owned()).collect();
        let is_address = |endpoint: &String| {
            endpoint.rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
            })
        };
        let is_name = !model.is_empty() && !model.contains(char::is_whitespace) && !model.contains('/');
        if endpoints.iter().all(is_address) && is_name {
            Ok(Self { endpoints, model: model.to_owned() })
        } else {
            Err(())
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(card) => write!(f, "cuda:{card}"),
            Self::TensorRt(card) => write!(f, "tensorrt:{card}"),
            Self::OpenVino(unit) => write!(f, "openvino:{}", unit.as_str()),
            Self::Kserve(Kserve { endpoints, model }) => {
                write!(f, "kserve:grpc://{}/{model}", endpoints.join(","))
            }
        }
    }
}

impl FromStr for Device {
    type Err = DeviceError;
    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let known = match text.split_once(':') {
            None if text == "auto" => Some(Self::Auto),
            None if text == "cpu" => Some(Self::Cpu),
            Some(("cuda", card)) => card.parse().ok().map(Self::Cuda),
            Some(("tensorrt", card)) => card.parse().ok().map(Self::TensorRt),
            Some(("openvino", unit)) => {
                OpenVino::ALL.into_iter().find(|known| known.as_str() == unit).map(Self::OpenVino)
            }
            Some(("kserve", target)) => target.parse().ok().map(Self::Kserve),
            _ => None,
        };
        known.ok_or_else(|| DeviceError { text: text.to_owned() })
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
#[error(
    "device {text:?} is not known; write \"auto\", \"cpu\", \"cuda:0\", \"tensorrt:0\", \"openvino:CPU\" \
     (or GPU, NPU) or \"kserve:grpc://host:port/model\""
)]
pub struct DeviceError {
    /// As written.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_reads_as_it_is_written() {
        for text in [
            "auto",
            "cpu",
            "cuda:0",
            "cuda:12",
            "tensorrt:1",
            "openvino:CPU",
            "openvino:GPU",
            "openvino:NPU",
            "kserve:grpc://10.0.0.7:8001/thread-v3",
            "kserve:grpc://a:8001,b:8001/thread-v3",
        ] {
            assert_eq!(text.parse::<Device>().map(|d| d.to_string()), Ok(text.to_owned()));
            assert_eq!(serde_json::from_str::<Device>(&format!("{text:?}")).unwrap().to_string(), text);
        }
        for text in [
            "",
            "gpu",
            "cuda",
            "cuda:",
            "cuda:-1",
            "CPU",
            "openvino:cpu",
            "openvino",
            "tensorrt:x",
            "kserve:http://a:1/m",
            "kserve:grpc://a/m",
            "kserve:grpc://a:8001",
            "kserve:grpc://a:8001/",
            "kserve:grpc://a:0/m",
            "kserve:grpc://a:8001,/m",
        ] {
            assert!(text.parse::<Device>().unwrap_err().to_string().contains("cuda:0"), "{text}");
        }
    }
}
