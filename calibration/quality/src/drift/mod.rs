//! Drift: do today's scores come from where yesterday's came from? One test a file.
//!
//! With ten thousand parts a test finds trifles: act where the effect is large **and** the p is small. Compare within one
//! recipe, one model and one lot, and watch the scores of passed parts too.

mod adwin;
mod kolmogorov;
mod mmd;
mod psi;

pub use adwin::Adwin;
pub use kolmogorov::{KolmogorovSmirnov, kolmogorov_smirnov};
pub use mmd::{Mmd, mmd};
pub use psi::{PsiError, psi};

/// Samples of which nothing can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// Too few.
    #[error("samples of {first} and {second} values cannot be compared; each needs at least {least}")]
    TooFew {
        /// In the first.
        first: usize,
        /// In the second.
        second: usize,
        /// In each.
        least: usize,
    },
    /// NaN or infinity.
    #[error("a sample has a value that is no finite number; leave missed parts out")]
    NotANumber,
}

fn check(first: &[f64], second: &[f64], least: usize) -> Result<(), SampleError> {
    if first.len() < least || second.len() < least {
        return Err(SampleError::TooFew { first: first.len(), second: second.len(), least });
    }
    if first.iter().chain(second).any(|value| !value.is_finite()) {
        return Err(SampleError::NotANumber);
    }
    Ok(())
}
