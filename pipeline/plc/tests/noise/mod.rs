//! What nobody should ever send to a port, and what must not have grown when it was sent ten thousand times.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its own part")]

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
