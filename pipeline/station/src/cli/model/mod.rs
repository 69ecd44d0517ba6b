//! `plumb model …`: what models there are and what each is trusted with.

mod known;
mod list;
mod promote;

use super::Exit;
use plumb_ledger::ModelError;

/// What `plumb model` can do; one file each.
#[derive(Debug, clap::Subcommand)]
pub(super) enum ModelCommand {
    /// Every model that the recipes name or the ledger knows, with its state.
    List(list::List),
    /// Change a model's state: draft, shadow, approved, live, retired. Works whether the station runs or not.
    Promote(promote::Promote),
}

impl ModelCommand {
    pub(super) fn run(self) -> Exit {
        match self {
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
