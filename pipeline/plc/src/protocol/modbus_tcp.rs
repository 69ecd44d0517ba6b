//! Modbus TCP: what the `[plc]` table says of it. [`client`] writes into the PLC, [`server`] is polled by it.

mod client;
mod server;

use super::{
    Place, Protocol,
    cyclic::{Cyclic, client_table, defaults},
    stream::address_problem,
};
use crate::{PlcError, Timing};
use client::ModbusTcpClient;
use serde::{Deserialize, Serialize};
use server::ModbusTcpServer;

/// Who speaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The station is the Modbus master and writes into the PLC's holding registers. The quicker way.
    Client,
    /// The station hosts the registers and the PLC polls them.
    Server,
}

client_table! {
    /// The `[plc]` table with `kind = "modbus_tcp"`. As a server, `cycle_ms` and the backoff mean nothing, and
    /// `timeout_ms` is for the PLC's next poll.
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
    }
}

fn one() -> u8 {
    1
}

impl ModbusTcpConfig {
    /// Everything but role and address as it is by default.
    pub fn new(role: Role, address: impl Into<String>) -> Self {
        Self {
            role,
            address: address.into(),
            unit: one(),
            base: 0,
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
        problems.extend(match address_problem(&self.address, 502) {
            // A server may listen on any free port.
            Some(_) if self.role == Role::Server && self.address.ends_with(":0") => None,
            problem => problem,
        });
        if self.base > u16::MAX - 19 {
            problems.push(format!("plc base is {}; the block of 20 registers must end by 65535", self.base));
        }
        problems
    }

    pub(super) fn place(&self) -> Place {
        match self.role {
            Role::Client => {
                let device = format!("Modbus {} unit {}", self.address.to_lowercase(), self.unit);
                Place::block(device, u32::from(self.base))
            }
            // The system's choice of a port is never the same twice.
            Role::Server if self.address.ends_with(":0") => {
                Place { device: "Modbus server on any free port".to_owned(), words: 0..0 }
            }
            Role::Server => Place::whole(format!("Modbus server on {}", self.address.to_lowercase())),
        }
    }

    pub(super) fn open(&self) -> Result<Box<dyn Protocol>, PlcError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(PlcError::Config { problems });
        }
        Ok(match self.role {
            Role::Client => {
                let client = ModbusTcpClient::new(self.clone());
                Box::new(Cyclic::new(client, self.pace(), &self.address))
            }
            Role::Server => Box::new(ModbusTcpServer::listen(self.clone())?),
        })
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
