//! The statistics of quality: pure functions, each with its source. No I/O, no clock, no randomness of its own.
//!
//! Convention: a score is high for a defect, and a part is rejected if its score is **at or above** the threshold.
//! A defective part below it is an *escape*; a good part at or above it is a *false reject*. Every share of parts comes
//! with its bound: nought of 59 is not "0 %", it is "0 of 59 (at most 4.95 %)".
//!
//! ```
//! use plumb_quality::{Confidence, Share};
//! let escapes = Share::new(0, 59)?;
//! assert_eq!(escapes.says(Confidence::NINETY_FIVE), "0 of 59 (at most 4.95 %)");
//! # Ok::<(), plumb_quality::ShareError>(())
//! ```

mod beta;
pub mod capability;
pub mod chart;
mod compare;
mod confidence;
pub mod drift;
pub mod gauge;
mod good_only;
mod pareto;
mod roc;
mod sample_size;
mod scores;
mod share;
mod threshold;

pub use compare::{fisher_exact, mcnemar_exact};
pub use confidence::{Confidence, ConfidenceError, Interval};
pub use good_only::{GoodOnly, GoodOnlyError, limit_from_good};
pub use pareto::{Bar, pareto};
pub use roc::{Auc, Roc, RocPoint};
pub use sample_size::parts_needed;
pub use scores::{Scores, ScoresError};
pub use share::{Share, ShareError};
pub use threshold::{Guarantee, Infeasible, Suggestion, Zones, suggest, suggest_on_average, zones};
