//! Adding to the log, finding in it, and proving that it is what was written.

use super::{AuditEntry, NewAuditEntry};
use crate::{
    people::{Door, PeopleError, told},
    record::whole_us,
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, ToSql, params_from_iter};
use sha2::{Digest, Sha256};
use std::{path::Path, time::SystemTime};

/// Before the first entry.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The audit log of one station. Every process that opens it may add to it.
#[derive(Debug)]
pub struct AuditLog {
    door: Door,
}

/// What to look for; everything given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Done by this person, exactly.
    pub who: Option<String>,
    /// This was done, exactly.
    pub what: Option<String>,
    /// At this moment or later.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Entries before this one: the next page.
    pub before: Option<u64>,
    /// No more than this.
    pub limit: usize,
}

/// What a look at the whole log gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// Every hash holds.
    Whole {
        /// How many entries.
        entries: u64,
        /// Hash of the last one: write it down elsewhere, and a log that was cut off shows too.
        head: String,
    },
    /// Something was changed.
    Broken {
        /// The first entry that does not hold.
        n: u64,
        /// What is wrong with it.
        says: String,
    },
}

impl AuditLog {
    /// In the data folder `folder`; made with the first entry.
    pub fn new(folder: &Path) -> Self {
        Self { door: Door::new(folder) }
    }

    /// Adds an entry; it is on disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written. What it is about must then not be done.
    pub fn append(&self, entry: NewAuditEntry) -> Result<AuditEntry, PeopleError> {
        let path = self.door.path();
        self.door.with(|connection| {
            let told = |source| told(&path, source);
            let last = connection
                .query_row("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1", [], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
                })
                .optional()
                .map_err(told)?;
            let (n, previous) = last.unwrap_or((0, GENESIS.to_owned()));
            let entry = entry.numbered(n.unsigned_abs() + 1, whole_us(SystemTime::now()));
            let json = serde_json::to_string(&entry).expect("strings and JSON values");
            connection
                .prepare_cached(
                    "INSERT INTO audit (n, at_us, who, what, entry, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )
                .and_then(|mut insert| {
                    insert.execute(rusqlite::params![
                        n + 1,
                        entry.at.as_microsecond(),
                        entry.who,
                        entry.what,
                        json,
                        hash(&previous, &json)
                    ])
                })
                .map_err(told)?;
            Ok(entry)
        })
    }

    /// Entries, newest first.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn find(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, PeopleError> {
        let (mut filter, mut values) = ("WHERE true".to_owned(), Vec::<Box<dyn ToSql>>::new());
        let mut and = |condition: &str, value: Option<Box<dyn ToSql>>| {
            if let Some(value) = value {
                filter += condition;
                values.push(value);
            }
        };
        and(" AND who = ?", query.who.clone().map(|who| Box::new(who) as _));
        and(" AND what = ?", query.what.clone().map(|what| Box::new(what) as _));
        and(" AND at_us >= ?", query.from.map(|from| Box::new(from.as_microsecond()) as _));
        and(" AND at_us < ?", query.until.map(|until| Box::new(until.as_microsecond()) as _));
        let before = query.before.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        and(" AND n < ?", before.map(|n| Box::new(n) as _));
        let sql = format!("SELECT n, entry FROM audit {filter} ORDER BY n DESC LIMIT {}", query.limit);
        let path = self.door.path();
        let rows = self.door.read(|connection| {
            let ask = |connection: &Connection| -> rusqlite::Result<Vec<(i64, String)>> {
                let mut statement = connection.prepare_cached(&sql)?;
                let rows =
                    statement.query_map(params_from_iter(&values), |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect()
            };
            ask(connection).map_err(|source| told(&path, source))
        })?;
        let read = |(n, json): (i64, String)| {
            serde_json::from_str(&json)
                .map_err(|error| PeopleError::Unreadable { n: n.unsigned_abs(), says: error.to_string() })
        };
        rows.into_iter().map(read).collect()
    }

    /// Every entry with its hash, oldest first, as it is stored.
    ///
    /// # Errors
    /// When there is no log, it cannot be read, or `each` says so.
    pub fn each(
        &self,
        mut each: impl FnMut(u64, &str, &str) -> Result<(), PeopleError>,
    ) -> Result<(), PeopleError> {
        if !self.door.exists() {
            return Err(PeopleError::Absent {
                folder: self.door.path().parent().unwrap_or(Path::new(".")).to_owned(),
            });
        }
        let path = self.door.path();
        self.door.read(|connection| {
            let told = |source| told(&path, source);
            let mut statement =
                connection.prepare("SELECT n, entry, hash FROM audit ORDER BY n").map_err(told)?;
            let mut rows = statement.query([]).map_err(told)?;
            while let Some(row) = rows.next().map_err(told)? {
                let n: i64 = row.get(0).map_err(told)?;
                let (entry, hash): (String, String) = (row.get(1).map_err(told)?, row.get(2).map_err(told)?);
                each(n.unsigned_abs(), &entry, &hash)?;
            }
            Ok(())
        })
    }

    /// Goes through the whole log: every hash, every number, and that the columns say what the entries say.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn verify(&self) -> Result<Verified, PeopleError> {
        if !self.door.exists() {
            return Ok(Verified::Whole { entries: 0, head: GENESIS.to_owned() });
        }
        let path = self.door.path();
        self.door.read(|connection| {
            let ask = |connection: &Connection| -> rusqlite::Result<Verified> {
                let mut statement =
                    connection.prepare("SELECT n, at_us, who, what, entry, hash FROM audit ORDER BY n")?;
                let mut rows = statement.query([])?;
                let (mut entries, mut head) = (0_u64, GENESIS.to_owned());
                while let Some(row) = rows.next()? {
                    let row = Stored {
                        n: row.get::<_, i64>(0)?.unsigned_abs(),
                        at_us: row.get(1)?,
                        who: row.get(2)?,
                        what: row.get(3)?,
                        entry: row.get(4)?,
                        hash: row.get(5)?,
                    };
                    if let Some(says) = row.wrong(entries + 1, &head) {
                        return Ok(Verified::Broken { n: entries + 1, says });
                    }
                    (entries, head) = (row.n, row.hash);
                }
                Ok(Verified::Whole { entries, head })
            };
            ask(connection).map_err(|source| told(&path, source))
        })
    }

    /// Number and hash of the last entry; `None` before the first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn head(&self) -> Result<Option<(u64, String)>, PeopleError> {
        let path = self.door.path();
        self.door.read(|connection| {
            let sql = "SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1";
            let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?));
            connection.query_row(sql, [], read).optional().map_err(|source| told(&path, source))
        })
    }
}

/// A row as it is.
struct Stored {
    n: u64,
    at_us: i64,
    who: String,
    what: String,
    entry: String,
    hash: String,
}

impl Stored {
    /// What is wrong with it where entry `n` should be, after `previous`.
    fn wrong(&self, n: u64, previous: &str) -> Option<String> {
        if self.n != n {
            return Some(format!("entry {n} is missing; the next one that is there is {}", self.n));
        }
        if hash(previous, &self.entry) != self.hash {
            return Some("its hash is not that of its text and the entry before it".to_owned());
        }
        let entry: AuditEntry = match serde_json::from_str(&self.entry) {
            Ok(entry) => entry,
            Err(error) => return Some(format!("it does not read as an entry: {error}")),
        };
        let same = entry.n == n
            && entry.at.as_microsecond() == self.at_us
            && entry.who == self.who
            && entry.what == self.what;
        (!same).then(|| "the columns by which it is found say something else than the entry".to_owned())
    }
}

fn hash(previous: &str, entry: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(previous);
    hasher.update("\n");
    hasher.update(entry);
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn log(entries: u32) -> (tempfile::TempDir, AuditLog) {
        let folder = tempfile::tempdir().expect("temp folder");
        let log = AuditLog::new(folder.path());
        for n in 1..=entries {
            let entry = NewAuditEntry {
                who: if n % 2 == 0 { "anna" } else { "bo" }.into(),
                what: "load_recipe".into(),
                old: Some(json!(n - 1)),
                new: Some(json!(n)),
                reason: "change of shift, 换班".into(),
                ..NewAuditEntry::default()
            };
            assert_eq!(log.append(entry).expect("written").n, u64::from(n));
        }
        (folder, log)
    }

    /// As somebody with the file and SQLite would.
    fn tamper(folder: &tempfile::TempDir, sql: &str) {
        let connection = Connection::open(folder.path().join("people.sqlite")).expect("a database");
        let triggers = "DROP TRIGGER audit_stays; DROP TRIGGER audit_is_kept;";
        connection.execute_batch(&format!("{triggers}{sql}")).expect("valid SQL");
    }

    #[test]
    fn a_log_that_nobody_touched_is_whole_and_says_its_head() {
        let (_folder, log) = log(5);
        let head = log.head().expect("readable").expect("five entries");
        assert_eq!(log.verify().expect("readable"), Verified::Whole { entries: 5, head: head.1 });
        assert_eq!(head.0, 5);
    }

    #[test]
    fn the_first_broken_link_is_found_whatever_was_done_to_it() {
        let edits = [
            ("UPDATE audit SET entry = replace(entry, 'bo', 'al') WHERE n = 3", 3),
            ("UPDATE audit SET who = 'al' WHERE n = 3", 3),
            ("UPDATE audit SET at_us = at_us + 1 WHERE n = 3", 3),
            ("DELETE FROM audit WHERE n = 3", 3),
            ("DELETE FROM audit WHERE n = 1", 1),
            ("UPDATE audit SET hash = replace(hash, substr(hash, 1, 1), 'f') || '' WHERE n = 2 AND hash NOT LIKE 'f%';
              UPDATE audit SET hash = lower(hex(randomblob(32))) WHERE n = 2", 2),
            ("UPDATE audit SET n = n + 1000 WHERE n >= 3; UPDATE audit SET n = n - 999 WHERE n > 1000", 3),
        ];
        for (sql, first) in edits {
            let (folder, log) = log(6);
            tamper(&folder, sql);
            let found = log.verify().expect("readable");
            assert!(matches!(&found, Verified::Broken { n, .. } if *n == first), "{sql}: {found:?}");
        }
    }

    #[test]
    fn an_entry_is_neither_rewritten_nor_deleted() {
        let (folder, _log) = log(2);
        let connection = Connection::open(folder.path().join("people.sqlite")).expect("a database");
        for sql in ["UPDATE audit SET who = 'x'", "DELETE FROM audit"] {
            let error = connection.execute(sql, []).expect_err("refused").to_string();
            assert!(error.contains("what was done"), "{error}");
        }
    }

    #[test]
    fn entries_are_found_by_person_and_page_by_page() {
        let (_folder, log) = log(9);
        let by = AuditQuery { who: Some("anna".into()), limit: 3, ..AuditQuery::default() };
        let numbers = |query: &AuditQuery| -> Vec<u64> {
            log.find(query).expect("readable").iter().map(|entry| entry.n).collect()
        };
        assert_eq!(numbers(&by), [8, 6, 4]);
        assert_eq!(numbers(&AuditQuery { before: Some(4), ..by.clone() }), [2]);
        assert!(numbers(&AuditQuery { who: Some("' OR 1=1 --".into()), ..by }).is_empty());
    }

    #[test]
    fn two_that_write_at_once_make_one_chain() {
        let (folder, log) = log(1);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let own = AuditLog::new(folder.path());
                    for _ in 0..5 {
                        own.append(NewAuditEntry {
                            who: "x".into(),
                            what: "y".into(),
                            ..NewAuditEntry::default()
                        })
                        .expect("waits for its turn");
                    }
                });
            }
        });
        assert!(matches!(log.verify().expect("readable"), Verified::Whole { entries: 21, .. }));
    }
}
