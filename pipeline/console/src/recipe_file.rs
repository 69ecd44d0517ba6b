//! A recipe's file, as the console is told of it and as it may be wanted.

use plumb_inspection::RecipeName;
use serde::Serialize;

/// The file of one recipe as it is on disk now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenRecipe {
    /// Its name among the files beside it.
    pub file: String,
    /// As the file says; `None` where it cannot be read that far.
    pub name: Option<RecipeName>,
    /// By which the PLC asks for it, where the file says one.
    pub number: Option<String>,
    /// The whole text.
    pub text: String,
    /// SHA-256 of `text`, in hex.
    pub digest: String,
    /// Everything that is wrong with it, in the order of its lines. Empty: it could be loaded.
    pub troubles: Vec<Trouble>,
    /// The text that parts are judged by now, where this recipe runs. It differs from `text` when the file was changed since.
    pub runs: Option<String>,
}

/// One thing wrong in a recipe's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// From 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Keys from the file's root to what is meant, elements of lists by their index: `["rule", "2", "max"]`. Empty where no
    /// one value is.
    pub route: Vec<String>,
    /// What is wrong, and what was expected.
    pub says: String,
    /// What to do, where that can be told; else empty.
    pub hint: String,
}

/// What a recipe of this station can name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Choices {
    /// The station's cameras.
    pub cameras: Vec<String>,
    /// Models by their cards.
    pub cards: Vec<CardChoice>,
}

/// A model's card that a recipe may name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CardChoice {
    /// As a recipe's file writes it: relative to the recipe's folder.
    pub path: String,
    /// The model's name on it.
    pub name: String,
    /// How its output is read: `detector`, `anomaly` …
    pub family: String,
    /// What it can see.
    pub labels: Vec<String>,
}

/// Another text for a recipe's file, approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewText {
    /// The recipe.
    pub recipe: RecipeName,
    /// The whole text to be.
    pub text: String,
    /// Of the file when this was proposed, in hex.
    pub file_digest: String,
}
