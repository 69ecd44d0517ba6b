//! A shadow record on its way into table `shadow`.

use super::ShadowRecord;
use rusqlite::{Transaction, params};

/// One row.
#[derive(Debug)]
pub(crate) struct ShadowRow {
    /// Chosen by the writer, as with records: an attempt that failed after all got through is then the same row.
    pub(crate) id: i64,
    pub(crate) part_id: u32,
    triggered_us: i64,
    recipe: String,
    digest: String,
    machine: &'static str,
    verdict: &'static str,
    agrees: Option<bool>,
    infer_us: Option<i64>,
    json: String,
}

impl ShadowRow {
    pub(crate) fn new(id: i64, record: ShadowRecord) -> Self {
        let record = record.tidied();
        Self {
            id,
            part_id: record.part_id.get(),
            triggered_us: record.triggered_at.as_microsecond(),
            recipe: record.recipe.to_string(),
            digest: record.model.digest.clone(),
            machine: record.machine.as_str(),
            verdict: record.verdict.as_str(),
            agrees: record.agrees,
            infer_us: record.infer_us.map(|us| i64::try_from(us).unwrap_or(i64::MAX)),
            json: serde_json::to_string(&record).expect("a shadow record is strings and finite numbers"),
        }
    }

    /// The part has its record all the same; only what the shadow said of it is gone.
    pub(crate) fn log_lost(&self, why: &dyn std::fmt::Display) {
        tracing::error!(part = self.part_id, model = self.digest, %why, "What a shadow model said of a part is lost.");
    }
}

/// Adds rows to the table.
pub(crate) fn insert(to: &Transaction<'_>, rows: &[ShadowRow]) -> rusqlite::Result<()> {
    let mut insert = to.prepare_cached(
        "INSERT INTO shadow (id, part_id, triggered_us, recipe, digest, machine, verdict, agrees, infer_us, json)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING",
    )?;
    for row in rows {
        insert.execute(params![
            row.id,
            row.part_id,
            row.triggered_us,
            row.recipe,
            row.digest,
            row.machine,
            row.verdict,
            row.agrees,
            row.infer_us,
            row.json
        ])?;
    }
    Ok(())
}
