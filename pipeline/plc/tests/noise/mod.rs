//! What nobody should ever send to a port, and what must not have grown when it was sent ten thousand times.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its own part")]

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Sends ten thousand strings to a TCP port; after the first two thousand the process may not have grown by more than
/// 8 MiB, nor have more than 64 threads, nor may anything in it have panicked.
pub(crate) fn ten_thousand(address: SocketAddr, heads: &[fn(usize) -> Vec<u8>]) {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        default(info);
    }));
    shout(address, heads, 0..2_000);
    let (kib_before, _) = footprint();
    shout(address, heads, 2_000..10_000);
    let (kib, threads) = footprint();
    let grown_kib = kib.saturating_sub(kib_before);
    assert!(grown_kib < 8 * 1024, "{grown_kib} KiB more after 8 000 strings");
    assert!(threads < 64, "{threads} threads");
    let panics = PANICS.load(Ordering::Relaxed);
    assert_eq!(panics, 0, "a panic that costs only its connection is one all the same");
}

/// Says each string over a connection of its own and waits for the other end to hang up, as it must: with an answer, or
/// without.
fn shout(address: SocketAddr, heads: &[fn(usize) -> Vec<u8>], rounds: Range<u32>) {
    for round in rounds {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // It may have hung up before all was said.
        let said = stream.write_all(&noise(round, heads)).and_then(|()| stream.shutdown(Shutdown::Write));
        let heard = said.and_then(|()| stream.read_to_end(&mut Vec::new()));
        let waits = heard.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!waits, "round {round}: it holds on to who has no more to say");
    }
}

/// The string of this round: 1 to 256 random bytes, the same in each run. Every second one begins with one of `heads`,
/// as far as it is long enough, so that it gets past the first look; its length is for the head to say.
pub(crate) fn noise(round: u32, heads: &[fn(usize) -> Vec<u8>]) -> Vec<u8> {
    // A linear congruence is noise enough.
    let mut state = u64::from(round).wrapping_mul(6_364_136_223_846_793_005) + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let length = 1 + usize::from(next());
    let mut bytes: Vec<u8> = (0..length).map(|_| next()).collect();
    if round.is_multiple_of(2) && !heads.is_empty() {
        let head = heads[round as usize / 2 % heads.len()](length);
        if head.len() < length {
            bytes[..head.len()].copy_from_slice(&head);
        }
    }
    bytes
}

/// Resident memory in KiB and threads of this process.
pub(crate) fn footprint() -> (u64, usize) {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    (pages * 4, std::fs::read_dir("/proc/self/task").unwrap().count())
}
