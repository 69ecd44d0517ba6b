//! From a file to an open graph, by way of the cache where there is one.

use super::Session;
use super::fault::{self, OpenError};
use super::provider::Asked;
use crate::Device;
use crate::cache::{Content, Shelf};
use ort::session::Session as Graph;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use std::path::Path;

/// Where a graph comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// A file as it lies. ONNX Runtime reads it itself: the bytes are never in memory beside the weights.
    File(&'a Path),
    /// An edited copy in memory; weights that lie apart are in `folder`.
    Edited { bytes: &'a [u8], folder: &'a Path },
}

impl Session {
    /// Opens the graph on the device asked for, from what `shelf` holds, and puts it there first if need be.
    pub(crate) fn open(
        asked: &Asked<'_>,
        source: Source<'_>,
        shelf: Option<&Shelf>,
    ) -> Result<Self, OpenError> {
        let graph = match shelf {
            Some(shelf) if is_kept(asked.device) => by_way_of(shelf, asked, source)?,
            _ => fresh(asked, source, None)?,
        };
        Ok(Self::new(graph, asked))
    }
}

/// CUDA makes nothing that could be kept. What OpenVINO makes for the processor is not worth it: the 12 MB detector opens in
/// 1.1 to 1.5 s with its blob and in 1.0 to 2.0 s without.
fn is_kept(device: &Device) -> bool {
    matches!(device, Device::Cpu | Device::TensorRt(_))
}

/// The first start makes what is kept and then opens it as every later one does: all run the same.
fn by_way_of(shelf: &Shelf, asked: &Asked<'_>, source: Source<'_>) -> Result<Graph, OpenError> {
    let folder = shelf.folder().display();
    match shelf.content() {
        Content::Whole => match kept(asked, source, shelf.folder()) {
            Ok(graph) => return Ok(graph),
            Err(error) => {
                tracing::warn!(%folder, device = %asked.device, ?error, "A cached model does not open; it is made anew.");
                shelf.clear();
            }
        },
        Content::Spoilt(what) => {
            tracing::warn!(%folder, what, "A cached model is spoilt; it is made anew.");
            shelf.clear();
        }
        Content::Nothing => {
            tracing::info!(%folder, device = %asked.device, "Making what the device runs; the next start finds it there.");
        }
    }
    match shelf.put(|made| fresh(asked, source, Some(made)).map(drop)) {
        Ok(Ok(())) => kept(asked, source, shelf.folder()),
        Ok(Err(error)) => Err(error),
        Err(error) => {
            tracing::warn!(%folder, %error, "The model cache cannot be written; the model is made anew at each start.");
            fresh(asked, source, None)
        }
    }
}

/// Names on the shelf of a processor's graph.
const GRAPH: &str = "graph.onnx";
const WEIGHTS: &str = "weights.bin";

/// From the model's own file. What the device makes of it goes into the folder `made`.
fn fresh(asked: &Asked<'_>, source: Source<'_>, made: Option<&Path>) -> Result<Graph, OpenError> {
    let builder = asked.builder(GraphOptimizationLevel::All, made).and_then(|builder| match made {
        Some(folder) if matches!(asked.device, Device::Cpu) => keeping(builder, folder),
        _ => Ok(builder),
    });
    let builder = builder.map_err(|e| not_there(&e))?;
    commit(builder, source).map_err(|e| opening(asked.device, &e))
}

/// Has the optimised graph written into `folder`, with its weights apart and laid out as its kernels want them, so that
/// they are mapped and not copied.
///
/// Measured on a 12 MB detector of convolutions and a 41 MB model of matrix products, against the file itself: opened in
/// 8 and 57 instead of 45 and 94 ms of CPU time; three siblings more cost 20 and 4 MB each instead of 27 and 48.
fn keeping(builder: SessionBuilder, folder: &Path) -> ort::Result<SessionBuilder> {
    Ok(builder
        .with_optimized_model_path(folder.join(GRAPH))?
        .with_config_entry("session.optimized_model_external_initializers_file_name", WEIGHTS)?
        .with_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")?
        .with_config_entry("session.save_external_prepacked_constant_initializers", "1")?)
}

/// From what lies in `folder`.
fn kept(asked: &Asked<'_>, source: Source<'_>, folder: &Path) -> Result<Graph, OpenError> {
    match asked.device {
        Device::Cpu => {
            // Optimising it again would undo the layout.
            let builder = asked.builder(GraphOptimizationLevel::Disable, None).map_err(|e| not_there(&e))?;
            commit(builder, Source::File(&folder.join(GRAPH))).map_err(|e| opening(asked.device, &e))
        }
        _ => fresh(asked, source, Some(folder)),
    }
}

fn commit(mut builder: SessionBuilder, source: Source<'_>) -> ort::Result<Graph> {
    match source {
        Source::File(file) => builder.commit_from_file(file),
        Source::Edited { bytes, folder } => builder
            .with_config_entry(
                "session.model_external_initializers_file_folder_path",
                folder.to_string_lossy(),
            )?
            .commit_from_memory(bytes),
    }
}

/// What goes wrong before the graph is looked at lies in the provider or its libraries.
fn not_there(error: &ort::Error) -> OpenError {
    match fault::opening(error.message()) {
        fault @ OpenError::Fault(..) => fault,
        OpenError::Device(reason)
        | OpenError::NotOnnx(reason)
        | OpenError::Operator(reason)
        | OpenError::Refused(reason) => OpenError::Device(reason),
    }
}

/// OpenVINO looks for its unit only when it is handed the graph.
fn opening(device: &Device, error: &ort::Error) -> OpenError {
    match (device, fault::opening(error.message())) {
        (Device::OpenVino(_), OpenError::Refused(reason))
            if reason.contains("fallback to CPU EP has been") =>
        {
            OpenError::Device(
                "it cannot run all nodes of the graph, and none may run elsewhere unseen".to_owned(),
            )
        }
        (Device::OpenVino(_), OpenError::Refused(reason)) => OpenError::Device(reason),
        (_, error) => error,
    }
}
