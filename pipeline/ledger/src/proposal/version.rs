//! Every text that a recipe's file was seen with: to compare with, and to go back to.

use crate::{
    PeopleError,
    people::{Door, told},
    record::from_us,
};
use jiff::Timestamp;
use plumb_inspection::RecipeName;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::Path;

/// One text of one recipe's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecipeVersion {
    /// 1, 2, 3 … over all recipes.
    pub n: u64,
    /// The recipe.
    pub recipe: RecipeName,
    /// SHA-256 of `text`, in hex.
    pub digest: String,
    /// The whole file.
    pub text: String,
    /// When it was first seen so.
    pub at: Timestamp,
    /// Who put it there; empty where it was found on disk.
    pub by: String,
    /// Why; empty where it was found on disk.
    pub why: String,
}

/// The versions of one station's recipes, in `people.sqlite`. The database refuses to rewrite or delete them.
#[derive(Debug)]
pub struct VersionBook {
    door: Door,
}

impl VersionBook {
    /// In the data folder `folder`; made with the first question.
    pub fn new(folder: &Path) -> Self {
        Self { door: Door::new(folder) }
    }

    /// Keeps `text` as the newest version of `recipe`, unless it is that already. `by` and `why` are empty where it was found
    /// on disk.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn keep(&self, recipe: &RecipeName, text: &str, by: &str, why: &str) -> Result<(), PeopleError> {
        let path = self.door.path();
        let digest: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        let newest = |connection: &Connection| {
            let sql = "SELECT digest FROM recipe_versions WHERE recipe = ?1 ORDER BY n DESC LIMIT 1";
            let newest = connection.prepare_cached(sql).and_then(|mut statement| {
                statement.query_row([recipe.as_str()], |row| row.get::<_, String>(0)).optional()
            });
            newest.map_err(|source| told(&path, source))
        };
        // Looked at with every page; written with few.
        if self.door.read(newest)?.as_ref() == Some(&digest) {
            return Ok(());
        }
        self.door.with(|connection| {
            if newest(connection)?.as_ref() == Some(&digest) {
                return Ok(());
            }
            let at_us = Timestamp::now().as_microsecond();
            connection
                .execute(
                    "INSERT INTO recipe_versions (recipe, digest, text, at_us, by, why) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![recipe.as_str(), digest, text, at_us, by, why.trim()],
                )
                .map_err(|source| told(&path, source))?;
            Ok(())
        })
    }

    /// The versions of `recipe`, newest first, `limit` at most.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self, recipe: &RecipeName, limit: usize) -> Result<Vec<RecipeVersion>, PeopleError> {
        let path = self.door.path();
        let sql = format!("{SELECT} WHERE recipe = ?1 ORDER BY n DESC LIMIT {limit}");
        let ask = |connection: &Connection| -> rusqlite::Result<Vec<RecipeVersion>> {
            connection.prepare_cached(&sql)?.query_map([recipe.as_str()], read)?.collect()
        };
        self.door.read(|connection| ask(connection).map_err(|source| told(&path, source)))
    }

    /// Version `n`, if it is one of `recipe`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn get(&self, recipe: &RecipeName, n: u64) -> Result<Option<RecipeVersion>, PeopleError> {
        self.one("recipe = ?1 AND n = ?2", (recipe.as_str(), n.cast_signed()))
    }

    /// The newest version of `recipe` with this digest.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn with_digest(
        &self,
        recipe: &RecipeName,
        digest: &str,
    ) -> Result<Option<RecipeVersion>, PeopleError> {
        self.one("recipe = ?1 AND digest = ?2", (recipe.as_str(), digest))
    }

    fn one(&self, filter: &str, values: impl rusqlite::Params) -> Result<Option<RecipeVersion>, PeopleError> {
        let path = self.door.path();
        let sql = format!("{SELECT} WHERE {filter} ORDER BY n DESC LIMIT 1");
        self.door.read(|connection| {
            connection.query_row(&sql, values, read).optional().map_err(|source| told(&path, source))
        })
    }
}

const SELECT: &str = "SELECT n, recipe, digest, text, at_us, by, why FROM recipe_versions";

fn read(row: &Row<'_>) -> rusqlite::Result<RecipeVersion> {
    Ok(RecipeVersion {
        n: row.get::<_, i64>(0)?.unsigned_abs(),
        recipe: row.get::<_, String>(1)?.as_str().into(),
        digest: row.get(2)?,
        text: row.get(3)?,
        at: from_us(row.get(4)?)?,
        by: row.get(5)?,
        why: row.get(6)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_kept_once_as_long_as_it_stays_and_again_when_it_comes_back() {
        let folder = tempfile::tempdir().expect("temp folder");
        let book = VersionBook::new(folder.path());
        let (washer, bolt) = (RecipeName::from("washer"), RecipeName::from("bolt"));
        for (text, by) in [("a", ""), ("a", ""), ("b", "ann"), ("b", ""), ("a", "bob")] {
            book.keep(&washer, text, by, "why").expect("kept");
        }
        book.keep(&bolt, "a", "", "").expect("kept");
        let told: Vec<_> = book
            .list(&washer, 10)
            .expect("readable")
            .into_iter()
            .map(|version| (version.n, version.text, version.by))
            .collect();
        let version = |n, text: &str, by: &str| (n, text.to_owned(), by.to_owned());
        assert_eq!(told, [version(3, "a", "bob"), version(2, "b", "ann"), version(1, "a", "")]);
        let b = book.get(&washer, 2).expect("readable").expect("there");
        assert_eq!(book.with_digest(&washer, &b.digest).expect("readable"), Some(b));
        assert_eq!(book.get(&bolt, 2).expect("readable"), None, "another recipe's");
        let database = Connection::open(folder.path().join("people.sqlite")).expect("the database");
        for rewriting in ["UPDATE recipe_versions SET text = 'c'", "DELETE FROM recipe_versions"] {
            assert!(database.execute(rewriting, []).is_err(), "{rewriting}");
        }
    }
}
