//! A threshold with a guarantee that can be signed.
//!
//! Tune on some parts and certify on others: a guarantee got from the parts that the threshold was chosen on is none.
//! The ledger keeps the two sets apart; these functions take the certifying set.

use crate::{Confidence, Scores, Share, parts_needed};
use serde::Serialize;

/// What a threshold is certified to keep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Guarantee {
    /// In all but `1 − confidence` of such certifications the true escape share is at most `escape_max`.
    Certified {
        /// The share promised.
        escape_max: f64,
        /// How sure.
        confidence: Confidence,
    },
    /// The escape share is at most `escape_max` on the average over such certifications; in a single one it may be
    /// higher, and in about half of them it is.
    OnAverage {
        /// The share promised.
        escape_max: f64,
    },
}

/// A threshold, and what it does on the certifying set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Suggestion {
    /// Parts at or above it are rejected. The highest that keeps the guarantee, so the one with fewest false rejects.
    pub threshold: f64,
    /// What is promised.
    pub guarantee: Guarantee,
    /// Defective parts of the set that pass.
    pub escapes: Share,
    /// Good parts of the set that are rejected.
    pub false_rejects: Share,
}

/// The set is too small for the promise, whatever the threshold.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{defective} defective parts cannot show that at most {} % escape: even with none escaping it takes {}; bring more of them, or promise less", escape_max * 100.0, needed.map_or_else(|| "more than can be had".to_owned(), |n| format!("{n}, which is {} more", n - defective)))]
pub struct Infeasible {
    /// In the set.
    pub defective: u64,
    /// The promise.
    pub escape_max: f64,
    /// With none escaping; `None` where no number would do.
    pub needed: Option<u64>,
}

/// The highest threshold of which it can be said, `confidence` sure, that at most `escape_max` of defective parts pass.
///
/// Fixed-sequence testing (Angelopoulos et al. 2021, "Learn then Test"; for a loss that only grows with the threshold
/// also Bates et al. 2021, "Distribution-free, risk-controlling prediction sets"): from the threshold that rejects
/// everything upwards, each is accepted while the one-sided bound of Clopper and Pearson on its escapes stays within
/// `escape_max`; the first that fails ends it. Nothing is assumed of the scores but that the parts are independent and
/// like those of production.
///
/// # Errors
/// When even no escape at all would not show it; with the number of parts that would.
pub fn suggest(scores: &Scores, escape_max: f64, confidence: Confidence) -> Result<Suggestion, Infeasible> {
    let defective = scores.defective().len() as u64;
    let is_shown = |escapes: u64| {
        Share::new(escapes, defective).is_ok_and(|share| share.at_most(confidence) <= escape_max)
    };
    let allowed = (0..defective).take_while(|escapes| is_shown(*escapes)).last();
    let Some(allowed) = allowed else {
        let needed = parts_needed(0, escape_max, confidence);
        return Err(Infeasible { defective, escape_max, needed });
    };
    Ok(suggestion(scores, allowed, Guarantee::Certified { escape_max, confidence }))
}

/// The second opinion: the highest threshold that lets at most `escape_max` of defective parts pass *on the average*.
///
/// Conformal risk control (Angelopoulos et al. 2022): with `n` parts, `x` escapes are allowed while
/// `(x + 1) / (n + 1) ≤ escape_max`.
///
/// # Errors
/// When the set is too small for any; with the number of parts that would do.
pub fn suggest_on_average(scores: &Scores, escape_max: f64) -> Result<Suggestion, Infeasible> {
    let defective = scores.defective().len() as u64;
    let is_kept = |escapes: u64| (escapes + 1) as f64 / (defective + 1) as f64 <= escape_max;
    let Some(allowed) = (0..defective).take_while(|escapes| is_kept(*escapes)).last() else {
        let needed = (escape_max > 0.0).then(|| (1.0 / escape_max).ceil() as u64 - 1);
        return Err(Infeasible { defective, escape_max, needed: needed.filter(|n| *n > defective) });
    };
    Ok(suggestion(scores, allowed, Guarantee::OnAverage { escape_max }))
}

/// Three zones: below `review_from` a part passes, from `reject_from` it is rejected, between them a person looks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Zones {
    /// The threshold that keeps the promise on escapes.
    pub review_from: f64,
    /// The threshold that keeps the promise on false rejects; equal to `review_from` where nobody needs to look.
    pub reject_from: f64,
    /// Defective parts of the set that pass.
    pub escapes: Share,
    /// Good parts of the set that are rejected without a look.
    pub false_rejects: Share,
    /// Good parts of the set that a person looks at.
    pub good_in_review: Share,
    /// Defective parts of the set that a person looks at.
    pub defective_in_review: Share,
}

/// Zones that keep both promises, each `confidence` sure for itself: at most `escape_max` of defective parts pass, and at
/// most `false_reject_max` of good parts are rejected without a look.
///
/// # Errors
/// When the defective parts are too few for their promise. Too few good parts only widen the review.
pub fn zones(
    scores: &Scores,
    escape_max: f64,
    false_reject_max: f64,
    confidence: Confidence,
) -> Result<Zones, Infeasible> {
    let low = suggest(scores, escape_max, confidence)?.threshold;
    let (good, defective) = (scores.good(), scores.defective());
    let share =
        |events: u64, trials: usize| Share::new(events, trials as u64).expect("Scores has both kinds");
    // From the threshold that rejects nothing downwards, the mirror of `suggest`.
    let is_shown = |rejects: u64| share(rejects, good.len()).at_most(confidence) <= false_reject_max;
    let allowed = (0..good.len() as u64).take_while(|rejects| is_shown(*rejects)).last();
    let highest = good[good.len() - 1].max(defective[defective.len() - 1]);
    let high = match allowed {
        // One more good part than allowed lies at or above this score; just above it, no more than allowed.
        Some(allowed) => good[good.len() - 1 - allowed as usize].next_up(),
        None => highest.next_up(),
    };
    let reject_from = high.max(low);
    let between =
        |scores: &[f64]| scores.partition_point(|s| *s < reject_from) - scores.partition_point(|s| *s < low);
    Ok(Zones {
        review_from: low,
        reject_from,
        escapes: share(scores.escapes(low), defective.len()),
        false_rejects: share(scores.false_rejects(reject_from), good.len()),
        good_in_review: share(between(good) as u64, good.len()),
        defective_in_review: share(between(defective) as u64, defective.len()),
    })
}

/// The highest threshold below which no more than `allowed` defective parts lie: the score of the next one.
fn suggestion(scores: &Scores, allowed: u64, guarantee: Guarantee) -> Suggestion {
    let (good, defective) = (scores.good().len() as u64, scores.defective().len() as u64);
    let threshold = scores.defective()[allowed as usize];
    Suggestion {
        threshold,
        guarantee,
        escapes: Share::new(scores.escapes(threshold), defective).expect("Scores has both kinds"),
        false_rejects: Share::new(scores.false_rejects(threshold), good).expect("Scores has both kinds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    fn ladder(defective: usize) -> Scores {
        let defective = (0..defective).map(|i| 1.0 + i as f64).collect();
        Scores::new(vec![0.0, 0.5, 2.5, 10.5], defective).unwrap()
    }

    #[test]
    fn the_set_must_be_large_enough_for_the_promise() {
        let says = suggest(&ladder(58), 0.05, Confidence::NINETY_FIVE).unwrap_err();
        assert_eq!(says.needed, Some(59));
        assert!(says.to_string().contains("it takes 59, which is 1 more"), "{says}");
        let suggestion = suggest(&ladder(59), 0.05, Confidence::NINETY_FIVE).unwrap();
        assert_eq!((suggestion.threshold, suggestion.escapes.events()), (1.0, 0));
        assert_eq!(suggestion.false_rejects, Share::new(2, 4).unwrap());
        assert_eq!(suggest(&ladder(93), 0.05, Confidence::NINETY_FIVE).unwrap().threshold, 2.0);
        assert!(suggest(&ladder(59), 0.0, Confidence::NINETY_FIVE).unwrap_err().needed.is_none());
    }

    #[test]
    fn on_the_average_less_is_promised_and_more_is_allowed() {
        // (x + 1) / 201 within 1, 1.5 and 2 %: 1, 2 and 3 escapes.
        for (escape_max, escapes) in [(0.01, 1), (0.015, 2), (0.02, 3)] {
            let suggestion = suggest_on_average(&ladder(200), escape_max).unwrap();
            assert_eq!(suggestion.escapes.events(), escapes, "{escape_max}");
        }
        assert_eq!(suggest_on_average(&ladder(98), 0.01).unwrap_err().needed, Some(99));
        assert_eq!(suggest_on_average(&ladder(99), 0.01).unwrap().escapes.events(), 0);
    }

    #[test]
    fn tied_scores_escape_together_or_not_at_all() {
        let scores = Scores::new(vec![0.0], [vec![1.0; 5], vec![2.0; 200]].concat()).unwrap();
        let suggestion = suggest(&scores, 0.02, Confidence::NINETY_FIVE).unwrap();
        assert_eq!((suggestion.threshold, suggestion.escapes.events()), (1.0, 0));
    }

    #[test]
    fn all_scores_equal_reject_everything() {
        let scores = Scores::new(vec![0.5; 20], vec![0.5; 100]).unwrap();
        let suggestion = suggest(&scores, 0.05, Confidence::NINETY_FIVE).unwrap();
        assert_eq!((suggestion.threshold, suggestion.false_rejects.events()), (0.5, 20));
    }

    /// Ten thousand certifications of 473 defective parts each. Scores are uniform, so the true escape share of a
    /// threshold is the threshold itself.
    #[test]
    fn the_promise_is_kept_as_often_as_promised() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut broken, mut sum, runs) = (0_u32, 0.0, 10_000_u32);
        for _ in 0..runs {
            let defective = (0..473).map(|_| rng.random::<f64>()).collect();
            let scores = Scores::new(vec![0.0], defective).unwrap();
            let certified = suggest(&scores, 0.01, Confidence::NINETY_FIVE).unwrap();
            broken += u32::from(certified.threshold > 0.01);
            sum += suggest_on_average(&scores, 0.01).unwrap().threshold;
        }
        // 5 % of 10 000 are 500; three standard deviations are 65. Far fewer would mean a needlessly strict threshold.
        assert!((435..=565).contains(&broken), "{broken} of {runs}");
        let mean = sum / f64::from(runs);
        assert!(mean <= 0.01 && mean > 0.007, "{mean}");
    }

    #[test]
    fn a_person_looks_at_what_neither_promise_covers() {
        let good = (0..1000).map(|i| f64::from(i) / 1000.0).collect();
        let defective = (0..1000).map(|i| 0.9 + f64::from(i) / 1000.0).collect();
        let scores = Scores::new(good, defective).unwrap();
        let zones = zones(&scores, 0.02, 0.01, Confidence::NINETY_FIVE).unwrap();
        assert!(zones.review_from < zones.reject_from, "{zones:?}");
        assert!(zones.escapes.at_most(Confidence::NINETY_FIVE) <= 0.02, "{zones:?}");
        assert!(zones.false_rejects.at_most(Confidence::NINETY_FIVE) <= 0.01, "{zones:?}");
        assert!(zones.good_in_review.events() > 0 && zones.defective_in_review.events() > 0, "{zones:?}");
        // Kinds that lie apart need nobody.
        let apart = Scores::new(vec![0.1; 500], vec![0.9; 500]).unwrap();
        let zones = super::zones(&apart, 0.02, 0.01, Confidence::NINETY_FIVE).unwrap();
        assert_eq!(zones.good_in_review.events() + zones.defective_in_review.events(), 0, "{zones:?}");
    }

    proptest! {
        #[test]
        fn no_threshold_promises_more_than_its_own_bound(
            defective in prop::collection::vec(0u8..50, 60..400),
            good in prop::collection::vec(0u8..50, 1..50),
            escape_max in 0.005..0.2f64,
        ) {
            let of = |scores: Vec<u8>| scores.into_iter().map(f64::from).collect();
            let scores = Scores::new(of(good), of(defective)).unwrap();
            if let Ok(suggestion) = suggest(&scores, escape_max, Confidence::NINETY_FIVE) {
                prop_assert!(suggestion.escapes.at_most(Confidence::NINETY_FIVE) <= escape_max);
                let next = scores.defective().iter().find(|score| **score > suggestion.threshold);
                if let Some(next) = next {
                    let escapes = Share::new(scores.escapes(*next), scores.defective().len() as u64).unwrap();
                    prop_assert!(escapes.at_most(Confidence::NINETY_FIVE) > escape_max, "a higher one would do too");
                }
            }
        }
    }
}
