//! Good pictures to a fitted anomaly model: one ordinary ONNX file, its threshold, and what that is worth.
//!
//! Features of good pictures through a [feature graph](compose::FeatureGraph) → a [`Memory`] of them → the same graph with
//! the memory behind it: bytes of a picture in, a map and a score out. The taught model has no second way to run: it is
//! loaded, measured, moved and versioned as any other. Its unit is its own limit: a part that scores above 1 does not look
//! as taught.
//!
//! The limit comes from good parts alone, each held against a memory that had not seen it, and it comes with what so many
//! parts can claim ([`plumb_quality::GoodOnly`]). Pictures are looked at before they are learned from ([`pictures`]): copies,
//! odd ones, blurred ones, and whether it is the part that is judged at all.
//!
//! No I/O here but ONNX Runtime's, and no randomness but that of a seed: the same pictures teach the same file.

pub mod backbone;
pub mod compose;
mod coreset;
mod features;
mod fit;
mod lesson;
mod memory;
pub mod pictures;
mod scaling;
mod score;

pub use features::{FeatureError, FeatureMap, Grid};
pub use fit::{Fit, FitOptions, GoodPart, Unseen, cross_validated};
pub use lesson::{Lesson, LessonError, PARTS_MIN, Wish, learn};
pub use memory::{Anywhere, InPlace, Kind, Limits, Memory};
pub use scaling::{Projection, Scaling};
pub use score::{WORST_SHARE, image_score, worst};
