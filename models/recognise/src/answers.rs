//! What the person who adds a model knows of it: answers by their place on the card.

use crate::Source;
use std::collections::BTreeMap;

/// Answers by the key of their question. They go before everything that the file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers(BTreeMap<&'static str, (toml::Value, Source)>);

/// What may be answered; family keys that a family does not have are refused by the card itself.
const KEYS: &[&str] = &[
    "name",
    "labels",
    "family.kind",
    "family.output",
    "family.activation",
    "family.background",
    "family.first_label",
    "family.score_min",
    "family.iou_max",
    "family.findings_max",
    "family.map",
    "family.map_min",
    "family.score",
    "family.area_min_px",
    "family.keypoints",
    "family.keypoint_scores",
    "family.mask_min",
    "family.class_agnostic",
    "input.width",
    "input.height",
    "input.colour",
    "input.layout",
    "input.fit",
    "input.pad",
    "input.normalisation",
    "input.scale",
    "input.mean",
    "input.std",
    "about.trained_on",
    "about.method",
    "about.accuracy",
    "about.licence",
    "about.attribution",
];

/// Keys whose value is text, whatever it looks like.
const TEXT: &[&str] =
    &["name", "family.kind", "family.output", "family.activation", "input.colour", "input.layout"];

/// An answer to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is nothing called {key:?} on a card; known are {}", KEYS.join(", "))]
pub struct AnswerError {
    /// As given.
    pub key: String,
}

impl Answers {
    /// Takes `text` as the answer to `key`: a number, a list as TOML writes it or with commas between, or a word.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), AnswerError> {
        self.take(key, text, Source::Answer)
    }

    /// Takes `text` as the likeliest answer to `key`, which the card then calls a guess.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn suppose(&mut self, key: &str, text: &str, because: &str) -> Result<(), AnswerError> {
        self.take(key, text, Source::Guess(because.to_owned()))
    }

    fn take(&mut self, key: &str, text: &str, source: Source) -> Result<(), AnswerError> {
        let known = KEYS.iter().find(|known| **known == key);
        let key = *known.ok_or_else(|| AnswerError { key: key.to_owned() })?;
        let value = match key {
            "labels" => text.split(',').map(str::trim).collect::<Vec<_>>().into(),
            _ if TEXT.contains(&key) || key.starts_with("about.") => toml::Value::String(text.to_owned()),
            _ => read(text),
        };
        self.0.insert(key, (value, source));
        Ok(())
    }

    /// Names of the classes, in the order of the model's output.
    pub fn set_labels(&mut self, labels: Vec<String>) {
        self.0.insert("labels", (labels.into(), Source::Answer));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &toml::Value, &Source)> {
        self.0.iter().map(|(key, (value, source))| (*key, value, source))
    }
}

/// A TOML value, numbers with commas between, or else a word.
fn read(text: &str) -> toml::Value {
    let as_toml = |text: &str| {
        let table: toml::Table = format!("v = {text}").parse().ok()?;
        let mut table = table.into_iter();
        let first = table.next()?.1;
        table.next().is_none().then_some(first)
    };
    if let Some(value) = as_toml(text) {
        return value;
    }
    let numbers = text.contains(',').then(|| as_toml(&format!("[{text}]"))).flatten();
    numbers.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(key: &str, text: &str) -> toml::Value {
        let mut answers = Answers::default();
        answers.set(key, text).unwrap();
        answers.0.into_values().next().unwrap().0
    }

    #[test]
    fn an_answer_is_a_number_a_list_or_a_word() {
        assert_eq!(value("input.width", "640"), toml::Value::Integer(640));
        assert_eq!(value("input.mean", "0.5,0.25"), toml::Value::Array(vec![0.5.into(), 0.25.into()]));
        assert_eq!(value("input.mean", "[0.5]"), toml::Value::Array(vec![0.5.into()]));
        assert_eq!(value("input.fit", "letterbox"), toml::Value::String("letterbox".into()));
        assert_eq!(value("name", "7"), toml::Value::String("7".into()), "a name stays text");
        assert_eq!(value("labels", "a, b"), toml::Value::Array(vec!["a".into(), "b".into()]));
        assert_eq!(value("input.fit", "a\nb = 1"), toml::Value::String("a\nb = 1".into()));
    }

    #[test]
    fn an_answer_to_nothing_says_what_there_is() {
        let says = Answers::default().set("input.widht", "640").unwrap_err().to_string();
        assert!(says.contains("input.widht") && says.contains("input.width"), "{says}");
    }
}
