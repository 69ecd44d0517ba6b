//! OPC UA, secured: certificates and trust, a client that says why it failed, and a Machine Vision server
//! (OPC 40100-1).
//!
//! [`security`] is who we are, whom we trust and who may do what; [`client`] connects to a server and says why it
//! could not. Nothing here trusts a certificate by itself: that is a person's act (`plumb opcua trust`).

pub mod client;
pub mod machine_vision;
pub mod security;
