//! One page of the book: what is written together, or not at all.

use super::{
    LivePlace, ModelEntry, ModelError, ModelState, NewModel, entry::entries, error::short, state::Hand,
};
use plumb_inspection::{ModelName, RecipeName};
use rusqlite::{OptionalExtension as _, Transaction, params};

/// Rows of one transaction, all of one moment and signed by one hand.
pub(super) struct Page<'t> {
    pub(super) transaction: &'t Transaction<'t>,
    /// µs since 1970-01-01 UTC.
    pub(super) at_us: i64,
    pub(super) by: &'t str,
}

/// Why a page is not written.
pub(super) type Blot = crate::beside::Blot<ModelError>;

impl From<ModelError> for Blot {
    fn from(error: ModelError) -> Self {
        Self::Refused(error)
    }
}

impl Page<'_> {
    /// The model, which must be known.
    pub(super) fn model(&self, digest: &str) -> Result<ModelEntry, Blot> {
        let unknown = || ModelError::Unknown { wanted: digest.to_owned() };
        Ok(self.known(digest)?.ok_or_else(unknown)?)
    }

    /// The model, if it is known.
    pub(super) fn known(&self, digest: &str) -> rusqlite::Result<Option<ModelEntry>> {
        Ok(entries(self.transaction, "digest = ?1", &[digest])?.pop())
    }

    /// A model seen for the first time begins as a draft. Of a known one only what was not told before is taken.
    pub(super) fn register(&self, model: &NewModel) -> Result<ModelEntry, Blot> {
        let is_digest = |digest: &str| {
            digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        if !is_digest(&model.digest) {
            return Err(ModelError::NoDigest { wanted: model.digest.clone() }.into());
        }
        let why = "first seen";
        let is_new = self.transaction.execute(
            "INSERT INTO models (digest, name, family, about, state, since_us, by, why)
             VALUES (?1, ?2, ?3, ?4, 'draft', ?5, ?6, ?7) ON CONFLICT DO NOTHING",
            params![model.digest, model.name.as_str(), model.family, model.about, self.at_us, self.by, why],
        )? > 0;
        if is_new {
            self.note(&model.digest, &model.name, (None, ModelState::Draft), why, None)?;
        } else {
            self.transaction.execute(
                "UPDATE models SET family = coalesce(family, ?2), about = coalesce(about, ?3) WHERE digest = ?1",
                params![model.digest, model.family, model.about],
            )?;
        }
        self.model(&model.digest)
    }

    /// Changes the model as such; one that was live judges nowhere any more.
    pub(super) fn change(&self, digest: &str, to: ModelState, why: &str) -> Result<(), Blot> {
        let model = self.model(digest)?;
        check(&model, model.state, to, Hand::Person)?;
        self.transaction.execute("DELETE FROM live_models WHERE digest = ?1", [digest])?;
        self.note(digest, &model.name, (Some(model.state), to), why, None)?;
        self.settle(digest, to, why)?;
        Ok(())
    }

    /// The model judges in this place from now on; whichever version did so before is approved again.
    pub(super) fn enter(&self, place: &LivePlace, digest: &str, hand: Hand, why: &str) -> Result<(), Blot> {
        let model = self.model(digest)?;
        let LivePlace { recipe, name } = place;
        if let Some(before) = self.who_judges(place)? {
            if before == digest {
                return Ok(());
            }
            self.leave(place, &before, &format!("replaced by {}", short(digest)))?;
        }
        // Live in another recipe is as good as approved for this one.
        let from = if model.state == ModelState::Live { ModelState::Approved } else { model.state };
        check(&model, from, ModelState::Live, hand)?;
        self.transaction.execute(
            "INSERT INTO live_models (recipe, name, digest) VALUES (?1, ?2, ?3)",
            params![recipe.as_str(), name.as_str(), digest],
        )?;
        self.note(digest, name, (Some(from), ModelState::Live), why, Some(recipe))?;
        if model.state != ModelState::Live {
            self.settle(digest, ModelState::Live, why)?;
        }
        Ok(())
    }

    /// The model does not judge in this place any more. It stays live if it judges elsewhere.
    pub(super) fn leave(&self, place: &LivePlace, digest: &str, why: &str) -> rusqlite::Result<()> {
        let LivePlace { recipe, name } = place;
        self.transaction.execute(
            "DELETE FROM live_models WHERE recipe = ?1 AND name = ?2",
            [recipe.as_str(), name.as_str()],
        )?;
        let states = (Some(ModelState::Live), ModelState::Approved);
        self.note(digest, name, states, why, Some(recipe))?;
        let elsewhere: bool = self.transaction.query_row(
            "SELECT EXISTS (SELECT 1 FROM live_models WHERE digest = ?1)",
            [digest],
            |row| row.get(0),
        )?;
        if !elsewhere {
            self.settle(digest, ModelState::Approved, why)?;
        }
        Ok(())
    }

    /// Every place of which `condition` holds, with the digest of who judges there.
    pub(super) fn places(&self, condition: &str, value: &str) -> rusqlite::Result<Vec<(LivePlace, String)>> {
        let sql = format!("SELECT recipe, name, digest FROM live_models WHERE {condition}");
        let mut statement = self.transaction.prepare(&sql)?;
        let places = statement.query_map([value], |row| {
            let recipe = RecipeName::from(row.get::<_, String>(0)?);
            Ok((LivePlace { recipe, name: ModelName::from(row.get::<_, String>(1)?) }, row.get(2)?))
        })?;
        places.collect()
    }

    fn who_judges(&self, LivePlace { recipe, name }: &LivePlace) -> rusqlite::Result<Option<String>> {
        let sql = "SELECT digest FROM live_models WHERE recipe = ?1 AND name = ?2";
        self.transaction.query_row(sql, [recipe.as_str(), name.as_str()], |row| row.get(0)).optional()
    }

    /// Adds to the history.
    fn note(
        &self,
        digest: &str,
        name: &ModelName,
        (from, to): (Option<ModelState>, ModelState),
        why: &str,
        recipe: Option<&RecipeName>,
    ) -> rusqlite::Result<()> {
        self.transaction.execute(
            "INSERT INTO model_changes (digest, at_us, from_state, to_state, by, why, name, recipe)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                digest,
                self.at_us,
                from,
                to,
                self.by,
                why,
                name.as_str(),
                recipe.map(RecipeName::as_str)
            ],
        )?;
        Ok(())
    }

    /// Where the model stands after all that was noted.
    fn settle(&self, digest: &str, state: ModelState, why: &str) -> rusqlite::Result<()> {
        self.transaction.execute(
            "UPDATE models SET state = ?2, since_us = ?3, by = ?4, why = ?5 WHERE digest = ?1",
            params![digest, state, self.at_us, self.by, why],
        )?;
        Ok(())
    }
}

fn check(model: &ModelEntry, from: ModelState, to: ModelState, hand: Hand) -> Result<(), ModelError> {
    if from.may_become_by(hand, to) {
        return Ok(());
    }
    let ModelEntry { digest, name, .. } = model;
    Err(ModelError::NoWay { digest: digest.clone(), name: name.clone(), from, to })
}
