//! A limit from good parts alone: what share of good parts it will reject, where no defect was ever seen.

use crate::{Confidence, Share};
use serde::Serialize;

/// A limit that good parts alone gave. A part whose score is *above* it is rejected; one exactly at it passes.
///
/// It says nothing of defects: how many pass is known once some have been seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GoodOnly {
    /// The highest score that passes.
    pub limit: f64,
    /// Good parts of the set above it.
    pub rejected: Share,
    /// The share of good parts that was to be rejected at most, on the average.
    pub wanted_max: f64,
    /// The share that is, on the average over such sets: `(x + 1) / (n + 1)` for `x` of `n` parts above the limit.
    pub on_average_max: f64,
    /// Good parts that it takes to keep to `wanted_max` on the average; more than there are where it is not kept.
    pub needed: u64,
}

impl GoodOnly {
    /// True if `wanted_max` is kept on the average.
    pub fn is_kept(&self) -> bool {
        self.on_average_max <= self.wanted_max
    }

    /// The share of good parts that is rejected is no higher, `confidence` sure: the Clopper-Pearson bound, which is the
    /// upper limit of what lies beyond an order statistic too (Wilks 1941).
    pub fn at_most(&self, confidence: Confidence) -> f64 {
        self.rejected.at_most(confidence)
    }
}

/// The lowest limit that keeps the share of rejected good parts at `false_reject_max` on the average (split conformal
/// prediction; Vovk et al. 2005), from the scores of good parts that the model has not seen. With too few parts for that it is
/// the highest of them, and [`GoodOnly::is_kept`] is false.
///
/// Holds for parts that are independent and like those of production. For scores by cross-validation, where the model in use
/// has seen all of them, what is proven is twice the share (Barber et al. 2021), and what is seen is less than the share.
///
/// # Errors
/// For no score at all, one that is not finite, and a share that is not between 0 and 1.
pub fn limit_from_good(good: &[f64], false_reject_max: f64) -> Result<GoodOnly, GoodOnlyError> {
    if good.is_empty() || good.iter().any(|score| !score.is_finite()) {
        return Err(GoodOnlyError::Scores);
    }
    if !(false_reject_max > 0.0 && false_reject_max < 1.0) {
        return Err(GoodOnlyError::Share { share: false_reject_max });
    }
    let mut sorted = good.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let count = sorted.len();
    let on_average = |above: usize| (above + 1) as f64 / (count + 1) as f64;
    let allowed = (0..count).take_while(|above| on_average(*above) <= false_reject_max).last().unwrap_or(0);
    let limit = sorted[allowed];
    // Of equal scores all pass.
    let above = sorted.iter().filter(|score| **score > limit).count();
    let rejected = Share::new(above as u64, count as u64).map_err(|_| GoodOnlyError::Scores)?;
    // The least n with 1 / (n + 1) ≤ share; a hair off, for 1 / 0.02 is no whole number in binary.
    let needed = (1.0 / false_reject_max - 1e-9).ceil() as u64 - 1;
    Ok(GoodOnly { limit, rejected, wanted_max: false_reject_max, on_average_max: on_average(above), needed })
}

/// What gives no limit.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum GoodOnlyError {
    /// None, or one that is no number.
    #[error("a limit needs the score of at least one good part, and every score must be a number")]
    Scores,
    /// Not a share of parts.
    #[error("{share} of good parts rejected is no share to keep to; it lies between 0 and 1, e.g. 0.02")]
    Share {
        /// As given.
        share: f64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    fn ladder(count: usize) -> Vec<f64> {
        (0..count).map(|i| i as f64).collect()
    }

    #[test]
    fn the_limit_lies_as_high_as_the_share_wants_it() {
        let rows = [
            (49, 0.02, 48.0, 0, true),
            (48, 0.02, 47.0, 0, false),
            (99, 0.02, 97.0, 1, true),
            (99, 0.05, 94.0, 4, true),
        ];
        for (count, share, limit, above, kept) in rows {
            let got = limit_from_good(&ladder(count), share).unwrap();
            assert_eq!(
                (got.limit, got.rejected.events(), got.is_kept()),
                (limit, above, kept),
                "{count} {share}: {got:?}"
            );
        }
        let few = limit_from_good(&ladder(10), 0.01).unwrap();
        assert_eq!((few.needed, few.on_average_max), (99, 1.0 / 11.0));
        assert!((few.at_most(Confidence::NINETY_FIVE) - 0.258_865).abs() < 1e-5, "0 of 10");
    }

    #[test]
    fn nought_of_fifty_is_not_nought() {
        let got = limit_from_good(&ladder(50), 0.02).unwrap();
        assert_eq!(got.rejected.events(), 0);
        assert!((got.at_most(Confidence::NINETY_FIVE) - 0.058_155).abs() < 1e-5);
        assert!(got.on_average_max > 0.0196);
    }

    #[test]
    fn equal_scores_pass_together() {
        let got = limit_from_good(&[1.0; 200], 0.05).unwrap();
        assert_eq!((got.limit, got.rejected.events()), (1.0, 0));
    }

    #[test]
    fn what_is_no_set_and_no_share_is_refused() {
        assert!(limit_from_good(&[], 0.02).is_err() && limit_from_good(&[f64::NAN], 0.02).is_err());
        assert!(limit_from_good(&[1.0], 0.0).is_err() && limit_from_good(&[1.0], 1.0).is_err());
    }

    /// Scores are uniform, so what lies above a limit is 1 less it.
    #[test]
    fn on_the_average_no_more_is_rejected_than_was_said_and_the_bound_holds_as_often_as_it_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut sum, mut broken, runs) = (0.0, 0, 5000);
        for _ in 0..runs {
            let good: Vec<f64> = (0..50).map(|_| rng.random()).collect();
            let got = limit_from_good(&good, 0.05).unwrap();
            sum += 1.0 - got.limit;
            broken += u32::from(1.0 - got.limit > got.at_most(Confidence::NINETY_FIVE));
        }
        let mean = sum / f64::from(runs);
        assert!((mean - 2.0 / 51.0).abs() < 0.002, "{mean}");
        assert!((210..=290).contains(&broken), "{broken} of {runs}");
    }

    proptest! {
        #[test]
        fn a_kept_promise_is_kept_by_the_count(good in prop::collection::vec(0u16..100, 1..300), share in 0.005..0.5f64) {
            let good: Vec<f64> = good.into_iter().map(f64::from).collect();
            let got = limit_from_good(&good, share).unwrap();
            prop_assert_eq!(got.is_kept(), good.len() as u64 >= got.needed, "{:?}", got);
            prop_assert!(good.contains(&got.limit));
        }
    }
}
