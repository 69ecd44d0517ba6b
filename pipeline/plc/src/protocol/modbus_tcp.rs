//! Modbus TCP: what the `[plc]` table says of it. [`client`] writes into the PLC, [`server`] is polled by it, [`tls`]
//! secures both.

mod client;
mod connection;
mod server;
mod tls;

use super::{
    Place, Protocol,
    cyclic::{Cyclic, client_table, defaults},
    stream::address_problem,
};
use crate::{PlcError, Timing};
use client::ModbusTcpClient;
use serde::{Deserialize, Serialize};
use server::ModbusTcpServer;
use std::path::Path;
pub use tls::TlsConfig;

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
        /// Modbus/TCP Security; plain Modbus where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tls: Option<TlsConfig>,
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
            tls: None,
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
        problems.extend(match address_problem(&self.address, if self.tls.is_some() { 802 } else { 502 }) {
            // A server may listen on any free port.
            Some(_) if self.role == Role::Server && self.address.ends_with(":0") => None,
            problem => problem,
        });
        if self.base > u16::MAX - 19 {
            problems.push(format!("plc base is {}; the block of 20 registers must end by 65535", self.base));
        }
        problems.extend(self.tls.iter().flat_map(|tls| tls.problems(self.role, &self.address)));
        problems
    }

    /// Every problem of the files it names, as sentences.
    pub(super) fn file_problems(&self) -> Vec<String> {
        self.tls.as_ref().map(TlsConfig::file_problems).unwrap_or_default()
    }

    /// Paths that are not absolute begin at `folder`.
    pub(super) fn relative_to(&mut self, folder: &Path) {
        if let Some(tls) = &mut self.tls {
            tls.relative_to(folder);
        }
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
                let client = ModbusTcpClient::new(self.clone())?;
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
