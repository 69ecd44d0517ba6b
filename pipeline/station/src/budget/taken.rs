//! What parts really took, step by step.

use plumb_inspection::{Lap, Laps};
use plumb_ledger::Record;
use std::time::Duration;

/// How long a step took: half of the parts less than the first, all but a few less than the second.
pub type Spread = (Duration, Duration);

/// Spreads of each step over some parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// How many parts.
    pub parts: usize,
    /// p50 and p99 of each step but the wire, whose second is p99.9: a late write is a lost part, however rare.
    laps: [Option<Spread>; Lap::ALL.len()],
    /// Trigger to verdict.
    decision: Option<Spread>,
}

impl Taken {
    /// Of parts that went through the whole station; others say nothing of a step's time.
    pub fn of(parts: impl Iterator<Item = Laps>) -> Self {
        let parts: Vec<Laps> = parts.filter(|laps| laps.get(Lap::Infer).is_some()).collect();
        let laps = Lap::ALL.map(|lap| {
            let times = parts.iter().filter_map(|laps| laps.get(lap)).collect();
            spread(times, if lap == Lap::Plc { 0.999 } else { 0.99 })
        });
        let inside = [Lap::Capture, Lap::Preprocess, Lap::Infer, Lap::Verdict];
        let decision = |laps: &Laps| inside.iter().filter_map(|lap| laps.get(*lap)).sum();
        Self { parts: parts.len(), laps, decision: spread(parts.iter().map(decision).collect(), 0.99) }
    }

    /// Of parts on record.
    pub fn of_records<'r>(records: impl Iterator<Item = &'r Record>) -> Self {
        Self::of(records.map(|record| {
            let timings = &record.timings_us;
            let mut laps = Laps::default();
            for (lap, us) in [
                (Lap::Capture, timings.capture),
                (Lap::Preprocess, timings.preprocess),
                (Lap::Infer, timings.infer),
                (Lap::Verdict, timings.verdict),
                (Lap::Plc, timings.plc),
            ] {
                us.into_iter().for_each(|us| laps.add(lap, Duration::from_micros(us)));
            }
            laps
        }))
    }

    /// Of one step.
    pub fn lap(&self, lap: Lap) -> Option<Spread> {
        let at = Lap::ALL.iter().position(|other| *other == lap)?;
        self.laps.get(at).copied().flatten()
    }

    /// Trigger to verdict.
    pub fn decision(&self) -> Option<Spread> {
        self.decision
    }
}

/// The median, and the value that all but `1 - share` of them do not pass.
fn spread(mut times: Vec<Duration>, share: f64) -> Option<Spread> {
    times.sort_unstable();
    let at = |share: f64| {
        let rank = (times.len() as f64 * share).ceil() as usize;
        times.get(rank.saturating_sub(1)).copied()
    };
    at(0.5).zip(at(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_no_model_saw_says_nothing_and_the_wire_is_judged_by_its_rarest() {
        let ms = Duration::from_millis;
        let part = |index: u64| {
            let mut laps = Laps::default();
            laps.add(Lap::Capture, ms(5));
            laps.add(Lap::Infer, ms(if index < 10 { 40 } else { 20 }));
            laps.add(Lap::Plc, ms(if index == 0 { 30 } else { 1 }));
            laps
        };
        let mut missed = Laps::default();
        missed.add(Lap::Verdict, ms(900));
        let taken = Taken::of((0..500).map(part).chain([missed]));
        assert_eq!(taken.parts, 500);
        assert_eq!(taken.lap(Lap::Infer), Some((ms(20), ms(40))));
        assert_eq!(taken.lap(Lap::Plc), Some((ms(1), ms(30))));
        assert_eq!((taken.lap(Lap::Verdict), taken.decision()), (None, Some((ms(25), ms(45)))));
    }
}
