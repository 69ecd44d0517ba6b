//! Known parts that must be told right before the station may judge: golden ones that pass, red rabbits that are rejected.
//!
//! [`Run`] is one challenge, [`Challenge`] what the hot path asks, [`ChallengeBook`] what is in the audit log of it.

mod book;
mod gate;
mod run;

pub use book::ChallengeBook;
pub use gate::Challenge;
pub use run::{End, Run};
