//! Beckhoff ADS over AMS/TCP: two arrays of ten WORDs in the PLC's program, one write and one read a cycle.
//!
//! The PLC's memory is little-endian, and a WORD is a WORD there: PLC programs see the words of the contract as they are.
//! A double word of the block is two WORDs, the high one first, so a program joins them as `high * 65536 + low`, not by a
//! DWORD laid over them. ADS has no authentication: keep it on the cell's own network, and give the station its route.

use super::{
    Protocol,
    cyclic::{Cyclic, Fault, client_table, defaults},
    own_thread::{Blocking, OwnThread, blocking_ms},
    stream::{address_problem, connect_fault},
};
use crate::{
    LinkFaultKind, PlcError, Timing,
    register_map::{HALF_WORDS, Words},
};
use ads::{AmsAddr, AmsNetId, Client, Error, Source, Timeouts};
use std::{io, str::FromStr as _, time::Duration};

/// Index groups of named variables (Beckhoff Information System, "ADS device and index group numbers").
const HANDLE_BY_NAME: u32 = 0xF003;
const VALUE_BY_HANDLE: u32 = 0xF005;

client_table! {
    /// The `[plc]` table with `kind = "ads"`.
    pub struct AdsConfig {
        /// `host:port` of the PLC's router; AMS/TCP listens on 48898.
        pub address: String,
        /// The PLC's AMS net id, as `5.1.204.123.1.1`.
        pub ams_net_id: String,
        /// The PLC's AMS port: 851 is the first runtime of TwinCAT 3, 801 that of TwinCAT 2.
        #[serde(default = "first_runtime")]
        pub ams_port: u16,
        /// The station's own AMS net id, as the PLC's route names it; by default its IP address with `.1.1`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub own_net_id: Option<String>,
        /// The array that the PLC writes: `ARRAY [0..9] OF WORD`, words 0–9.
        #[serde(default = "from_plc")]
        pub from_plc: String,
        /// The array that the station writes: `ARRAY [0..9] OF WORD`, words 10–19.
        #[serde(default = "to_plc")]
        pub to_plc: String,
    }
}

fn first_runtime() -> u16 {
    851
}
fn from_plc() -> String {
    "GVL_Plumb.FromPlc".to_owned()
}
fn to_plc() -> String {
    "GVL_Plumb.ToPlc".to_owned()
}

impl AdsConfig {
    /// Everything but address and net id as it is by default.
    pub fn new(address: impl Into<String>, ams_net_id: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            ams_net_id: ams_net_id.into(),
            ams_port: first_runtime(),
            own_net_id: None,
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
        problems.extend(address_problem(&self.address, 48_898));
        for (key, id) in [("ams_net_id", Some(&self.ams_net_id)), ("own_net_id", self.own_net_id.as_ref())] {
            if let Some(id) = id.filter(|id| AmsNetId::from_str(id).is_err()) {
                problems.push(format!("plc {key} \"{id}\" should be six numbers, as 5.1.204.123.1.1"));
            }
        }
        for (key, name) in [("from_plc", &self.from_plc), ("to_plc", &self.to_plc)] {
            if name.trim().is_empty() || !name.is_ascii() {
                problems.push(format!("plc {key} \"{name}\" should name a variable, as GVL_Plumb.FromPlc"));
            }
        }
        if self.from_plc.eq_ignore_ascii_case(&self.to_plc) {
            problems.push(
                "plc from_plc and to_plc are the same variable; each direction needs its own".to_owned(),
            );
        }
        problems
    }

    pub(super) fn open(&self) -> Result<Box<dyn Protocol>, PlcError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(PlcError::Config { problems });
        }
        let pace = self.pace();
        let thread = OwnThread::start(TwinCat { config: self.clone(), open: None }, "plc-ads", pace.timeout)
            .map_err(|source| PlcError::NoThread { name: "plc-ads", source })?;
        Ok(Box::new(Cyclic::new(thread, pace, &self.address)))
    }
}

/// The PLC as the library reaches it.
struct TwinCat {
    config: AdsConfig,
    open: Option<Open>,
}

/// A connection, and the handles that the PLC gave for the two arrays.
struct Open {
    client: Client,
    plc: AmsAddr,
    from_plc: u32,
    to_plc: u32,
}

impl Blocking for TwinCat {
    fn connect(&mut self) -> Result<(), Fault> {
        // One connection a host is all that a router takes: the old one goes first.
        self.open = None;
        let id = |id: &str| AmsNetId::from_str(id).expect("`problems` has looked at it");
        let plc = AmsAddr::new(id(&self.config.ams_net_id), self.config.ams_port);
        let source = match &self.config.own_net_id {
            Some(own) => Source::Addr(AmsAddr::new(id(own), 58_913)),
            None => Source::Auto,
        };
        let patience = Timeouts::new(Duration::from_millis(blocking_ms(self.config.timeout_ms)));
        let client = Client::new(self.config.address.as_str(), patience, source)
            .map_err(|error| self.fault(&error, "the connection"))?;
        let from_plc = self.handle(&client, plc, &self.config.from_plc)?;
        let to_plc = self.handle(&client, plc, &self.config.to_plc)?;
        self.open = Some(Open { client, plc, from_plc, to_plc });
        Ok(())
    }

    fn exchange(&mut self, station: &Words) -> Result<Words, Fault> {
        let Open { client, plc, from_plc, to_plc } = self.open.as_ref().ok_or_else(closed)?;
        let device = client.device(*plc);
        let mut bytes = [0; 2 * HALF_WORDS];
        for (bytes, word) in bytes.chunks_exact_mut(2).zip(station) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        device
            .write(VALUE_BY_HANDLE, *to_plc, &bytes)
            .map_err(|error| self.fault(&error, &self.config.to_plc))?;
        device
            .read_exact(VALUE_BY_HANDLE, *from_plc, &mut bytes)
            .map_err(|error| self.fault(&error, &self.config.from_plc))?;
        let mut words = [0; HALF_WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(2)) {
            *word = u16::from_le_bytes([bytes[0], bytes[1]]);
        }
        Ok(words)
    }
}

impl TwinCat {
    fn handle(&self, client: &Client, plc: AmsAddr, name: &str) -> Result<u32, Fault> {
        let mut handle = [0; 4];
        client
            .device(plc)
            .write_read_exact(HANDLE_BY_NAME, 0, name.as_bytes(), &mut handle)
            .map_err(|error| self.fault(&error, name))?;
        Ok(u32::from_le_bytes(handle))
    }

    fn fault(&self, error: &Error, of: &str) -> Fault {
        let AdsConfig { ams_net_id, ams_port, timeout_ms, .. } = &self.config;
        match error {
            Error::Io(_, error) => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => (
                    LinkFaultKind::Timeout,
                    format!(
                        "did not answer within {timeout_ms} ms; if it never does, it has no route to this station: \
                         add one in TwinCAT"
                    ),
                ),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    (
                        LinkFaultKind::Closed,
                        "closed the connection; at once, it has no route to this station: add one in TwinCAT"
                            .to_owned(),
                    )
                }
                _ => connect_fault(error),
            },
            Error::Ads(_, says, code) => {
                let advice = match code {
                    0x006 => format!("check plc.ams_port ({ams_port}), and that the PLC runs"),
                    0x007 => format!("check plc.ams_net_id ({ams_net_id}) and the route"),
                    0x705 | 0x70B => "it should be ARRAY [0..9] OF WORD".to_owned(),
                    0x710 => "check that the PLC's program has it by this name".to_owned(),
                    0x711 | 0x712 => "the PLC's program has changed; the station connects again".to_owned(),
                    0x704 | 0x703 => "check that it may be read and written".to_owned(),
                    _ => "check the PLC's ADS settings".to_owned(),
                };
                (LinkFaultKind::Exception, format!("refused \"{of}\" ({says}, {code:#x}); {advice}"))
            }
            Error::Reply(_, says, _) if says.contains("less data") => (
                LinkFaultKind::WrongAnswer,
                format!("has a \"{of}\" of fewer than ten words; it should be ARRAY [0..9] OF WORD"),
            ),
            Error::Reply(_, says, _) => (
                LinkFaultKind::WrongAnswer,
                format!(
                    "sent what is not an answer to the question ({says}); check that it is a Beckhoff PLC"
                ),
            ),
            Error::Overflow(_) => (LinkFaultKind::WrongAnswer, "could not be asked".to_owned()),
        }
    }
}

fn closed() -> Fault {
    (LinkFaultKind::Closed, "closed the connection".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_of_a_table_are_told_at_once() {
        let mut config = AdsConfig::new("plc", "5.1.204");
        (config.from_plc, config.own_net_id) = (" ".into(), Some("x".into()));
        let problems = config.problems().join("\n");
        for word in ["10.0.4.7:48898", "ams_net_id", "own_net_id", "from_plc"] {
            assert!(problems.contains(word), "{word} is missing in:\n{problems}");
        }
        config = AdsConfig::new("10.0.4.7:48898", "5.1.204.123.1.1");
        assert!(config.problems().is_empty());
        config.to_plc = config.from_plc.to_uppercase();
        assert!(config.problems()[0].contains("the same variable"));
    }
}
