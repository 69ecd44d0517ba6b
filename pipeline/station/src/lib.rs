//! The station: config, wiring, threads, metrics, shutdown. The binary `plumb` is a door to [`cli::main`].

pub mod background;
pub mod cli;
pub mod config;
pub mod demo;
pub mod hot_path;
pub mod memory;
pub mod metrics;
pub mod replay;
pub mod state;
pub mod station;
pub mod threads;
