//! The book in which models are kept: what each is trusted with, since when, by whose word and why.

use super::{
    LivePlace, ModelChange, ModelEntry, ModelError, ModelState, NewModel,
    entry::{changes, entries},
    page::{Blot, Page},
    state::Hand,
};
use crate::{LedgerError, Reader, beside};
use jiff::Timestamp;
use plumb_inspection::{ModelName, RecipeName};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// The models of one ledger, for whoever opens its folder: the station itself, or a command beside it.
#[derive(Clone, Debug)]
pub struct ModelBook {
    folder: PathBuf,
    reader: Reader,
}

impl ModelBook {
    /// Of the ledger in `folder`, whether a station is running on it or not. It need not exist yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), reader: Reader::new(folder) }
    }

    /// Every model, by name and then newest first.
    ///
    /// # Errors
    /// When there is no ledger, or it cannot be read.
    pub fn list(&self) -> Result<Vec<ModelEntry>, LedgerError> {
        self.reader.ask(|connection| entries(connection, "true", &[]))
    }

    /// The model with this digest, whole.
    ///
    /// # Errors
    /// As [`ModelBook::list`].
    pub fn get(&self, digest: &str) -> Result<Option<ModelEntry>, LedgerError> {
        Ok(self.reader.ask(|connection| entries(connection, "digest = ?1", &[digest]))?.pop())
    }

    /// What happened to the model with this digest, oldest first; nothing where it is not known.
    ///
    /// # Errors
    /// As [`ModelBook::list`].
    pub fn history(&self, digest: &str) -> Result<Vec<ModelChange>, LedgerError> {
        self.reader.ask(|connection| changes(connection, digest))
    }

    /// Those of `digests` that may not judge where approval is required: neither approved nor live, or not known.
    ///
    /// # Errors
    /// As [`ModelBook::list`].
    pub fn unapproved(&self, digests: &[&str]) -> Result<Vec<String>, LedgerError> {
        let approved: BTreeSet<String> = self
            .list()?
            .into_iter()
            .filter(|model| model.state.may_judge())
            .map(|model| model.digest)
            .collect();
        Ok(digests.iter().filter(|&&digest| !approved.contains(digest)).map(|&d| d.to_owned()).collect())
    }

    /// Takes a model into the book, as a draft. Of one that is there already nothing changes, except that a family and
    /// an origin not told before are filled in.
    ///
    /// # Errors
    /// When its digest is none, nobody signs, or the ledger cannot be written.
    pub fn register(&self, model: &NewModel, by: &str) -> Result<ModelEntry, ModelError> {
        self.write(by, |page| page.register(model))
    }

    /// Changes a known model's state. It goes live by [`ModelBook::go_live`], for that is said of a recipe.
    ///
    /// # Errors
    /// When no way leads there directly, nobody signs, there is no reason, the model is not known, or the ledger
    /// cannot be written.
    pub fn change(
        &self,
        digest: &str,
        to: ModelState,
        by: &str,
        why: &str,
    ) -> Result<ModelEntry, ModelError> {
        if to == ModelState::Live {
            return self.go_live(digest, &[], by, why);
        }
        signed(why, "a reason")?;
        self.write(by, |page| {
            page.change(digest, to, why)?;
            page.model(digest)
        })
    }

    /// An approved model judges in `places` from now on. A version that did so before is approved again.
    ///
    /// # Errors
    /// As [`ModelBook::change`], and when there is no place.
    pub fn go_live(
        &self,
        digest: &str,
        places: &[LivePlace],
        by: &str,
        why: &str,
    ) -> Result<ModelEntry, ModelError> {
        signed(why, "a reason")?;
        self.write(by, |page| {
            let model = page.model(digest)?;
            let may = model.state == ModelState::Live || model.state.may_become(ModelState::Live);
            if may && places.is_empty() {
                return Err(ModelError::Nowhere { digest: model.digest, name: model.name }.into());
            }
            if places.iter().all(|place| model.live_in.contains(place)) {
                let ModelEntry { digest, name, state: from, .. } = model;
                return Err(ModelError::NoWay { digest, name, from, to: ModelState::Live }.into());
            }
            for place in places {
                page.enter(place, digest, Hand::Person, why)?;
            }
            page.model(digest)
        })
    }

    /// What the station does with a recipe that it is about to run: `models`, by name and digest, and they alone, are
    /// live in it from now on. One not known is registered; a version replaced, and a model the recipe does not name
    /// any more, is approved again. All of it or nothing, and nothing is noted where all was so before.
    ///
    /// # Errors
    /// When one of them is retired, two versions share a name, or the ledger cannot be written.
    pub fn put_live(
        &self,
        recipe: &RecipeName,
        models: &[(ModelName, String)],
        by: &str,
    ) -> Result<(), ModelError> {
        let mut wanted = BTreeMap::new();
        for (name, digest) in models {
            if wanted.insert(name, digest).is_some_and(|other| other != digest) {
                return Err(ModelError::Twice { recipe: recipe.clone(), name: name.clone() });
            }
        }
        self.write(by, |page| {
            let mut retired = Vec::new();
            for (name, digest) in models {
                let model =
                    NewModel { digest: digest.clone(), name: name.clone(), family: None, about: None };
                if page.register(&model)?.state == ModelState::Retired {
                    retired.push((name.clone(), digest.clone()));
                }
            }
            if !retired.is_empty() {
                return Err(ModelError::Retired { recipe: recipe.clone(), models: retired }.into());
            }
            for (place, digest) in page.places("recipe = ?1", recipe.as_str())? {
                if !wanted.contains_key(&place.name) {
                    page.leave(&place, &digest, "the recipe does not name it any more")?;
                }
            }
            for (&name, &digest) in &wanted {
                let place = LivePlace { recipe: recipe.clone(), name: name.clone() };
                page.enter(&place, digest, Hand::Station, "named by the recipe")?;
            }
            Ok(())
        })
    }

    /// The station has these recipes and no others: what was live in one that is gone is so no longer.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn keep_recipes(&self, recipes: &[RecipeName], by: &str) -> Result<(), ModelError> {
        self.write(by, |page| {
            for (place, digest) in page.places("?1 = ''", "")? {
                if !recipes.contains(&place.recipe) {
                    page.leave(&place, &digest, "the station does not have this recipe any more")?;
                }
            }
            Ok(())
        })
    }

    /// Writes one page, signed.
    fn write<T>(&self, by: &str, work: impl FnOnce(&Page<'_>) -> Result<T, Blot>) -> Result<T, ModelError> {
        signed(by, "the name of who makes it")?;
        beside::write(&self.folder, |transaction| {
            work(&Page { transaction, at_us: Timestamp::now().as_microsecond(), by })
        })
    }
}

fn signed(text: &str, missing: &'static str) -> Result<(), ModelError> {
    if text.trim().is_empty() { Err(ModelError::Unsigned { missing }) } else { Ok(()) }
}
