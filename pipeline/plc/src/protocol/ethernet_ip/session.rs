//! One TCP connection of a scanner or a tool: it registers, opens and closes connections, asks for attributes.

use super::{
    connections::Origin,
    forward_open::{
        FORWARD_CLOSE, FORWARD_OPEN, ForwardOpen, LARGE_FORWARD_OPEN, Triad, closed, refusal, triad_bytes,
    },
    module::Module,
    objects::{self, socket_address},
};
use crate::protocol::cip::{
    Bytes, Refusal, Request, Segment,
    encapsulation::{DATA_MAX, HEAD, Head, command, find, item, message, message_items, status},
    reply,
};
use std::{
    io,
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// Who has not registered by then has no business here.
const REGISTER_WITHIN: Duration = Duration::from_secs(10);

/// A session that asks nothing for so long, and whose scanner has no I/O connection, is closed (Volume 2, 2-5.5): a PLC
/// that was switched off never says goodbye.
const SILENT: Duration = Duration::from_secs(120);

/// For the rest of a frame that has begun, and for an answer to be taken.
const FRAME: Duration = Duration::from_secs(5);

/// Connections for messages that one session may have.
const MESSAGE_CONNECTIONS_MAX: usize = 4;

/// Serves the session until it ends.
pub(super) async fn serve(mut stream: TcpStream, plc: Ipv4Addr, module: Arc<Module>) {
    let _ = stream.set_nodelay(true); // it only makes answers later
    let mut session = Session { handle: 0, plc, connections: Vec::new() };
    let began = Instant::now();
    loop {
        let patience = match session.handle {
            0 => REGISTER_WITHIN.saturating_sub(began.elapsed()),
            _ => SILENT,
        };
        if patience.is_zero() {
            return; // whatever it has said meanwhile
        }
        match timeout(patience, stream.peek(&mut [0])).await {
            Ok(Ok(1..)) => {}
            Err(_) if module.has_connection_of(plc) => continue,
            _ => return,
        }
        let turn = async {
            let (head, data) = frame(&mut stream).await?;
            let answer = match data {
                Some(data) => session.answer(&module, &head, &data),
                None => Answer {
                    says: Some(Head { status: status::INVALID_LENGTH, ..head }.with(&[])),
                    last: true,
                },
            };
            if let Some(says) = answer.says {
                stream.write_all(&says).await?;
            }
            io::Result::Ok(answer.last)
        };
        match timeout(FRAME, turn).await {
            Ok(Ok(false)) => {}
            _ => return,
        }
    }
}

/// The next frame; without its data if it is longer than any that makes sense.
async fn frame(stream: &mut TcpStream) -> io::Result<(Head, Option<Vec<u8>>)> {
    let mut head = [0; HEAD];
    stream.read_exact(&mut head).await?;
    let head = Head::decode(&head);
    let length = usize::from(head.length);
    if length > DATA_MAX {
        return Ok((head, None));
    }
    let mut data = vec![0; length];
    stream.read_exact(&mut data).await?;
    Ok((head, Some(data)))
}

struct Session {
    /// 0 until it has registered.
    handle: u32,
    plc: Ipv4Addr,
    connections: Vec<MessageConnection>,
}

/// A class 3 connection to the message router.
struct MessageConnection {
    triad: Triad,
    from_plc_id: u32,
    to_plc_id: u32,
}

struct Answer {
    says: Option<Vec<u8>>,
    /// Then the session is over.
    last: bool,
}

impl Session {
    fn answer(&mut self, module: &Module, head: &Head, data: &[u8]) -> Answer {
        let says =
            |status, data: &[u8]| Answer { says: Some(Head { status, ..*head }.with(data)), last: false };
        match head.command {
            command::NOP => Answer { says: None, last: false },
            command::UNREGISTER_SESSION => Answer { says: None, last: true },
            command::LIST_SERVICES => says(status::SUCCESS, &objects::list_services()),
            command::LIST_IDENTITY => says(status::SUCCESS, &module.list_identity()),
            command::LIST_INTERFACES => says(status::SUCCESS, &[0, 0]),
            command::REGISTER_SESSION => match (data, self.handle) {
                ([1, 0, _, _], 0) => {
                    self.handle = module.new_id();
                    let head = Head { session: self.handle, status: status::SUCCESS, ..*head };
                    Answer { says: Some(head.with(data)), last: false }
                }
                ([1, 0, _, _], _) => says(status::INVALID_COMMAND, data),
                ([_, _, _, _], _) => says(status::UNSUPPORTED_VERSION, &[1, 0, 0, 0]),
                _ => says(status::INVALID_LENGTH, &[]),
            },
            command::SEND_RR_DATA | command::SEND_UNIT_DATA
                if self.handle == 0 || head.session != self.handle =>
            {
                says(status::INVALID_SESSION, &[])
            }
            command::SEND_RR_DATA => match self.unconnected(module, data) {
                Some(answer) => says(status::SUCCESS, &answer),
                None => says(status::INCORRECT_DATA, &[]),
            },
            command::SEND_UNIT_DATA => match self.connected(module, data) {
                Some(answer) => says(status::SUCCESS, &answer),
                None => says(status::INCORRECT_DATA, &[]),
            },
            _ => says(status::INVALID_COMMAND, &[]),
        }
    }

    /// A message on a connection; `None` if it is on none of this session's.
    fn connected(&self, module: &Module, data: &[u8]) -> Option<Vec<u8>> {
        let items = message_items(data)?;
        let id = Bytes(find(&items, item::CONNECTED_ADDRESS)?).double()?;
        let connection = self.connections.iter().find(|connection| connection.from_plc_id == id)?;
        let (sequence, asked) = find(&items, item::CONNECTED_DATA)?.split_at_checked(2)?;
        // Nothing here changes anything, so a message that comes twice may be answered twice.
        let request = Request::decode(asked)?;
        let answer = [sequence, &reply(request.service, module.attribute(&request))].concat();
        let to = connection.to_plc_id.to_le_bytes();
        Some(message(&[(item::CONNECTED_ADDRESS, &to), (item::CONNECTED_DATA, &answer)]))
    }

    /// A message on its own; `None` if it is none.
    fn unconnected(&mut self, module: &Module, data: &[u8]) -> Option<Vec<u8>> {
        let items = message_items(data)?;
        let request = Request::decode(find(&items, item::UNCONNECTED_DATA)?)?;
        let is_manager = request.path.as_deref() == Some(&[Segment::Class(6), Segment::Instance(1)]);
        let mut sockets = Vec::new();
        let answer = match request.service {
            FORWARD_OPEN | LARGE_FORWARD_OPEN if is_manager => {
                let wished = find(&items, item::SOCKET_TO_PLC);
                let large = request.service == LARGE_FORWARD_OPEN;
                let opened = ForwardOpen::decode(request.data, large).map(|wanted| {
                    let opened = self.forward_open(module, &wanted, wished, &mut sockets);
                    let refused = |refusal| refused(request.service, refusal, wanted.triad);
                    opened.map_or_else(refused, |granted| reply(request.service, Ok(granted)))
                });
                opened.unwrap_or_else(|refusal| reply(request.service, Err(refusal)))
            }
            FORWARD_CLOSE if is_manager => match closed(request.data) {
                None => reply(request.service, Err(Refusal::general(0x13))),
                Some(triad) if self.close(module, triad) => {
                    reply(request.service, Ok([triad_bytes(triad), vec![0, 0]].concat()))
                }
                Some(triad) => {
                    refused(request.service, Refusal::connection(refusal::NO_SUCH_CONNECTION), triad)
                }
            },
            service if is_manager => reply(service, Err(Refusal::general(0x08))),
            service => reply(service, module.attribute(&request)),
        };
        let mut items = vec![(item::NULL_ADDRESS, [].as_slice()), (item::UNCONNECTED_DATA, &answer)];
        items.extend(sockets.iter().map(|(kind, address)| (*kind, address.as_slice())));
        Some(message(&items))
    }

    /// The reply's data; `sockets` gets what the scanner must know of addresses.
    fn forward_open(
        &mut self,
        module: &Module,
        wanted: &ForwardOpen,
        wished: Option<&[u8]>,
        sockets: &mut Vec<(u16, [u8; 16])>,
    ) -> Result<Vec<u8>, Refusal> {
        if wanted.class == 3 {
            return self.open_for_messages(module, wanted);
        }
        let port = match wished {
            None => super::IO_PORT,
            Some(address) => self.port_of(address).ok_or(Refusal::connection(refusal::SOCKET_ADDRESS))?,
        };
        let opened = module.open(wanted, Origin { plc: self.plc, port, group: module.group })?;
        if module.address_io.port() != super::IO_PORT {
            sockets.push((item::SOCKET_FROM_PLC, socket_address(module.address_io)));
        }
        if opened.multicast {
            sockets.push((item::SOCKET_TO_PLC, socket_address(module.group)));
        }
        Ok(opened.reply)
    }

    /// The port of a wish where to send; `None` if it is somebody else's address: the station shouts at nobody who has
    /// not asked.
    fn port_of(&self, address: &[u8]) -> Option<u16> {
        let [0, 2, high, low, a, b, c, d, ..] = address else { return None };
        let ip = Ipv4Addr::new(*a, *b, *c, *d);
        let port = u16::from_be_bytes([*high, *low]);
        (ip.is_unspecified() || ip.is_multicast() || ip == self.plc).then_some(port).filter(|&port| port != 0)
    }

    fn open_for_messages(&mut self, module: &Module, wanted: &ForwardOpen) -> Result<Vec<u8>, Refusal> {
        let path = match wanted.path.as_slice() {
            [Segment::Key { .. }, path @ ..] => path,
            path => path,
        };
        if path != [Segment::Class(2), Segment::Instance(1)] {
            return Err(Refusal::connection(refusal::PATH));
        }
        if self.connections.iter().any(|connection| connection.triad == wanted.triad) {
            return Err(Refusal::connection(refusal::IN_USE));
        }
        if self.connections.len() >= MESSAGE_CONNECTIONS_MAX {
            return Err(Refusal::connection(refusal::NO_MORE_CONNECTIONS));
        }
        let (from_plc_id, to_plc_id) = (module.new_id(), wanted.to_plc_id);
        self.connections.push(MessageConnection { triad: wanted.triad, from_plc_id, to_plc_id });
        Ok(wanted.granted(from_plc_id, to_plc_id, wanted.to_plc.interval))
    }

    /// False if there is no such connection.
    fn close(&mut self, module: &Module, triad: Triad) -> bool {
        let before = self.connections.len();
        self.connections.retain(|connection| connection.triad != triad);
        self.connections.len() < before || module.close(triad)
    }
}

/// A refusal of the Connection Manager, which names the connection.
fn refused(service: u8, refusal: Refusal, triad: Triad) -> Vec<u8> {
    [reply(service, Err(refusal)), triad_bytes(triad), vec![0, 0]].concat()
}
