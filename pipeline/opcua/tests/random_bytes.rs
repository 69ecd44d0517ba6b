//! Whatever a stranger sends to the port, the server goes on serving and keeps no memory of it.

#![cfg(target_os = "linux")] // memory is read from /proc
#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

mod little_server;
mod little_station;

use little_station::{Served, users};
use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

const STRINGS: u32 = 10_000;

/// What the process may grow by over the last nine tenths of them: the allocator's own unrest.
const GROWTH_KIB: u64 = 8 * 1_024;

/// Same seed, same bytes (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let count = self.roll() % 600;
        (0..count).map(|_| self.roll() as u8).collect()
    }
}

/// A message with its header: true of its length, or not.
fn message(kind: &[u8; 4], body: &[u8], length: Option<u32>) -> Vec<u8> {
    let length = length.unwrap_or(8 + body.len() as u32);
    [&kind[..], &length.to_le_bytes(), body].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

fn hello(at: SocketAddr) -> Vec<u8> {
    let sizes: Vec<u8> = [0_u32, 65_536, 65_536, 0, 0].iter().flat_map(|size| size.to_le_bytes()).collect();
    message(b"HELF", &[sizes, text(&format!("opc.tcp://{at}"))].concat(), None)
}

/// From noise to what gets past the first two readers.
fn nonsense(dice: &mut Dice, at: SocketAddr) -> Vec<u8> {
    let noise = dice.bytes();
    let policy = ["None", "Basic256Sha256", "Aes128_Sha256_RsaOaep"][dice.roll() as usize % 3];
    let policy = text(&format!("http://opcfoundation.org/UA/SecurityPolicy#{policy}"));
    let long = u32::try_from(dice.roll() >> 32).unwrap();
    match dice.roll() % 7 {
        0 => noise,
        1 => message(b"HELF", &noise, None),
        2 => message(b"HELF", &noise, Some(long)),
        3 => [hello(at), message(b"OPNF", &noise, None)].concat(),
        4 => [hello(at), message(b"OPNF", &[vec![0; 4], policy, noise].concat(), None)].concat(),
        5 => [hello(at), message(b"MSGC", &noise, None), message(b"MSGF", &noise, Some(long))].concat(),
        _ => [hello(at), message(b"CLOF", &noise, None), hello(at)].concat(),
    }
}

/// Sends it and takes what comes, until the server has had enough or shows that it read it.
fn send(at: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut wire = TcpStream::connect(at).unwrap();
    wire.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = Vec::new();
    // The server may hang up while we still talk: that is an answer.
    if wire.write_all(bytes).is_ok() && wire.shutdown(Shutdown::Write).is_ok() {
        let _ = wire.read_to_end(&mut answer);
    }
    answer
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn ten_thousand_random_strings_cost_neither_the_service_nor_memory() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path(), users());
    let at = served.server.as_ref().unwrap().address();
    let mut dice = Dice(40_100);
    let (mut before, mut answered) = ((0, 0), 0);
    for count in 0..STRINGS {
        if count == STRINGS / 10 {
            before = (resident_kib(), open_files());
        }
        answered += u32::from(!send(at, &nonsense(&mut dice, at)).is_empty());
    }
    assert!(answered > STRINGS / 4, "only {answered} were read far enough to be answered");
    let (memory, files) = (resident_kib(), open_files());
    println!("{answered} answered; memory {} -> {memory} KiB, files {} -> {files}", before.0, before.1);
    assert!(memory < before.0 + GROWTH_KIB, "{} -> {memory} KiB", before.0);
    assert!(files < before.1 + 20, "{} -> {files} open files", before.1);
    let answer = send(at, &hello(at));
    assert_eq!(&answer[..4], b"ACKF", "it serves as before");
}
