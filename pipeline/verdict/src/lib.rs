//! Findings to Verdict. Pure: no I/O, no threads, no clock of its own.

mod verdict;

pub use verdict::{Decision, Reason, RuleName, Verdict};
