//! Writing beside the station's own writer: seldom, a few rows, by the station or by a command next to it.
//!
//! SQLite lets one connection write at a time. A change here opens a connection of its own, waits for its turn behind
//! the station's records, holds it for a few rows without waiting for the disk, and only then has the disk take the
//! change. So a record waits a millisecond for a change at most, a change a commit for the records, and what was
//! changed survives a power failure. Off the hot path all the same: the disk may take a tenth of a second.

use crate::{LedgerError, schema};
use rusqlite::{Transaction, TransactionBehavior};
use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// A commit of the station's records takes milliseconds; whoever holds the database longer is stuck.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why nothing was written.
#[derive(Debug)]
pub(crate) enum Blot<E> {
    /// The writer refused; the transaction is rolled back.
    Refused(E),
    /// The database did not take it.
    Database(rusqlite::Error),
}

impl<E> From<rusqlite::Error> for Blot<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// Does `work` in one transaction of the ledger in `folder`, waits until the disk has it, and makes the ledger if there
/// is none.
pub(crate) fn write<T, E: From<LedgerError>>(
    folder: &Path,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Blot<E>>,
) -> Result<T, E> {
    let unusable = |source| LedgerError::Folder { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(unusable)?;
    let path = schema::path(folder);
    let mut connection = schema::open_writing(&path, false, PATIENCE)?;
    let written = || {
        // IMMEDIATE: what is read cannot change before it is written.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    };
    let done = written().map_err(|blot| match blot {
        Blot::Refused(error) => error,
        Blot::Database(source) => schema::told(&path, "written", source).into(),
    })?;
    flush(&path)?;
    Ok(done)
}

/// Has the disk take the write-ahead log, with the lock for writing given back already.
fn flush(database: &Path) -> Result<(), LedgerError> {
    let mut log = OsString::from(database);
    log.push("-wal");
    let log = PathBuf::from(log);
    // SQLite locks the database file and `-shm`, never this one, so closing it here gives none of its locks away.
    match File::open(&log).and_then(|log| log.sync_data()) {
        // Where the file system allows no log, SQLite has flushed the database itself.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        flushed => flushed.map_err(|source| LedgerError::Folder { path: log, source }),
    }
}
