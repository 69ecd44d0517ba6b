//! A TCP connection to a PLC on which one question is asked at a time, and how a failure to get one or to keep it reads.

use super::cyclic::Fault;
use crate::LinkFaultKind;
use std::io;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Connects to `host:port`; small answers do not wait for the acknowledgement of the one before.
pub(crate) async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection for a protocol whose frames are our own. What is read is as long as the caller says, never as long as
/// the PLC says: a length of the PLC's is to be checked first.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    stream: Option<TcpStream>,
}

impl Conversation {
    /// Connects anew; what was connected before is given up first, because some PLCs take one connection a host.
    pub(crate) async fn begin(&mut self, address: &str) -> Result<(), Fault> {
        self.stream = None;
        self.stream = Some(connect(address).await.map_err(|error| connect_fault(&error))?);
        Ok(())
    }

    /// The station's own end.
    pub(crate) fn local_addr(&self) -> Option<std::net::SocketAddr> {
        self.stream.as_ref()?.local_addr().ok()
    }

    /// Sends a whole frame.
    pub(crate) async fn say(&mut self, frame: &[u8]) -> Result<(), Fault> {
        let stream = self.stream.as_mut().ok_or_else(closed)?;
        stream.write_all(frame).await.map_err(|error| lost(&error))
    }

    /// The next `N` bytes, where a frame's head is of one size.
    pub(crate) async fn head<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut head = [0; N];
        let stream = self.stream.as_mut().ok_or_else(closed)?;
        stream.read_exact(&mut head).await.map_err(|error| lost(&error))?;
        Ok(head)
    }

    /// The next `length` bytes; the caller has looked at the length.
    pub(crate) async fn rest(&mut self, length: usize) -> Result<Vec<u8>, Fault> {
        let mut rest = vec![0; length];
        let stream = self.stream.as_mut().ok_or_else(closed)?;
        stream.read_exact(&mut rest).await.map_err(|error| lost(&error))?;
        Ok(rest)
    }
}

/// What reads after the PLC's name.
pub(crate) fn connect_fault(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => (LinkFaultKind::Refused, "refused the connection".to_owned()),
        _ => (LinkFaultKind::Unreachable, format!("cannot be reached ({error})")),
    }
}

fn closed() -> Fault {
    (LinkFaultKind::Closed, "closed the connection".to_owned())
}

/// A connection that stood and no longer does.
fn lost(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => closed(),
        // A network that has gone tells so on a connection that stands.
        _ => (LinkFaultKind::Unreachable, format!("can no longer be reached ({error})")),
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
