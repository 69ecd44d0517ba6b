//! Who may use the console: users with their roles, sessions, tokens for programs. Secrets are here as digests alone.

mod book;
mod database;
mod error;
mod role;

pub use book::{PeopleBook, Session, Token, User};
pub(crate) use database::{Door, told};
pub use error::PeopleError;
pub use role::Role;
