//! What a tool may ask the station for by explicit messages (CIP Networks Library, Volume 1, chapter 5): who it is, and what
//! its assemblies hold. Everything is to be read, nothing to be set.

use super::{
    ASSEMBLY_BYTES, CONFIG_ASSEMBLY, INPUT_ASSEMBLY, Identity, OUTPUT_ASSEMBLY, connections::Connections,
};
use crate::protocol::cip::{
    Refusal, Request, Segment,
    encapsulation::{item, with_items},
};
use std::net::SocketAddrV4;

const GET_ATTRIBUTES_ALL: u8 = 0x01;
const GET_ATTRIBUTE_SINGLE: u8 = 0x0E;

/// General statuses.
const PATH_SEGMENT: u8 = 0x04;
const PATH_UNKNOWN: u8 = 0x05;
const NO_SUCH_SERVICE: u8 = 0x08;
const NO_SUCH_ATTRIBUTE: u8 = 0x14;
const NO_SUCH_OBJECT: u8 = 0x16;

/// Answers a request that is not for the Connection Manager.
///
/// # Errors
/// There is no such thing.
pub(super) fn answer(request: &Request<'_>, who: &Identity, io: &Connections) -> Result<Vec<u8>, Refusal> {
    let no = |general| Err(Refusal::general(general));
    let Some(path) = &request.path else { return no(PATH_SEGMENT) };
    let (class, instance, attribute) = match path.as_slice() {
        [Segment::Class(class), Segment::Instance(instance)] => (*class, *instance, None),
        [Segment::Class(class), Segment::Instance(instance), Segment::Attribute(attribute)] => {
            (*class, *instance, Some(*attribute))
        }
        _ => return no(PATH_UNKNOWN),
    };
    let found = match (class, instance, request.service, attribute) {
        (0x01, 1, GET_ATTRIBUTES_ALL, None) => return Ok(identity(who, io.status())),
        (0x01, 1, GET_ATTRIBUTE_SINGLE, Some(attribute)) => identity_attribute(who, io.status(), attribute),
        // The class itself: its revision, and how many there are.
        (0x01 | 0x04, 0, GET_ATTRIBUTE_SINGLE, Some(1)) => {
            Some(if class == 0x04 { vec![2, 0] } else { vec![1, 0] })
        }
        (0x01 | 0x04, 0, GET_ATTRIBUTE_SINGLE, Some(3)) => {
            Some(if class == 0x04 { vec![3, 0] } else { vec![1, 0] })
        }
        (0x04, instance, GET_ATTRIBUTE_SINGLE, Some(attribute)) => {
            let Some(data) = assembly(io, instance) else { return no(NO_SUCH_OBJECT) };
            match attribute {
                3 => Some(data.to_vec()),
                4 => Some((data.len() as u16).to_le_bytes().to_vec()),
                _ => None,
            }
        }
        (0x01 | 0x02, 0 | 1, GET_ATTRIBUTE_SINGLE, Some(_)) => None,
        (0x01 | 0x02, 0 | 1, ..) | (0x04, ..) => return no(NO_SUCH_SERVICE),
        (0x01 | 0x02, ..) => return no(NO_SUCH_OBJECT),
        _ => return no(PATH_UNKNOWN),
    };
    found.ok_or(Refusal::general(NO_SUCH_ATTRIBUTE))
}

fn assembly(io: &Connections, instance: u32) -> Option<&[u8]> {
    const NOTHING: [u8; ASSEMBLY_BYTES] = [0; ASSEMBLY_BYTES];
    match instance {
        INPUT_ASSEMBLY => Some(&io.input),
        OUTPUT_ASSEMBLY => Some(&io.output),
        CONFIG_ASSEMBLY => Some(&NOTHING[..0]),
        _ => None,
    }
}

/// The Identity object (Volume 1, 5-2), all of it.
fn identity(who: &Identity, status: u16) -> Vec<u8> {
    (1..=7).filter_map(|attribute| identity_attribute(who, status, attribute)).flatten().collect()
}

fn identity_attribute(who: &Identity, status: u16, attribute: u32) -> Option<Vec<u8>> {
    Some(match attribute {
        1 => who.vendor.to_le_bytes().to_vec(),
        2 => who.device_type.to_le_bytes().to_vec(),
        3 => who.product.to_le_bytes().to_vec(),
        4 => vec![who.major, who.minor],
        5 => status.to_le_bytes().to_vec(),
        6 => who.serial.to_le_bytes().to_vec(),
        7 => [&[who.name.len() as u8], who.name.as_bytes()].concat(),
        _ => return None,
    })
}

/// The answer to ListIdentity (Volume 2, 2-4.4): who is at `address`.
pub(super) fn list_identity(who: &Identity, io: &Connections, address: SocketAddrV4) -> Vec<u8> {
    let mut data = vec![1, 0]; // version of the encapsulation
    data.extend(socket_address(address));
    data.extend(identity(who, io.status()));
    data.push(3); // operational
    with_items(&[(item::LIST_IDENTITY, &data)])
}

/// The answer to ListServices (Volume 2, 2-4.6): CIP over TCP, class 1 over UDP.
pub(super) fn list_services() -> Vec<u8> {
    let mut data = vec![1, 0, 0x20, 0x01];
    data.extend(b"Communications\0\0");
    with_items(&[(item::LIST_SERVICES, &data)])
}

/// A socket address as items have it: big-endian, alone of all.
pub(super) fn socket_address(address: SocketAddrV4) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[1] = 2;
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    bytes[4..8].copy_from_slice(&address.ip().octets());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{cip::request, ethernet_ip::identity};

    fn ask(service: u8, path: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut io = Connections::new(1);
        io.output[3] = 9;
        answer(&Request::decode(&request(service, path, &[])).unwrap(), &identity(0x0102_0304), &io)
    }

    #[test]
    fn a_tool_learns_who_the_station_is() {
        let all = ask(GET_ATTRIBUTES_ALL, &[0x20, 1, 0x24, 1]).unwrap();
        assert_eq!(all[..6], [0, 0, 0x2B, 0, 1, 0], "vendor, device type, product");
        assert_eq!(
            all[6..14],
            [1, 1, 0x30, 0, 4, 3, 2, 1],
            "revision, status: no I/O connection, serial number"
        );
        assert_eq!(&all[15..], b"Plumb inspection station");
        assert_eq!(ask(GET_ATTRIBUTE_SINGLE, &[0x20, 1, 0x24, 1, 0x30, 6]), Ok(vec![4, 3, 2, 1]));
    }

    #[test]
    fn a_tool_reads_the_assemblies() {
        let output = ask(GET_ATTRIBUTE_SINGLE, &[0x20, 4, 0x24, 150, 0x30, 3]).unwrap();
        assert_eq!((output.len(), output[3]), (ASSEMBLY_BYTES, 9));
        assert_eq!(ask(GET_ATTRIBUTE_SINGLE, &[0x20, 4, 0x24, 100, 0x30, 4]), Ok(vec![20, 0]));
        assert_eq!(ask(GET_ATTRIBUTE_SINGLE, &[0x20, 4, 0x24, 151, 0x30, 3]), Ok(vec![]));
    }

    #[test]
    fn what_is_not_there_is_refused_in_its_own_way() {
        let rows: [(u8, &[u8], u8); 7] = [
            (GET_ATTRIBUTE_SINGLE, &[0x20, 4, 0x24, 99, 0x30, 3], NO_SUCH_OBJECT),
            (GET_ATTRIBUTE_SINGLE, &[0x20, 1, 0x24, 1, 0x30, 99], NO_SUCH_ATTRIBUTE),
            (GET_ATTRIBUTE_SINGLE, &[0x20, 1, 0x24, 2, 0x30, 1], NO_SUCH_OBJECT),
            (0x10, &[0x20, 4, 0x24, 150, 0x30, 3], NO_SUCH_SERVICE),
            (GET_ATTRIBUTES_ALL, &[0x20, 0x99, 0x24, 1], PATH_UNKNOWN),
            (GET_ATTRIBUTES_ALL, &[0x20, 1], PATH_UNKNOWN),
            (GET_ATTRIBUTES_ALL, &[0x91, 1], PATH_SEGMENT),
        ];
        for (service, path, general) in rows {
            assert_eq!(ask(service, path), Err(Refusal::general(general)), "{service:02X} {path:02X?}");
        }
    }
}
