//! How long the disk lasts: what came in a day, what the rules will give back, and the room that is left.

use super::{KeepConfig, Span};
use crate::{LedgerError, schema};
use jiff::Timestamp;
use rusqlite::Connection;
use std::{collections::BTreeMap, ffi::OsString, fs, path::Path};

const DAY_US: i64 = 86_400_000_000;

/// What came in is averaged over at most so many days, which has a weekend in it; at least over an hour.
const WINDOW_US: (i64, i64) = (DAY_US / 24, 7 * DAY_US);

/// Looked ahead so far, in days. What lasts as long lasts.
pub(crate) const HORIZON: u32 = 3650;

/// What a ledger takes of the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// Database and its write-ahead log, in bytes. Room of deleted records is used again, not given back.
    pub database: u64,
    /// Pictures on disk, in bytes.
    pub pictures: u64,
}

impl DiskUse {
    /// Both.
    pub fn total(self) -> u64 {
        self.database + self.pictures
    }
}

/// How things will go if they go on as in the last week.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// What is taken now.
    pub used: DiskUse,
    /// What the file system has left for us, in bytes.
    pub free: u64,
    /// New records and pictures a day, in bytes.
    pub daily: u64,
    /// Until the disk is full, or until `disk_max_gb` deletes pictures before their time; 3650 where neither happens as far
    /// as one can see.
    pub days_left: f64,
    /// `disk_max_gb` comes before the end of the disk.
    pub is_by_rule: bool,
}

impl Outlook {
    /// Of the ledger in `folder` under the rules of `keep`. Takes a second with millions of pictures.
    ///
    /// # Errors
    /// When there is no ledger, or it or its file system cannot be read.
    pub fn of(folder: &Path, keep: &KeepConfig, now: Timestamp) -> Result<Self, LedgerError> {
        let connection = schema::open_reading(folder)?;
        let path = schema::path(folder);
        let volume = rustix::fs::statvfs(folder)
            .map_err(|error| LedgerError::Folder { path: folder.to_owned(), source: error.into() })?;
        let used = disk_use(folder, &connection)?;
        let history =
            History::read(&connection, used, now).map_err(|source| schema::told(&path, "read", source))?;
        Ok(history.outlook(keep, used, volume.f_bavail * volume.f_frsize))
    }
}

/// Sizes of the database's files, and of the pictures that it knows.
pub(crate) fn disk_use(folder: &Path, connection: &Connection) -> Result<DiskUse, LedgerError> {
    let path = schema::path(folder);
    let mut log = OsString::from(&path);
    log.push("-wal");
    let size = |file: &Path| fs::metadata(file).map_or(0, |file| file.len());
    // Entries of before sizes were noted count as the average of the others.
    let pictures: f64 = connection
        .query_row(
            "SELECT coalesce(avg(bytes), 0) * count(*) FROM pictures WHERE path IS NOT NULL AND deletion IS NULL",
            [],
            |row| row.get(0),
        )
        .map_err(|source| schema::told(&path, "read", source))?;
    Ok(DiskUse { database: size(&path) + size(log.as_ref()), pictures: pictures as u64 })
}

/// What came in, by day.
#[derive(Debug, Default)]
struct History {
    /// Days since 1970 → bytes of pictures still on disk, of passes and of others.
    pictures: BTreeMap<i64, [f64; 2]>,
    today: i64,
    /// Bytes a day that come in: pictures of passes, of others, records.
    daily: [f64; 3],
    /// Days since the oldest record.
    age: f64,
}

impl History {
    fn read(connection: &Connection, used: DiskUse, now: Timestamp) -> rusqlite::Result<Self> {
        let now_us = now.as_microsecond();
        let mut history = Self { today: now_us.div_euclid(DAY_US), ..Self::default() };
        let (count, first_us): (i64, Option<i64>) = connection.query_row(
            "SELECT coalesce(max(id) - min(id) + 1, 0), (SELECT min(triggered_us) FROM records) FROM records",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let Some(first_us) = first_us else { return Ok(history) };
        let window_us = (now_us - first_us).clamp(WINDOW_US.0, WINDOW_US.1);
        let (per_day, since_us) = (DAY_US as f64 / window_us as f64, now_us - window_us);
        history.age = (now_us - first_us).max(0) as f64 / DAY_US as f64;
        let recent: i64 = connection.query_row(
            "SELECT count(*) FROM records WHERE triggered_us >= ?1",
            [since_us],
            |row| row.get(0),
        )?;
        history.daily[2] = used.database as f64 / count.max(1) as f64 * recent as f64 * per_day;
        let mut statement = connection.prepare(
            "SELECT triggered_us / 86400000000 AS day, EXISTS (
                 SELECT 1 FROM records WHERE records.part_id = pictures.part_id
                 AND records.triggered_us = pictures.triggered_us AND records.verdict = 'pass'
             ) AS passed, sum(coalesce(bytes, ?1)), sum(CASE WHEN triggered_us >= ?2 THEN coalesce(bytes, ?1) ELSE 0 END)
             FROM pictures WHERE path IS NOT NULL AND deletion IS NULL GROUP BY day, passed",
        )?;
        let average: i64 = connection.query_row(
            "SELECT CAST(coalesce(avg(bytes), 0) AS INTEGER) FROM pictures WHERE path IS NOT NULL AND deletion IS NULL",
            [],
            |row| row.get(0),
        )?;
        let mut rows = statement.query([average, since_us])?;
        while let Some(row) = rows.next()? {
            let (day, passed): (i64, bool) = (row.get(0)?, row.get(1)?);
            let (bytes, recent): (i64, i64) = (row.get(2)?, row.get(3)?);
            let class = usize::from(!passed);
            history.pictures.entry(day).or_default()[class] += bytes as f64;
            history.daily[class] += recent as f64 * per_day;
        }
        Ok(history)
    }

    /// Day by day: what comes in, less what the rules delete of what is there now or has come by then.
    fn outlook(&self, keep: &KeepConfig, used: DiskUse, free: u64) -> Outlook {
        let of_rule = keep.disk_max_gb.map(|gb| gb * 1e9 - used.total() as f64);
        let is_by_rule = of_rule.is_some_and(|room| room < free as f64);
        let mut room = of_rule.unwrap_or(f64::MAX).min(free as f64);
        let spans = [keep.pass_pictures_days, keep.reject_pictures_days];
        let mut days_left = f64::from(HORIZON);
        for day in 0..HORIZON {
            let mut growth = self.daily.iter().sum::<f64>();
            for (class, span) in spans.iter().enumerate() {
                let Span::Days(days) = span else { continue };
                let from = i64::from(day) - i64::from(*days); // of today
                growth -= match from {
                    ..0 => self.pictures.get(&(self.today + from)).map_or(0.0, |day| day[class]),
                    _ => self.daily[class],
                };
            }
            // Room of deleted records is used again: from then on the database grows no more.
            if let Span::Days(days) = keep.pass_records_days
                && self.age + f64::from(day) >= f64::from(days)
            {
                growth -= self.daily[2];
            }
            if growth > room {
                days_left = f64::from(day) + (room.max(0.0) / growth).min(1.0);
                break;
            }
            room -= growth;
        }
        Outlook { used, free, daily: self.daily.iter().sum::<f64>() as u64, days_left, is_by_rule }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(daily: [f64; 3]) -> History {
        History { daily, today: 20_000, age: 0.0, pictures: BTreeMap::new() }
    }

    fn days_left(history: &History, keep: &KeepConfig, used: u64, free: u64) -> f64 {
        history.outlook(keep, DiskUse { database: used, pictures: 0 }, free).days_left
    }

    const FOREVER: KeepConfig = KeepConfig {
        pass_pictures_days: Span::Forever,
        reject_pictures_days: Span::Forever,
        pass_records_days: Span::Forever,
        reject_records_days: Span::Forever,
        disk_max_gb: None,
    };

    #[test]
    fn without_rules_the_disk_lasts_as_long_as_its_room_over_what_comes_in() {
        let left = days_left(&history([1e9, 0.5e9, 0.5e9]), &FOREVER, 0, 21_000_000_000);
        assert!((left - 10.5).abs() < 1e-9, "{left}");
        assert_eq!(days_left(&history([0.0; 3]), &FOREVER, 0, 0), f64::from(HORIZON), "nothing comes in");
        assert_eq!(days_left(&history([1.0, 0.0, 0.0]), &FOREVER, 0, 0), 0.0, "no room at all");
    }

    #[test]
    fn what_the_rules_give_back_counts() {
        let keep = KeepConfig { pass_pictures_days: Span::Days(5), ..FOREVER };
        // Five days of passes at a GB a day, then only what is kept for ever: 0.1 GB a day.
        let left = days_left(&history([1e9, 0.1e9, 0.0]), &keep, 0, 6_500_000_000);
        assert!((left - 15.0).abs() < 1e-6, "5.5 GB in five days, then 1 GB in ten: {left}");
        // The same, but the last five days are on disk already: growth is that of rejects from the start.
        let mut full = history([1e9, 0.1e9, 0.0]);
        full.pictures = (19_995..20_000).map(|day| (day, [1e9, 0.1e9])).collect();
        let left = days_left(&full, &keep, 0, 1_000_000_000);
        assert!((left - 10.0).abs() < 1e-6, "{left}");
        let fits = KeepConfig { reject_pictures_days: Span::Days(5), ..keep };
        assert_eq!(days_left(&full, &fits, 0, 10_000_000), f64::from(HORIZON), "as much goes as comes");
    }

    #[test]
    fn records_that_are_deleted_make_room_for_records() {
        let keep = KeepConfig { pass_records_days: Span::Days(100), ..FOREVER };
        let old = History { age: 95.0, ..history([0.0, 0.0, 1e8]) };
        assert_eq!(days_left(&old, &keep, 0, 600_000_000), f64::from(HORIZON));
        let left = days_left(&old, &keep, 0, 400_000_000);
        assert!((left - 4.0).abs() < 1e-6, "{left}");
    }

    #[test]
    fn the_share_of_the_disk_may_end_before_the_disk() {
        let keep = KeepConfig { disk_max_gb: Some(20.0), ..FOREVER };
        let outlook = history([1e9, 0.0, 0.0]).outlook(
            &keep,
            DiskUse { database: 10_000_000_000, pictures: 5_000_000_000 },
            100_000_000_000,
        );
        assert!(outlook.is_by_rule && (outlook.days_left - 5.0).abs() < 1e-9, "{outlook:?}");
    }
}
