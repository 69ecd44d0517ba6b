//! What good parts look like, kept so that a new picture can be held against it.

mod anywhere;
mod in_place;

pub use anywhere::Anywhere;
pub(crate) use in_place::AROUND;
pub use in_place::InPlace;

use crate::features::{FeatureMap, Grid};
use serde::Serialize;

/// A memory of good parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Memory {
    /// A patch may be like any good patch.
    Anywhere(Anywhere),
    /// A patch is to be like a good patch of its own place.
    InPlace(InPlace),
}

/// Which memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// For what lies freely, and for textures: where on the picture a patch is does not count.
    Anywhere,
    /// For parts that lie as they were taught, within a cell: what is absent, or in the wrong place, is odd too.
    InPlace,
}

/// How much may be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Patches of [`Anywhere`]; what each costs is paid for every cell of a picture.
    pub anywhere_max: usize,
    /// Patches of [`InPlace`] for one cell.
    pub in_place_max: usize,
    /// Of every choice that is made.
    pub seed: u64,
}

impl Memory {
    /// Remembers `maps`, scaled already and all of one grid; `None` where there is none.
    pub fn of(kind: Kind, maps: &[&FeatureMap], limits: Limits) -> Option<Self> {
        let first = maps.first()?;
        debug_assert!(
            maps.iter().all(|map| map.grid() == first.grid() && map.channels() == first.channels())
        );
        Some(match kind {
            Kind::Anywhere => Self::Anywhere(Anywhere::of(maps, limits.anywhere_max, limits.seed)),
            Kind::InPlace => Self::InPlace(InPlace::of(maps, limits.in_place_max, limits.seed)),
        })
    }

    /// Which it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Anywhere(_) => Kind::Anywhere,
            Self::InPlace(_) => Kind::InPlace,
        }
    }

    /// The cells of the pictures that it can be held against.
    pub fn grid(&self) -> Grid {
        match self {
            Self::Anywhere(memory) => memory.grid(),
            Self::InPlace(memory) => memory.grid(),
        }
    }

    /// How far each cell of `map`, scaled as the memory's own maps were, is from what is remembered: the Euclidean distance
    /// to the nearest patch.
    pub fn distances(&self, map: &FeatureMap) -> Vec<f32> {
        match self {
            Self::Anywhere(memory) => memory.distances(map),
            Self::InPlace(memory) => memory.distances(map),
        }
    }

    /// Patches it holds.
    pub fn patches(&self) -> usize {
        match self {
            Self::Anywhere(memory) => memory.patches(),
            Self::InPlace(memory) => memory.patches(),
        }
    }
}
