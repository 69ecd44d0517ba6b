//! Parts that no rule may delete: a claim is open, a study rests on them, somebody wants to keep them.

use crate::{
    LedgerError, Reader,
    beside::{self, Blot},
    record::from_us,
};
use jiff::Timestamp;
use plumb_inspection::PartId;
use rusqlite::{OptionalExtension as _, params};
use std::path::{Path, PathBuf};

/// The pins of one ledger, for whoever opens its folder: the station itself, or a command beside it.
#[derive(Clone, Debug)]
pub struct PinBook {
    folder: PathBuf,
    reader: Reader,
}

/// What was last said about keeping an inspection of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Which part.
    pub part: PartId,
    /// Which of its inspections.
    pub triggered_at: Timestamp,
    /// Since when.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// What for.
    pub why: String,
}

/// Why nothing was pinned.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// There is no record of it.
    #[error("the ledger has no record of part {part}{}; `plumb parts find` shows those it has", at.map_or(String::new(), |at| format!(" of {at:.6}")))]
    NoRecord {
        /// Which.
        part: PartId,
        /// The moment that was given.
        at: Option<Timestamp>,
    },
    /// Nobody signs, or says what for.
    #[error("a pin keeps a part for years: give the name of who wants it, and what for")]
    Unsigned,
    /// The ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl PinBook {
    /// Of the ledger in `folder`, whether a station is running on it or not.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), reader: Reader::new(folder) }
    }

    /// From now on no rule deletes the record and pictures of each of `parts`; `None` is the newest inspection. All of
    /// them or none.
    ///
    /// # Errors
    /// When nobody signs, a part has no record, or the ledger cannot be written.
    pub fn pin(&self, parts: &[(PartId, Option<Timestamp>)], by: &str, why: &str) -> Result<(), PinError> {
        self.say(parts, true, by, why)
    }

    /// The rules hold for `parts` again.
    ///
    /// # Errors
    /// As [`PinBook::pin`].
    pub fn unpin(&self, parts: &[(PartId, Option<Timestamp>)], by: &str, why: &str) -> Result<(), PinError> {
        self.say(parts, false, by, why)
    }

    fn say(
        &self,
        parts: &[(PartId, Option<Timestamp>)],
        pinned: bool,
        by: &str,
        why: &str,
    ) -> Result<(), PinError> {
        if by.trim().is_empty() || why.trim().is_empty() {
            return Err(PinError::Unsigned);
        }
        self.reader.last_part()?; // not made for a pin: what is not there has no records either
        let now_us = Timestamp::now().as_microsecond();
        beside::write(&self.folder, |transaction| {
            for (part, at) in parts {
                let us = at.map(|at| at.as_microsecond());
                let found: Option<i64> = transaction
                    .prepare_cached(
                        "SELECT triggered_us FROM records WHERE part_id = ?1 AND (?2 IS NULL OR triggered_us = ?2)
                         ORDER BY id DESC LIMIT 1",
                    )?
                    .query_row(params![part.get(), us], |row| row.get(0))
                    .optional()?;
                let Some(us) = found else {
                    return Err(Blot::Refused(PinError::NoRecord { part: *part, at: *at }));
                };
                transaction
                    .prepare_cached(
                        "INSERT INTO pins (part_id, triggered_us, pinned, at_us, by, why) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )?
                    .execute(params![part.get(), us, pinned, now_us, by, why])?;
            }
            Ok(())
        })
    }

    /// What is pinned now, the newest pin first.
    ///
    /// # Errors
    /// When there is no ledger, or it cannot be read.
    pub fn pinned(&self) -> Result<Vec<Pin>, LedgerError> {
        self.reader.ask(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT part_id, triggered_us, at_us, by, why FROM pins WHERE pinned = 1 AND id = (
                     SELECT max(id) FROM pins AS newest
                     WHERE newest.part_id = pins.part_id AND newest.triggered_us = pins.triggered_us
                 ) ORDER BY id DESC",
            )?;
            let pins = statement.query_map([], |row| {
                let part = PartId::new(row.get(0)?).unwrap_or(PartId::FIRST); // the record had it
                let (triggered_at, at) = (from_us(row.get(1)?)?, from_us(row.get(2)?)?);
                Ok(Pin { part, triggered_at, at, by: row.get(3)?, why: row.get(4)? })
            })?;
            pins.collect()
        })
    }
}
