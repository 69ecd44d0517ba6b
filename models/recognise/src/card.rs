//! The text of a card: every line with the source of its fact behind it.

use crate::{Fact, Recognition, Source};
use std::fmt::Write as _;

/// A card of nothing but known facts.
pub(crate) fn text(seen: &Recognition) -> String {
    let mut text = String::from(
        "# Written by `plumb model add`: a card says what its model is, what goes in and how what comes out is read.\n\
         # Behind each line stands where it is from. A guess is worth a look; `plumb model verify` finds out.\n",
    );
    let stem = seen.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name =
        Fact { key: "name", value: stem.into(), source: Source::Custom("the name of the file".to_owned()) };
    line(&mut text, "name", seen.fact("name").unwrap_or(&name));
    let _ = writeln!(text, "file = {}", toml::Value::from(seen.card_file()));
    let _ = writeln!(text, "sha256 = {}", toml::Value::from(seen.sha256.clone()));
    let weights = seen.weights().iter().map(|(file, sha256)| {
        let entries = [("file", file), ("sha256", sha256)];
        toml::Value::Table(
            entries.map(|(key, text)| (key.to_owned(), text.clone().into())).into_iter().collect(),
        )
    });
    let weights: Vec<toml::Value> = weights.collect();
    if !weights.is_empty() {
        let _ = writeln!(text, "weights = {}", toml::Value::from(weights));
    }
    if let Some(labels) = seen.fact("labels") {
        line(&mut text, "labels", labels);
    }
    for table in ["family", "input", "about"] {
        let lines = seen.facts.iter().filter_map(|fact| {
            let (of, key) = fact.key.split_once('.')?;
            (of == table).then_some((key, fact))
        });
        for (at, (key, fact)) in lines.enumerate() {
            if at == 0 {
                let _ = writeln!(text, "\n[{table}]");
            }
            line(&mut text, key, fact);
        }
    }
    text
}

fn line(text: &mut String, key: &str, fact: &Fact) {
    // A name in a graph may hold a line feed, and a comment ends at one.
    let source: String =
        fact.source.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(160).collect();
    let _ = writeln!(text, "{key} = {}  # {source}", fact.value);
}
