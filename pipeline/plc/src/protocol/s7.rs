//! Siemens S7 communication (S7comm over ISO-on-TCP, RFC 1006): the block of 40 bytes in a data block, one `write_db` and
//! one `read_db` a cycle. Words and double words are big-endian there as everywhere in a Siemens CPU.
//!
//! On S7-1200 and S7-1500 the CPU must permit access with PUT/GET communication, and the data block must have "optimised
//! block access" switched off; see `deploy/plc`. The protocol has no authentication: keep it on the cell's own network.

use super::{
    Protocol,
    cyclic::{Cyclic, Fault, client_table, defaults},
    own_thread::{Blocking, OwnThread, blocking_ms},
    stream::{address_problem, connect_fault},
};
use crate::{
    LinkFaultKind, PlcError, Timing,
    register_map::{BLOCK_WORDS, HALF_WORDS, Words},
};
use rust7::{S7Client, S7Error};
use std::io;

/// Bytes of one direction.
const HALF_BYTES: u16 = 2 * HALF_WORDS as u16;

client_table! {
    /// The `[plc]` table with `kind = "s7"`.
    pub struct S7Config {
        /// `host:port` of the CPU; S7 listens on 102.
        pub address: String,
        /// Rack of the CPU: 0 for S7-1200, S7-1500 and most S7-300.
        #[serde(default)]
        pub rack: u16,
        /// Slot of the CPU: 1 for S7-1200 and S7-1500 (0 works too), 2 for S7-300.
        #[serde(default = "one")]
        pub slot: u16,
        /// Number of the data block, not optimised.
        pub db: u16,
        /// Byte of the data block at which word 0 begins; the block takes 40 bytes from here.
        #[serde(default)]
        pub start: u16,
    }
}

fn one() -> u16 {
    1
}

impl S7Config {
    /// Everything but address and data block as it is by default.
    pub fn new(address: impl Into<String>, db: u16) -> Self {
        Self {
            address: address.into(),
            rack: 0,
            slot: one(),
            db,
            start: 0,
            cycle_ms: defaults::cycle_ms(),
            timeout_ms: defaults::timeout_ms(),
            backoff_min_ms: defaults::backoff_min_ms(),
            backoff_max_ms: defaults::backoff_max_ms(),
            handshake: Timing::default(),
        }
    }

    /// Every problem of these values, as sentences; none if they can be served.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.pace().problems();
        problems.extend(address_problem(&self.address, 102));
        if self.rack > 7 || self.slot > 31 {
            let (rack, slot) = (self.rack, self.slot);
            problems.push(format!("plc rack {rack}, slot {slot}: expected rack 0 to 7 and slot 0 to 31"));
        }
        if self.db == 0 {
            problems.push("plc db is 0; data blocks are numbered from 1".to_owned());
        }
        if self.start > u16::MAX / 8 - 2 * HALF_BYTES {
            problems.push(format!("plc start is {}; the 40 bytes must end by 8191", self.start));
        }
        problems
    }

    pub(super) fn open(&self) -> Result<Box<dyn Protocol>, PlcError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(PlcError::Config { problems });
        }
        let pace = self.pace();
        let cpu = Cpu { config: self.clone(), client: S7Client::new() };
        let thread = OwnThread::start(cpu, "plc-s7", pace.timeout)
            .map_err(|source| PlcError::NoThread { name: "plc-s7", source })?;
        Ok(Box::new(Cyclic::new(thread, pace, &self.address)))
    }
}

/// The CPU as the library reaches it.
struct Cpu {
    config: S7Config,
    client: S7Client,
}

impl Blocking for Cpu {
    fn connect(&mut self) -> Result<(), Fault> {
        self.client.disconnect();
        let mut client = S7Client::new();
        let S7Config { address, rack, slot, .. } = &self.config;
        let patience_ms = blocking_ms(self.config.timeout_ms);
        let (host, port) = address.rsplit_once(':').expect("`problems` has looked at it");
        let port = port.parse().expect("`problems` has looked at it");
        let set = client
            .set_timeout(patience_ms, patience_ms, patience_ms)
            .and_then(|()| client.set_connection_port(port));
        set.map_err(|error| self.fault(error))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        client.connect_rack_slot(host, *rack, *slot).map_err(|error| self.fault(error))?;
        // A refused read says why; a refused write of this library only that it could not be read.
        let mut block = [0; 2 * HALF_BYTES as usize];
        client.read_db(self.config.db, self.config.start, &mut block).map_err(|error| self.fault(error))?;
        self.client = client;
        Ok(())
    }

    fn look(&mut self) -> Result<[u16; BLOCK_WORDS], Fault> {
        let mut bytes = [0; 2 * HALF_BYTES as usize];
        self.client
            .read_db(self.config.db, self.config.start, &mut bytes)
            .map_err(|error| self.fault(error))?;
        let mut words = [0; BLOCK_WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(2)) {
            *word = u16::from_be_bytes([bytes[0], bytes[1]]);
        }
        Ok(words)
    }

    fn exchange(&mut self, station: &Words) -> Result<Words, Fault> {
        let S7Config { db, start, .. } = self.config;
        let mut bytes = [0; HALF_BYTES as usize];
        for (bytes, word) in bytes.chunks_exact_mut(2).zip(station) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        self.client.write_db(db, start + HALF_BYTES, &bytes).map_err(|error| self.fault(error))?;
        self.client.read_db(db, start, &mut bytes).map_err(|error| self.fault(error))?;
        let mut words = [0; HALF_WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(2)) {
            *word = u16::from_be_bytes([bytes[0], bytes[1]]);
        }
        Ok(words)
    }
}

impl Cpu {
    fn fault(&self, error: S7Error) -> Fault {
        let S7Config { rack, slot, db, start, timeout_ms, .. } = self.config;
        let last = start + 2 * HALF_BYTES - 1;
        match error {
            S7Error::Io(error) => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                    (LinkFaultKind::Timeout, format!("did not answer within {timeout_ms} ms"))
                }
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    (LinkFaultKind::Closed, "closed the connection".to_owned())
                }
                _ => connect_fault(&error),
            },
            S7Error::NotConnected | S7Error::ConnectionClosed => {
                (LinkFaultKind::Closed, "closed the connection".to_owned())
            }
            S7Error::TcpConnectionFailed => {
                (LinkFaultKind::Unreachable, "cannot be reached (its name has no address)".to_owned())
            }
            S7Error::IsoConnectionFailed => (
                LinkFaultKind::Exception,
                format!("refused the connection to rack {rack}, slot {slot}; check plc.rack and plc.slot"),
            ),
            S7Error::PduNegotiationFailed => (
                LinkFaultKind::Exception,
                "refused S7 communication; all its connections may be taken".to_owned(),
            ),
            S7Error::S7NotFound => (
                LinkFaultKind::Exception,
                format!("has no DB{db}; check plc.db, and that the block has been loaded into the CPU"),
            ),
            S7Error::S7InvalidAddress => (
                LinkFaultKind::Exception,
                format!(
                    "refused bytes {start} to {last} of DB{db}; the block is too short, or \"optimised block \
                     access\" is on: switch it off in the block's properties"
                ),
            ),
            S7Error::S7Unspecified => (
                LinkFaultKind::Exception,
                format!(
                    "refused DB{db}; permit access with PUT/GET communication in the CPU's protection settings, \
                     and take off the block's write protection"
                ),
            ),
            S7Error::IsoFragmentedPacket | S7Error::IsoInvalidHeader | S7Error::IsoInvalidTelegram => (
                LinkFaultKind::WrongAnswer,
                format!("sent what is not S7 ({error}); check that it is a Siemens CPU"),
            ),
            S7Error::InvalidFunParameter | S7Error::Other(_) => {
                (LinkFaultKind::WrongAnswer, format!("could not be asked ({error})"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_of_a_table_are_told_at_once() {
        let mut config = S7Config::new("10.0.4.7", 0);
        (config.rack, config.slot, config.start, config.timeout_ms) = (8, 40, 9_000, 0);
        let problems = config.problems().join("\n");
        for word in ["10.0.4.7:102", "rack 8, slot 40", "db is 0", "start is 9000", "timeout_ms"] {
            assert!(problems.contains(word), "{word} is missing in:\n{problems}");
        }
        assert!(S7Config::new("10.0.4.7:102", 100).problems().is_empty());
    }
}
