//! The ways to a PLC: one file each. A new one is its file, one arm in [`PlcConfig`], one example in
//! `deploy/examples/plc`.

pub(crate) mod cyclic;
mod modbus_tcp;
pub(crate) mod own_thread;
mod place;
pub(crate) mod stream;

use crate::{LinkFaultKind, PlcError, Timing, port::Port};
pub use modbus_tcp::{ModbusTcpConfig, Role};
pub use place::Place;
use serde::{Deserialize, Serialize};
use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

/// The `[plc]` table of `station.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PlcConfig {
    /// No PLC: answers are for the ledger alone, and nothing moves a gate.
    #[default]
    None,
    /// Modbus TCP, as client (the station writes into the PLC) or server (the PLC polls the station).
    ModbusTcp(ModbusTcpConfig),
}

impl PlcConfig {
    /// The spelling used in config and as a metric's label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ModbusTcp(_) => "modbus_tcp",
        }
    }

    /// Every problem of its values, as sentences; none if they can be served.
    pub fn problems(&self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::ModbusTcp(config) => config.problems(),
        }
    }

    /// Where its block lies, so that no two links share it.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::None => None,
            Self::ModbusTcp(config) => Some(config.place()),
        }
    }

    /// What serves it; `None` where there is no PLC.
    pub(crate) fn open(&self) -> Result<Option<Box<dyn Protocol>>, PlcError> {
        match self {
            Self::None => Ok(None),
            Self::ModbusTcp(config) => config.open().map(Some),
        }
    }
}

/// How to reach a PLC by one protocol and role.
pub(crate) trait Protocol: Send {
    /// Connects, or listens, and serves `port` until the connection breaks ([`Ended::Broken`]) or the station
    /// closes the link and [`Port::may_end`] ([`Ended::Closed`]). It is called again after a backoff.
    ///
    /// It promises: a timeout on every request; [`Port::outgoing`] asked just before each write;
    /// verdict and part id in one write; [`Port::delivered`] only for what the PLC has for certain.
    fn serve<'a>(&'a mut self, port: &'a Arc<Port>) -> Session<'a>;

    /// The waits of the handshake.
    fn timing(&self) -> Timing;

    /// Shortest and longest wait between two attempts.
    fn backoff(&self) -> (Duration, Duration);

    /// The PLC, or where the station listens, as the log names it.
    fn peer(&self) -> String;

    /// Where the station listens, if it does.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

/// One connection's life.
pub(crate) type Session<'a> = Pin<Box<dyn Future<Output = Ended> + Send + 'a>>;

/// How it ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The station wanted it to.
    Closed,
    /// Something broke; to be tried again.
    Broken(Broken),
}

/// What broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) kind: LinkFaultKind,
    /// Reads after "PLC 10.0.4.7:502": `refused the connection`.
    pub(crate) what: String,
    /// The PLC had answered before: the attempts are counted anew.
    pub(crate) was_up: bool,
}
