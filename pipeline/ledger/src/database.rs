//! The writing connection, and the rows that go through it.

use crate::{
    LedgerError, Record,
    picture::PictureRow,
    schema,
    shadow::{self, ShadowRow},
};
use plumb_inspection::ClassName;
use rusqlite::{Connection, ErrorCode, Transaction, params};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Another connection may be writing for a moment: a change of a model takes a millisecond or two. Longer than that,
/// and the writer's own retry takes over, which counts and says so.
const BUSY: Duration = Duration::from_millis(20);

/// A record on its way into table `records`.
#[derive(Debug)]
pub(crate) struct RecordRow {
    /// Chosen by the writer, not by SQLite: an attempt that failed after all got through is then the same row, not a
    /// second record of one part.
    pub(crate) id: i64,
    part_id: u32,
    serial: Option<String>,
    triggered_us: i64,
    verdict: &'static str,
    /// What the models found, each class once.
    classes: BTreeSet<ClassName>,
    json: String,
}

impl RecordRow {
    pub(crate) fn new(id: i64, record: Record) -> Self {
        let mut record = record.without_non_numbers();
        record.pictures.clear(); // they have a table of their own
        record.pictures_missing.clear();
        let json = serde_json::to_string(&record).expect("a record is strings and finite numbers");
        let findings = record.views.iter().flat_map(|view| &view.findings);
        let classes = findings.map(|finding| finding.class.clone()).collect();
        Self {
            id,
            part_id: record.part_id.get(),
            triggered_us: record.triggered_at.as_microsecond(),
            verdict: record.verdict.as_str(),
            serial: record.serial,
            classes,
            json,
        }
    }

    /// Logs the whole record: the last trace of one that cannot be kept.
    pub(crate) fn log_lost(&self, why: &dyn std::fmt::Display) {
        tracing::error!(part = self.part_id, record = self.json, %why, "A part's record is lost; this line is all that is left of it.");
    }
}

/// The one connection that writes.
pub(crate) struct Database {
    path: PathBuf,
    connection: Connection,
    /// Of the file we opened, to notice when it is deleted or replaced: SQLite would go on writing into the void.
    inode: u64,
    durable: bool,
}

impl Database {
    /// Makes the folder and the database if need be.
    pub(crate) fn open(folder: &Path, durable: bool) -> Result<Self, LedgerError> {
        let unusable = |source| LedgerError::Folder { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(unusable)?;
        let path = schema::path(folder);
        let connection = schema::open_writing(&path, durable, BUSY)?;
        let inode = fs::metadata(&path).map_err(unusable)?.ino();
        Ok(Self { path, connection, inode, durable })
    }

    /// Part ids below it may have been given out.
    pub(crate) fn ceiling(&self) -> Result<u64, LedgerError> {
        self.read("SELECT ceiling FROM numbers").map(|ceiling| u64::try_from(ceiling).unwrap_or(1).max(1))
    }

    /// The last row ids in use, of records, pictures and shadow records; 0 where there is none.
    pub(crate) fn last_rows(&self) -> Result<[i64; 3], LedgerError> {
        let last = |table| self.read(&format!("SELECT coalesce(max(id), 0) FROM {table}"));
        Ok([last("records")?, last("pictures")?, last("shadow")?])
    }

    /// Notes that part ids below `ceiling` are taken, and waits until the disk has it: an id given twice after a power
    /// failure would mix up two parts, and one flush every 2 000 parts is cheap.
    pub(crate) fn reserve(&mut self, ceiling: u64) -> Result<(), LedgerError> {
        self.check_place()?;
        let ceiling = i64::try_from(ceiling).unwrap_or(i64::MAX);
        let flushed = || {
            self.connection.pragma_update(None, "synchronous", "FULL")?;
            let done = self.connection.execute("UPDATE numbers SET ceiling = ?1", [ceiling]);
            self.connection.pragma_update(
                None,
                "synchronous",
                if self.durable { "FULL" } else { "NORMAL" },
            )?;
            done.map(drop)
        };
        flushed().map_err(|source| schema::told(&self.path, "written", source))
    }

    /// Writes all rows, or none.
    pub(crate) fn write(
        &mut self,
        records: &[RecordRow],
        pictures: &[PictureRow],
        shadows: &[ShadowRow],
    ) -> Result<(), LedgerError> {
        self.check_place()?;
        let mut all = || {
            let transaction = self.connection.transaction()?;
            insert(&transaction, records, pictures)?;
            shadow::insert(&transaction, shadows)?;
            transaction.commit()
        };
        all().map_err(|source| schema::told(&self.path, "written", source))
    }

    fn check_place(&self) -> Result<(), LedgerError> {
        match fs::metadata(&self.path) {
            Ok(file) if file.ino() == self.inode => Ok(()),
            _ => Err(LedgerError::Moved { path: self.path.clone() }),
        }
    }

    fn read(&self, sql: &str) -> Result<i64, LedgerError> {
        let read = self.connection.query_row(sql, [], |row| row.get(0));
        read.map_err(|source| schema::told(&self.path, "read", source))
    }
}

fn insert(to: &Transaction<'_>, records: &[RecordRow], pictures: &[PictureRow]) -> rusqlite::Result<()> {
    let mut insert = to.prepare_cached(
        "INSERT INTO records (id, part_id, serial, triggered_us, verdict, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (id) DO NOTHING",
    )?;
    for row in records {
        insert.execute(params![row.id, row.part_id, row.serial, row.triggered_us, row.verdict, row.json])?;
    }
    let mut insert = to.prepare_cached(
        "INSERT INTO record_classes (class, verdict, triggered_us, record) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
    )?;
    for row in records {
        for class in &row.classes {
            insert.execute(params![class.as_str(), row.verdict, row.triggered_us, row.id])?;
        }
    }
    let mut insert = to.prepare_cached(
        "INSERT INTO pictures (id, part_id, triggered_us, camera, kind, path, sha256, missing, bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING",
    )?;
    for row in pictures {
        let (path, sha256) = row.file.as_ref().map(|file| (&file.path, &file.sha256)).unzip();
        insert.execute(params![
            row.id,
            row.part.get(),
            row.triggered_at.as_microsecond(),
            row.camera.as_str(),
            row.kind,
            path,
            sha256,
            row.missing,
            row.file.as_ref().map(|file| file.bytes),
        ])?;
    }
    Ok(())
}

impl LedgerError {
    /// True if the database works but would not have these rows: trying again is of no use.
    pub(crate) fn is_about_the_rows(&self) -> bool {
        use ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
        self.sqlite_code().is_some_and(|code| matches!(code, ConstraintViolation | TooBig | TypeMismatch))
    }

    /// True if the disk is full.
    pub(crate) fn is_for_want_of_room(&self) -> bool {
        self.sqlite_code().is_some_and(|code| matches!(code, ErrorCode::DiskFull))
    }

    /// True if another program holds the database for a moment; the connection is good.
    pub(crate) fn is_busy(&self) -> bool {
        self.sqlite_code()
            .is_some_and(|code| matches!(code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    fn sqlite_code(&self) -> Option<ErrorCode> {
        match self {
            Self::Database { source, .. } => source.sqlite_error_code(),
            _ => None,
        }
    }
}
