//! A length, an angle or an area that was measured in the picture itself, with its uncertainty.

use serde::{Deserialize, Serialize};

/// What was measured of a part in one view, or why it could not be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// As the recipe calls it.
    pub name: String,
    /// In px, px² or degrees. `None` where it could not be measured: `says` tells why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub px: Option<Value>,
    /// In mm, mm² or degrees on the part's plane, where the camera has a scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mm: Option<Value>,
    /// Why there is no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
}

/// A value and its standard uncertainty (GUM, k = 1), in the same unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// The best estimate.
    pub value: f64,
    /// One standard deviation of what is not known about it; above 0.
    pub u: f64,
}
