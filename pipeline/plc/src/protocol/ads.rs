//! Beckhoff ADS over AMS/TCP: two arrays of ten WORDs in the PLC's program, one write and one read a cycle.
//!
//! The PLC's memory is little-endian, and a WORD is a WORD there: PLC programs see the words of the contract as they are.
//! A double word of the block is two WORDs, the high one first, so a program joins them as `high * 65536 + low`, not by a
//! DWORD laid over them. ADS has no authentication: keep it on the cell's own network, and give the station its route.

mod ams;

use super::{
    Place, Protocol,
    cyclic::{Cyclic, Fault, Wire, client_table, defaults},
    stream::address_problem,
};
use crate::{
    LinkFaultKind, PlcError, Timing,
    register_map::{BLOCK_WORDS, HALF_WORDS, Words},
};
use ams::{AmsAddress, Failed, Index, NetId, Router};
use std::str::FromStr as _;

/// Index groups of named variables (Beckhoff Information System, "ADS device and index group numbers").
const HANDLE_BY_NAME: u32 = 0xF003;
const VALUE_BY_HANDLE: u32 = 0xF005;

/// The station's own AMS port: any that no service is known by.
const OWN_PORT: u16 = 58_913;

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
        /// The array that the PLC writes: `ARRAY [0..9] OF WORD`, words 0–9. A name, or index group and offset as
        /// `0x4020:100`.
        #[serde(default = "from_plc")]
        pub from_plc: String,
        /// The array that the station writes: `ARRAY [0..9] OF WORD`, words 10–19. A name, or index group and offset.
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
            if let Some(id) = id.filter(|id| NetId::from_str(id).is_err()) {
                problems.push(format!("plc {key} \"{id}\" should be six numbers, as 5.1.204.123.1.1"));
            }
        }
        for (key, name) in [("from_plc", &self.from_plc), ("to_plc", &self.to_plc)] {
            let index = !name.contains(':') || Index::from_str(name).is_ok();
            if name.trim().is_empty() || !name.is_ascii() || !index {
                problems.push(format!(
                    "plc {key} \"{name}\" should name a variable, as GVL_Plumb.FromPlc, or its \
                     index group and offset, as 0x4020:100"
                ));
            }
        }
        if let [from_plc, to_plc] = self.places().as_slice()
            && from_plc.overlap(to_plc).is_some()
        {
            problems.push("plc from_plc and to_plc overlap; each direction needs its own array".to_owned());
        }
        problems
    }

    pub(super) fn places(&self) -> Vec<Place> {
        let address = self.address.to_lowercase();
        let at = |of: &str| match of.parse::<Index>() {
            Ok(Index { group, offset }) => Place {
                device: format!("bytes of index group {group:#x} of ADS {address}"),
                words: offset..offset.saturating_add(2 * HALF_WORDS as u32),
            },
            Err(()) => Place::whole(format!("ads {address} {}", of.to_lowercase())),
        };
        vec![at(&self.from_plc), at(&self.to_plc)]
    }

    pub(super) fn open(&self) -> Result<Box<dyn Protocol>, PlcError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(PlcError::Config { problems });
        }
        Ok(Box::new(Cyclic::new(TwinCat::new(self.clone()), self.pace(), &self.address)))
    }
}

/// The two arrays in the PLC.
struct TwinCat {
    config: AdsConfig,
    router: Router,
    /// Of this connection: the PLC gives other handles on the next one.
    from_plc: Index,
    to_plc: Index,
}

impl TwinCat {
    fn new(config: AdsConfig) -> Self {
        let id = |id: &str| NetId::from_str(id).expect("`problems` has looked at it");
        let plc = AmsAddress { net_id: id(&config.ams_net_id), port: config.ams_port };
        let own = config.own_net_id.as_deref().map_or(NetId([0; 6]), id);
        let router = Router::new(plc, AmsAddress { net_id: own, port: OWN_PORT });
        let nowhere = Index { group: 0, offset: 0 };
        Self { config, router, from_plc: nowhere, to_plc: nowhere }
    }

    /// Where the array is: as configured, or a handle for its name.
    async fn index(&mut self, of: &str) -> Result<Index, Fault> {
        if let Ok(index) = of.parse() {
            return Ok(index);
        }
        let by_name = Index { group: HANDLE_BY_NAME, offset: 0 };
        let handle = self.router.write_read(by_name, of.as_bytes(), 4).await;
        let handle = handle.map_err(|failed| self.fault(failed, of))?;
        let offset = u32::from_le_bytes([handle[0], handle[1], handle[2], handle[3]]);
        Ok(Index { group: VALUE_BY_HANDLE, offset })
    }

    fn fault(&self, failed: Failed, of: &str) -> Fault {
        let AdsConfig { ams_net_id, ams_port, .. } = &self.config;
        let code = match failed {
            Failed::Wire((LinkFaultKind::Closed, _)) => {
                let what =
                    "closed the connection; at once, it has no route to this station: add one in TwinCAT";
                return (LinkFaultKind::Closed, what.to_owned());
            }
            Failed::Wire(fault) => return fault,
            Failed::Length(got) => {
                let what =
                    format!("gave {got} bytes of \"{of}\", expected 20; it should be ARRAY [0..9] OF WORD");
                return (LinkFaultKind::WrongAnswer, what);
            }
            Failed::Refused(code) => code,
        };
        let (says, advice) = match code {
            0x006 => ("no such AMS port", format!("check plc.ams_port ({ams_port}), and that the PLC runs")),
            0x007 => ("no such device", format!("check plc.ams_net_id ({ams_net_id}) and the route")),
            0x702 | 0x703 => ("no such index", "check index group and offset".to_owned()),
            0x704 => ("not permitted", "check that it may be read and written".to_owned()),
            0x705 => ("wrong size", "it should be ARRAY [0..9] OF WORD".to_owned()),
            0x707 => ("not ready", "the PLC is not in RUN".to_owned()),
            0x710 => ("no such variable", "check that the PLC's program has it by this name".to_owned()),
            0x711 | 0x712 => {
                ("old handle", "the PLC's program has changed; the station connects again".to_owned())
            }
            _ => ("see ADS return codes", "check the PLC's ADS settings".to_owned()),
        };
        (LinkFaultKind::Exception, format!("refused \"{of}\" ({says}, {code:#x}); {advice}"))
    }
}

impl Wire for TwinCat {
    async fn connect(&mut self) -> Result<(), Fault> {
        let local = self.router.begin(&self.config.address).await?;
        if self.config.own_net_id.is_none() {
            let own = local.and_then(NetId::at).ok_or_else(|| {
                let what =
                    "is not reached by IPv4, so the station's AMS net id is not known; set plc.own_net_id";
                (LinkFaultKind::Unreachable, what.to_owned())
            })?;
            self.router.set_own(own);
        }
        let AdsConfig { from_plc, to_plc, .. } = self.config.clone();
        self.from_plc = self.index(&from_plc).await?;
        self.to_plc = self.index(&to_plc).await?;
        // Read before anything is written: an array of another size is another program's.
        for (index, of) in [(self.from_plc, &from_plc), (self.to_plc, &to_plc)] {
            let read = self.router.read(index, 2 * HALF_WORDS).await;
            read.map_err(|failed| self.fault(failed, of))?;
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<[u16; BLOCK_WORDS], Fault> {
        let mut words = [0; BLOCK_WORDS];
        let halves = [(self.from_plc, &self.config.from_plc), (self.to_plc, &self.config.to_plc)];
        for ((index, of), words) in halves.into_iter().zip(words.chunks_exact_mut(HALF_WORDS)) {
            let bytes = self.router.read(index, 2 * HALF_WORDS).await;
            let bytes = bytes.map_err(|failed| self.fault(failed, of))?;
            for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(2)) {
                *word = u16::from_le_bytes([bytes[0], bytes[1]]);
            }
        }
        Ok(words)
    }

    async fn exchange(&mut self, station: &Words) -> Result<Words, Fault> {
        let bytes: Vec<u8> = station.iter().flat_map(|word| word.to_le_bytes()).collect();
        let written = self.router.write(self.to_plc, &bytes).await;
        written.map_err(|failed| self.fault(failed, &self.config.to_plc))?;
        let read = self.router.read(self.from_plc, 2 * HALF_WORDS).await;
        let bytes = read.map_err(|failed| self.fault(failed, &self.config.from_plc))?;
        let mut words = [0; HALF_WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(2)) {
            *word = u16::from_le_bytes([bytes[0], bytes[1]]);
        }
        Ok(words)
    }

    fn when_silent(&self) -> Option<&'static str> {
        Some("if it never does, check plc.ams_net_id, and that TwinCAT has a route to this station")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_of_a_table_are_told_at_once() {
        let mut config = AdsConfig::new("plc", "5.1.204");
        (config.from_plc, config.to_plc) = (" ".into(), "0x4020:".into());
        config.own_net_id = Some("x".into());
        let problems = config.problems().join("\n");
        for word in ["10.0.4.7:48898", "ams_net_id", "own_net_id", "from_plc", "to_plc \"0x4020:\""] {
            assert!(problems.contains(word), "{word} is missing in:\n{problems}");
        }
        config = AdsConfig::new("10.0.4.7:48898", "5.1.204.123.1.1");
        assert!(config.problems().is_empty());
        config.to_plc = config.from_plc.to_uppercase();
        assert!(config.problems()[0].contains("overlap"));
        (config.from_plc, config.to_plc) = ("0x4020:100".into(), "16416:119".into());
        let places = config.places();
        assert_eq!(places[0].overlap(&places[1]).map(|both| both.words), Some(119..120));
    }

    #[test]
    fn each_refusal_reads_as_what_to_do() {
        let wire = TwinCat::new(AdsConfig::new("10.0.4.7:48898", "5.1.204.123.1.1"));
        let rows = [
            (Failed::Refused(0x006), "check plc.ams_port (851), and that the PLC runs"),
            (Failed::Refused(0x007), "check plc.ams_net_id (5.1.204.123.1.1) and the route"),
            (Failed::Refused(0x705), "it should be ARRAY [0..9] OF WORD"),
            (
                Failed::Refused(0x710),
                "refused \"A.b\" (no such variable, 0x710); check that the PLC's program",
            ),
            (Failed::Length(8), "gave 8 bytes of \"A.b\", expected 20"),
        ];
        for (failed, words) in rows {
            let (_, says) = wire.fault(failed, "A.b");
            assert!(says.contains(words), "{says}");
        }
    }
}
