//! Who we are ([`Own`]), whom we trust ([`Pki`]), how it is encrypted ([`Policy`]), and who may do what ([`Guard`]).
//!
//! A server is secured in three steps: [`Pki::own_or_new`] gives the certificate, [`secure`] makes a
//! `ServerBuilder` with endpoints, limits and the [`Guard`] in place, and [`Guard::allow`] says which method needs
//! which [`Role`]. In its callbacks a node manager asks [`certificate_is_of_client`] and runs in [`unharmed`].
//! [`watch_knocks`] runs beside it.

mod attempts;
mod certificate;
mod client_check;
mod config;
mod guard;
mod knocks;
mod own;
mod pki;
mod policy;
mod server;
mod unharmed;
mod user;

pub use certificate::{Certificate, CertificateError, Expect, Expiry, Flaw};
pub use client_check::certificate_is_of_client;
pub use config::OpcUaServerConfig;
pub use guard::Guard;
pub use knocks::watch_knocks;
pub use own::{Own, Wish};
pub use pki::{Entry, Pki, PkiError};
pub(crate) use policy::policies;
pub use policy::{Openness, Policy, ServerSecurity};
pub use server::{ServerError, secure};
pub use unharmed::unharmed;
pub use user::{PasswordError, Role, UserConfig, hash_password};
