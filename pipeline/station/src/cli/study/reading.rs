//! A value of the study out of the station's record of a part: what the station as a gauge says.

use plumb_ledger::{Record, RecordVerdict};
use plumb_study::{Value, Word};

/// What of a record is the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Pass is good, fail is bad.
    Verdict,
    /// Length in mm of the one finding of a class.
    Length(String),
    /// Area in mm² of the one finding of a class.
    Area(String),
    /// A model's raw score.
    Score(String),
}

impl Reading {
    /// `verdict`, `length_mm:CLASS`, `area_mm2:CLASS`, `score:MODEL`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "verdict" => Ok(Self::Verdict),
            Some(("length_mm", class)) => Ok(Self::Length(class.to_owned())),
            Some(("area_mm2", class)) => Ok(Self::Area(class.to_owned())),
            Some(("score", model)) => Ok(Self::Score(model.to_owned())),
            _ => Err("a reading is verdict, length_mm:CLASS, area_mm2:CLASS or score:MODEL".to_owned()),
        }
    }

    /// # Errors
    /// Why the record has no such value, as a sentence.
    pub(super) fn of(&self, record: &Record) -> Result<Value, String> {
        let part = record.part_id;
        if let Self::Verdict = self {
            return match record.verdict {
                RecordVerdict::Pass => Ok(Value::Word(Word::Good)),
                RecordVerdict::Fail => Ok(Value::Word(Word::Bad)),
                RecordVerdict::Missed | RecordVerdict::Late => {
                    Err(format!("part {part} was {}; have it inspected again", record.verdict.as_str()))
                }
            };
        }
        let findings = |class: &str| {
            let all = record.views.iter().flat_map(|view| &view.findings);
            all.filter(|finding| finding.class.as_str() == class).cloned().collect::<Vec<_>>()
        };
        let one = |class: &str| match &findings(class)[..] {
            [only] => Ok(only.clone()),
            several => Err(format!("part {part} has {} × {class}; one is wanted", several.len())),
        };
        let number = match self {
            Self::Length(class) => one(class)?.length_mm.map(f64::from),
            Self::Area(class) => one(class)?.area_mm2.map(f64::from),
            Self::Score(model) => {
                let scores = record.views.iter().flat_map(|view| &view.scores);
                scores.filter(|(key, _)| *key == model).map(|(_, score)| f64::from(score.get())).next()
            }
            Self::Verdict => None,
        };
        number.map(Value::Number).ok_or_else(|| match self {
            Self::Score(model) => format!("part {part} has no score of \"{model}\""),
            _ => format!("part {part} was not measured in mm; its camera has no scale"),
        })
    }
}
