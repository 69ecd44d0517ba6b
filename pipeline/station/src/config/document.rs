//! A TOML file that is read piece by piece, so that one mistake does not hide the next.
//!
//! `serde` stops at the first error and, inside tagged enums, no longer knows where it is. So we read each table on
//! its own, and when it is refused, we look for the entry without which the complaint changes: that is the culprit.
//! It is reported at its line and column, taken out, and the table is tried again.

use super::problem::{Problem, Problems, suggest};
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
};
use toml::{
    Value,
    de::{DeTable, DeValue},
};

/// Keys from the file's root down to a value; array elements by their index, as text.
pub(super) type Route = Vec<String>;

/// One TOML file: its values and where each stands.
#[derive(Debug)]
pub(super) struct Document {
    file: PathBuf,
    text: String,
    root: Value,
    spans: BTreeMap<Route, Spans>,
}

#[derive(Clone, Debug)]
struct Spans {
    key: Range<usize>,
    value: Range<usize>,
}

impl Document {
    /// Reads `file`; syntax errors (all of them) and an unreadable file go to `problems`.
    pub(super) fn read(file: &Path, problems: &mut Problems) -> Option<Self> {
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(file, text, problems),
            Err(error) => {
                problems.push(Problem::of_file(file, format!("cannot be read: {error}")));
                None
            }
        }
    }

    /// As [`Document::read`], from text.
    pub(super) fn parse(file: &Path, text: String, problems: &mut Problems) -> Option<Self> {
        let mut document =
            Self { file: file.to_owned(), root: Value::Boolean(false), spans: BTreeMap::new(), text };
        let (table, errors) = DeTable::parse_recoverable(&document.text);
        let mut spans = BTreeMap::new();
        let root = Value::Table(plain_table(table.get_ref(), &mut Vec::new(), &mut spans));
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            problems.push(document.problem_at_byte(at, error.message().to_owned()));
        }
        (document.root, document.spans) = (root, spans);
        errors.is_empty().then_some(document)
    }

    /// The file's path.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The whole text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// True if there is a value at `route`.
    pub(super) fn has(&self, route: &[&str]) -> bool {
        self.value(&owned(route)).is_some()
    }

    /// How many elements the array at `route` has; 0 if there is none.
    pub(super) fn len_of(&self, route: &[&str]) -> usize {
        self.value(&owned(route)).and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// The text or whole number at `route`, as text.
    pub(super) fn text_at(&self, route: &[&str]) -> Option<String> {
        match self.value(&owned(route))? {
            Value::String(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Top-level keys that are none of `known` are problems.
    pub(super) fn refuse_unknown_sections(&self, known: &[&str], problems: &mut Problems) {
        for key in self.root.as_table().into_iter().flatten().map(|(key, _)| key) {
            if !known.contains(&key.as_str()) {
                let problem = self.problem_at(
                    std::slice::from_ref(key),
                    true,
                    format!("there is no section \"{key}\""),
                );
                problems.push(problem.hint(suggest(key, known.iter().copied())));
            }
        }
    }

    /// Reads the value at `route`; an absent one is read as an empty table if all its keys have defaults. Every problem
    /// in it goes to `problems`.
    pub(super) fn take<T: DeserializeOwned>(&self, route: &[&str], problems: &mut Problems) -> Option<T> {
        let route = owned(route);
        let Some(mut value) = self.value(&route).cloned() else {
            let by_default = T::deserialize(Value::Table(toml::Table::new())).ok();
            if by_default.is_none() {
                let says = format!("there is no section [{}]", route.join("."));
                problems.push(self.problem_at_byte(0, says));
            }
            return by_default;
        };
        let mut clean = true;
        let mut removed: Vec<String> = Vec::new();
        for _ in 0..100 {
            let error = match T::deserialize(value.clone()) {
                Ok(read) => return clean.then_some(read),
                Err(error) => error.message().trim().to_owned(),
            };
            clean = false;
            if let Some(field) = missing_field(&error) {
                let filled = filled_in::<T>(&value, field, &error);
                let table = filled.as_ref().map_or(&[][..], |(table, _)| table);
                if removed.iter().all(|key| key != field) {
                    problems.push(self.missing(&[&route, table].concat(), field));
                }
                value = filled?.1;
                continue;
            }
            let Some(culprit) = culprit::<T>(&value, &error) else {
                problems.push(self.problem_at(&route, false, error));
                return None;
            };
            let full: Route = route.iter().chain(&culprit).cloned().collect();
            problems.push(self.refused(&full, &error));
            remove(&mut value, &culprit);
            removed.extend(culprit.last().cloned());
        }
        None
    }

    /// A problem with the value at `route`.
    pub(super) fn problem(&self, route: &[&str], says: impl Into<String>) -> Problem {
        self.problem_at(&owned(route), false, says.into())
    }

    fn value(&self, route: &[String]) -> Option<&Value> {
        route.iter().try_fold(&self.root, |value, step| child(value, step))
    }

    fn refused(&self, route: &[String], error: &str) -> Problem {
        let key = route.last().map_or("", String::as_str);
        if let Some(expected) = unknown_field(error) {
            let problem = self.problem_at(route, true, format!("there is no key \"{key}\" here"));
            return problem.hint(suggest(key, expected));
        }
        if let Some((word, expected)) = unknown_variant(error) {
            let problem = self.problem_at(route, false, format!("{key} cannot be \"{word}\""));
            return problem.hint(suggest(word, expected));
        }
        self.problem_at(route, false, format!("{key}: {error}"))
    }

    fn missing(&self, route: &[String], field: &str) -> Problem {
        let place = route.iter().rev().find(|step| step.parse::<usize>().is_err());
        let place = place.map_or_else(|| "the file".to_owned(), |name| format!("[{name}]"));
        let problem = self.problem_at(route, true, format!("{place} lacks the key \"{field}\""));
        Problem { route: [route, &[field.to_owned()]].concat(), ..problem }
    }

    /// At the key or the value of `route`, or of the nearest ancestor that is written in the file.
    fn problem_at(&self, route: &[String], at_key: bool, says: String) -> Problem {
        let spans = (0..=route.len()).rev().find_map(|n| self.spans.get(&route[..n]));
        let at = spans.map_or(0, |spans| if at_key { spans.key.start } else { spans.value.start });
        Problem { route: route.to_vec(), ..self.problem_at_byte(at, says) }
    }

    fn problem_at_byte(&self, at: usize, says: String) -> Problem {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Problem {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            says,
            hint: None,
            route: Vec::new(),
        }
    }
}

fn owned(route: &[&str]) -> Route {
    route.iter().map(|&step| step.to_owned()).collect()
}

fn plain_table(table: &DeTable<'_>, route: &mut Route, spans: &mut BTreeMap<Route, Spans>) -> toml::Table {
    let mut plain = toml::Table::new();
    for (key, value) in table {
        route.push(key.get_ref().to_string());
        spans.insert(route.clone(), Spans { key: key.span(), value: value.span() });
        plain.insert(key.get_ref().to_string(), plain_value(value.get_ref(), route, spans));
        route.pop();
    }
    plain
}

fn plain_value(value: &DeValue<'_>, route: &mut Route, spans: &mut BTreeMap<Route, Spans>) -> Value {
    match value {
        DeValue::Table(table) => Value::Table(plain_table(table, route, spans)),
        DeValue::Array(array) => {
            let mut plain = Vec::new();
            for (index, element) in array.iter().enumerate() {
                route.push(index.to_string());
                spans.insert(route.clone(), Spans { key: element.span(), value: element.span() });
                plain.push(plain_value(element.get_ref(), route, spans));
                route.pop();
            }
            Value::Array(plain)
        }
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| Value::String(integer.as_str().to_owned()), Value::Integer),
        DeValue::Float(float) => {
            float.as_str().parse().map_or_else(|_| Value::String(float.as_str().to_owned()), Value::Float)
        }
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Datetime(datetime) => Value::Datetime(*datetime),
    }
}

fn child<'v>(value: &'v Value, step: &str) -> Option<&'v Value> {
    match value {
        Value::Table(table) => table.get(step),
        Value::Array(array) => array.get(step.parse::<usize>().ok()?),
        _ => None,
    }
}

fn child_mut<'v>(value: &'v mut Value, step: &str) -> Option<&'v mut Value> {
    match value {
        Value::Table(table) => table.get_mut(step),
        Value::Array(array) => array.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    }
}

fn remove(value: &mut Value, route: &[String]) {
    let Some((last, parents)) = route.split_last() else { return };
    match parents.iter().try_fold(value, |at, step| child_mut(at, step)) {
        Some(Value::Table(table)) => {
            table.remove(last);
        }
        Some(Value::Array(array)) => {
            if let Some(index) = last.parse::<usize>().ok().filter(|&index| index < array.len()) {
                array.remove(index);
            }
        }
        _ => {}
    }
}

/// The entry without which `error` is no longer the complaint; the deepest one, so that an inner key is named.
fn culprit<T: DeserializeOwned>(value: &Value, error: &str) -> Option<Route> {
    let unknown = error.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    let without = |route: &Route| {
        let mut value = value.clone();
        remove(&mut value, route);
        T::deserialize(value).err().map(|error| error.message().trim().to_owned())
    };
    let is_culprit = |route: &Route| without(route).as_deref() != Some(error);
    // A key that has no place in one table may be a tag that its own table must have in another.
    let is_named = |route: &Route| {
        let key = route.last().map(String::as_str);
        unknown.is_some() && key == unknown && without(route).as_deref().and_then(missing_field) != unknown
    };
    let mut found: Option<Route> = None;
    let mut level = below(value, &[]);
    loop {
        // A key that has no place here is known by its name. Else the tag `kind` comes last: without it every
        // complaint about its table changes.
        level.sort_by_key(|route| route.last().is_some_and(|key| key == "kind"));
        let named = level.iter().find(|route| is_named(route) && is_culprit(route));
        let next = named.cloned().or_else(|| level.iter().find(|route| is_culprit(route)).cloned());
        let Some(route) = next else { return found };
        level = below(value, &route);
        found = Some(route);
    }
}

/// The routes of the entries of the value at `route`.
fn below(value: &Value, route: &[String]) -> Vec<Route> {
    let inner = route.iter().try_fold(value, |at, step| child(at, step));
    inner.map(keys_of).unwrap_or_default().into_iter().map(|key| [route, &[key]].concat()).collect()
}

fn keys_of(value: &Value) -> Vec<String> {
    match value {
        Value::Table(table) => table.keys().cloned().collect(),
        Value::Array(array) => (0..array.len()).map(|index| index.to_string()).collect(),
        _ => Vec::new(),
    }
}

/// The table that lacks `field`, and `value` with something plausible there, so that reading goes on to the next
/// problem.
fn filled_in<T: DeserializeOwned>(value: &Value, field: &str, error: &str) -> Option<(Route, Value)> {
    let stand_ins = [
        Value::String("0".into()),
        Value::Integer(1),
        Value::Float(1.0),
        Value::Boolean(true),
        Value::Array((0..2).map(Value::Integer).collect()),
        Value::Array((0..4).map(Value::Integer).collect()),
        Value::Array(vec![]),
        Value::Table(toml::Table::new()),
    ];
    tables_of(value).into_iter().find_map(|table| {
        stand_ins.iter().find_map(|stand_in| {
            let mut next = value.clone();
            insert_new(&mut next, &table, field, stand_in.clone())?;
            let fits = match T::deserialize(next.clone()) {
                Ok(_) => true,
                Err(other) => {
                    let other = other.message().trim().to_owned();
                    let blames_it = culprit::<T>(&next, &other).is_some_and(|route| {
                        route.starts_with(&table) && route.get(table.len()).is_some_and(|key| key == field)
                    });
                    other != error && (missing_field(&other).is_some() || !blames_it)
                }
            };
            fits.then_some((table.clone(), next))
        })
    })
}

/// The routes of `value` and every table in it, outermost first.
fn tables_of(value: &Value) -> Vec<Route> {
    let mut tables: Vec<Route> = Vec::new();
    let mut level: Vec<Route> = vec![Vec::new()];
    while !level.is_empty() {
        let is_table = |route: &Route| {
            route.iter().try_fold(value, |at, step| child(at, step)).is_some_and(Value::is_table)
        };
        tables.extend(level.iter().filter(|route| is_table(route)).cloned());
        level = level.iter().flat_map(|route| below(value, route)).collect();
    }
    tables
}

/// `None` if the table has that key, and so does not lack it.
fn insert_new(value: &mut Value, table: &[String], key: &str, entry: Value) -> Option<()> {
    let table = table.iter().try_fold(value, |at, step| child_mut(at, step))?.as_table_mut()?;
    let is_new = !table.contains_key(key);
    table.entry(key).or_insert(entry);
    is_new.then_some(())
}

fn missing_field(error: &str) -> Option<&str> {
    error.strip_prefix("missing field `")?.split('`').next()
}

fn unknown_field(error: &str) -> Option<Vec<&str>> {
    error.starts_with("unknown field `").then(|| error.split('`').skip(3).step_by(2).collect())
}

fn unknown_variant(error: &str) -> Option<(&str, Vec<&str>)> {
    let word = error.strip_prefix("unknown variant `")?.split('`').next()?;
    Some((word, error.split('`').skip(3).step_by(2).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Camera {
        id: String,
        width: u32,
        source: Source,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
    enum Source {
        Files { path: String },
        Rtsp { url: String, latency_ms: u32 },
    }

    fn read(text: &str) -> (Option<Camera>, Vec<String>) {
        let mut problems = Problems::default();
        let document = Document::parse(Path::new("station.toml"), text.to_owned(), &mut problems);
        let camera = document.and_then(|document| document.take(&["camera", "0"], &mut problems));
        (camera, problems.sorted().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_good_table_is_read() {
        let (camera, problems) =
            read("[[camera]]\nid = \"top\"\nwidth = 640\nsource = { kind = \"files\", path = \"x\" }\n");
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(camera.map(|camera| camera.width), Some(640));
    }

    #[test]
    fn every_mistake_of_a_table_is_told_at_once_with_its_place() {
        let (camera, problems) = read(
            "[[camera]]\nid = 7\nwdith = 640\n[camera.source]\nkind = \"rtsp\"\nurl = 3\nlatency = 4\nlatency_ms = \"x\"\n",
        );
        assert_eq!(camera, None);
        assert_eq!(
            problems,
            [
                "station.toml:1:1  [camera] lacks the key \"width\"",
                "station.toml:2:6  id: invalid type: integer `7`, expected a string",
                "station.toml:3:1  there is no key \"wdith\" here\n    hint: did you mean \"width\"?",
                "station.toml:6:7  url: invalid type: integer `3`, expected a string",
                "station.toml:7:1  there is no key \"latency\" here\n    hint: did you mean \"latency_ms\"?",
                "station.toml:8:14  latency_ms: invalid type: string \"x\", expected u32",
            ]
        );
    }

    #[test]
    fn a_wrong_kind_is_told_with_what_there_is() {
        let (_, problems) =
            read("[[camera]]\nid = \"a\"\nwidth = 1\nsource = { kind = \"file\", path = \"x\" }\n");
        assert_eq!(
            problems,
            ["station.toml:4:19  kind cannot be \"file\"\n    hint: did you mean \"files\"?"]
        );
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
    enum Trigger {
        #[expect(dead_code, reason = "only whether it reads matters here")]
        PhotoEye { eye: Eye },
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Eye {
        #[expect(dead_code, reason = "only whether it reads matters here")]
        sense: Source,
    }

    #[test]
    fn a_wrong_kind_deep_inside_is_told_once_and_blames_no_other_kind() {
        let mut problems = Problems::default();
        let text =
            "[trigger]\nkind = \"photo_eye\"\n[trigger.eye]\nsense = { kind = \"file\", path = \"x\" }\n";
        let document =
            Document::parse(Path::new("station.toml"), text.to_owned(), &mut problems).expect("TOML");
        assert!(document.take::<Trigger>(&["trigger"], &mut problems).is_none());
        let told: Vec<String> = problems.sorted().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["station.toml:4:18  kind cannot be \"file\"\n    hint: did you mean \"files\"?"]);
    }

    #[test]
    fn syntax_errors_are_told_with_their_place() {
        let (_, problems) = read("a = [1,\nb = \"x\n");
        assert!(!problems.is_empty());
        assert!(problems.iter().all(|problem| problem.starts_with("station.toml:")), "{problems:?}");
    }
}
