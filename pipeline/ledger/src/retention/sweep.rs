//! Carrying out the rules: the oldest first, a few at a time, so that records never wait for it.

use super::{KeepConfig, Span};
use crate::{LedgerError, retention::forecast, schema};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// The station's own writer waits for 20 ms before it calls the database busy: the sweep holds it for less.
const HOLD: Duration = Duration::from_millis(8);

/// Rows in one transaction: adapted to the disk between these.
const BATCH: (usize, usize) = (4, 256);

/// The station's commits take milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Every rule, in the order in which they are carried out.
pub const KEEP_RULES: [KeepRule; 5] = [
    KeepRule::PassPictures,
    KeepRule::RejectPictures,
    KeepRule::DiskMax,
    KeepRule::PassRecords,
    KeepRule::RejectRecords,
];

/// A rule that deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeepRule {
    /// `pass_pictures_days`.
    PassPictures,
    /// `reject_pictures_days`.
    RejectPictures,
    /// `disk_max_gb`.
    DiskMax,
    /// `pass_records_days`.
    PassRecords,
    /// `reject_records_days`.
    RejectRecords,
}

impl KeepRule {
    /// The key below `[ledger.keep]`; in the ledger and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PassPictures => "pass_pictures_days",
            Self::RejectPictures => "reject_pictures_days",
            Self::DiskMax => "disk_max_gb",
            Self::PassRecords => "pass_records_days",
            Self::RejectRecords => "reject_records_days",
        }
    }

    fn span(self, keep: &KeepConfig) -> Span {
        match self {
            Self::PassPictures => keep.pass_pictures_days,
            Self::RejectPictures => keep.reject_pictures_days,
            Self::PassRecords => keep.pass_records_days,
            Self::RejectRecords => keep.reject_records_days,
            Self::DiskMax => Span::Forever,
        }
    }

    fn why(self, keep: &KeepConfig) -> String {
        let span = self.span(keep);
        match self {
            Self::PassPictures => format!("pictures of passed parts are kept for {span}"),
            Self::RejectPictures => format!("pictures of rejected parts are kept for {span}"),
            Self::PassRecords => format!("records of passed parts are kept for {span}"),
            Self::RejectRecords => format!("records of rejected parts are kept for {span}"),
            Self::DiskMax => {
                format!("records and pictures may take {} GB", keep.disk_max_gb.unwrap_or(f64::INFINITY))
            }
        }
    }
}

/// What one rule deleted, or would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Records.
    pub records: u64,
    /// Pictures.
    pub pictures: u64,
    /// Bytes of those pictures, as far as they are known.
    pub bytes: u64,
    /// Pictures whose file could not be deleted; the log names each. They are tried again.
    pub stuck: u64,
}

/// The rules, and the ledger that they are for.
#[derive(Clone, Debug)]
pub struct Sweep {
    folder: PathBuf,
    keep: KeepConfig,
}

/// Which parts a rule is about, in SQL over `of`, the alias of a table with `part_id` and `triggered_us`.
fn is_held(of: &str) -> String {
    format!(
        "(coalesce((SELECT pinned FROM pins WHERE pins.part_id = {of}.part_id
              AND pins.triggered_us = {of}.triggered_us ORDER BY id DESC LIMIT 1), 0) = 1
          OR coalesce((SELECT truth <> 'withdrawn' FROM truths WHERE truths.part_id = {of}.part_id
              AND truths.triggered_us = {of}.triggered_us ORDER BY id DESC LIMIT 1), 0) = 1)"
    )
}

/// A picture of a passed part, and of no other inspection of it.
const HAS_PASSED: &str = "EXISTS (SELECT 1 FROM records WHERE records.part_id = pictures.part_id
    AND records.triggered_us = pictures.triggered_us AND records.verdict = 'pass')";

impl Sweep {
    /// Over the ledger in `folder`, whether a station is running on it or not.
    pub fn new(folder: &Path, keep: KeepConfig) -> Self {
        Self { folder: folder.to_owned(), keep }
    }

    /// What would be deleted now. Of `disk_max_gb` the bytes alone are known beforehand.
    ///
    /// # Errors
    /// When there is no ledger, or it cannot be read.
    pub fn look(&self, now: Timestamp) -> Result<BTreeMap<KeepRule, Swept>, LedgerError> {
        let connection = schema::open_reading(&self.folder)?;
        let path = schema::path(&self.folder);
        let told = |source| schema::told(&path, "read", source);
        let mut all = BTreeMap::new();
        let mut freed = 0;
        for rule in KEEP_RULES {
            let mut swept = Swept::default();
            if let Some(until_us) = until_us(rule.span(&self.keep), now) {
                let count = |sql: &str| -> rusqlite::Result<(i64, i64)> {
                    connection.query_row(sql, [until_us], |row| Ok((row.get(0)?, row.get(1)?)))
                };
                let held = is_held(if rule.is_about_pictures() { "pictures" } else { "records" });
                let (rows, bytes) = match rule {
                    KeepRule::PassPictures | KeepRule::RejectPictures => count(&format!(
                        "SELECT count(*), coalesce(sum(bytes), 0) FROM pictures WHERE path IS NOT NULL
                         AND deletion IS NULL AND triggered_us < ?1 AND {} AND NOT {held}",
                        rule.verdict()
                    )),
                    _ => count(&format!(
                        "SELECT count(*), 0 FROM records WHERE {} AND triggered_us < ?1 AND NOT {held}",
                        rule.verdict()
                    )),
                }
                .map_err(told)?;
                let (rows, bytes) = (rows.unsigned_abs(), bytes.unsigned_abs());
                match rule.is_about_pictures() {
                    true => (swept.pictures, swept.bytes) = (rows, bytes),
                    false => swept.records = rows,
                }
            }
            if rule == KeepRule::DiskMax {
                swept.bytes = self.over(&connection)?.saturating_sub(freed);
            }
            freed += swept.bytes;
            all.insert(rule, swept);
        }
        Ok(all)
    }

    /// Deletes what the rules no longer keep, until `goes_on` says no.
    ///
    /// # Errors
    /// When the ledger cannot be read or written. What was deleted until then is noted as deleted.
    pub fn run(
        &self,
        now: Timestamp,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<BTreeMap<KeepRule, Swept>, LedgerError> {
        let reading = schema::open_reading(&self.folder)?;
        let path = schema::path(&self.folder);
        let writing = schema::open_writing(&path, false, PATIENCE)?;
        let mut all = BTreeMap::new();
        for rule in KEEP_RULES {
            let mut broom = Broom {
                sweep: self,
                rule,
                now,
                reading: &reading,
                writing: &writing,
                goes_on,
                deletion: None,
                batch: BATCH.0,
                swept: Swept::default(),
            };
            let done = match (rule, until_us(rule.span(&self.keep), now)) {
                (KeepRule::DiskMax, _) => match self.over(&reading)? {
                    0 => Ok(()),
                    over => broom.make_room(over),
                },
                (_, None) => Ok(()),
                (rule, Some(until)) if rule.is_about_pictures() => {
                    broom.pictures(rule.verdict(), until, u64::MAX)
                }
                (rule, Some(until)) => {
                    rule.verdicts().iter().try_for_each(|verdict| broom.records(verdict, until))
                }
            };
            let swept = broom.swept;
            done.map_err(|source| schema::told(&path, "written", source))?;
            if swept != Swept::default() {
                let Swept { records, pictures, bytes, stuck } = swept;
                tracing::info!(
                    rule = rule.as_str(),
                    records,
                    pictures,
                    bytes,
                    stuck,
                    "{}.",
                    rule.why(&self.keep)
                );
            }
            all.insert(rule, swept);
        }
        Ok(all)
    }

    /// Bytes above `disk_max_gb`.
    fn over(&self, connection: &Connection) -> Result<u64, LedgerError> {
        let Some(max) = self.keep.disk_max_gb else { return Ok(0) };
        let used = forecast::disk_use(&self.folder, connection)?.total();
        Ok(used.saturating_sub((max * 1e9) as u64))
    }
}

/// What was triggered before it is no longer kept; `None`: everything is.
fn until_us(span: Span, now: Timestamp) -> Option<i64> {
    match span {
        Span::Days(days) => Some(now.as_microsecond() - i64::from(days) * 86_400_000_000),
        Span::Forever => None,
    }
}

impl KeepRule {
    fn is_about_pictures(self) -> bool {
        matches!(self, Self::PassPictures | Self::RejectPictures | Self::DiskMax)
    }

    fn verdict(self) -> String {
        match self {
            Self::PassPictures => HAS_PASSED.to_owned(),
            Self::RejectPictures => format!("NOT {HAS_PASSED}"),
            Self::DiskMax => "true".to_owned(),
            Self::PassRecords => "verdict = 'pass'".to_owned(),
            Self::RejectRecords => "verdict <> 'pass'".to_owned(),
        }
    }

    fn verdicts(self) -> &'static [&'static str] {
        match self {
            Self::PassRecords => &["pass"],
            Self::RejectRecords => &["fail", "missed", "late"],
            _ => &[],
        }
    }
}

/// One rule at work.
struct Broom<'a> {
    sweep: &'a Sweep,
    rule: KeepRule,
    now: Timestamp,
    reading: &'a Connection,
    writing: &'a Connection,
    goes_on: &'a dyn Fn() -> bool,
    /// Row in `deletions`, made with the first thing deleted.
    deletion: Option<i64>,
    batch: usize,
    swept: Swept,
}

impl Broom<'_> {
    /// Above the disk's share: pictures of passes go first, then those of rejects, the oldest first.
    fn make_room(&mut self, over: u64) -> rusqlite::Result<()> {
        self.pictures(KeepRule::PassPictures.verdict(), i64::MAX, over)?;
        let left = over.saturating_sub(self.swept.bytes);
        self.pictures(KeepRule::RejectPictures.verdict(), i64::MAX, left)?;
        let left = over.saturating_sub(self.swept.bytes);
        if left > 0 {
            tracing::warn!(
                bytes = left,
                "The ledger takes more of the disk than disk_max_gb allows, and what is left may not be deleted: records, pinned \
                 parts and parts that somebody said a word on."
            );
        }
        Ok(())
    }

    /// Pictures triggered before `until_us`, until `enough` bytes are free.
    fn pictures(&mut self, verdict: String, until_us: i64, enough: u64) -> rusqlite::Result<()> {
        let held = is_held("pictures");
        let find = format!(
            "SELECT id, triggered_us FROM pictures WHERE path IS NOT NULL AND deletion IS NULL
             AND triggered_us < ?1 AND (triggered_us, id) > (?2, ?3) AND {verdict} AND NOT {held}
             ORDER BY triggered_us, id LIMIT ?4"
        );
        let look = format!(
            "SELECT path FROM pictures WHERE id = ?1 AND path IS NOT NULL AND deletion IS NULL AND NOT {held}"
        );
        let (mut after, had) = ((i64::MIN, 0), self.swept.bytes);
        while self.swept.bytes - had < enough && (self.goes_on)() {
            // Found without the lock for writing: this may take a while among many that stay.
            let found = rows(self.reading, &find, until_us, after, self.batch)?;
            let Some(last) = found.last() else { break };
            after = (last.1, last.0);
            self.delete(|broom, transaction, deletion| {
                let mut swept = Swept::default();
                for (id, _) in &found {
                    let mut statement = transaction.prepare_cached(&look)?;
                    let mut paths = statement.query([id])?;
                    let Some(path) = paths.next()?.map(|row| row.get::<_, String>(0)).transpose()? else {
                        continue; // pinned a moment ago
                    };
                    // The file goes first: cut short, the next sweep finds the entry again and no file is forgotten.
                    match broom.sweep.remove(&path) {
                        Ok(bytes) => {
                            swept.pictures += 1;
                            swept.bytes += bytes;
                            transaction
                                .prepare_cached("UPDATE pictures SET deletion = ?1 WHERE id = ?2")?
                                .execute(params![deletion, id])?;
                        }
                        Err(error) => {
                            swept.stuck += 1;
                            tracing::warn!(path, %error, "A picture could not be deleted; it is tried again at the next sweep.");
                        }
                    }
                    if broom.swept.bytes - had + swept.bytes >= enough {
                        break;
                    }
                }
                Ok(swept)
            })?;
        }
        Ok(())
    }

    /// Records of one verdict triggered before `until_us`, none that still has a picture on disk.
    fn records(&mut self, verdict: &str, until_us: i64) -> rusqlite::Result<()> {
        let may_go = format!(
            "NOT {} AND NOT EXISTS (SELECT 1 FROM pictures WHERE pictures.part_id = records.part_id
                 AND pictures.triggered_us = records.triggered_us AND path IS NOT NULL AND deletion IS NULL)",
            is_held("records")
        );
        let find = format!(
            "SELECT id, triggered_us FROM records WHERE verdict = '{verdict}' AND triggered_us < ?1
             AND (triggered_us, id) > (?2, ?3) AND {may_go} ORDER BY triggered_us, id LIMIT ?4"
        );
        let keep_note = format!(
            "INSERT INTO deleted_records (part_id, triggered_us, record, verdict, deletion)
             SELECT part_id, triggered_us, id, verdict, ?1 FROM records WHERE id = ?2 AND {may_go}"
        );
        let mut after = (i64::MIN, 0);
        while (self.goes_on)() {
            let found = rows(self.reading, &find, until_us, after, self.batch)?;
            let Some(last) = found.last() else { break };
            after = (last.1, last.0);
            self.delete(|_, transaction, deletion| {
                let mut swept = Swept::default();
                for (id, _) in &found {
                    let noted = transaction.prepare_cached(&keep_note)?.execute(params![deletion, id])?;
                    if noted == 0 {
                        continue; // pinned a moment ago
                    }
                    transaction
                        .prepare_cached(
                            "DELETE FROM shadow WHERE (part_id, triggered_us) =
                                 (SELECT part_id, triggered_us FROM records WHERE id = ?1)",
                        )?
                        .execute([id])?;
                    transaction.prepare_cached("DELETE FROM records WHERE id = ?1")?.execute([id])?;
                    swept.records += 1;
                }
                Ok(swept)
            })?;
        }
        Ok(())
    }

    /// One transaction, as long as the station's writer may be kept waiting; then its turn.
    fn delete(
        &mut self,
        work: impl FnOnce(&Self, &Transaction<'_>, i64) -> rusqlite::Result<Swept>,
    ) -> rusqlite::Result<()> {
        let writing = self.writing;
        let transaction = Transaction::new_unchecked(writing, TransactionBehavior::Immediate)?;
        let begun = Instant::now();
        let deletion = match self.deletion {
            Some(deletion) => deletion,
            None => {
                let (rule, why) = (self.rule.as_str(), self.rule.why(&self.sweep.keep));
                transaction.execute(
                    "INSERT INTO deletions (at_us, rule, why) VALUES (?1, ?2, ?3)",
                    params![self.now.as_microsecond(), rule, why],
                )?;
                transaction.last_insert_rowid()
            }
        };
        let swept = work(self, &transaction, deletion)?;
        if swept.records + swept.pictures > 0 {
            transaction.commit()?;
            self.deletion = Some(deletion);
        }
        let Swept { records, pictures, bytes, stuck } = &mut self.swept;
        *records += swept.records;
        *pictures += swept.pictures;
        *bytes += swept.bytes;
        *stuck += swept.stuck;
        let took = begun.elapsed();
        self.batch = match took {
            took if took > HOLD => (self.batch / 2).max(BATCH.0),
            took if took < HOLD / 4 => (self.batch * 2).min(BATCH.1),
            _ => self.batch,
        };
        thread::sleep(took.min(Duration::from_millis(100)));
        Ok(())
    }
}

impl Sweep {
    /// Deletes a picture and gives its size; one that is not there is gone already. Its day's folder goes with the last.
    fn remove(&self, path: &str) -> io::Result<u64> {
        let file = self.folder.join(path);
        let bytes = fs::metadata(&file).map_or(0, |file| file.len());
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if let Some(day) = file.parent() {
            let _ = fs::remove_dir(day); // only an empty folder goes
        }
        Ok(bytes)
    }
}

/// Ids and times of the next rows.
fn rows(
    connection: &Connection,
    sql: &str,
    until_us: i64,
    (us, id): (i64, i64),
    limit: usize,
) -> rusqlite::Result<Vec<(i64, i64)>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows =
        statement.query_map(params![until_us, us, id, limit as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}
