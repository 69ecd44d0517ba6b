//! `plumb model`: what a model file is, its card, whether it still finds what it found, how it runs best, and what it is
//! trusted with.

mod add;
mod bench;
mod document;
mod given;
mod inspect;
mod known;
mod list;
mod promote;
mod verify;

use super::{Exit, fail, print, say};
use plumb_ledger::ModelError;

/// What `plumb model` can do; one file each.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Model {
    /// Tell what an ONNX file is, where each fact comes from, and what is missing. Changes nothing.
    Inspect(inspect::Inspect),
    /// Write the card of an ONNX file, asking only for what cannot be known, and run the model once.
    Add(add::Add),
    /// Run a model on pictures and compare what it finds with stored reference detections.
    Verify(verify::Verify),
    /// Time a model on this machine in every way it can run there, compare what it finds, and recommend one.
    Bench(bench::Bench),
    /// One way of running a model, in a process of its own, told what to do by `bench`.
    #[command(hide = true)]
    BenchWorker(bench::Worker),
    /// Every model that the recipes name or the ledger knows, with its state.
    List(list::List),
    /// Change a model's state: draft, shadow, approved, live, retired. Works whether the station runs or not.
    Promote(promote::Promote),
}

impl Model {
    pub(super) fn run(self) -> Exit {
        match self {
            Self::Inspect(inspect) => inspect.run(),
            Self::Add(add) => add.run(),
            Self::Verify(verify) => verify.run(),
            Self::Bench(bench) => bench.run(),
            Self::BenchWorker(worker) => worker.run(),
            Self::List(list) => list.run(),
            Self::Promote(promote) => promote.run(),
        }
    }
}

/// The disk's turn where the ledger cannot be used; else it is about the model.
fn exit_of(error: &ModelError) -> Exit {
    match error {
        ModelError::Ledger(_) => Exit::Device,
        _ => Exit::Model,
    }
}
