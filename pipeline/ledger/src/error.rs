//! What can go wrong with a ledger, in sentences for the person beside the line.

use std::{io, path::PathBuf};

/// Why the ledger could not be opened, read or closed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A value in the configuration.
    #[error("ledger.{key} {says}")]
    Config {
        /// Below `ledger` in `station.toml`.
        key: &'static str,
        /// What is wrong, and what would be right.
        says: String,
    },
    /// The folder cannot be used.
    #[error("the ledger cannot use {}: {source}; give it a folder the station may write to", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Two processes on one ledger would number parts twice.
    #[error("the ledger in {} is in use by {holder}; stop that one first or give this station its own folder", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// `process 1234`, or what is known of it.
        holder: String,
    },
    /// Written by a later version of Plumb.
    #[error("{} has schema version {found}, this Plumb knows versions up to {known}; start the newer Plumb, or give this one another folder", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest one known here.
        known: i64,
    },
    /// A bug in the writing of records, or of SQLite.
    #[error("writing the ledger ended by a panic; please report what the log says before this line")]
    Panicked,
    /// Read only, but written by an earlier version.
    #[error("{} has schema version {found}, this Plumb reads version {known}; start the station once, which brings it up to date", path.display())]
    Older {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The one read here.
        known: i64,
    },
    /// A database of something else.
    #[error("{} is a database, but not a ledger of Plumb; move it away or give the ledger another folder", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// Damaged, or no database at all.
    #[error("{} is damaged or not a database ({source}); move it away, the station then starts a new ledger, and `sqlite3 FILE .recover` may bring back what was in it", path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Nothing to read.
    #[error("there is no ledger in {}; a station makes one when it first runs", folder.display())]
    Absent {
        /// The folder.
        folder: PathBuf,
    },
    /// The open database's file was deleted or replaced under us.
    #[error("{} is gone or was replaced while the station writes to it; a new one is made, what was in the old one went with it", path.display())]
    Moved {
        /// The database.
        path: PathBuf,
    },
    /// Anything else that SQLite says.
    #[error("{} could not be {doing}: {source}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// `opened`, `read`, `written`.
        doing: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A row that does not read as a record.
    #[error(
        "entry {row} of the ledger does not read as a record: {source}; a newer Plumb may have written it"
    )]
    Unreadable {
        /// Row id in table `records`.
        row: i64,
        /// What the JSON reader said.
        source: serde_json::Error,
    },
    /// The receiver of an export went away.
    #[error("the export stopped after {written} records: {source}")]
    Export {
        /// Records that got out.
        written: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("the thread {thread} could not be started: {source}")]
    Thread {
        /// Its name.
        thread: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Closed with a disk that would not take the rest.
    #[error("{records} records could not be written before the ledger closed; the log names their parts")]
    Unwritten {
        /// How many.
        records: u64,
    },
}

/// The queue is full, or the ledger closed: the item comes back to its sender, and the refusal is counted.
#[derive(Debug, thiserror::Error)]
#[error("the ledger's queue is full or closed")]
pub struct Full<T>(pub T);
