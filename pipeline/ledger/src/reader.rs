//! Finding records again: a connection of its own, which never makes the writer wait.

use crate::{LedgerError, MissingPicture, Picture, Record, RecordVerdict, record::from_us, schema};
use jiff::Timestamp;
use plumb_inspection::PartId;
use rusqlite::{Connection, ToSql, params};
use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What [`Reader::find`] gives when nothing else is asked for.
const FIND: usize = 100;

/// Records read at a time. A longer look would keep the log from being emptied.
const CHUNK: usize = 500;

/// What to look for; everything given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// This part.
    pub part: Option<PartId>,
    /// This serial number, exactly.
    pub serial: Option<String>,
    /// Triggered at this moment or later.
    pub from: Option<Timestamp>,
    /// Triggered before this moment.
    pub until: Option<Timestamp>,
    /// This verdict.
    pub verdict: Option<RecordVerdict>,
    /// No more than this; `None` is 100 for a search, and no limit for a count or an export.
    pub limit: Option<usize>,
}

impl Query {
    /// Everything of one part.
    pub fn of_part(part: PartId) -> Self {
        Self { part: Some(part), ..Self::default() }
    }

    /// `WHERE …` with `?` for each value. Index lookups all.
    fn filter(&self) -> (String, Vec<Box<dyn ToSql>>) {
        let mut filter = ("WHERE true".to_owned(), Vec::<Box<dyn ToSql>>::new());
        let mut and = |condition: &str, value: Option<Box<dyn ToSql>>| {
            if let Some(value) = value {
                filter.0 += condition;
                filter.1.push(value);
            }
        };
        and(" AND part_id = ?", self.part.map(|part| Box::new(part.get()) as _));
        and(" AND serial = ?", self.serial.clone().map(|serial| Box::new(serial) as _));
        and(" AND triggered_us >= ?", self.from.map(|from| Box::new(ceil_us(from)) as _));
        and(" AND triggered_us < ?", self.until.map(|until| Box::new(ceil_us(until)) as _));
        and(" AND verdict = ?", self.verdict.map(|verdict| Box::new(verdict.as_str()) as _));
        filter
    }
}

/// The first whole µs not before `at`.
pub(crate) fn ceil_us(at: Timestamp) -> i64 {
    at.as_microsecond() + i64::from(at.subsec_nanosecond().rem_euclid(1000) != 0 && at.as_nanosecond() > 0)
}

/// Reads the ledger while the station writes it. Opens its connection with the first question; each clone has its own.
///
/// Questions take from microseconds to, for a count over millions, a second: ask them away from the hot path.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    connection: Mutex<Option<Connection>>,
}

impl Clone for Reader {
    fn clone(&self) -> Self {
        Self::new(&self.folder)
    }
}

impl Reader {
    /// Of the ledger in `folder`, whether a station is running on it or not. It need not exist yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), connection: Mutex::new(None) }
    }

    /// Records, newest first: by trigger time, or for one part or serial number by the order of answering.
    ///
    /// # Errors
    /// When there is no ledger, or it cannot be read.
    pub fn find(&self, query: &Query) -> Result<Vec<Record>, LedgerError> {
        let (filter, values) = query.filter();
        let order = match (&query.part, &query.serial) {
            (None, None) => "triggered_us DESC, id DESC",
            _ => "id DESC", // a PLC that uses an id again may have had its clock set back
        };
        let limit = query.limit.unwrap_or(FIND);
        let sql =
            format!("SELECT id, triggered_us, json FROM records {filter} ORDER BY {order} LIMIT {limit}");
        let found = self.ask(|connection| rows(connection, &sql, &values))?;
        found.into_iter().map(|row| self.read(row)).collect()
    }

    /// The newest record of a part.
    ///
    /// # Errors
    /// As [`Reader::find`].
    pub fn get(&self, part: PartId) -> Result<Option<Record>, LedgerError> {
        let query = Query { limit: Some(1), ..Query::of_part(part) };
        Ok(self.find(&query)?.pop())
    }

    /// How many records there are of what is asked for; `limit` does not count.
    ///
    /// # Errors
    /// As [`Reader::find`].
    pub fn count(&self, query: &Query) -> Result<u64, LedgerError> {
        let (filter, values) = query.filter();
        let sql = format!("SELECT count(*) FROM records {filter}");
        let count: i64 = self.ask(|connection| {
            connection.prepare_cached(&sql)?.query_row(rusqlite::params_from_iter(&values), |row| row.get(0))
        })?;
        Ok(count.unsigned_abs())
    }

    /// What is left of records of a part that a rule deleted, the newest first: a sentence each.
    ///
    /// # Errors
    /// As [`Reader::find`].
    pub fn deleted(&self, part: PartId) -> Result<Vec<String>, LedgerError> {
        self.ask(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT triggered_us, verdict, at_us, rule, why FROM deleted_records
                 JOIN deletions ON deletions.id = deletion WHERE part_id = ?1 ORDER BY triggered_us DESC",
            )?;
            let told = statement.query_map([part.get()], |row| {
                let (triggered_at, at) = (from_us(row.get(0)?)?, from_us(row.get(2)?)?);
                let (verdict, rule, why): (String, String, String) = (row.get(1)?, row.get(3)?, row.get(4)?);
                let day = at.strftime("%Y-%m-%d");
                Ok(format!("{verdict} of {triggered_at:.6}: deleted on {day} by rule {rule}: {why}"))
            })?;
            told.collect()
        })
    }

    /// The part answered last.
    ///
    /// # Errors
    /// As [`Reader::find`].
    pub fn last_part(&self) -> Result<Option<PartId>, LedgerError> {
        let sql = "SELECT part_id FROM records ORDER BY id DESC LIMIT 1";
        let found: Vec<u32> = self.ask(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map([], |row| row.get(0))?.collect()
        })?;
        Ok(found.first().and_then(|&id| PartId::new(id)))
    }

    /// Writes records as JSON lines, oldest first, and says how many. Records that come in meanwhile may be among them.
    ///
    /// # Errors
    /// As [`Reader::find`], and when `to` takes no more.
    pub fn export(&self, query: &Query, to: &mut dyn Write) -> Result<u64, LedgerError> {
        let mut written = 0;
        self.each(query, |record| {
            let mut line = serde_json::to_vec(&record).expect("it came out of JSON");
            line.push(b'\n');
            to.write_all(&line).map_err(|source| LedgerError::Export { written, source })?;
            written += 1;
            Ok(())
        })?;
        Ok(written)
    }

    /// `work` on each record, with its pictures, oldest first. Records that come in meanwhile may be among them.
    ///
    /// # Errors
    /// As [`Reader::find`], and what `work` says.
    pub fn each(
        &self,
        query: &Query,
        mut work: impl FnMut(Record) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.chunks(query, |rows| rows.into_iter().try_for_each(|row| work(self.read(row)?)))
    }

    /// `work` on every record that is asked for, on all cores; what it gave, oldest record first. Records that come in
    /// meanwhile may be among them. They come without their pictures, which makes a look at hundreds of thousands a
    /// matter of a second.
    ///
    /// # Errors
    /// As [`Reader::find`].
    pub fn scan<T: Send>(
        &self,
        query: &Query,
        work: impl Fn(Record) -> T + Sync,
    ) -> Result<Vec<T>, LedgerError> {
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let done = Mutex::new(Vec::new());
        // Rows wait here while the workers read what is in them.
        let (chunks_in, chunks) = crossbeam_channel::bounded::<(usize, Vec<Row>)>(2 * workers);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                let (chunks, work, done) = (chunks.clone(), &work, &done);
                scope.spawn(move || {
                    for (at, rows) in chunks {
                        let worked: Result<Vec<T>, LedgerError> =
                            rows.into_iter().map(|row| row.bare().map(work)).collect();
                        done.lock().unwrap_or_else(PoisonError::into_inner).push((at, worked));
                    }
                });
            }
            let mut at = 0;
            let fed = self.chunks(query, |rows| {
                at += 1;
                // The workers end when the sender does, not before.
                let _ = chunks_in.send((at, rows));
                Ok(())
            });
            drop(chunks_in);
            fed
        })?;
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(at, _)| *at);
        let mut all = Vec::new();
        for (_, worked) in done {
            all.extend(worked?);
        }
        Ok(all)
    }

    /// Everything asked for, oldest first, a chunk at a time: each chunk is a look of its own, so that the log can be
    /// emptied in between.
    fn chunks(
        &self,
        query: &Query,
        mut each: impl FnMut(Vec<Row>) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let (filter, values) = query.filter();
        let (mut left, mut after) = (query.limit.map_or(u64::MAX, |limit| limit as u64), (i64::MIN + 1, 0));
        while left > 0 {
            let (us, id) = after;
            let chunk = (CHUNK as u64).min(left);
            let sql = format!(
                "SELECT id, triggered_us, json FROM records {filter} AND (triggered_us, id) > ({us}, {id})
                 ORDER BY triggered_us, id LIMIT {chunk}"
            );
            let found = self.ask(|connection| rows(connection, &sql, &values))?;
            let Some(last) = found.last() else { break };
            after = (last.triggered_us, last.id);
            left -= found.len() as u64;
            each(found)?;
        }
        Ok(())
    }

    /// The record in a row, with its pictures.
    pub(crate) fn read(&self, row: Row) -> Result<Record, LedgerError> {
        let mut record = row.bare()?;
        let entries = self.ask(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT camera, kind, CASE WHEN deletion IS NULL THEN path END, sha256, coalesce(missing, (
                     SELECT 'deleted on ' || date(at_us / 1000000, 'unixepoch') || ' by rule ' || rule || ': ' || why
                     FROM deletions WHERE deletions.id = deletion
                 )) FROM pictures WHERE part_id = ?1 AND triggered_us = ?2 ORDER BY id",
            )?;
            let entries = statement.query_map(params![record.part_id.get(), row.triggered_us], |row| {
                let (camera, kind) = (row.get::<_, String>(0)?, row.get(1)?);
                Ok((camera, kind, row.get(2)?, row.get(3)?, row.get(4)?))
            })?;
            entries.collect::<rusqlite::Result<Vec<(String, String, Option<String>, Option<String>, Option<String>)>>>()
        })?;
        for (camera, kind, path, sha256, missing) in entries {
            let camera = camera.into();
            match (path, sha256) {
                (Some(path), Some(sha256)) => record.pictures.push(Picture { camera, kind, path, sha256 }),
                _ => {
                    let why = missing.unwrap_or_default();
                    record.pictures_missing.push(MissingPicture { camera, kind, why });
                }
            }
        }
        Ok(record)
    }

    /// Asks the connection, opening it first if need be. One that failed is dropped, so that the next question finds
    /// a database that came back, or was replaced.
    pub(crate) fn ask<T>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let mut slot: MutexGuard<'_, Option<Connection>> =
            self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match slot.take() {
            Some(connection) => connection,
            None => schema::open_reading(&self.folder)?,
        };
        let answer = question(&connection);
        if answer.is_ok() {
            *slot = Some(connection);
        }
        answer.map_err(|source| schema::told(&schema::path(&self.folder), "read", source))
    }
}

/// A row of table `records`, as far as it is needed.
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) triggered_us: i64,
    json: String,
}

impl Row {
    /// From columns `id`, `triggered_us`, `json`.
    pub(crate) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, triggered_us: row.get(1)?, json: row.get(2)? })
    }

    /// The record, without its pictures.
    fn bare(&self) -> Result<Record, LedgerError> {
        serde_json::from_str(&self.json).map_err(|source| LedgerError::Unreadable { row: self.id, source })
    }
}

fn rows(connection: &Connection, sql: &str, values: &[Box<dyn ToSql>]) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), Row::read)?;
    rows.collect()
}
