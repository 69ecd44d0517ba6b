//! A model tried on this machine in several ways: how long each takes, whether each still finds the same, and which is
//! to be recommended.
//!
//! ```text
//!  Candidate ─▶ (Model) ─▶ round: single runs, timed ─┐
//!                      └─▶ findings ─▶ Comparison     ├─▶ recommend
//!                                                     ┘
//! ```
//!
//! Nothing here starts a process, reads a picture or draws a table: whoever tries a model does. Candidates take turns,
//! round by round, so that what else the machine does touches all of them, and only figures of one round are compared.

mod candidate;
mod compare;
mod interval;
mod measure;
mod recommend;

pub use candidate::{Candidate, present, provider, variants};
pub use compare::{Change, Comparison, OVERLAP_MIN};
pub use interval::Interval;
pub use measure::{Round, Timing, round};
pub use recommend::{Measured, Recommendation, recommend};
