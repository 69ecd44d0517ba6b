//! A TCP connection to a PLC, and how a failure to get one reads.

use super::cyclic::Fault;
use crate::LinkFaultKind;
use std::io;
use tokio::net::TcpStream;

/// Connects to `host:port`; small answers do not wait for the acknowledgement of the one before.
pub(crate) async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What reads after the PLC's name.
pub(crate) fn connect_fault(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => (LinkFaultKind::Refused, "refused the connection".to_owned()),
        _ => (LinkFaultKind::Unreachable, format!("cannot be reached ({error})")),
    }
}

/// What is wrong with an address that should be `host:port` of a PLC, if anything; `usual` is the protocol's port.
pub(crate) fn address_problem(address: &str, usual: u16) -> Option<String> {
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
    match port.and_then(|port| port.parse::<u16>().ok()) {
        None => Some(format!("plc address \"{address}\" should be host:port, as 10.0.4.7:{usual}")),
        Some(0) => Some(format!("plc address has port 0; a PLC usually listens on {usual}")),
        Some(_) => None,
    }
}
