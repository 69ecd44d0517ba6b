//! A shadow model's account: how often it said what the machine said, and how sure that makes us.

use crate::{LedgerError, Reader, record::from_us};
use jiff::Timestamp;
use plumb_quality::{Confidence, Share};
use rusqlite::Connection;
use serde::{Serialize, Serializer};

/// Counts over all parts a shadow model saw. `seen` = `skipped` + `not_compared` + `agreements` + `disagreements`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShadowSummary {
    /// Parts of which there is a shadow record.
    pub seen: u64,
    /// Of them: not looked at, each with its reason in its record.
    pub skipped: u64,
    /// Of them: looked at, but the machine missed the part or was late, so there is nothing to compare.
    pub not_compared: u64,
    /// Both said the same.
    pub agreements: u64,
    /// The next three together.
    pub disagreements: u64,
    /// The machine let the part pass, the shadow would have rejected it.
    pub would_fail_where_passed: u64,
    /// The machine rejected the part, the shadow would have let it pass: the ones to look at before it goes live.
    pub would_pass_where_failed: u64,
    /// The machine judged the part, the shadow looked at it and gave no usable answer.
    pub would_miss: u64,
    /// Disagreements in all parts compared, with the interval that holds the true share in 95 of 100 cases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disagreement_rate: Option<Interval>,
    /// When the first of the parts was triggered.
    #[serde(serialize_with = "rfc3339")]
    pub first: Timestamp,
    /// When the last was.
    #[serde(serialize_with = "rfc3339")]
    pub last: Timestamp,
}

/// A share with its exact (Clopper-Pearson) 95 % interval, 0..=1 all three.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// As counted.
    pub share: f64,
    /// The true share is hardly lower.
    pub low: f64,
    /// The true share is hardly higher.
    pub high: f64,
}

impl Reader {
    /// The account of the shadow with this digest; `None` where it has seen no part.
    ///
    /// # Errors
    /// When there is no ledger, or it cannot be read.
    pub fn shadow_summary(&self, digest: &str) -> Result<Option<ShadowSummary>, LedgerError> {
        self.ask(|connection| summary(connection, digest))
    }
}

/// From the table that the database keeps as shadow records come in: a dozen rows a model, whatever it has seen.
fn summary(connection: &Connection, digest: &str) -> rusqlite::Result<Option<ShadowSummary>> {
    let mut statement = connection.prepare_cached(
        "SELECT machine, verdict, parts, first_us, last_us FROM shadow_tally WHERE digest = ?1",
    )?;
    let mut rows = statement.query([digest])?;
    let mut told: Option<ShadowSummary> = None;
    while let Some(row) = rows.next()? {
        let (machine, shadow): (String, String) = (row.get(0)?, row.get(1)?);
        let parts = row.get::<_, i64>(2)?.unsigned_abs();
        let (first, last) = (from_us(row.get(3)?)?, from_us(row.get(4)?)?);
        let told = told.get_or_insert_with(|| ShadowSummary::empty(first, last));
        (told.first, told.last) = (told.first.min(first), told.last.max(last));
        told.seen += parts;
        let kind = match (machine.as_str(), shadow.as_str()) {
            (_, "skipped") => &mut told.skipped,
            ("missed" | "late", _) => &mut told.not_compared,
            ("pass", "pass") | ("fail", "fail") => &mut told.agreements,
            ("pass", "fail") => &mut told.would_fail_where_passed,
            ("fail", "pass") => &mut told.would_pass_where_failed,
            _ => &mut told.would_miss,
        };
        *kind += parts;
    }
    Ok(told.map(ShadowSummary::added_up))
}

impl ShadowSummary {
    fn empty(first: Timestamp, last: Timestamp) -> Self {
        Self {
            seen: 0,
            skipped: 0,
            not_compared: 0,
            agreements: 0,
            disagreements: 0,
            would_fail_where_passed: 0,
            would_pass_where_failed: 0,
            would_miss: 0,
            disagreement_rate: None,
            first,
            last,
        }
    }

    fn added_up(mut self) -> Self {
        self.disagreements = self.would_fail_where_passed + self.would_pass_where_failed + self.would_miss;
        let compared = self.agreements + self.disagreements;
        self.disagreement_rate = Share::new(self.disagreements, compared).ok().map(|share| {
            let sure = share.interval(Confidence::NINETY_FIVE);
            Interval { share: share.seen(), low: sure.lower, high: sure.upper }
        });
        self
    }
}

fn rfc3339<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    crate::record::rfc3339_us::serialize(at, serializer)
}
