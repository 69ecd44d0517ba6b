//! What the PLC, or its silence, tells the station.

use crate::{VerdictCode, register_map::GateStatus};
use plumb_inspection::{PartId, RecipeNumber};
use std::{
    fmt,
    time::{Duration, Instant},
};

/// From the link to the station, in order.
///
/// Each accepted [`crate::Answer`] gets exactly one of `AnswerDelivered`, `AnswerOverrun` and `AnswerDropped`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlcEvent {
    /// The PLC answers; the block it saw first was NONE, ResultsValid 0, Online 0.
    LinkUp {
        /// For the log.
        says: String,
    },
    /// The PLC cannot be reached, or stopped polling. Sent again for each failed attempt.
    LinkDown {
        /// For `plumb_plc_errors_total`.
        kind: LinkFaultKind,
        /// What happened, when the next attempt is, and what becomes of the parts.
        says: String,
    },
    /// One exchange with the PLC took this long. Sent for each exchange that carried a new answer, else about ten
    /// times a second, and left out where the station is behind with its events. None in the server role.
    RoundTrip(Duration),
    /// Server role: a caller was not let in. The link to the PLC is as it was. Told about once a second at most.
    TurnedAway {
        /// For the log: who, and why.
        says: String,
    },
    /// The link is up, but the PLC's heartbeat has stood still: its program has stopped.
    PlcLost {
        /// For the log.
        says: String,
    },
    /// The PLC's heartbeat moves again.
    PlcBack,
    /// The PLC asks for a part to be looked at. TriggerAck is on its way.
    TriggerRequested {
        /// The PLC's tracking id; `None` leaves the numbering to the station.
        part: Option<PartId>,
        /// Belt encoder count at the photo-eye.
        encoder: u32,
        /// It has not been there before this moment: the start of the last exchange without it. Where a PLC sends of its
        /// own accord (EtherNet/IP), the last arrival without it.
        since: Instant,
    },
    /// The PLC set Trigger when none could be taken; MissedTrigger is shown and the part gets no TriggerAck.
    MissedTrigger {
        /// The PLC's tracking id, where it gave one.
        part: Option<PartId>,
        /// Belt encoder count at the photo-eye.
        encoder: u32,
    },
    /// The PLC wants this recipe. RecipeChanging is shown until [`crate::StationState`] says it is done.
    RecipeWanted(RecipeNumber),
    /// The PLC set ClearErrors. The link has cleared MissedTrigger and BufferOverrun by itself.
    ClearErrors,
    /// The line starts or stops. Sent once after each connect, then at each change.
    LineRunning(bool),
    /// The PLC's part number moved without a Trigger: its photo-eye saw a part. Each of the numbers in between was
    /// a part too. Sent from the second number after a connect on.
    PartSeen {
        /// The number before.
        after: PartId,
        /// The number now.
        part: PartId,
        /// Encoder count of `part` at the photo-eye.
        encoder: u32,
    },
    /// What the PLC sees behind the gate. Sent after a connect where anything is the matter, then at each change.
    GateStatus(GateStatus),
    /// The PLC acknowledged the write (client), or read the answer (server).
    AnswerDelivered {
        /// Whose answer.
        part: PartId,
        /// What was really written: `Late` where the deadline had passed.
        code: VerdictCode,
        /// From [`crate::PlcLink::answer`] to the acknowledgement.
        took: Duration,
    },
    /// Answers came faster than the PLC took them; this one was never written. The PLC rejects the part.
    AnswerOverrun {
        /// Whose answer.
        part: PartId,
    },
    /// The answer was never written, and never will be. The PLC rejects the part.
    AnswerDropped {
        /// Whose answer.
        part: PartId,
        /// Why.
        why: DropCause,
    },
    /// Something the PLC should have done was not done in time; the station went on by itself.
    WaitEnded {
        /// What was waited for.
        wait: Wait,
        /// The part concerned, where there is one.
        part: Option<PartId>,
    },
}

/// Why an answer was never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropCause {
    /// Its deadline passed while there was no link; expired answers are never replayed.
    Expired,
    /// The PLC used the part's number for another part before it was answered.
    NumberReused,
    /// The PLC polls, but did not read the answer.
    NotRead,
    /// Digital lines: the part was at the gate, or past it, when its answer came.
    PastTheGate,
    /// The station stopped first.
    Stopped,
}

impl fmt::Display for DropCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "its deadline passed while the PLC could not be reached",
            Self::NumberReused => "the PLC used its number for another part",
            Self::NotRead => "the PLC did not read it",
            Self::PastTheGate => "the part was at the gate already",
            Self::Stopped => "the station stopped",
        })
    }
}

/// A wait of the handshake that ended by its timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// For the PLC to drop Trigger after TriggerAck; TriggerAck was dropped instead.
    TriggerDrop,
    /// For ResultsAck; the result was withdrawn and the next one shown.
    ResultsAck,
    /// For the PLC to drop ResultsAck; the next result was shown.
    ResultsAckDrop,
    /// For the camera's exposure to end; Exposing was dropped.
    Exposure,
    /// For the station to change the recipe; RecipeChanging was dropped.
    RecipeChange,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TriggerDrop => "the PLC did not drop Trigger after TriggerAck; TriggerAck was dropped",
            Self::ResultsAck => "the PLC did not set ResultsAck; the result was withdrawn",
            Self::ResultsAckDrop => "the PLC did not drop ResultsAck; the next result is shown",
            Self::Exposure => "the exposure did not end; Exposing was dropped",
            Self::RecipeChange => "the recipe did not change; RecipeChanging was dropped",
        })
    }
}

/// What went wrong with a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkFaultKind {
    /// Nobody listens at the address.
    Refused,
    /// The address does not exist or cannot be reached.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The PLC closed the connection.
    Closed,
    /// The PLC understood and said no.
    Exception,
    /// The PLC sent what no Modbus device should.
    WrongAnswer,
    /// Server role: the PLC stopped polling.
    Silent,
    /// Its certificate was not accepted, or ours by it.
    Untrusted,
}

impl LinkFaultKind {
    /// Every kind, for metrics that must exist before the first fault.
    pub const ALL: [Self; 8] = [
        Self::Refused,
        Self::Unreachable,
        Self::Timeout,
        Self::Closed,
        Self::Exception,
        Self::WrongAnswer,
        Self::Silent,
        Self::Untrusted,
    ];

    /// The spelling used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Exception => "exception",
            Self::WrongAnswer => "wrong_answer",
            Self::Silent => "silent",
            Self::Untrusted => "untrusted",
        }
    }
}
