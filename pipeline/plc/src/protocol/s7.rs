//! Siemens S7 communication (S7comm over ISO-on-TCP, RFC 1006): the block of 40 bytes in a data block, one write and one
//! read a cycle. Words and double words are big-endian there as everywhere in a Siemens CPU.
//!
//! On S7-1200 and S7-1500 the CPU must permit access with PUT/GET communication, and the data block must have "optimised
//! block access" switched off; see `deploy/plc`. The protocol has no authentication: keep it on the cell's own network.

mod telegram;

use super::{
    Place, Protocol,
    cyclic::{Cyclic, Fault, Wire, client_table, defaults},
    stream::address_problem,
};
use crate::{
    LinkFaultKind, PlcError, Timing,
    register_map::{BLOCK_WORDS, HALF_WORDS, Words},
};
use telegram::{Cpu, Failed, Piece, Refusal};

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
        /// The CPU's transport selector, as `02.00`, where rack and slot do not say it: LOGO!, S7-200, a configured connection.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tsap: Option<String>,
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
            tsap: None,
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
        if let Some(tsap) = self.tsap.as_ref().filter(|tsap| tsap_of(tsap).is_none()) {
            problems.push(format!("plc tsap \"{tsap}\" should be two bytes in hexadecimal, as 02.00"));
        }
        if self.db == 0 {
            problems.push("plc db is 0; data blocks are numbered from 1".to_owned());
        }
        if self.start > u16::MAX - (2 * HALF_BYTES - 1) {
            problems.push(format!("plc start is {}; the 40 bytes must end by 65535", self.start));
        }
        problems
    }

    pub(super) fn place(&self) -> Place {
        let (first, bytes) = (u32::from(self.start), 2 * u32::from(HALF_BYTES));
        let device = format!("bytes of DB{} of S7 {}", self.db, self.address.to_lowercase());
        Place { device, words: first..first + bytes }
    }

    pub(super) fn open(&self) -> Result<Box<dyn Protocol>, PlcError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(PlcError::Config { problems });
        }
        let wire = DataBlock { config: self.clone(), cpu: Cpu::default() };
        Ok(Box::new(Cyclic::new(wire, self.pace(), &self.address)))
    }

    /// Rack and slot as a programming device asks for them, or what was given in their place.
    fn tsap(&self) -> u16 {
        let given = self.tsap.as_ref().map(|tsap| tsap_of(tsap).expect("`problems` has looked at it"));
        given.unwrap_or(0x0100 | self.rack << 5 | self.slot)
    }
}

/// `02.00` as Siemens writes it.
fn tsap_of(text: &str) -> Option<u16> {
    let (high, low) = text.split_once('.')?;
    let byte = |digits: &str| (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok()).flatten();
    Some(u16::from_be_bytes([byte(high)?, byte(low)?]))
}

/// The block in the CPU.
struct DataBlock {
    config: S7Config,
    cpu: Cpu,
}

impl Wire for DataBlock {
    async fn connect(&mut self) -> Result<(), Fault> {
        let connected = self.cpu.connect(&self.config.address, self.config.tsap()).await;
        connected.map_err(|failed| match failed {
            // Older CPUs hang up on a rack and slot that they do not have.
            Failed::Wire((LinkFaultKind::Closed, _)) => self.refused(Refusal::Connection),
            failed => self.fault(failed),
        })?;
        // Read before anything is written: a block that is too short is another program's.
        let S7Config { db, start, .. } = self.config;
        let all = Piece { db, start, length: 2 * HALF_BYTES };
        self.cpu.read(all).await.map(drop).map_err(|failed| self.fault(failed))
    }

    async fn look(&mut self) -> Result<[u16; BLOCK_WORDS], Fault> {
        let S7Config { db, start, .. } = self.config;
        let all = Piece { db, start, length: 2 * HALF_BYTES };
        let bytes = self.cpu.read(all).await.map_err(|failed| self.fault(failed))?;
        let mut words = [0; BLOCK_WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(2)) {
            *word = u16::from_be_bytes([bytes[0], bytes[1]]);
        }
        Ok(words)
    }

    async fn exchange(&mut self, station: &Words) -> Result<Words, Fault> {
        let S7Config { db, start, .. } = self.config;
        let bytes: Vec<u8> = station.iter().flat_map(|word| word.to_be_bytes()).collect();
        let to_plc = Piece { db, start: start + HALF_BYTES, length: HALF_BYTES };
        self.cpu.write(to_plc, &bytes).await.map_err(|failed| self.fault(failed))?;
        let from_plc = Piece { start, ..to_plc };
        let bytes = self.cpu.read(from_plc).await.map_err(|failed| self.fault(failed))?;
        let mut words = [0; HALF_WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(2)) {
            *word = u16::from_be_bytes([bytes[0], bytes[1]]);
        }
        Ok(words)
    }
}

impl DataBlock {
    fn fault(&self, failed: Failed) -> Fault {
        match failed {
            Failed::Wire(fault) => fault,
            Failed::Refused(refusal) => self.refused(refusal),
        }
    }

    fn refused(&self, refusal: Refusal) -> Fault {
        let S7Config { rack, slot, db, start, ref tsap, .. } = self.config;
        let last = start + (2 * HALF_BYTES - 1);
        let what = match refusal {
            Refusal::Connection => match tsap {
                Some(tsap) => format!(
                    "refused the connection to TSAP {tsap}; check plc.tsap, or all its connections are taken"
                ),
                None => format!(
                    "refused the connection to rack {rack}, slot {slot}; check plc.rack and plc.slot, or all its \
                     connections are taken"
                ),
            },
            Refusal::Job(code @ 0x8100..=0x81FF) => format!(
                "refused DB{db} (error {code:04X}); permit access with PUT/GET communication in the CPU's \
                 protection settings, and give full access"
            ),
            Refusal::Job(code) => {
                format!("refused DB{db} (error {code:04X}); see the error in the CPU's manual")
            }
            Refusal::Piece(0x0A) => format!(
                "has no DB{db}; check plc.db, that the block has been loaded into the CPU, and that its \
                 \"optimised block access\" is off"
            ),
            Refusal::Piece(0x05..=0x07) => format!(
                "refused bytes {start} to {last} of DB{db}; the block is too short, or \"optimised block access\" is \
                 on: switch it off in the block's properties"
            ),
            Refusal::Piece(0x03) => {
                format!("refused DB{db}; take off the block's write protection and give the CPU full access")
            }
            Refusal::Piece(code) => {
                format!("refused DB{db} (code {code:02X}); see the code in the CPU's manual")
            }
        };
        (LinkFaultKind::Exception, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_of_a_table_are_told_at_once() {
        let mut config = S7Config::new("10.0.4.7", 0);
        (config.rack, config.slot, config.start, config.timeout_ms) = (8, 40, 65_500, 0);
        config.tsap = Some("2.0".into());
        let problems = config.problems().join("\n");
        for word in
            ["10.0.4.7:102", "rack 8, slot 40", "tsap \"2.0\"", "db is 0", "start is 65500", "timeout_ms"]
        {
            assert!(problems.contains(word), "{word} is missing in:\n{problems}");
        }
        assert!(S7Config::new("10.0.4.7:102", 100).problems().is_empty());
    }

    #[test]
    fn rack_and_slot_are_asked_for_as_a_programming_device_does() {
        let mut config = S7Config::new("10.0.4.7:102", 100);
        assert_eq!(config.tsap(), 0x0101);
        (config.rack, config.slot) = (2, 3);
        assert_eq!(config.tsap(), 0x0143);
        config.tsap = Some("02.0a".into());
        assert_eq!(config.tsap(), 0x020A);
    }

    #[test]
    fn each_refusal_reads_as_what_to_do() {
        let wire = DataBlock { config: S7Config::new("10.0.4.7:102", 100), cpu: Cpu::default() };
        let rows = [
            (Refusal::Connection, "check plc.rack and plc.slot"),
            (Refusal::Job(0x8104), "(error 8104); permit access with PUT/GET"),
            (Refusal::Piece(0x0A), "has no DB100; check plc.db"),
            (Refusal::Piece(0x05), "bytes 0 to 39 of DB100; the block is too short, or \"optimised"),
            (Refusal::Piece(0x03), "write protection"),
        ];
        for (refusal, words) in rows {
            let (kind, says) = wire.refused(refusal);
            assert!(kind == LinkFaultKind::Exception && says.contains(words), "{says}");
        }
    }
}
