//! When an answer counts as delivered, where no packet is ever acknowledged.
//!
//! Two packets have carried it to the owner, and after the second the owner has been heard: a scanner that hears nothing
//! gives its connection up and falls silent itself. Or ResultsAck has followed ResultsValid, which says it outright. A
//! controller in program mode has nobody to read an answer: none is delivered to it.

use crate::register_map::{FromPlc, ToPlc};
use std::time::{Duration, Instant};

/// Packets that have to carry a block; one may be lost.
const PACKETS: u32 = 2;

/// What the owner is being shown.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    shown: Option<Shown>,
    /// ResultsAck as last heard.
    ack: bool,
}

#[derive(Debug)]
struct Shown {
    block: ToPlc,
    since: Instant,
    packets: u32,
    delivered: bool,
}

impl Delivery {
    /// A packet with `block` has gone to the owner.
    pub(super) fn sent(&mut self, block: ToPlc, now: Instant) {
        match &mut self.shown {
            Some(shown) if answer_of(&shown.block) == answer_of(&block) => {
                shown.block = block;
                shown.packets = shown.packets.saturating_add(1);
            }
            shown => *shown = Some(Shown { block, since: now, packets: 1, delivered: false }),
        }
    }

    /// A packet from the owner has come; `said` unless it is in program mode. The block that is delivered by that, and
    /// how long it took.
    pub(super) fn heard(&mut self, said: Option<&FromPlc>, now: Instant) -> Option<(ToPlc, Duration)> {
        let ack = said.map_or(self.ack, |said| said.control.buffer_results && said.control.results_ack);
        let turned = std::mem::replace(&mut self.ack, ack) != ack;
        let shown = self.shown.as_mut().filter(|shown| !shown.delivered)?;
        let is_an_answer = shown.block.status.results_valid;
        if is_an_answer && said.is_none() {
            return None;
        }
        shown.delivered = shown.packets >= PACKETS || (turned && ack == is_an_answer);
        shown.delivered.then(|| (shown.block, now.duration_since(shown.since)))
    }
}

/// What makes one block another answer than the one before.
fn answer_of(block: &ToPlc) -> impl PartialEq {
    let status = &block.status;
    (status.results_valid, status.inspection_toggle, block.part, block.code, block.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        VerdictCode,
        register_map::{Control, Status},
    };
    use plumb_inspection::PartId;

    fn answer(code: VerdictCode) -> ToPlc {
        let status = Status { results_valid: true, ..Status::default() };
        ToPlc { status, part: Some(PartId::FIRST), code, ..ToPlc::default() }
    }

    fn says(results_ack: bool) -> FromPlc {
        let control = Control { buffer_results: true, results_ack, ..Control::default() };
        FromPlc { control, ..FromPlc::default() }
    }

    #[test]
    fn two_packets_and_a_word_of_the_owner_after_them_deliver() {
        let (mut delivery, now) = (Delivery::default(), Instant::now());
        delivery.sent(answer(VerdictCode::Fail), now);
        assert_eq!(delivery.heard(Some(&says(false)), now), None, "one may be lost");
        let beat = ToPlc { heartbeat: 9, ..answer(VerdictCode::Fail) };
        delivery.sent(beat, now);
        let later = now + Duration::from_millis(20);
        assert_eq!(delivery.heard(Some(&says(false)), later), Some((beat, Duration::from_millis(20))));
        assert_eq!(delivery.heard(Some(&says(false)), later), None, "said once");
    }

    #[test]
    fn an_owner_that_is_not_heard_has_nothing() {
        let (mut delivery, now) = (Delivery::default(), Instant::now());
        for _ in 0..100 {
            delivery.sent(answer(VerdictCode::Pass), now);
        }
        assert_eq!(delivery.heard(None, now), None, "nor one in program mode");
        assert!(delivery.heard(Some(&says(false)), now).is_some());
    }

    #[test]
    fn an_answer_that_turned_late_begins_anew() {
        let (mut delivery, now) = (Delivery::default(), Instant::now());
        delivery.sent(answer(VerdictCode::Pass), now);
        delivery.sent(answer(VerdictCode::Late), now);
        assert_eq!(delivery.heard(Some(&says(false)), now), None);
        delivery.sent(answer(VerdictCode::Late), now);
        assert_eq!(delivery.heard(Some(&says(false)), now).unwrap().0.code, VerdictCode::Late);
    }

    #[test]
    fn a_results_ack_that_follows_delivers_and_one_that_is_stuck_does_not() {
        let (mut delivery, now) = (Delivery::default(), Instant::now());
        assert_eq!(delivery.heard(Some(&says(true)), now), None);
        delivery.sent(answer(VerdictCode::Pass), now);
        assert_eq!(delivery.heard(Some(&says(true)), now), None, "stuck");
        assert_eq!(delivery.heard(Some(&says(false)), now), None);
        assert!(delivery.heard(Some(&says(true)), now).is_some());
        delivery.sent(ToPlc::default(), now);
        assert_eq!(delivery.heard(None, now), None);
        assert_eq!(delivery.heard(Some(&says(true)), now), None, "it has not seen ResultsValid fall");
        assert!(delivery.heard(Some(&says(false)), now).is_some());
    }
}
