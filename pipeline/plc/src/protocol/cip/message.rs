//! CIP messages (CIP Networks Library, Volume 1, chapter 2 and appendix C): a service on a path, and the reply to it.

use super::Bytes;

/// One step of a padded path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Class(u32),
    Instance(u32),
    /// A connection point: an assembly.
    Point(u32),
    Attribute(u32),
    /// What the asker takes us for; 0 is "whatever".
    Key {
        vendor: u16,
        device_type: u16,
        product: u16,
        major: u8,
        minor: u8,
        /// The major revision may be any that behaves like it.
        compatible: bool,
    },
    /// Configuration data, whole words.
    Data(Vec<u8>),
}

/// The steps of a path; `None` if one is cut short, or of a kind that leads nowhere here.
pub(crate) fn path(bytes: &[u8]) -> Option<Vec<Segment>> {
    let mut bytes = Bytes(bytes);
    let mut steps = Vec::new();
    while let Some(kind) = bytes.byte() {
        steps.push(match kind {
            // Logical segments: bits 4 to 2 say of what, bits 1 and 0 how wide.
            0x20..=0x33 => {
                let number = match kind & 0b11 {
                    0 => bytes.byte()?.into(),
                    1 => bytes.take(1).and_then(|_pad| bytes.word())?.into(),
                    2 => bytes.take(1).and_then(|_pad| bytes.double())?,
                    _ => return None,
                };
                match kind & !0b11 {
                    0x20 => Segment::Class(number),
                    0x24 => Segment::Instance(number),
                    0x2C => Segment::Point(number),
                    0x30 => Segment::Attribute(number),
                    _ => return None,
                }
            }
            0x34 if bytes.byte()? == 4 => {
                let (vendor, device_type, product) = (bytes.word()?, bytes.word()?, bytes.word()?);
                let (major, minor) = (bytes.byte()?, bytes.byte()?);
                let compatible = major & 0x80 != 0;
                Segment::Key { vendor, device_type, product, major: major & 0x7F, minor, compatible }
            }
            0x80 => {
                let words = bytes.byte()?;
                Segment::Data(bytes.take(2 * usize::from(words))?.to_vec())
            }
            _ => return None,
        });
    }
    Some(steps)
}

/// A service that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) service: u8,
    /// `None` where it cannot be read.
    pub(crate) path: Option<Vec<Segment>>,
    pub(crate) data: &'a [u8],
}

impl<'a> Request<'a> {
    /// `None` if the message ends before its data begin.
    pub(crate) fn decode(message: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes(message);
        let service = bytes.byte()?;
        let words = bytes.byte()?;
        let steps = bytes.take(2 * usize::from(words))?;
        Some(Self { service, path: path(steps), data: bytes.0 })
    }
}

/// Why a service is not done: the general status, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) general: u8,
    pub(crate) extended: Vec<u16>,
}

impl Refusal {
    /// A general status that says enough.
    pub(crate) fn general(general: u8) -> Self {
        Self { general, extended: Vec::new() }
    }

    /// The Connection Manager's own "no", general status 1.
    pub(crate) fn connection(extended: u16) -> Self {
        Self { general: 0x01, extended: vec![extended] }
    }
}

/// The reply to `service`: done, with what it brings.
pub(crate) fn reply(service: u8, done: Result<Vec<u8>, Refusal>) -> Vec<u8> {
    let (refusal, data) = match done {
        Ok(data) => (Refusal::general(0), data),
        Err(refusal) => (refusal, Vec::new()),
    };
    let mut bytes = vec![service | 0x80, 0, refusal.general, refusal.extended.len() as u8];
    bytes.extend(refusal.extended.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(data);
    bytes
}

/// A request of ours; `path` is padded to whole words.
pub(crate) fn request(service: u8, path: &[u8], data: &[u8]) -> Vec<u8> {
    let words = u8::try_from(path.len() / 2).expect("a path made here is short");
    [&[service, words], path, data].concat()
}

/// A reply to one of our requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    /// The service it answers.
    pub(crate) service: u8,
    /// 0 if it was done.
    pub(crate) general: u8,
    /// The first word that goes with a status, if any does.
    pub(crate) extended: Option<u16>,
    pub(crate) data: &'a [u8],
}

impl<'a> Response<'a> {
    /// `None` if it is not a reply.
    pub(crate) fn decode(message: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes(message);
        let service = bytes.byte().filter(|service| service & 0x80 != 0)? & 0x7F;
        bytes.byte()?;
        let general = bytes.byte()?;
        let words = bytes.byte()?;
        let extended = Bytes(bytes.take(2 * usize::from(words))?).word();
        Some(Self { service, general, extended, data: bytes.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_is_read_in_every_width() {
        let bytes = [0x20, 0x04, 0x25, 0, 0x97, 0x01, 0x2E, 0, 0x96, 0, 1, 0, 0x30, 3];
        assert_eq!(
            path(&bytes).unwrap(),
            [Segment::Class(4), Segment::Instance(0x197), Segment::Point(0x1_0096), Segment::Attribute(3)]
        );
        let key = [0x34, 4, 1, 0, 0x2B, 0, 7, 0, 0x82, 5, 0x80, 1, 9, 9];
        let steps = path(&key).unwrap();
        let expected =
            Segment::Key { vendor: 1, device_type: 0x2B, product: 7, major: 2, minor: 5, compatible: true };
        assert_eq!(steps, [expected, Segment::Data(vec![9, 9])]);
        for cut in [&bytes[..1], &bytes[..5], &key[..9], &key[..13], &[0x91, 1, b'a', 0], &[0x23, 0]] {
            assert_eq!(path(cut), None, "{cut:02X?}");
        }
    }

    #[test]
    fn a_reply_is_read_as_it_was_made() {
        let done = reply(0x4C, Ok(vec![1, 2]));
        let expected = Response { service: 0x4C, general: 0, extended: None, data: &[1, 2] };
        assert_eq!(Response::decode(&done), Some(expected));
        let refused = reply(0x54, Err(Refusal::connection(0x0106)));
        let expected = Response { service: 0x54, general: 1, extended: Some(0x0106), data: &[] };
        assert_eq!(Response::decode(&refused), Some(expected));
        assert_eq!(Response::decode(&refused[..5]), None);
        assert_eq!(Response::decode(&request(0x4C, &[], &[0, 0])), None, "a request is no reply");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_message_or_none(message in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = path(&message);
            let _ = Request::decode(&message);
            let _ = Response::decode(&message);
        }
    }
}
