//! EtherNet/IP adapter: the station is what a smart camera is to a PLC, a module that the scanner owns, with cyclic class 1
//! I/O. The PLC's words 0–9 are the output assembly, the station's 10–19 the input assembly; words are little-endian on the
//! wire and INTs in the controller, a double word is two INTs, the high one first. All twenty bytes of an assembly change
//! at once.
//!
//! **Delivered.** Class 1 packets are not acknowledged; the next one replaces a lost one. An answer counts as delivered
//! when it has been produced in two packets, over two packet intervals, to an owner whose connection still stands. What
//! the PLC really took shows in ResultsAck (BufferResults), and what it never saw it rejects.
//!
//! **Idle.** A controller in program mode sends its outputs with the run bit off. They are not believed: the PLC's
//! heartbeat stands still for the handshake, which takes no trigger then.
//!
//! The adapter needs TCP and UDP 44818 and UDP 2222 of its address to itself. The protocol has no authentication, and a
//! session costs a thread until it ends: keep it on the cell's own network.

use super::{Broken, Ended, Place, Protocol, Session, cyclic::client_table, cyclic::defaults};
use crate::{
    LinkFaultKind, PlcError, Timing,
    port::Port,
    register_map::{FromPlc, HALF_WORDS, ToPlc, Words},
};
use ciplink::adapter::{
    Adapter, AdapterConfig, AdapterIdentity, Assembly, ConnectionInfo, ConnectionKind, Event,
};
use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::{MissedTickBehavior, interval};

/// The input assembly: words 10–19, produced to the scanner.
pub const INPUT_ASSEMBLY: u32 = 100;
/// The output assembly: words 0–9, consumed from the scanner.
pub const OUTPUT_ASSEMBLY: u32 = 150;
/// The configuration assembly; it is empty.
pub const CONFIG_ASSEMBLY: u32 = 151;
/// O→T connection point of input-only connections.
pub const INPUT_ONLY_HEARTBEAT: u32 = 198;
/// O→T connection point of listen-only connections.
pub const LISTEN_ONLY_HEARTBEAT: u32 = 199;
/// Bytes of each assembly.
pub const ASSEMBLY_BYTES: usize = 2 * HALF_WORDS;
/// Shortest packet interval that is taken.
pub const RPI_MIN: Duration = Duration::from_millis(2);
/// Longest packet interval that is taken.
pub const RPI_MAX: Duration = Duration::from_millis(1_000);

/// How often the two sides are brought together: half the shortest packet interval.
const TICK: Duration = Duration::from_millis(1);

client_table! {
    /// The `[plc]` table with `kind = "ethernet_ip"`. The PLC is the scanner and sets the packet interval, so `cycle_ms` and
    /// `timeout_ms` mean nothing.
    pub struct EthernetIpConfig {
        /// IPv4 address and port to listen on, as `10.0.4.2:44818`; scanners know no other port.
        #[serde(default = "loopback")]
        pub address: String,
        /// UDP port of the cyclic data; scanners know no other than 2222.
        #[serde(default = "io_port")]
        pub io_port: u16,
        /// Serial number that the Identity object tells.
        #[serde(default = "serial")]
        pub serial: u32,
    }
}

fn loopback() -> String {
    "127.0.0.1:44818".to_owned()
}
fn io_port() -> u16 {
    2222
}
fn serial() -> u32 {
    1
}

impl EthernetIpConfig {
    /// Everything but the address as it is by default.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            io_port: io_port(),
            serial: serial(),
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
        if self.address.parse::<SocketAddrV4>().is_err() {
            problems.push(format!(
                "plc address \"{}\" should be this station's IPv4 address and port, as 10.0.4.2:44818",
                self.address
            ));
        }
        problems
    }

    pub(super) fn place(&self) -> Place {
        Place::whole(format!("EtherNet/IP on {}", self.address))
    }

    pub(super) fn open(&self) -> Result<Box<dyn Protocol>, PlcError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(PlcError::Config { problems });
        }
        let listen = |says: String| PlcError::Listen {
            address: format!("{} and UDP {}", self.address, self.io_port),
            source: std::io::Error::other(says),
        };
        let at: SocketAddrV4 = self.address.parse().expect("`problems` has looked at it");
        let adapter = Adapter::start(adapter_config(*at.ip(), at.port(), self.io_port, self.serial))
            .map_err(|error| listen(error.to_string()))?;
        let local_addr = adapter.addr();
        Ok(Box::new(EthernetIp { config: self.clone(), adapter, local_addr }))
    }
}

/// The Identity object, as `deploy/plc/ethernet_ip/plumb.eds` has it too.
pub fn identity(serial: u32) -> AdapterIdentity {
    AdapterIdentity {
        vendor_id: 0, // a product needs ODVA's vendor id; 0 is nobody's
        device_type: 0x2B,
        product_code: 1,
        revision: (1, 1),
        serial,
        product_name: "Plumb inspection station".to_owned(),
    }
}

fn adapter_config(bind: Ipv4Addr, port: u16, io_port: u16, serial: u32) -> AdapterConfig {
    AdapterConfig {
        identity: identity(serial),
        assemblies: vec![
            Assembly::input(INPUT_ASSEMBLY, ASSEMBLY_BYTES),
            Assembly::output(OUTPUT_ASSEMBLY, ASSEMBLY_BYTES),
            Assembly::config(CONFIG_ASSEMBLY, 0),
        ],
        input_only_heartbeat: INPUT_ONLY_HEARTBEAT,
        listen_only_heartbeat: LISTEN_ONLY_HEARTBEAT,
        app_name: "Plumb".to_owned(),
        app_version: env!("CARGO_PKG_VERSION").to_owned(),
        bind,
        port,
        io_port,
        rpi_min: RPI_MIN,
        rpi_max: RPI_MAX,
        ..AdapterConfig::default()
    }
}

/// The station as a module of the PLC.
struct EthernetIp {
    config: EthernetIpConfig,
    adapter: Adapter,
    local_addr: SocketAddr,
}

/// The block that is produced now, and since when it says what it says.
struct Shown {
    block: ToPlc,
    since: Instant,
    produced_before: u64,
    delivered: bool,
}

impl EthernetIp {
    async fn serve(&mut self, port: &Port) -> Ended {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut owner: Option<ConnectionInfo> = None;
        let mut shown: Option<Shown> = None;
        loop {
            // What is new goes into the next packet; when nothing is, time passes.
            tokio::select! {
                _ = tick.tick() => {}
                () = port.changed() => {}
            }
            while let Some(event) = self.adapter.next_event(Some(Duration::ZERO)) {
                match event {
                    Event::Opened(info) if info.kind == ConnectionKind::ExclusiveOwner => {
                        port.connected(format_args!("{} (owner of {})", info.originator, self.local_addr));
                        (owner, shown) = (Some(info), None);
                    }
                    Event::Closed(info) | Event::TimedOut(info)
                        if owner.as_ref().is_some_and(|owner| owner.o_t_id == info.o_t_id) =>
                    {
                        self.adapter
                            .set_input(INPUT_ASSEMBLY, &[0; ASSEMBLY_BYTES])
                            .expect("its own assembly");
                        return lost(&info, self.local_addr);
                    }
                    _ => {}
                }
            }
            let Some(owner) = &owner else {
                port.step(|shake, now| shake.tick(now));
                if port.may_end() {
                    return Ended::Closed;
                }
                continue;
            };
            if let Ok(output) = self.adapter.output(OUTPUT_ASSEMBLY)
                && output.run
            {
                port.incoming(&FromPlc::decode(&words_of(&output.data)));
            }
            self.show(port, owner, &mut shown);
            if port.may_end() {
                port.step(|shake, _| shake.abandon());
                self.put(&port.outgoing());
                tokio::time::sleep(2 * owner.t_o_rpi).await;
                return Ended::Closed;
            }
        }
    }

    /// Puts the block into the input assembly, and says when the PLC has had it.
    fn show(&self, port: &Port, owner: &ConnectionInfo, shown: &mut Option<Shown>) {
        let block = port.outgoing();
        let (now, produced) = (Instant::now(), self.adapter.stats().produced);
        let same = |shown: &Shown| {
            let key = |block: &ToPlc| {
                (block.status.results_valid, block.part, block.code, block.status.inspection_toggle)
            };
            key(&shown.block) == key(&block)
        };
        if !shown.as_ref().is_some_and(same) {
            *shown = Some(Shown { block, since: now, produced_before: produced, delivered: false });
        }
        self.put(&block);
        if let Some(shown) = shown {
            shown.block = block;
            let twice =
                now.duration_since(shown.since) >= 2 * owner.t_o_rpi && produced >= shown.produced_before + 2;
            if twice && !shown.delivered {
                shown.delivered = true;
                port.round_trip(now.duration_since(shown.since), block.status.results_valid);
                port.delivered(&shown.block);
            }
        }
    }

    fn put(&self, block: &ToPlc) {
        let bytes: Vec<u8> = block.encode().iter().flat_map(|word| word.to_le_bytes()).collect();
        self.adapter.set_input(INPUT_ASSEMBLY, &bytes).expect("its own assembly, of that size");
    }
}

fn words_of(bytes: &[u8]) -> Words {
    let mut words = [0; HALF_WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(2)) {
        *word = u16::from_le_bytes([bytes[0], bytes[1]]);
    }
    words
}

fn lost(info: &ConnectionInfo, at: SocketAddr) -> Ended {
    let what =
        format!("the PLC {} no longer owns {at}: its connection was closed or fell silent", info.originator);
    Ended::Broken(Broken { kind: LinkFaultKind::Silent, what, was_up: true })
}

impl Protocol for EthernetIp {
    fn serve<'a>(&'a mut self, port: &'a Arc<Port>) -> Session<'a> {
        Box::pin(Self::serve(self, port))
    }

    fn timing(&self) -> Timing {
        self.config.handshake
    }

    fn backoff(&self) -> (Duration, Duration) {
        // Nothing is tried again: the PLC comes back, or does not.
        (Duration::from_millis(1), Duration::from_millis(1))
    }

    fn peer(&self) -> String {
        format!("scanning {}", self.local_addr)
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        Some(self.local_addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_ipv4_is_refused() {
        for address in ["plc:44818", "[::1]:44818", "10.0.4.2"] {
            assert!(EthernetIpConfig::new(address).problems()[0].contains("10.0.4.2:44818"), "{address}");
        }
        assert!(EthernetIpConfig::new("10.0.4.2:44818").problems().is_empty());
    }
}
