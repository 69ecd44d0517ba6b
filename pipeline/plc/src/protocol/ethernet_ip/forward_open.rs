//! What a scanner asks of the Connection Manager (CIP Networks Library, Volume 1, 3-5.5): to open a connection, to close one.

use crate::protocol::cip::{Bytes, Refusal, Segment, path};
use std::time::Duration;

pub(super) const FORWARD_CLOSE: u8 = 0x4E;
pub(super) const FORWARD_OPEN: u8 = 0x54;
pub(super) const LARGE_FORWARD_OPEN: u8 = 0x5B;

/// Why a connection is refused, as the scanner's maker prints it: extended status of general status 1.
pub(super) mod refusal {
    pub(crate) const IN_USE: u16 = 0x0100;
    pub(crate) const TRANSPORT: u16 = 0x0103;
    pub(crate) const OWNERSHIP: u16 = 0x0106;
    pub(crate) const NO_SUCH_CONNECTION: u16 = 0x0107;
    pub(crate) const NETWORK_PARAMETERS: u16 = 0x0108;
    pub(crate) const PACKET_INTERVAL: u16 = 0x0111;
    pub(crate) const NO_MORE_CONNECTIONS: u16 = 0x0113;
    pub(crate) const VENDOR_OR_PRODUCT: u16 = 0x0114;
    pub(crate) const DEVICE_TYPE: u16 = 0x0115;
    pub(crate) const REVISION: u16 = 0x0116;
    pub(crate) const NOTHING_TO_LISTEN_TO: u16 = 0x0119;
    pub(crate) const CONFIGURATION_SIZE: u16 = 0x0126;
    pub(crate) const FROM_PLC_SIZE: u16 = 0x0127;
    pub(crate) const TO_PLC_SIZE: u16 = 0x0128;
    pub(crate) const FROM_PLC_POINT: u16 = 0x012A;
    pub(crate) const TO_PLC_POINT: u16 = 0x012B;
    pub(crate) const SOCKET_ADDRESS: u16 = 0x0205;
    pub(crate) const PATH: u16 = 0x0315;
}

/// What tells a connection from every other: its serial number, and its originator's vendor and serial number.
pub(super) type Triad = (u16, u16, u32);

/// How packets of one direction travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Travel {
    Nowhere,
    Multicast,
    PointToPoint,
}

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Direction {
    /// A packet is wanted this often.
    pub(super) interval: Duration,
    /// Bytes of a packet's payload, with its sequence count and its run/idle header.
    pub(super) size: usize,
    pub(super) travel: Travel,
}

/// A connection that a scanner wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ForwardOpen {
    /// The scanner's id for the packets to it (T→O).
    pub(super) to_plc_id: u32,
    pub(super) triad: Triad,
    /// Without a packet from the PLC for so long, it is gone.
    pub(super) timeout: Duration,
    /// Originator to target.
    pub(super) from_plc: Direction,
    /// Target to originator.
    pub(super) to_plc: Direction,
    /// Transport class: 1 for cyclic I/O, 3 for messages.
    pub(super) class: u8,
    /// Who is server, and what triggers a packet.
    pub(super) trigger: u8,
    pub(super) path: Vec<Segment>,
}

impl ForwardOpen {
    /// Of `data`, the request's behind its path; `large` where sizes are 32 bits wide.
    ///
    /// # Errors
    /// Too few bytes, or a path that leads nowhere.
    pub(super) fn decode(data: &[u8], large: bool) -> Result<Self, Refusal> {
        let (open, steps) = Self::fixed_part(data, large).ok_or(Refusal::general(0x13))?;
        let path = path(steps).ok_or(Refusal::connection(refusal::PATH))?;
        Ok(Self { path, ..open })
    }

    fn fixed_part(data: &[u8], large: bool) -> Option<(Self, &[u8])> {
        let mut bytes = Bytes(data);
        bytes.take(2 + 4)?; // priority and time tick; the id for the packets from the PLC is ours to choose
        let to_plc_id = bytes.double()?;
        let triad = (bytes.word()?, bytes.word()?, bytes.double()?);
        let times = 4 << bytes.byte()?.min(7);
        bytes.take(3)?;
        let mut direction = || {
            let interval = Duration::from_micros(bytes.double()?.into());
            let network = if large { bytes.double()? } else { widened(bytes.word()?) };
            let travel = match network >> 29 & 0b11 {
                1 => Travel::Multicast,
                2 => Travel::PointToPoint,
                _ => Travel::Nowhere,
            };
            Some(Direction { interval, size: (network & 0xFFFF) as usize, travel })
        };
        let (from_plc, to_plc) = (direction()?, direction()?);
        let transport = bytes.byte()?;
        let words = bytes.byte()?;
        let steps = bytes.take(2 * usize::from(words))?;
        let timeout = from_plc.interval * times;
        let (class, trigger) = (transport & 0x0F, transport >> 4);
        let path = Vec::new();
        Some((Self { to_plc_id, triad, timeout, from_plc, to_plc, class, trigger, path }, steps))
    }

    /// What a scanner is told that has its connection.
    pub(super) fn granted(&self, from_plc_id: u32, to_plc_id: u32, to_plc_every: Duration) -> Vec<u8> {
        let mut reply = [from_plc_id.to_le_bytes(), to_plc_id.to_le_bytes()].concat();
        reply.extend(triad_bytes(self.triad));
        for interval in [self.from_plc.interval, to_plc_every] {
            reply.extend((interval.as_micros() as u32).to_le_bytes());
        }
        reply.extend([0, 0]); // no words of ours
        reply
    }
}

/// Network parameters of 16 bits in their places among 32.
fn widened(network: u16) -> u32 {
    u32::from(network & 0x01FF) | u32::from(network & 0xFE00) << 16
}

/// The connection that a Forward Close means.
pub(super) fn closed(data: &[u8]) -> Option<Triad> {
    let mut bytes = Bytes(data);
    bytes.take(2)?;
    Some((bytes.word()?, bytes.word()?, bytes.double()?))
}

/// A triad as replies have it.
pub(super) fn triad_bytes((serial, vendor, originator): Triad) -> Vec<u8> {
    [serial.to_le_bytes().as_slice(), &vendor.to_le_bytes(), &originator.to_le_bytes()].concat()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An owner as Studio 5000 asks for one: 10 ms, times four, 26 bytes from the PLC, 22 to it, multicast.
    pub(in super::super) fn of_an_owner() -> Vec<u8> {
        let mut data = vec![0x0A, 0x0E, 0, 0, 0, 0, 0x11, 0x22, 0x33, 0x44];
        data.extend([0x07, 0x00, 0x01, 0x00, 0xAA, 0xBB, 0xCC, 0xDD, 0, 0, 0, 0]);
        data.extend([0x10, 0x27, 0, 0, 0x1A, 0x48, 0x10, 0x27, 0, 0, 0x16, 0x28, 0x01]);
        data.extend([9, 0x34, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0x04, 0x24, 151, 0x2C, 150, 0x2C, 100]);
        data
    }

    #[test]
    fn a_scanners_wish_is_read() {
        let open = ForwardOpen::decode(&of_an_owner(), false).unwrap();
        assert_eq!(open.to_plc_id, 0x4433_2211);
        assert_eq!(open.triad, (7, 1, 0xDDCC_BBAA));
        assert_eq!(open.timeout, Duration::from_millis(40));
        let interval = Duration::from_millis(10);
        assert_eq!(open.from_plc, Direction { interval, size: 26, travel: Travel::PointToPoint });
        assert_eq!(open.to_plc, Direction { interval, size: 22, travel: Travel::Multicast });
        assert_eq!((open.class, open.trigger), (1, 0));
        assert_eq!(
            open.path[1..],
            [Segment::Class(4), Segment::Instance(151), Segment::Point(150), Segment::Point(100)]
        );
        let short = ForwardOpen::decode(&of_an_owner()[..30], false).unwrap_err();
        assert_eq!(short, Refusal::general(0x13));
    }

    #[test]
    fn a_large_one_has_wider_sizes() {
        let small = of_an_owner();
        let mut large = small[..26].to_vec();
        large.extend([0x1A, 0, 0, 0x48]);
        large.extend(&small[28..32]);
        large.extend([0x16, 0, 0, 0x28]);
        large.extend(&small[34..]);
        assert_eq!(ForwardOpen::decode(&large, true), ForwardOpen::decode(&small, false));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_wish_or_refused(data in proptest::collection::vec(any::<u8>(), 0..80), large: bool) {
            let _ = ForwardOpen::decode(&data, large);
            let _ = closed(&data);
        }
    }
}
