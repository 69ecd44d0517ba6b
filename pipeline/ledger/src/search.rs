//! Finding parts among millions, page by page: each kind of question has an index that serves it in order, and the next
//! page begins where the last one ended.

use crate::{
    LedgerError, Reader, Record, RecordVerdict, Truth,
    reader::{Row, ceil_us},
};
use jiff::Timestamp;
use plumb_inspection::PartId;
use rusqlite::{ToSql, params, params_from_iter};
use std::{fmt, str::FromStr};

/// What to look for; everything given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    /// This part.
    pub part: Option<PartId>,
    /// This serial number, exactly.
    pub serial: Option<String>,
    /// One of these verdicts; any where there is none.
    pub verdicts: Vec<RecordVerdict>,
    /// A model found this class.
    pub class: Option<String>,
    /// A person said the contrary of what the machine did: a good part rejected, a defective one passed.
    pub disagrees: bool,
    /// Triggered at this moment or later.
    pub from: Option<Timestamp>,
    /// Triggered before this moment.
    pub until: Option<Timestamp>,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// Parts a page, 1..=1000.
    pub limit: usize,
}

/// Where a page ended; as text, `µs-row`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    triggered_us: i64,
    row: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.triggered_us, self.row)
    }
}

/// Text that is no [`Cursor`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not where a page ended; take it as the page before gave it")]
pub struct CursorError(String);

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let read = || {
            let (us, row) = text.rsplit_once('-')?;
            Some(Self { triggered_us: us.parse().ok()?, row: row.parse().ok()? })
        };
        read().ok_or_else(|| CursorError(text.chars().take(64).collect()))
    }
}

/// One page of what was found, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Records, with their pictures and what people said of them last.
    pub records: Vec<(Record, Option<Truth>)>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
}

impl Reader {
    /// A page of parts, newest first by trigger time.
    ///
    /// # Errors
    /// As [`Reader::find`].
    pub fn search(&self, search: &Search) -> Result<Found, LedgerError> {
        let limit = search.limit.clamp(1, 1000);
        let (sql, values) = search.sql(limit + 1);
        let mut rows = self.ask(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(&values), Row::read)?;
            rows.collect::<rusqlite::Result<Vec<Row>>>()
        })?;
        let is_last = rows.len() <= limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| !is_last);
        let next = next.map(|row| Cursor { triggered_us: row.triggered_us, row: row.id });
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            let triggered_us = row.triggered_us;
            let record = self.read(row)?;
            let truth = self.ask(|connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT truth FROM truths WHERE part_id = ?1 AND triggered_us = ?2 ORDER BY id DESC LIMIT 1",
                )?;
                let mut words = statement.query(params![record.part_id.get(), triggered_us])?;
                words.next()?.map(|row| row.get::<_, String>(0)).transpose()
            })?;
            records.push((record, truth.and_then(|word| Truth::from_word(&word))));
        }
        Ok(Found { records, next })
    }

    /// Every class that a model has ever found, by name.
    ///
    /// # Errors
    /// As [`Reader::find`].
    pub fn classes(&self) -> Result<Vec<String>, LedgerError> {
        // One look a class, however many parts: each jumps to the next name in the index.
        self.ask(|connection| {
            let mut statement = connection.prepare_cached(
                "WITH RECURSIVE names (class) AS (
                     SELECT min(class) FROM record_classes
                     UNION ALL
                     SELECT (SELECT min(class) FROM record_classes WHERE class > names.class) FROM names
                     WHERE names.class IS NOT NULL
                 ) SELECT class FROM names WHERE class IS NOT NULL LIMIT 1000",
            )?;
            statement.query_map([], |row| row.get(0))?.collect()
        })
    }
}

impl Search {
    /// The question in SQL, with its values.
    ///
    /// A list of verdicts is asked one by one and merged: each is then a piece of an index in the order of time, read
    /// from its end, and none is ever sorted whole.
    fn sql(&self, limit: usize) -> (String, Vec<Box<dyn ToSql>>) {
        let verdicts = if self.verdicts.is_empty() { &RecordVerdict::ALL[..] } else { &self.verdicts };
        let mut values = Vec::new();
        // A part or a serial has few records: they are found first, and sorted. `+` keeps other indexes out of it.
        let few = self.part.is_some() || self.serial.is_some();
        let by_verdict = !few && !self.disagrees && (self.class.is_some() || !self.verdicts.is_empty());
        let pieces: Vec<String> = if by_verdict {
            verdicts.iter().map(|verdict| self.piece(&[*verdict], few, limit, &mut values)).collect()
        } else {
            vec![self.piece(&self.verdicts, few, limit, &mut values)]
        };
        let pieces: Vec<String> =
            pieces.into_iter().map(|piece| format!("SELECT * FROM ({piece})")).collect();
        let sql = format!("{} ORDER BY triggered_us DESC, id DESC LIMIT {limit}", pieces.join(" UNION ALL "));
        (sql, values)
    }

    fn piece(
        &self,
        verdicts: &[RecordVerdict],
        few: bool,
        limit: usize,
        values: &mut Vec<Box<dyn ToSql>>,
    ) -> String {
        // What is read in order: words on parts, classes, or records. CROSS JOIN is SQLite's word for "in this order".
        let (from, lead, row) = if self.disagrees {
            let newest = "truths.id = (SELECT max(id) FROM truths AS newest
                 WHERE newest.part_id = truths.part_id AND newest.triggered_us = truths.triggered_us)
                 AND (truths.truth = 'good') = (records.verdict <> 'pass')";
            let from = format!(
                "truths CROSS JOIN records ON records.part_id = truths.part_id
                 AND records.triggered_us = truths.triggered_us AND {newest}"
            );
            (from, "truths.triggered_us", "records.id")
        } else if self.class.is_some() && !few {
            let from = "record_classes AS found CROSS JOIN records ON records.id = found.record".to_owned();
            (from, "found.triggered_us", "found.record")
        } else {
            (
                "records".to_owned(),
                if few { "+records.triggered_us" } else { "records.triggered_us" },
                "records.id",
            )
        };
        let mut sql = format!(
            "SELECT records.id AS id, records.triggered_us AS triggered_us, records.json AS json FROM {from} WHERE true"
        );
        let mut and = |condition: &str, value: Option<Box<dyn ToSql>>| {
            if let Some(value) = value {
                sql += condition;
                values.push(value);
            }
        };
        and(" AND records.part_id = ?", self.part.map(|part| Box::new(part.get()) as _));
        and(" AND records.serial = ?", self.serial.clone().map(|serial| Box::new(serial) as _));
        if let Some(class) = &self.class {
            if lead.starts_with("found") {
                and(" AND found.class = ?", Some(Box::new(class.clone())));
            } else {
                let has = " AND EXISTS (SELECT 1 FROM record_classes AS found WHERE found.class = ?
                     AND found.verdict = records.verdict AND found.triggered_us = records.triggered_us
                     AND found.record = records.id)";
                and(has, Some(Box::new(class.clone())));
            }
        }
        and(&format!(" AND {lead} >= ?"), self.from.map(|from| Box::new(ceil_us(from)) as _));
        and(&format!(" AND {lead} < ?"), self.until.map(|until| Box::new(ceil_us(until)) as _));
        if let Some(Cursor { triggered_us, row: after }) = self.after {
            and(&format!(" AND ({lead}, {row}) < (?"), Some(Box::new(triggered_us)));
            and(", ?)", Some(Box::new(after)));
        }
        if !verdicts.is_empty() {
            let table = if lead.starts_with("found") { "found" } else { "records" };
            let words: Vec<String> =
                verdicts.iter().map(|verdict| format!("'{}'", verdict.as_str())).collect();
            sql += &match &words[..] {
                [word] => format!(" AND {table}.verdict = {word}"),
                words => format!(" AND {table}.verdict IN ({})", words.join(", ")),
            };
        }
        sql + &format!(" ORDER BY {lead} DESC, {row} DESC LIMIT {limit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;
    use rusqlite::Connection;

    fn ledger() -> (tempfile::TempDir, Connection) {
        let folder = tempfile::tempdir().expect("temp folder");
        let connection =
            schema::open_writing(&schema::path(folder.path()), false, std::time::Duration::from_secs(1));
        (folder, connection.expect("a new database"))
    }

    fn plan(connection: &Connection, search: &Search) -> String {
        let (sql, values) = search.sql(51);
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("valid SQL");
        let lines =
            statement.query_map(params_from_iter(&values), |row| row.get::<_, String>(3)).expect("a plan");
        lines.map(|line| line.expect("text")).collect::<Vec<_>>().join("\n")
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a moment")
    }

    #[test]
    fn an_index_serves_every_question_and_no_page_reads_the_whole_table() {
        let (_folder, connection) = ledger();
        let all = Search { limit: 50, ..Search::default() };
        let after = Some(Cursor { triggered_us: 5, row: 7 });
        let time = Search { from: Some(at(1)), until: Some(at(9)), ..all.clone() };
        let rejects = vec![RecordVerdict::Fail, RecordVerdict::Missed, RecordVerdict::Late];
        for (search, index) in [
            (all.clone(), "records_by_time"),
            (time.clone(), "records_by_time (triggered_us>? AND triggered_us<?)"),
            (Search { after, ..all.clone() }, "records_by_time (triggered_us<?)"),
            (Search { part: PartId::new(3), ..time.clone() }, "records_by_part (part_id=?)"),
            (Search { serial: Some("S".into()), ..time.clone() }, "records_by_serial (serial=?)"),
            (
                Search { verdicts: rejects.clone(), after, ..all.clone() },
                "records_by_verdict (verdict=? AND triggered_us<?)",
            ),
            (
                Search { class: Some("dent".into()), ..time.clone() },
                "PRIMARY KEY (class=? AND verdict=? AND triggered_us>? AND triggered_us<?)",
            ),
            (
                Search { class: Some("dent".into()), verdicts: rejects, after, ..all.clone() },
                "PRIMARY KEY (class=? AND verdict=? AND (triggered_us,record)<(?,?))",
            ),
            (Search { disagrees: true, ..time }, "truths_by_time (triggered_us>? AND triggered_us<?)"),
        ] {
            let plan = plan(&connection, &search);
            assert!(plan.contains(index), "{search:?}\n{plan}");
            assert!(
                !plan.contains("SCAN records\n") && !plan.ends_with("SCAN records"),
                "{search:?}\n{plan}"
            );
        }
    }

    #[test]
    fn a_cursor_reads_as_it_is_written_and_nothing_else_does() {
        for cursor in
            [Cursor { triggered_us: 1_700_000_000_000_000, row: 12 }, Cursor { triggered_us: -5, row: 1 }]
        {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for bad in ["", "1", "1-", "x-1", "1-2-", "1' OR 1=1 --", "9999999999999999999999-1"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
