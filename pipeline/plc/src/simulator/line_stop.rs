//! What stops the belt: a station that is gone or asks for it, and what the eyes behind the gate see.
//!
//! A part that was to be rejected must be seen in the reject lane within half a pitch, and must never be seen in the
//! pass lane. Both stay until somebody turns the key; bin, air and the station's wish stop the belt for as long as they last.

use super::tracking::GateDecision;
use crate::register_map::GateStatus;
use plumb_inspection::PartId;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Why the belt must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineStop {
    /// The station's heartbeat has stood still for too long, or for too many parts.
    StationLost,
    /// A rejected part was seen among the good ones.
    RejectedPartInPassLane {
        /// Which.
        part: PartId,
    },
    /// A rejected part did not reach the reject-confirm photo-eye.
    RejectNotConfirmed {
        /// Which.
        part: PartId,
    },
    /// The bin for rejects is full.
    BinFull,
    /// The air that moves the gate is low.
    AirLow,
    /// The station asks for it (LineStopRequest).
    StationAsks,
}

/// The photo-eyes behind the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateEyes {
    /// Encoder counts from the gate to the reject-confirm photo-eye, along the reject lane.
    pub reject_confirm_counts: u32,
    /// Encoder counts from the gate to the photo-eye of the pass lane.
    pub pass_lane_counts: u32,
    /// A part may be so many counts early or late: half a pitch.
    pub window_counts: u32,
}

/// What the eyes behind the gate saw since the last scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BehindTheGate {
    /// Encoder count at each edge of the reject-confirm photo-eye.
    pub reject_confirm_edges: Vec<u32>,
    /// Encoder count at each edge of the pass lane's photo-eye.
    pub pass_lane_edges: Vec<u32>,
    /// The bin is full.
    pub bin_full: bool,
    /// The air is low.
    pub air_low: bool,
}

/// A rejected part on its way to the reject-confirm photo-eye.
#[derive(Clone, Copy, Debug)]
struct Rejected {
    part: PartId,
    /// Encoder count at which it came to the gate.
    at_gate: u32,
    confirmed: bool,
}

/// Parts that are remembered behind the gate: more than lie between it and its eyes.
const BEHIND_MAX: usize = 64;

/// Watches what becomes of rejected parts.
#[derive(Debug)]
pub(super) struct GateWatch {
    eyes: Option<GateEyes>,
    rejected: VecDeque<Rejected>,
    not_confirmed: Option<PartId>,
    in_pass_lane: Option<PartId>,
    bin_full: bool,
    air_low: bool,
}

impl GateWatch {
    pub(super) fn new(eyes: Option<GateEyes>) -> Self {
        Self {
            eyes,
            rejected: VecDeque::new(),
            not_confirmed: None,
            in_pass_lane: None,
            bin_full: false,
            air_low: false,
        }
    }

    /// One scan, after the gate: `decisions` are those of this scan.
    pub(super) fn scan(
        &mut self,
        encoder: u32,
        gate_counts: u32,
        decisions: &[GateDecision],
        seen: &BehindTheGate,
    ) {
        (self.bin_full, self.air_low) = (seen.bin_full, seen.air_low);
        let Some(eyes) = self.eyes else { return };
        for decision in decisions.iter().filter(|decision| !decision.release) {
            let at_gate = decision.encoder.wrapping_add(gate_counts);
            self.rejected.push_back(Rejected { part: decision.part, at_gate, confirmed: false });
        }
        for &edge in &seen.reject_confirm_edges {
            let due = |rejected: &Rejected| rejected.at_gate.wrapping_add(eyes.reject_confirm_counts);
            let mut open = self.rejected.iter_mut().filter(|rejected| !rejected.confirmed);
            if let Some(rejected) = open.find(|rejected| apart(edge, due(rejected)) <= eyes.window_counts) {
                rejected.confirmed = true;
            }
        }
        for &edge in &seen.pass_lane_edges {
            let due = |rejected: &&Rejected| rejected.at_gate.wrapping_add(eyes.pass_lane_counts);
            // Half a pitch further on is the neighbour: the nearest must not be a part that was let through.
            let seen = self.rejected.iter().find(|rejected| apart(edge, due(rejected)) < eyes.window_counts);
            if let Some(rejected) = seen {
                self.in_pass_lane.get_or_insert(rejected.part);
            }
        }
        let reach = eyes.reject_confirm_counts.max(eyes.pass_lane_counts) + eyes.window_counts;
        for rejected in self.rejected.iter().filter(|rejected| !rejected.confirmed) {
            let late = eyes.reject_confirm_counts + eyes.window_counts;
            if ahead(encoder, rejected.at_gate) > late {
                self.not_confirmed.get_or_insert(rejected.part);
            }
        }
        while self.rejected.len() > BEHIND_MAX
            || self.rejected.front().is_some_and(|rejected| ahead(encoder, rejected.at_gate) > reach)
        {
            self.rejected.pop_front();
        }
    }

    /// Word 7.
    pub(super) fn status(&self) -> GateStatus {
        GateStatus {
            reject_not_confirmed: self.not_confirmed.is_some(),
            bin_full: self.bin_full,
            air_low: self.air_low,
            rejected_part_in_pass_lane: self.in_pass_lane.is_some(),
        }
    }

    /// The worst first: a bad part among the good ones.
    pub(super) fn stop(&self) -> Option<LineStop> {
        let in_pass_lane = self.in_pass_lane.map(|part| LineStop::RejectedPartInPassLane { part });
        let not_confirmed = self.not_confirmed.map(|part| LineStop::RejectNotConfirmed { part });
        let bin = self.bin_full.then_some(LineStop::BinFull);
        in_pass_lane.or(not_confirmed).or(bin).or(self.air_low.then_some(LineStop::AirLow))
    }

    /// Somebody looked, and turned the key.
    pub(super) fn clear(&mut self) {
        (self.not_confirmed, self.in_pass_lane) = (None, None);
        self.rejected.clear();
    }
}

/// Counts between two readings of the encoder, whichever comes first.
fn apart(a: u32, b: u32) -> u32 {
    a.wrapping_sub(b).min(b.wrapping_sub(a))
}

/// Counts by which `encoder` is past `from`; 0 if it is not.
fn ahead(encoder: u32, from: u32) -> u32 {
    let counts = encoder.wrapping_sub(from);
    if counts > u32::MAX / 2 { 0 } else { counts }
}

/// Watches a station that is lost.
#[derive(Debug)]
pub(super) struct LostWatch {
    after: Duration,
    after_parts: u32,
    since: Option<Instant>,
    parts: u32,
}

impl LostWatch {
    pub(super) fn new(after: Duration, after_parts: u32) -> Self {
        Self { after, after_parts, since: None, parts: 0 }
    }

    /// One scan in which `parts` came to the gate. A belt that stands cannot be stopped.
    pub(super) fn scan(&mut self, now: Instant, lost: bool, parts: usize) -> Option<LineStop> {
        if !lost {
            (self.since, self.parts) = (None, 0);
            return None;
        }
        let since = *self.since.get_or_insert(now);
        self.parts = self.parts.saturating_add(u32::try_from(parts).unwrap_or(u32::MAX));
        let too_long = now.saturating_duration_since(since) >= self.after;
        (too_long || self.parts >= self.after_parts).then_some(LineStop::StationLost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::GateReason;

    const EYES: GateEyes = GateEyes { reject_confirm_counts: 30, pass_lane_counts: 40, window_counts: 10 };

    fn at_gate(part: u32, release: bool, encoder: u32) -> GateDecision {
        let why = if release { GateReason::Passed } else { GateReason::Failed };
        let part = PartId::new(part).unwrap();
        GateDecision { part, edge_index: 0, encoder: encoder.wrapping_sub(100), release, why }
    }

    /// Runs `counts` one by one from just before the counter's wrap; edges by their count from there.
    fn run(decisions: &[GateDecision], confirm: &[u32], pass: &[u32], counts: u32) -> GateWatch {
        let mut watch = GateWatch::new(Some(EYES));
        for count in 0..counts {
            let encoder = START.wrapping_add(count);
            let at = |edges: &[u32]| -> Vec<u32> {
                edges.iter().filter(|edge| **edge == count).map(|_| encoder).collect()
            };
            let seen = BehindTheGate {
                reject_confirm_edges: at(confirm),
                pass_lane_edges: at(pass),
                ..BehindTheGate::default()
            };
            let now: Vec<GateDecision> = decisions
                .iter()
                .filter(|decision| decision.encoder.wrapping_add(100) == encoder)
                .copied()
                .collect();
            watch.scan(encoder, 100, &now, &seen);
        }
        watch
    }

    const START: u32 = u32::MAX - 20;

    #[test]
    fn a_rejected_part_must_be_seen_in_the_reject_lane_and_never_in_the_pass_lane() {
        let part = PartId::new(1).unwrap();
        let (rejected, released) = (at_gate(1, false, START), at_gate(1, true, START));
        let not_confirmed = Some(LineStop::RejectNotConfirmed { part });
        let in_pass_lane = Some(LineStop::RejectedPartInPassLane { part });
        type Row<'a> = (&'a str, GateDecision, &'a [u32], &'a [u32], u32, Option<LineStop>);
        let rows: [Row<'_>; 8] = [
            ("confirmed in time", rejected, &[30], &[], 100, None),
            ("confirmed half a pitch early", rejected, &[20], &[], 100, None),
            ("confirmed half a pitch late", rejected, &[40], &[], 100, None),
            ("confirmed too late", rejected, &[42], &[], 100, not_confirmed),
            ("never confirmed", rejected, &[], &[], 100, not_confirmed),
            ("not due yet", rejected, &[], &[], 40, None),
            ("in the pass lane", rejected, &[30], &[41], 100, in_pass_lane),
            ("a released part in the pass lane", released, &[], &[40], 100, None),
        ];
        for (what, decision, confirm, pass, counts, stop) in rows {
            assert_eq!(run(&[decision], confirm, pass, counts).stop(), stop, "{what}");
        }
    }

    #[test]
    fn what_the_eyes_saw_stays_until_the_key_is_turned_and_what_lasts_does_not() {
        let mut watch = run(&[at_gate(1, false, START)], &[], &[], 100);
        let full = BehindTheGate { bin_full: true, air_low: true, ..BehindTheGate::default() };
        let encoder = START.wrapping_add(100);
        watch.scan(encoder, 100, &[], &full);
        let status = watch.status();
        assert!(status.reject_not_confirmed && status.bin_full && status.air_low);
        watch.scan(encoder, 100, &[], &BehindTheGate::default());
        assert!(watch.stop().is_some());
        watch.clear();
        assert_eq!((watch.stop(), watch.status()), (None, GateStatus::default()));
    }
}
