//! Rockwell Logix over EtherNet/IP, by tags: the station reads and writes two arrays of ten INTs in the controller, one
//! Write Tag and one Read Tag a cycle on one connected session (CIP class 3).
//!
//! An INT is a word; tags are addressed by name, so no tag list is loaded and an edited program costs nothing. A double
//! word of the block is two INTs, the high one first. A write of twenty bytes is one CIP service and reaches the controller
//! whole; a program that copies it with CPS instead of COP never sees half of it. The protocol has no authentication: keep
//! it on the cell's own network, and set the tags' External Access to Read/Write for these two alone.

use super::{
    Place, Protocol,
    cyclic::{Cyclic, Fault, client_table, defaults},
    own_thread::{Blocking, OwnThread, blocking_ms},
    stream::address_problem,
};
use crate::{
    LinkFaultKind, PlcError, Timing,
    register_map::{HALF_WORDS, Words},
};
use ciplink::{
    Error,
    cip::{CipConnection, CipOptions},
    epath::tag_request_path,
    packets::{Reply, ReplyKind, read_tag_message, write_tag_message},
    transport::tcp_connector,
};
use std::time::Duration;

/// CIP type code of INT.
const INT: [u8; 2] = [0xC3, 0x00];

client_table! {
    /// The `[plc]` table with `kind = "logix"`.
    pub struct LogixConfig {
        /// `host:port` of the controller or its communication module; EtherNet/IP listens on 44818.
        pub address: String,
        /// Slot of the controller in its chassis; 0 in a CompactLogix.
        #[serde(default)]
        pub slot: u8,
        /// The tag that the PLC writes: `INT[10]`, words 0–9. `Program:Main.Plumb_FromPlc` is one of a program.
        #[serde(default = "from_plc")]
        pub from_plc: String,
        /// The tag that the station writes: `INT[10]`, words 10–19.
        #[serde(default = "to_plc")]
        pub to_plc: String,
    }
}

fn from_plc() -> String {
    "Plumb_FromPlc".to_owned()
}
fn to_plc() -> String {
    "Plumb_ToPlc".to_owned()
}

impl LogixConfig {
    /// Everything but the address as it is by default.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            slot: 0,
            from_plc: from_plc(),
            to_plc: to_plc(),
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
        problems.extend(address_problem(&self.address, 44_818));
        for (key, tag) in [("from_plc", &self.from_plc), ("to_plc", &self.to_plc)] {
            if tag.trim().is_empty() || !tag.is_ascii() || tag_request_path(tag, None, false).is_err() {
                problems.push(format!(
                    "plc {key} \"{tag}\" should name a tag, as Plumb_ToPlc or Program:Main.Tag"
                ));
            }
        }
        if self.from_plc.eq_ignore_ascii_case(&self.to_plc) {
            problems
                .push("plc from_plc and to_plc are the same tag; each direction needs its own".to_owned());
        }
        problems
    }

    pub(super) fn places(&self) -> Vec<Place> {
        let at = |name: &str| Place::whole(format!("Logix {} {}", self.address, name).to_lowercase());
        vec![at(&self.from_plc), at(&self.to_plc)]
    }

    pub(super) fn open(&self) -> Result<Box<dyn Protocol>, PlcError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(PlcError::Config { problems });
        }
        let pace = self.pace();
        let thread =
            OwnThread::start(Controller { config: self.clone(), open: None }, "plc-logix", pace.timeout)
                .map_err(|source| PlcError::NoThread { name: "plc-logix", source })?;
        Ok(Box::new(Cyclic::new(thread, pace, &self.address)))
    }
}

/// The controller as the library reaches it.
struct Controller {
    config: LogixConfig,
    open: Option<CipConnection>,
}

impl Blocking for Controller {
    fn connect(&mut self) -> Result<(), Fault> {
        self.open = None;
        let options = CipOptions {
            socket_timeout: Some(Duration::from_millis(blocking_ms(self.config.timeout_ms))),
            connection_size: 500,
        };
        let path = format!("{}/bp/{}", self.config.address, self.config.slot);
        let mut connection = CipConnection::new(&path, options, tcp_connector(), false)
            .map_err(|error| self.broken(&error))?;
        let registered = connection.open().map_err(|_| {
            (LinkFaultKind::Unreachable, "refused the connection or cannot be reached".to_owned())
        })?;
        let opened = registered && connection.forward_open().map_err(|error| self.broken(&error))?;
        if !opened {
            let slot = self.config.slot;
            let what = format!("refused a connection to the controller in slot {slot}; check plc.slot");
            return Err((LinkFaultKind::Exception, what));
        }
        self.open = Some(connection);
        Ok(())
    }

    fn exchange(&mut self, station: &Words) -> Result<Words, Fault> {
        let LogixConfig { from_plc, to_plc, .. } = &self.config;
        let data: Vec<u8> = station.iter().flat_map(|word| word.to_le_bytes()).collect();
        let write = write_tag_message(&path_of(to_plc), &INT, HALF_WORDS as u16, &data);
        let (read, from, to) =
            (read_tag_message(&path_of(from_plc), HALF_WORDS as u16), from_plc.clone(), to_plc.clone());
        self.ask(&write, &to)?;
        let answer = self.ask(&read, &from)?;
        match answer.strip_prefix(&INT) {
            Some(data) if data.len() == 2 * HALF_WORDS => {
                let mut words = [0; HALF_WORDS];
                for (word, bytes) in words.iter_mut().zip(data.chunks_exact(2)) {
                    *word = u16::from_le_bytes([bytes[0], bytes[1]]);
                }
                Ok(words)
            }
            _ => Err((LinkFaultKind::WrongAnswer, format!("has a tag \"{from}\" that is not INT[10]"))),
        }
    }
}

fn path_of(tag: &str) -> Vec<u8> {
    tag_request_path(tag, None, false).expect("`problems` has looked at it")
}

impl Controller {
    /// One service on the connected session; what it brought back.
    fn ask(&mut self, message: &[u8], tag: &str) -> Result<Vec<u8>, Fault> {
        let closed = || (LinkFaultKind::Closed, "closed the connection".to_owned());
        let connection = self.open.as_mut().ok_or_else(closed)?;
        let sequence = connection.next_sequence();
        let raw = match connection.send_connected(sequence, message) {
            Ok(raw) => raw,
            Err(error) => return Err(self.broken(&error)),
        };
        // The library gives whatever frame comes next; one that answers another question is no confirmation.
        if raw.get(44..46) != Some(&sequence.to_le_bytes()[..]) {
            let what = "sent what is not an answer to the question; check that it is a Logix controller";
            return Err((LinkFaultKind::WrongAnswer, what.to_owned()));
        }
        let reply = Reply::parse(ReplyKind::SendUnitData, &raw);
        if reply.is_valid() {
            return Ok(reply.data.unwrap_or_default());
        }
        let says = reply.error().unwrap_or_default();
        let advice = match reply.service_status {
            Some(0x04 | 0x05 | 0x16) => {
                "check that the controller has it by this name, and its External Access"
            }
            Some(0x0F) => "set its External Access to Read/Write",
            Some(0x10 | 0x0C) => "turn the keyswitch to REM or RUN",
            Some(0xFF) => "it should be INT[10], with External Access Read/Write",
            _ => "see the status in the controller's manual",
        };
        Err((LinkFaultKind::Exception, format!("refused tag \"{tag}\" ({says}); {advice}")))
    }

    fn broken(&self, error: &Error) -> Fault {
        match error {
            // The library does not say whether it was closed or silent.
            Error::Comm(_) => {
                let ms = self.config.timeout_ms;
                let what = format!("closed the connection, or did not answer within {ms} ms");
                (LinkFaultKind::Closed, what)
            }
            error => (LinkFaultKind::WrongAnswer, format!("sent what is not EtherNet/IP ({error})")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_of_a_table_are_told_at_once() {
        let mut config = LogixConfig::new("plc");
        (config.from_plc, config.to_plc, config.cycle_ms) = ("".into(), "a[".into(), 0);
        let problems = config.problems().join("\n");
        for word in ["10.0.4.7:44818", "from_plc \"\"", "to_plc \"a[\"", "cycle_ms"] {
            assert!(problems.contains(word), "{word} is missing in:\n{problems}");
        }
        config = LogixConfig::new("10.0.4.7:44818");
        assert!(config.problems().is_empty());
        config.to_plc = "Program:Main.Plumb_ToPlc".into();
        assert!(config.problems().is_empty());
    }
}
