//! What can go wrong with people and the audit log, in sentences for whoever administers the station.

use std::{io, path::PathBuf};

/// Why users, sessions or the audit log could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The folder cannot be used.
    #[error("people and the audit log cannot be kept in {}: {source}; give the station a data folder it may write to", path.display())]
    Folder {
        /// Folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another version, or not ours.
    #[error("{} has version {found} and this Plumb knows {known}; start the Plumb that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// SQLite says no.
    #[error("{} could not be used: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
    /// There is no such user.
    #[error("there is no user \"{name}\"")]
    NoUser {
        /// Who was asked for.
        name: String,
    },
    /// The name is taken.
    #[error("there is a \"{name}\" already; names differ by more than upper and lower case")]
    Taken {
        /// The name.
        name: String,
    },
    /// The name cannot be one.
    #[error(
        "{name:?} is no name: give 1 to 64 characters, none of them a control character, no blank at either end"
    )]
    Name {
        /// What was given.
        name: String,
    },
    /// Nobody could administer the station any more.
    #[error("\"{name}\" is the last active administrator; make another one first")]
    LastAdmin {
        /// The name.
        name: String,
    },
    /// A row of the audit log is not what was written.
    #[error("entry {n} of the audit log does not read: {says}")]
    Unreadable {
        /// Which.
        n: u64,
        /// Why.
        says: String,
    },
    /// There is no audit log yet.
    #[error("there is no audit log in {}; a station makes one when it first runs", folder.display())]
    Absent {
        /// The folder.
        folder: PathBuf,
    },
}
