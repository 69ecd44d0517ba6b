//! The station: config, wiring, threads, metrics, shutdown. The binary `plumb` is a door to [`cli::main`].

pub mod background;
pub mod budget;
pub mod changeover;
pub mod cli;
pub mod comparison;
pub mod config;
mod crew;
mod cutters;
pub mod demo;
pub mod devices;
pub mod ear;
mod edition;
pub mod evidence;
pub mod hot_path;
pub mod lifecycle;
pub mod loading;
pub mod memory;
pub mod metrics;
pub mod mirrors;
pub mod process;
pub mod rejudge;
pub mod replay;
pub mod shadow;
pub mod state;
pub mod station;
pub mod threads;
