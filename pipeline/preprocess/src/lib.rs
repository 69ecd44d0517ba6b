//! Frame → one Tensor per Region. The only pipeline crate that knows OpenCV.
//!
//! [`Preprocessor`] cuts each region out of a frame, makes it fit its model and turns bytes into the numbers the
//! model was trained on. At the first frame of a size it plans a route for every cut (`route.rs`); from then on a
//! frame costs one pass of geometry and one of arithmetic a region, and no memory is asked for.
//!
//! ```text
//!  lent pixels ─▶ demosaic ─▶ resize or remap ─▶ channels ─▶ flat field, scale, mean, std ─▶ Tensor
//!   borrow        bayer     crop, fit, rectify   colour         flat, normalize
//! ```
//!
//! Where a recipe aligns, the part is searched first (`align`), and what is cut and measured follows it; what is measured
//! (`measure`, by the edges of `caliper`) is measured in the frame as the camera gave it, never in a tensor.
//!
//! Geometry is one bilinear sampling (`INTER_LINEAR`, no smoothing first), as most training code does it: a model
//! must see at work what it saw at school. Shrinking a region to less than half therefore skips pixels; a defect
//! one pixel wide wants a smaller region or a larger tensor.

mod align;
mod bayer;
#[allow(unsafe_code)] // its proof stands at the one unsafe call
mod borrow;
mod caliper;
mod colour;
mod crop;
mod error;
mod fit;
mod flat;
mod grey;
mod measure;
mod normalize;
mod preprocessor;
mod rectify;
mod route;
mod sample;
mod small_linear;

pub use align::{AlignConfig, AlignError, Aligner};
pub use caliper::{Caliper, Pick, Polarity, RoundCaliper};
pub use error::PreprocessError;
pub use measure::{Gauge, Plane, Quantity, Scale};
pub use preprocessor::{Cut, Optics, Pieces, Preprocessor};
