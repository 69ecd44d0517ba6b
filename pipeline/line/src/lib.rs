//! A production line in a box: parts, defects, belt, photo-eye, gate, ground truth.
//!
//! Physics and look only. Nobody here decides anything: a PLC program (elsewhere) reads the encoder and the photo-eye,
//! a camera asks for an [`Exposure`], and the gate does what it is told, or rejects when it is told nothing.
//! Time is always passed in, so a test can run an hour of production in a second.

mod belt;
mod config;
mod defect;
mod flaw;
mod gate;
mod grain;
mod line;
mod mask;
mod part;
mod product;
mod scene;
mod shape;

pub use config::{LineConfig, LineError, Problem, Product};
pub use defect::DefectKind;
pub use gate::Tally;
pub use line::{Edge, Exposure, Line};
pub use mask::ClassMask;
pub use part::{Defect, Part, PartTruth};
pub use scene::{Pose, Scene, render};
