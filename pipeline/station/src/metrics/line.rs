//! Metrics of the line around the station: stops it was asked for, parts out of step, the budget of time, mirrors.

use super::{counters, float_gauges, gauge, gauges};
use crate::{
    budget::{Budget, Step},
    hot_path::StopReason,
};
use plumb_verdict::Mismatch;
use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

/// What became of an answer on its way to a mirror.
const MIRROR_RESULTS: [&str; 2] = ["shown", "lost"];

/// See the module's words.
pub struct LineMetrics {
    stop_requested: IntGaugeVec,
    stop_requests: IntCounterVec,
    /// 1 while parts and pictures belong together.
    pub in_step: IntGauge,
    lost_sync: IntCounterVec,
    budget: GaugeVec,
    budget_margin: Gauge,
    mirror_answers: IntCounterVec,
}

impl LineMetrics {
    /// Registers everything and sets every known label set to 0.
    pub(super) fn new(r: &Registry, mirrors: &[&str]) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            stop_requested: gauges(
                r,
                "plumb_line_stop_requested",
                "1 while the line had better stop for this reason.",
                &["reason"],
            )?,
            stop_requests: counters(
                r,
                "plumb_line_stop_requests_total",
                "Times that the line had better stop, by reason.",
                &["reason"],
            )?,
            in_step: gauge(
                r,
                "plumb_parts_in_step",
                "1 while parts and pictures belong together; at 0 every part is rejected.",
            )?,
            lost_sync: counters(
                r,
                "plumb_lost_sync_total",
                "Times that parts and pictures fell out of step, by what was noticed.",
                &["why"],
            )?,
            budget: float_gauges(
                r,
                "plumb_budget_seconds",
                "What each step between trigger and gate takes at its worst, as stated or measured.",
                &["step"],
            )?,
            budget_margin: super::register(
                r,
                Gauge::new(
                    "plumb_budget_margin_seconds",
                    "What is left before the gate; negative is too late.",
                ),
            )?,
            mirror_answers: counters(
                r,
                "plumb_mirror_answers_total",
                "Answers that a mirror was to be shown, by what became of them.",
                &["plc", "result"],
            )?,
        };
        metrics.in_step.set(1);
        for reason in StopReason::ALL {
            metrics.stop_requested.with_label_values(&[reason.as_str()]);
            metrics.stop_requests.with_label_values(&[reason.as_str()]);
        }
        for why in Mismatch::NAMES {
            metrics.lost_sync.with_label_values(&[why]);
        }
        for mirror in mirrors {
            for result in MIRROR_RESULTS {
                metrics.mirror_answers.with_label_values(&[mirror, result]);
            }
        }
        Ok(metrics)
    }

    /// The line had better stop for these reasons and no other; counts those that are `new`.
    pub fn stops(&self, reasons: &[StopReason], new: impl Iterator<Item = StopReason>) {
        for reason in StopReason::ALL {
            let asked = i64::from(reasons.contains(&reason));
            self.stop_requested.with_label_values(&[reason.as_str()]).set(asked);
        }
        new.for_each(|reason| self.stop_requests.with_label_values(&[reason.as_str()]).inc());
    }

    /// Parts and pictures fell out of step.
    pub fn out_of_step(&self, why: &Mismatch) {
        self.in_step.set(0);
        self.lost_sync.with_label_values(&[why.as_str()]).inc();
    }

    /// What each step takes, where it is known, and what is left.
    pub fn budget(&self, budget: &Budget) {
        for step in Step::ALL {
            if let Some((_, worst)) = budget.row(step).takes {
                self.budget.with_label_values(&[step.as_str()]).set(worst.as_secs_f64());
            }
        }
        self.budget_margin.set(budget.margin_us().1 as f64 / 1e6);
    }

    /// Counters of answers that a mirror was shown, and of those that it was not.
    pub fn mirror(&self, name: &str) -> [IntCounter; 2] {
        MIRROR_RESULTS.map(|result| self.mirror_answers.with_label_values(&[name, result]))
    }
}
