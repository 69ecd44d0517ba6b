//! Pictures as the station would see them, looked at before anything is learned from them.

mod alike;
mod odd;
mod shortcut;
mod sight;

pub use alike::{Alike, alike};
pub use odd::{Doubt, doubts};
pub use shortcut::{Judged, Rival, Shortcut, shortcut};
pub use sight::Sight;
