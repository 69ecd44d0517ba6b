//! The database file: where it is, which version it has, and how it gets to the present one.

use crate::LedgerError;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Step `n` brings version `n` to `n + 1`. Steps are only ever added.
const MIGRATIONS: [&str; 1] = [include_str!("../migrations/0001_records_and_pictures.sql")];

/// The version this Plumb writes; `user_version` in the file.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// "PLMB" in the file's header, so that no other program's database is taken for ours.
const APPLICATION_ID: i64 = 0x504C_4D42;

/// Another program looking into the database may hold it for a moment. Longer than that, and the writer's own retry
/// takes over, which counts and says so.
const BUSY: Duration = Duration::from_millis(20);

/// The database of the ledger in `folder`.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join("ledger.sqlite")
}

/// Opens the database for writing, makes it if need be, and brings it up to date.
pub(crate) fn open_writing(path: &Path, durable: bool) -> Result<Connection, LedgerError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let result = Connection::open_with_flags(path, flags).and_then(|mut connection| {
        connection.busy_timeout(BUSY)?;
        let found = Found::read(&connection)?;
        match found {
            Found::Foreign => return Ok((connection, found)),
            Found::Ours(version) if version > VERSION => return Ok((connection, found)),
            Found::Ours(version) => migrate(&mut connection, usize::try_from(version).unwrap_or(0))?,
            Found::Empty => migrate(&mut connection, 0)?,
        }
        connection.pragma_update(None, "journal_mode", "wal")?;
        // NORMAL flushes at checkpoints alone: a killed process loses nothing, a power failure the last commits.
        connection.pragma_update(None, "synchronous", if durable { "FULL" } else { "NORMAL" })?;
        // The `checkpoint` thread keeps the log short. Should it not get through, the writer does it at 64 MB.
        connection.pragma_update(None, "wal_autocheckpoint", 16_384)?;
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        Ok((connection, found))
    });
    match result.map_err(|source| told(path, "opened", source))? {
        (_, Found::Foreign) => Err(LedgerError::Foreign { path: path.to_owned() }),
        (_, Found::Ours(found)) if found > VERSION => {
            Err(LedgerError::Newer { path: path.to_owned(), found, known: VERSION })
        }
        (connection, _) => Ok(connection),
    }
}

/// Opens the database for reading alone.
pub(crate) fn open_reading(folder: &Path) -> Result<Connection, LedgerError> {
    let path = path(folder);
    if !path.exists() {
        return Err(LedgerError::Absent { folder: folder.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let result = Connection::open_with_flags(&path, flags).and_then(|connection| {
        connection.busy_timeout(Duration::from_secs(2))?; // readers only wait while the log is being recovered
        Ok((Found::read(&connection)?, connection))
    });
    match result.map_err(|source| told(&path, "opened", source))? {
        (Found::Ours(VERSION), connection) => Ok(connection),
        (Found::Ours(found), _) if found > VERSION => Err(LedgerError::Newer { path, found, known: VERSION }),
        (Found::Ours(found), _) => Err(LedgerError::Older { path, found, known: VERSION }),
        (Found::Empty, _) => Err(LedgerError::Absent { folder: folder.to_owned() }),
        (Found::Foreign, _) => Err(LedgerError::Foreign { path }),
    }
}

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Empty,
    Ours(i64),
    Foreign,
}

impl Found {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok(match number("application_id")? {
            APPLICATION_ID => Self::Ours(number("user_version")?),
            0 if tables == 0 => Self::Empty,
            _ => Self::Foreign,
        })
    }
}

/// All missing steps in one transaction: a kill in the middle leaves the old version, whole.
fn migrate(connection: &mut Connection, done: usize) -> rusqlite::Result<()> {
    let Some(missing) = MIGRATIONS.get(done..).filter(|steps| !steps.is_empty()) else { return Ok(()) };
    let transaction = connection.transaction()?;
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// SQLite's error as ours.
pub(crate) fn told(path: &Path, doing: &'static str, source: rusqlite::Error) -> LedgerError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => LedgerError::Corrupt { path, source },
        _ => LedgerError::Database { path, doing, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(change: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("temp folder");
        let path = path(folder.path());
        drop(open_writing(&path, false).expect("new database"));
        let other = Connection::open(&path).expect("same database");
        other.execute_batch(change).expect("valid SQL");
        (folder, path)
    }

    #[test]
    fn a_newer_schema_is_refused_for_writing_and_reading() {
        let (folder, path) = changed("PRAGMA user_version = 99");
        let error = open_writing(&path, false).expect_err("newer").to_string();
        assert!(error.contains("schema version 99") && error.contains("up to 1"), "{error}");
        assert!(matches!(open_reading(folder.path()), Err(LedgerError::Newer { found: 99, .. })));
    }

    #[test]
    fn another_programs_database_is_left_alone() {
        let folder = tempfile::tempdir().expect("temp folder");
        let path = path(folder.path());
        Connection::open(&path).and_then(|c| c.execute_batch("CREATE TABLE mine (x)")).expect("valid SQL");
        assert!(matches!(open_writing(&path, false), Err(LedgerError::Foreign { .. })));
        let tables: i64 = Connection::open(&path)
            .and_then(|c| c.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)))
            .expect("readable");
        assert_eq!(tables, 1);
    }

    #[test]
    fn a_damaged_file_is_said_to_be_damaged() {
        let (_folder, path) = changed("PRAGMA wal_checkpoint(TRUNCATE)");
        for junk in [&b"not a database at all, not a database at all"[..], &[0xFF; 8192]] {
            std::fs::write(&path, junk).expect("writable");
            let error = open_writing(&path, false).expect_err("damaged");
            assert!(matches!(error, LedgerError::Corrupt { .. }), "{error}");
        }
    }

    #[test]
    fn an_empty_folder_has_nothing_to_read() {
        let folder = tempfile::tempdir().expect("temp folder");
        assert!(matches!(open_reading(folder.path()), Err(LedgerError::Absent { .. })));
    }
}
