//! The database file: where it is, which version it has, and how it gets to the present one.

use crate::LedgerError;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Step `n` brings version `n` to `n + 1`. Steps are only ever added.
const MIGRATIONS: [&str; 6] = [
    include_str!("../migrations/0001_records_and_pictures.sql"),
    include_str!("../migrations/0002_models_and_shadow.sql"),
    include_str!("../migrations/0003_truths.sql"),
    include_str!("../migrations/0004_search.sql"),
    include_str!("../migrations/0005_words.sql"),
    include_str!("../migrations/0006_keeping.sql"),
];

/// The version this Plumb writes; `user_version` in the file.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// "PLMB" in the file's header, so that no other program's database is taken for ours.
const APPLICATION_ID: i64 = 0x504C_4D42;

/// Another process may be making the database, or bringing it up to date, at the same moment.
const OPENING: Duration = Duration::from_secs(2);

/// The database of the ledger in `folder`.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join("ledger.sqlite")
}

/// Opens the database for writing, makes it if need be, and brings it up to date. From then on it waits for others
/// that write no longer than `patience`.
pub(crate) fn open_writing(
    path: &Path,
    durable: bool,
    patience: Duration,
) -> Result<Connection, LedgerError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let result = Connection::open_with_flags(path, flags).and_then(|mut connection| {
        connection.busy_timeout(OPENING)?;
        let found = match Found::read(&connection)? {
            Found::Ours(VERSION) => Found::Ours(VERSION),
            _ => migrate(&mut connection)?,
        };
        if found != Found::Ours(VERSION) {
            return Ok((connection, found));
        }
        connection.pragma_update(None, "journal_mode", "wal")?;
        // NORMAL flushes at checkpoints alone: a killed process loses nothing, a power failure the last commits.
        connection.pragma_update(None, "synchronous", if durable { "FULL" } else { "NORMAL" })?;
        // The `checkpoint` thread keeps the log short. Should it not get through, the writer does it at 64 MB.
        connection.pragma_update(None, "wal_autocheckpoint", 16_384)?;
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        connection.busy_timeout(patience)?;
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

/// All missing steps in one transaction: a kill in the middle leaves the old version, whole. What is not ours, or
/// newer, is left as it is.
fn migrate(connection: &mut Connection) -> rusqlite::Result<Found> {
    // IMMEDIATE, and looked at again: another process may have been quicker.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = match Found::read(&transaction)? {
        Found::Empty => 0,
        Found::Ours(version) if version < VERSION => usize::try_from(version).unwrap_or(0),
        other => return Ok(other),
    };
    for step in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(Found::Ours(VERSION))
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
        drop(open_writing(&path, false, OPENING).expect("new database"));
        let other = Connection::open(&path).expect("same database");
        other.execute_batch(change).expect("valid SQL");
        (folder, path)
    }

    #[test]
    fn a_newer_schema_is_refused_for_writing_and_reading() {
        let (folder, path) = changed("PRAGMA user_version = 99");
        let error = open_writing(&path, false, OPENING).expect_err("newer").to_string();
        assert!(
            error.contains("schema version 99") && error.contains(&format!("up to {VERSION}")),
            "{error}"
        );
        assert!(matches!(open_reading(folder.path()), Err(LedgerError::Newer { found: 99, .. })));
    }

    #[test]
    fn another_programs_database_is_left_alone() {
        let folder = tempfile::tempdir().expect("temp folder");
        let path = path(folder.path());
        Connection::open(&path).and_then(|c| c.execute_batch("CREATE TABLE mine (x)")).expect("valid SQL");
        assert!(matches!(open_writing(&path, false, OPENING), Err(LedgerError::Foreign { .. })));
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
            let error = open_writing(&path, false, OPENING).expect_err("damaged");
            assert!(matches!(error, LedgerError::Corrupt { .. }), "{error}");
        }
    }

    #[test]
    fn an_empty_folder_has_nothing_to_read() {
        let folder = tempfile::tempdir().expect("temp folder");
        assert!(matches!(open_reading(folder.path()), Err(LedgerError::Absent { .. })));
    }

    #[test]
    fn a_ledger_of_any_earlier_version_is_brought_up_to_date_with_its_rows_in_it() {
        (1..MIGRATIONS.len()).for_each(brought_up_to_date);
    }

    fn brought_up_to_date(version: usize) {
        let folder = tempfile::tempdir().expect("temp folder");
        let path = path(folder.path());
        let old = Connection::open(&path).expect("a new file");
        for step in &MIGRATIONS[..version] {
            old.execute_batch(step).expect("the version as it was");
        }
        old.execute_batch(
            "INSERT INTO records (part_id, triggered_us, verdict, json) VALUES (7, 1, 'fail', '{}');
             INSERT INTO pictures (part_id, triggered_us, camera, kind, path, sha256)
                 VALUES (7, 1, 'top', 'frame', 'x.jpg', '00');
             UPDATE numbers SET ceiling = 4001;
             PRAGMA application_id = 0x504C4D42; PRAGMA journal_mode = wal;",
        )
        .expect("rows that every version has");
        if version >= 3 {
            old.execute_batch(
                "INSERT INTO pieces VALUES ('SN-7', 'tune', 1);
                 INSERT INTO truths (part_id, triggered_us, piece, recipe, truth, at_us, by, why)
                     VALUES (7, 1, 'SN-7', 'washer', 'defective', 2, 'anna', 'seen');",
            )
            .expect("words, as they were then");
        }
        old.pragma_update(None, "user_version", version).expect("a setting");
        assert!(matches!(open_reading(folder.path()), Err(LedgerError::Older { .. })));
        // Opened while the old connection still is: a station before its restart.
        let new = open_writing(&path, false, OPENING).expect("brought up to date");
        let count = |sql| new.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("readable");
        assert_eq!(count("SELECT part_id FROM records"), 7);
        assert_eq!(count("SELECT count(*) FROM pictures WHERE path = 'x.jpg'"), 1);
        assert_eq!(count("SELECT ceiling FROM numbers"), 4001);
        assert_eq!(
            count(
                "SELECT (SELECT count(*) FROM models) + (SELECT count(*) FROM shadow) + (SELECT count(*) FROM pins)"
            ),
            0
        );
        let words = "SELECT count(*) FROM truths WHERE truth = 'defective' AND by = 'anna' AND why = 'seen'";
        assert_eq!(count(words), i64::from(version >= 3), "from version {version}");
        assert_eq!(count("PRAGMA user_version"), VERSION);
        old.execute(
            "INSERT INTO records (part_id, triggered_us, verdict, json) VALUES (8, 2, 'pass', '{}')",
            [],
        )
        .expect("and the old one goes on writing");
        drop(new);
        drop(open_writing(&path, false, OPENING).expect("a second time there is nothing left to do"));
        open_reading(folder.path()).expect("readable now");
    }

    #[test]
    fn a_step_that_fails_leaves_the_old_version_whole() {
        let folder = tempfile::tempdir().expect("temp folder");
        let path = path(folder.path());
        let old = Connection::open(&path).expect("a new file");
        old.execute_batch(MIGRATIONS[0]).expect("version 1 as it was");
        // Somebody's own table is in the way of the last one of the new ones.
        old.execute_batch(
            "CREATE TABLE shadow (mine); PRAGMA application_id = 0x504C4D42; PRAGMA user_version = 1;",
        )
        .expect("valid SQL");
        let error = open_writing(&path, false, OPENING).expect_err("in the way").to_string();
        assert!(error.contains("could not be opened") && error.contains("shadow"), "{error}");
        let count = |sql| old.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("readable");
        assert_eq!(count("PRAGMA user_version"), 1);
        assert_eq!(count("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'model%'"), 0);
    }

    #[test]
    fn many_that_make_the_same_ledger_at_once_all_get_it() {
        let folder = tempfile::tempdir().expect("temp folder");
        let path = path(folder.path());
        let together = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    together.wait();
                    let connection = open_writing(&path, false, OPENING).expect("one of us made it");
                    let ceiling: i64 = connection
                        .query_row("SELECT ceiling FROM numbers", [], |row| row.get(0))
                        .expect("one row, made once");
                    assert_eq!(ceiling, 1);
                });
            }
        });
    }
}
