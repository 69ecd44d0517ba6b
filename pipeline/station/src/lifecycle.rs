//! What the ledger's book of models has to say before an edition may judge: who is retired, who is not approved yet.
//!
//! A model that a recipe names is live in it once the recipe is loaded. Where approval is required, one that nobody
//! approved may not judge: at the start the station is `not_released` until somebody does, later the changeover is
//! refused.

use crate::{background::family_of, edition::LoadedRecipe};
use plumb_inference::Card;
use plumb_inspection::ModelName;
use plumb_ledger::{ModelBook, ModelError, NewModel};
use std::collections::BTreeSet;

/// Who the book is signed by.
const STATION: &str = "station";

/// The book, and whether it is asked for leave.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    book: ModelBook,
    require_approval: bool,
}

impl Lifecycle {
    /// With `require_approval`, only approved models judge.
    pub fn new(book: ModelBook, require_approval: bool) -> Self {
        Self { book, require_approval }
    }

    /// Enters the edition's models. Gives why they may not judge yet, if so; otherwise they are live.
    ///
    /// # Errors
    /// When one of them is retired, or the book cannot be written.
    pub fn enter(&self, recipe: &LoadedRecipe) -> Result<Option<String>, ModelError> {
        for (planned, _) in recipe.plan.models.iter().zip(&recipe.models) {
            let model = NewModel { digest: planned.digest(), ..as_new(&planned.card) };
            self.book.register(&model, STATION)?;
        }
        let judging: BTreeSet<(ModelName, String)> =
            recipe.judging().map(|model| (model.info.name.clone(), model.info.digest.clone())).collect();
        let judging: Vec<_> = judging.into_iter().collect();
        if let Some(says) = self.unapproved(recipe, &judging)? {
            return Ok(Some(says));
        }
        self.book.put_live(&recipe.plan.name, &judging, STATION)?;
        Ok(None)
    }

    fn unapproved(
        &self,
        recipe: &LoadedRecipe,
        judging: &[(ModelName, String)],
    ) -> Result<Option<String>, ModelError> {
        if !self.require_approval {
            return Ok(None);
        }
        let digests: Vec<&str> = judging.iter().map(|(_, digest)| digest.as_str()).collect();
        let unapproved = self.book.unapproved(&digests)?;
        let told: Vec<String> = judging
            .iter()
            .filter(|(_, digest)| unapproved.contains(digest))
            .map(|(name, digest)| format!("\"{name}\" {}", digest.get(..12).unwrap_or(digest)))
            .collect();
        Ok((!told.is_empty()).then(|| {
            format!(
                "recipe \"{}\" names models that nobody has approved: {}; `plumb model promote DIGEST --to approved`",
                recipe.plan.name,
                told.join(", ")
            )
        }))
    }
}

/// The model that a card describes.
pub(crate) fn as_new(card: &Card) -> NewModel {
    NewModel {
        digest: card.sha256.clone(),
        name: card.name.clone(),
        family: Some(family_of(card)),
        about: card.about.as_ref().and_then(|about| serde_json::to_string(about).ok()),
    }
}
