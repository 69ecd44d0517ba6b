//! What a recipe of this station can name: its cameras, and the models whose cards lie where recipes look for them.

use crate::{
    background::family_of,
    config::{Plan, recipe_texts},
};
use plumb_console::{CardChoice, Choices};
use plumb_inference::Card;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Cards that the recipes name, and those in the folder of `station.toml` and in `models` beside it, one folder deep.
pub(super) fn of(plan: &Plan) -> Choices {
    let recipes = &plan.recipes_folder;
    let mut paths: BTreeSet<String> =
        recipe_texts(recipes, &plan.cameras, plan.gate).into_iter().flat_map(|recipe| recipe.cards).collect();
    let known: BTreeSet<PathBuf> =
        paths.iter().filter_map(|path| recipes.join(path).canonicalize().ok()).collect();
    for folder in folders(recipes) {
        for file in toml_files(&recipes.join(&folder)) {
            let is_known = file.canonicalize().is_ok_and(|file| known.contains(&file));
            let name = file.file_name().map(|name| folder.join(name).to_string_lossy().into_owned());
            paths.extend(name.filter(|_| !is_known));
        }
    }
    let card = |path: String| {
        let card = Card::read(&recipes.join(&path)).ok()?;
        let labels = card.labels.iter().map(|label| label.as_str().to_owned()).collect();
        Some(CardChoice { path, name: card.name.to_string(), family: family_of(&card), labels })
    };
    Choices {
        cameras: plan.cameras.iter().map(|camera| camera.id.to_string()).collect(),
        cards: paths.into_iter().filter_map(card).collect(),
    }
}

/// Relative to the recipes' folder.
fn folders(recipes: &Path) -> Vec<PathBuf> {
    let models = PathBuf::from("../models");
    let below = fs::read_dir(recipes.join(&models)).into_iter().flatten().flatten();
    let below = below.filter(|entry| entry.path().is_dir()).map(|entry| models.join(entry.file_name()));
    let mut below: Vec<PathBuf> = below.collect();
    below.sort();
    [PathBuf::from(".."), models.clone()].into_iter().chain(below).collect()
}

fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(|file| file.extension().is_some_and(|end| end == "toml")).collect()
}
