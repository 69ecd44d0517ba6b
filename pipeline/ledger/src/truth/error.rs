//! Why a word on a part is not taken.

use crate::LedgerError;
use jiff::Timestamp;
use plumb_inspection::PartId;

/// Why nothing was said.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// There is no record of it.
    #[error("the ledger has no record of {}; `plumb parts find` shows those it has", parts.iter().map(name).collect::<Vec<_>>().join(", "))]
    NoRecord {
        /// Each of them, with the moment where one was given.
        parts: Vec<(PartId, Option<Timestamp>)>,
    },
    /// A word without a name to it.
    #[error("what a part really was needs the name of who says so; nobody could be asked about it later")]
    Unsigned,
    /// The ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

fn name((part, at): &(PartId, Option<Timestamp>)) -> String {
    at.map_or_else(|| format!("part {part}"), |at| format!("part {part} of {at:.6}"))
}
