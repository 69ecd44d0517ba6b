//! A copy of the ledger in another folder, taken while the station writes, and the way back.
//!
//! A backup is a folder: `ledger.sqlite` and, where there is one, `people.sqlite`, each as it was at one instant;
//! `pictures/…`; and `backup.json`, written last. Without that, or with a file that is not as it says, it is half a
//! backup and is not restored. A folder with a backup in it may be given again: pictures that are there are not copied
//! twice, and what is no longer in the ledger goes.

use crate::{
    LedgerError,
    beside::{self, Blot},
    check::digest,
    ledger::lock,
    record::whole_us,
    schema,
};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, params};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

const MANIFEST: &str = "backup.json";
const SCHEMA: &str = "plumb.backup/1";
const LEDGER: &str = "ledger.sqlite";
const PEOPLE: &str = "people.sqlite";

/// Part ids given out between the backup and its restoring are unknown: so many a second, and at least so many, are left
/// out, so that none is given twice. No line makes a hundred parts a second.
const IDS: (u64, u64) = (100, 100_000);

/// What is in a backup: `backup.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// Always `plumb.backup/1`.
    pub schema: String,
    /// When the copy of the database was begun; what was written later is not in it.
    pub at: Timestamp,
    /// Records in it.
    pub records: u64,
    /// Pictures in it.
    pub pictures: u64,
    /// Pictures that the ledger says are on disk and were not there to be copied.
    pub pictures_missing: u64,
    /// Bytes of all pictures.
    pub picture_bytes: u64,
    /// The databases.
    pub files: Vec<BackupFile>,
}

/// A database in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupFile {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256, hex.
    pub sha256: String,
}

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The folder to write to holds something else.
    #[error("{} holds other things than a backup of Plumb; give an empty folder, or one with a backup to bring up to date", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// A backup into the ledger itself is none.
    #[error("{} lies in the ledger's own folder; a backup belongs on another disk", folder.display())]
    Inside {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder to restore from holds none, or not all of it.
    #[error("{} holds half a backup: {why}; it was cut short or damaged, take an earlier or a new one", folder.display())]
    Half {
        /// The folder.
        folder: PathBuf,
        /// What is missing or differs.
        why: String,
    },
    /// There is a ledger already.
    #[error("{} holds a ledger already, with all it has seen since; move it away first, then restore", folder.display())]
    Occupied {
        /// The folder.
        folder: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{} could not be {doing}: {source}; is there room, and may Plumb go there?", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// `copied`, `read`, `written`.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

fn failed(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, doing, source }
}

impl Backup {
    /// Copies the ledger in `from` into `to`, whether a station is writing it or not, and notes in the ledger that it did.
    ///
    /// # Errors
    /// When there is no ledger, `to` holds something else, or something cannot be copied. What lies in `to` then is no
    /// backup, and says so when it is restored.
    pub fn take(from: &Path, to: &Path) -> Result<Self, BackupError> {
        let source = schema::open_reading(from)?;
        if !may_take(to).map_err(failed(to, "read"))? {
            return Err(BackupError::NotEmpty { folder: to.to_owned() });
        }
        fs::create_dir_all(to).map_err(failed(to, "written"))?;
        let inside = |(to, from): (PathBuf, PathBuf)| to.starts_with(&from);
        if fs::canonicalize(to).and_then(|to| Ok((to, fs::canonicalize(from)?))).is_ok_and(inside) {
            return Err(BackupError::Inside { folder: to.to_owned() });
        }
        remove_if_there(&to.join(MANIFEST))?; // from here on it is half a backup
        let at = whole_us(SystemTime::now());
        let mut files = vec![copy_database(&source, &schema::path(from), to, LEDGER)?];
        let people = from.join(PEOPLE);
        if people.exists() {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&people, flags)
                .map_err(|source| schema::told(&people, "opened", source))?;
            files.push(copy_database(&connection, &people, to, PEOPLE)?);
        }
        drop(source);
        let copy = Copy { connection: open_copy(&to.join(LEDGER))?, path: to.join(LEDGER) };
        let mut backup = Self {
            schema: SCHEMA.to_owned(),
            at,
            records: copy.records()?,
            pictures: 0,
            pictures_missing: 0,
            picture_bytes: 0,
            files,
        };
        let mut known = HashSet::new();
        for path in copy.pictures()? {
            match copy_picture(&from.join(&path), &to.join(&path))? {
                Some(bytes) => {
                    backup.pictures += 1;
                    backup.picture_bytes += bytes;
                    known.insert(to.join(&path));
                }
                None => backup.pictures_missing += 1, // deleted by a rule since the database was copied, or lost
            }
        }
        forget_others(&to.join("pictures"), &known).map_err(failed(to, "written"))?;
        let manifest = to.join(MANIFEST);
        let text = serde_json::to_string_pretty(&backup).expect("strings and numbers");
        fs::write(&manifest, text + "\n").map_err(failed(&manifest, "written"))?;
        File::open(&manifest).and_then(|file| file.sync_all()).map_err(failed(&manifest, "written"))?;
        rustix::fs::sync(); // pictures as well: a backup that a power failure takes is none
        beside::write(from, |transaction| {
            transaction.execute(
                "INSERT INTO backups (at_us, folder, records, pictures) VALUES (?1, ?2, ?3, ?4)",
                params![
                    at.as_microsecond(),
                    to.display().to_string(),
                    backup.records as i64,
                    backup.pictures as i64
                ],
            )?;
            Ok::<_, Blot<LedgerError>>(())
        })?;
        Ok(backup)
    }

    /// What the backup in `folder` holds, after its databases were compared with what it says, and its pictures counted.
    ///
    /// # Errors
    /// When it is half a backup, or cannot be read.
    pub fn read(folder: &Path) -> Result<Self, BackupError> {
        let half = |why: String| BackupError::Half { folder: folder.to_owned(), why };
        let manifest = folder.join(MANIFEST);
        let text = match fs::read_to_string(&manifest) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(half(format!("{MANIFEST} is missing, which is written last")));
            }
            text => text.map_err(failed(&manifest, "read"))?,
        };
        let backup: Self = serde_json::from_str(&text)
            .map_err(|error| half(format!("{MANIFEST} does not read: {error}")))?;
        if backup.schema != SCHEMA {
            return Err(half(format!("{MANIFEST} says {:?}, this Plumb reads {SCHEMA:?}", backup.schema)));
        }
        for file in &backup.files {
            let path = folder.join(&file.name);
            if ![LEDGER, PEOPLE].contains(&file.name.as_str()) {
                return Err(half(format!("it names a file {:?}, which no backup has", file.name)));
            }
            let bytes = match fs::metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(half(format!("{} is missing", file.name)));
                }
                found => found.map_err(failed(&path, "read"))?.len(),
            };
            if bytes != file.bytes {
                return Err(half(format!("{} has {bytes} bytes, not {}", file.name, file.bytes)));
            }
            if digest(&path).map_err(failed(&path, "read"))? != file.sha256 {
                return Err(half(format!("{} is not the file that was written", file.name)));
            }
        }
        if !backup.files.iter().any(|file| file.name == LEDGER) {
            return Err(half(format!("it names no {LEDGER}")));
        }
        let copy = Copy { connection: open_copy(&folder.join(LEDGER))?, path: folder.join(LEDGER) };
        let there = copy.pictures()?.into_iter().filter(|path| folder.join(path).is_file()).count() as u64;
        if there < backup.pictures {
            return Err(half(format!(
                "{} of its {} pictures are missing",
                backup.pictures - there,
                backup.pictures
            )));
        }
        Ok(backup)
    }

    /// Puts the backup in `from` into the data folder `to`, which has no ledger. Part ids go on far behind those that may
    /// have been given out since.
    ///
    /// # Errors
    /// When it is half a backup, `to` has a ledger or is in use by a station, or something cannot be copied.
    pub fn restore(from: &Path, to: &Path) -> Result<Self, BackupError> {
        let backup = Self::read(from)?;
        if schema::path(to).exists() {
            return Err(BackupError::Occupied { folder: to.to_owned() });
        }
        let _alone = lock(to)?;
        let copy = Copy { connection: open_copy(&from.join(LEDGER))?, path: from.join(LEDGER) };
        for path in copy.pictures()? {
            copy_picture(&from.join(&path), &to.join(&path))?;
        }
        // The ledger's own file comes last: until then there is none, and one may begin anew.
        let mut files: Vec<&BackupFile> = backup.files.iter().collect();
        files.sort_by_key(|file| file.name == LEDGER);
        for file in files {
            let (path, arriving) = (to.join(&file.name), to.join(format!("{}.arriving", file.name)));
            fs::copy(from.join(&file.name), &arriving).map_err(failed(&arriving, "copied"))?;
            if file.name == PEOPLE {
                keep_private(&arriving).map_err(failed(&arriving, "written"))?;
            } else {
                leave_ids_out(&arriving, backup.at)?;
            }
            File::open(&arriving).and_then(|file| file.sync_all()).map_err(failed(&arriving, "written"))?;
            fs::rename(&arriving, &path).map_err(failed(&path, "written"))?;
        }
        Ok(backup)
    }

    /// When the ledger in `folder` was last backed up; `None`: never.
    ///
    /// # Errors
    /// When there is no ledger, or it cannot be read.
    pub fn last(folder: &Path) -> Result<Option<Timestamp>, LedgerError> {
        let last: Option<i64> = schema::open_reading(folder)?
            .query_row("SELECT max(at_us) FROM backups", [], |row| row.get(0))
            .map_err(|source| schema::told(&schema::path(folder), "read", source))?;
        Ok(last.and_then(|us| Timestamp::from_microsecond(us).ok()))
    }
}

/// Nothing, or what a backup made.
fn may_take(folder: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        entries => entries?,
    };
    let ours = [MANIFEST, LEDGER, PEOPLE, "pictures", "lost+found"];
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if !ours.contains(&name.trim_end_matches(".arriving")) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// As of one instant, while others write, and without the holes that deleted rows leave.
fn copy_database(from: &Connection, path: &Path, to: &Path, name: &str) -> Result<BackupFile, BackupError> {
    let arriving = to.join(format!("{name}.arriving"));
    remove_if_there(&arriving)?;
    from.execute("VACUUM INTO ?1", [arriving.display().to_string()])
        .map_err(|source| schema::told(path, "copied", source))?;
    if name == PEOPLE {
        keep_private(&arriving).map_err(failed(&arriving, "written"))?;
    }
    File::open(&arriving).and_then(|file| file.sync_all()).map_err(failed(&arriving, "written"))?;
    let bytes = fs::metadata(&arriving).map_err(failed(&arriving, "read"))?.len();
    let sha256 = digest(&arriving).map_err(failed(&arriving, "read"))?;
    let done = to.join(name);
    fs::rename(&arriving, &done).map_err(failed(&done, "written"))?;
    Ok(BackupFile { name: name.to_owned(), bytes, sha256 })
}

/// Digests of passwords are in it.
fn keep_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

fn remove_if_there(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, "written")(error)),
        _ => Ok(()),
    }
}

/// Gives its size; `None` if there is none. One that is there already is the same: pictures never change.
fn copy_picture(from: &Path, to: &Path) -> Result<Option<u64>, BackupError> {
    let bytes = match fs::metadata(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.map_err(failed(from, "read"))?.len(),
    };
    if fs::metadata(to).is_ok_and(|there| there.len() == bytes) {
        return Ok(Some(bytes));
    }
    if let Some(day) = to.parent() {
        fs::create_dir_all(day).map_err(failed(day, "written"))?;
    }
    let arriving = to.with_extension("arriving");
    match fs::copy(from, &arriving) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !from.exists() => return Ok(None),
        copied => copied.map_err(failed(to, "copied"))?,
    };
    fs::rename(&arriving, to).map_err(failed(to, "written"))?;
    Ok(Some(bytes))
}

/// Removes pictures of an earlier backup that the ledger no longer keeps.
fn forget_others(pictures: &Path, known: &HashSet<PathBuf>) -> io::Result<()> {
    let days = match fs::read_dir(pictures) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        days => days?,
    };
    for day in days {
        let day = day?.path();
        for file in fs::read_dir(&day)? {
            let file = file?.path();
            if !known.contains(&file) {
                fs::remove_file(&file)?;
            }
        }
        let _ = fs::remove_dir(&day); // only an empty folder goes
    }
    Ok(())
}

/// The copied ledger, opened for looking alone.
struct Copy {
    connection: Connection,
    path: PathBuf,
}

/// `immutable`: nobody writes it, and nothing is to appear beside it.
fn open_copy(path: &Path) -> Result<Connection, LedgerError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let escaped: String = path
        .display()
        .to_string()
        .chars()
        .map(|c| match c {
            '%' => "%25".to_owned(),
            '?' => "%3f".to_owned(),
            '#' => "%23".to_owned(),
            c => c.to_string(),
        })
        .collect();
    Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)
        .map_err(|source| schema::told(path, "opened", source))
}

impl Copy {
    fn records(&self) -> Result<u64, LedgerError> {
        let count: rusqlite::Result<i64> =
            self.connection.query_row("SELECT count(*) FROM records", [], |row| row.get(0));
        count.map(i64::unsigned_abs).map_err(|source| schema::told(&self.path, "read", source))
    }

    /// Of those on disk. A backup of before version 6 knows of no deletions.
    fn pictures(&self) -> Result<Vec<String>, LedgerError> {
        let read = || {
            let version: i64 = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            let kept = if version >= 6 { "AND deletion IS NULL" } else { "" };
            let sql = format!("SELECT path FROM pictures WHERE path IS NOT NULL {kept} ORDER BY id");
            let mut statement = self.connection.prepare(&sql)?;
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
        };
        let mut paths = read().map_err(|source| schema::told(&self.path, "read", source))?;
        // A database that somebody gave us says where files go: nowhere but below `pictures`.
        paths.retain(|path| path.starts_with("pictures/") && !path.split('/').any(|step| step == ".."));
        Ok(paths)
    }
}

fn leave_ids_out(database: &Path, since: Timestamp) -> Result<(), LedgerError> {
    let seconds = Timestamp::now().as_second().saturating_sub(since.as_second()).max(0).unsigned_abs();
    let ids = seconds.saturating_mul(IDS.0).max(IDS.1);
    let ids = i64::try_from(ids).unwrap_or(i64::MAX / 2);
    Connection::open(database)
        .and_then(|connection| connection.execute("UPDATE numbers SET ceiling = ceiling + ?1", [ids]))
        .map(drop)
        .map_err(|source| schema::told(database, "written", source))
}
