//! EtherNet/IP's encapsulation (CIP Networks Library, Volume 2, chapter 2): a head of 24 bytes, then data, which mostly is
//! items of the common packet format. All little-endian.

use super::Bytes;

/// Bytes of a head.
pub(crate) const HEAD: usize = 24;

/// The most that follows a head here, in bytes. Nothing the station asks or answers comes near it.
pub(crate) const DATA_MAX: usize = 1_024;

/// What a frame is.
pub(crate) mod command {
    pub(crate) const NOP: u16 = 0x00;
    pub(crate) const LIST_SERVICES: u16 = 0x04;
    pub(crate) const LIST_IDENTITY: u16 = 0x63;
    pub(crate) const LIST_INTERFACES: u16 = 0x64;
    pub(crate) const REGISTER_SESSION: u16 = 0x65;
    pub(crate) const UNREGISTER_SESSION: u16 = 0x66;
    pub(crate) const SEND_RR_DATA: u16 = 0x6F;
    pub(crate) const SEND_UNIT_DATA: u16 = 0x70;
}

/// What became of a frame.
pub(crate) mod status {
    pub(crate) const SUCCESS: u32 = 0x00;
    pub(crate) const INVALID_COMMAND: u32 = 0x01;
    pub(crate) const INCORRECT_DATA: u32 = 0x03;
    pub(crate) const INVALID_SESSION: u32 = 0x64;
    pub(crate) const INVALID_LENGTH: u32 = 0x65;
    pub(crate) const UNSUPPORTED_VERSION: u32 = 0x69;
}

/// What an item of the common packet format is.
pub(crate) mod item {
    pub(crate) const NULL_ADDRESS: u16 = 0x0000;
    pub(crate) const LIST_IDENTITY: u16 = 0x000C;
    pub(crate) const CONNECTED_ADDRESS: u16 = 0x00A1;
    pub(crate) const CONNECTED_DATA: u16 = 0x00B1;
    pub(crate) const UNCONNECTED_DATA: u16 = 0x00B2;
    pub(crate) const LIST_SERVICES: u16 = 0x0100;
    pub(crate) const SOCKET_FROM_PLC: u16 = 0x8000;
    pub(crate) const SOCKET_TO_PLC: u16 = 0x8001;
    pub(crate) const SEQUENCED_ADDRESS: u16 = 0x8002;
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) command: u16,
    /// Bytes that follow.
    pub(crate) length: u16,
    pub(crate) session: u32,
    pub(crate) status: u32,
    /// The asker's own; it comes back with the answer.
    pub(crate) context: [u8; 8],
}

impl Head {
    /// Every 24 bytes are a head.
    pub(crate) fn decode(bytes: &[u8; HEAD]) -> Self {
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let double = |at: usize| u32::from(word(at)) | u32::from(word(at + 2)) << 16;
        let mut context = [0; 8];
        context.copy_from_slice(&bytes[12..20]);
        Self { command: word(0), length: word(2), session: double(4), status: double(8), context }
    }

    /// The frame with `data`, whatever `length` says.
    pub(crate) fn with(&self, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).expect("frames made here are short");
        let mut frame = Vec::with_capacity(HEAD + data.len());
        frame.extend(self.command.to_le_bytes());
        frame.extend(length.to_le_bytes());
        frame.extend(self.session.to_le_bytes());
        frame.extend(self.status.to_le_bytes());
        frame.extend(self.context);
        frame.extend([0; 4]);
        frame.extend(data);
        frame
    }
}

/// An item of the common packet format.
pub(crate) type Item<'a> = (u16, &'a [u8]);

/// Items that one frame may have; a Forward Open with both socket addresses has four.
const ITEMS_MAX: u16 = 8;

/// The items that `data` consists of, all of it.
pub(crate) fn items(data: &[u8]) -> Option<Vec<Item<'_>>> {
    let mut bytes = Bytes(data);
    let count = bytes.word().filter(|&count| count <= ITEMS_MAX)?;
    let mut items = Vec::with_capacity(count.into());
    for _ in 0..count {
        let kind = bytes.word()?;
        let length = bytes.word()?;
        items.push((kind, bytes.take(length.into())?));
    }
    bytes.0.is_empty().then_some(items)
}

/// The first item of `kind`.
pub(crate) fn find<'a>(items: &[Item<'a>], kind: u16) -> Option<&'a [u8]> {
    items.iter().find(|(its, _)| *its == kind).map(|(_, data)| *data)
}

/// `items` with their count.
pub(crate) fn with_items(items: &[Item<'_>]) -> Vec<u8> {
    let mut bytes = (items.len() as u16).to_le_bytes().to_vec();
    for (kind, data) in items {
        bytes.extend(kind.to_le_bytes());
        bytes.extend((data.len() as u16).to_le_bytes());
        bytes.extend(*data);
    }
    bytes
}

/// The items of SendRRData and SendUnitData, behind interface handle (0: CIP) and timeout.
pub(crate) fn message_items(data: &[u8]) -> Option<Vec<Item<'_>>> {
    let mut bytes = Bytes(data);
    bytes.double().filter(|&interface| interface == 0)?;
    bytes.word()?;
    items(bytes.0)
}

/// The data of SendRRData and SendUnitData.
pub(crate) fn message(items: &[Item<'_>]) -> Vec<u8> {
    [&[0; 6], with_items(items).as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_is_read_as_it_was_made() {
        let head = Head { command: 0x6F, length: 3, session: 0x0102_0304, status: 5, context: *b"context." };
        let frame = head.with(&[7, 8, 9]);
        assert_eq!(frame[..4], [0x6F, 0, 3, 0]);
        assert_eq!(Head::decode(frame[..HEAD].try_into().unwrap()), head);
        assert_eq!(frame[HEAD..], [7, 8, 9]);
    }

    #[test]
    fn items_that_do_not_fill_the_data_are_none() {
        let data = with_items(&[(item::NULL_ADDRESS, &[]), (item::UNCONNECTED_DATA, &[1, 2, 3])]);
        assert_eq!(items(&data).unwrap()[1], (item::UNCONNECTED_DATA, [1, 2, 3].as_slice()));
        assert_eq!(items(&data[..data.len() - 1]), None);
        assert_eq!(items(&[data.as_slice(), &[0]].concat()), None);
        assert_eq!(items(&[9, 0]), None, "no frame has nine");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_items_or_none(data in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = items(&data);
            let _ = message_items(&data);
        }
    }
}
