//! Another threshold in a recipe's file: one number changes, and comments, order and everything else stay.

use plumb_verdict::RuleName;
use sha2::{Digest, Sha256};
use std::{fs, io::Write as _, path::Path};
use toml_edit::{DocumentMut, Item, Table, Value};

/// Keys that mean the same as a rule's own.
const ALSO_CALLED: &[(&str, &str)] = &[("max", "score_max")];

/// SHA-256 of a file's text, in hex.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text of a recipe with `key` of `rule` at `value`.
///
/// # Errors
/// In a sentence, when the text has no such rule.
pub(crate) fn changed(text: &str, rule: &RuleName, key: &str, value: f32) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    let rules = document.get_mut("rule").and_then(Item::as_array_of_tables_mut);
    let named = |table: &&mut Table| table.get("name").and_then(Item::as_str) == Some(rule.as_str());
    let table = rules.and_then(|rules| rules.iter_mut().find(named)).ok_or_else(|| {
        format!(
            "the file has no [[rule]] called \"{rule}\" that could be changed; write rules as [[rule]] tables"
        )
    })?;
    let also = ALSO_CALLED.iter().find(|(own, also)| *own == key && table.contains_key(also));
    let key = also.map_or(key, |(_, also)| also);
    // A recipe holds 32-bit numbers: the shortest text that reads back as this one.
    let mut new = Value::from(value.to_string().parse::<f64>().map_err(|error| error.to_string())?);
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => drop(table.insert(key, Item::Value(new))),
    }
    Ok(document.to_string())
}

/// Puts `text` in the place of the file at `path`, whole or not at all, and has the disk take it.
///
/// # Errors
/// In a sentence, when it cannot be written; the file is as it was then.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), String> {
    let beside = path.with_extension("toml.new");
    let write = || {
        let mut file = fs::File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::metadata(path)?.permissions())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&beside); // it may not be there
        format!("{} cannot be written: {error}", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: &str = "# Bolts.\n[recipe]\nname = \"bolt\" # the short one\n\n[[rule]]\nname = \"scratch\"\nkind = \"score\"\nscore_max = 0.7   # seen on 300\n\n[[rule]]\nkind = \"absence\"\nname = \"burr\"\n";

    #[test]
    fn one_number_changes_and_every_comment_stays() {
        let scratch = changed(RECIPE, &"scratch".into(), "max", 0.62).expect("there");
        assert_eq!(scratch, RECIPE.replace("0.7 ", "0.62 "));
        // A rule that went by its default gets the key.
        let burr = changed(RECIPE, &"burr".into(), "score_min", 0.35).expect("there");
        assert_eq!(burr, format!("{RECIPE}score_min = 0.35\n"));
        let says = changed(RECIPE, &"dent".into(), "max", 0.1).expect_err("no such rule");
        assert!(says.contains("no [[rule]] called \"dent\""), "{says}");
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("temp folder");
        let file = folder.path().join("bolt.toml");
        fs::write(&file, RECIPE).expect("writable");
        replace(&file, "new").expect("writable");
        assert_eq!(fs::read_to_string(&file).expect("readable"), "new");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
        let says = replace(&folder.path().join("none.toml"), "new").expect_err("no such file");
        assert!(says.contains("none.toml cannot be written"), "{says}");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    }
}
