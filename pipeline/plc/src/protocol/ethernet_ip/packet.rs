//! A class 1 packet (CIP Networks Library, Volume 2, 2-6.4): two items, the connection with a sequence number, and the data.

use super::ASSEMBLY_BYTES;
use crate::protocol::cip::{
    Bytes,
    encapsulation::{item, items, with_items},
};

/// Bytes of a payload from the PLC: sequence count, run/idle header, words 0–9.
pub(super) const OUTPUT_BYTES: usize = 2 + 4 + ASSEMBLY_BYTES;

/// Bytes of a payload to the PLC: sequence count, words 10–19.
pub(super) const INPUT_BYTES: usize = 2 + ASSEMBLY_BYTES;

/// A packet as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) connection: u32,
    pub(super) sequence: u32,
    pub(super) payload: &'a [u8],
}

/// `None` if it is something else.
pub(super) fn decode(datagram: &[u8]) -> Option<Packet<'_>> {
    let items = items(datagram)?;
    let [(item::SEQUENCED_ADDRESS, address), (item::CONNECTED_DATA, payload)] = items.as_slice() else {
        return None;
    };
    let mut address = Bytes(address);
    Some(Packet { connection: address.double()?, sequence: address.double()?, payload })
}

/// The run bit and words 0–9 of an owner's payload.
pub(super) fn output(payload: &[u8]) -> Option<(bool, [u8; ASSEMBLY_BYTES])> {
    let mut bytes = Bytes(payload);
    bytes.word()?; // the packet's own number has told already whether it is new
    let header = bytes.double()?;
    Some((header & 1 == 1, bytes.0.try_into().ok()?))
}

/// A packet of the station's.
pub(super) fn encode(connection: u32, sequence: u32, input: &[u8; ASSEMBLY_BYTES]) -> Vec<u8> {
    let address = [connection.to_le_bytes(), sequence.to_le_bytes()].concat();
    let payload = [(sequence as u16).to_le_bytes().as_slice(), input].concat();
    with_items(&[(item::SEQUENCED_ADDRESS, &address), (item::CONNECTED_DATA, &payload)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_of_ours_is_laid_out_as_scanners_read_it() {
        let bytes = encode(0x0102_0304, 0x1_0002, &[7; ASSEMBLY_BYTES]);
        assert_eq!(bytes[..14], [2, 0, 0x02, 0x80, 8, 0, 4, 3, 2, 1, 2, 0, 1, 0]);
        assert_eq!(bytes[14..20], [0xB1, 0, 22, 0, 2, 0]);
        assert_eq!(bytes[20..], [7; ASSEMBLY_BYTES]);
        let packet = decode(&bytes).unwrap();
        assert_eq!((packet.connection, packet.sequence), (0x0102_0304, 0x1_0002));
    }

    #[test]
    fn an_owners_payload_has_its_run_bit_and_exactly_twenty_bytes() {
        let payload =
            |header: u8, length: usize| [&[1, 0, header, 0, 0, 0], vec![9; length].as_slice()].concat();
        assert_eq!(output(&payload(1, 20)), Some((true, [9; 20])));
        assert_eq!(output(&payload(0, 20)), Some((false, [9; 20])));
        assert_eq!(output(&payload(1, 19)), None);
        assert_eq!(output(&payload(1, 21)), None);
        assert_eq!(output(&[1, 0, 1]), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_packet_or_none(datagram in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&datagram);
            let _ = output(&datagram);
        }
    }
}
