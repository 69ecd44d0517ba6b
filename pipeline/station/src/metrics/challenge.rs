//! Metrics of known parts: when a challenge was passed last, and how many were, or were not.

use super::{counters, float_gauges};
use jiff::Timestamp;
use plumb_inspection::RecipeName;
use prometheus::{GaugeVec, IntCounterVec, Registry};

const RESULTS: [&str; 2] = ["passed", "failed"];

/// Of recipes with known parts only.
pub struct ChallengeMetrics {
    last_success: GaugeVec,
    runs: IntCounterVec,
}

impl ChallengeMetrics {
    pub(super) fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            last_success: float_gauges(
                r,
                "plumb_challenge_last_success_timestamp_seconds",
                "When the recipe's known parts were told right last; 0 before the first time.",
                &["recipe"],
            )?,
            runs: counters(
                r,
                "plumb_challenge_runs_total",
                "Challenges that came to an end, by how.",
                &["recipe", "result"],
            )?,
        })
    }

    /// The recipe has known parts; they were told right last at this moment.
    pub fn known(&self, recipe: &RecipeName, passed: Option<Timestamp>) {
        for result in RESULTS {
            self.runs.with_label_values(&[recipe.as_str(), result]);
        }
        let seconds = passed.map_or(0.0, |at| at.as_second() as f64);
        self.last_success.with_label_values(&[recipe.as_str()]).set(seconds);
    }

    /// A challenge has ended: passed at this moment, or failed.
    pub fn ended(&self, recipe: &RecipeName, passed: Option<Timestamp>) {
        let result = RESULTS[usize::from(passed.is_none())];
        self.runs.with_label_values(&[recipe.as_str(), result]).inc();
        if let Some(at) = passed {
            self.last_success.with_label_values(&[recipe.as_str()]).set(at.as_second() as f64);
        }
    }
}
