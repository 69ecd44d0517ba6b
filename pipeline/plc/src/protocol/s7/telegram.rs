//! The telegrams of S7 communication that the station needs: ISO transport (RFC 1006 over RFC 905 class 0), the setup of a
//! connection, one read and one write of bytes of a data block.
//!
//! Siemens has published none of it. The layout is that of its independent implementations (Snap7, Wireshark's S7comm
//! dissector), and the suite holds it against one of them.

use super::super::{cyclic::Fault, stream::Conversation};
use crate::LinkFaultKind;

/// The longest telegram a CPU may send: it is told 480 bytes of S7, and ISO adds seven.
const TELEGRAM_MAX: usize = 512;
/// Version and length of RFC 1006.
const TPKT: usize = 4;
/// Length, "data", "last of its telegram".
const ISO_DATA: [u8; 3] = [0x02, 0xF0, 0x80];

const JOB: u8 = 1;
const ACK: u8 = 2;
const ACK_DATA: u8 = 3;

const SETUP: u8 = 0xF0;
const READ: u8 = 0x04;
const WRITE: u8 = 0x05;

/// A piece of a data block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) db: u16,
    /// First byte.
    pub(super) start: u16,
    /// Bytes.
    pub(super) length: u16,
}

/// How the CPU said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// To the connection, by ISO: no such rack and slot, or none free.
    Connection,
    /// To the whole job: error class and code.
    Job(u16),
    /// To the piece: the code of the item.
    Piece(u8),
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    Refused(Refusal),
    /// The connection, or what came on it.
    Wire(Fault),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Wire(fault)
    }
}

/// A connection to a CPU that numbers its jobs.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    conversation: Conversation,
    job: u16,
}

impl Cpu {
    /// Connects to `address`, and there to the transport selector `tsap`.
    pub(super) async fn connect(&mut self, address: &str, tsap: u16) -> Result<(), Failed> {
        self.conversation.begin(address).await?;
        let [high, low] = tsap.to_be_bytes();
        let request = [0x11, 0xE0, 0, 0, 0, 1, 0, 0xC0, 1, 0x0A, 0xC1, 2, 0x01, 0x00, 0xC2, 2, high, low];
        self.say(&request).await?;
        match self.hear().await?.get(1) {
            Some(0xD0) => {}
            Some(0x80) => return Err(Failed::Refused(Refusal::Connection)),
            _ => return Err(not_s7("no confirmation of the connection")),
        }
        // One job at a time in each direction, 480 bytes.
        self.ask(&[SETUP, 0, 0, 1, 0, 1, 0x01, 0xE0], &[]).await?;
        Ok(())
    }

    /// Reads `piece`: exactly as many bytes as it has.
    pub(super) async fn read(&mut self, piece: Piece) -> Result<Vec<u8>, Failed> {
        let answer = self.ask(&item(READ, piece), &[]).await?;
        let &[code, size, high, low, ref data @ ..] = answer.as_slice() else { return Err(short()) };
        if code != 0xFF {
            return Err(Failed::Refused(Refusal::Piece(code)));
        }
        let length = u16::from_be_bytes([high, low]);
        // Bits, bytes and integers are counted in bits; octet strings and reals in bytes.
        let bytes = if matches!(size, 0x07 | 0x09) { length } else { length.div_ceil(8) };
        if bytes != piece.length || data.len() != usize::from(bytes) {
            return Err(short());
        }
        Ok(data.to_vec())
    }

    /// Writes `bytes` into `piece`, which is as long.
    pub(super) async fn write(&mut self, piece: Piece, bytes: &[u8]) -> Result<(), Failed> {
        let [high, low] = (piece.length * 8).to_be_bytes();
        let mut data = vec![0x00, 0x04, high, low];
        data.extend_from_slice(bytes);
        match self.ask(&item(WRITE, piece), &data).await?.as_slice() {
            [0xFF] => Ok(()),
            &[code] => Err(Failed::Refused(Refusal::Piece(code))),
            _ => Err(short()),
        }
    }

    /// One job; the data of the answer to it.
    async fn ask(&mut self, parameters: &[u8], data: &[u8]) -> Result<Vec<u8>, Failed> {
        self.job = self.job.wrapping_add(1);
        let job = self.job.to_be_bytes();
        let length = |bytes: &[u8]| (bytes.len() as u16).to_be_bytes();
        let mut telegram = ISO_DATA.to_vec();
        telegram.extend_from_slice(&[0x32, JOB, 0, 0]);
        telegram.extend_from_slice(&job);
        telegram.extend_from_slice(&length(parameters));
        telegram.extend_from_slice(&length(data));
        telegram.extend_from_slice(parameters);
        telegram.extend_from_slice(data);
        self.say(&telegram).await?;

        let heard = self.hear().await?;
        let Some(answer) = heard.strip_prefix(&ISO_DATA) else { return Err(not_s7("no whole telegram")) };
        let &[0x32, kind @ (ACK | ACK_DATA), _, _, a, b, p0, p1, d0, d1, class, code, ref rest @ ..] = answer
        else {
            return Err(not_s7("no acknowledgement"));
        };
        if [a, b] != job {
            return Err(not_s7("the answer to another job"));
        }
        // Before all else: a refused job has neither parameters nor data.
        if [class, code] != [0, 0] {
            return Err(Failed::Refused(Refusal::Job(u16::from_be_bytes([class, code]))));
        }
        let parameters_length = usize::from(u16::from_be_bytes([p0, p1]));
        let data_length = usize::from(u16::from_be_bytes([d0, d1]));
        let whole = kind == ACK_DATA && rest.len() == parameters_length + data_length;
        if !whole || rest.first() != parameters.first() {
            return Err(not_s7("the answer to another job"));
        }
        Ok(rest[parameters_length..].to_vec())
    }

    async fn say(&mut self, iso: &[u8]) -> Result<(), Fault> {
        let [high, low] = ((TPKT + iso.len()) as u16).to_be_bytes();
        let mut telegram = vec![0x03, 0x00, high, low];
        telegram.extend_from_slice(iso);
        self.conversation.say(&telegram).await
    }

    async fn hear(&mut self) -> Result<Vec<u8>, Failed> {
        let [version, _, high, low] = self.conversation.head().await?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if version != 0x03 || !(TPKT + 2..=TELEGRAM_MAX).contains(&length) {
            return Err(not_s7("no RFC 1006 telegram"));
        }
        Ok(self.conversation.rest(length - TPKT).await?)
    }
}

/// Parameters of a job on one piece of a data block, addressed by bytes.
fn item(function: u8, Piece { db, start, length }: Piece) -> [u8; 14] {
    let ([l0, l1], [d0, d1]) = (length.to_be_bytes(), db.to_be_bytes());
    // The address is in bits.
    let [_, a0, a1, a2] = (u32::from(start) * 8).to_be_bytes();
    [function, 1, 0x12, 0x0A, 0x10, 0x02, l0, l1, d0, d1, 0x84, a0, a1, a2]
}

fn not_s7(what: &str) -> Failed {
    let what = format!("sent what is not S7 ({what}); check that it is a Siemens CPU");
    Failed::Wire((LinkFaultKind::WrongAnswer, what))
}

fn short() -> Failed {
    let what = "sent another number of bytes than it was asked for; check the CPU's firmware";
    Failed::Wire((LinkFaultKind::WrongAnswer, what.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    /// What a CPU that answers a read with `answer` (its reference filled in) is taken for.
    async fn reading(confirmation: &'static [u8], answer: Vec<u8>) -> Result<Vec<u8>, Failed> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let cpu = async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 22];
            stream.read_exact(&mut request).await.unwrap();
            assert_eq!(request[18..], [0xC2, 2, 0x01, 0x02], "rack 0, slot 2");
            let setup = [
                3, 0, 0, 27, 2, 0xF0, 0x80, 0x32, 3, 0, 0, 0, 1, 0, 8, 0, 0, 0, 0, 0xF0, 0, 0, 1, 0, 1, 1,
                0xE0,
            ];
            stream.write_all(confirmation).await.unwrap();
            if stream.read_exact(&mut [0; 25]).await.is_ok() {
                stream.write_all(&setup).await.unwrap();
                let mut read = [0; 31];
                stream.read_exact(&mut read).await.unwrap();
                assert_eq!(
                    read[21..],
                    [0x10, 0x02, 0, 4, 0, 7, 0x84, 0, 0, 80],
                    "4 bytes of DB7 from byte 10"
                );
                // In two pieces: what is one telegram to the CPU need not be one to TCP.
                let (first, second) = answer.split_at(answer.len() / 2);
                stream.write_all(first).await.unwrap();
                stream.flush().await.unwrap();
                tokio::task::yield_now().await;
                stream.write_all(second).await.unwrap();
            }
            stream
        };
        let station = async {
            let mut cpu = Cpu::default();
            cpu.connect(&address, 0x0102).await?;
            cpu.read(Piece { db: 7, start: 10, length: 4 }).await
        };
        tokio::join!(cpu, station).1
    }

    const CONFIRMED: &[u8] =
        &[3, 0, 0, 22, 0x11, 0xD0, 0, 1, 0, 2, 0, 0xC0, 1, 0x0A, 0xC1, 2, 1, 0, 0xC2, 2, 1, 2];

    fn acknowledged(head: [u8; 12], rest: &[u8]) -> Vec<u8> {
        let mut telegram = vec![3, 0, 0, (7 + 12 + rest.len()) as u8, 2, 0xF0, 0x80];
        telegram.extend_from_slice(&head);
        telegram.extend_from_slice(rest);
        telegram
    }

    const OK: [u8; 12] = [0x32, 3, 0, 0, 0, 2, 0, 2, 0, 8, 0, 0];

    #[tokio::test]
    async fn bytes_asked_for_are_read_and_a_refusal_of_each_kind_is_known_as_one() {
        let data = acknowledged(OK, &[4, 1, 0xFF, 4, 0, 32, 1, 2, 3, 4]);
        assert_eq!(reading(CONFIRMED, data).await, Ok(vec![1, 2, 3, 4]));
        let octets = acknowledged(OK, &[4, 1, 0xFF, 9, 0, 4, 1, 2, 3, 4]);
        assert_eq!(reading(CONFIRMED, octets).await, Ok(vec![1, 2, 3, 4]));
        // What an S7-1500 says while PUT/GET is not permitted: no parameters, no data.
        let not_permitted = acknowledged([0x32, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0x81, 0x04], &[]);
        assert_eq!(reading(CONFIRMED, not_permitted).await, Err(Failed::Refused(Refusal::Job(0x8104))));
        let head = [0x32, 3, 0, 0, 0, 2, 0, 2, 0, 4, 0, 0];
        let no_such_block = acknowledged(head, &[4, 1, 0x0A, 0, 0, 0]);
        assert_eq!(reading(CONFIRMED, no_such_block).await, Err(Failed::Refused(Refusal::Piece(0x0A))));
        let disconnect = &[3, 0, 0, 11, 6, 0x80, 0, 1, 0, 0, 0];
        assert_eq!(reading(disconnect, vec![]).await, Err(Failed::Refused(Refusal::Connection)));
    }

    #[tokio::test]
    async fn what_is_not_the_answer_to_the_question_is_never_taken_for_one() {
        let rows: [(&str, Vec<u8>); 6] = [
            ("fewer bytes, called a success", acknowledged(OK, &[4, 1, 0xFF, 4, 0, 16, 1, 2, 0, 0])),
            ("a length that is not there", acknowledged(OK, &[4, 1, 0xFF, 4, 0, 64, 1, 2, 3, 4])),
            (
                "another job's",
                acknowledged([0x32, 3, 0, 0, 0, 9, 0, 2, 0, 8, 0, 0], &[4, 1, 0xFF, 4, 0, 32, 1, 2, 3, 4]),
            ),
            ("a write's", acknowledged(OK, &[5, 1, 0xFF, 4, 0, 32, 1, 2, 3, 4])),
            (
                "half a telegram",
                vec![
                    3, 0, 0, 29, 2, 0xF0, 0x00, 0x32, 3, 0, 0, 0, 2, 0, 2, 0, 8, 0, 0, 4, 1, 0xFF, 4, 0, 32,
                    1, 2, 3, 4,
                ],
            ),
            ("a telegram of 64 KiB", vec![3, 0, 0xFF, 0xFF, 2, 0xF0, 0x80]),
        ];
        for (what, answer) in rows {
            let read = reading(CONFIRMED, answer).await;
            assert!(matches!(read, Err(Failed::Wire((LinkFaultKind::WrongAnswer, _)))), "{what}: {read:?}");
        }
    }
}
