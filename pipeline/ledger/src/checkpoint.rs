//! The thread `checkpoint`: moves the write-ahead log into the database, beside the writer.
//!
//! A checkpoint waits for the disk, now and then a tenth of a second. Done by the writer, as SQLite does by itself,
//! that would make records wait longer than their commit interval.

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rusqlite::{Connection, OpenFlags};
use std::{convert::Infallible, ffi::OsString, fs, path::Path, time::Duration};

/// About what 100 parts/s add to the log meanwhile fits into [`WORTH_IT`].
const EVERY: Duration = Duration::from_secs(2);

/// A log shorter than this, in bytes, is left alone: reading through it costs nothing.
const WORTH_IT: u64 = 4 << 20;

/// Until `stop` is disconnected.
pub(crate) fn run(database: &Path, stop: &Receiver<Infallible>) {
    let mut log = OsString::from(database);
    log.push("-wal");
    while stop.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        if fs::metadata(&log).is_ok_and(|log| log.len() > WORTH_IT)
            && let Err(error) = checkpoint(database)
        {
            // Not the end of anything: the writer does it itself once the log has 64 MB.
            tracing::warn!(%error, "The ledger's log could not be moved into its database.");
        }
    }
}

fn checkpoint(database: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    // PASSIVE never makes the writer wait. Without changes since the last time it does nothing.
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}
