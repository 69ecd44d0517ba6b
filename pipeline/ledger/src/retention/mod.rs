//! What is kept how long: the rules, the sweep that carries them out, and how long the disk lasts.
//!
//! Records outlive pictures, rejects outlive passes, and what somebody pinned or said a word on stays. Each deletion
//! leaves its date and its rule in the ledger.

mod config;
mod forecast;
mod pin;
mod sweep;

pub use config::{KeepConfig, Span};
pub use forecast::{DiskUse, Outlook};
pub use pin::{Pin, PinBook, PinError};
pub use sweep::{KEEP_RULES, KeepRule, Sweep, Swept};
