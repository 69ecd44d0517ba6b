//! `plumb model`: what a model file is, its card, and whether it still finds what it found.

mod add;
mod compare;
mod document;
mod given;
mod inspect;
mod prepare;
mod reference;
mod verify;

use super::Exit;

/// Models: look at one, make its card, check what it finds.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Model {
    /// Tell what an ONNX file is, where each fact comes from, and what is missing. Changes nothing.
    Inspect(inspect::Inspect),
    /// Write the card of an ONNX file, asking only for what cannot be known, and run the model once.
    Add(add::Add),
    /// Run a model on pictures and compare what it finds with stored reference detections.
    Verify(verify::Verify),
}

impl Model {
    pub(super) fn run(self) -> Exit {
        match self {
            Self::Inspect(inspect) => inspect.run(),
            Self::Add(add) => add.run(),
            Self::Verify(verify) => verify.run(),
        }
    }
}
