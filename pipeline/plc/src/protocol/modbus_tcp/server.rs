//! Modbus TCP server: the station hosts the 20 holding registers and the PLC polls them.
//!
//! FC3 reads, FC6 and FC16 write words 0–9, FC23 does both; all else is an exception. "The PLC" is a connection
//! that has written: others (a laptop looking on) may read, but what they read counts as delivered to nobody.

use super::{
    ModbusTcpConfig,
    connection::{Connection, Door},
};
use crate::{
    LinkFaultKind, PlcError, Timing,
    port::Port,
    protocol::{Broken, Ended, Protocol, Session},
    register_map::{BLOCK_WORDS, FromPlc, HALF_WORDS, Words},
};
use std::{
    future::{Ready, ready},
    io,
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::interval,
};
use tokio_modbus::{
    ExceptionCode, Request, Response, SlaveRequest,
    server::{Service, tcp::Server},
};
use tokio_rustls::TlsAcceptor;

/// How often waits are looked at when nobody polls.
const TICK: Duration = Duration::from_millis(10);

/// The station as Modbus slave.
pub(super) struct ModbusTcpServer {
    config: ModbusTcpConfig,
    tls: Option<TlsAcceptor>,
    listener: std::net::TcpListener,
    local_addr: SocketAddr,
}

impl ModbusTcpServer {
    pub(super) fn listen(config: ModbusTcpConfig) -> Result<Self, PlcError> {
        let tls = config.tls.as_ref().map(|tls| tls.acceptor()).transpose();
        let tls = tls.map_err(|problems| PlcError::Config { problems })?;
        let open = || {
            let listener = std::net::TcpListener::bind(&config.address)?;
            listener.set_nonblocking(true)?;
            let local_addr = listener.local_addr()?;
            Ok((listener, local_addr))
        };
        match open() {
            Ok((listener, local_addr)) => Ok(Self { config, tls, listener, local_addr }),
            Err(source) => Err(PlcError::Listen { address: config.address, source }),
        }
    }

    async fn serve(&self, port: &Arc<Port>) -> Ended {
        let listener = self.listener.try_clone().and_then(TcpListener::from_std);
        let listener = match listener {
            Ok(listener) => listener,
            Err(error) => return cannot_listen(&error),
        };
        let block = Arc::new(Block {
            port: Arc::clone(port),
            base: self.config.base,
            unit: self.config.unit,
            said: Mutex::new([0; HALF_WORDS]),
            polled_at: Mutex::new(None),
        });
        let door = Door {
            port: Arc::clone(port),
            open: Arc::default(),
            tls: self.tls.clone(),
            roles: self.config.tls.iter().flat_map(|tls| tls.roles.iter().cloned()).collect(),
        };
        let on_connected = |stream: TcpStream, peer: SocketAddr| {
            let accepted = Connection::accept(stream, peer, &door).map(|(connection, may)| {
                let is_the_plc = AtomicBool::new(false);
                (Polled { block: Arc::clone(&block), peer, may, is_the_plc }, connection)
            });
            ready(Ok(accepted))
        };
        let server = Server::new(listener);
        tokio::select! {
            // A connection's own error concerns nobody else: the PLC comes back, or falls silent and that is said.
            served = server.serve(&on_connected, |_error| {}) => match served {
                Err(error) => cannot_listen(&error),
                Ok(()) => Ended::Closed,
            },
            () = self.watch(port, &block) => Ended::Closed,
        }
    }

    /// Says when the PLC has fallen silent; returns when the station closes the link.
    async fn watch(&self, port: &Port, block: &Block) {
        let mut tick = interval(TICK);
        loop {
            tick.tick().await;
            port.step(|shake, now| shake.tick(now));
            if block.silent_for(self.config.pace().timeout) {
                let (address, ms) = (self.local_addr, self.config.timeout_ms);
                let what = format!(
                    "the PLC has not polled {address} for {ms} ms; parts are answered as Missed until it is back"
                );
                port.disconnected(LinkFaultKind::Silent, what);
            }
            if port.may_end() {
                return;
            }
        }
    }
}

impl Protocol for ModbusTcpServer {
    fn serve<'a>(&'a mut self, port: &'a Arc<Port>) -> Session<'a> {
        Box::pin(Self::serve(self, port))
    }

    fn timing(&self) -> Timing {
        self.config.handshake
    }

    fn backoff(&self) -> (Duration, Duration) {
        self.config.pace().backoff
    }

    fn peer(&self) -> String {
        format!("polling {}", self.local_addr)
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        Some(self.local_addr)
    }
}

fn cannot_listen(error: &io::Error) -> Ended {
    let what = format!("cannot be listened for ({error})");
    Ended::Broken(Broken { kind: LinkFaultKind::Unreachable, what, was_up: false })
}

/// The registers, shared by all connections.
#[derive(Debug)]
struct Block {
    port: Arc<Port>,
    base: u16,
    unit: u8,
    /// Words 0–9 as last written, piece by piece if need be.
    said: Mutex<Words>,
    /// When the PLC last wrote or read; `None` while it is taken for gone.
    polled_at: Mutex<Option<Instant>>,
}

impl Block {
    /// Words `first..first + count` of the block.
    fn range(&self, address: u16, count: usize) -> Result<Range<usize>, ExceptionCode> {
        let first = address.checked_sub(self.base).ok_or(ExceptionCode::IllegalDataAddress)?;
        let words = usize::from(first)..usize::from(first) + count;
        if count == 0 || words.end > BLOCK_WORDS {
            return Err(ExceptionCode::IllegalDataAddress);
        }
        Ok(words)
    }

    fn read(&self, words: Range<usize>, by_the_plc: bool) -> Vec<u16> {
        let mut all = [0; BLOCK_WORDS];
        all[..HALF_WORDS].copy_from_slice(&*self.said());
        let block = self.port.outgoing();
        all[HALF_WORDS..].copy_from_slice(&block.encode());
        // Status, part id and verdict together are an answer; a look at one word is not.
        if by_the_plc && words.start <= HALF_WORDS && words.end >= HALF_WORDS + 5 {
            self.port.delivered(&block);
        }
        all[words].to_vec()
    }

    fn write(&self, words: Range<usize>, values: &[u16], peer: SocketAddr) {
        let said = {
            let mut said = self.said();
            said[words].copy_from_slice(values);
            FromPlc::decode(&said)
        };
        self.port.connected(peer);
        self.port.incoming(&said);
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Words> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn polled(&self) {
        *self.polled_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// True once, when the PLC has polled and then not for `limit`.
    fn silent_for(&self, limit: Duration) -> bool {
        let mut polled_at = self.polled_at.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = polled_at.is_some_and(|at| at.elapsed() >= limit);
        if silent {
            *polled_at = None;
            // The next PLC may write piece by piece; nothing of this one's last words must be taken for its own.
            *self.said() = [0; HALF_WORDS];
        }
        silent
    }
}

/// One connection's view of the registers.
#[derive(Debug)]
struct Polled {
    block: Arc<Block>,
    peer: SocketAddr,
    /// Its certificate's role lets it use the registers.
    may: Arc<AtomicBool>,
    /// It has written words 0–9.
    is_the_plc: AtomicBool,
}

impl Polled {
    fn answer(&self, request: Request<'static>) -> Result<Response, ExceptionCode> {
        match request {
            Request::ReadHoldingRegisters(address, count) => {
                let words = self.block.range(address, count.into())?;
                Ok(Response::ReadHoldingRegisters(self.read(words)))
            }
            Request::WriteSingleRegister(address, value) => {
                self.write(address, &[value])?;
                Ok(Response::WriteSingleRegister(address, value))
            }
            Request::WriteMultipleRegisters(address, values) => {
                self.write(address, &values)?;
                Ok(Response::WriteMultipleRegisters(address, values.len() as u16))
            }
            Request::ReadWriteMultipleRegisters(from, count, to, values) => {
                let words = self.block.range(from, count.into())?;
                self.write(to, &values)?;
                Ok(Response::ReadWriteMultipleRegisters(self.read(words)))
            }
            _ => Err(ExceptionCode::IllegalFunction),
        }
    }

    fn read(&self, words: Range<usize>) -> Vec<u16> {
        let by_the_plc = self.is_the_plc.load(Ordering::Relaxed);
        if by_the_plc {
            self.block.polled();
        }
        self.block.read(words, by_the_plc)
    }

    /// Words 10–19 are the station's: a write that touches one of them changes nothing at all.
    fn write(&self, address: u16, values: &[u16]) -> Result<(), ExceptionCode> {
        let words = self.block.range(address, values.len())?;
        if words.end > HALF_WORDS {
            return Err(ExceptionCode::IllegalDataAddress);
        }
        self.is_the_plc.store(true, Ordering::Relaxed);
        self.block.polled();
        self.block.write(words, values, self.peer);
        Ok(())
    }
}

impl Service for Polled {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, SlaveRequest { slave, request }: Self::Request) -> Self::Future {
        if !self.may.load(Ordering::Relaxed) {
            return ready(Err(ExceptionCode::IllegalFunction));
        }
        // 0 and 255 are what masters send that think a TCP device has no unit id.
        if slave != self.block.unit && slave != 0 && slave != 255 {
            return ready(Err(ExceptionCode::GatewayTargetDevice));
        }
        ready(self.answer(request))
    }
}
