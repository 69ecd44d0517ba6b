//! The last stage: verdicts that were handed to the wire, until the PLC has confirmed them or never will.

use super::Judged;
use plumb_inspection::{Lap, PartId};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A part's verdict after the wire: what the ledger keeps.
pub struct Answered {
    /// The verdict with its views.
    pub judged: Judged,
    /// True if the PLC acknowledged the write; false if there is no PLC or it could not be told.
    pub delivered: bool,
    /// True if the answer went out as LATE, because its verdict or its write came after the deadline.
    pub late: bool,
}

/// Verdicts on the wire, in the order of their parts.
#[derive(Default)]
pub struct AwaitingWire {
    parts: VecDeque<(Instant, Judged)>,
}

impl AwaitingWire {
    /// As many as the ledger's inbox holds; beyond it the oldest is closed as undelivered.
    const LIMIT: usize = 1024;

    /// The verdict goes out now.
    pub fn sent(&mut self, now: Instant, judged: Judged) -> Option<Answered> {
        let too_many = (self.parts.len() >= Self::LIMIT).then(|| self.parts.pop_front()).flatten();
        self.parts.push_back((now, judged));
        too_many.map(|(_, judged)| Answered { late: judged.late, judged, delivered: false })
    }

    /// The PLC confirmed the answer of `part` after `took`.
    pub fn delivered(&mut self, part: PartId, late: bool, took: Duration) -> Option<Answered> {
        let mut judged = self.take(part)?;
        judged.laps.add(Lap::Plc, took);
        Some(Answered { late: judged.late || late, judged, delivered: true })
    }

    /// The answer of `part` never reached the PLC.
    pub fn undelivered(&mut self, part: PartId) -> Option<Answered> {
        self.take(part).map(|judged| Answered { late: judged.late, judged, delivered: false })
    }

    /// Answers that have waited longer than `patience`: the link lost them.
    pub fn overdue(&mut self, now: Instant, patience: Duration) -> Vec<Answered> {
        let count = self.parts.iter().take_while(|(sent, _)| now > *sent + patience).count();
        let overdue = self.parts.drain(..count);
        overdue.map(|(_, judged)| Answered { late: judged.late, judged, delivered: false }).collect()
    }

    /// Nothing more will be confirmed.
    pub fn close(&mut self) -> Vec<Answered> {
        let rest = self.parts.drain(..);
        rest.map(|(_, judged)| Answered { late: judged.late, judged, delivered: false }).collect()
    }

    /// How many are out.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// True if every answer is confirmed or given up.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    fn take(&mut self, part: PartId) -> Option<Judged> {
        let at = self.parts.iter().position(|(_, judged)| judged.trigger.part == part)?;
        self.parts.remove(at).map(|(_, judged)| judged)
    }
}
