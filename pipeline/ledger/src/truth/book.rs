//! Saying what parts were, and finding it again.

use super::{PartSet, Truth, TruthError, Word};
use crate::{
    LedgerError, Reader, Record,
    beside::{self, Blot},
    record::from_us,
};
use jiff::Timestamp;
use plumb_inspection::{PartId, RecipeName};
use rusqlite::{OptionalExtension as _, Transaction, params};
use std::path::{Path, PathBuf};

/// The words on the parts of one ledger, for whoever opens its folder: the station itself, or a command beside it.
#[derive(Clone, Debug)]
pub struct TruthBook {
    folder: PathBuf,
    reader: Reader,
}

/// A word on one inspection of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Which part.
    pub part: PartId,
    /// Which of its inspections; `None` is the newest.
    pub triggered_at: Option<Timestamp>,
    /// What it was.
    pub truth: Truth,
    /// How that is known; may be empty.
    pub why: String,
}

/// What somebody who looked at an inspection of a part said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Which part.
    pub part: PartId,
    /// Which of its inspections; `None` is the newest.
    pub triggered_at: Option<Timestamp>,
    /// What it was, that they cannot say, or that they take back what was said.
    pub word: Word,
    /// The defect they saw; empty where they named none.
    pub class: String,
    /// How that is known; may be empty.
    pub why: String,
}

impl From<&Said> for Review {
    fn from(said: &Said) -> Self {
        let Said { part, triggered_at, truth, why } = said.clone();
        Self { part, triggered_at, word: truth.into(), class: String::new(), why }
    }
}

/// The last word on an inspection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// What was said.
    pub word: Word,
    /// The defect that was named; empty where none was.
    pub class: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// An inspection of which is known what the part was.
#[derive(Clone, Debug, PartialEq)]
pub struct Witnessed {
    /// As the machine saw it; without its pictures.
    pub record: Record,
    /// What it was, by the newest word.
    pub truth: Truth,
    /// The physical thing: several inspections may share it.
    pub piece: String,
    /// What the piece may be used for.
    pub part_set: PartSet,
    /// Who said so last.
    pub by: String,
}

impl TruthBook {
    /// Of the ledger in `folder`, whether a station is running on it or not.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), reader: Reader::new(folder) }
    }

    /// Keeps what `by` says, all of it or nothing, and tells each piece's set.
    ///
    /// # Errors
    /// When nobody signs, a part has no record, or the ledger cannot be written.
    pub fn say(&self, words: &[Said], by: &str) -> Result<Vec<PartSet>, TruthError> {
        self.review(&words.iter().map(Review::from).collect::<Vec<_>>(), by)
    }

    /// As [`TruthBook::say`], for somebody who looks at parts one by one: they may be unsure, name a defect, and take a
    /// word back.
    ///
    /// # Errors
    /// As there.
    pub fn review(&self, words: &[Review], by: &str) -> Result<Vec<PartSet>, TruthError> {
        if by.trim().is_empty() {
            return Err(TruthError::Unsigned);
        }
        // Not made for a word: what is not there has no records either.
        self.reader.last_part()?;
        let now_us = Timestamp::now().as_microsecond();
        beside::write(&self.folder, |transaction| {
            let looks =
                words.iter().map(|said| look(transaction, said)).collect::<rusqlite::Result<Vec<_>>>()?;
            let unknown = words.iter().zip(&looks).filter(|(_, look)| look.is_none());
            let parts: Vec<_> = unknown.map(|(said, _)| (said.part, said.triggered_at)).collect();
            if !parts.is_empty() {
                return Err(Blot::Refused(TruthError::NoRecord { parts }));
            }
            let mut sets = Vec::with_capacity(words.len());
            for (said, look) in words.iter().zip(looks.into_iter().flatten()) {
                sets.push(set_of(transaction, &look.piece, now_us)?);
                transaction
                    .prepare_cached(
                        "INSERT INTO truths (part_id, triggered_us, piece, recipe, truth, at_us, by, why, class)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    )?
                    .execute(params![
                        said.part.get(),
                        look.triggered_us,
                        look.piece,
                        look.recipe,
                        said.word.as_str(),
                        now_us,
                        by,
                        said.why,
                        said.class
                    ])?;
            }
            Ok(sets)
        })
    }

    /// Every inspection by `recipe` of which something was said, oldest first. Records come without their pictures.
    ///
    /// # Errors
    /// When there is no ledger, or it cannot be read.
    pub fn witnessed(&self, recipe: &RecipeName) -> Result<Vec<Witnessed>, LedgerError> {
        let rows = self.reader.ask(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT records.id, records.json, truths.truth, truths.piece, pieces.part_set, truths.by
                 FROM truths
                 JOIN pieces ON pieces.piece = truths.piece
                 JOIN records ON records.part_id = truths.part_id AND records.triggered_us = truths.triggered_us
                 WHERE truths.recipe = ?1 AND truths.truth IN ('good', 'defective') AND truths.id =
                     (SELECT max(id) FROM truths AS newest
                      WHERE newest.part_id = truths.part_id AND newest.triggered_us = truths.triggered_us)
                 ORDER BY records.triggered_us, records.id",
            )?;
            let rows = statement.query_map([recipe.as_str()], |row| {
                Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)))
            })?;
            rows.collect::<rusqlite::Result<Vec<((i64, String), (String, String, String, String))>>>()
        })?;
        let read = |((row, json), (truth, piece, part_set, by)): (
            (i64, String),
            (String, String, String, String),
        )| {
            let record =
                serde_json::from_str(&json).map_err(|source| LedgerError::Unreadable { row, source })?;
            let truth = if truth == Truth::Good.as_str() { Truth::Good } else { Truth::Defective };
            let part_set = if part_set == PartSet::Tune.as_str() { PartSet::Tune } else { PartSet::Certify };
            Ok(Witnessed { record, truth, piece, part_set, by })
        };
        rows.into_iter().map(read).collect()
    }

    /// The newest word on one inspection, if there is one.
    ///
    /// # Errors
    /// As [`TruthBook::witnessed`].
    pub fn of(&self, part: PartId, triggered_at: Timestamp) -> Result<Option<(Truth, String)>, LedgerError> {
        let newest = self.newest(part, triggered_at)?;
        Ok(newest.and_then(|newest| Some((newest.word.truth()?, newest.by))))
    }

    /// The newest word on one inspection, whatever it says; `None` too where it was taken back.
    ///
    /// # Errors
    /// As [`TruthBook::witnessed`].
    pub fn newest(&self, part: PartId, triggered_at: Timestamp) -> Result<Option<Newest>, LedgerError> {
        let found: Option<(String, Newest)> = self.reader.ask(|connection| {
            connection
                .prepare_cached(
                    "SELECT truth, class, by, at_us FROM truths WHERE part_id = ?1 AND triggered_us = ?2
                     ORDER BY id DESC LIMIT 1",
                )?
                .query_row(params![part.get(), triggered_at.as_microsecond()], |row| {
                    let word = Word::Withdrawn;
                    let newest =
                        Newest { word, class: row.get(1)?, by: row.get(2)?, at: from_us(row.get(3)?)? };
                    Ok((row.get(0)?, newest))
                })
                .optional()
        })?;
        let read =
            |(word, newest): (String, Newest)| Some(Newest { word: Word::from_word(&word)?, ..newest });
        Ok(found.and_then(read).filter(|newest| newest.word != Word::Withdrawn))
    }
}

/// The inspection a word is about.
struct Look {
    triggered_us: i64,
    piece: String,
    recipe: String,
}

fn look(transaction: &Transaction<'_>, said: &Review) -> rusqlite::Result<Option<Look>> {
    let at_us = said.triggered_at.map(Timestamp::as_microsecond);
    transaction
        .prepare_cached(
            "SELECT triggered_us, serial, json ->> '$.recipe' FROM records
             WHERE part_id = ?1 AND (?2 IS NULL OR triggered_us = ?2) ORDER BY id DESC LIMIT 1",
        )?
        .query_row(params![said.part.get(), at_us], |row| {
            let (triggered_us, serial, recipe): (i64, Option<String>, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let at = from_us(triggered_us)?;
            let piece = match serial {
                Some(serial) => format!("serial {serial}"),
                None => format!("part {} of {at:.6}", said.part),
            };
            Ok(Look { triggered_us, piece, recipe })
        })
        .optional()
}

/// The piece's set: the one it has, or the one its name gives it now.
fn set_of(transaction: &Transaction<'_>, piece: &str, now_us: i64) -> rusqlite::Result<PartSet> {
    transaction
        .prepare_cached(
            "INSERT INTO pieces (piece, part_set, since_us) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![piece, PartSet::of_new(piece).as_str(), now_us])?;
    let word: String = transaction
        .prepare_cached("SELECT part_set FROM pieces WHERE piece = ?1")?
        .query_row([piece], |row| row.get(0))?;
    Ok(if word == PartSet::Tune.as_str() { PartSet::Tune } else { PartSet::Certify })
}
