//! The nouns that cross a fence between two stages of the station.
//!
//! No I/O, no threads, no C library. A part's view travels as [`Trip<T>`]: first carrying a [`Frame`], then
//! [`Tensor`]s, then [`Findings`]. Each type says its unit and its space in its name (`_px`, `_mm`, `_ms`).

mod finding;
mod frame;
mod geometry;
mod image;
mod lens;
mod measurement;
mod name;
mod part;
mod pose;
mod tensor;
mod trip;

pub use finding::{Finding, Findings, KeypointPx, Score, ScoreError};
pub use frame::{Frame, Stamp};
pub use geometry::{Affine, Placement, PointPx, RectPx};
pub use image::{Image, ImageError, PixelFormat, Pixels};
pub use lens::{FlatField, Lens, MmPerPx};
pub use measurement::{Dimension, Measurement, Value};
pub use name::{CameraId, ClassName, ModelName, RecipeName, RegionName};
pub use part::{Cause, PartId, Trigger, TriggerSource};
pub use pose::{Alignment, Pose};
pub use tensor::{ColourOrder, Element, Fit, Layout, Tensor, TensorPool, TensorSpec, Values};
pub use trip::{Edition, Lap, Laps, RecipeNumber, Trip};
