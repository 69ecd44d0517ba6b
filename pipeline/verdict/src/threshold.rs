//! The one number of a rule that decides how strict it is, and what of a part it is compared with.
//!
//! To choose a threshold is to ask which parts it would reject. That needs each part's *score* under the rule: the number
//! at which the rule's word on it turns over, the higher the worse.

use std::fmt;

/// A rule's threshold as the recipe has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// The key that holds it: `score_min`, `max`, `max_mm`.
    pub key: &'static str,
    /// Its value now.
    pub value: f32,
    /// What is rejected.
    pub rejects: Rejects,
}

/// Which side the threshold itself lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejects {
    /// A part exactly at it is rejected: `score_min`, from which a finding counts.
    AtOrAbove,
    /// A part exactly at it passes: the largest `max` that is allowed.
    Above,
}

impl Threshold {
    /// True if a part with this score is rejected.
    pub fn rejects(&self, score: f64) -> bool {
        match self.rejects {
            Rejects::AtOrAbove => score >= f64::from(self.value),
            Rejects::Above => score > f64::from(self.value),
        }
    }

    /// The same threshold, moved so that parts from `score` up are rejected and those below pass: never less strict than
    /// asked, where the recipe's numbers are coarser than scores.
    pub fn from_which(&self, score: f64) -> Self {
        let nearest = score as f32;
        let value = match self.rejects {
            Rejects::AtOrAbove if f64::from(nearest) > score => nearest.next_down(),
            Rejects::AtOrAbove => nearest,
            Rejects::Above if f64::from(nearest) >= score => nearest.next_down(),
            Rejects::Above => nearest,
        };
        Self { value, ..*self }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.key, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_moved_threshold_rejects_from_there_up_and_nothing_a_finger_lower(
            score in 0.0..1e6f64, above in any::<bool>(),
        ) {
            let rejects = if above { Rejects::Above } else { Rejects::AtOrAbove };
            let moved = Threshold { key: "max", value: 0.0, rejects }.from_which(score);
            prop_assert!(moved.rejects(score), "{moved} at {score}");
            let lower = f64::from((score as f32).next_down().next_down());
            prop_assert!(!moved.rejects(lower), "{moved} at {lower}");
        }

        #[test]
        fn a_score_that_a_model_can_give_is_met_exactly(score: f32, above in any::<bool>()) {
            prop_assume!(score.is_finite() && score.next_down().is_finite());
            let rejects = if above { Rejects::Above } else { Rejects::AtOrAbove };
            let moved = Threshold { key: "max", value: 0.0, rejects }.from_which(f64::from(score));
            prop_assert!(moved.rejects(f64::from(score)) && !moved.rejects(f64::from(score.next_down())));
        }
    }
}
