//! Findings to Verdict. Pure: no I/O, no threads, no clock of its own.
//!
//! [`OpenParts`] holds the parts that are owed an answer and says when each must leave; [`Judge`] asks a recipe's rules
//! of the views that came; [`Trend`] watches the answers and says when the line had better stop; [`PartSync`] knows whether
//! parts and pictures still belong together.

mod judge;
mod limits;
mod measure;
mod open_parts;
mod part_sync;
mod rule;
mod rule_error;
mod seen;
mod threshold;
mod trend;
mod verdict;
mod zone;

pub use judge::{Judge, Look};
pub use measure::measure;
pub use open_parts::{Began, Closed, Counts, EARLY_FOR, EARLY_MAX, Event, OpenParts, REMEMBERED_FOR};
pub use part_sync::{Gap, Mismatch, Pair, PartSync, SyncConfig};
pub use rule::{
    AbsenceRule, AreaOf, AreaRule, CountRule, LengthRule, PairsRule, PresenceRule, RuleConfig, ScoreRule,
};
pub use rule_error::RuleError;
pub use threshold::{Rejects, Threshold};
pub use trend::{StopAdvice, Trend, TrendConfig};
pub use verdict::{Decision, Reason, RuleName, Verdict};
pub use zone::{Zone, ZoneError};
