//! The file `people.sqlite` in the data folder, and the way into it.

use super::PeopleError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

const MIGRATIONS: [&str; 3] = [
    include_str!("../../migrations/people/0001_people_and_audit.sql"),
    include_str!("../../migrations/people/0002_proposals.sql"),
    include_str!("../../migrations/people/0003_recipe_texts.sql"),
];
const VERSION: i64 = MIGRATIONS.len() as i64;

/// "PLMP" in the file's header.
const APPLICATION_ID: i64 = 0x504C_4D50;

/// Somebody else writes a row or two at a time.
const PATIENCE: Duration = Duration::from_secs(5);

/// One connection, opened with the first question; one that failed is opened anew.
#[derive(Debug)]
pub(crate) struct Door {
    folder: PathBuf,
    connection: Mutex<Option<Connection>>,
}

impl Door {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), connection: Mutex::new(None) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("people.sqlite")
    }

    pub(crate) fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Asks, or writes: `work` is one transaction, and is on disk when this returns.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, PeopleError>,
    ) -> Result<T, PeopleError> {
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.open()?,
        };
        let path = self.path();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|source| told(&path, source))?;
        let done = work(&transaction)?;
        transaction.commit().map_err(|source| told(&path, source))?;
        *slot = Some(connection);
        Ok(done)
    }

    /// Asks without taking the lock for writing, so that it works on a full disk.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, PeopleError>,
    ) -> Result<T, PeopleError> {
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match slot.take() {
            Some(connection) => connection,
            None => self.open()?,
        };
        let done = work(&connection)?;
        *slot = Some(connection);
        Ok(done)
    }

    fn open(&self) -> Result<Connection, PeopleError> {
        let unusable = |source| PeopleError::Folder { path: self.folder.clone(), source };
        std::fs::create_dir_all(&self.folder).map_err(unusable)?;
        let path = self.path();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(&path, flags).and_then(|mut connection| {
            connection.busy_timeout(PATIENCE)?;
            let found = migrate(&mut connection)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "FULL")?; // a few rows an hour; none may be lost
            connection.pragma_update(None, "foreign_keys", "ON")?;
            Ok((connection, found))
        });
        match opened.map_err(|source| told(&path, source))? {
            (connection, VERSION) => {
                keep_private(&path);
                Ok(connection)
            }
            (_, found) => Err(PeopleError::Version { path, found, known: VERSION }),
        }
    }
}

/// Brings a new or older file up to date; gives the version it then has.
fn migrate(connection: &mut Connection) -> rusqlite::Result<i64> {
    let number = |c: &Connection, pragma| c.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    if number(connection, "user_version")? == VERSION {
        return Ok(VERSION);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (version, id) = (number(&transaction, "user_version")?, number(&transaction, "application_id")?);
    let is_ours = id == APPLICATION_ID || (version == 0 && id == 0);
    if !is_ours || version >= VERSION {
        return Ok(version);
    }
    for step in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(VERSION)
}

/// Digests of passwords are in it: nobody but the station's own account needs to read them.
fn keep_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if let Err(error) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
        tracing::warn!(%error, path = %path.display(), "The file of people can be read by others.");
    }
}

pub(crate) fn told(path: &Path, source: rusqlite::Error) -> PeopleError {
    PeopleError::Database { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_any_earlier_version_is_brought_up_to_date_with_its_rows_in_it() {
        for version in 1..MIGRATIONS.len() {
            let folder = tempfile::tempdir().expect("temp folder");
            let door = Door::new(folder.path());
            let old = Connection::open(door.path()).expect("a new file");
            for step in &MIGRATIONS[..version] {
                old.execute_batch(step).expect("the version as it was");
            }
            old.execute_batch(
                "INSERT INTO users VALUES ('anna', 'quality', '', 0, 1, 7);
                 INSERT INTO audit VALUES (1, 7, 'anna', 'login', '{}', printf('%064d', 0));",
            )
            .expect("rows that every version has");
            old.pragma_update(None, "application_id", APPLICATION_ID).expect("a setting");
            old.pragma_update(None, "user_version", version).expect("a setting");
            drop(old);
            let read = |sql: &str| {
                door.read(|connection| {
                    connection
                        .query_row(sql, [], |row| row.get::<_, i64>(0))
                        .map_err(|source| told(&door.path(), source))
                })
            };
            assert_eq!(read("SELECT count(*) FROM users").expect("brought up to date"), 1);
            assert_eq!(read("SELECT count(*) FROM audit WHERE who = 'anna'").expect("readable"), 1);
            assert_eq!(read("SELECT count(*) FROM proposals").expect("readable"), 0);
            assert_eq!(read("PRAGMA user_version").expect("readable"), VERSION);
        }
    }

    #[test]
    fn a_newer_file_is_left_alone() {
        let folder = tempfile::tempdir().expect("temp folder");
        let door = Door::new(folder.path());
        let newer = Connection::open(door.path()).expect("a new file");
        newer.pragma_update(None, "application_id", APPLICATION_ID).expect("a setting");
        newer.pragma_update(None, "user_version", 99).expect("a setting");
        let error = door.read(|_| Ok(())).expect_err("newer").to_string();
        assert!(error.contains("has version 99"), "{error}");
    }
}
