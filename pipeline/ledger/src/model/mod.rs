//! The lifecycle of models: states and the ways between them, the book they are kept in, and what it says.

mod book;
mod entry;
mod error;
mod page;
mod pick;
mod state;

pub use book::ModelBook;
pub use entry::{LivePlace, ModelChange, ModelEntry, NewModel};
pub use error::ModelError;
pub use pick::pick;
pub use state::ModelState;
