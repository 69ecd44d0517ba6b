//! Mitsubishi SLMP, which is MC protocol with the binary 3E frame: batch write and batch read of word devices, one of each
//! a cycle, over TCP. A register is a word; what crosses the wire is little-endian, what the PLC's program sees are the
//! words of the contract.
//!
//! The frame is our own, some forty lines after Mitsubishi's "SLMP Reference Manual" (SH-080956ENG), chapters 4 and 5: the
//! crates there are take a PLC's refusal for a success (they skip the end code), which for an answer at a reject gate
//! is the one mistake that must not be made. SLMP has no authentication: keep it on the cell's own network.

use super::{
    Place, Protocol,
    cyclic::{Cyclic, Fault, Wire, client_table, defaults},
    stream::{Conversation, address_problem},
};
use crate::{
    LinkFaultKind, PlcError, Timing,
    register_map::{BLOCK_WORDS, HALF_WORDS, Words},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

client_table! {
    /// The `[plc]` table with `kind = "slmp"`.
    pub struct SlmpConfig {
        /// `host:port` of the PLC, as its own settings say; 5007 and 5562 are usual.
        pub address: String,
        /// The register of word 0, as `D100`, `W1A0` (hexadecimal) or `R0`; the block takes 20 from here.
        #[serde(default)]
        pub device: Device,
        /// Network number of the PLC; 0 is the one it is connected to.
        #[serde(default)]
        pub network: u8,
        /// Station number of the PLC in that network; 255 is the one connected to.
        #[serde(default = "own_station")]
        pub station: u8,
    }
}

fn own_station() -> u8 {
    0xFF
}

/// A word device and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Device {
    kind: Kind,
    number: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Data register, decimal.
    D,
    /// Link register, hexadecimal.
    W,
    /// File register, decimal.
    R,
}

impl Kind {
    /// Device code of the binary frame.
    fn code(self) -> u8 {
        match self {
            Self::D => 0xA8,
            Self::W => 0xB4,
            Self::R => 0xAF,
        }
    }
}

impl Default for Device {
    fn default() -> Self {
        Self { kind: Kind::D, number: 0 }
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no word device; write D100, W1A0 or R0");
        let (kind, radix) = match text.chars().next().map(|c| c.to_ascii_uppercase()) {
            Some('D') => (Kind::D, 10),
            Some('W') => (Kind::W, 16),
            Some('R') => (Kind::R, 10),
            _ => return Err(wrong()),
        };
        let digits = text.get(1..).filter(|digits| !digits.starts_with('+')).ok_or_else(wrong)?;
        let number = u32::from_str_radix(digits, radix).map_err(|_| wrong())?;
        if number > 0xFF_FFFF - 2 * HALF_WORDS as u32 {
            return Err(format!("\"{text}\" is beyond the last device"));
        }
        Ok(Self { kind, number })
    }
}

impl TryFrom<String> for Device {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::D => write!(f, "D{}", self.number),
            Kind::W => write!(f, "W{:X}", self.number),
            Kind::R => write!(f, "R{}", self.number),
        }
    }
}

impl Device {
    fn after(self, words: u32) -> Self {
        Self { number: self.number + words, ..self }
    }
}

impl SlmpConfig {
    /// Everything but address and device as it is by default.
    pub fn new(address: impl Into<String>, device: Device) -> Self {
        Self {
            address: address.into(),
            device,
            network: 0,
            station: own_station(),
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
        problems.extend(address_problem(&self.address, 5007));
        problems
    }

    pub(super) fn place(&self) -> Place {
        let Self { network, station, device, .. } = self;
        let device_of = format!(
            "{:?} of SLMP {} network {network}, station {station}",
            device.kind,
            self.address.to_lowercase()
        );
        Place::block(device_of, device.number)
    }

    pub(super) fn open(&self) -> Result<Box<dyn Protocol>, PlcError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(PlcError::Config { problems });
        }
        let wire = Melsec { config: self.clone(), conversation: Conversation::default() };
        Ok(Box::new(Cyclic::new(wire, self.pace(), &self.address)))
    }
}

/// The PLC as it is reached.
struct Melsec {
    config: SlmpConfig,
    conversation: Conversation,
}

impl Wire for Melsec {
    async fn connect(&mut self) -> Result<(), Fault> {
        self.conversation.begin(&self.config.address).await
    }

    async fn look(&mut self) -> Result<[u16; BLOCK_WORDS], Fault> {
        let mut words = [0; BLOCK_WORDS];
        for (half, words) in words.chunks_exact_mut(HALF_WORDS).enumerate() {
            let from = self.config.device.after((half * HALF_WORDS) as u32);
            let answer = self.ask(BATCH_READ, from, &[], 2 * HALF_WORDS).await?;
            for (word, bytes) in words.iter_mut().zip(answer.chunks_exact(2)) {
                *word = u16::from_le_bytes([bytes[0], bytes[1]]);
            }
        }
        Ok(words)
    }

    async fn exchange(&mut self, station: &Words) -> Result<Words, Fault> {
        let data: Vec<u8> = station.iter().flat_map(|word| word.to_le_bytes()).collect();
        let to_plc = self.config.device.after(HALF_WORDS as u32);
        self.ask(BATCH_WRITE, to_plc, &data, 0).await?;
        let answer = self.ask(BATCH_READ, self.config.device, &[], 2 * HALF_WORDS).await?;
        let mut words = [0; HALF_WORDS];
        for (word, bytes) in words.iter_mut().zip(answer.chunks_exact(2)) {
            *word = u16::from_le_bytes([bytes[0], bytes[1]]);
        }
        Ok(words)
    }
}

const BATCH_READ: u16 = 0x0401;
const BATCH_WRITE: u16 = 0x1401;
/// Subheader, network, PC, module I/O, station, length.
const HEADER: usize = 9;
/// The longest answer that could be ours: a refusal brings 9 bytes of its own.
const ANSWER_MAX: usize = 64;

impl Melsec {
    /// One request for ten words of `device`; what comes back after the end code, `wanted` bytes.
    async fn ask(
        &mut self,
        command: u16,
        device: Device,
        data: &[u8],
        wanted: usize,
    ) -> Result<Vec<u8>, Fault> {
        let request = self.request(command, device, data);
        self.conversation.say(&request).await?;
        let header: [u8; HEADER] = self.conversation.head().await?;
        let length = usize::from(u16::from_le_bytes([header[7], header[8]]));
        if header[..2] != [0xD0, 0x00] || !(2..=ANSWER_MAX).contains(&length) {
            return Err(not_slmp());
        }
        let mut answer = self.conversation.rest(length).await?;
        let end_code = u16::from_le_bytes([answer[0], answer[1]]);
        if end_code != 0 {
            return Err(refused(end_code, device, &self.config));
        }
        answer.drain(..2);
        // The frame has no number, but it says whose answer it is. A refusal may be of a station on the way.
        if header[2..7] != request[2..7] {
            let what = "answered for another station; check plc.network and plc.station";
            return Err((LinkFaultKind::WrongAnswer, what.to_owned()));
        }
        if answer.len() != wanted {
            let got = answer.len();
            let what = format!("sent {got} bytes of data, expected {wanted}; check the PLC's firmware");
            return Err((LinkFaultKind::WrongAnswer, what));
        }
        Ok(answer)
    }

    fn request(&self, command: u16, device: Device, data: &[u8]) -> Vec<u8> {
        let SlmpConfig { network, station, timeout_ms, .. } = self.config;
        // In units of 250 ms; 0 would be for ever.
        let patience = u16::try_from(timeout_ms.div_ceil(250)).unwrap_or(u16::MAX).max(1);
        let mut request = vec![0x50, 0x00, network, station, 0xFF, 0x03, 0x00];
        request.extend_from_slice(&(12 + data.len() as u16).to_le_bytes());
        request.extend_from_slice(&patience.to_le_bytes());
        request.extend_from_slice(&command.to_le_bytes());
        request.extend_from_slice(&[0x00, 0x00]);
        request.extend_from_slice(&device.number.to_le_bytes()[..3]);
        request.push(device.kind.code());
        request.extend_from_slice(&(HALF_WORDS as u16).to_le_bytes());
        request.extend_from_slice(data);
        request
    }
}

fn not_slmp() -> Fault {
    let what = "sent what is not an SLMP 3E answer; set the PLC's open setting to \"SLMP\", binary code";
    (LinkFaultKind::WrongAnswer, what.to_owned())
}

fn refused(end_code: u16, device: Device, config: &SlmpConfig) -> Fault {
    let advice = match end_code {
        0xC050 => "set the PLC's communication data code to binary",
        0xC051..=0xC054 | 0xC056 | 0x4030 | 0x4031 => "check plc.device and how many registers the PLC has",
        0xC059 | 0xC05C | 0xC05D => {
            "the PLC's module does not know this command; check its type and firmware"
        }
        0x4013 | 0xC055 | 0x413C => "permit writing while the PLC runs (\"online change\")",
        0xC200..=0xC204 => "the PLC asks for its remote password; take it off for this port",
        0xC061 => "the PLC expects another frame; set its open setting to \"SLMP\", binary code",
        0x4A00..=0x4AFF => "check plc.network and plc.station",
        _ => "see the end code in the PLC's manual",
    };
    let SlmpConfig { network, station, .. } = config;
    let what = format!(
        "refused {HALF_WORDS} words from {device} of network {network}, station {station} (end code {end_code:04X}); {advice}"
    );
    (LinkFaultKind::Exception, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the SLMP Reference Manual for a batch read, with ten words of D100.
    #[test]
    fn a_request_is_laid_out_as_the_manual_says() {
        let config = SlmpConfig::new("10.0.4.7:5007", "D100".parse().unwrap());
        let wire = Melsec { config, conversation: Conversation::default() };
        let device = "D100".parse().unwrap();
        let read = [
            0x50, 0x00, 0x00, 0xFF, 0xFF, 0x03, 0x00, 0x0C, 0x00, 0x02, 0x00, 0x01, 0x04, 0x00, 0x00, 0x64,
            0x00, 0x00, 0xA8, 0x0A, 0x00,
        ];
        assert_eq!(wire.request(BATCH_READ, device, &[]), read);
        let write = wire.request(BATCH_WRITE, device, &[1, 2, 3, 4]);
        assert_eq!((&write[7..9], &write[11..13], write.len()), (&[16, 0][..], &[0x01, 0x14][..], 25));
    }

    #[test]
    fn a_device_reads_as_the_engineer_writes_it() {
        for text in ["D0", "D12287", "W1A0", "R100"] {
            assert_eq!(text.parse::<Device>().unwrap().to_string(), text);
        }
        assert_eq!("w1a0".parse::<Device>().unwrap().number, 0x1A0);
        for text in ["", "D", "D-1", "D+1", "M100", "D1A", "D16777215", "Ü1"] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
    }

    /// What a PLC that says `answer` to a read of D0 is taken for.
    async fn reading(answer: Vec<u8>) -> Result<Vec<u8>, Fault> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = SlmpConfig::new(listener.local_addr().unwrap().to_string(), Device::default());
        let plc = async {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 21]).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        };
        let station = async {
            let mut wire = Melsec { config, conversation: Conversation::default() };
            wire.connect().await?;
            wire.ask(BATCH_READ, Device::default(), &[], 2 * HALF_WORDS).await
        };
        tokio::join!(plc, station).1
    }

    #[tokio::test]
    async fn what_is_not_the_answer_to_the_question_is_never_taken_for_one() {
        let head = [0xD0, 0x00, 0x00, 0xFF, 0xFF, 0x03, 0x00];
        let answer = |length: u16, rest: &[u8]| [&head, length.to_le_bytes().as_slice(), rest].concat();
        let good = answer(22, &[[0, 0].as_slice(), &[7; 20]].concat());
        assert_eq!(reading(good.clone()).await, Ok(vec![7; 20]));
        let mut another_station = good.clone();
        another_station[3] = 9;
        let rows = [
            ("fewer words, called a success", answer(4, &[0, 0, 7, 7])),
            ("64 KiB", answer(0xFFFF, &[0, 0])),
            ("no end code", answer(1, &[0])),
            ("another station's", another_station),
            ("a request", [&[0x50], &good[1..]].concat()),
            ("a page", b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec()),
        ];
        for (what, bytes) in rows {
            let read = reading(bytes).await;
            assert!(matches!(read, Err((LinkFaultKind::WrongAnswer, _))), "{what}: {read:?}");
        }
        // The refusal of the manual's example: the end code, and then what was refused.
        let refused = answer(11, &[0x51, 0xC0, 0, 0xFF, 0xFF, 0x03, 0, 0x01, 0x04, 0, 0]);
        let (kind, says) = reading(refused).await.unwrap_err();
        assert!(kind == LinkFaultKind::Exception && says.contains("(end code C051)"), "{says}");
    }
}
