//! A length, an angle or an area that was measured in the picture itself, with its uncertainty.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What was measured of a part in one view, or why it could not be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// As the recipe calls it.
    pub name: String,
    /// What its values are.
    pub of: Dimension,
    /// In px, px² or degrees. `None` where it could not be measured: `says` tells why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub px: Option<Value>,
    /// In mm, mm² or degrees on the part's plane, where the camera has a scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mm: Option<Value>,
    /// Why the value does not count as calibrated, where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncalibrated: Option<String>,
    /// What a person reads: `8.020 ± 0.024 mm (k=2)`, or why there is no value.
    pub says: String,
}

/// What kind of number a measurement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// px or mm.
    Length,
    /// Degrees, in the picture or on the part's plane.
    Angle,
    /// px² or mm².
    Area,
}

impl Dimension {
    /// The unit in the picture.
    pub fn unit_px(self) -> &'static str {
        match self {
            Self::Length => "px",
            Self::Angle => "deg",
            Self::Area => "px²",
        }
    }

    /// The unit on the part's plane.
    pub fn unit_mm(self) -> &'static str {
        match self {
            Self::Length => "mm",
            Self::Angle => "deg",
            Self::Area => "mm²",
        }
    }
}

/// A value and its standard uncertainty (GUM, k = 1), in the same unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// The best estimate.
    pub value: f64,
    /// One standard deviation of what is not known about it; above 0.
    pub u: f64,
}

impl Value {
    /// The coverage factor of what people read and rules reckon with: about 95 % of a normal distribution.
    pub const K: f64 = 2.0;

    /// The expanded uncertainty U = k·u, k = 2 (JCGM 100:2008, 6.2).
    pub fn expanded(self) -> f64 {
        Self::K * self.u
    }

    /// True if both are numbers and the uncertainty is above 0.
    pub fn is_sound(self) -> bool {
        self.value.is_finite() && self.u.is_finite() && self.u > 0.0
    }
}

/// `8.020 ± 0.024`: the uncertainty with two significant digits, the value with as many places (JCGM 100:2008, 7.2.6).
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expanded = self.expanded();
        let places = if expanded > 0.0 { 1.0 - expanded.log10().floor() } else { 3.0 };
        let places = places.clamp(0.0, 6.0) as usize; // `as` makes 0 of what is no number
        write!(f, "{:.places$} ± {expanded:.places$}", self.value)
    }
}

impl Measurement {
    /// What could not be measured, and why.
    pub fn none(name: impl Into<String>, of: Dimension, why: impl Into<String>) -> Self {
        Self { name: name.into(), of, px: None, mm: None, uncalibrated: None, says: why.into() }
    }

    /// What was measured. A value that is no number, or as sure as nothing is, does not count as one.
    pub fn taken(
        name: impl Into<String>,
        of: Dimension,
        px: Value,
        mm: Option<Value>,
        uncalibrated: Option<String>,
    ) -> Self {
        let name = name.into();
        if !(px.is_sound() && mm.is_none_or(Value::is_sound)) {
            return Self::none(name, of, "what was reckoned from its edges is no number");
        }
        let (value, unit) = mm.map_or((px, of.unit_px()), |mm| (mm, of.unit_mm()));
        let mark = if uncalibrated.is_some() { ", uncalibrated" } else { "" };
        let says = format!("{value} {unit} (k=2){mark}");
        Self { name, of, px: Some(px), mm, uncalibrated, says }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_with_two_digits_of_its_uncertainty() {
        let rows = [
            (8.02, 0.012, "8.020 ± 0.024"),
            (105.3333, 0.5, "105.3 ± 1.0"),
            (5026.54, 21.0, "5027 ± 42"),
            (90.0, 0.004, "90.0000 ± 0.0080"),
        ];
        for (value, u, reads) in rows {
            assert_eq!(Value { value, u }.to_string(), reads);
        }
    }

    #[test]
    fn a_measurement_says_in_which_unit_and_whether_it_counts_as_calibrated() {
        let (px, mm) = (Value { value: 80.2, u: 0.02 }, Value { value: 8.02, u: 0.012 });
        let taken = |mm, mark| Measurement::taken("bore", Dimension::Length, px, mm, mark);
        assert_eq!(taken(Some(mm), None).says, "8.020 ± 0.024 mm (k=2)");
        let none = taken(None, Some("the camera has no scale".to_owned()));
        assert_eq!(none.says, "80.200 ± 0.040 px (k=2), uncalibrated");
        let json = serde_json::to_string(&none).expect("plain data");
        assert_eq!(serde_json::from_str::<Measurement>(&json).expect("what was written"), none);
    }

    #[test]
    fn what_is_no_number_is_not_measured() {
        for px in [Value { value: f64::NAN, u: 1.0 }, Value { value: 1.0, u: 0.0 }] {
            let taken = Measurement::taken("bore", Dimension::Length, px, None, None);
            assert_eq!((taken.px, taken.mm), (None, None));
        }
    }
}
