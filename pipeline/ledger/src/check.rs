//! Is the ledger whole? Its databases, page by page; its records; its pictures against the disk; the audit chain.

use crate::{AuditLog, LedgerError, Verified, people::PeopleError, schema};
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// Problems of one kind that are told one by one; the others are counted.
const TOLD: usize = 20;

/// What was looked at, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Records in the ledger.
    pub records: u64,
    /// Pictures that the ledger says are on disk.
    pub pictures: u64,
    /// Entries of the audit log.
    pub audit_entries: u64,
    /// A sentence each: what, which, what to do. Empty: it is whole.
    pub problems: Vec<String>,
}

impl Checked {
    /// Looks over the ledger in `folder`, with a station on it or not. `full` reads every record and the digest of every
    /// picture too, which takes as long as reading the whole folder.
    ///
    /// # Errors
    /// When there is no ledger, or so little of it can be read that nothing more is found out.
    pub fn of(folder: &Path, full: bool) -> Result<Self, LedgerError> {
        let path = schema::path(folder);
        let connection = schema::open_reading(folder)?;
        let mut checked = Self::default();
        checked.pages(&connection, &path, full);
        if full {
            checked.readable(&connection, &path);
        }
        checked.counts(&connection, &path)?;
        checked.files(folder, &connection, full).map_err(|source| schema::told(&path, "read", source))?;
        checked.people(folder, full);
        Ok(checked)
    }

    fn pages(&mut self, connection: &Connection, path: &Path, full: bool) {
        let pragma = if full { "integrity_check" } else { "quick_check" };
        let said: rusqlite::Result<Vec<String>> = connection
            .prepare(&format!("PRAGMA {pragma}({TOLD})"))
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect());
        let advice = "stop the station, move the file away, restore the last backup, and let `sqlite3 FILE .recover` bring back what came after it";
        match said {
            Ok(said) if said == ["ok"] => {}
            Ok(said) => {
                let said = said.join("; ").replace('\n', " ");
                self.problems.push(format!("{} is damaged: {said}; {advice}", path.display()));
            }
            Err(error) => self.problems.push(format!("{} is damaged: {error}; {advice}", path.display())),
        }
    }

    /// Every record, as JSON and against its columns.
    fn readable(&mut self, connection: &Connection, path: &Path) {
        let unreadable =
            |row: i64, says: &str| format!("entry {row} of the ledger does not read as a record: {says}");
        let look = || -> rusqlite::Result<Vec<String>> {
            let mut statement = connection.prepare("SELECT id, part_id, json FROM records")?;
            let mut rows = statement.query([])?;
            let mut problems = Vec::new();
            while let Some(row) = rows.next()? {
                let (id, part, json): (i64, u32, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                match serde_json::from_str::<crate::Record>(&json) {
                    Ok(record) if record.part_id.get() == part => {}
                    Ok(record) => problems.push(unreadable(
                        id,
                        &format!("its column says part {part}, it says part {}", record.part_id),
                    )),
                    Err(error) => problems.push(unreadable(id, &error.to_string())),
                }
            }
            Ok(problems)
        };
        match look() {
            Ok(problems) => self.tell(problems, "entries do not read as records"),
            Err(error) => {
                self.problems.push(format!("{} cannot be read to its end: {error}", path.display()))
            }
        }
    }

    fn counts(&mut self, connection: &Connection, path: &Path) -> Result<(), LedgerError> {
        let count = |sql| {
            let count: rusqlite::Result<i64> = connection.query_row(sql, [], |row| row.get(0));
            count.map(i64::unsigned_abs).map_err(|source| schema::told(path, "read", source))
        };
        self.records = count("SELECT count(*) FROM records")?;
        self.pictures = count("SELECT count(*) FROM pictures WHERE path IS NOT NULL AND deletion IS NULL")?;
        Ok(())
    }

    /// Each picture of the ledger on disk, and each file the ledger's.
    fn files(&mut self, folder: &Path, connection: &Connection, full: bool) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(
            "SELECT part_id, path, sha256, bytes FROM pictures WHERE path IS NOT NULL AND deletion IS NULL",
        )?;
        let mut rows = statement.query([])?;
        let (mut known, mut missing, mut changed) = (HashSet::new(), Vec::new(), Vec::new());
        while let Some(row) = rows.next()? {
            let (part, path): (u32, String) = (row.get(0)?, row.get(1)?);
            let (sha256, bytes): (String, Option<i64>) = (row.get(2)?, row.get(3)?);
            let file = folder.join(&path);
            match fs::metadata(&file) {
                Err(error) => {
                    missing.push(format!("the picture {path} of part {part} is not there: {error}"))
                }
                Ok(found) if bytes.is_some_and(|bytes| bytes.unsigned_abs() != found.len()) => {
                    changed.push(format!(
                        "the picture {path} of part {part} has {} bytes, not {}; it is not what was kept",
                        found.len(),
                        bytes.unwrap_or(0)
                    ));
                }
                Ok(_) if full => match digest(&file) {
                    Ok(digest) if digest == sha256 => {}
                    Ok(_) => changed.push(format!(
                        "the picture {path} of part {part} is not what was kept: another digest"
                    )),
                    Err(error) => {
                        missing.push(format!("the picture {path} of part {part} cannot be read: {error}"))
                    }
                },
                Ok(_) => {}
            }
            known.insert(file);
        }
        self.tell(missing, "pictures are not there");
        self.tell(changed, "pictures are not what was kept");
        // A station at work has pictures on disk whose entry is on its way: those of the last minute are let be.
        let old = |file: &Path| {
            let age =
                fs::metadata(file).and_then(|file| file.modified()).ok().and_then(|at| at.elapsed().ok());
            age.is_some_and(|age| age.as_secs() > 60)
        };
        let strangers: Vec<String> = files_below(&folder.join("pictures"))
            .into_iter()
            .filter(|file| !known.contains(file) && old(file))
            .map(|file| {
                format!("{} is in no entry of the ledger; look at it, then delete it", file.display())
            })
            .collect();
        self.tell(strangers, "files are in no entry of the ledger");
        Ok(())
    }

    fn people(&mut self, folder: &Path, full: bool) {
        let path = folder.join("people.sqlite");
        if !path.exists() {
            return;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match Connection::open_with_flags(&path, flags) {
            Ok(connection) => self.pages(&connection, &path, full),
            Err(error) => self.problems.push(format!("{} cannot be opened: {error}", path.display())),
        }
        match AuditLog::new(folder).verify() {
            Ok(Verified::Whole { entries, .. }) => self.audit_entries = entries,
            Ok(Verified::Broken { n, says }) => {
                self.problems.push(format!("entry {n} of the audit log does not hold: {says}"));
            }
            Err(PeopleError::Absent { .. }) => {}
            Err(error) => self.problems.push(format!("the audit log cannot be read: {error}")),
        }
    }

    fn tell(&mut self, mut problems: Vec<String>, all: &str) {
        let count = problems.len();
        problems.truncate(TOLD);
        self.problems.append(&mut problems);
        if count > TOLD {
            self.problems.push(format!("… {count} {all} in all"));
        }
    }
}

fn files_below(pictures: &Path) -> Vec<PathBuf> {
    let days = fs::read_dir(pictures).into_iter().flatten().flatten();
    let days = days.filter(|day| !day.file_name().to_string_lossy().starts_with('.'));
    let files = days.flat_map(|day| fs::read_dir(day.path()).into_iter().flatten().flatten());
    files.map(|file| file.path()).collect()
}

/// SHA-256 of a file, hex, without holding it in memory.
pub(crate) fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut hasher, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => hasher.update(&piece[..read]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
