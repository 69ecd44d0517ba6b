//! The statistics of quality: pure functions, each with its source.

mod proportion;

pub use proportion::clopper_pearson;
