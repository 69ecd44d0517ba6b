//! What a camera tells: pictures, losses, and whether it is there at all.

use plumb_inspection::Frame;
use std::time::Duration;

/// Told in the order in which it happened. Between a `Down` and the next `Up` there is no `Frame`.
#[derive(Debug)]
pub enum CameraEvent {
    /// A picture, its pixels lent.
    Frame(Frame),
    /// The camera's own frame counter jumped: so many pictures were taken and never arrived. Comes before the frame
    /// that showed the jump.
    FramesLost {
        /// Pictures missing, ≥ 1.
        count: u64,
    },
    /// The camera gives pictures, or, where it waits for triggers, is ready for them.
    Up,
    /// The camera gives nothing. Said at every failed attempt, so also for one that never was there.
    Down {
        /// For metrics.
        why: DownCause,
        /// For people: what happened, to which thing.
        says: String,
        /// The next attempt begins after this.
        retry_in: Duration,
    },
    /// One picture arrived damaged and was thrown away; the camera goes on.
    Corrupt {
        /// What was wrong, with which file or frame.
        says: String,
    },
    /// `files` without `loop` has given its last picture. Nothing follows.
    Ended,
}

/// Why a camera is down. Closed, so that it can be a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DownCause {
    /// Not there: no such device, address or file, or its cable was pulled.
    Unplugged,
    /// There, but it will not serve us: wrong password, held by another program, a setting it does not accept.
    Refused,
    /// There, but no picture came in time.
    Stalled,
    /// What it sends are no pictures: wrong type, truncated, undecodable.
    Corrupt,
    /// A live stream was ended by its sender.
    Ended,
    /// Something else in between failed; the sentence tells.
    Failed,
}

impl DownCause {
    /// Every cause, for metrics that must exist before the first failure.
    pub const ALL: [Self; 6] =
        [Self::Unplugged, Self::Refused, Self::Stalled, Self::Corrupt, Self::Ended, Self::Failed];

    /// The spelling used in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unplugged => "unplugged",
            Self::Refused => "refused",
            Self::Stalled => "stalled",
            Self::Corrupt => "corrupt",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }
}

/// Why an opening did not succeed or a stream broke off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) why: DownCause,
    pub(crate) says: String,
}

impl Failure {
    pub(crate) fn new(why: DownCause, says: impl Into<String>) -> Self {
        Self { why, says: says.into() }
    }
}
