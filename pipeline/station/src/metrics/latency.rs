//! `plumb_decision_latency_seconds`: one histogram a recipe, with boundaries of its own.
//!
//! A boundary at each deadline makes "in time" exact. With every recipe's deadline in every recipe's histogram, 20
//! recipes would be 1 500 series; so each has its own, and quantiles are taken recipe by recipe.

use prometheus::{Histogram, HistogramOpts, Registry};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What recipes of every deadline have; the deadline's own are added.
const USUAL_S: [f64; 10] = [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.5, 1.0, 2.5];

/// See the module's words.
pub struct DecisionLatency {
    registry: Registry,
    of: Mutex<BTreeMap<String, (Duration, Histogram)>>,
}

impl DecisionLatency {
    /// None yet; each comes with its recipe.
    pub(super) fn new(registry: &Registry) -> Self {
        Self { registry: registry.clone(), of: Mutex::default() }
    }

    /// A recipe was loaded. One that comes again with another deadline begins a new histogram; counters that begin
    /// anew are what Prometheus expects of a restart.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub(super) fn recipe(&self, recipe: &str, deadline: Duration) -> Result<(), prometheus::Error> {
        let mut of = self.lock();
        if let Some((known, histogram)) = of.get(recipe) {
            if *known == deadline {
                return Ok(());
            }
            self.registry.unregister(Box::new(histogram.clone()))?;
        }
        let options = HistogramOpts::new("plumb_decision_latency_seconds", "From trigger to verdict.")
            .const_label("recipe", recipe)
            .buckets(boundaries_s(deadline));
        let histogram = Histogram::with_opts(options)?;
        self.registry.register(Box::new(histogram.clone()))?;
        of.insert(recipe.to_owned(), (deadline, histogram));
        Ok(())
    }

    /// A part of `recipe` was judged.
    pub fn observe(&self, recipe: &str, decision: Duration) {
        if let Some((_, histogram)) = self.lock().get(recipe) {
            histogram.observe(decision.as_secs_f64());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (Duration, Histogram)>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The usual boundaries, with the deadline and its neighbours 1.5× and 2× among them.
fn boundaries_s(deadline: Duration) -> Vec<f64> {
    let deadline = deadline.as_secs_f64();
    let mut boundaries = USUAL_S.to_vec();
    boundaries.extend([deadline, deadline * 1.5, deadline * 2.0]);
    boundaries.sort_by(f64::total_cmp);
    boundaries.dedup();
    boundaries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_recipe_has_its_own_deadline_among_its_boundaries_and_one_that_returns_keeps_its_count() {
        let registry = Registry::new();
        let latency = DecisionLatency::new(&registry);
        for (recipe, ms) in [("bolt", 40), ("washer", 90), ("bolt", 40)] {
            latency.recipe(recipe, Duration::from_millis(ms)).expect("registers");
            latency.observe(recipe, Duration::from_millis(7));
        }
        let families = registry.gather();
        let counted = |recipe: &str| {
            let metrics = families[0].get_metric();
            let metric = metrics.iter().find(|metric| metric.get_label()[0].value() == recipe);
            let histogram = metric.expect("the recipe's").get_histogram();
            let bounds: Vec<f64> = histogram.get_bucket().iter().map(|bucket| bucket.upper_bound()).collect();
            (histogram.get_sample_count(), bounds)
        };
        let (parts, bounds) = counted("bolt");
        assert_eq!(parts, 2);
        assert!(bounds.contains(&0.04) && !bounds.contains(&0.09), "{bounds:?}");
        latency.recipe("bolt", Duration::from_millis(60)).expect("registers anew");
        latency.observe("bolt", Duration::from_millis(7));
        latency.observe("nobody's", Duration::from_millis(7));
        assert_eq!(registry.gather()[0].get_metric().len(), 2);
    }
}
