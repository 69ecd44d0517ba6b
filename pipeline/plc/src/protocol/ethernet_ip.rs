//! EtherNet/IP adapter: the station is what a smart camera is to a PLC, a module that the scanner owns, with cyclic class 1
//! I/O. The PLC's words 0–9 are the output assembly, the station's 10–19 the input assembly; words are little-endian on the
//! wire and INTs in the controller, a double word is two INTs, the high one first. The twenty bytes of a direction are one
//! packet and are taken or made as one: they are never torn.
//!
//! **Delivered.** Class 1 packets are not acknowledged; the next one replaces a lost one. An answer counts as delivered
//! when two packets have carried it to the owner and the owner has been heard after the second, or when ResultsAck has
//! followed it (BufferResults). See `delivery.rs`.
//!
//! **Idle.** A controller in program mode sends its packets with the run bit off. Their words are not believed: the PLC's
//! heartbeat stands still for the handshake, no trigger is taken, and no answer counts as delivered.
//!
//! **Gone.** The owner's timeout is its own (packet interval times multiplier); past it the link is down. Before its first
//! packet a scanner has ten seconds.
//!
//! One owner at a time; up to seven others may look on (input only; listen only while another gets multicast). Packets go
//! only to who asked for them, or to the station's own multicast group. The protocol has no authentication: keep it on the
//! cell's own network.

mod connections;
mod delivery;
mod forward_open;
mod module;
mod objects;
mod packet;
mod session;

use super::{Place, Protocol};
use crate::{PlcError, Timing, register_map::HALF_WORDS};
use module::EthernetIp;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddrV4, time::Duration};

/// The input assembly: words 10–19, to the scanner.
pub const INPUT_ASSEMBLY: u32 = 100;
/// The output assembly: words 0–9, from the scanner.
pub const OUTPUT_ASSEMBLY: u32 = 150;
/// The configuration assembly; it is empty.
pub const CONFIG_ASSEMBLY: u32 = 151;
/// What input-only connections have instead of the output assembly.
pub const INPUT_ONLY_HEARTBEAT: u32 = 198;
/// What listen-only connections have instead of the output assembly.
pub const LISTEN_ONLY_HEARTBEAT: u32 = 199;
/// Bytes of the input and of the output assembly.
pub const ASSEMBLY_BYTES: usize = 2 * HALF_WORDS;
/// Shortest packet interval that is taken.
pub const RPI_MIN: Duration = Duration::from_millis(2);
/// Longest packet interval that is taken. An answer needs three.
pub const RPI_MAX: Duration = Duration::from_millis(200);

/// UDP port of cyclic data.
const IO_PORT: u16 = 2222;

/// Packet intervals that the empty block stands before the link ends.
const PACKETS_LAST: u32 = 2;

/// The `[plc]` table with `kind = "ethernet_ip"`. How often packets travel and when a silent PLC is gone the scanner says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EthernetIpConfig {
    /// IPv4 address of this station on the PLC's network, and port to listen on, as `10.0.4.2:44818`; scanners know no other.
    pub address: String,
    /// UDP port of the cyclic data at the same address. Few scanners take another one than 2222, though they are told.
    #[serde(default = "io_port")]
    pub io_port: u16,
    /// Serial number that the Identity object tells; another one for each station of a line.
    #[serde(default = "serial")]
    pub serial: u32,
    /// How long each wait of the handshake may last.
    #[serde(default)]
    pub handshake: Timing,
}

fn io_port() -> u16 {
    IO_PORT
}
fn serial() -> u32 {
    1
}

impl EthernetIpConfig {
    /// Everything but the address as it is by default.
    pub fn new(address: impl Into<String>) -> Self {
        let (io_port, serial, handshake) = (io_port(), serial(), Timing::default());
        Self { address: address.into(), io_port, serial, handshake }
    }

    /// Every problem of these values, as sentences; none if they can be served.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.listens_at().is_none() {
            problems.push(format!(
                "plc address \"{}\" should be this station's own IPv4 address on the PLC's network and a port, as \
                 10.0.4.2:44818",
                self.address
            ));
        }
        let (result, needed) = (self.handshake.result_ms, 3 * RPI_MAX.as_millis());
        if u128::from(result) <= needed {
            problems.push(format!(
                "plc handshake.result_ms is {result}; it must be longer than {needed}, three of the longest packet \
                 intervals, or an answer is given up while it is being sent"
            ));
        }
        problems
    }

    /// Never all addresses of the machine: the office network has no business here.
    fn listens_at(&self) -> Option<SocketAddrV4> {
        self.address
            .parse()
            .ok()
            .filter(|at: &SocketAddrV4| !at.ip().is_unspecified() && !at.ip().is_multicast())
    }

    pub(super) fn place(&self) -> Place {
        Place::whole(format!("EtherNet/IP on {}", self.address))
    }

    pub(super) fn open(&self) -> Result<Box<dyn Protocol>, PlcError> {
        let problems = self.problems();
        match self.listens_at() {
            Some(at) if problems.is_empty() => Ok(Box::new(EthernetIp::bind(self, at)?)),
            _ => Err(PlcError::Config { problems }),
        }
    }
}

/// The Identity object: who the station says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// ODVA's number for the maker. 0 is nobody's: a product that is sold needs its own.
    pub vendor: u16,
    /// ODVA's number for what it is.
    pub device_type: u16,
    /// The maker's number for the product.
    pub product: u16,
    /// Major revision.
    pub major: u8,
    /// Minor revision.
    pub minor: u8,
    /// Which of the maker's devices it is.
    pub serial: u32,
    /// At most 32 characters of ASCII.
    pub name: &'static str,
}

/// The station's, as `deploy/plc/ethernet_ip/plumb.eds` has it too.
pub fn identity(serial: u32) -> Identity {
    let device_type = 0x2B; // generic device, keyable
    Identity {
        vendor: 0,
        device_type,
        product: 1,
        major: 1,
        minor: 1,
        serial,
        name: "Plumb inspection station",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_this_stations_own_ipv4_address_is_refused() {
        for address in ["plc:44818", "[::1]:44818", "10.0.4.2", "0.0.0.0:44818", "239.192.1.0:44818"] {
            assert!(EthernetIpConfig::new(address).problems()[0].contains("10.0.4.2:44818"), "{address}");
        }
        assert!(EthernetIpConfig::new("10.0.4.2:44818").problems().is_empty());
    }

    #[test]
    fn a_result_that_is_given_up_before_a_slow_scanner_has_it_is_refused() {
        let mut config = EthernetIpConfig::new("10.0.4.2:44818");
        config.handshake.result_ms = 600;
        assert!(config.problems()[0].contains("result_ms is 600"));
    }
}
