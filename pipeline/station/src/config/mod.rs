//! What the TOML says ([`document`], [`file`]) becomes values that cannot be wrong ([`plan`]), or a list of every
//! [`problem`] with its place.

mod document;
mod file;
mod plan;
mod problem;

pub use file::{CameraSection, InferSection, RegionSection, StationSection, TriggerSection};
pub use plan::{CameraPlan, Plan, RecipePlan, RegionPlan, read};
pub use problem::{Problem, Problems};
