//! One ONNX file, decoded: what it says of itself.

use crate::proto::{GraphProto, ModelProto};
use crate::{ExternalFile, OnnxError, Value, external, walk};
use prost::Message as _;
use prost::bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A protobuf's own limit.
const BYTES_MAX: u64 = i32::MAX as u64;

/// An ONNX model as its file has it. Weights stay in the bytes they were read from.
#[derive(Clone, Debug, PartialEq)]
pub struct OnnxFile {
    pub(crate) model: ModelProto,
}

/// An operator: what a node does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operator {
    /// Who defines it; empty for ONNX itself.
    pub domain: String,
    /// Its name there.
    pub name: String,
}

impl OnnxFile {
    /// Reads the file at `path`; files beside it are not touched.
    ///
    /// # Errors
    /// For whatever is no whole ONNX model.
    pub fn read(path: &Path) -> Result<Self, OnnxError> {
        Self::parse(Self::bytes(path)?, path)
    }

    /// The bytes at `path`, undecoded, for whoever digests them too.
    ///
    /// # Errors
    /// When there are none to read, or more than an ONNX file can have.
    pub fn bytes(path: &Path) -> Result<Bytes, OnnxError> {
        let unreadable = |error| OnnxError::Unreadable { file: path.to_owned(), error };
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes > BYTES_MAX {
            return Err(OnnxError::TooLarge { file: path.to_owned(), bytes });
        }
        Ok(std::fs::read(path).map_err(unreadable)?.into())
    }

    /// Decodes `bytes` as if they stood at `path`.
    ///
    /// # Errors
    /// For whatever is no whole ONNX model.
    pub fn parse(bytes: impl Into<Bytes>, path: &Path) -> Result<Self, OnnxError> {
        let (bytes, file) = (bytes.into(), path.to_owned());
        if bytes.is_empty() {
            return Err(OnnxError::Empty { file });
        }
        if let Some(kind) = another_kind(&bytes) {
            return Err(OnnxError::Another { file, kind });
        }
        let model = ModelProto::decode(bytes)
            .map_err(|error| OnnxError::NotOnnx { file: file.clone(), reason: error.to_string() })?;
        if model.graph.as_ref().is_none_or(|graph| graph.output.is_empty()) {
            return Err(OnnxError::NoGraph { file });
        }
        Ok(Self { model })
    }

    /// The file again. Byte for byte what was read, where its writer kept to the order of the specification.
    pub fn encode(&self) -> Vec<u8> {
        self.model.encode_to_vec()
    }

    /// The protobuf itself.
    pub fn model(&self) -> &ModelProto {
        &self.model
    }

    pub(crate) fn graph(&self) -> &GraphProto {
        self.model.graph.as_ref().expect("parse refuses a model without a graph")
    }

    /// What the model must be given. Weights that old files list among their inputs are left out.
    pub fn inputs(&self) -> Vec<Value> {
        let weights: BTreeSet<&str> = self.graph().initializer.iter().map(|weight| weight.name()).collect();
        let inputs = self.graph().input.iter();
        inputs.filter(|input| !weights.contains(input.name())).map(Value::of).collect()
    }

    /// What the model gives.
    pub fn outputs(&self) -> Vec<Value> {
        self.graph().output.iter().map(Value::of).collect()
    }

    /// Free text that the exporter left, by key; of a key that stands twice, the first.
    pub fn metadata(&self) -> BTreeMap<&str, &str> {
        self.model.metadata_props.iter().rev().map(|entry| (entry.key(), entry.value())).collect()
    }

    /// The tool that wrote the file with its version, e.g. `pytorch 2.15.0`; empty where it did not say.
    pub fn producer(&self) -> String {
        format!("{} {}", self.model.producer_name(), self.model.producer_version()).trim().to_owned()
    }

    /// Version of the file format itself.
    pub fn ir_version(&self) -> i64 {
        self.model.ir_version()
    }

    /// Version of each set of operators, by domain; empty for ONNX's own.
    pub fn opsets(&self) -> BTreeMap<&str, i64> {
        let own = |domain| if domain == "ai.onnx" { "" } else { domain };
        self.model.opset_import.iter().map(|set| (own(set.domain()), set.version())).collect()
    }

    /// Every operator and how often it stands there, in nested graphs too.
    pub fn operators(&self) -> BTreeMap<Operator, usize> {
        let mut counts = BTreeMap::new();
        for node in walk::nodes(&self.model) {
            let domain = if node.domain() == "ai.onnx" { "" } else { node.domain() };
            let operator = Operator { domain: domain.to_owned(), name: node.op_type().to_owned() };
            *counts.entry(operator).or_default() += 1;
        }
        counts
    }

    /// Names of the main graph's weights.
    pub fn initialisers(&self) -> impl Iterator<Item = &str> {
        self.graph().initializer.iter().map(|weight| weight.name())
    }

    /// Files that must lie beside this one, by their path.
    pub fn external_files(&self) -> Vec<ExternalFile> {
        external::files(&self.model)
    }
}

/// What people bring instead of an ONNX file.
fn another_kind(bytes: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 6] = [
        (b"version https://git-lfs", "a Git LFS pointer; run `git lfs pull` where it came from"),
        (b"PK\x03\x04", "a ZIP archive, perhaps PyTorch weights (.pt); unpack it, or export it to ONNX"),
        (b"\x80\x02", "a Python pickle, perhaps PyTorch weights (.pth); export it to ONNX"),
        (b"<?xml", "an XML file, perhaps OpenVINO's (.xml); export it to ONNX"),
        (b"<!DOCTYPE", "a web page; download the file itself"),
        (b"\x1f\x8b", "a gzip archive; unpack it"),
    ];
    let tflite = bytes.get(4..8) == Some(b"TFL3");
    known
        .iter()
        .find(|(start, _)| bytes.starts_with(start))
        .map(|(_, kind)| *kind)
        .or(tflite.then_some("a TensorFlow Lite model; export it to ONNX"))
}
