//! Trigger, TriggerAck and MissedTrigger: four phases, decided by edges alone.

use crate::register_map::FromPlc;
use plumb_inspection::PartId;
use std::time::{Duration, Instant};

/// Where the four phases stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Trigger has not been seen low since the (re)connect: a high level now may be a part long gone.
    Unknown,
    /// Trigger is low: the next rise is a new part.
    Low,
    /// Trigger is high and acknowledged.
    Acked { part: Option<PartId>, since: Instant },
    /// Trigger is high and not acknowledged, or no longer: only its fall counts.
    Spent { part: Option<PartId> },
}

/// A Trigger the PLC raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// Taken: TriggerAck goes up.
    Taken,
    /// Not taken: MissedTrigger goes up, TriggerAck does not.
    Missed,
}

/// The station's side of the trigger handshake.
#[derive(Debug)]
pub(super) struct Trigger {
    phase: Phase,
    enabled: bool,
    /// A Trigger came when none could be taken; shown until the next is taken.
    pub(super) missed: bool,
}

impl Trigger {
    pub(super) fn new() -> Self {
        Self { phase: Phase::Unknown, enabled: false, missed: false }
    }

    /// One reading of the PLC's words; `can_take` says whether the station could begin a part.
    pub(super) fn read(&mut self, now: Instant, said: &FromPlc, can_take: bool) -> Option<Edge> {
        let enable = said.control.trigger_enable;
        if self.enabled && !enable {
            self.missed = false;
            if let Phase::Acked { part, .. } = self.phase {
                self.phase = Phase::Spent { part };
            }
        }
        self.enabled = enable;
        if !said.control.trigger {
            self.phase = Phase::Low;
            return None;
        }
        match self.phase {
            Phase::Low if can_take && enable => {
                self.phase = Phase::Acked { part: said.part, since: now };
                self.missed = false;
                Some(Edge::Taken)
            }
            Phase::Low | Phase::Unknown => self.miss(said.part),
            // The PLC went on to its next part without dropping Trigger: that part was announced to nobody.
            Phase::Acked { part, .. } | Phase::Spent { part } if said.part.is_some() && said.part != part => {
                self.miss(said.part)
            }
            Phase::Acked { .. } | Phase::Spent { .. } => None,
        }
    }

    fn miss(&mut self, part: Option<PartId>) -> Option<Edge> {
        self.phase = Phase::Spent { part };
        self.missed = true;
        Some(Edge::Missed)
    }

    /// Drops TriggerAck by itself where the PLC holds Trigger for longer than `limit`; gives that part.
    pub(super) fn tick(&mut self, now: Instant, limit: Duration) -> Option<Option<PartId>> {
        match self.phase {
            Phase::Acked { part, since } if now.saturating_duration_since(since) >= limit => {
                self.phase = Phase::Spent { part };
                Some(part)
            }
            _ => None,
        }
    }

    /// Nothing read before the connection broke counts after it.
    pub(super) fn disconnected(&mut self) {
        *self = Self { missed: self.missed, ..Self::new() };
    }

    /// TriggerAck.
    pub(super) fn acked(&self) -> bool {
        matches!(self.phase, Phase::Acked { .. })
    }

    /// A rise of Trigger would be seen as one.
    pub(super) fn armed(&self) -> bool {
        self.phase == Phase::Low && self.enabled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register_map::Control;

    fn said(trigger: bool, part: u32) -> FromPlc {
        FromPlc {
            control: Control { trigger_enable: true, trigger, ..Control::default() },
            part: PartId::new(part),
            ..FromPlc::default()
        }
    }

    #[test]
    fn a_held_trigger_is_one_part_and_its_ack_mirrors_it() {
        let (now, mut trigger) = (Instant::now(), Trigger::new());
        assert_eq!(trigger.read(now, &said(false, 0), true), None);
        assert!(trigger.armed());
        assert_eq!(trigger.read(now, &said(true, 1), true), Some(Edge::Taken));
        assert_eq!(trigger.read(now, &said(true, 1), true), None);
        assert!(trigger.acked() && !trigger.armed());
        trigger.read(now, &said(false, 1), true);
        assert!(!trigger.acked() && trigger.armed());
        assert_eq!(trigger.read(now, &said(true, 2), true), Some(Edge::Taken));
    }

    #[test]
    fn a_trigger_found_high_after_connecting_is_missed_not_taken() {
        let (now, mut trigger) = (Instant::now(), Trigger::new());
        assert_eq!(trigger.read(now, &said(true, 1), true), Some(Edge::Missed));
        assert!(trigger.missed && !trigger.acked());
        trigger.read(now, &said(false, 1), true);
        assert_eq!(trigger.read(now, &said(true, 2), true), Some(Edge::Taken));
        assert!(!trigger.missed, "the next good trigger clears it");
    }

    #[test]
    fn a_trigger_while_not_ready_is_missed_and_disabling_clears_it() {
        let (now, mut trigger) = (Instant::now(), Trigger::new());
        trigger.read(now, &said(false, 0), false);
        assert_eq!(trigger.read(now, &said(true, 1), false), Some(Edge::Missed));
        assert_eq!(trigger.read(now, &said(true, 1), true), None, "becoming ready is not an edge");
        trigger.read(now, &FromPlc::default(), true);
        assert!(!trigger.missed);
    }

    #[test]
    fn the_next_part_under_a_trigger_still_held_is_missed() {
        let (now, mut trigger) = (Instant::now(), Trigger::new());
        trigger.read(now, &said(false, 0), true);
        trigger.read(now, &said(true, 1), true);
        assert_eq!(trigger.read(now, &said(true, 2), true), Some(Edge::Missed));
        assert_eq!(trigger.read(now, &said(true, 2), true), None, "once");
    }

    #[test]
    fn a_trigger_held_for_ever_loses_its_ack() {
        let (now, mut trigger) = (Instant::now(), Trigger::new());
        let limit = Duration::from_secs(1);
        trigger.read(now, &said(false, 0), true);
        trigger.read(now, &said(true, 1), true);
        assert_eq!(trigger.tick(now + limit / 2, limit), None);
        assert_eq!(trigger.tick(now + limit, limit), Some(PartId::new(1)));
        assert!(!trigger.acked());
        assert_eq!(trigger.read(now + limit, &said(true, 1), true), None, "it must fall first");
    }
}
