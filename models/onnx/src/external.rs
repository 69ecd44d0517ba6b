//! Weights that lie in files of their own: above 2 GiB they must, and some exporters always put them there.

use crate::proto::{ModelProto, TensorProto, tensor_proto::DataLocation};
use crate::{ElementType, walk};
use std::collections::BTreeMap;
use std::path::{Component, Path};

/// One file that a model needs beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalFile {
    /// Its path as the model writes it, relative to the folder of the `.onnx`.
    pub location: String,
    /// How long it must be at least, in bytes: where the last weight in it ends.
    pub bytes: u64,
    /// How many weights lie in it.
    pub tensors: usize,
}

/// Whether a file that a model needs is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// There, and long enough.
    There {
        /// Its length.
        bytes: u64,
    },
    /// Not there, or not to be read.
    Missing,
    /// There, but cut short.
    Short {
        /// Its length.
        bytes: u64,
    },
    /// Its path leads out of the model's folder, where no model has business; it was not looked at.
    Outside,
}

impl ExternalFile {
    /// Looks for it in the `folder` of the `.onnx`.
    pub fn beside(&self, folder: &Path) -> Presence {
        let path = Path::new(&self.location);
        if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Presence::Outside;
        }
        match std::fs::metadata(folder.join(path)) {
            Ok(there) if !there.is_file() => Presence::Missing,
            Ok(there) if there.len() < self.bytes => Presence::Short { bytes: there.len() },
            Ok(there) => Presence::There { bytes: there.len() },
            Err(_) => Presence::Missing,
        }
    }
}

/// All of them, by their path.
pub(crate) fn files(model: &ModelProto) -> Vec<ExternalFile> {
    let mut files: BTreeMap<String, ExternalFile> = BTreeMap::new();
    for tensor in walk::tensors(model).filter(|tensor| tensor.data_location() == DataLocation::External) {
        let location = written(tensor, "location").unwrap_or_default().to_owned();
        let file = files.entry(location.clone()).or_insert(ExternalFile { location, bytes: 0, tensors: 0 });
        file.bytes = file.bytes.max(end(tensor));
        file.tensors += 1;
    }
    files.into_values().collect()
}

/// Where a tensor ends in its file, in bytes.
fn end(tensor: &TensorProto) -> u64 {
    let number = |key| written(tensor, key).and_then(|text| text.trim().parse::<u64>().ok());
    let length = number("length").or_else(|| {
        let count =
            tensor.dims.iter().try_fold(1_u64, |all, side| all.checked_mul(u64::try_from(*side).ok()?))?;
        count.checked_mul(ElementType::from_number(tensor.data_type()).bytes()?)
    });
    number("offset").unwrap_or(0).saturating_add(length.unwrap_or(0))
}

fn written<'t>(tensor: &'t TensorProto, key: &str) -> Option<&'t str> {
    tensor.external_data.iter().find(|entry| entry.key() == key).map(|entry| entry.value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{GraphProto, StringStringEntryProto};

    fn kept_outside(dims: &[i64], entries: &[(&str, &str)]) -> TensorProto {
        let entry = |(key, value): &(&str, &str)| StringStringEntryProto {
            key: Some((*key).to_owned()),
            value: Some((*value).to_owned()),
        };
        TensorProto {
            dims: dims.to_vec(),
            data_type: Some(1),
            data_location: Some(DataLocation::External as i32),
            external_data: entries.iter().map(entry).collect(),
            ..TensorProto::default()
        }
    }

    #[test]
    fn a_file_must_be_as_long_as_its_last_weight_needs() {
        let initializer = vec![
            kept_outside(&[4, 2], &[("location", "w.bin"), ("offset", "4096"), ("length", "32")]),
            kept_outside(&[10], &[("location", "w.bin")]),
            kept_outside(&[i64::MAX, i64::MAX], &[("location", "odd.bin"), ("offset", "-1")]),
        ];
        let graph = GraphProto { initializer, ..GraphProto::default() };
        let files = files(&ModelProto { graph: Some(graph), ..ModelProto::default() });
        let told: Vec<_> = files.iter().map(|f| (f.location.as_str(), f.bytes, f.tensors)).collect();
        assert_eq!(told, [("odd.bin", 0, 1), ("w.bin", 4128, 2)]);
    }

    #[test]
    fn a_missing_a_short_and_a_stray_file_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("w.bin"), [0; 100]).unwrap();
        let look = |location: &str, bytes| {
            ExternalFile { location: location.to_owned(), bytes, tensors: 1 }.beside(folder.path())
        };
        assert_eq!(look("w.bin", 100), Presence::There { bytes: 100 });
        assert_eq!(look("./w.bin", 101), Presence::Short { bytes: 100 });
        assert_eq!(look("v.bin", 1), Presence::Missing);
        assert_eq!(look("", 0), Presence::Missing, "the folder itself is no file");
        assert_eq!(look("../w.bin", 1), Presence::Outside);
        assert_eq!(look("/etc/passwd", 1), Presence::Outside);
    }
}
