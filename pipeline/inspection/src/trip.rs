//! One view on its way through the station.

use crate::{CameraId, PartId};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    time::{Duration, Instant},
};

/// The number by which the PLC asks for a recipe (words 6 and 18 of the register block).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecipeNumber(pub u16);

/// One loading of one recipe. The same recipe loaded again, with a rule or a model changed, is another edition; numbers
/// are never used twice while the station runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Edition(pub u32);

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One view of one part on its way, carrying `T`. A stage takes it by value and hands on the next.
#[derive(Debug)]
pub struct Trip<T> {
    /// Whose view.
    pub part: PartId,
    /// Which view.
    pub camera: CameraId,
    /// Stamped at capture, so that no part is cut by one edition and judged by another.
    pub edition: Edition,
    /// When the part must have been answered.
    pub deadline: Instant,
    /// Time spent in each stage so far.
    pub laps: Laps,
    /// What travels.
    pub cargo: T,
}

impl<T> Trip<T> {
    /// The same trip carrying what a stage made of its cargo.
    pub fn carrying<U>(self, cargo: U) -> Trip<U> {
        let Self { part, camera, edition, deadline, laps, cargo: _ } = self;
        Trip { part, camera, edition, deadline, laps, cargo }
    }

    /// Takes the cargo out, leaving the trip to carry the next.
    pub fn unload(self) -> (T, Trip<()>) {
        let Self { part, camera, edition, deadline, laps, cargo } = self;
        (cargo, Trip { part, camera, edition, deadline, laps, cargo: () })
    }
}

/// A stage of the trip: one word everywhere (crate, thread, lap, metric label).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lap {
    /// From the trigger to the frame's arrival at preprocess.
    Capture,
    /// Regions cut, scaled and normalised.
    Preprocess,
    /// The models' work, queueing for the device included.
    Infer,
    /// Rules, and waiting for other views and earlier parts.
    Verdict,
    /// From the verdict to the PLC's acknowledgement.
    Plc,
}

impl Lap {
    /// In the order of the trip.
    pub const ALL: [Self; 5] = [Self::Capture, Self::Preprocess, Self::Infer, Self::Verdict, Self::Plc];

    /// The word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Preprocess => "preprocess",
            Self::Infer => "infer",
            Self::Verdict => "verdict",
            Self::Plc => "plc",
        }
    }
}

/// How long each stage took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Laps([Option<Duration>; Lap::ALL.len()]);

impl Laps {
    /// Notes that `lap` took `time`; a second note of the same lap adds up.
    pub fn add(&mut self, lap: Lap, time: Duration) {
        let slot = &mut self.0[lap as usize];
        *slot = Some(slot.unwrap_or_default() + time);
    }

    /// `None` where the part never came that far.
    pub fn get(&self, lap: Lap) -> Option<Duration> {
        self.0[lap as usize]
    }

    /// The slower of two views, stage by stage: what the part as a whole had to wait for.
    pub fn slower(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].max(other.0[i])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_waits_for_its_slowest_view() {
        let (mut a, mut b) = (Laps::default(), Laps::default());
        a.add(Lap::Infer, Duration::from_millis(3));
        b.add(Lap::Infer, Duration::from_millis(5));
        a.add(Lap::Capture, Duration::from_millis(1));
        let both = a.slower(&b);
        assert_eq!(both.get(Lap::Infer), Some(Duration::from_millis(5)));
        assert_eq!(both.get(Lap::Capture), Some(Duration::from_millis(1)));
        assert_eq!(both.get(Lap::Plc), None);
    }
}
