//! The PLC's program behind a real socket, on a thread of its own, with the faults that real ones have.

use super::{
    foreign::{ForeignPlc, SideDoor},
    modbus_tcp,
    program::{LineInputs, PlcProgram, PlcProgramConfig, ScanOut},
    relay,
    tracking::Tally,
};
use crate::{
    Role,
    register_map::{BLOCK_WORDS, HALF_WORDS, Words},
};
use plumb_inspection::RecipeNumber;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval},
};

/// The belt, photo-eye, encoder and gate the PLC is wired to.
pub trait LineWiring: Send + 'static {
    /// What the PLC's inputs show now.
    fn inputs(&mut self, now: Instant) -> LineInputs;
    /// What the PLC's outputs do: the gate's decisions, and whether the line must stop.
    fn outputs(&mut self, now: Instant, out: &ScanOut);
}

/// What is wrong with the PLC. All can be turned on and off while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Answers, or polls, this much later.
    Slow(Duration),
    /// Server: takes connections and requests, never answers. Client: connects, never asks.
    Deaf,
    /// Drops the connection at every fifth request.
    Rude,
    /// A switch is unplugged somewhere on the way: both ends believe in a connection on which nothing passes. On Modbus as
    /// `Deaf`.
    HalfOpen,
    /// Behind a relay: every fifth answer is cut in the middle and the connection with it. On Modbus as `Rude`.
    CutMidAnswer,
    /// Its program has stopped; the network part of it goes on.
    Frozen,
    /// Switched off: nobody listens, nobody polls, no scan.
    Gone,
    /// Server: answers with a word too few. Client: asks for what it must not, and sends what is not Modbus.
    WrongAnswers,
    /// Server: keeps its registers but says it does not have them (IllegalDataAddress). Client: as `None`.
    WrongTable,
}

/// How the PLC is set up.
#[derive(Clone, Debug)]
pub struct SimulatedPlcConfig {
    /// The PLC's role: server where the station is client.
    pub role: Role,
    /// Where it listens (port 0: any free one), or the station's address.
    pub address: String,
    /// Modbus unit id it answers to, or asks for.
    pub unit: u8,
    /// Holding register address of word 0.
    pub base: u16,
    /// Time of one scan, 1–10 ms on real ones.
    pub scan: Duration,
    /// Whether it knows FC23; else it uses, and takes, FC16 and FC3 alone.
    pub fc23: bool,
    /// Its program.
    pub program: PlcProgramConfig,
}

impl SimulatedPlcConfig {
    /// Scans in 2 ms, unit 1, words from register 0.
    pub fn new(role: Role, address: impl Into<String>, program: PlcProgramConfig) -> Self {
        let (address, scan) = (address.into(), Duration::from_millis(2));
        Self { role, address, unit: 1, base: 0, scan, fc23: true, program }
    }
}

/// A running PLC. Dropping it switches it off.
#[derive(Debug)]
pub struct SimulatedPlc {
    shared: Arc<Shared>,
    local_addr: Option<SocketAddr>,
    thread: Option<JoinHandle<()>>,
}

impl SimulatedPlc {
    /// Switches it on, wired to `line`.
    ///
    /// # Errors
    /// The address is taken, or no thread can be had.
    pub fn start(config: SimulatedPlcConfig, line: impl LineWiring) -> io::Result<Self> {
        let network = match config.role {
            Role::Server => Network::Hosted(config.clone()),
            Role::Client => Network::Polling(config.clone()),
        };
        Self::switch_on(network, &config.address, config.scan, config.program, line)
    }

    /// Runs `program` on the memory of somebody else's PLC; the station is to connect to [`SimulatedPlc::local_addr`],
    /// from where a wire that can be broken leads there.
    ///
    /// # Errors
    /// No port or no thread can be had.
    pub fn beside(
        plc: ForeignPlc,
        scan: Duration,
        program: PlcProgramConfig,
        line: impl LineWiring,
    ) -> io::Result<Self> {
        Self::switch_on(Network::Foreign(plc), "127.0.0.1:0", scan, program, line)
    }

    fn switch_on(
        network: Network,
        address: &str,
        every: Duration,
        program: PlcProgramConfig,
        line: impl LineWiring,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = match network {
            Network::Hosted(_) | Network::Foreign(_) => {
                let listener = std::net::TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Some(listener)
            }
            Network::Polling(_) => None,
        };
        let local_addr = listener.as_ref().map(std::net::TcpListener::local_addr).transpose()?;
        let shared = Arc::new(Shared {
            registers: Mutex::new([0; BLOCK_WORDS]),
            program: Mutex::new(PlcProgram::new(program)),
            fault: watch::Sender::new(Fault::None),
            hang_up: Notify::new(),
            off: watch::Sender::new(false),
            forget: AtomicBool::new(false),
        });
        let on_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("simulated-plc".into()).spawn(move || {
            runtime.block_on(run(network, listener, every, line, on_thread));
        })?;
        Ok(Self { shared, local_addr, thread: Some(thread) })
    }

    /// Where it listens, as a server.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// Breaks it, or mends it with [`Fault::None`].
    pub fn set_fault(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
        if fault == Fault::Gone {
            self.shared.hang_up.notify_waiters();
        }
    }

    /// Off and on again: registers zero, parts forgotten, numbering from the first, connections cut.
    pub fn restart(&self) {
        self.shared.program().restart();
        *self.shared.registers() = [0; BLOCK_WORDS];
        self.shared.forget.store(true, Ordering::Release);
        self.shared.hang_up.notify_waiters();
    }

    /// Asks the station for another recipe.
    pub fn want_recipe(&self, recipe: RecipeNumber) {
        self.shared.program().want_recipe(recipe);
    }

    /// Turns the key: see [`PlcProgram::turn_key`].
    pub fn turn_key(&self) {
        self.shared.program().turn_key();
    }

    /// What became of the parts so far.
    pub fn tally(&self) -> Tally {
        self.shared.program().tally()
    }

    /// The whole block as it stands in the PLC now.
    pub fn registers(&self) -> [u16; BLOCK_WORDS] {
        *self.shared.registers()
    }
}

impl Drop for SimulatedPlc {
    fn drop(&mut self) {
        self.shared.off.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic of the double has been printed already; it must not become a second one here.
            let _ = thread.join();
        }
    }
}

/// What scan, network and handle share.
#[derive(Debug)]
pub(super) struct Shared {
    registers: Mutex<[u16; BLOCK_WORDS]>,
    program: Mutex<PlcProgram>,
    fault: watch::Sender<Fault>,
    hang_up: Notify,
    off: watch::Sender<bool>,
    /// Somebody else's memory is to be zeroed too.
    forget: AtomicBool,
}

impl Shared {
    pub(super) fn registers(&self) -> MutexGuard<'_, [u16; BLOCK_WORDS]> {
        self.registers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn program(&self) -> MutexGuard<'_, PlcProgram> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fault(&self) -> Fault {
        *self.fault.borrow()
    }

    /// Returns when the fault is `wanted`, or is no longer.
    pub(super) async fn until_fault(&self, wanted: impl FnMut(&Fault) -> bool) {
        // The sender lives as long as `self`.
        let _ = self.fault.subscribe().wait_for(wanted).await;
    }

    /// All connections are to be cut.
    pub(super) fn hang_up(&self) {
        self.hang_up.notify_waiters();
    }

    pub(super) async fn hung_up(&self) {
        self.hang_up.notified().await;
    }
}

/// How its memory is reached.
#[derive(Debug)]
enum Network {
    /// By whoever connects, in Modbus.
    Hosted(SimulatedPlcConfig),
    /// It polls the station, in Modbus.
    Polling(SimulatedPlcConfig),
    /// It is somebody else's.
    Foreign(ForeignPlc),
}

async fn run(
    network: Network,
    listener: Option<std::net::TcpListener>,
    every: Duration,
    line: impl LineWiring,
    shared: Arc<Shared>,
) {
    let mut off = shared.off.subscribe();
    let side_door = match &network {
        Network::Foreign(plc) => Some(SideDoor::new(plc.memory)),
        Network::Hosted(_) | Network::Polling(_) => None,
    };
    let carried = async {
        match (&network, listener) {
            (Network::Hosted(config), Some(listener)) => modbus_tcp::host(config, listener, &shared).await,
            (Network::Foreign(plc), Some(listener)) => relay::carry(listener, plc.server, &shared).await,
            (Network::Polling(config), _) => modbus_tcp::poll(config, &shared).await,
            (Network::Hosted(_) | Network::Foreign(_), None) => {}
        }
    };
    tokio::select! {
        () = carried => {}
        () = scan(every, side_door, line, &shared) => {}
        _ = off.wait_for(|&off| off) => {}
    }
}

/// The PLC's cycle: inputs, program, outputs.
async fn scan(every: Duration, mut side_door: Option<SideDoor>, mut line: impl LineWiring, shared: &Shared) {
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        let now = Instant::now();
        let inputs = line.inputs(now);
        if matches!(shared.fault(), Fault::Frozen | Fault::Gone) {
            continue;
        }
        let out = {
            let mut program = shared.program();
            let mut station: Words = [0; HALF_WORDS];
            station.copy_from_slice(&shared.registers()[HALF_WORDS..]);
            let out = program.scan(now, &inputs, &station);
            shared.registers()[..HALF_WORDS].copy_from_slice(&out.words.encode());
            out
        };
        if let Some(door) = &mut side_door {
            if shared.forget.swap(false, Ordering::AcqRel) {
                let _ = door.forget().await; // the next exchange overwrites what it did not
            }
            // A door that is shut leaves the last words standing, as a memory bus would.
            if let Ok(words) = door.exchange(&out.words.encode()).await {
                shared.registers()[HALF_WORDS..].copy_from_slice(&words);
            }
        }
        line.outputs(now, &out);
    }
}
