//! The controller: a session, a connection to its message router, and one message a cycle.

use super::tag::Tag;
use crate::{
    LinkFaultKind,
    protocol::{
        cip::{
            Bytes, Response,
            encapsulation::{DATA_MAX, HEAD, Head, command, find, item, message, message_items, status},
            request,
        },
        cyclic::{Fault, Wire},
        stream::Conversation,
    },
    register_map::{BLOCK_WORDS, HALF_WORDS, Words},
};
use std::hash::{BuildHasher as _, RandomState};

const READ_TAG: u8 = 0x4C;
const WRITE_TAG: u8 = 0x4D;
const FORWARD_OPEN: u8 = 0x54;
const MULTIPLE_SERVICES: u8 = 0x0A;

const MESSAGE_ROUTER: [u8; 4] = [0x20, 0x02, 0x24, 0x01];
const CONNECTION_MANAGER: [u8; 4] = [0x20, 0x06, 0x24, 0x01];

/// CIP type code of INT.
const INT: u16 = 0xC3;

/// Elements of a tag that one service reads or writes.
const COUNT: [u8; 2] = (HALF_WORDS as u16).to_le_bytes();

/// General status of a Multiple Service Packet in which a service was refused.
const EMBEDDED_SERVICE: u8 = 0x1E;

/// What the controller may take us for to be silent: 8 × 1 s. It frees the connection of a station that has gone.
const EXPECTED_PACKET_US: u32 = 1_000_000;
const TIMES_EIGHT: u8 = 1;

/// Bytes of a connected message, at most; every controller takes as many.
const MESSAGE_MAX: u16 = 500;

/// The controller as it is reached.
#[derive(Debug)]
pub(super) struct Controller {
    address: String,
    slot: u8,
    from_plc: Tag,
    to_plc: Tag,
    conversation: Conversation,
    session: u32,
    /// The ids of the connection, the controller's and ours.
    connection: (u32, u32),
    sequence: u16,
}

impl Controller {
    pub(super) fn new(address: &str, slot: u8, from_plc: Tag, to_plc: Tag) -> Self {
        let (conversation, address) = (Conversation::default(), address.to_owned());
        Self { address, slot, from_plc, to_plc, conversation, session: 0, connection: (0, 0), sequence: 0 }
    }

    async fn register_session(&mut self) -> Result<(), Fault> {
        self.session = 0;
        let (head, _) = self.ask(command::REGISTER_SESSION, &[1, 0, 0, 0]).await?;
        self.session = head.session;
        Ok(())
    }

    /// Opens a class 3 connection (Volume 1, 3-5.5.2) through the backplane to the message router of the slot.
    async fn open_connection(&mut self) -> Result<(), Fault> {
        // The numbers that tell this connection from every other of the controller.
        let ours = RandomState::new().hash_one(&self.address);
        let network = 0x4200 | MESSAGE_MAX; // point to point, low priority, of variable size
        let mut open = vec![0x0A, 0x05]; // five ticks of 1 024 ms
        open.extend([0; 4]); // the controller chooses its own id
        open.extend(((ours >> 32) as u32).to_le_bytes());
        open.extend((ours as u16).to_le_bytes());
        open.extend([0, 0]); // originator vendor id: nobody's
        open.extend(((ours >> 16) as u32).to_le_bytes());
        open.extend([TIMES_EIGHT, 0, 0, 0]);
        for _direction in 0..2 {
            open.extend(EXPECTED_PACKET_US.to_le_bytes());
            open.extend(network.to_le_bytes());
        }
        open.push(0xA3); // class 3, server, triggered by the application
        open.extend([3, 0x01, self.slot]); // words of the path; through the backplane
        open.extend(MESSAGE_ROUTER);
        let asked = request(FORWARD_OPEN, &CONNECTION_MANAGER, &open);
        let items = message(&[(item::NULL_ADDRESS, &[]), (item::UNCONNECTED_DATA, &asked)]);
        let (_, answer) = self.ask(command::SEND_RR_DATA, &items).await?;
        let items = message_items(&answer).ok_or_else(not_an_answer)?;
        let reply = find(&items, item::UNCONNECTED_DATA).and_then(Response::decode);
        let reply = reply.filter(|reply| reply.service == FORWARD_OPEN).ok_or_else(not_an_answer)?;
        if reply.general != 0 {
            let advice = match (reply.general, reply.extended) {
                (0x01, Some(0x0113)) => "it has no connection left; close some of its other clients",
                _ => "check plc.slot",
            };
            let what = format!(
                "refused a connection to the controller in slot {} ({}); {advice}",
                self.slot,
                Status(&reply)
            );
            return Err((LinkFaultKind::Exception, what));
        }
        let mut ids = Bytes(reply.data);
        let ids = ids.double().and_then(|controllers| Some((controllers, ids.double()?)));
        self.connection = ids.ok_or_else(not_an_answer)?;
        Ok(())
    }

    /// Asks on the connection; the data of the Multiple Service Packet's reply.
    async fn ask_services(&mut self, services: &[Vec<u8>]) -> Result<Vec<u8>, Fault> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence.to_le_bytes();
        let asked =
            [&sequence, request(MULTIPLE_SERVICES, &MESSAGE_ROUTER, &packet(services)).as_slice()].concat();
        let id = self.connection.0.to_le_bytes();
        let items = message(&[(item::CONNECTED_ADDRESS, &id), (item::CONNECTED_DATA, &asked)]);
        let (_, answer) = self.ask(command::SEND_UNIT_DATA, &items).await?;
        let items = message_items(&answer).ok_or_else(not_an_answer)?;
        // Ours by the book; some servers give their own. The sequence count below is what makes it the answer.
        let ids = [self.connection.1.to_le_bytes(), self.connection.0.to_le_bytes()];
        let address = find(&items, item::CONNECTED_ADDRESS).ok_or_else(not_an_answer)?;
        if !ids.iter().any(|id| id.as_slice() == address) {
            return Err(not_an_answer());
        }
        let reply = find(&items, item::CONNECTED_DATA).and_then(|data| data.strip_prefix(&sequence));
        let reply = reply.and_then(Response::decode).ok_or_else(not_an_answer)?;
        match (reply.service, reply.general) {
            (MULTIPLE_SERVICES, 0 | EMBEDDED_SERVICE) => Ok(reply.data.to_vec()),
            (MULTIPLE_SERVICES, _) => {
                let what = format!("refused two services in one message ({})", Status(&reply));
                Err((LinkFaultKind::Exception, what + "; is it a Logix controller?"))
            }
            _ => Err(not_an_answer()),
        }
    }

    /// A frame, and the one that answers it.
    async fn ask(&mut self, command: u16, data: &[u8]) -> Result<(Head, Vec<u8>), Fault> {
        let head = Head { command, session: self.session, context: *b"Plumb   ", ..Head::default() };
        self.conversation.say(&head.with(data)).await?;
        let answer = Head::decode(&self.conversation.head::<HEAD>().await?);
        let length = usize::from(answer.length);
        if answer.command != command || length > DATA_MAX {
            return Err(not_an_answer());
        }
        let data = self.conversation.rest(length).await?;
        match answer.status {
            status::SUCCESS => Ok((answer, data)),
            says => {
                let what = format!("refused the session (encapsulation status {says:#04X})");
                Err((LinkFaultKind::Exception, what))
            }
        }
    }
}

impl Wire for Controller {
    async fn connect(&mut self) -> Result<(), Fault> {
        self.conversation.begin(&self.address).await?;
        self.register_session().await?;
        self.open_connection().await
    }

    async fn look(&mut self) -> Result<[u16; BLOCK_WORDS], Fault> {
        let services = [&self.from_plc, &self.to_plc].map(|tag| request(READ_TAG, &tag.path(), &COUNT));
        let answer = self.ask_services(&services).await?;
        let replies = replies(&answer).ok_or_else(not_an_answer)?;
        let mut words = [0; BLOCK_WORDS];
        let (from_plc, to_plc) = words.split_at_mut(HALF_WORDS);
        from_plc.copy_from_slice(&read_words(&replies[0], &self.from_plc)?);
        to_plc.copy_from_slice(&read_words(&replies[1], &self.to_plc)?);
        Ok(words)
    }

    async fn exchange(&mut self, station: &Words) -> Result<Words, Fault> {
        let values: Vec<u8> = station.iter().flat_map(|word| word.to_le_bytes()).collect();
        let written = [&INT.to_le_bytes(), COUNT.as_slice(), values.as_slice()].concat();
        let services = [
            request(WRITE_TAG, &self.to_plc.path(), &written),
            request(READ_TAG, &self.from_plc.path(), &COUNT),
        ];
        let answer = self.ask_services(&services).await?;
        let [write, read] = replies(&answer).ok_or_else(not_an_answer)?;
        if write.service != WRITE_TAG {
            return Err(not_an_answer());
        }
        refused(&write, &self.to_plc)?;
        read_words(&read, &self.from_plc)
    }
}

/// The ten words of a tag, of the reply to a Read Tag.
fn read_words(read: &Response<'_>, tag: &Tag) -> Result<Words, Fault> {
    if read.service != READ_TAG {
        return Err(not_an_answer());
    }
    refused(read, tag)?;
    let mut data = Bytes(read.data);
    let kind = data.word().ok_or_else(not_an_answer)?;
    if kind != INT || data.0.len() != 2 * HALF_WORDS {
        let what = format!(
            "gave {} bytes of {} of tag \"{}\", expected 20 of INT; {}",
            data.0.len(),
            type_name(kind),
            tag.name(),
            should_be(tag)
        );
        return Err((LinkFaultKind::WrongAnswer, what));
    }
    Ok(std::array::from_fn(|_| data.word().expect("its length was looked at")))
}

/// A Multiple Service Packet: how many, where each begins, and then each.
fn packet(services: &[Vec<u8>]) -> Vec<u8> {
    let mut at = 2 + 2 * services.len();
    let mut packet = (services.len() as u16).to_le_bytes().to_vec();
    for service in services {
        packet.extend((at as u16).to_le_bytes());
        at += service.len();
    }
    packet.extend(services.concat());
    packet
}

/// The two replies of a Multiple Service Packet.
fn replies(data: &[u8]) -> Option<[Response<'_>; 2]> {
    let mut bytes = Bytes(data);
    bytes.word().filter(|&count| count == 2)?;
    let (first, second) = (usize::from(bytes.word()?), usize::from(bytes.word()?));
    let [first, second] = [data.get(first..second)?, data.get(second..)?];
    Some([Response::decode(first)?, Response::decode(second)?])
}

fn refused(reply: &Response<'_>, tag: &Tag) -> Result<(), Fault> {
    let (name, needed) = (tag.name(), should_be(tag));
    let advice = match (reply.general, reply.extended) {
        (0x00, _) => return Ok(()),
        (0x04 | 0x05 | 0x16, _) => {
            "the controller has no such tag, or its External Access is None; a program's own is Program:Name.Tag"
                .to_owned()
        }
        (0x0F, _) => format!("{needed} with External Access Read/Write"),
        (0x0C | 0x10, _) => "turn the keyswitch to REM or RUN".to_owned(),
        (0xFF, Some(0x2104 | 0x2105)) => format!("it is too short; {needed}"),
        (0xFF, Some(0x2107)) => format!("it is of another type; {needed}"),
        (0xFF, _) => format!("{needed} with External Access Read/Write"),
        _ => "see the status in the controller's manual".to_owned(),
    };
    Err((LinkFaultKind::Exception, format!("refused tag \"{name}\" ({}); {advice}", Status(reply))))
}

fn should_be(tag: &Tag) -> String {
    format!("it should be INT[{}]", tag.length())
}

fn type_name(code: u16) -> String {
    let name = match code {
        0xC1 => "BOOL",
        0xC2 => "SINT",
        INT => "INT",
        0xC4 => "DINT",
        0xC5 => "LINT",
        0xC7 => "UINT",
        0xC8 => "UDINT",
        0xCA => "REAL",
        0xD3 => "BOOL, in DWORDs",
        0x02A0 => "a structure",
        _ => return format!("type {code:04X}"),
    };
    name.to_owned()
}

/// A status as manuals print it.
struct Status<'a>(&'a Response<'a>);

impl std::fmt::Display for Status<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CIP status {:02X}", self.0.general)?;
        self.0.extended.map_or(Ok(()), |extended| write!(f, " {extended:04X}"))
    }
}

fn not_an_answer() -> Fault {
    let what = "sent what is not an answer to the question; check that it is a Logix controller";
    (LinkFaultKind::WrongAnswer, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_says_where_each_service_begins() {
        assert_eq!(packet(&[vec![1, 2, 3, 4], vec![5, 6]]), [2, 0, 6, 0, 10, 0, 1, 2, 3, 4, 5, 6]);
        let answer = [2, 0, 6, 0, 10, 0, 0xCD, 0, 0, 0, 0xCC, 0, 0xFF, 1, 0x05, 0x21];
        let [write, read] = replies(&answer).unwrap();
        assert_eq!((write.service, write.general), (WRITE_TAG, 0));
        assert_eq!((read.general, read.extended), (0xFF, Some(0x2105)));
        assert_eq!(replies(&answer[..11]), None);
        assert_eq!(replies(&[2, 0, 10, 0, 6, 0]), None, "they begin in each other");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_two_replies_or_none(data in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = replies(&data);
        }
    }
}
