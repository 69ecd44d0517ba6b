//! What the TOML says ([`document`], [`file`], [`calibration`]) becomes values that cannot be wrong ([`plan`], [`recipe`]), or a list of every
//! [`problem`] with its place.

mod align;
mod calibration;
mod challenge;
mod document;
mod file;
mod gate;
mod line_side;
mod measure;
mod plan;
mod problem;
mod recipe;
mod view;

pub use align::AlignPlan;
pub use calibration::CalibrationPlan;
pub use challenge::{ChallengePlan, Due, Expected, KnownPart};
pub use file::{
    CalibrationUnfit, CameraSection, DeviceFailed, DeviceMissing, InferSection, LedgerFull, Preload,
    RegionSection, StationSection, TriggerSection,
};
pub use gate::Gate;
pub use line_side::{MIRRORS_MAX, MirrorSection, WhenDown};
pub use measure::MeasurePlan;
pub use plan::{CameraPlan, Plan, read};
pub use problem::{Problem, Problems};
pub use recipe::{
    ModelPlan, RecipeError, RecipePlan, RegionPlan, ShadowPlan, read_recipe, recipe_file, recipe_texts,
    try_recipe,
};
pub use view::{ViewPlan, read_view};
