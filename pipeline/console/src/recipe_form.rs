//! A recipe's text as the fields of a form, and the fields written back: what was not touched stays as it is, comments and all.

use serde_json::{Map, Value as Json};
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value};

/// Sections with fields: one table, and lists of tables. Everything else in a recipe is left alone.
const TABLE: &str = "recipe";
const LISTS: [&str; 3] = ["model", "region", "rule"];

/// What people write first in a table of a recipe; other keys follow by the alphabet.
const FIRST: [&str; 6] = ["name", "kind", "number", "camera", "rect_px", "card"];

/// Which table of the file an element of a list was; absent for a new one.
const WAS: &str = "_was";

/// The fields of a recipe: `{ recipe: {…}, model: [{_was: 0, …}], region: […], rule: […] }`.
///
/// # Errors
/// In a sentence, when it is no TOML.
pub(crate) fn fields(text: &str) -> Result<Json, String> {
    let document: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let mut fields = Map::new();
    let table = document.get(TABLE).cloned().unwrap_or(toml::Value::Table(toml::Table::new()));
    fields.insert(TABLE.to_owned(), json(table));
    for list in LISTS {
        let elements = document.get(list).and_then(toml::Value::as_array).cloned().unwrap_or_default();
        let element = |(at, element): (usize, toml::Value)| {
            let mut element = json(element);
            if let Some(element) = element.as_object_mut() {
                element.insert(WAS.to_owned(), at.into());
            }
            element
        };
        fields.insert(list.to_owned(), elements.into_iter().enumerate().map(element).collect());
    }
    Ok(Json::Object(fields))
}

/// `text` with these fields. A key that is `null` is taken out, one that is not among the fields stays; an element of a list that
/// is not there any more is taken out with its comments, one without `_was` is added at its place.
///
/// # Errors
/// In a sentence, when the text is no TOML, a list is not written as `[[tables]]`, or the fields are none.
pub(crate) fn written(text: &str, fields: &Json) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    let fields = fields.as_object().ok_or("the fields of a recipe are an object")?;
    for (section, given) in fields {
        match (section.as_str(), given) {
            (TABLE, Json::Object(keys)) => {
                let table = document.entry(TABLE).or_insert(Item::Table(Table::new()));
                let table = table.as_table_mut().ok_or("write [recipe] as a table of its own")?;
                write_keys(table, keys)?;
            }
            (list, Json::Array(elements)) if LISTS.contains(&list) => {
                let old = match document.get(list) {
                    None => ArrayOfTables::new(),
                    Some(item) => item.as_array_of_tables().cloned().ok_or_else(|| {
                        format!("the file has \"{list}\" in one line; write it as [[{list}]] tables to change it here")
                    })?,
                };
                let new = write_list(list, &old, elements)?;
                if new.is_empty() {
                    document.remove(list);
                } else {
                    document.insert(list, Item::ArrayOfTables(new));
                }
            }
            _ => return Err(format!("a recipe's form has no \"{section}\" of that shape")),
        }
    }
    Ok(document.to_string())
}

fn write_list(list: &str, old: &ArrayOfTables, elements: &[Json]) -> Result<ArrayOfTables, String> {
    let (mut new, mut taken) = (ArrayOfTables::new(), Vec::new());
    for element in elements {
        let keys = element.as_object().ok_or_else(|| format!("an element of \"{list}\" is no table"))?;
        let mut table = match keys.get(WAS).and_then(Json::as_u64) {
            None => {
                let mut table = Table::new();
                table.decor_mut().set_prefix("\n");
                table
            }
            Some(was) => {
                let known = usize::try_from(was).ok().filter(|was| !taken.contains(was));
                let table = known.and_then(|was| old.get(was)).cloned();
                taken.extend(known);
                table.ok_or_else(|| {
                    format!("the file has no [[{list}]] number {was} that could stand there")
                })?
            }
        };
        write_keys(&mut table, keys)?;
        new.push(table);
    }
    Ok(new)
}

fn write_keys(table: &mut Table, keys: &Map<String, Json>) -> Result<(), String> {
    let mut keys: Vec<_> = keys.iter().filter(|(key, _)| *key != WAS).collect();
    keys.sort_by_key(|(key, _)| FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()));
    for (key, given) in keys {
        if given.is_null() {
            table.remove(key);
            continue;
        }
        let mut new = value(given).ok_or_else(|| format!("{key} cannot be {given}"))?;
        match table.get_mut(key) {
            Some(Item::Value(old)) if is_same(old, &new) => {}
            Some(Item::Value(old)) => {
                *new.decor_mut() = old.decor().clone();
                *old = new;
            }
            // A table below is nobody's field, unless it says what the file says already.
            Some(_) => {}
            None => drop(table.insert(key, Item::Value(new))),
        }
    }
    Ok(())
}

/// Whole numbers without a point, as people write them.
fn value(given: &Json) -> Option<Value> {
    Some(match given {
        Json::String(text) => Value::from(text.as_str()),
        Json::Bool(is) => Value::from(*is),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => Value::from(number.as_f64().filter(|number| number.is_finite())?),
        },
        Json::Array(elements) => Value::Array(elements.iter().map(value).collect::<Option<Array>>()?),
        Json::Null | Json::Object(_) => return None,
    })
}

/// `0.50` says what `0.5` says, and `2` what `2.0` does: neither is written anew.
fn is_same(old: &Value, new: &Value) -> bool {
    let number = |value: &Value| value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
    match (old, new) {
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new.iter()).all(|(old, new)| is_same(old, new))
        }
        _ => match (number(old), number(new)) {
            (Some(old), Some(new)) => old == new,
            (None, None) => match (old.as_str(), new.as_str()) {
                (Some(old), Some(new)) => old == new,
                _ => old.as_bool().is_some() && old.as_bool() == new.as_bool(),
            },
            _ => false,
        },
    }
}

/// Moments become text; a number that JSON cannot say is nobody's field.
fn json(value: toml::Value) -> Json {
    match value {
        toml::Value::Table(table) => {
            let said = table.into_iter().map(|(key, value)| (key, json(value)));
            said.filter(|(_, value)| !value.is_null()).collect()
        }
        toml::Value::Array(elements) => elements.into_iter().map(json).collect(),
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(whole) => whole.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(is) => is.into(),
        toml::Value::Datetime(moment) => moment.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const RECIPE: &str = r#"# Bolts.
[recipe]
name = "bolt" # the short one
number = 1

# Looks at everything.
[[region]]
name = "head"
rect_px = [1.0, 2, 30, 40]   # by hand
model = "surface"

[[measure]]
name = "length" # nobody's field

# The first rule.
[[rule]]
name = "scratch"
kind = "score"
max = 0.70   # seen on 300

# The second rule.
[[rule]]
name = "burr"
kind = "absence"
score_min = 0.5
"#;

    #[test]
    fn what_is_not_touched_stays_letter_by_letter() {
        let fields = fields(RECIPE).expect("TOML");
        assert_eq!(
            fields["rule"][1],
            json!({ "name": "burr", "kind": "absence", "score_min": 0.5, "_was": 1 })
        );
        assert_eq!(written(RECIPE, &fields).expect("written"), RECIPE);
        assert_eq!(written(RECIPE, &json!({})).expect("written"), RECIPE);
    }

    #[test]
    fn a_key_changes_comes_and_goes_and_comments_stay() {
        let mut fields = fields(RECIPE).expect("TOML");
        fields["rule"][0]["max"] = json!(0.62);
        fields["rule"][0]["class"] = json!("scratch");
        fields["region"][0]["rect_px"] = json!([1, 2, 30, 44]);
        fields["recipe"]["deadline_ms"] = json!(200);
        fields["rule"][1]["score_min"] = Json::Null;
        let expected = RECIPE
            .replace("max = 0.70 ", "max = 0.62 ")
            .replace("seen on 300\n", "seen on 300\nclass = \"scratch\"\n")
            .replace("[1.0, 2, 30, 40]", "[1, 2, 30, 44]")
            .replace("number = 1\n", "number = 1\ndeadline_ms = 200\n")
            .replace("score_min = 0.5\n", "");
        assert_eq!(written(RECIPE, &fields).expect("written"), expected);
    }

    #[test]
    fn rules_are_added_after_their_like_and_taken_out_with_what_is_said_of_them() {
        let mut fields = fields(RECIPE).expect("TOML");
        let rules = fields["rule"].as_array_mut().expect("a list");
        rules.push(json!({ "name": "dent", "kind": "count", "max": 2 }));
        rules.remove(0);
        let first = RECIPE.find("\n# The first").expect("there");
        let second = RECIPE.find("\n# The second").expect("there");
        let expected = format!(
            "{}{}\n[[rule]]\nname = \"dent\"\nkind = \"count\"\nmax = 2\n",
            &RECIPE[..first],
            &RECIPE[second..]
        );
        assert_eq!(written(RECIPE, &fields).expect("written"), expected);
        let bare = "[recipe]\nname = \"x\"\n";
        let with = written(bare, &json!({ "region": [{ "name": "all", "model": "m" }] })).expect("written");
        assert_eq!(with, format!("{bare}\n[[region]]\nname = \"all\"\nmodel = \"m\"\n"));
    }

    #[test]
    fn forged_fields_are_refused_by_name() {
        for (forged, says) in [
            (json!([]), "an object"),
            (json!({ "station": {} }), "no \"station\""),
            (json!({ "rule": [{ "_was": 7 }] }), "no [[rule]] number 7"),
            (json!({ "rule": [{ "_was": 0 }, { "_was": 0 }] }), "no [[rule]] number 0"),
            (json!({ "rule": ["x"] }), "is no table"),
            (json!({ "rule": [{ "max": { "a": 1 } }] }), "max cannot be"),
        ] {
            let refused = written(RECIPE, &forged).expect_err("forged");
            assert!(refused.contains(says), "{forged}: {refused}");
        }
        let inline = written("rule = [{ name = \"a\" }]\n", &json!({ "rule": [] })).expect_err("in one line");
        assert!(inline.contains("write it as [[rule]] tables"), "{inline}");
    }
}
