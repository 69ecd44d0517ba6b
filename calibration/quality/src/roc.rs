//! What every threshold costs: escapes against false rejects, precision against recall.

use crate::{Confidence, Interval, Scores, Share};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, Normal};

/// One threshold and what it does. Each share comes with its bounds through [`Share`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RocPoint {
    /// Parts at or above it are rejected.
    pub threshold: f64,
    /// Of the defective parts, those that pass.
    pub escapes: Share,
    /// Of the good parts, those that are rejected.
    pub false_rejects: Share,
    /// Of the rejected parts, those that are defective; `None` where nothing is rejected.
    pub precision: Option<Share>,
}

impl RocPoint {
    /// Of the defective parts, those that are rejected, 0..=1.
    pub fn recall(&self) -> f64 {
        1.0 - self.escapes.seen()
    }
}

/// The area under the curve, with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Auc {
    /// The chance that a defective part scores higher than a good one, ties counting half.
    pub seen: f64,
    /// Where the true one lies.
    pub interval: Interval,
}

/// Both curves at once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Roc {
    /// One point a distinct score, from the threshold that rejects most to the one that rejects least, and at last one
    /// above every score, which rejects nothing.
    pub points: Vec<RocPoint>,
    /// Area under the ROC curve.
    pub auc: Auc,
    /// Area under the precision–recall curve, by steps (no interpolation, which would flatter).
    pub average_precision: f64,
}

impl Roc {
    /// Of `scores`, with an interval of the area that is `confidence` sure.
    pub fn of(scores: &Scores, confidence: Confidence) -> Self {
        let mut thresholds: Vec<f64> = scores.good().iter().chain(scores.defective()).copied().collect();
        thresholds.sort_by(f64::total_cmp);
        thresholds.dedup();
        thresholds.extend(thresholds.last().map(|highest| highest.next_up()));
        let points: Vec<RocPoint> = thresholds.into_iter().map(|t| point(scores, t)).collect();
        let seen = area(scores);
        let (good, defective) = (scores.good().len() as f64, scores.defective().len() as f64);
        let auc = Auc { seen, interval: newcombe(seen, good, defective, confidence) };
        let average_precision = average_precision(&points);
        Self { points, auc, average_precision }
    }
}

fn point(scores: &Scores, threshold: f64) -> RocPoint {
    let (good, defective) = (scores.good().len() as u64, scores.defective().len() as u64);
    let (escapes, false_rejects) = (scores.escapes(threshold), scores.false_rejects(threshold));
    let found = defective - escapes;
    RocPoint {
        threshold,
        escapes: Share::new(escapes, defective).expect("Scores has both kinds"),
        false_rejects: Share::new(false_rejects, good).expect("Scores has both kinds"),
        precision: Share::new(found, found + false_rejects).ok(),
    }
}

/// Mann and Whitney's statistic, by counting through both sorted lists.
fn area(scores: &Scores) -> f64 {
    let (good, defective) = (scores.good(), scores.defective());
    let mut twice = 0;
    for score in defective {
        let below = good.partition_point(|other| other < score);
        let not_above = good.partition_point(|other| other <= score);
        twice += below + not_above;
    }
    twice as f64 / (2.0 * good.len() as f64 * defective.len() as f64)
}

/// R. G. Newcombe, "Confidence intervals for an effect size measure based on the Mann–Whitney statistic. Part 2",
/// Statistics in Medicine 25 (2006), method 5: all areas from which the one seen is not too far off, in standard errors
/// of those areas themselves. Unlike others it has a width where the area seen is 1.
fn newcombe(seen: f64, good: f64, defective: f64, confidence: Confidence) -> Interval {
    let z = Normal::standard().inverse_cdf(1.0 - confidence.risk() / 2.0);
    let star = f64::midpoint(good, defective) - 1.0;
    let error = |area: f64| {
        let pairs = star * ((1.0 - area) / (2.0 - area) + area / (1.0 + area));
        (area * (1.0 - area) * (1.0 + pairs) / (good * defective)).sqrt()
    };
    let is_near = |area: f64| (area - seen).abs() <= z * error(area);
    // From the area seen outwards there is one place where it stops being near.
    let edge = |mut near: f64, mut far: f64| {
        for _ in 0..80 {
            let middle = f64::midpoint(near, far);
            if is_near(middle) {
                near = middle;
            } else {
                far = middle;
            }
        }
        near
    };
    Interval { lower: edge(seen, 0.0), upper: edge(seen, 1.0) }
}

fn average_precision(points: &[RocPoint]) -> f64 {
    points
        .windows(2)
        .map(|pair| {
            let gained = pair[0].recall() - pair[1].recall();
            gained * pair[0].precision.map_or(0.0, Share::seen)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores() -> Scores {
        let good = vec![0.05, 0.10, 0.12, 0.20, 0.22, 0.30, 0.35, 0.41, 0.48, 0.60];
        Scores::new(good, vec![0.38, 0.55, 0.62, 0.71, 0.80, 0.93]).unwrap()
    }

    /// Worked by hand and with scikit-learn.
    #[test]
    fn areas_and_points_of_the_worked_example() {
        let roc = Roc::of(&scores(), Confidence::NINETY_FIVE);
        assert!((roc.auc.seen - 56.0 / 60.0).abs() < 1e-12, "{roc:?}");
        assert!((roc.average_precision - 0.916_667).abs() < 1e-6, "{}", roc.average_precision);
        for (threshold, false_rejects, escapes) in [(0.36, 3, 0), (0.50, 1, 1), (0.61, 0, 2)] {
            let point = point(&scores(), threshold);
            assert_eq!((point.false_rejects.events(), point.escapes.events()), (false_rejects, escapes));
        }
        let last = roc.points.last().unwrap();
        assert_eq!((last.escapes.events(), last.false_rejects.events(), last.precision), (6, 0, None));
    }

    #[test]
    fn ties_count_half_and_equal_scores_tell_nothing() {
        let equal = Scores::new(vec![0.5; 8], vec![0.5; 3]).unwrap();
        let roc = Roc::of(&equal, Confidence::NINETY_FIVE);
        assert_eq!(roc.auc.seen, 0.5);
        assert_eq!(roc.points.len(), 2);
    }

    #[test]
    fn a_perfect_area_on_few_parts_is_not_sure() {
        let few = Scores::new(vec![0.1; 10], vec![0.9; 5]).unwrap();
        let many = Scores::new(vec![0.1; 1000], vec![0.9; 500]).unwrap();
        let lower = |scores: &Scores| Roc::of(scores, Confidence::NINETY_FIVE).auc.interval.lower;
        assert!(lower(&few) < 0.85 && lower(&few) > 0.6, "{}", lower(&few));
        assert!(lower(&many) > 0.98, "{}", lower(&many));
        assert_eq!(Roc::of(&few, Confidence::NINETY_FIVE).auc.interval.upper, 1.0);
    }
}
