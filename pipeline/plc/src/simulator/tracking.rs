//! Slots between photo-eye and gate. A slot is born as "reject"; one thing alone turns it to "release".

use crate::{VerdictCode, register_map::ToPlc};
use plumb_inspection::PartId;
use std::collections::VecDeque;

/// Parts between photo-eye and gate. One more gets no slot, and a gate without a slot rejects.
const SLOTS_MAX: usize = 1_024;

/// What the gate was told about one part, and why. A part without a decision is rejected too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateDecision {
    /// The PLC's tracking id.
    pub part: PartId,
    /// Which edge of the photo-eye it was, from 0.
    pub edge_index: u64,
    /// Encoder count at that edge.
    pub encoder: u32,
    /// True lets it pass.
    pub release: bool,
    /// Why.
    pub why: GateReason,
}

/// Why a part was released or rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GateReason {
    /// PASS with its own id, in time, from a living station: the only way to be released.
    Passed,
    /// A rule objected.
    Failed,
    /// The station could not judge it.
    Missed,
    /// Judged after its deadline.
    Late,
    /// Triggered, but no answer came before the gate.
    NoAnswer,
    /// The station did not take the trigger.
    NotTaken,
    /// Other parts were still being announced, or the station was not ready, until it was too late.
    NotAnnounced,
    /// The station's heartbeat stood still while it was on its way.
    StationLost,
}

/// What became of the parts so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Edges of the photo-eye.
    pub edges: u64,
    /// Parts released.
    pub released: u64,
    /// Parts rejected because a rule objected.
    pub failed: u64,
    /// Parts rejected for any other reason.
    pub unjudged: u64,
    /// Of those: never announced to the station.
    pub not_announced: u64,
    /// Answers for no part that was waiting for one.
    pub stale_answers: u64,
    /// Blocks read while they were being written.
    pub torn_reads: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waits to be announced.
    Born,
    /// Trigger is up for it.
    Announced,
    /// The station has acknowledged it: an answer with this id is this part's.
    Tracked,
    Decided(GateReason),
}

#[derive(Debug)]
struct Slot {
    part: PartId,
    edge_index: u64,
    encoder: u32,
    state: State,
}

/// All slots, in belt order.
#[derive(Debug)]
pub(super) struct Tracking {
    slots: VecDeque<Slot>,
    next_part: PartId,
    pub(super) tally: Tally,
}

impl Tracking {
    pub(super) fn new(first_part: PartId) -> Self {
        Self { slots: VecDeque::new(), next_part: first_part, tally: Tally::default() }
    }

    /// A part broke the light of the photo-eye; its number. One that is `seen` by a wired camera need not be announced.
    pub(super) fn edge(&mut self, encoder: u32, seen: bool) -> PartId {
        let (part, edge_index) = (self.next_part, self.tally.edges);
        self.next_part = part.next();
        self.tally.edges += 1;
        if self.slots.len() < SLOTS_MAX {
            let state = if seen { State::Tracked } else { State::Born };
            self.slots.push_back(Slot { part, edge_index, encoder, state });
        }
        part
    }

    /// The next part to be announced and its encoder count, oldest first. Parts further than `reach` counts from
    /// the photo-eye are left out: the camera no longer sees them. Of the rest only the first `depth` may wait.
    pub(super) fn announce(&mut self, encoder: u32, reach: u32, depth: usize) -> Option<(PartId, u32)> {
        let mut waiting = 0;
        for slot in self.slots.iter_mut().filter(|slot| slot.state == State::Born) {
            waiting += 1;
            if travelled(encoder, slot.encoder) > reach || waiting > depth {
                slot.state = State::Decided(GateReason::NotAnnounced);
            }
        }
        let slot = self.slots.iter_mut().find(|slot| slot.state == State::Born)?;
        slot.state = State::Announced;
        Some((slot.part, slot.encoder))
    }

    /// TriggerAck came for `part`, or did not come in time.
    pub(super) fn announced(&mut self, part: PartId, taken: bool) {
        let slots = self.slots.iter_mut();
        if let Some(slot) = slots.into_iter().find(|slot| slot.part == part && slot.state == State::Announced)
        {
            slot.state = if taken { State::Tracked } else { State::Decided(GateReason::NotTaken) };
        }
    }

    /// An answer of a living station. Only a part that is tracked and undecided takes one, and only its first.
    /// False if no part does.
    pub(super) fn take(&mut self, answer: &ToPlc) -> bool {
        let mut slots = self.slots.iter_mut();
        let Some(slot) = slots.find(|slot| Some(slot.part) == answer.part && slot.state == State::Tracked)
        else {
            return false;
        };
        slot.state = State::Decided(match answer.code {
            VerdictCode::Pass => GateReason::Passed,
            VerdictCode::Fail => GateReason::Failed,
            VerdictCode::Missed => GateReason::Missed,
            VerdictCode::Late => GateReason::Late,
            VerdictCode::None => return true,
        });
        true
    }

    /// The station is gone: whatever it said of the parts on their way no longer counts.
    pub(super) fn reject_all(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.state = State::Decided(GateReason::StationLost));
    }

    /// The parts that have come to the gate at `encoder`.
    pub(super) fn at_gate(
        &mut self,
        encoder: u32,
        gate_counts: u32,
        station_lives: bool,
    ) -> Vec<GateDecision> {
        let mut decisions = Vec::new();
        while self.slots.front().is_some_and(|slot| travelled(encoder, slot.encoder) >= gate_counts)
            && let Some(Slot { part, edge_index, encoder, state }) = self.slots.pop_front()
        {
            let why = match state {
                _ if !station_lives => GateReason::StationLost,
                State::Born => GateReason::NotAnnounced,
                State::Announced => GateReason::NotTaken,
                State::Tracked => GateReason::NoAnswer,
                State::Decided(why) => why,
            };
            let release = why == GateReason::Passed;
            match why {
                GateReason::Passed => self.tally.released += 1,
                GateReason::Failed => self.tally.failed += 1,
                _ => self.tally.unjudged += 1,
            }
            self.tally.not_announced += u64::from(why == GateReason::NotAnnounced);
            decisions.push(GateDecision { part, edge_index, encoder, release, why });
        }
        decisions
    }

    /// The PLC was switched off and on: it knows of no part, and counts from `first_part` again.
    pub(super) fn restart(&mut self, first_part: PartId) {
        self.tally.unjudged += self.slots.len() as u64;
        self.slots.clear();
        self.next_part = first_part;
    }
}

/// Counts since the photo-eye, across the counter's wrap; a belt that crept back has travelled 0.
fn travelled(encoder: u32, from: u32) -> u32 {
    let counts = encoder.wrapping_sub(from);
    if counts > u32::MAX / 2 { 0 } else { counts }
}
