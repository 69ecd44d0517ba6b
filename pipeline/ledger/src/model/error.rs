//! Why the book of models refuses something, in sentences that name the way.

use super::ModelState;
use crate::LedgerError;
use plumb_inspection::{ModelName, RecipeName};

/// Why a model could not be looked up or changed.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Not the beginning of a digest.
    #[error(
        "{wanted:?} is no digest of a model; give its first digits, at least 4 of 0-9 and a-f, or its card"
    )]
    NoDigest {
        /// What was given.
        wanted: String,
    },
    /// Nobody knows it.
    #[error("there is no model {wanted}; `plumb model list` shows those there are")]
    Unknown {
        /// What was given.
        wanted: String,
    },
    /// More than one begins like that.
    #[error("several models begin with {wanted}: {}; give more digits", listed(among))]
    Ambiguous {
        /// What was given.
        wanted: String,
        /// Every model that begins like that.
        among: Vec<(ModelName, String)>,
    },
    /// No way leads there directly.
    #[error("model \"{name}\" {} is {from} and cannot become {to}; {}", short(digest), way(*from, *to))]
    NoWay {
        /// The model.
        digest: String,
        /// Its name.
        name: ModelName,
        /// What it is.
        from: ModelState,
        /// What it should have become.
        to: ModelState,
    },
    /// A model is live in a recipe, and none was named.
    #[error(
        "model \"{name}\" {} is named by no recipe; name its card in one, it can go live there",
        short(digest)
    )]
    Nowhere {
        /// The model.
        digest: String,
        /// Its name.
        name: ModelName,
    },
    /// A recipe names models that must not judge any more.
    #[error(
        "recipe \"{recipe}\" names a retired model: {}; name another version in the recipe, or bring it back as a \
         draft with `plumb model promote DIGEST --to draft`",
        listed(models)
    )]
    Retired {
        /// The recipe.
        recipe: RecipeName,
        /// Each of them.
        models: Vec<(ModelName, String)>,
    },
    /// A recipe names one model name twice.
    #[error(
        "recipe \"{recipe}\" has two models called \"{name}\"; one of them judges, so give the other another name"
    )]
    Twice {
        /// The recipe.
        recipe: RecipeName,
        /// The name.
        name: ModelName,
    },
    /// A change without a name or a reason to it.
    #[error("a change of a model needs {missing}; nobody could answer for it later")]
    Unsigned {
        /// `who makes it` or `a reason`.
        missing: &'static str,
    },
    /// The ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// As digests are shown to people: enough to tell models apart, short enough to read out.
pub(super) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

fn listed(models: &[(ModelName, String)]) -> String {
    let named: Vec<String> =
        models.iter().map(|(name, digest)| format!("\"{name}\" {}", short(digest))).collect();
    named.join(", ")
}

/// What to do instead.
fn way(from: ModelState, to: ModelState) -> String {
    if from == to {
        return "it is that already".to_owned();
    }
    if from == ModelState::Live {
        return "it judges until a recipe names another version in its place, and is approved then"
            .to_owned();
    }
    let way = from.way_to(to).unwrap_or_default();
    let names: Vec<&str> = way.into_iter().map(ModelState::as_str).collect();
    format!("the way is {}", names.join(" → "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_way() {
        let says = |from, to| {
            let error = ModelError::NoWay { digest: "ab".repeat(32), name: "caps".into(), from, to };
            error.to_string()
        };
        assert_eq!(
            says(ModelState::Draft, ModelState::Live),
            "model \"caps\" abababababab is draft and cannot become live; \
             the way is draft → shadow → approved → live"
        );
        assert_eq!(
            says(ModelState::Live, ModelState::Approved),
            "model \"caps\" abababababab is live and cannot become approved; \
             it judges until a recipe names another version in its place, and is approved then"
        );
        assert!(
            says(ModelState::Retired, ModelState::Shadow).ends_with("the way is retired → draft → shadow")
        );
        assert!(says(ModelState::Draft, ModelState::Draft).ends_with("it is that already"));
    }
}
