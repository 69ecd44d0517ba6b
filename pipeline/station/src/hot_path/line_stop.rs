//! Why the line had better stop: what the station sees by itself, and what the PLC says of the gate.

use plumb_plc::GateStatus;
use plumb_verdict::StopAdvice;

/// One reason, as metrics know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Parts in a row could not be judged in time.
    MissedInARow,
    /// Parts in a row did not pass.
    RejectsInARow,
    /// Too many of the last 100 did not pass.
    RejectShare,
    /// The PLC: a rejected part did not reach the reject-confirm photo-eye.
    RejectNotConfirmed,
    /// The PLC: a rejected part was seen in the pass lane.
    RejectedPartInPassLane,
    /// The PLC: the bin for rejects is full.
    BinFull,
    /// The PLC: the air is low.
    AirLow,
}

impl StopReason {
    /// Every reason, for metrics.
    pub const ALL: [Self; 7] = [
        Self::MissedInARow,
        Self::RejectsInARow,
        Self::RejectShare,
        Self::RejectNotConfirmed,
        Self::RejectedPartInPassLane,
        Self::BinFull,
        Self::AirLow,
    ];

    /// The spelling used in metrics and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissedInARow => "missed_in_a_row",
            Self::RejectsInARow => "rejects_in_a_row",
            Self::RejectShare => "reject_share",
            Self::RejectNotConfirmed => "reject_not_confirmed",
            Self::RejectedPartInPassLane => "rejected_part_in_pass_lane",
            Self::BinFull => "bin_full",
            Self::AirLow => "air_low",
        }
    }
}

/// Every reason that holds now.
#[derive(Debug, Default)]
pub struct LineStop {
    advice: Option<StopAdvice>,
    gate: GateStatus,
}

impl LineStop {
    /// What the last answers advise. True if that is news.
    pub fn advise(&mut self, advice: Option<StopAdvice>) -> bool {
        std::mem::replace(&mut self.advice, advice) != advice
    }

    /// What the PLC sees behind the gate.
    pub fn gate(&mut self, gate: GateStatus) {
        self.gate = gate;
    }

    /// True if the station asks for the stop: what the PLC said itself it need not be told.
    pub fn station_asks(&self) -> bool {
        self.advice.is_some()
    }

    /// Each reason with its sentence.
    pub fn reasons(&self) -> Vec<(StopReason, String)> {
        let advice = self.advice.map(|advice| {
            let reason = match advice {
                StopAdvice::MissedInARow { .. } => StopReason::MissedInARow,
                StopAdvice::RejectsInARow { .. } => StopReason::RejectsInARow,
                StopAdvice::RejectShare { .. } => StopReason::RejectShare,
            };
            (reason, format!("the line had better stop: {advice}"))
        });
        let GateStatus { reject_not_confirmed, bin_full, air_low, rejected_part_in_pass_lane } = self.gate;
        let gate = [
            (
                rejected_part_in_pass_lane,
                StopReason::RejectedPartInPassLane,
                "the PLC saw a rejected part in the pass lane; take it out and look at the gate",
            ),
            (
                reject_not_confirmed,
                StopReason::RejectNotConfirmed,
                "the PLC did not see a rejected part in the reject lane; find it and look at the gate",
            ),
            (bin_full, StopReason::BinFull, "the PLC says that the bin for rejects is full; empty it"),
            (air_low, StopReason::AirLow, "the PLC says that the air that moves the gate is low"),
        ];
        let gate = gate.into_iter().filter(|(is, ..)| *is).map(|(_, reason, says)| (reason, says.to_owned()));
        advice.into_iter().chain(gate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_plc_says_is_shown_and_only_what_the_station_sees_is_asked_for() {
        let mut stop = LineStop::default();
        stop.gate(GateStatus { bin_full: true, rejected_part_in_pass_lane: true, ..GateStatus::default() });
        let reasons: Vec<_> = stop.reasons().into_iter().map(|(reason, _)| reason).collect();
        assert_eq!(reasons, [StopReason::RejectedPartInPassLane, StopReason::BinFull]);
        assert!(!stop.station_asks());
        stop.advise(Some(StopAdvice::MissedInARow { got: 2 }));
        assert!(stop.station_asks());
        assert_eq!(stop.reasons().len(), 3);
        stop.advise(None);
        stop.gate(GateStatus::default());
        assert_eq!(stop.reasons(), []);
    }
}
