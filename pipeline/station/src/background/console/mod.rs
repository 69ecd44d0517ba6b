//! What the console may see of the station, and how it is done what people want of it.
//!
//! The hot path's end hands over a [`Glimpse`] of each part by a queue it never waits for ([`Window`]). Thread `console`
//! ([`Gathering`]) makes of it what the console shows: the last parts, counts, health, and a JPEG, the last only while
//! somebody looks. It stands back behind every other thread.

mod calibrating;
mod choices;
mod frames;
mod gathering;
mod health;
mod models;
mod orders;
mod replayed;
mod rules;
pub(crate) mod shift;
mod window;

pub(crate) use calibrating::StationCalibrations;
pub(crate) use frames::{FramesPassing, frames};
pub(crate) use gathering::{Gathering, Sources};
pub(crate) use models::StationModels;
pub(super) use orders::carry_out;
pub(crate) use rules::StationRules;
pub(crate) use window::Window;
