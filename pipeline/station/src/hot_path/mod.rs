//! From photon to PLC: one file a stage. What travels between them, and every channel with its capacity and what
//! happens when it is full.
//!
//! ```text
//!  light ─▶ capture ─2─▶ preprocess ─b─▶ infer ─8─▶ verdict ─▶ plc ─1024─▶ ledger
//!             └───────── 256: "this part has begun" ─▶┘  └─4─▶ shadow └─4─▶ pictures
//! ```

mod capture;
mod infer;
mod line_stop;
mod plc;
mod preprocess;
mod pulse;
mod route;
mod turns;
mod verdict;

pub use capture::{Desk, Lead, Place};
pub use infer::{Examiner, Looked, News};
pub use line_stop::{LineStop, StopReason};
pub use plc::{Answered, AwaitingWire};
pub use preprocess::{Cutting, Preparer};
pub use pulse::{BEAT, Heart, Pulse};
pub use route::{Leg, Route};
pub use verdict::{Judged, Keeper, VerdictStage, VerdictWires};

use plumb_inspection::{CameraId, Cause, Findings, Frame, Laps, PartId, Tensor};
use plumb_verdict::{Event, Mismatch};
use std::{sync::Arc, time::Instant};

/// Frames between capture and `preprocess-<camera>`: one being cut, one waiting. Full: `Missed(Overrun)`.
pub const TO_PREPROCESS: usize = 2;
/// Trips between `preprocess` and each device of `infer`: as many as one batch holds, so that what came while the
/// device was busy is there when it takes up the next. Full: preprocess waits, and so capture fills up.
pub fn to_infer(batch_max: usize) -> usize {
    batch_max.max(1)
}
/// Views between `infer` and `verdict`. Full: infer waits; the verdict task never does, so this is milliseconds.
pub const TO_VERDICT: usize = 8;
/// Beginnings and losses of parts: a burst of 64 lost frames is 128 of them. Full: the station is in fault, see
/// `Desk::tell`.
pub const BEGUN: usize = 256;
/// Cameras to fire. Full: `Missed(Overrun)`.
pub const TO_TRIGGER: usize = 8;
/// What the PLC link tells. Full: the link waits, its PLC sees a slower handshake.
pub const FROM_PLC: usize = 256;

/// A frame with the tensors cut from it, on its way across the devices.
pub struct Prepared {
    /// Kept for the picture of a reject.
    pub frame: Frame,
    /// One for each region, in the recipe's order.
    pub tensors: Vec<Tensor>,
    /// What was seen in each of them; `None` where its device is still to come.
    pub seen: Vec<Option<Findings>>,
    /// Since when it has been waiting for, and looked at by, its devices.
    pub since: Instant,
    route: Arc<Route>,
    leg: usize,
}

impl Prepared {
    /// At the start of its route.
    pub fn new(frame: Frame, tensors: Vec<Tensor>, route: Arc<Route>) -> Self {
        let seen = tensors.iter().map(|_| None).collect();
        Self { frame, tensors, seen, since: Instant::now(), route, leg: 0 }
    }

    /// The device it is at, or on its way to.
    pub fn leg(&self) -> &Leg {
        &self.route.legs[self.leg]
    }

    /// Turns to the next device. False where there is none.
    pub fn next_leg(&mut self) -> bool {
        let more = self.leg + 1 < self.route.legs.len();
        self.leg += usize::from(more);
        more
    }
}

/// A frame with what the models saw in it.
pub struct Examined {
    /// Kept for the picture of a reject.
    pub frame: Frame,
    /// In frame px.
    pub findings: Findings,
}

/// One view of a part, as it waits for the part's other views.
pub struct View {
    /// Frame and findings.
    pub seen: Examined,
    /// How long it took to get here.
    pub laps: Laps,
}

/// What the desk tells the verdict stage.
#[expect(
    clippy::large_enum_variant,
    reason = "64 of them wait at most, and a box would be an allocation a part"
)]
pub enum Told {
    /// A part began, or a view of it will not come.
    Part(Event<View>),
    /// A camera that exposes on our word has given the picture it was asked for.
    Exposed,
    /// Parts and pictures do not belong together any more.
    OutOfStep(Mismatch),
    /// Somebody says that the belt is clear.
    Rezero,
}

/// A view that will not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Whose.
    pub part: PartId,
    /// Which view.
    pub camera: CameraId,
    /// Why.
    pub cause: Cause,
}
