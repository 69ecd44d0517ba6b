//! Numbers of a card that cannot be wrong.

use serde::{Deserialize, Serialize};

/// 0..=1, for thresholds on probabilities and overlaps.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Fraction(f32);

impl Fraction {
    /// # Errors
    /// For anything outside 0..=1, NaN included.
    pub const fn new(value: f32) -> Result<Self, NumberError> {
        if value >= 0.0 && value <= 1.0 {
            Ok(Self(value))
        } else {
            Err(NumberError { value, wanted: "a number from 0 to 1" })
        }
    }

    /// The number.
    pub const fn get(self) -> f32 {
        self.0
    }

    /// For defaults, known to be right when this is compiled.
    pub(crate) const fn known(value: f32) -> Self {
        assert!(value >= 0.0 && value <= 1.0, "a default outside 0..=1");
        Self(value)
    }
}

impl TryFrom<f32> for Fraction {
    type Error = NumberError;
    fn try_from(value: f32) -> Result<Self, NumberError> {
        Self::new(value)
    }
}
impl From<Fraction> for f32 {
    fn from(fraction: Fraction) -> Self {
        fraction.0
    }
}

/// Zero or any finite number above it, for areas and anomaly distances.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct NotNegative(f32);

impl NotNegative {
    /// # Errors
    /// For negative numbers, infinities and NaN.
    pub fn new(value: f32) -> Result<Self, NumberError> {
        if value >= 0.0 && value.is_finite() {
            Ok(Self(value))
        } else {
            Err(NumberError { value, wanted: "0 or more, and finite" })
        }
    }

    /// The number.
    pub fn get(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for NotNegative {
    type Error = NumberError;
    fn try_from(value: f32) -> Result<Self, NumberError> {
        Self::new(value)
    }
}
impl From<NotNegative> for f32 {
    fn from(number: NotNegative) -> Self {
        number.0
    }
}

/// A number out of its range.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{value} is out of range; wanted is {wanted}")]
pub struct NumberError {
    /// As given.
    pub value: f32,
    /// What would do.
    pub wanted: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_out_of_range_cannot_be_made() {
        for bad in [-0.01, 1.01, f32::NAN, f32::INFINITY] {
            assert!(Fraction::new(bad).is_err(), "{bad}");
        }
        for bad in [-1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(NotNegative::new(bad).is_err(), "{bad}");
        }
        assert!(Fraction::new(0.0).is_ok() && Fraction::new(1.0).is_ok() && NotNegative::new(1e9).is_ok());
    }
}
