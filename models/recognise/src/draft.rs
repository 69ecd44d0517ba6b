//! A card in the making: facts in the order they were found, questions, and what stands in the way.

use crate::{Answers, Fact, Question, Source, Suggestion};

/// What is known so far.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) facts: Vec<Fact>,
    pub(crate) questions: Vec<Question>,
    /// Why the model cannot be used here at all.
    pub(crate) obstacles: Vec<String>,
    /// Worth knowing.
    pub(crate) notes: Vec<String>,
}

/// Ways in which pixel values are brought to the range a model was trained on: `scale`, `mean`, `std`.
pub(crate) const NORMALISATIONS: [(&str, f32, &[f32], &[f32]); 4] = [
    ("unit", 1.0 / 255.0, &[], &[]),
    ("imagenet", 1.0 / 255.0, &[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]),
    ("symmetric", 1.0 / 255.0, &[0.5], &[0.5]),
    ("bytes", 1.0, &[], &[]),
];

impl Draft {
    /// Begins with what somebody has said, which nothing overrides.
    pub(crate) fn new(answers: &Answers) -> Self {
        let mut draft = Self { facts: vec![], questions: vec![], obstacles: vec![], notes: vec![] };
        for (key, value, source) in answers.iter() {
            match (key, value.as_str()) {
                ("input.normalisation", word) => draft.normalise_as(word.unwrap_or_default(), source),
                ("input.pad", _) => {}
                ("input.fit", Some(word)) => {
                    let pad = answers.iter().find(|(key, ..)| *key == "input.pad");
                    let pad = pad.and_then(|(_, pad, _)| pad.as_integer()).unwrap_or(114);
                    draft.fit(word, pad, source.clone());
                }
                _ => draft.fact(key, value.clone(), source.clone()),
            }
        }
        draft
    }

    /// Takes `value` for `key`, unless that is known already.
    pub(crate) fn fact(&mut self, key: &'static str, value: impl Into<toml::Value>, source: Source) {
        if self.get(key).is_none() {
            self.facts.push(Fact { key, value: value.into(), source });
        }
    }

    /// A fact that is a number with the precision of f32.
    pub(crate) fn number(&mut self, key: &'static str, value: f32, source: Source) {
        self.fact(key, number(value), source);
    }

    /// Numbers, one a channel; none at all are left out.
    pub(crate) fn numbers(&mut self, key: &'static str, values: &[f32], source: Source) {
        if !values.is_empty() {
            self.fact(key, values.iter().copied().map(number).collect::<Vec<_>>(), source);
        }
    }

    /// How a region of another shape is made to fit; `pad` fills what a letterbox leaves.
    pub(crate) fn fit(&mut self, kind: &str, pad: i64, source: Source) {
        let mut table = toml::Table::from_iter([("kind".to_owned(), toml::Value::from(kind))]);
        if kind == "letterbox" {
            table.insert("pad".to_owned(), pad.into());
        }
        self.fact("input.fit", table, source);
    }

    /// `(pixel · scale − mean) / std`.
    pub(crate) fn normalise(&mut self, scale: f32, mean: &[f32], std: &[f32], source: Source) {
        if self.get("input.scale").is_none() {
            self.number("input.scale", scale, source.clone());
            self.numbers("input.mean", mean, source.clone());
            self.numbers("input.std", std, source);
        }
    }

    /// By one of the words of [`NORMALISATIONS`].
    pub(crate) fn normalise_as(&mut self, word: &str, source: &Source) {
        match NORMALISATIONS.iter().find(|(known, ..)| *known == word) {
            Some((_, scale, mean, std)) => self.normalise(*scale, mean, std, source.clone()),
            None => {
                let known = NORMALISATIONS.map(|(word, ..)| word).join(", ");
                self.obstacles.push(format!("input.normalisation={word} is not known; known are {known}"));
            }
        }
    }

    /// Asks what range of values the model wants, unless that is known.
    pub(crate) fn ask_normalisation(&mut self, suggestion: Option<Suggestion>) {
        if self.get("input.scale").is_none() {
            self.questions.push(Question {
                key: "input.normalisation",
                means: "the pixel values the model was trained on: unit is 0..1, symmetric -1..1, bytes 0..255, \
                        imagenet 0..1 less ImageNet's mean over its deviation; a wrong one gives wrong findings and no error"
                    .to_owned(),
                choices: NORMALISATIONS.map(|(word, ..)| word.to_owned()).to_vec(),
                suggestion,
            });
        }
    }

    /// Asks for `key`, unless that is known.
    pub(crate) fn ask(&mut self, question: Question) {
        if self.get(question.key).is_none() && !self.questions.iter().any(|asked| asked.key == question.key) {
            self.questions.push(question);
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&toml::Value> {
        self.facts.iter().find(|fact| fact.key == key).map(|fact| &fact.value)
    }

    /// The text of a fact, empty where there is none.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.get(key).and_then(toml::Value::as_str).unwrap_or_default()
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(crate) fn obstacle(&mut self, says: impl Into<String>) {
        self.obstacles.push(says.into());
    }
}

/// With the digits that f32 has: 0.485, not 0.48500001430511475.
fn number(value: f32) -> toml::Value {
    toml::Value::Float(value.to_string().parse().unwrap_or_else(|_| f64::from(value)))
}
