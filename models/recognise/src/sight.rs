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
    /// The file that is to be used in its place.
    pub(crate) changed: Option<Changed>,
}

/// A file that Plumb can use once a part of it is changed.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// What goes before `.onnx` in its name, after that of the original.
    pub suffix: &'static str,
    /// What was changed, for people.
    pub what: String,
}

/// RT-DETR's and D-FINE's own export script asks for the size that boxes are to be given in.
const SIZES: &str = "orig_target_sizes";

impl Sight {
    /// Looks at the model at `path`.
    ///
    /// # Errors
    /// When there is no whole ONNX model.
    pub(crate) fn of(path: &Path) -> Result<Self, OnnxError> {
        let bytes = OnnxFile::bytes(path)?;
        let length = bytes.len() as u64;
        let mut sight = Self {
            sha256: digest(&bytes),
            bytes: length,
            onnx: OnnxFile::parse(bytes, path)?,
            inputs: vec![],
            outputs: vec![],
            beside: Beside::of(path),
            changed: None,
        };
        if let Some((onnx, changed)) = sized(&sight.onnx) {
            sight.sha256 = digest(&changed.bytes);
            (sight.onnx, sight.changed) = (onnx, Some(changed));
        }
        (sight.inputs, sight.outputs) = (sight.onnx.inputs(), sight.onnx.outputs());
        Ok(sight)
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

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The size of the tensor, built in where the graph asks for the size that boxes are to be given in.
fn sized(onnx: &OnnxFile) -> Option<(OnnxFile, Changed)> {
    let inputs = onnx.inputs();
    let picture = inputs.iter().find(|input| input.name != SIZES).filter(|_| inputs.len() == 2)?;
    let [_, _, Some(height), Some(width)] = picture.lengths()[..] else { return None };
    let size = [i64::try_from(width).ok()?, i64::try_from(height).ok()?];
    let built_in = onnx.with_constant_input(SIZES, &[1, 2], &size)?;
    let what = format!(
        "its second input {SIZES} is built in as {width}x{height}, so that boxes come in px of the tensor"
    );
    let bytes = built_in.encode();
    Some((built_in, Changed { bytes, suffix: "-sized", what }))
}

/// True for numbers that count or tell apart rather than measure.
pub(crate) fn is_whole(value: &Value) -> bool {
    matches!(value.element, Some(ElementType::I64 | ElementType::I32 | ElementType::U8 | ElementType::I8))
}
