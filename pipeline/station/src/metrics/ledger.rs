//! Metrics of the ledger over the years: what was deleted by which rule, how long the disk lasts, the last backup.

use super::{counters, gauge, gauges};
use plumb_ledger::{KEEP_RULES, LedgerStats, Outlook, Upkeep};
use prometheus::{Gauge, IntCounterVec, IntGauge, IntGaugeVec, Registry};

/// Seconds that stand for "as far as one can see"; shown until the first look, so that nobody is called for nothing.
const FAR: f64 = 3650.0 * DAY;

/// In seconds: the unit of every metric of time.
const DAY: f64 = 86_400.0;

/// See the module's words.
pub struct LedgerMetrics {
    records_expired: IntCounterVec,
    pictures_expired: IntCounterVec,
    used: IntGaugeVec,
    seconds_left: Gauge,
    reserve_in_use: IntGauge,
    backup: IntGauge,
}

impl LedgerMetrics {
    /// Registers everything and sets every known label set to 0.
    pub(super) fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            records_expired: counters(
                r,
                "plumb_storage_records_expired_total",
                "Records that were deleted because the rules keep them no longer.",
                &["rule"],
            )?,
            pictures_expired: counters(
                r,
                "plumb_storage_pictures_expired_total",
                "Pictures that were deleted because the rules keep them no longer.",
                &["rule"],
            )?,
            used: gauges(
                r,
                "plumb_storage_used_bytes",
                "What the ledger takes of the disk, as of the last hour.",
                &["kind"],
            )?,
            seconds_left: super::register(
                r,
                Gauge::new(
                    "plumb_storage_seconds_left",
                    "Until the disk is full, or disk_max_gb deletes pictures early, if it goes on as in the last week; ten years are for good.",
                ),
            )?,
            reserve_in_use: gauge(
                r,
                "plumb_storage_reserve_in_use",
                "1 while the disk is full and records go into the room that was set aside for them.",
            )?,
            backup: gauge(
                r,
                "plumb_storage_backup_timestamp_seconds",
                "When the ledger was last backed up; 0: never.",
            )?,
        };
        metrics.seconds_left.set(FAR);
        for rule in KEEP_RULES {
            metrics.records_expired.with_label_values(&[rule.as_str()]);
            metrics.pictures_expired.with_label_values(&[rule.as_str()]);
        }
        for kind in ["database", "pictures"] {
            metrics.used.with_label_values(&[kind]);
        }
        Ok(metrics)
    }

    /// What the ledger says of itself now.
    pub fn look(&self, stats: &LedgerStats, upkeep: &Upkeep) {
        self.reserve_in_use.set(i64::from(stats.on_reserve));
        self.backup.set(upkeep.backup.map_or(0, |at| at.as_second()));
        for (at, rule) in KEEP_RULES.iter().enumerate() {
            let totals = [
                (&self.records_expired, upkeep.records_deleted[at]),
                (&self.pictures_expired, upkeep.pictures_deleted[at]),
            ];
            for (counter, total) in totals {
                let counter = counter.with_label_values(&[rule.as_str()]);
                counter.inc_by(total.saturating_sub(counter.get()));
            }
        }
        if let Some(Outlook { used, days_left, .. }) = upkeep.outlook {
            let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
            self.used.with_label_values(&["database"]).set(bytes(used.database));
            self.used.with_label_values(&["pictures"]).set(bytes(used.pictures));
            self.seconds_left.set(days_left * DAY);
        }
    }
}
