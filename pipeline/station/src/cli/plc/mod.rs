//! `plumb plc`: for whoever programs the PLC.

mod probe;
mod screen;

use super::Exit;

/// What `plumb plc` can do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Plc {
    /// Show the live block and walk through the handshake, one move after another. Releases no part.
    Probe(probe::Probe),
}

impl Plc {
    pub(super) fn run(self) -> Exit {
        match self {
            Self::Probe(probe) => probe.run(),
        }
    }
}
