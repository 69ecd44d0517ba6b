//! `plumb model`: what is done with a model before a station runs it.

mod bench;

use super::{Exit, fail, print, say};
use clap::Subcommand;

/// What to do with a model.
#[derive(Debug, Subcommand)]
pub(super) enum Model {
    /// Time a model on this machine in every way it can run there, compare what it finds, and recommend one.
    Bench(bench::Bench),
    /// One way of running a model, in a process of its own, told what to do by `bench`.
    #[command(hide = true)]
    BenchWorker(bench::Worker),
}

impl Model {
    pub(super) fn run(self) -> Exit {
        match self {
            Self::Bench(bench) => bench.run(),
            Self::BenchWorker(worker) => worker.run(),
        }
    }
}
