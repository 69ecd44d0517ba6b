//! `plumb threshold`: thresholds with a guarantee that can be signed.

mod say;
mod suggest;

use super::Exit;

/// What `plumb threshold` can do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Threshold {
    /// The least strict threshold of a rule that keeps escapes under a bound, proved on parts whose truth is known.
    Suggest(suggest::Suggest),
}

impl Threshold {
    pub(super) fn run(self) -> Exit {
        match self {
            Self::Suggest(suggest) => suggest.run(),
        }
    }
}
