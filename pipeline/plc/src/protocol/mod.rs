//! The ways to a PLC: one file each. A new one is its file, one arm in [`PlcConfig`], one example in
//! `deploy/examples/plc`.

mod ads;
pub(crate) mod cip;
pub(crate) mod cyclic;
pub mod digital_io;
pub mod ethernet_ip;
mod logix;
mod modbus_tcp;
mod opc_ua;
mod place;
mod s7;
mod slmp;
pub(crate) mod stream;

use crate::{LinkFaultKind, PlcError, Timing, port::Port, register_map::BLOCK_WORDS};
pub use ads::AdsConfig;
pub use digital_io::DigitalIoConfig;
pub use ethernet_ip::EthernetIpConfig;
pub use logix::LogixConfig;
pub use modbus_tcp::{ModbusTcpConfig, Role, TlsConfig};
pub use opc_ua::{OpcUaConfig, Single};
pub use place::Place;
pub use s7::S7Config;
use serde::{Deserialize, Serialize};
pub use slmp::{Device, SlmpConfig};
use std::{future::Future, net::SocketAddr, path::Path, pin::Pin, sync::Arc, time::Duration};

/// The `[plc]` table of `station.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "a station holds a few, read once at the start")]
pub enum PlcConfig {
    /// No PLC: answers are for the ledger alone, and nothing moves a gate.
    #[default]
    None,
    /// Modbus TCP, as client (the station writes into the PLC) or server (the PLC polls the station).
    ModbusTcp(ModbusTcpConfig),
    /// Siemens S7 communication: the station writes into a data block.
    S7(S7Config),
    /// Beckhoff ADS: the station writes into two arrays of the PLC's program.
    Ads(AdsConfig),
    /// Mitsubishi SLMP (MC protocol, 3E): the station writes into the PLC's registers.
    Slmp(SlmpConfig),
    /// EtherNet/IP adapter: the PLC owns the station as a module, with cyclic I/O.
    EthernetIp(EthernetIpConfig),
    /// Rockwell Logix: the station writes into two tags of the controller.
    Logix(LogixConfig),
    /// OPC UA: the station writes into variables of the PLC's server, encrypted.
    OpcUa(OpcUaConfig),
    /// No PLC between: the station moves the gate by digital lines.
    DigitalIo(DigitalIoConfig),
}

impl PlcConfig {
    /// Every kind, as the config spells it.
    pub const KINDS: [&'static str; 9] =
        ["none", "modbus_tcp", "s7", "ads", "slmp", "ethernet_ip", "logix", "opc_ua", "digital_io"];

    /// The spelling used in config and as a metric's label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ModbusTcp(_) => "modbus_tcp",
            Self::S7(_) => "s7",
            Self::Ads(_) => "ads",
            Self::Slmp(_) => "slmp",
            Self::EthernetIp(_) => "ethernet_ip",
            Self::Logix(_) => "logix",
            Self::OpcUa(_) => "opc_ua",
            Self::DigitalIo(_) => "digital_io",
        }
    }

    /// Every problem of its values, as sentences; none if they can be served.
    pub fn problems(&self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::ModbusTcp(config) => config.problems(),
            Self::S7(config) => config.problems(),
            Self::Ads(config) => config.problems(),
            Self::Slmp(config) => config.problems(),
            Self::EthernetIp(config) => config.problems(),
            Self::Logix(config) => config.problems(),
            Self::OpcUa(config) => config.problems(),
            Self::DigitalIo(config) => config.problems(),
        }
    }

    /// Every problem of the files it names, as sentences.
    pub fn file_problems(&self) -> Vec<String> {
        match self {
            Self::ModbusTcp(config) => config.file_problems(),
            _ => Vec::new(),
        }
    }

    /// Paths in it that are not absolute begin at `folder`.
    #[must_use]
    pub fn relative_to(mut self, folder: &Path) -> Self {
        match &mut self {
            Self::ModbusTcp(config) => config.relative_to(folder),
            Self::OpcUa(config) => config.relative_to(folder),
            _ => {}
        }
        self
    }

    /// Where the PLC is, or where the station listens for it: `host:port`; of digital lines, the board. `None` where
    /// there is no PLC.
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::ModbusTcp(config) => Some(&config.address),
            Self::S7(config) => Some(&config.address),
            Self::Ads(config) => Some(&config.address),
            Self::Slmp(config) => Some(&config.address),
            Self::EthernetIp(config) => Some(&config.address),
            Self::Logix(config) => Some(&config.address),
            Self::OpcUa(config) => Some(config.address()),
            Self::DigitalIo(config) => Some(&config.chip),
        }
    }

    /// Where its words lie, so that no two links share any.
    pub fn places(&self) -> Vec<Place> {
        match self {
            Self::None => Vec::new(),
            Self::ModbusTcp(config) => vec![config.place()],
            Self::S7(config) => vec![config.place()],
            Self::Ads(config) => config.places(),
            Self::Slmp(config) => vec![config.place()],
            Self::EthernetIp(config) => vec![config.place()],
            Self::Logix(config) => config.places(),
            Self::OpcUa(config) => config.places(),
            Self::DigitalIo(config) => vec![config.place()],
        }
    }

    /// What serves it; `None` where there is no PLC.
    pub(crate) fn open(&self) -> Result<Option<Box<dyn Protocol>>, PlcError> {
        match self {
            Self::None => Ok(None),
            Self::ModbusTcp(config) => config.open().map(Some),
            Self::S7(config) => config.open().map(Some),
            Self::Ads(config) => config.open().map(Some),
            Self::Slmp(config) => config.open().map(Some),
            Self::EthernetIp(config) => config.open().map(Some),
            Self::Logix(config) => config.open().map(Some),
            Self::OpcUa(config) => config.open().map(Some),
            Self::DigitalIo(config) => config.open().map(Some),
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

    /// All twenty words as they stand in the PLC, without writing one. Connects where it is not connected.
    fn look(&mut self) -> Look<'_> {
        Box::pin(async { Err(cyclic::cannot_look()) })
    }

    /// Where the station listens, if it does.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
}

/// One look at the whole block.
pub(crate) type Look<'a> =
    Pin<Box<dyn Future<Output = Result<[u16; BLOCK_WORDS], cyclic::Fault>> + Send + 'a>>;

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
