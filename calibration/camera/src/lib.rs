//! Pictures of a known target to lens, plane, light and focus: what makes a pixel a millimetre.
//!
//! ```text
//! Picture ─ Target::find ─▶ Sighting ─ Gathering (good enough? new?) ─▶ Shot ─ lens::calibrate ─▶ LensFit ─┐
//!    ├────────────────────────────── plane::fit, from one target or known points ─▶ PlaneFit ──────────────┼─▶ Calibration
//!    ├── LightStudy ─▶ flat field, dark field, clipping, flicker, white balance ───────────────────────────┘   one file
//!    └── FocusTracker ─▶ sharpness now against best so far, per quadrant
//! ```
//! Pixels are counted as OpenCV counts them: centres at whole numbers.

mod calibration;
mod coverage;
mod error;
mod fitness;
mod focus;
mod gathering;
mod geometry;
mod lens;
mod light;
mod picture;
mod plane;
mod quality;
mod target;

pub use calibration::{
    Calibration, CameraEntry, LensEntry, LightEntry, PictureEntry, PictureFile, PlaneEntry, SCHEMA, ShotEntry,
};
pub use coverage::{Coverage, Pose, TILT_WANTED_DEG};
pub use error::CameraError;
pub use fitness::{Circumstances, Unfit};
pub use focus::{FocusNow, FocusTracker, QUADRANTS, Sharpness};
pub use gathering::{Gathering, Rejected, Rejection, Shot};
pub use geometry::{distorted_px, undistorted_px};
pub use lens::{LensFit, LensUncertainty, Model, ModelChoice, ShotFit, calibrate, unused_shots};
pub use light::{LightReport, LightStudy, WhiteBalance};
pub use picture::Picture;
pub use plane::{KnownLength, Length, PlaneFit, Residual};
pub use quality::Quality;
pub use target::{Dictionary, Sighting, Target, draw};
