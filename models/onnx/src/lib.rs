//! An ONNX file read and edited as what it is, a protobuf: no runtime needed.
//!
//! [`OnnxFile`] tells what a file says of itself: inputs and outputs, metadata, who made it, what it needs beside it.
//! [`Prelude`] puts the conversion from a camera's bytes in front of a model, [`OnnxFile::cut_at`] gives out what is in
//! the middle of one, and [`Draft`] puts nodes behind it. Whatever a file holds, nothing here panics: what cannot be read is an [`OnnxError`] that says what to do.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = plumb_onnx::OnnxFile::read("bottle-cap.onnx".as_ref())?;
//! for input in file.inputs() {
//!     println!("{input}"); // images: float32 [1, 3, 320, 320]
//! }
//! # Ok(())
//! # }
//! ```

mod constant;
mod cut;
mod draft;
mod element;
mod error;
mod external;
mod file;
mod graph;
mod names;
mod prelude;
#[allow(missing_docs, clippy::all, reason = "generated; its comments are in the ONNX specification")]
pub mod proto;
mod value;
mod walk;

pub use cut::CutError;
pub use draft::{Attribute, Draft};
pub use element::ElementType;
pub use error::OnnxError;
pub use external::{ExternalFile, Presence};
pub use file::{OnnxFile, Operator};
pub use prelude::{Layout, Prelude, PreludeError};
pub use value::{Side, Value};
