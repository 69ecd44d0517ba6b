//! What people are at the station.

use serde::{Deserialize, Serialize};

/// A role. Each may do what those before it may, but quality and maintenance stand beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees everything, changes nothing: an auditor, a screen on the wall.
    Viewer,
    /// Runs the line: changes over, clears the belt, acknowledges.
    Operator,
    /// Answers for what is judged: reviews, thresholds, recipes, models, signatures.
    Quality,
    /// Answers for the machine: cameras, calibration, devices.
    Maintenance,
    /// Says who may do what, and may do everything.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Operator, Self::Quality, Self::Maintenance, Self::Admin];

    /// The spelling used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Quality => "quality",
            Self::Maintenance => "maintenance",
            Self::Admin => "admin",
        }
    }

    /// From that spelling.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether it may do whatever `other` may.
    pub fn covers(self, other: Self) -> bool {
        match other {
            Self::Viewer => true,
            Self::Operator => self != Self::Viewer,
            Self::Quality | Self::Maintenance | Self::Admin => self == other || self == Self::Admin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_and_maintenance_stand_beside_each_other() {
        assert!(!Role::Quality.covers(Role::Maintenance) && !Role::Maintenance.covers(Role::Quality));
        assert!(Role::Quality.covers(Role::Operator) && Role::Maintenance.covers(Role::Operator));
        assert!(Role::ALL.iter().all(|role| Role::Admin.covers(*role) && role.covers(Role::Viewer)));
        assert!(!Role::Operator.covers(Role::Quality) && !Role::Viewer.covers(Role::Operator));
        assert!(Role::ALL.iter().all(|role| Role::from_word(role.as_str()) == Some(*role)));
    }
}
