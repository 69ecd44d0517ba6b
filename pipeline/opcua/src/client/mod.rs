//! A client that connects to an OPC UA server and says why it could not.
//!
//! [`Client::connect`] ends within its limit, with a session or with a [`Failure`] that a person can act on. It never
//! settles for less security than its [`Server`] asks for, never trusts a certificate, and never reconnects by itself.

mod endpoint;
mod failure;
mod node;
mod server;
mod session;

pub use failure::{Failure, FailureKind};
pub use node::{Kind, Node, NodeName, Value};
pub use server::{ClientSecurity, Login, Server};
pub use session::Client;
