//! What `station.toml` says about keeping.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;

/// Section `[ledger.keep]`. Every key may be left out. Pinned parts, and parts that somebody said a word on, are under no
/// rule.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeepConfig {
    /// Pictures of passed parts.
    pub pass_pictures_days: Span,
    /// Pictures of all other parts; not shorter than those of passes.
    pub reject_pictures_days: Span,
    /// Records of passed parts; not shorter than their pictures.
    pub pass_records_days: Span,
    /// Records of all other parts; not shorter than their pictures, nor than those of passes.
    pub reject_records_days: Span,
    /// What records and pictures may take of the disk together, in GB (10⁹ bytes). Above it the oldest pictures go, those
    /// of passes first; records never do.
    pub disk_max_gb: Option<f64>,
}

impl Default for KeepConfig {
    fn default() -> Self {
        Self {
            pass_pictures_days: Span::Days(30),
            reject_pictures_days: Span::Days(365),
            pass_records_days: Span::Forever,
            reject_records_days: Span::Forever,
            disk_max_gb: None,
        }
    }
}

impl KeepConfig {
    /// Everything wrong with the values: the key below `ledger` and what is wrong with it. Empty is good.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let spans = [
            ("keep.pass_pictures_days", self.pass_pictures_days),
            ("keep.reject_pictures_days", self.reject_pictures_days),
            ("keep.pass_records_days", self.pass_records_days),
            ("keep.reject_records_days", self.reject_records_days),
        ];
        for (key, span) in spans {
            if matches!(span, Span::Days(days) if !(1..=36_500).contains(&days)) {
                problems.push((key, format!("is {span}; give 1 to 36500 days, or \"forever\"")));
            }
        }
        let [pass_pictures, reject_pictures, pass_records, reject_records] = spans;
        let outlives = [
            (reject_pictures, pass_pictures, "a reject is looked at longer than a pass"),
            (pass_records, pass_pictures, "a picture without its record says nothing"),
            (reject_records, reject_pictures, "a picture without its record says nothing"),
            (reject_records, pass_records, "a reject is asked after longer than a pass"),
        ];
        for ((key, longer), (of, shorter), why) in outlives {
            if longer < shorter {
                let of = of.trim_start_matches("keep.");
                problems.push((key, format!("is {longer}, less than {of} ({shorter}): {why}")));
            }
        }
        if self.disk_max_gb.is_some_and(|gb| !(gb.is_finite() && gb > 0.0)) {
            let says = format!("is {}; give GB above 0, or leave it out", self.disk_max_gb.unwrap_or(0.0));
            problems.push(("keep.disk_max_gb", says));
        }
        problems
    }
}

/// How long: days, or `"forever"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    /// So many days after the part was triggered.
    Days(u32),
    /// No rule deletes it.
    Forever,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(1) => f.write_str("1 day"),
            Self::Days(days) => write!(f, "{days} days"),
            Self::Forever => f.write_str("forever"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Days(days) => serializer.serialize_u32(*days),
            Self::Forever => serializer.serialize_str("forever"),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Said {
            Days(u32),
            Word(String),
        }
        let expected = || D::Error::custom("is neither a whole number of days nor \"forever\"");
        match Said::deserialize(deserializer).map_err(|_| expected())? {
            Said::Days(days) => Ok(Self::Days(days)),
            Said::Word(word) if word == "forever" => Ok(Self::Forever),
            Said::Word(_) => Err(expected()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_forever_are_read_and_written_and_nothing_else_is() {
        let parse = |text: &str| serde_json::from_str::<KeepConfig>(text);
        let keep = parse(r#"{"pass_pictures_days": 7, "reject_pictures_days": "forever"}"#).expect("right");
        assert_eq!((keep.pass_pictures_days, keep.reject_pictures_days), (Span::Days(7), Span::Forever));
        let text = serde_json::to_string(&keep).expect("JSON");
        assert_eq!(parse(&text).expect("what was written"), keep);
        for wrong in [r#""for ever""#, "-1", "1.5", "true"] {
            let error = parse(&format!(r#"{{"pass_records_days": {wrong}}}"#)).expect_err(wrong).to_string();
            assert!(error.contains("whole number of days nor \"forever\""), "{error}");
        }
        assert!(parse(r#"{"passes": 1}"#).is_err());
    }

    #[test]
    fn records_outlive_pictures_and_rejects_outlive_passes() {
        assert_eq!(KeepConfig::default().problems(), []);
        let keep = KeepConfig {
            pass_pictures_days: Span::Forever,
            reject_pictures_days: Span::Days(10),
            pass_records_days: Span::Days(20),
            reject_records_days: Span::Days(0),
            disk_max_gb: Some(f64::NAN),
        };
        let problems = keep.problems();
        let keys: Vec<&str> = problems.iter().map(|(key, _)| *key).collect();
        let expected = [
            "keep.reject_records_days",
            "keep.reject_pictures_days",
            "keep.pass_records_days",
            "keep.reject_records_days",
            "keep.reject_records_days",
            "keep.disk_max_gb",
        ];
        assert_eq!(keys, expected, "{problems:#?}");
        assert_eq!(
            problems[2].1,
            "is 20 days, less than pass_pictures_days (forever): a picture without its record says nothing"
        );
    }
}
