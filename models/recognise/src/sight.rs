//! All there is to see of a model: its file, decoded once, and what lies beside it.

use crate::beside::Beside;
use plumb_onnx::{ElementType, OnnxError, OnnxFile, Value};
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// What the exporters' readers look at.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) onnx: OnnxFile,
    pub(crate) inputs: Vec<Value>,
    pub(crate) outputs: Vec<Value>,
    pub(crate) beside: Beside,
    /// 64 lower-case hex digits.
    pub(crate) sha256: String,
    /// Length of the file.
    pub(crate) bytes: u64,
}

impl Sight {
    /// Looks at the model at `path`.
    ///
    /// # Errors
    /// When there is no whole ONNX model.
    pub(crate) fn of(path: &Path) -> Result<Self, OnnxError> {
        let bytes = OnnxFile::bytes(path)?;
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let length = bytes.len() as u64;
        let onnx = OnnxFile::parse(bytes, path)?;
        let (inputs, outputs) = (onnx.inputs(), onnx.outputs());
        Ok(Self { onnx, inputs, outputs, beside: Beside::of(path), sha256, bytes: length })
    }

    /// The metadata entry of that key.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        let mut entries = self.onnx.model().metadata_props.iter();
        entries.find(|entry| entry.key() == key).map(|entry| entry.value())
    }

    /// The output of that name.
    pub(crate) fn output(&self, name: &str) -> Option<&Value> {
        self.outputs.iter().find(|output| output.name == name)
    }

    /// Outputs' sides, `None` for one that may vary.
    pub(crate) fn lengths(&self) -> Vec<Vec<Option<u64>>> {
        self.outputs.iter().map(Value::lengths).collect()
    }

    /// The operator that gives `value`, looking through those that only move or widen numbers.
    pub(crate) fn last_operator(&self, value: &str) -> Option<&str> {
        let mut value = value;
        // A damaged graph may run in a circle; no real one has so many of them in a row.
        for _ in 0..16 {
            let node = self.onnx.node_giving(value)?;
            match node.op_type() {
                "Identity" | "Cast" | "Reshape" | "Transpose" | "Squeeze" | "Unsqueeze" | "Flatten" => {
                    value = node.input.first()?;
                }
                operator => return Some(operator),
            }
        }
        None
    }
}

/// True for numbers that count or tell apart rather than measure.
pub(crate) fn is_whole(value: &Value) -> bool {
    matches!(value.element, Some(ElementType::I64 | ElementType::I32 | ElementType::U8 | ElementType::I8))
}
