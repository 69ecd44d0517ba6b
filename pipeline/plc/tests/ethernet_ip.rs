//! The station as an EtherNet/IP module of somebody else's scanner: what goes beyond the suite of all protocols.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test's helpers are part of the test

mod foreign;
mod noise;

use foreign::{Peer, python};
use noise::{footprint, noise};
use plumb_inspection::RecipeNumber;
use plumb_plc::{EthernetIpConfig, LinkFaultKind, PlcConfig, PlcEvent, PlcLink, StationState, ethernet_ip};
use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{TcpStream, UdpSocket},
    path::PathBuf,
    process::Command,
    time::Duration,
};
use tokio::sync::{Mutex, mpsc};

/// There is one UDP port 2222.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

fn start() -> (PlcLink, mpsc::Receiver<PlcEvent>) {
    let (events, heard) = mpsc::channel(256);
    let link =
        PlcLink::start(PlcConfig::EthernetIp(EthernetIpConfig::new("127.0.0.1:44818")), events).unwrap();
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
    let peer = Peer::start(&python, "scanner.py", &["127.0.0.1", "44818"]);
    until(&mut heard, "LinkUp", |event| matches!(event, PlcEvent::LinkUp { .. })).await;
    signal(&peer, "-STOP");
    let down = until(&mut heard, "LinkDown", |event| matches!(event, PlcEvent::LinkDown { .. })).await;
    let PlcEvent::LinkDown { kind, says } = down else { unreachable!() };
    assert_eq!(kind, LinkFaultKind::Silent);
    assert!(says.contains("127.0.0.2") && says.contains("no longer owns 127.0.0.1:44818"), "{says}");
    assert!(!link.is_up());
    signal(&peer, "-CONT");
    until(&mut heard, "LinkUp again", |event| matches!(event, PlcEvent::LinkUp { .. })).await;
    link.stop().await;
}

#[tokio::test]
async fn the_outputs_of_a_controller_in_program_mode_are_not_believed() {
    let Some(python) = python("ethernetip") else { return };
    let _turn = ONE_AT_A_TIME.lock().await;
    let (link, mut heard) = start();
    let peer = Peer::start(&python, "scanner.py", &["127.0.0.1", "44818", "idle"]);
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

#[test]
fn the_eds_describes_the_adapter_that_runs() {
    let eds = eds();
    let identity = ethernet_ip::identity(1);
    let device = &eds["Device"];
    assert_eq!(device["VendCode"], [identity.vendor_id.to_string()]);
    assert_eq!(device["ProdType"], [identity.device_type.to_string()]);
    assert_eq!(device["ProdCode"], [identity.product_code.to_string()]);
    assert_eq!(device["MajRev"], [identity.revision.0.to_string()]);
    assert_eq!(device["MinRev"], [identity.revision.1.to_string()]);
    assert_eq!(device["ProdName"], [identity.product_name]);
    let bytes = ethernet_ip::ASSEMBLY_BYTES.to_string();
    for (assembly, size) in [
        (ethernet_ip::INPUT_ASSEMBLY, bytes.as_str()),
        (ethernet_ip::OUTPUT_ASSEMBLY, bytes.as_str()),
        (ethernet_ip::CONFIG_ASSEMBLY, "0"),
    ] {
        assert_eq!(eds["Assembly"][&format!("Assem{assembly}")][2], size, "Assem{assembly}");
    }
    let path = |o_t: u32| {
        format!(
            "20 04 24 {:02X} 2C {o_t:02X} 2C {:02X}",
            ethernet_ip::CONFIG_ASSEMBLY,
            ethernet_ip::INPUT_ASSEMBLY
        )
    };
    let manager = &eds["Connection Manager"];
    for (connection, o_t) in [
        ("Connection1", ethernet_ip::OUTPUT_ASSEMBLY),
        ("Connection2", ethernet_ip::INPUT_ONLY_HEARTBEAT),
        ("Connection3", ethernet_ip::LISTEN_ONLY_HEARTBEAT),
    ] {
        assert_eq!(manager[connection].last(), Some(&path(o_t)), "{connection}");
    }
    let rpi = &eds["Params"]["Param1"];
    assert!(rpi.contains(&ethernet_ip::RPI_MIN.as_micros().to_string()), "{rpi:?}");
    assert!(rpi.contains(&ethernet_ip::RPI_MAX.as_micros().to_string()), "{rpi:?}");
}

#[tokio::test]
async fn ten_thousand_random_strings_to_each_port_leave_it_serving_and_no_larger() {
    let Some(python) = python("ethernetip") else { return };
    let _turn = ONE_AT_A_TIME.lock().await;
    let (link, mut heard) = start();
    // Half of the strings begin like a real header of a real length.
    let heads: [fn(usize) -> Vec<u8>; 5] = [
        |length| vec![0x04, 0, length.wrapping_sub(24) as u8, 0],
        |length| vec![0x63, 0, length.wrapping_sub(24) as u8, 0],
        |length| vec![0x65, 0, length.wrapping_sub(24) as u8, 0],
        |length| vec![0x6F, 0, length.wrapping_sub(24) as u8, 0],
        |length| vec![0x70, 0, length.wrapping_sub(24) as u8, 0],
    ];
    let shout = move |rounds: std::ops::Range<u32>| {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        for round in rounds {
            let bytes = noise(round, &heads);
            udp.send_to(&bytes, "127.0.0.1:44818").unwrap();
            udp.send_to(&bytes, "127.0.0.1:2222").unwrap();
            let mut stream = TcpStream::connect("127.0.0.1:44818").unwrap();
            let _ = stream.write_all(&bytes); // it may have hung up already
        }
    };
    tokio::task::spawn_blocking(move || shout(0..2_000)).await.unwrap();
    let (kib_before, _) = footprint();
    tokio::task::spawn_blocking(move || shout(2_000..10_000)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (kib, threads) = footprint();
    let grown_kib = kib.saturating_sub(kib_before);
    println!("8 000 more strings: {grown_kib} KiB more, {threads} threads");
    assert!(grown_kib < 16 * 1024, "{grown_kib} KiB more after 8 000 strings");
    assert!(threads < 64, "{threads} threads");
    let _peer = Peer::start(&python, "scanner.py", &["127.0.0.1", "44818"]);
    until(&mut heard, "LinkUp", |event| matches!(event, PlcEvent::LinkUp { .. })).await;
    link.stop().await;
}
