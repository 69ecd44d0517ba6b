//! How long a run takes: single runs, timed one by one, gathered by round.

use super::Interval;
use crate::{Model, ModelError};
use plumb_inspection::Tensor;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// What one candidate did in one round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Wall time of each run in ms, in the order in which they were made: from a prepared tensor to findings.
    pub runs_ms: Vec<f64>,
    /// Pictures in each run.
    pub batch: usize,
}

/// Runs `model` `runs` times, `batch` of `tensors` at a time, taking them in turn.
///
/// # Errors
/// When there is no tensor, or the model fails on one.
pub fn round(model: &mut Model, tensors: &[Tensor], batch: usize, runs: usize) -> Result<Round, ModelError> {
    let batch = batch.max(1);
    let mut done = Round { runs_ms: Vec::with_capacity(runs), batch };
    let mut coming = tensors.iter().cycle();
    for _ in 0..runs {
        let given: Vec<&Tensor> = coming.by_ref().take(batch).collect();
        let start = Instant::now();
        let found = model.examine_batch(&given, None);
        done.runs_ms.push(start.elapsed().as_secs_f64() * 1e3);
        found.into_iter().collect::<Result<Vec<_>, _>>()?;
    }
    Ok(done)
}

impl Round {
    /// Time a picture in ms: the median run's share, which a run that was interrupted does not move.
    pub fn picture_ms(&self) -> f64 {
        quantile(&self.runs_ms, 0.5) / self.batch as f64
    }
}

/// All rounds of one candidate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// Of single runs, in ms.
    pub p50_ms: f64,
    /// Of single runs, in ms.
    pub p99_ms: f64,
    /// Pictures a second, from each round's median run.
    pub pictures_per_s: Interval,
}

impl Timing {
    /// `None` where there is no round.
    pub fn of(rounds: &[Round]) -> Option<Self> {
        let runs: Vec<f64> = rounds.iter().flat_map(|round| round.runs_ms.iter().copied()).collect();
        let a_second: Vec<f64> = rounds.iter().map(|round| 1e3 / round.picture_ms()).collect();
        Some(Self {
            p50_ms: quantile(&runs, 0.5),
            p99_ms: quantile(&runs, 0.99),
            pictures_per_s: Interval::of_median(&a_second)?,
        })
    }
}

/// The least figure that at least the share `q` of all are not above; NaN where there is none.
pub(super) fn quantile(figures: &[f64], q: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_run_moves_the_p99_and_nothing_else() {
        let steady = Round { runs_ms: vec![10.0; 20], batch: 2 };
        let mut hit = steady.clone();
        hit.runs_ms[7] = 500.0;
        let timing = Timing::of(&[hit, steady]).unwrap();
        assert_eq!((timing.p50_ms, timing.p99_ms), (10.0, 500.0));
        assert_eq!(timing.pictures_per_s.median, 200.0);
    }

    #[test]
    fn a_quantile_is_one_of_the_figures() {
        let figures = [4.0, 1.0, 3.0, 2.0];
        for (q, wanted) in [(0.0, 1.0), (0.25, 1.0), (0.5, 2.0), (0.51, 3.0), (0.99, 4.0), (1.0, 4.0)] {
            assert_eq!(quantile(&figures, q), wanted, "{q}");
        }
        assert!(quantile(&[], 0.5).is_nan());
    }
}
