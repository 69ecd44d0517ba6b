//! The physical thing on the belt, what made the station look at it, and why it could not be judged.

use crate::Stamp;
use serde::{Deserialize, Serialize};
use std::{fmt, num::NonZeroU32};

/// The key of one physical part everywhere: PLC block, ledger, logs. Never 0 (0 on the wire means "none").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartId(NonZeroU32);

impl PartId {
    /// The first part a new ledger numbers.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// `None` for 0, which on the wire means "no part".
    pub fn new(id: u32) -> Option<Self> {
        NonZeroU32::new(id).map(Self)
    }

    /// The number itself.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The part after this one; after `u32::MAX` comes 1, skipping 0.
    pub fn next(self) -> Self {
        Self(NonZeroU32::new(self.0.get().wrapping_add(1)).unwrap_or(NonZeroU32::MIN))
    }
}

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "part {}", self.0)
    }
}

/// What told the station that a part is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerSource {
    /// One frame is one part: a hardware-triggered camera, or a folder of pictures.
    Frame,
    /// A part crossed the virtual photo-eye line in the picture.
    PhotoEye,
    /// Somebody asked through the HTTP API.
    Api,
    /// The PLC set the Trigger bit of its register block.
    Plc,
    /// A client of the OPC UA server called `StartSingleJob`.
    OpcUa,
}

impl TriggerSource {
    /// Every source, for metrics that must exist before the first trigger.
    pub const ALL: [Self; 5] = [Self::Frame, Self::PhotoEye, Self::Api, Self::Plc, Self::OpcUa];

    /// The spelling used in metrics and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::PhotoEye => "photo_eye",
            Self::Api => "api",
            Self::Plc => "plc",
            Self::OpcUa => "opc_ua",
        }
    }
}

/// A part has begun: from here on it is owed exactly one answer.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// The part that began.
    pub part: PartId,
    /// What noticed it.
    pub source: TriggerSource,
    /// When it was noticed; deadlines count from here.
    pub at: Stamp,
    /// Belt encoder count at the photo-eye, where the PLC tells it.
    pub encoder: Option<u32>,
}

/// Why a part could not be judged. Each is answered `Missed`, which the PLC rejects.
///
/// The discriminant is the reason code in word 15 of the register block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u16)]
pub enum Cause {
    /// No complete set of findings before the deadline.
    Deadline = 100,
    /// A stage could not keep up and the frame had nowhere to go.
    Overrun = 101,
    /// The camera's frame id jumped, or the frame of this trigger never came.
    FrameLost = 102,
    /// The camera is unplugged, stalled or reconnecting.
    CameraDown = 103,
    /// The picture could not be prepared (wrong size, corrupt).
    Preprocess = 104,
    /// The model did not run, or gave what is not a number.
    Model = 105,
    /// The recipe asked for is not loaded.
    Recipe = 106,
    /// The station is stopping.
    Shutdown = 107,
    /// The station is not released for production.
    NotReleased = 108,
    /// More parts are open than the station may hold.
    TooManyParts = 109,
    /// Its part id was given again while views of the first were still awaited: their pictures cannot be told apart.
    DuplicateId = 110,
    /// The device that runs the model is out of memory, or gone.
    Device = 111,
    /// The inference server did not answer in time, or not at all.
    Remote = 112,
    /// Parts and pictures no longer belong together; everything is rejected until the count begins anew.
    LostSync = 113,
    /// The rules could not come to a verdict: they panicked.
    Verdict = 114,
}

impl Cause {
    /// Every cause, for metrics and the PLC map.
    pub const ALL: [Self; 15] = [
        Self::Deadline,
        Self::Overrun,
        Self::FrameLost,
        Self::CameraDown,
        Self::Preprocess,
        Self::Model,
        Self::Recipe,
        Self::Shutdown,
        Self::NotReleased,
        Self::TooManyParts,
        Self::DuplicateId,
        Self::Device,
        Self::Remote,
        Self::LostSync,
        Self::Verdict,
    ];

    /// Word 15 of the register block.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The spelling used in metrics and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Overrun => "overrun",
            Self::FrameLost => "frame_lost",
            Self::CameraDown => "camera_down",
            Self::Preprocess => "preprocess",
            Self::Model => "model",
            Self::Recipe => "recipe",
            Self::Shutdown => "shutdown",
            Self::NotReleased => "not_released",
            Self::TooManyParts => "too_many_parts",
            Self::DuplicateId => "duplicate_id",
            Self::Device => "device",
            Self::Remote => "remote",
            Self::LostSync => "lost_sync",
            Self::Verdict => "verdict",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadline => "not judged before its deadline",
            Self::Overrun => "a stage could not keep up",
            Self::FrameLost => "its frame was lost",
            Self::CameraDown => "the camera is down",
            Self::Preprocess => "its picture could not be prepared",
            Self::Model => "the model gave no usable answer",
            Self::Recipe => "its recipe is not loaded",
            Self::Shutdown => "the station is stopping",
            Self::NotReleased => "the station is not released",
            Self::TooManyParts => "too many parts are open",
            Self::DuplicateId => "its part id was given twice",
            Self::Device => "the device that runs its model failed",
            Self::Remote => "the inference server did not answer",
            Self::LostSync => "parts and pictures are out of step",
            Self::Verdict => "its rules could not be applied",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbering_skips_zero_when_it_wraps() {
        let last = PartId::new(u32::MAX).expect("not 0");
        assert_eq!(last.next(), PartId::FIRST);
        assert_eq!(PartId::new(0), None);
    }

    #[test]
    fn every_cause_has_its_own_code_above_the_rule_codes() {
        let mut codes: Vec<u16> = Cause::ALL.iter().map(|cause| cause.code()).collect();
        codes.dedup();
        assert_eq!(codes.len(), Cause::ALL.len());
        assert!(codes.iter().all(|&code| code >= 100), "1..=99 are left to rules");
    }
}
