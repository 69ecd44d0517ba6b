//! Why a file is not read as an ONNX model, said to the person who brought it.

use std::path::PathBuf;

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// Not there, or not to be read.
    #[error("{} cannot be read: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// Zero bytes.
    #[error("{} is empty; copy the file again", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// A protobuf ends at 2 GiB.
    #[error("{} has {bytes} bytes, and an ONNX file cannot have more than 2 GiB; export it with its weights in a file of their own (external data)", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// It starts as another kind of file does.
    #[error("{} is no ONNX file: it is {kind}", file.display())]
    Another {
        /// The file.
        file: PathBuf,
        /// What it is, and what to do.
        kind: &'static str,
    },
    /// It does not decode.
    #[error("{} is not a whole ONNX file ({reason}); it was cut short or damaged on its way, or is of another kind: copy it again, or export it again", file.display())]
    NotOnnx {
        /// The file.
        file: PathBuf,
        /// The decoder's words.
        reason: String,
    },
    /// It decodes, but holds no model.
    #[error("{} is not an ONNX model: there is no graph in it that gives an output; export it again", file.display())]
    NoGraph {
        /// The file.
        file: PathBuf,
    },
}
