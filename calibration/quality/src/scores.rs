//! Scores of parts whose truth is known.

use serde::Serialize;

/// Scores of good and of defective parts, each in ascending order; none is NaN, neither is empty.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    good: Vec<f64>,
    defective: Vec<f64>,
}

impl Scores {
    /// # Errors
    /// When there is no good or no defective part, or a score is no finite number.
    pub fn new(mut good: Vec<f64>, mut defective: Vec<f64>) -> Result<Self, ScoresError> {
        if good.is_empty() {
            return Err(ScoresError::None { kind: "good" });
        }
        if defective.is_empty() {
            return Err(ScoresError::None { kind: "defective" });
        }
        for (kind, scores) in [("good", &mut good), ("defective", &mut defective)] {
            if let Some(at) = scores.iter().position(|score| !score.is_finite()) {
                return Err(ScoresError::NotANumber { kind, at, score: scores[at] });
            }
            scores.sort_by(f64::total_cmp);
        }
        Ok(Self { good, defective })
    }

    /// Ascending.
    pub fn good(&self) -> &[f64] {
        &self.good
    }

    /// Ascending.
    pub fn defective(&self) -> &[f64] {
        &self.defective
    }

    /// Defective parts that `threshold` lets pass.
    pub fn escapes(&self, threshold: f64) -> u64 {
        below(&self.defective, threshold)
    }

    /// Good parts that `threshold` rejects.
    pub fn false_rejects(&self, threshold: f64) -> u64 {
        self.good.len() as u64 - below(&self.good, threshold)
    }

    /// True if no threshold can tell any part from another.
    pub fn are_all_equal(&self) -> bool {
        let first = self.good[0];
        self.good.iter().chain(&self.defective).all(|score| *score == first)
    }
}

/// How many of `ascending` lie below `threshold`.
fn below(ascending: &[f64], threshold: f64) -> u64 {
    ascending.partition_point(|score| *score < threshold) as u64
}

/// Scores from which nothing can be learned.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ScoresError {
    /// One kind is missing.
    #[error("there is no {kind} part among the scores; without both kinds nothing can be said")]
    None {
        /// `good` or `defective`.
        kind: &'static str,
    },
    /// NaN or infinity.
    #[error("the score of {kind} part number {} is {score}, which is no finite number; such a part was missed, not judged: leave it out and count it as missed", at + 1)]
    NotANumber {
        /// `good` or `defective`.
        kind: &'static str,
        /// Where, from 0.
        at: usize,
        /// As given.
        score: f64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_at_the_threshold_is_rejected() {
        let scores = Scores::new(vec![0.5, 0.2], vec![0.5, 0.4]).unwrap();
        assert_eq!((scores.escapes(0.5), scores.false_rejects(0.5)), (1, 1));
        assert_eq!((scores.escapes(0.4), scores.false_rejects(0.51)), (0, 0));
    }

    #[test]
    fn missing_kinds_and_nan_are_refused_by_name() {
        assert!(Scores::new(vec![], vec![0.1]).unwrap_err().to_string().contains("no good part"));
        assert!(Scores::new(vec![0.1], vec![]).unwrap_err().to_string().contains("no defective part"));
        let says = Scores::new(vec![0.1, f64::NAN], vec![0.1]).unwrap_err().to_string();
        assert!(says.contains("good part number 2 is NaN"), "{says}");
        assert!(Scores::new(vec![1.0], vec![1.0]).unwrap().are_all_equal());
    }
}
