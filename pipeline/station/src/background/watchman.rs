//! Goes round once a second: what the disk, the ledger and the queues have to say goes to metrics and health.

use crate::{
    budget::{Budget, Stopwatch},
    changeover::Changeover,
    config::Plan,
    edition::Editions,
    hot_path::{Desk, Pulse},
    metrics::{Metrics, STAGES},
    state::Health,
};
use plumb_inspection::Lap;
use plumb_ledger::{Ledger, LedgerStats};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// What HTTP may see, and where rounds are reported.
pub struct Watchman {
    /// What the station was started from.
    pub plan: Arc<Plan>,
    /// For software triggers.
    pub desk: Arc<Desk>,
    /// Everything counted.
    pub metrics: Arc<Metrics>,
    /// Everything known of the station's health.
    pub health: Arc<Health>,
    /// For reading parts.
    pub ledger: Arc<Ledger>,
    /// What is loaded.
    pub editions: Arc<Editions>,
    /// For other recipes.
    pub changeover: Changeover,
    /// How long parts take.
    pub stopwatch: Arc<Stopwatch>,
    /// Says which threads live.
    pub pulse: Arc<Pulse>,
}

/// Parts that must have been timed before the budget is held against them, and before the wire counts as measured.
const TIMED_MIN: usize = 100;
const WIRE_TIMED_MIN: usize = 1_000;

impl Watchman {
    /// One round a second until told to stop.
    pub async fn walk(&self, mut stopped: watch::Receiver<bool>) {
        let mut is_late = false;
        let mut round = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                _ = stopped.changed() => return,
                _ = round.tick() => {
                    self.look_round();
                    self.look_at_budget(&mut is_late);
                }
            }
        }
    }

    /// What `/metrics` shows that no event tells.
    pub fn look_round(&self) {
        let stats = self.ledger.stats();
        self.metrics.queue("ledger", stats.queue_depth as usize);
        self.metrics.store_write_errors(stats.write_errors + stats.pictures_failed);
        self.metrics.records_lost(stats.refused + stats.lost);
        let upkeep = self.ledger.upkeep();
        self.metrics.ledger.look(&stats, &upkeep);
        let mut silent = Vec::new();
        for stage in STAGES {
            let lives = match stage {
                "ledger" => stats.lives(),
                _ => self.pulse.is_alive(stage),
            };
            self.metrics.stage_is(stage, lives);
            if !lives && stage != "ledger" {
                silent.push(stage);
            }
        }
        self.health.silent(silent);
        let (standing_in, down) = self.health.models();
        self.metrics.models_standing_in.set(standing_in as i64);
        self.metrics.models_down.set(down as i64);
        for (camera, depth) in self.desk.queues() {
            self.metrics.queue(&format!("preprocess-{camera}"), depth);
        }
        let (opened, answered) = (self.metrics.triggers(), self.metrics.answers.get());
        self.metrics.queue("open_parts", opened.saturating_sub(answered) as usize);
        self.health.ledger(ledger_trouble(&stats).or(upkeep.trouble));
        match rustix::fs::statvfs(&self.plan.station.data) {
            Ok(volume) => self.metrics.storage_free("data", volume.f_bavail * volume.f_frsize),
            Err(error) => tracing::warn!(%error, "Free space of the data folder is not known."),
        }
        self.metrics.set_state(self.health.condition().state);
    }
}

impl Watchman {
    /// The budget of the recipe in use, with what its last parts took. `None` without a `[gate]`.
    pub fn budget(&self) -> Option<Budget> {
        let (gate, current) = (self.plan.gate?, self.desk.current());
        let taken = self.stopwatch.taken(current.edition);
        if gate.wire_is_measured
            && taken.parts >= WIRE_TIMED_MIN
            && let Some((_, wire)) = taken.lap(Lap::Plc)
        {
            self.desk.allow(gate.deadline(wire));
        }
        let budget = Budget::new(&current.plan, &gate, &self.plan.cameras, &taken);
        Some(budget.warmed_up(current.models_take))
    }

    /// Says so, once, when what is measured leaves no time before the gate.
    fn look_at_budget(&self, was_late: &mut bool) {
        let Some(budget) = self.budget() else { return };
        self.metrics.line.budget(&budget);
        let timed = self.stopwatch.taken(self.desk.current().edition).parts >= TIMED_MIN;
        let (_, worst_us) = budget.margin_us();
        let is_late = timed && worst_us < 0;
        if is_late && !*was_late {
            tracing::error!("No time is left before the gate.\n{budget}");
        }
        *was_late = is_late;
        self.health.budget(is_late.then(|| {
            format!(
                "at their worst, parts of recipe \"{}\" are answered {:.1} ms too late for the gate; `plumb check` shows \
                 where the time goes",
                budget.recipe,
                -worst_us as f64 / 1e3
            )
        }));
    }
}

fn ledger_trouble(stats: &LedgerStats) -> Option<String> {
    if stats.is_hung() {
        return Some(format!(
            "the ledger has shown no life for {} s; does the disk hang?",
            stats.silent_ms / 1000
        ));
    }
    if stats.failing {
        return Some("the ledger cannot write; is the disk full?".to_owned());
    }
    if stats.on_reserve {
        return Some(
            "the disk is full: records go into the room set aside for them, pictures are not kept; make room"
                .to_owned(),
        );
    }
    (stats.refused + stats.lost > 0)
        .then(|| format!("{} records are lost; see the log for their parts", stats.refused + stats.lost))
}
