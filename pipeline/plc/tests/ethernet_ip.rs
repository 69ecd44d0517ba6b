//! The station as an EtherNet/IP module of somebody else's scanner: what goes beyond the suite of all protocols.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test's helpers are part of the test

mod foreign;
mod noise;

use foreign::{Peer, python};
use noise::{footprint, noise};
use plumb_inspection::{PartId, RecipeNumber};
use plumb_plc::{
    Answer, DropCause, EthernetIpConfig, LinkFaultKind, PlcConfig, PlcEvent, PlcLink, StationState,
    VerdictCode, ethernet_ip,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, SocketAddrV4, TcpStream, UdpSocket},
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};
use tokio::sync::{Mutex, mpsc};

/// There is one UDP port 2222.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// No 127.0.0.1: outgoing connections leave from there, at times from port 44818, and keep it for a minute.
fn start() -> (PlcLink, mpsc::Receiver<PlcEvent>) {
    start_with(EthernetIpConfig::new("127.0.0.4:44818"))
}

fn start_with(config: EthernetIpConfig) -> (PlcLink, mpsc::Receiver<PlcEvent>) {
    let (events, heard) = mpsc::channel(256);
    let link = PlcLink::start(PlcConfig::EthernetIp(config), events).unwrap();
    link.set_state(StationState { online: true, recipe: RecipeNumber(1), ..StationState::default() });
    link.set_ready(true);
    (link, heard)
}

async fn until(
    heard: &mut mpsc::Receiver<PlcEvent>,
    what: &str,
    wanted: impl Fn(&PlcEvent) -> bool,
) -> PlcEvent {
    let limit = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let event = tokio::time::timeout_at(limit, heard.recv()).await;
        let event = event.unwrap_or_else(|_| panic!("waited in vain for {what}")).unwrap();
        if wanted(&event) {
            return event;
        }
    }
}

fn signal(peer: &Peer, signal: &str) {
    let status = Command::new("kill").args([signal, &peer.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// The side door with words 0–9 of a PLC that counts.
fn plc_says(peer: &Peer, heartbeat: u16, trigger_enable: bool) {
    let mut request = vec![b'X'];
    for word in [u16::from(trigger_enable), heartbeat, 0, 0, 0, 0, 0, 0, 0, 0] {
        request.extend(word.to_be_bytes());
    }
    let mut door = TcpStream::connect(peer.plc.memory).unwrap();
    door.write_all(&request).unwrap();
    door.read_exact(&mut [0; 20]).unwrap();
}

#[tokio::test]
async fn a_scanner_that_falls_silent_is_said_and_comes_back() {
    let Some(python) = python("ethernetip") else { return };
    let _turn = ONE_AT_A_TIME.lock().await;
    let (link, mut heard) = start();
    let peer = Peer::start(&python, "scanner.py", &["127.0.0.4", "44818"]);
    until(&mut heard, "LinkUp", |event| matches!(event, PlcEvent::LinkUp { .. })).await;
    signal(&peer, "-STOP");
    let down = until(&mut heard, "LinkDown", |event| matches!(event, PlcEvent::LinkDown { .. })).await;
    let PlcEvent::LinkDown { kind, says } = down else { unreachable!() };
    assert_eq!(kind, LinkFaultKind::Silent);
    assert!(says.contains("127.0.0.2") && says.contains("no longer owns 127.0.0.4:44818"), "{says}");
    assert!(!link.is_up());
    signal(&peer, "-CONT");
    until(&mut heard, "LinkUp again", |event| matches!(event, PlcEvent::LinkUp { .. })).await;
    link.stop().await;
}

#[tokio::test]
async fn an_answer_to_a_scanner_that_hangs_or_has_died_is_dropped() {
    let Some(python) = python("ethernetip") else { return };
    let _turn = ONE_AT_A_TIME.lock().await;
    for how in ["-STOP", "-KILL"] {
        let (link, mut heard) = start();
        let peer = Peer::start(&python, "scanner.py", &["127.0.0.4", "44818"]);
        until(&mut heard, "LinkUp", |event| matches!(event, PlcEvent::LinkUp { .. })).await;
        signal(&peer, how);
        // For 320 ms it still owns the station, and some thirty packets go its way.
        let deadline = Instant::now() + Duration::from_millis(250);
        let (part, code, recipe) = (PartId::FIRST, VerdictCode::Pass, RecipeNumber(1));
        link.answer(Answer { part, code, reason: 0, decision: Duration::ZERO, recipe, deadline }).unwrap();
        let ended = |event: &PlcEvent| {
            matches!(event, PlcEvent::AnswerDelivered { .. } | PlcEvent::AnswerDropped { .. })
        };
        let end = until(&mut heard, "the answer's end", ended).await;
        assert!(matches!(end, PlcEvent::AnswerDropped { why: DropCause::Expired, .. }), "{how}: {end:?}");
        link.stop().await;
    }
}

#[tokio::test]
async fn a_scanner_that_says_goodbye_is_gone_at_once_and_may_come_again() {
    let Some(python) = python("ethernetip") else { return };
    let _turn = ONE_AT_A_TIME.lock().await;
    let (link, mut heard) = start();
    let _peer = Peer::start(&python, "scanner.py", &["127.0.0.4", "44818", "polite"]);
    for _ in 0..2 {
        until(&mut heard, "LinkUp", |event| matches!(event, PlcEvent::LinkUp { .. })).await;
        let down = until(&mut heard, "LinkDown", |event| matches!(event, PlcEvent::LinkDown { .. })).await;
        let PlcEvent::LinkDown { kind, says } = down else { unreachable!() };
        assert_eq!(kind, LinkFaultKind::Closed);
        assert!(says.contains("the PLC 127.0.0.2 has closed its connection"), "{says}");
    }
    link.stop().await;
}

#[tokio::test]
async fn another_scanner_is_heard_after_the_first_has_died() {
    let Some(python) = python("ethernetip") else { return };
    let _turn = ONE_AT_A_TIME.lock().await;
    let (link, mut heard) = start();
    for _ in 0..3 {
        let peer = Peer::start(&python, "scanner.py", &["127.0.0.4", "44818"]);
        until(&mut heard, "LinkUp", |event| matches!(event, PlcEvent::LinkUp { .. })).await;
        drop(peer);
        until(&mut heard, "LinkDown", |event| matches!(event, PlcEvent::LinkDown { .. })).await;
    }
    link.stop().await;
}

#[tokio::test]
async fn a_seventeenth_session_is_turned_away_until_one_of_the_sixteen_ends() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (link, mut heard) = start();
    let registered = || {
        let mut stream = TcpStream::connect("127.0.0.4:44818").unwrap();
        stream.write_all(&REGISTER).unwrap();
        stream.read_exact(&mut [0; 28]).map(|()| stream)
    };
    let sessions = tokio::task::spawn_blocking(move || {
        let mut sessions: Vec<_> = (0..16).map(|_| registered().unwrap()).collect();
        assert!(registered().is_err(), "there are sixteen");
        sessions.pop();
        // Its end takes a moment to be noticed.
        let again = (0..1_000).find_map(|_| registered().ok());
        sessions.push(again.expect("there was room for one"));
        sessions
    });
    assert_eq!(sessions.await.unwrap().len(), 16);
    let told = until(&mut heard, "TurnedAway", |event| matches!(event, PlcEvent::TurnedAway { .. })).await;
    let PlcEvent::TurnedAway { says } = told else { unreachable!() };
    assert!(says.starts_with("127.0.0.1 was turned away"), "{says}");
    link.stop().await;
}

/// A tool that asks in raw frames.
struct Tool {
    stream: TcpStream,
    session: [u8; 4],
}

impl Tool {
    fn register() -> Self {
        let mut stream = TcpStream::connect("127.0.0.4:44818").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(&REGISTER).unwrap();
        let mut answer = [0; 28];
        stream.read_exact(&mut answer).unwrap();
        Self { stream, session: answer[4..8].try_into().unwrap() }
    }

    /// General and extended status of the answer to a message for the Connection Manager; 0 where none goes with it.
    fn manager(&mut self, service: u8, data: &[u8], wished: Option<[u8; 16]>) -> (u8, u16) {
        let message = [&[service, 2, 0x20, 6, 0x24, 1], data].concat();
        let mut items = vec![0; 8]; // interface, timeout, count
        items[6] = 2 + u8::from(wished.is_some());
        items.extend([0, 0, 0, 0, 0xB2, 0, message.len() as u8, 0]);
        items.extend(&message);
        if let Some(socket) = wished {
            items.extend([0x01, 0x80, 16, 0]);
            items.extend(socket);
        }
        self.stream.write_all(&framed(self.session, &items)).unwrap();
        let mut head = [0; 24];
        self.stream.read_exact(&mut head).unwrap();
        assert_eq!(head[8..12], [0; 4], "encapsulation status");
        let mut answer = vec![0; usize::from(u16::from_le_bytes([head[2], head[3]]))];
        self.stream.read_exact(&mut answer).unwrap();
        let reply = &answer[16..]; // behind the null address and its own item's head
        assert_eq!(reply[0], service | 0x80);
        (reply[2], if reply[3] == 0 { 0 } else { u16::from_le_bytes([reply[4], reply[5]]) })
    }

    /// Asks to look on as connection `serial`, every 10 ms, point to point.
    fn look_on(&mut self, serial: u8, wished: Option<[u8; 16]>) -> (u8, u16) {
        let mut data = vec![0x0A, 0x0E, 0, 0, 0, 0, serial, 0, 0, 1];
        data.extend([serial, 0, 1, 0, 0xAA, 0xBB, 0xCC, 0xDD, 7, 0, 0, 0]);
        data.extend([0x10, 0x27, 0, 0, 0x02, 0x48, 0x10, 0x27, 0, 0, 0x16, 0x48, 0x01]);
        data.extend([4, 0x20, 0x04, 0x24, 151, 0x2C, 198, 0x2C, 100]);
        self.manager(0x54, &data, wished)
    }

    fn close(&mut self, serial: u8) -> (u8, u16) {
        let mut data = vec![0x0A, 0x0E, serial, 0, 1, 0, 0xAA, 0xBB, 0xCC, 0xDD, 4, 0];
        data.extend([0x20, 0x04, 0x24, 151, 0x2C, 198, 0x2C, 100]);
        self.manager(0x4E, &data, None)
    }
}

/// A socket address as items have it.
fn socket_address(at: SocketAddrV4) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[1] = 2;
    bytes[2..4].copy_from_slice(&at.port().to_be_bytes());
    bytes[4..8].copy_from_slice(&at.ip().octets());
    bytes
}

#[tokio::test]
async fn packets_go_to_who_asked_and_to_nobody_whom_a_forward_open_names() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (link, _heard) = start();
    let asked = tokio::task::spawn_blocking(|| {
        let socket_at = |address: &str| {
            let socket = UdpSocket::bind((address, 0)).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let SocketAddr::V4(at) = socket.local_addr().unwrap() else { unreachable!() };
            (socket, socket_address(at))
        };
        let (bystander, named) = socket_at("127.0.0.9");
        let (ours, own) = socket_at("127.0.0.1");
        let mut tool = Tool::register();
        assert_eq!(tool.look_on(1, Some(named)), (0x01, 0x0205), "a socket address that is not its own");
        assert_eq!(tool.look_on(2, Some(own)), (0, 0));
        let mut datagram = [0; 64];
        assert_eq!(ours.recv_from(&mut datagram).unwrap().0, 2 + 12 + 4 + 22);
        assert!(bystander.recv_from(&mut datagram).is_err(), "it has asked for nothing");
    });
    asked.await.unwrap();
    link.stop().await;
}

#[tokio::test]
async fn an_eighth_that_looks_on_is_refused_until_one_of_the_seven_ends_and_an_owner_never() {
    let Some(python) = python("ethernetip") else { return };
    let _turn = ONE_AT_A_TIME.lock().await;
    let (link, mut heard) = start();
    let asked = tokio::task::spawn_blocking(|| {
        let mut tool = Tool::register();
        for serial in 0..7 {
            assert_eq!(tool.look_on(serial, None), (0, 0), "{serial}");
        }
        assert_eq!(tool.look_on(7, None), (0x01, 0x0113), "there are seven");
        assert_eq!(tool.close(7), (0x01, 0x0107), "it was refused");
        assert_eq!(tool.close(3), (0, 0));
        assert_eq!(tool.look_on(7, None), (0, 0));
        tool
    });
    let _tool = asked.await.unwrap();
    let _peer = Peer::start(&python, "scanner.py", &["127.0.0.4", "44818"]);
    until(&mut heard, "LinkUp", |event| matches!(event, PlcEvent::LinkUp { .. })).await;
    link.stop().await;
}

#[tokio::test]
async fn the_outputs_of_a_controller_in_program_mode_are_not_believed() {
    let Some(python) = python("ethernetip") else { return };
    let _turn = ONE_AT_A_TIME.lock().await;
    let (link, mut heard) = start();
    let peer = Peer::start(&python, "scanner.py", &["127.0.0.4", "44818", "idle"]);
    until(&mut heard, "LinkUp", |event| matches!(event, PlcEvent::LinkUp { .. })).await;
    for heartbeat in 0..20 {
        plc_says(&peer, heartbeat, true);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    until(&mut heard, "PlcLost", |event| matches!(event, PlcEvent::PlcLost { .. })).await;
    assert!(!link.is_up(), "its counter moves, but it says itself that it means nothing");
    link.stop().await;
}

/// `key = value, …;` of each section, without comments.
fn eds() -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/plc/ethernet_ip/plumb.eds");
    let text: String = std::fs::read_to_string(file)
        .unwrap()
        .lines()
        .map(|line| line.split('$').next().unwrap_or_default().to_owned() + "\n")
        .collect();
    let mut sections = BTreeMap::new();
    for section in text.split("\n[").skip(1) {
        let (name, body) = section.split_once(']').unwrap();
        let entries = body.split(';').filter_map(|entry| entry.split_once('='));
        let entries = entries.map(|(key, values)| {
            let values = values.split(',').map(|value| value.trim().trim_matches('"').to_owned()).collect();
            (key.trim().to_owned(), values)
        });
        sections.insert(name.to_owned(), entries.collect());
    }
    sections
}

#[tokio::test]
async fn the_eds_describes_the_adapter_that_runs() {
    let Some(python) = python("ethernetip, cpppo") else { return };
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut config = EthernetIpConfig::new("127.0.0.4:44818");
    config.serial = 77;
    let (link, _heard) = start_with(config);
    let tool = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/peer/eip_tool.py");
    let asked = move || Command::new(python).arg("-B").arg(tool).args(["127.0.0.4", "44818"]).output();
    let tool = tokio::task::spawn_blocking(asked).await.unwrap().unwrap();
    assert!(tool.status.success(), "{}", String::from_utf8_lossy(&tool.stderr));
    let learnt: Value = serde_json::from_slice(&tool.stdout).unwrap();
    link.stop().await;

    let eds = eds();
    let device = &eds["Device"];
    let number = |key: &str| device[key][0].parse::<u32>().unwrap();
    let described = serde_json::json!([
        number("VendCode"),
        number("ProdType"),
        number("ProdCode"),
        number("MajRev"),
        number("MinRev"),
        77,
        device["ProdName"][0],
    ]);
    for way in ["identity", "listed_over_udp", "listed_over_tcp"] {
        assert_eq!(learnt[way], described, "{way}");
    }
    assert_eq!(
        learnt["statuses"],
        serde_json::json!([0x30, 0x70]),
        "no I/O connection, then one, and no owner"
    );
    for (instance, size) in learnt["sizes"].as_object().unwrap() {
        assert_eq!(eds["Assembly"][&format!("Assem{instance}")][2], size.to_string(), "Assem{instance}");
    }
    assert_eq!(learnt["sizes"].as_object().unwrap().len(), 3);

    let path = |from_plc: u32| {
        let (config, input) = (ethernet_ip::CONFIG_ASSEMBLY, ethernet_ip::INPUT_ASSEMBLY);
        format!("20 04 24 {config:02X} 2C {from_plc:02X} 2C {input:02X}")
    };
    let manager = &eds["Connection Manager"];
    for (connection, from_plc) in [
        ("Connection1", ethernet_ip::OUTPUT_ASSEMBLY),
        ("Connection2", ethernet_ip::INPUT_ONLY_HEARTBEAT),
        ("Connection3", ethernet_ip::LISTEN_ONLY_HEARTBEAT),
    ] {
        assert_eq!(manager[connection].last(), Some(&path(from_plc)), "{connection}");
    }
    let rpi = &eds["Params"]["Param1"];
    assert!(rpi.contains(&ethernet_ip::RPI_MIN.as_micros().to_string()), "{rpi:?}");
    assert!(rpi.contains(&ethernet_ip::RPI_MAX.as_micros().to_string()), "{rpi:?}");
}

/// A session is asked for.
const REGISTER: [u8; 28] =
    [0x65, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];

/// A session that is well begun, with a message that is not: a service of the Connection Manager, an attribute, or noise.
fn say_registered(stream: &mut TcpStream, noise: &[u8]) -> std::io::Result<()> {
    stream.write_all(&REGISTER)?;
    let mut answer = [0; 28];
    stream.read_exact(&mut answer)?;
    let asks: [&[u8]; 4] =
        [&[0x54, 2, 0x20, 6, 0x24, 1], &[0x4E, 2, 0x20, 6, 0x24, 1], &[0x0E, 3, 0x20, 4, 0x24, 100], &[]];
    let message = [asks[usize::from(noise[0]) % asks.len()], &noise[1..]].concat();
    let mut data =
        vec![0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0xB2, 0, message.len() as u8, (message.len() >> 8) as u8];
    data.extend(&message);
    stream.write_all(&framed([answer[4], answer[5], answer[6], answer[7]], &data))
}

/// SendRRData.
fn framed(session: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 24];
    frame[0] = 0x6F;
    frame[2..4].copy_from_slice(&(data.len() as u16).to_le_bytes());
    frame[4..8].copy_from_slice(&session);
    frame.extend(data);
    frame
}

#[tokio::test]
async fn ten_thousand_random_strings_to_each_port_leave_it_serving_and_no_larger() {
    let Some(python) = python("ethernetip") else { return };
    let _turn = ONE_AT_A_TIME.lock().await;
    let (link, mut heard) = start();
    // Half of the strings begin like a real header of a real length.
    let heads: [fn(usize) -> Vec<u8>; 6] = [
        |_| vec![2, 0, 0x02, 0x80, 8, 0], // cyclic data
        |length| vec![0x04, 0, length.wrapping_sub(24) as u8, 0],
        |length| vec![0x63, 0, length.wrapping_sub(24) as u8, 0],
        |length| vec![0x65, 0, length.wrapping_sub(24) as u8, 0],
        |length| vec![0x6F, 0, length.wrapping_sub(24) as u8, 0],
        |length| vec![0x70, 0, length.wrapping_sub(24) as u8, 0],
    ];
    let shout = move |rounds: std::ops::Range<u32>| {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut answered = 0;
        for round in rounds {
            let bytes = noise(round, &heads);
            udp.send_to(&bytes, "127.0.0.4:44818").unwrap();
            udp.send_to(&bytes, "127.0.0.4:2222").unwrap();
            // It hangs up, or answers, or waits for more; what is said here is all it gets.
            let said = TcpStream::connect("127.0.0.4:44818").and_then(|mut stream| {
                if round % 3 == 0 {
                    say_registered(&mut stream, &bytes)?;
                } else {
                    stream.write_all(&bytes)?;
                }
                stream.shutdown(Shutdown::Write)?;
                stream.read_to_end(&mut Vec::new())
            });
            answered += u32::from(round % 3 == 0 && said.is_ok_and(|bytes| bytes > 0));
        }
        answered
    };
    let before = tokio::task::spawn_blocking(move || shout(0..2_000)).await.unwrap();
    let (kib_before, _) = footprint();
    let after = tokio::task::spawn_blocking(move || shout(2_000..10_000)).await.unwrap();
    assert_eq!(before + after, 3_334, "each that had a session has had its answer");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (kib, threads) = footprint();
    let grown_kib = kib.saturating_sub(kib_before);
    println!("8 000 more strings: {grown_kib} KiB more, {threads} threads");
    assert!(grown_kib < 16 * 1024, "{grown_kib} KiB more after 8 000 strings");
    assert!(threads < 64, "{threads} threads");
    let _peer = Peer::start(&python, "scanner.py", &["127.0.0.4", "44818"]);
    until(&mut heard, "LinkUp", |event| matches!(event, PlcEvent::LinkUp { .. })).await;
    link.stop().await;
}
