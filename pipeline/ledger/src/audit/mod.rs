//! What was done at the station, by whom and why: an append-only log whose entries hold each other by their hashes.
//!
//! Entry `n`'s hash is SHA-256 over the hash of entry `n - 1` (64 hex digits; zeros before the first), a line feed, and
//! the entry's JSON as it is stored. Whoever changes, removes or inserts an entry breaks every hash after it. The end of
//! a log can be cut off without breaking a hash: [`AuditLog::head`] is what to write down elsewhere, and
//! `plumb audit verify --head` compares it.

mod entry;
mod log;

pub use entry::{AuditEntry, AuditSchema, NewAuditEntry};
pub use log::{AuditLog, AuditQuery, Verified};
