//! The kinds of defect, and the number each has in a mask and in a model's output.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What can be wrong with a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefectKind {
    /// A thin line, bright or dark.
    Scratch,
    /// A hollow: bright on one side, dark on the other.
    Dent,
    /// A discoloured patch.
    Stain,
    /// Something that should be there is not: a chip out of the rim, metal eaten by a hole off its centre, a pill.
    Missing,
    /// Something that should not be there: a burr, a pill or a crumb on the foil.
    Extra,
    /// A washer, its hole, or a pill too small or too large.
    WrongSize,
}

impl DefectKind {
    /// Every kind, in the order of [`DefectKind::class_id`].
    pub const ALL: [Self; 6] =
        [Self::Scratch, Self::Dent, Self::Stain, Self::Missing, Self::Extra, Self::WrongSize];

    /// The kind's value in a [`crate::ClassMask`], 1..=6; 0 is "no defect here".
    pub fn class_id(self) -> u8 {
        self as u8 + 1
    }

    /// The word in TOML, in a model's labels and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scratch => "scratch",
            Self::Dent => "dent",
            Self::Stain => "stain",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::WrongSize => "wrong_size",
        }
    }
}

impl fmt::Display for DefectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
