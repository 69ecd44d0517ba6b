//! What an ONNX file is, told from the file itself: family, input, labels, and where each fact comes from.
//!
//! [`Recognition::of`] reads a file and what lies beside it, knows the tool that exported it by the marks that tool
//! leaves, and fills in a card line by line. Each line carries its [`Source`]. What cannot be known is a [`Question`];
//! what makes the model useless here is an obstacle. [`Recognition::card`] is the card's text once nothing is open.
//!
//! ```no_run
//! use plumb_recognise::{Answers, Recognition};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut answers = Answers::default();
//! answers.set("labels", "scratch,dent")?;
//! let seen = Recognition::of("scratches.onnx".as_ref(), &answers)?;
//! for fact in &seen.facts {
//!     println!("{} = {}   {}", fact.key, fact.value, fact.source);
//! }
//! # Ok(())
//! # }
//! ```

mod answers;
mod beside;
mod card;
mod draft;
mod exporter;
mod fact;
mod labels;
mod picture;
mod python;
mod recognition;
mod sight;

pub use answers::{AnswerError, Answers};
pub use exporter::Exporter;
pub use fact::{Fact, Question, Source, Suggestion};
pub use recognition::{Recognition, Unready};
pub use sight::Changed;
