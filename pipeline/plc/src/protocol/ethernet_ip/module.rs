//! The station as a module of the PLC: its sockets, and the two sides brought together.
//!
//! Three loops run in one task: sessions are let in (each a task of its own, bounded in number and in time), somebody who
//! looks for devices is answered, and cyclic data are exchanged.

use super::{
    EthernetIpConfig, IO_PORT, Identity, PACKETS_LAST,
    connections::{Connections, Gone, Heard, Kind, Opened, Origin},
    delivery::Delivery,
    forward_open::{ForwardOpen, Triad},
    identity, objects, session,
};
use crate::{
    LinkFaultKind, PlcError, Timing,
    port::Port,
    protocol::{
        Broken, Ended, Protocol, Session,
        cip::{
            Refusal, Request,
            encapsulation::{HEAD, Head, command},
        },
    },
    register_map::{FromPlc, HALF_WORDS, ToPlc, Words},
};
use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::Notify, task::JoinSet, time::sleep_until};

/// TCP connections at once; a PLC needs one, each tool one more. A seventeenth is turned away.
const SESSIONS_MAX: usize = 16;

/// How often waits are looked at when no packet comes or goes.
const TICK: Duration = Duration::from_millis(20);

/// The station's sockets, bound from the start so that a wrong address is said at once.
#[derive(Debug)]
pub(super) struct EthernetIp {
    config: EthernetIpConfig,
    listener: TcpListener,
    /// Whoever looks for devices asks here.
    looking: UdpSocket,
    /// Cyclic data.
    io: UdpSocket,
    address: SocketAddrV4,
    address_io: SocketAddrV4,
    /// Where multicast packets go.
    group: SocketAddrV4,
}

impl EthernetIp {
    pub(super) fn bind(config: &EthernetIpConfig, at: SocketAddrV4) -> Result<Self, PlcError> {
        let bind = || {
            let v4 = |address| match address {
                SocketAddr::V4(address) => address,
                SocketAddr::V6(_) => unreachable!("it was bound to an IPv4 address"),
            };
            let listener = TcpListener::bind(at)?;
            let address = v4(listener.local_addr()?);
            let looking = UdpSocket::bind(address)?;
            let io = UdpSocket::bind((*at.ip(), config.io_port))?;
            let address_io = v4(io.local_addr()?);
            // Multicast leaves by the card that has the address, not by the one with the default route.
            socket2::SockRef::from(&io).set_multicast_if_v4(at.ip())?;
            listener.set_nonblocking(true)?;
            looking.set_nonblocking(true)?;
            io.set_nonblocking(true)?;
            let group = SocketAddrV4::new(group_of(*at.ip(), mask_of(*at.ip())?), IO_PORT);
            Ok(Self { config: config.clone(), listener, looking, io, address, address_io, group })
        };
        bind().map_err(|source| PlcError::Listen {
            address: format!("{} (TCP, UDP) and UDP port {}", config.address, config.io_port),
            source,
        })
    }

    async fn serve(&self, port: &Arc<Port>) -> Ended {
        let sockets = || {
            let listener = tokio::net::TcpListener::from_std(self.listener.try_clone()?)?;
            let looking = tokio::net::UdpSocket::from_std(self.looking.try_clone()?)?;
            io::Result::Ok((listener, looking, tokio::net::UdpSocket::from_std(self.io.try_clone()?)?))
        };
        let (listener, looking, io) = match sockets() {
            Ok(sockets) => sockets,
            Err(error) => {
                let what = format!("cannot be listened for ({error})");
                return Ended::Broken(Broken { kind: LinkFaultKind::Unreachable, what, was_up: false });
            }
        };
        let seed = RandomState::new().hash_one(self.address) as u32;
        let module = Arc::new(Module {
            port: Arc::clone(port),
            identity: identity(self.config.serial),
            address: self.address,
            address_io: self.address_io,
            group: self.group,
            next_id: AtomicU32::new(seed | 1),
            state: Mutex::new(State {
                io: Connections::new(seed.rotate_left(16)),
                delivery: Delivery::default(),
            }),
            changed: Notify::new(),
        });
        tokio::select! {
            () = module.let_in(&listener) => {}
            () = module.tell_who(&looking) => {}
            () = module.exchange(&io) => {}
        }
        Ended::Closed
    }
}

impl Protocol for EthernetIp {
    fn serve<'a>(&'a mut self, port: &'a Arc<Port>) -> Session<'a> {
        Box::pin(Self::serve(self, port))
    }

    fn timing(&self) -> Timing {
        self.config.handshake
    }

    fn backoff(&self) -> (Duration, Duration) {
        // For the sockets alone; the PLC comes when it comes.
        (Duration::from_millis(250), Duration::from_secs(5))
    }

    fn peer(&self) -> String {
        format!("scanning {}", self.address)
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        Some(self.address.into())
    }
}

/// What the sessions and the exchange share.
#[derive(Debug)]
pub(super) struct Module {
    port: Arc<Port>,
    identity: Identity,
    address: SocketAddrV4,
    pub(super) address_io: SocketAddrV4,
    pub(super) group: SocketAddrV4,
    next_id: AtomicU32,
    /// Locked for a few assignments; the handshake's lock is taken inside it, never the other way round, so that the
    /// handshake hears of owners in the order in which they came and went.
    state: Mutex<State>,
    /// A connection has been opened.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    io: Connections,
    delivery: Delivery,
}

impl Module {
    async fn let_in(self: &Arc<Self>, listener: &tokio::net::TcpListener) {
        let mut sessions = JoinSet::new();
        loop {
            tokio::select! {
                Some(_ended) = sessions.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, SocketAddr::V4(plc))) if sessions.len() < SESSIONS_MAX => {
                        sessions.spawn(session::serve(stream, *plc.ip(), Arc::clone(self)));
                    }
                    Ok((_, from)) => self.port.turned_away(format!(
                        "{} was turned away, for {} serves {SESSIONS_MAX} already; close a tool that nobody needs",
                        from.ip(),
                        self.address
                    )),
                    // The system has none left for now; the exchange goes on.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        }
    }

    async fn tell_who(&self, socket: &tokio::net::UdpSocket) {
        let mut frame = [0; HEAD];
        loop {
            // A longer datagram is cut; the head is all that matters.
            let Ok((count, from)) = socket.recv_from(&mut frame).await else { continue };
            let head = Head::decode(&frame);
            let answer = match head.command {
                command::LIST_IDENTITY => self.list_identity(),
                command::LIST_SERVICES => objects::list_services(),
                _ => continue,
            };
            if count == HEAD {
                let _ = socket.send_to(&Head { status: 0, ..head }.with(&answer), from).await; // it may ask again
            }
        }
    }

    /// Returns when the station closes the link and the PLC has seen the empty block.
    async fn exchange(&self, socket: &tokio::net::UdpSocket) {
        let mut datagram = [0; 128]; // an owner's packet has 46 bytes; a longer one is cut and then not understood
        let mut end: Option<Instant> = None;
        loop {
            let next =
                self.state().io.next().map_or(TICK, |next| next.saturating_duration_since(Instant::now()));
            tokio::select! {
                biased; // packets are sent in time whatever comes
                () = sleep_until(tokio::time::Instant::now() + next.min(TICK)) => {}
                () = self.changed.notified() => {}
                heard = socket.recv_from(&mut datagram) => {
                    if let Ok((count, SocketAddr::V4(from))) = heard {
                        self.heard(&datagram[..count], *from.ip());
                    }
                }
            }
            self.expire();
            self.produce(socket).await;
            if end.is_some_and(|end| Instant::now() >= end) {
                return;
            }
            if end.is_none() && self.port.may_end() {
                // The PLC should find nothing in the block that could be taken for an answer.
                self.port.step(|shake, _| shake.abandon());
                let interval = self.state().io.owners_interval().unwrap_or_default();
                end = Some(Instant::now() + PACKETS_LAST * interval);
            }
        }
    }

    /// A packet has come from `plc`.
    fn heard(&self, datagram: &[u8], plc: Ipv4Addr) {
        let now = Instant::now();
        let mut state = self.state();
        let Some(Heard { output }) = state.io.heard(datagram, plc, now) else { return };
        let said = output.map(|output| FromPlc::decode(&words_of(&output)));
        if let Some((block, took)) = state.delivery.heard(said.as_ref(), now) {
            self.port.round_trip(took, block.status.results_valid);
            self.port.delivered(&block);
        }
        if let Some(said) = said {
            self.port.incoming(&said);
        }
    }

    fn expire(&self) {
        let mut state = self.state();
        let gone = state.io.expire(Instant::now());
        self.say_gone(&gone);
        self.port.step(|shake, now| shake.tick(now));
    }

    async fn produce(&self, socket: &tokio::net::UdpSocket) {
        let now = Instant::now();
        if !self.state().io.is_due(now) {
            return;
        }
        let block = self.port.outgoing();
        let packets = self.state().io.produce(bytes_of(&block), now);
        for packet in packets {
            let sent = socket.send_to(&packet.bytes, packet.to).await.is_ok();
            let mut state = self.state();
            if sent && packet.owner.is_some() && packet.owner == state.io.owner_id() {
                state.delivery.sent(block, now);
            }
        }
    }

    // ---- the sessions' side

    pub(super) fn open(&self, wanted: &ForwardOpen, origin: Origin) -> Result<Opened, Refusal> {
        let mut state = self.state();
        let opened = state.io.open(wanted, origin, Instant::now())?;
        if opened.kind == Kind::Owner {
            state.delivery = Delivery::default();
            self.port.connected(format_args!("{} (owner of {})", origin.plc, self.address));
        }
        self.changed.notify_one();
        Ok(opened)
    }

    /// False if there is no such connection.
    pub(super) fn close(&self, triad: Triad) -> bool {
        let mut state = self.state();
        let gone = state.io.close(triad);
        self.say_gone(&gone);
        !gone.is_empty()
    }

    pub(super) fn has_connection_of(&self, plc: Ipv4Addr) -> bool {
        self.state().io.has(plc)
    }

    pub(super) fn attribute(&self, request: &Request<'_>) -> Result<Vec<u8>, Refusal> {
        objects::answer(request, &self.identity, &self.state().io)
    }

    pub(super) fn list_identity(&self) -> Vec<u8> {
        objects::list_identity(&self.identity, &self.state().io, self.address)
    }

    /// A number that is nobody else's: of a session, of a connection for messages.
    pub(super) fn new_id(&self) -> u32 {
        self.next_id.fetch_add(1, Ordering::Relaxed).max(1)
    }

    // ---- small ones

    fn say_gone(&self, gone: &[Gone]) {
        for Gone { plc, silent_for, .. } in gone.iter().filter(|gone| gone.kind == Kind::Owner) {
            let (kind, what) = match silent_for {
                Some(time) => (LinkFaultKind::Silent, format!("has been silent for {} ms", time.as_millis())),
                None => (LinkFaultKind::Closed, "has closed its connection".to_owned()),
            };
            let what = format!(
                "the PLC {plc} {what} and no longer owns {}; parts are answered as Missed until it is back",
                self.address
            );
            self.port.disconnected(kind, what);
        }
    }

    // A panic while it was locked leaves it between two assignments; the next packet puts that right.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn words_of(bytes: &[u8]) -> Words {
    let mut words = [0; HALF_WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(2)) {
        *word = u16::from_le_bytes([bytes[0], bytes[1]]);
    }
    words
}

fn bytes_of(block: &ToPlc) -> [u8; super::ASSEMBLY_BYTES] {
    let mut bytes = [0; super::ASSEMBLY_BYTES];
    for (bytes, word) in bytes.chunks_exact_mut(2).zip(block.encode()) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// The group that is a device's own by its address (Volume 2, 3-5.3): 32 addresses each, from 239.192.1.0 on.
fn group_of(address: Ipv4Addr, mask: Ipv4Addr) -> Ipv4Addr {
    let host = u32::from(address) & !u32::from(mask);
    let index = host.wrapping_sub(1) & 0x3FF;
    Ipv4Addr::from(u32::from(Ipv4Addr::new(239, 192, 1, 0)) + 32 * index)
}

/// The subnet mask of one of this machine's addresses.
fn mask_of(address: Ipv4Addr) -> io::Result<Ipv4Addr> {
    if address.is_loopback() {
        return Ok(Ipv4Addr::new(255, 0, 0, 0));
    }
    let mask = if_addrs::get_if_addrs()?.into_iter().find_map(|card| match card.addr {
        if_addrs::IfAddr::V4(v4) if v4.ip == address => Some(v4.netmask),
        _ => None,
    });
    mask.ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, "no network card has the address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_of_a_subnet_has_its_own_group() {
        let group = |address: [u8; 4], mask: [u8; 4]| group_of(address.into(), mask.into()).octets();
        assert_eq!(group([192, 168, 1, 1], [255, 255, 255, 0]), [239, 192, 1, 0]);
        assert_eq!(group([192, 168, 1, 10], [255, 255, 255, 0]), [239, 192, 2, 32]);
        assert_eq!(group([10, 0, 4, 1], [255, 255, 0, 0]), [239, 192, 1, 0], "the 1025th begins anew");
    }

    #[test]
    fn words_travel_little_endian() {
        let block = ToPlc { heartbeat: 0x0102, ..ToPlc::default() };
        assert_eq!(bytes_of(&block)[2..4], [0x02, 0x01]);
        assert_eq!(words_of(&bytes_of(&block)), block.encode());
    }
}
