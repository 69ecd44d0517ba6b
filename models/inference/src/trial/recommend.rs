//! Which of the candidates to take: the fastest whose findings are the same, if this run can tell.

use super::{Candidate, Interval, Round};
use crate::Device;
use serde::Serialize;

/// A candidate and what it took.
#[derive(Clone, Debug)]
pub struct Measured {
    /// How the model was run.
    pub candidate: Candidate,
    /// In their order; the candidates took turns in each.
    pub rounds: Vec<Round>,
    /// Whether it found what the reference found; `None` where that was not looked at.
    pub same: Option<bool>,
}

/// What to take, and what speaks for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recommendation {
    /// Index of the one to take.
    pub take: usize,
    /// Its time a picture over that of the present one, round by round; `None` where it is the present one.
    pub to_present: Option<Interval>,
    /// Indices of others that this run cannot tell from the fastest.
    pub alike: Vec<usize>,
}

/// Of those that find the same and take one picture a run, the fastest: a part waits for its own picture. Between
/// those that cannot be told apart the `present` one stays; else the one that asks for least is taken: fewer threads,
/// the processor, the card's own file.
///
/// `None` where none is known to find the same.
pub fn recommend(tried: &[Measured], present: usize) -> Option<Recommendation> {
    let fits = |t: &Measured| t.same == Some(true) && t.candidate.batch == 1 && !t.rounds.is_empty();
    let fitting: Vec<usize> = (0..tried.len()).filter(|i| fits(&tried[*i])).collect();
    let median = |i: usize| Interval::of_median(&picture_ms(&tried[i])).map_or(f64::INFINITY, |m| m.median);
    let fastest = fitting.iter().copied().min_by(|a, b| median(*a).total_cmp(&median(*b)))?;
    let slower = |i: usize| ratio(&tried[i], &tried[fastest]).is_some_and(|ratio| ratio.surely_above(1.0));
    let level: Vec<usize> = fitting.into_iter().filter(|i| *i == fastest || !slower(*i)).collect();
    let asks_for = |i: &usize| {
        let Candidate { device, variant, threads, .. } = &tried[*i].candidate;
        (*i != present, *threads, *device != Device::Cpu, variant.is_some())
    };
    let take = level.iter().copied().min_by_key(asks_for)?;
    Some(Recommendation {
        take,
        to_present: tried.get(present).filter(|_| take != present).and_then(|p| ratio(&tried[take], p)),
        alike: level.into_iter().filter(|i| *i != take).collect(),
    })
}

/// Time a picture of `a` over that of `b`, paired by round.
pub(super) fn ratio(a: &Measured, b: &Measured) -> Option<Interval> {
    let ratios: Vec<f64> = picture_ms(a).iter().zip(picture_ms(b)).map(|(a, b)| a / b).collect();
    Interval::of_median(&ratios)
}

impl Measured {
    /// Time a picture over that of `other`, paired by round; below 1 this one is faster.
    pub fn ratio_to(&self, other: &Self) -> Option<Interval> {
        ratio(self, other)
    }
}

fn picture_ms(tried: &Measured) -> Vec<f64> {
    tried.rounds.iter().map(Round::picture_ms).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight rounds, each with the machine's own pace.
    fn tried(device: Device, threads: usize, ms: f64, same: Option<bool>) -> Measured {
        let pace = [1.0, 1.3, 0.9, 1.1, 2.0, 1.0, 1.2, 0.95];
        let rounds = pace.iter().map(|pace| Round { runs_ms: vec![ms * pace; 5], batch: 1 }).collect();
        Measured { candidate: Candidate { device, threads, ..Candidate::reference() }, rounds, same }
    }

    /// As much slower as faster, from round to round.
    fn wobbling(mut tried: Measured) -> Measured {
        for (i, round) in tried.rounds.iter_mut().enumerate() {
            let wobble = if i % 2 == 0 { 1.05 } else { 0.94 };
            round.runs_ms.iter_mut().for_each(|ms| *ms *= wobble);
        }
        tried
    }

    #[test]
    fn the_fastest_that_finds_the_same_is_taken_and_a_faster_one_that_does_not_is_left() {
        let all = [
            tried(Device::Cpu, 1, 10.0, Some(true)),
            tried(Device::Cuda(0), 1, 2.0, Some(false)),
            tried(Device::Cpu, 2, 6.0, Some(true)),
        ];
        let got = recommend(&all, 0).unwrap();
        assert_eq!((got.take, &got.alike[..]), (2, &[][..]));
        let ratio = got.to_present.unwrap();
        assert!(
            (ratio.median - 0.6).abs() < 1e-9 && ratio.surely_below(1.0),
            "the machine's pace cancels out"
        );
    }

    #[test]
    fn between_those_that_cannot_be_told_apart_the_present_one_stays() {
        let all = [tried(Device::Cpu, 1, 10.0, Some(true)), wobbling(tried(Device::Cpu, 2, 9.9, Some(true)))];
        let got = recommend(&all, 0).unwrap();
        assert_eq!((got.take, got.to_present, got.alike), (0, None, vec![1]));
        let elsewhere = recommend(&all, 7).unwrap();
        assert_eq!(elsewhere.take, 0, "else the one that asks for fewer threads");
    }

    #[test]
    fn a_candidate_nobody_compared_is_never_recommended() {
        let all = [tried(Device::Cpu, 1, 10.0, None), tried(Device::Cpu, 2, 5.0, None)];
        assert_eq!(recommend(&all, 0), None);
    }

    #[test]
    fn more_pictures_a_run_are_measured_but_not_recommended() {
        let mut four = tried(Device::Cpu, 1, 12.0, Some(true));
        four.candidate.batch = 4;
        four.rounds.iter_mut().for_each(|round| round.batch = 4);
        let all = [tried(Device::Cpu, 1, 10.0, Some(true)), four];
        assert_eq!(recommend(&all, 0).unwrap().take, 0);
        assert!(all[1].ratio_to(&all[0]).unwrap().median < 0.5);
    }
}
