//! What the book says of a model.

use super::ModelState;
use crate::record::{from_us, rfc3339_us};
use jiff::Timestamp;
use plumb_inspection::{ModelName, RecipeName};
use rusqlite::{Connection, Row};
use serde::Serialize;

/// A model that the book does not know yet, as its card describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewModel {
    /// SHA-256 of its file, 64 lower-case hex digits.
    pub digest: String,
    /// As its card says.
    pub name: ModelName,
    /// How its output is read, e.g. `detector`.
    pub family: Option<String>,
    /// Where it comes from: what its card says about data, method, accuracy and licence.
    pub about: Option<String>,
}

/// A model as it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelEntry {
    /// SHA-256 of its file, 64 lower-case hex digits: what the model is known by.
    pub digest: String,
    /// As its card said when it was first seen. Several versions may share it.
    pub name: ModelName,
    /// How its output is read, where that was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Where it comes from, where that was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// How far it has come.
    pub state: ModelState,
    /// Since when, in whole µs.
    #[serde(with = "rfc3339_us")]
    pub since: Timestamp,
    /// Who brought it there.
    pub by: String,
    /// Why.
    pub why: String,
    /// Where it judges: not empty exactly when it is live. By recipe, then name.
    pub live_in: Vec<LivePlace>,
}

/// A model's place in a recipe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LivePlace {
    /// The recipe.
    pub recipe: RecipeName,
    /// Under which name it judges there. One version at a time does.
    pub name: ModelName,
}

/// One thing that happened to a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelChange {
    /// When, in whole µs.
    #[serde(with = "rfc3339_us")]
    pub at: Timestamp,
    /// Before; `None` when it was first seen.
    pub from: Option<ModelState>,
    /// After.
    pub to: ModelState,
    /// Who did it.
    pub by: String,
    /// Why.
    pub why: String,
    /// The model's name at that moment.
    pub name: ModelName,
    /// The one recipe it is about; `None` where it is about the model as such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<RecipeName>,
}

/// The models of which `condition` holds, by name and then newest first.
pub(super) fn entries(
    connection: &Connection,
    condition: &str,
    value: &[&str],
) -> rusqlite::Result<Vec<ModelEntry>> {
    let sql = format!(
        "SELECT digest, name, family, about, state, since_us, by, why FROM models WHERE {condition}
         ORDER BY name, since_us DESC, digest"
    );
    let mut statement = connection.prepare(&sql)?;
    let entries = statement.query_map(rusqlite::params_from_iter(value), entry)?;
    let mut entries: Vec<ModelEntry> = entries.collect::<rusqlite::Result<_>>()?;
    let mut places =
        connection.prepare("SELECT recipe, name FROM live_models WHERE digest = ?1 ORDER BY recipe, name")?;
    for entry in &mut entries {
        let found = places.query_map([&entry.digest], |row| {
            Ok(LivePlace { recipe: name(row, 0)?.into(), name: name(row, 1)?.into() })
        })?;
        entry.live_in = found.collect::<rusqlite::Result<_>>()?;
    }
    Ok(entries)
}

/// What happened to a model, oldest first.
pub(super) fn changes(connection: &Connection, digest: &str) -> rusqlite::Result<Vec<ModelChange>> {
    let mut statement = connection.prepare(
        "SELECT at_us, from_state, to_state, by, why, name, recipe FROM model_changes WHERE digest = ?1
         ORDER BY id",
    )?;
    let changes = statement.query_map([digest], |row| {
        Ok(ModelChange {
            at: from_us(row.get(0)?)?,
            from: row.get(1)?,
            to: row.get(2)?,
            by: row.get(3)?,
            why: row.get(4)?,
            name: name(row, 5)?.into(),
            recipe: row.get::<_, Option<String>>(6)?.map(RecipeName::from),
        })
    })?;
    changes.collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<ModelEntry> {
    Ok(ModelEntry {
        digest: row.get(0)?,
        name: name(row, 1)?.into(),
        family: row.get(2)?,
        about: row.get(3)?,
        state: row.get(4)?,
        since: from_us(row.get(5)?)?,
        by: row.get(6)?,
        why: row.get(7)?,
        live_in: Vec::new(),
    })
}

fn name(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    row.get(column)
}
