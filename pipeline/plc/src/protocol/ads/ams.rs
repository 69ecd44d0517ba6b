//! AMS/TCP as ADS needs it: frames of 6 + 32 bytes and data, little-endian, one request at a time (Beckhoff Information
//! System, "AMS/TCP packet", "AMS header", "ADS commands").

use super::super::{cyclic::Fault, stream::Conversation};
use crate::LinkFaultKind;
use std::{fmt, net::SocketAddr, str::FromStr};

/// AMS header without the six bytes before it.
const HEADER: usize = 32;
/// Longest frame that is read: ours are under a hundred bytes, others' are passed over.
const FRAME_MAX: usize = 4_096;

const READ: u16 = 2;
const WRITE: u16 = 3;
const NOTIFICATION: u16 = 8;
const READ_WRITE: u16 = 9;
/// State flags of an ADS command over TCP, and of the answer to one.
const REQUEST: u16 = 4;
const RESPONSE: u16 = 5;

/// Six numbers that name a device; by custom its IP address and `.1.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NetId(pub(super) [u8; 6]);

impl FromStr for NetId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let numbers: Result<Vec<u8>, _> = text.split('.').map(str::parse).collect();
        numbers.ok().and_then(|numbers| numbers.try_into().ok()).map(Self).ok_or(())
    }
}

impl NetId {
    /// What TwinCAT takes for the id of a device at this address, where it is one of IPv4.
    pub(super) fn at(address: SocketAddr) -> Option<Self> {
        let SocketAddr::V4(address) = address else { return None };
        let [a, b, c, d] = address.ip().octets();
        Some(Self([a, b, c, d, 1, 1]))
    }
}

/// A device and one of its programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AmsAddress {
    pub(super) net_id: NetId,
    pub(super) port: u16,
}

impl AmsAddress {
    fn bytes(self) -> [u8; 8] {
        let [a, b, c, d, e, f] = self.net_id.0;
        let [low, high] = self.port.to_le_bytes();
        [a, b, c, d, e, f, low, high]
    }
}

/// Where data lies in the PLC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) group: u32,
    pub(super) offset: u32,
}

impl FromStr for Index {
    type Err = ();

    /// `0x4020:100`, each decimal or hexadecimal.
    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |text: &str| match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => text.parse(),
        };
        let (group, offset) = text.split_once(':').ok_or(())?;
        Ok(Self { group: number(group).map_err(drop)?, offset: number(offset).map_err(drop)? })
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}:{}", self.group, self.offset)
    }
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// Router or PLC said no: ADS return code.
    Refused(u32),
    /// Fewer or more bytes than were asked for.
    Length(usize),
    /// The connection, or what came on it.
    Wire(Fault),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Wire(fault)
    }
}

/// A connection to a router, and the program behind it.
#[derive(Debug)]
pub(super) struct Router {
    conversation: Conversation,
    plc: AmsAddress,
    own: AmsAddress,
    request: u32,
}

impl Router {
    /// Not connected yet. `plc` is whom to talk to; `own` is who is talking.
    pub(super) fn new(plc: AmsAddress, own: AmsAddress) -> Self {
        Self { conversation: Conversation::default(), plc, own, request: 0 }
    }

    /// Connects anew; the station's end of the connection.
    pub(super) async fn begin(&mut self, address: &str) -> Result<Option<SocketAddr>, Fault> {
        self.conversation.begin(address).await?;
        Ok(self.conversation.local_addr())
    }

    /// Who is talking, where that follows from the connection.
    pub(super) fn set_own(&mut self, net_id: NetId) {
        self.own.net_id = net_id;
    }

    /// Exactly `length` bytes.
    pub(super) async fn read(&mut self, index: Index, length: usize) -> Result<Vec<u8>, Failed> {
        let mut request = head(index);
        request.extend_from_slice(&(length as u32).to_le_bytes());
        counted(&self.ask(READ, &request).await?, length)
    }

    pub(super) async fn write(&mut self, index: Index, data: &[u8]) -> Result<(), Failed> {
        let mut request = head(index);
        request.extend_from_slice(&(data.len() as u32).to_le_bytes());
        request.extend_from_slice(data);
        self.ask(WRITE, &request).await.map(drop)
    }

    /// Writes `data`, and exactly `length` bytes come back.
    pub(super) async fn write_read(
        &mut self,
        index: Index,
        data: &[u8],
        length: usize,
    ) -> Result<Vec<u8>, Failed> {
        let mut request = head(index);
        request.extend_from_slice(&(length as u32).to_le_bytes());
        request.extend_from_slice(&(data.len() as u32).to_le_bytes());
        request.extend_from_slice(data);
        counted(&self.ask(READ_WRITE, &request).await?, length)
    }

    /// One request; what stands in the answer after the result.
    async fn ask(&mut self, command: u16, data: &[u8]) -> Result<Vec<u8>, Failed> {
        self.request = self.request.wrapping_add(1);
        let mut frame = vec![0, 0];
        frame.extend_from_slice(&((HEADER + data.len()) as u32).to_le_bytes());
        frame.extend_from_slice(&self.plc.bytes());
        frame.extend_from_slice(&self.own.bytes());
        frame.extend_from_slice(&command.to_le_bytes());
        frame.extend_from_slice(&REQUEST.to_le_bytes());
        frame.extend_from_slice(&(data.len() as u32).to_le_bytes());
        frame.extend_from_slice(&0_u32.to_le_bytes());
        frame.extend_from_slice(&self.request.to_le_bytes());
        frame.extend_from_slice(data);
        self.conversation.say(&frame).await?;
        loop {
            let (kind, frame) = self.hear().await?;
            // A router's own messages, and notifications that another program of this host once asked for.
            if kind == 0 && u16_at(&frame, 16) != NOTIFICATION {
                return self.answer(command, &frame);
            }
        }
    }

    fn answer(&self, command: u16, frame: &[u8]) -> Result<Vec<u8>, Failed> {
        let (header, data) = frame.split_at(HEADER);
        let to_us = header[..8] == self.own.bytes() && header[8..16] == self.plc.bytes();
        let of_this = u32_at(header, 28) == self.request && u16_at(header, 16) == command;
        let whole = u16_at(header, 18) == RESPONSE && u32_at(header, 20) as usize == data.len();
        if !(to_us && of_this && whole) {
            return Err(not_ads("the answer to another question"));
        }
        match u32_at(header, 24) {
            0 => {}
            code => return Err(Failed::Refused(code)),
        }
        if data.len() < 4 {
            return Err(not_ads("no result"));
        }
        match u32_at(data, 0) {
            0 => Ok(data[4..].to_vec()),
            code => Err(Failed::Refused(code)),
        }
    }

    /// The next frame: what kind of AMS/TCP packet, and all after its head.
    async fn hear(&mut self) -> Result<(u16, Vec<u8>), Failed> {
        let head: [u8; 6] = self.conversation.head().await?;
        let (kind, length) = (u16_at(&head, 0), u32_at(&head, 2) as usize);
        if length > FRAME_MAX || kind == 0 && length < HEADER {
            return Err(not_ads("no AMS/TCP packet"));
        }
        Ok((kind, self.conversation.rest(length).await?))
    }
}

fn head(Index { group, offset }: Index) -> Vec<u8> {
    [group.to_le_bytes(), offset.to_le_bytes()].concat()
}

/// Data with its length before it.
fn counted(answer: &[u8], wanted: usize) -> Result<Vec<u8>, Failed> {
    let Some((length, data)) = answer.split_first_chunk::<4>() else { return Err(not_ads("no length")) };
    if u32::from_le_bytes(*length) as usize != data.len() {
        return Err(not_ads("a wrong length"));
    }
    if data.len() != wanted {
        return Err(Failed::Length(data.len()));
    }
    Ok(data.to_vec())
}

fn not_ads(what: &str) -> Failed {
    let what = format!("sent what is not ADS ({what}); check that it is a Beckhoff PLC");
    Failed::Wire((LinkFaultKind::WrongAnswer, what))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    const PLC: AmsAddress = AmsAddress { net_id: NetId([5, 1, 204, 123, 1, 1]), port: 851 };
    const OWN: AmsAddress = AmsAddress { net_id: NetId([10, 0, 4, 2, 1, 1]), port: 0xE621 };

    fn packet(kind: u16, frame: &[u8]) -> Vec<u8> {
        let mut packet = kind.to_le_bytes().to_vec();
        packet.extend_from_slice(&(frame.len() as u32).to_le_bytes());
        packet.extend_from_slice(frame);
        packet
    }

    /// An answer of the PLC's to request 1: command, AMS error, data.
    fn answer(command: u8, error: u8, data: &[u8]) -> Vec<u8> {
        let mut frame = [OWN.bytes(), PLC.bytes()].concat();
        frame.extend_from_slice(&[command, 0, 5, 0, data.len() as u8, 0, 0, 0, error, 0, 0, 0, 1, 0, 0, 0]);
        frame.extend_from_slice(data);
        packet(0, &frame)
    }

    /// What a router that says `bytes` to a read of 2 bytes is taken for.
    async fn reading(bytes: Vec<u8>) -> Result<Vec<u8>, Failed> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let plc = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 50];
            stream.read_exact(&mut request).await.unwrap();
            let head = [0, 0, 44, 0, 0, 0, 5, 1, 204, 123, 1, 1, 0x53, 3, 10, 0, 4, 2, 1, 1, 0x21, 0xE6];
            assert_eq!(request[..22], head);
            assert_eq!(request[22..38], [2, 0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
            assert_eq!(request[38..], [0x20, 0x40, 0, 0, 100, 0, 0, 0, 2, 0, 0, 0]);
            stream.write_all(&bytes).await.unwrap();
        };
        let station = async {
            let mut router = Router::new(PLC, OWN);
            router.begin(&address).await?;
            router.read("0x4020:100".parse().unwrap(), 2).await
        };
        tokio::join!(plc, station).1
    }

    #[tokio::test]
    async fn the_answer_is_read_past_what_is_for_somebody_else_and_each_refusal_has_its_code() {
        let good = answer(2, 0, &[0, 0, 0, 0, 2, 0, 0, 0, 7, 8]);
        let mut noise = packet(0x1001, &[3, 0, 0, 0]);
        noise.extend(answer(8, 0, &[0; 16]));
        assert_eq!(reading([noise, good].concat()).await, Ok(vec![7, 8]));
        assert_eq!(reading(answer(2, 6, &[])).await, Err(Failed::Refused(6)), "the router's word");
        assert_eq!(reading(answer(2, 0, &[0x10, 7, 0, 0])).await, Err(Failed::Refused(0x710)), "the PLC's");
        let short = answer(2, 0, &[0, 0, 0, 0, 1, 0, 0, 0, 7]);
        assert_eq!(reading(short).await, Err(Failed::Length(1)));
    }

    #[tokio::test]
    async fn what_is_not_the_answer_to_the_question_is_never_taken_for_one() {
        let good = answer(2, 0, &[0, 0, 0, 0, 2, 0, 0, 0, 7, 8]);
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        let rows = [
            ("another request's", with(6 + 28, 9)),
            ("a write's", with(6 + 16, 3)),
            ("another PLC's", with(6 + 8, 9)),
            ("a request", with(6 + 18, 4)),
            ("a length that is not there", with(6 + HEADER + 4, 3)),
            ("no result", answer(2, 0, &[])),
            ("800 MB", b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec()),
            ("less than a header", packet(0, &[1, 2, 3])),
        ];
        for (what, bytes) in rows {
            let read = reading(bytes).await;
            assert!(matches!(read, Err(Failed::Wire((LinkFaultKind::WrongAnswer, _)))), "{what}: {read:?}");
        }
    }

    #[test]
    fn ids_and_indices_read_as_engineers_write_them() {
        assert_eq!("5.1.204.123.1.1".parse(), Ok(NetId([5, 1, 204, 123, 1, 1])));
        for text in ["", "5.1.204", "5.1.204.123.1.1.1", "5.1.204.256.1.1", "a.b.c.d.1.1"] {
            assert!(text.parse::<NetId>().is_err(), "{text}");
        }
        assert_eq!("0x4020:100".parse(), Ok(Index { group: 0x4020, offset: 100 }));
        assert_eq!("16416:0x64".parse::<Index>().unwrap().to_string(), "0x4020:100");
        for text in ["GVL_Plumb.FromPlc", "4020:", ":1", "0xZ:1"] {
            assert!(text.parse::<Index>().is_err(), "{text}");
        }
        assert_eq!(NetId::at("10.0.4.2:9".parse().unwrap()), Some(NetId([10, 0, 4, 2, 1, 1])));
        assert_eq!(NetId::at("[::1]:9".parse().unwrap()), None);
    }
}
