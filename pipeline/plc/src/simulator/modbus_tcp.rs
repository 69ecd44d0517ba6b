//! The simulated PLC on the wire: as Modbus server that the station writes into, or as client that polls it.

use super::simulated_plc::{Fault, Shared, SimulatedPlcConfig};
use crate::register_map::{BLOCK_WORDS, HALF_WORDS};
use std::{
    future::{Future, pending, ready},
    io,
    net::SocketAddr,
    ops::Range,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_modbus::{
    ExceptionCode, Request, Response, Slave, SlaveRequest,
    client::{Client, Context, tcp},
    server::{Service, tcp::Server},
};

/// Serves the registers to whoever connects.
pub(super) async fn host(config: &SimulatedPlcConfig, listener: std::net::TcpListener, shared: &Arc<Shared>) {
    let Ok(address) = listener.local_addr() else { return };
    let mut listener = TcpListener::from_std(listener).ok();
    loop {
        shared.until_fault(|fault| *fault != Fault::Gone).await;
        let Some(listening) = listener.take() else {
            // Switched on again: the same port, as soon as the system gives it back.
            listener = TcpListener::bind(address).await.ok();
            sleep(Duration::from_millis(5)).await;
            continue;
        };
        let server = Server::new(listening);
        let on_connected = |stream: TcpStream, _peer: SocketAddr| {
            let nodelay = stream.set_nodelay(true);
            let registers = Registers {
                shared: Arc::clone(shared),
                base: config.base,
                unit: config.unit,
                fc23: config.fc23,
                requests: AtomicU32::new(0),
            };
            ready(nodelay.map(|()| Some((registers, stream))))
        };
        while shared.fault() != Fault::Gone {
            tokio::select! {
                // Ending it cuts its connections.
                _ = server.serve(&on_connected, |_error| {}) => {}
                () = shared.hung_up() => {}
            }
        }
    }
}

/// The PLC's register table, as one connection sees it.
#[derive(Debug)]
struct Registers {
    shared: Arc<Shared>,
    base: u16,
    unit: u8,
    fc23: bool,
    requests: AtomicU32,
}

impl Registers {
    fn answer(&self, request: Request<'static>) -> Result<Response, ExceptionCode> {
        match request {
            Request::ReadHoldingRegisters(from, count) => {
                Ok(Response::ReadHoldingRegisters(self.read(from, count)?))
            }
            Request::WriteMultipleRegisters(to, words) => {
                self.write(to, &words)?;
                Ok(Response::WriteMultipleRegisters(to, words.len() as u16))
            }
            Request::ReadWriteMultipleRegisters(from, count, to, words) if self.fc23 => {
                self.write(to, &words)?;
                Ok(Response::ReadWriteMultipleRegisters(self.read(from, count)?))
            }
            _ => Err(ExceptionCode::IllegalFunction),
        }
    }

    fn read(&self, from: u16, count: u16) -> Result<Vec<u16>, ExceptionCode> {
        let mut words = self.shared.registers()[self.range(from, count.into())?].to_vec();
        if self.shared.fault() == Fault::WrongAnswers {
            words.pop();
        }
        Ok(words)
    }

    fn write(&self, to: u16, words: &[u16]) -> Result<(), ExceptionCode> {
        let range = self.range(to, words.len())?;
        self.shared.registers()[range].copy_from_slice(words);
        Ok(())
    }

    fn range(&self, address: u16, count: usize) -> Result<Range<usize>, ExceptionCode> {
        let first = address.checked_sub(self.base).ok_or(ExceptionCode::IllegalDataAddress)?;
        let range = usize::from(first)..usize::from(first) + count;
        let here = range.end <= BLOCK_WORDS && self.shared.fault() != Fault::WrongTable;
        here.then_some(range).ok_or(ExceptionCode::IllegalDataAddress)
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response, ExceptionCode>> + Send>>;

impl Service for Registers {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Answering;

    fn call(&self, SlaveRequest { slave, request }: Self::Request) -> Answering {
        let nth = self.requests.fetch_add(1, Ordering::Relaxed);
        if slave != self.unit {
            return Box::pin(ready(Err(ExceptionCode::ServerDeviceFailure)));
        }
        match self.shared.fault() {
            Fault::Deaf | Fault::HalfOpen => Box::pin(pending()),
            Fault::Rude | Fault::CutMidAnswer if nth % 5 == 4 => {
                self.shared.hang_up();
                Box::pin(pending())
            }
            Fault::Slow(late) => {
                let answer = self.answer(request);
                Box::pin(async move {
                    sleep(late).await;
                    answer
                })
            }
            _ => Box::pin(ready(self.answer(request))),
        }
    }
}

/// Polls the station once a scan, for ever.
pub(super) async fn poll(config: &SimulatedPlcConfig, shared: &Shared) {
    let mut tick = interval(config.scan);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut station, mut polls) = (None, 0u32);
    loop {
        tick.tick().await;
        let fault = shared.fault();
        polls = polls.wrapping_add(1);
        match fault {
            Fault::Gone => station = None,
            Fault::Rude | Fault::CutMidAnswer if polls % 5 == 4 => {
                station = None;
                rude(&config.address).await;
            }
            Fault::Slow(late) => sleep(late).await,
            _ => {}
        }
        if fault == Fault::Gone {
            continue;
        }
        if station.is_none() {
            station = connect(config).await;
        }
        let Some(context) = &mut station else { continue };
        let exchanged = async {
            match fault {
                Fault::Deaf | Fault::HalfOpen => Ok(()),
                Fault::WrongAnswers => trespass(config, context).await,
                _ => exchange(config, shared, context).await,
            }
        };
        tokio::select! {
            exchanged = timeout(Duration::from_millis(250), exchanged) => {
                if !matches!(exchanged, Ok(Ok(()))) {
                    station = None;
                }
            }
            () = shared.hung_up() => station = None,
        }
    }
}

async fn connect(config: &SimulatedPlcConfig) -> Option<Context> {
    let stream = timeout(Duration::from_millis(100), TcpStream::connect(&config.address)).await.ok()?.ok()?;
    stream.set_nodelay(true).ok()?;
    Some(tcp::attach_slave(stream, Slave(config.unit)))
}

async fn exchange(config: &SimulatedPlcConfig, shared: &Shared, station: &mut Context) -> io::Result<()> {
    let half = HALF_WORDS as u16;
    let mine = shared.registers()[..HALF_WORDS].to_vec();
    let (mine_at, theirs_at) = (config.base, config.base + half);
    let words = if config.fc23 {
        let both = Request::ReadWriteMultipleRegisters(theirs_at, half, mine_at, mine.into());
        ask(station, both).await?
    } else {
        ask(station, Request::WriteMultipleRegisters(mine_at, mine.into())).await?;
        ask(station, Request::ReadHoldingRegisters(theirs_at, half)).await?
    };
    if words.len() != HALF_WORDS {
        return Err(io::Error::other("the station sent too few words"));
    }
    shared.registers()[HALF_WORDS..].copy_from_slice(&words);
    Ok(())
}

async fn ask(station: &mut Context, request: Request<'_>) -> io::Result<Vec<u16>> {
    let answer = station.call(request).await.map_err(io::Error::other)?;
    match answer.map_err(io::Error::other)? {
        Response::ReadWriteMultipleRegisters(words) | Response::ReadHoldingRegisters(words) => Ok(words),
        _ => Ok(Vec::new()),
    }
}

/// Tries what a PLC must not: to write the station's words, to read past the block, to use coils.
async fn trespass(config: &SimulatedPlcConfig, station: &mut Context) -> io::Result<()> {
    let forged = [0x83, 1, 0, 1, 0x5AA5, 0, 0, 0, 0, 1];
    let forgeries = [
        Request::WriteMultipleRegisters(config.base + 10, forged.as_slice().into()),
        Request::WriteSingleRegister(config.base + 14, 0x5AA5),
        Request::WriteMultipleRegisters(config.base + 9, [0, 0x83].as_slice().into()),
        Request::ReadHoldingRegisters(config.base + 15, 10),
        Request::ReadCoils(0, 8),
    ];
    for forgery in forgeries {
        if station.call(forgery).await.map_err(io::Error::other)?.is_ok() {
            return Err(io::Error::other("the station let a PLC write its words"));
        }
    }
    Ok(())
}

/// Shouts something that is not Modbus and hangs up.
async fn rude(address: &str) {
    if let Ok(mut stream) = TcpStream::connect(address).await {
        // Whether the station hears it is its business.
        let _ = stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await;
    }
}
