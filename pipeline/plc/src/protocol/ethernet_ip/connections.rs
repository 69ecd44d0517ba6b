//! The class 1 connections: who owns the station, who looks on, when a packet is due and when somebody has gone. Pure; the
//! time is passed in.
//!
//! One owner sends words 0–9 and gets words 10–19; others may only get them. Packets to several that want the same at the
//! same pace as multicast are one stream. Nothing is ever sent anywhere but to who asked, or to the station's own group.

use super::{
    ASSEMBLY_BYTES, CONFIG_ASSEMBLY, INPUT_ASSEMBLY, INPUT_ONLY_HEARTBEAT, LISTEN_ONLY_HEARTBEAT,
    OUTPUT_ASSEMBLY, RPI_MAX, RPI_MIN,
    forward_open::{ForwardOpen, Travel, Triad, refusal},
    identity, packet,
};
use crate::protocol::cip::{Refusal, Segment};
use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::{Duration, Instant},
};

/// HMIs, loggers, tools, and some to spare. The owner has a place of its own, which nobody who looks on can take.
pub(super) const ONLOOKERS_MAX: usize = 7;

/// Until its first packet a scanner has this long (Volume 1, 3-4.5.2), however short its timeout is.
const FIRST_PACKET: Duration = Duration::from_secs(10);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sends words 0–9 and gets words 10–19.
    Owner,
    /// Gets words 10–19.
    InputOnly,
    /// Gets them as long as another does.
    ListenOnly,
}

/// Where a Forward Open came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// The scanner.
    pub(super) plc: Ipv4Addr,
    /// The UDP port it wants its packets on.
    pub(super) port: u16,
    /// The station's own multicast group.
    pub(super) group: SocketAddrV4,
}

#[derive(Debug)]
struct Connection {
    kind: Kind,
    triad: Triad,
    plc: Ipv4Addr,
    from_plc_id: u32,
    stream: u32,
    timeout: Duration,
    /// When it was last heard, and the sequence number of that packet.
    heard: Instant,
    sequence: Option<u32>,
}

impl Connection {
    fn ends_at(&self) -> Instant {
        let patience = if self.sequence.is_some() { self.timeout } else { self.timeout.max(FIRST_PACKET) };
        self.heard + patience
    }
}

/// Packets to one place at one pace.
#[derive(Debug)]
struct Stream {
    number: u32,
    /// The connection id that its packets carry.
    id: u32,
    to: SocketAddrV4,
    every: Duration,
    due: Instant,
    sequence: u32,
}

/// A connection that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) kind: Kind,
    pub(super) plc: Ipv4Addr,
    /// How long it was silent, if it did not say goodbye.
    pub(super) silent_for: Option<Duration>,
}

/// What a Forward Open brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) kind: Kind,
    /// The reply's data.
    pub(super) reply: Vec<u8>,
    /// The packets to the scanner go to the group.
    pub(super) multicast: bool,
}

/// What the owner says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// Words 0–9, little-endian. `None` if the scanner itself says that they mean nothing: it is in program mode.
    pub(super) output: Option<[u8; ASSEMBLY_BYTES]>,
}

/// A packet that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) to: SocketAddrV4,
    pub(super) bytes: Vec<u8>,
    /// The owner that gets it, as [`Connections::owner_id`] has it.
    pub(super) owner: Option<u32>,
}

/// All connections.
#[derive(Debug)]
pub(super) struct Connections {
    open: Vec<Connection>,
    streams: Vec<Stream>,
    next_id: u32,
    /// A connection has fallen silent, and none was opened since.
    faulted: bool,
    /// The owner's last packet had its run bit set.
    running: bool,
    /// The assemblies as they last travelled.
    pub(super) input: [u8; ASSEMBLY_BYTES],
    pub(super) output: [u8; ASSEMBLY_BYTES],
}

impl Connections {
    /// None; ids begin at `seed`, which should be another one after each start.
    pub(super) fn new(seed: u32) -> Self {
        Self {
            open: Vec::new(),
            streams: Vec::new(),
            next_id: seed,
            faulted: false,
            running: false,
            input: [0; ASSEMBLY_BYTES],
            output: [0; ASSEMBLY_BYTES],
        }
    }

    /// Takes a connection in.
    ///
    /// # Errors
    /// It is not for this station, or somebody else has what it wants.
    pub(super) fn open(
        &mut self,
        wanted: &ForwardOpen,
        origin: Origin,
        now: Instant,
    ) -> Result<Opened, Refusal> {
        let kind = kind_of(wanted)?;
        if self.open.iter().any(|connection| connection.triad == wanted.triad) {
            return Err(Refusal::connection(refusal::IN_USE));
        }
        if kind == Kind::Owner && self.owner().is_some() {
            return Err(Refusal::connection(refusal::OWNERSHIP));
        }
        let onlookers = self.open.iter().filter(|connection| connection.kind != Kind::Owner).count();
        if kind != Kind::Owner && onlookers >= ONLOOKERS_MAX {
            return Err(Refusal::connection(refusal::NO_MORE_CONNECTIONS));
        }
        let multicast = wanted.to_plc.travel == Travel::Multicast;
        let shared = self.streams.iter().position(|stream| {
            let is_open = |connection: &Connection| {
                connection.stream == stream.number && connection.kind != Kind::ListenOnly
            };
            multicast
                && stream.to == origin.group
                && (kind == Kind::ListenOnly || stream.every == wanted.to_plc.interval)
                && self.open.iter().any(is_open)
        });
        let stream = match shared {
            Some(at) => at,
            None if kind == Kind::ListenOnly => {
                return Err(Refusal::connection(refusal::NOTHING_TO_LISTEN_TO));
            }
            None => {
                let number = self.new_id();
                let (id, to) = match multicast {
                    true => (number, origin.group),
                    false => (wanted.to_plc_id, SocketAddrV4::new(origin.plc, origin.port)),
                };
                let every = wanted.to_plc.interval;
                self.streams.push(Stream { number, id, to, every, due: now, sequence: 0 });
                self.streams.len() - 1
            }
        };
        let from_plc_id = self.new_id();
        let stream = &self.streams[stream];
        self.open.push(Connection {
            kind,
            triad: wanted.triad,
            plc: origin.plc,
            from_plc_id,
            stream: stream.number,
            timeout: wanted.timeout,
            heard: now,
            sequence: None,
        });
        self.faulted = false;
        Ok(Opened { kind, reply: wanted.granted(from_plc_id, stream.id, stream.every), multicast })
    }

    /// The connection says goodbye, and with it those that only listened to it. None, if there is none.
    pub(super) fn close(&mut self, triad: Triad) -> Vec<Gone> {
        self.end(|connection| connection.triad == triad, |_| None)
    }

    /// Ends what has been silent for too long.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Gone> {
        let gone = self.end(
            |connection| now >= connection.ends_at(),
            |connection| Some(now.saturating_duration_since(connection.heard)),
        );
        self.faulted |= !gone.is_empty();
        gone
    }

    /// Takes a packet that came from `plc`; what the owner says, if it is the owner's and a new one.
    pub(super) fn heard(&mut self, datagram: &[u8], plc: Ipv4Addr, now: Instant) -> Option<Heard> {
        let packet = packet::decode(datagram)?;
        let connection = self
            .open
            .iter_mut()
            .find(|connection| connection.from_plc_id == packet.connection && connection.plc == plc)?;
        // One that is not newer has come twice, or has been overtaken.
        if connection.sequence.is_some_and(|last| packet.sequence.wrapping_sub(last) as i32 <= 0) {
            return None;
        }
        let output = match connection.kind {
            Kind::Owner => Some(packet::output(packet.payload)?),
            Kind::InputOnly | Kind::ListenOnly => None,
        };
        (connection.sequence, connection.heard) = (Some(packet.sequence), now);
        let (running, output) = output?;
        self.running = running;
        if running {
            self.output = output;
        }
        Some(Heard { output: running.then_some(output) })
    }

    /// The packets that are due, all with `input`.
    pub(super) fn produce(&mut self, input: [u8; ASSEMBLY_BYTES], now: Instant) -> Vec<Due> {
        self.input = input;
        let owner = self.owner().map(|owner| (owner.stream, owner.from_plc_id));
        let mut packets = Vec::new();
        for stream in self.streams.iter_mut().filter(|stream| stream.due <= now) {
            stream.sequence = stream.sequence.wrapping_add(1);
            stream.due += stream.every;
            if stream.due <= now {
                stream.due = now + stream.every; // a whole interval behind: what was left out is not made up for
            }
            packets.push(Due {
                to: stream.to,
                bytes: packet::encode(stream.id, stream.sequence, &input),
                owner: owner.filter(|(its, _)| *its == stream.number).map(|(_, id)| id),
            });
        }
        packets
    }

    /// A packet is due now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.streams.iter().any(|stream| stream.due <= now)
    }

    /// When there is next something to do: a packet is due, or somebody has been silent for too long.
    pub(super) fn next(&self) -> Option<Instant> {
        let due = self.streams.iter().map(|stream| stream.due);
        due.chain(self.open.iter().map(Connection::ends_at)).min()
    }

    /// A class 1 connection of `plc` stands.
    pub(super) fn has(&self, plc: Ipv4Addr) -> bool {
        self.open.iter().any(|connection| connection.plc == plc)
    }

    /// What tells this owner from the one before.
    pub(super) fn owner_id(&self) -> Option<u32> {
        self.owner().map(|owner| owner.from_plc_id)
    }

    /// How often the owner gets a packet.
    pub(super) fn owners_interval(&self) -> Option<Duration> {
        let owner = self.owner()?;
        self.streams.iter().find(|stream| stream.number == owner.stream).map(|stream| stream.every)
    }

    /// Status word of the Identity object (Volume 1, 5-2.2.1.5): owned, and how the I/O connections do.
    pub(super) fn status(&self) -> u16 {
        let io: u16 = match (self.faulted, self.open.is_empty(), self.running) {
            (true, _, _) => 2,
            (_, true, _) => 3,
            (_, _, true) => 6,
            (_, _, false) => 7,
        };
        u16::from(self.owner().is_some()) | io << 4
    }

    fn owner(&self) -> Option<&Connection> {
        self.open.iter().find(|connection| connection.kind == Kind::Owner)
    }

    fn new_id(&mut self) -> u32 {
        self.next_id = self.next_id.wrapping_add(1).max(1);
        self.next_id
    }

    fn end(
        &mut self,
        ends: impl Fn(&Connection) -> bool,
        silent_for: impl Fn(&Connection) -> Option<Duration>,
    ) -> Vec<Gone> {
        let gone = |connection: Connection, silent_for| Gone {
            kind: connection.kind,
            plc: connection.plc,
            silent_for,
        };
        let mut all = Vec::new();
        for connection in self.open.extract_if(.., |connection| ends(connection)) {
            let silent_for = silent_for(&connection);
            all.push(gone(connection, silent_for));
        }
        if all.is_empty() {
            return all;
        }
        let leads = |connection: &Connection, stream: u32| {
            connection.stream == stream && connection.kind != Kind::ListenOnly
        };
        let led: Vec<u32> = self
            .streams
            .iter()
            .map(|stream| stream.number)
            .filter(|&number| self.open.iter().any(|connection| leads(connection, number)))
            .collect();
        self.streams.retain(|stream| led.contains(&stream.number));
        let alone = self.open.extract_if(.., |connection| !led.contains(&connection.stream));
        all.extend(alone.map(|connection| gone(connection, None)));
        if all.iter().any(|gone| gone.kind == Kind::Owner) {
            (self.running, self.output) = (false, [0; ASSEMBLY_BYTES]);
        }
        all
    }
}

/// What is asked for, if it is something that there is.
fn kind_of(wanted: &ForwardOpen) -> Result<Kind, Refusal> {
    let no = |extended| Err(Refusal::connection(extended));
    let mut steps = wanted.path.as_slice();
    if let [key @ Segment::Key { .. }, rest @ ..] = steps {
        check_key(key)?;
        steps = rest;
    }
    let no_data: &[u8] = &[];
    let (steps, data) = match steps {
        [steps @ .., Segment::Data(data)] => (steps, data.as_slice()),
        steps => (steps, no_data),
    };
    let (from_plc, to_plc) = match steps {
        [Segment::Class(4), Segment::Instance(CONFIG_ASSEMBLY), from_plc, to_plc]
        | [Segment::Class(4), from_plc, to_plc] => (from_plc, to_plc),
        _ => return no(refusal::PATH),
    };
    let point = |step: &Segment| match step {
        Segment::Point(number) | Segment::Instance(number) => Some(*number),
        _ => None,
    };
    let kind = match point(from_plc) {
        Some(OUTPUT_ASSEMBLY) => Kind::Owner,
        Some(INPUT_ONLY_HEARTBEAT) => Kind::InputOnly,
        Some(LISTEN_ONLY_HEARTBEAT) => Kind::ListenOnly,
        _ => return no(refusal::FROM_PLC_POINT),
    };
    if point(to_plc) != Some(INPUT_ASSEMBLY) {
        return no(refusal::TO_PLC_POINT);
    }
    if !data.is_empty() {
        return no(refusal::CONFIGURATION_SIZE);
    }
    if wanted.class != 1 || wanted.trigger != 0 {
        return no(refusal::TRANSPORT);
    }
    let intervals = [wanted.from_plc.interval, wanted.to_plc.interval];
    if !intervals.iter().all(|interval| (RPI_MIN..=RPI_MAX).contains(interval)) {
        return no(refusal::PACKET_INTERVAL);
    }
    if wanted.from_plc.travel != Travel::PointToPoint || wanted.to_plc.travel == Travel::Nowhere {
        return no(refusal::NETWORK_PARAMETERS);
    }
    // Some scanners do not count the two bytes of the sequence count.
    let from_plc_sizes: &[usize] = match kind {
        Kind::Owner => &[packet::OUTPUT_BYTES, packet::OUTPUT_BYTES - 2],
        Kind::InputOnly | Kind::ListenOnly => &[0, 2, 4, 6],
    };
    if !from_plc_sizes.contains(&wanted.from_plc.size) {
        return no(refusal::FROM_PLC_SIZE);
    }
    if ![packet::INPUT_BYTES, packet::INPUT_BYTES - 2].contains(&wanted.to_plc.size) {
        return no(refusal::TO_PLC_SIZE);
    }
    if kind == Kind::ListenOnly && wanted.to_plc.travel != Travel::Multicast {
        return no(refusal::NETWORK_PARAMETERS);
    }
    Ok(kind)
}

/// An electronic key (Volume 1, C-1.4.2.5.1): 0 stands for anything.
fn check_key(key: &Segment) -> Result<(), Refusal> {
    let Segment::Key { vendor, device_type, product, major, minor, compatible } = *key else { return Ok(()) };
    let ours = identity(0);
    let other = |wanted: u16, ours: u16| wanted != 0 && wanted != ours;
    if other(vendor, ours.vendor) || other(product, ours.product) {
        return Err(Refusal::connection(refusal::VENDOR_OR_PRODUCT));
    }
    if other(device_type, ours.device_type) {
        return Err(Refusal::connection(refusal::DEVICE_TYPE));
    }
    let minor_fits = minor == 0 || minor == ours.minor || (compatible && minor < ours.minor);
    if major != 0 && (major != ours.major || !minor_fits) {
        return Err(Refusal::connection(refusal::REVISION));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
