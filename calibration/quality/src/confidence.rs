//! How sure a statement is, and the interval that comes of it.

use serde::{Deserialize, Serialize};

/// Between 0 and 1, both excluded: 0.95 is wrong once in twenty times.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Confidence(f64);

impl Confidence {
    /// What quality people use unless they say otherwise.
    pub const NINETY_FIVE: Self = Self(0.95);

    /// # Errors
    /// For 0, 1, anything outside and NaN: nothing is certain.
    pub fn new(level: f64) -> Result<Self, ConfidenceError> {
        if level > 0.0 && level < 1.0 { Ok(Self(level)) } else { Err(ConfidenceError { level }) }
    }

    /// The level, e.g. 0.95.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The chance to be wrong that is left, e.g. 0.05.
    pub fn risk(self) -> f64 {
        1.0 - self.0
    }
}

impl TryFrom<f64> for Confidence {
    type Error = ConfidenceError;
    fn try_from(level: f64) -> Result<Self, ConfidenceError> {
        Self::new(level)
    }
}

impl From<Confidence> for f64 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

/// A level of confidence that is none.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a confidence of {level} is none; give a number between 0 and 1, such as 0.95")]
pub struct ConfidenceError {
    /// As given.
    pub level: f64,
}

/// Where a number may lie, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Not below this.
    pub lower: f64,
    /// Not above this.
    pub upper: f64,
}

impl Interval {
    /// True if `value` may be the one.
    pub fn contains(self, value: f64) -> bool {
        self.lower <= value && value <= self.upper
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_certain() {
        for level in [0.0, 1.0, -0.1, 95.0, f64::NAN] {
            assert!(Confidence::new(level).is_err(), "{level}");
        }
        assert_eq!(Confidence::new(0.95), Ok(Confidence::NINETY_FIVE));
    }
}
