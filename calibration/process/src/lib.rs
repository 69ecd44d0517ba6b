//! Is the process what it was? Control charts over the parts that a recipe checked: the share of rejects, what they were
//! rejected for, the score of a rule, and how a measured size sits in its tolerance. Pure: records in, figures out.

mod process;
mod size;

pub use process::{
    Charted, Drift, NothingToChart, Process, SAMPLES_WANTED, ScoreChart, ShareChart, Single, meaning,
};
pub use size::{Measured, SizeChart};
