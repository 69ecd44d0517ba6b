//! Finding shadow records again.

use super::ShadowRecord;
use crate::{LedgerError, Reader};
use plumb_inspection::PartId;
use rusqlite::ToSql;

/// What [`Reader::shadow`] gives when nothing else is asked for.
const FIND: usize = 100;

/// What to look for; everything given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShadowQuery {
    /// By the model with this digest, whole.
    pub model: Option<String>,
    /// Of this part.
    pub part: Option<PartId>,
    /// Those where the shadow says something else than the machine did.
    pub disagreements: bool,
    /// No more than this; `None` is 100.
    pub limit: Option<usize>,
}

impl Reader {
    /// Shadow records, newest first in the order they were written.
    ///
    /// # Errors
    /// When there is no ledger, or it cannot be read.
    pub fn shadow(&self, query: &ShadowQuery) -> Result<Vec<ShadowRecord>, LedgerError> {
        let (sql, values) = select(query);
        let rows = self.ask(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let rows = statement
                .query_map(rusqlite::params_from_iter(&values), |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<(i64, String)>>>()
        })?;
        let read = |(row, json): (i64, String)| {
            serde_json::from_str(&json).map_err(|source| LedgerError::Unreadable { row, source })
        };
        rows.into_iter().map(read).collect()
    }
}

/// Index lookups all, see the test.
fn select(query: &ShadowQuery) -> (String, Vec<Box<dyn ToSql>>) {
    let mut filter = "true".to_owned();
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if let Some(part) = query.part {
        filter += " AND part_id = ?";
        values.push(Box::new(part.get()));
    }
    if let Some(model) = query.model.clone() {
        // Disagreements are few: with them, or in one part's rows, the model is looked for row by row (`+`).
        let by_row = query.disagreements || query.part.is_some();
        filter += if by_row { " AND +digest = ?" } else { " AND digest = ?" };
        values.push(Box::new(model));
    }
    if query.disagreements {
        filter += " AND agrees = 0";
    }
    let limit = query.limit.unwrap_or(FIND);
    (format!("SELECT id, json FROM shadow WHERE {filter} ORDER BY id DESC LIMIT {limit}"), values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ledger, LedgerConfig};

    #[test]
    fn every_lookup_has_its_index_and_none_has_to_sort() {
        let folder = tempfile::tempdir().expect("temp folder");
        drop(Ledger::open(folder.path(), LedgerConfig::default()).expect("a ledger"));
        let reader = Reader::new(folder.path());
        let any = ShadowQuery::default();
        let model = || ShadowQuery { model: Some("ab".to_owned()), ..ShadowQuery::default() };
        let part = PartId::new(7);
        let rows = [
            (any.clone(), "SCAN shadow"), // backwards along the rows, until there are enough
            (model(), "shadow_by_model (digest=?)"),
            (ShadowQuery { part, ..any.clone() }, "shadow_by_part (part_id=?)"),
            (ShadowQuery { part, ..model() }, "shadow_by_part (part_id=?)"),
            (ShadowQuery { disagreements: true, ..any }, "shadow_disagreeing (agrees=?)"),
            (ShadowQuery { disagreements: true, ..model() }, "shadow_disagreeing (agrees=?)"),
        ];
        for (query, index) in rows {
            let (sql, values) = select(&query);
            let plan: Vec<String> = reader
                .ask(|connection| {
                    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                    let steps = statement
                        .query_map(rusqlite::params_from_iter(&values), |row| row.get::<_, String>(3))?;
                    steps.collect()
                })
                .expect("a plan");
            assert!(plan.len() == 1 && plan[0].ends_with(index), "{query:?}: {plan:?}");
        }
    }
}
