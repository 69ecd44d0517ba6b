//! Modbus TCP: what the `[plc]` table says of it. [`client`] writes into the PLC, [`server`] is polled by it.

mod client;
mod server;

use super::Protocol;
use crate::{PlcError, Timing};
use client::ModbusTcpClient;
use serde::{Deserialize, Serialize};
use server::ModbusTcpServer;
use std::time::Duration;

/// Who speaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The station is the Modbus master and writes into the PLC's holding registers. The quicker way.
    Client,
    /// The station hosts the registers and the PLC polls them.
    Server,
}

/// The `[plc]` table with `kind = "modbus_tcp"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModbusTcpConfig {
    /// Who speaks first.
    pub role: Role,
    /// `host:port`: the PLC's for a client, the one to listen on for a server (port 0: any free one).
    pub address: String,
    /// Modbus unit id. Many PLCs answer to 1 alone.
    #[serde(default = "one")]
    pub unit: u8,
    /// Holding register address (0-based) of word 0; the block takes 20 registers from here.
    #[serde(default)]
    pub base: u16,
    /// Client: how often the block is exchanged when nothing changes. What changes goes out at once.
    #[serde(default = "five")]
    pub cycle_ms: u64,
    /// Client: for each request. Server: for the PLC's next poll.
    #[serde(default = "five_hundred")]
    pub timeout_ms: u64,
    /// Wait after the first failed attempt; doubles with each.
    #[serde(default = "quarter_second")]
    pub backoff_min_ms: u64,
    /// Longest wait between two attempts.
    #[serde(default = "five_seconds")]
    pub backoff_max_ms: u64,
    /// How long each wait of the handshake may last.
    #[serde(default)]
    pub handshake: Timing,
}

fn one() -> u8 {
    1
}
fn five() -> u64 {
    5
}
fn five_hundred() -> u64 {
    500
}
fn quarter_second() -> u64 {
    250
}
fn five_seconds() -> u64 {
    5_000
}

impl ModbusTcpConfig {
    /// Everything but role and address as it is by default.
    pub fn new(role: Role, address: impl Into<String>) -> Self {
        Self {
            role,
            address: address.into(),
            unit: one(),
            base: 0,
            cycle_ms: five(),
            timeout_ms: five_hundred(),
            backoff_min_ms: quarter_second(),
            backoff_max_ms: five_seconds(),
            handshake: Timing::default(),
        }
    }

    /// Every problem of these values, as sentences; none if they can be served.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let port = self.address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        match port.and_then(|port| port.parse::<u16>().ok()) {
            None => problems
                .push(format!("plc address \"{}\" should be host:port, as 10.0.4.7:502", self.address)),
            Some(0) if self.role == Role::Client => {
                problems.push("plc address has port 0; a PLC usually listens on 502".to_owned());
            }
            Some(_) => {}
        }
        if self.base > u16::MAX - 19 {
            problems.push(format!("plc base is {}; the block of 20 registers must end by 65535", self.base));
        }
        for (name, value) in [
            ("cycle_ms", self.cycle_ms),
            ("timeout_ms", self.timeout_ms),
            ("backoff_min_ms", self.backoff_min_ms),
        ] {
            if !(1..=60_000).contains(&value) {
                problems.push(format!("plc {name} is {value}, expected 1 to 60000"));
            }
        }
        if self.handshake.result_ms <= self.timeout_ms {
            let (result, timeout) = (self.handshake.result_ms, self.timeout_ms);
            problems.push(format!(
                "plc handshake.result_ms is {result}; it must be longer than timeout_ms ({timeout}), or an answer \
                 is given up while it is being written"
            ));
        }
        problems
    }

    pub(super) fn open(&self) -> Result<Box<dyn Protocol>, PlcError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(PlcError::Config { problems });
        }
        Ok(match self.role {
            Role::Client => Box::new(ModbusTcpClient::new(self.clone())),
            Role::Server => Box::new(ModbusTcpServer::listen(self.clone())?),
        })
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    fn backoff(&self) -> (Duration, Duration) {
        (Duration::from_millis(self.backoff_min_ms), Duration::from_millis(self.backoff_max_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_of_a_table_are_told_at_once() {
        let mut config = ModbusTcpConfig::new(Role::Client, "10.0.4.7");
        (config.base, config.cycle_ms, config.handshake.result_ms) = (65_530, 0, 100);
        let problems = config.problems().join("\n");
        for word in ["host:port", "65530", "cycle_ms", "result_ms"] {
            assert!(problems.contains(word), "{word} is missing in:\n{problems}");
        }
        assert!(ModbusTcpConfig::new(Role::Server, "[::1]:0").problems().is_empty());
    }
}
