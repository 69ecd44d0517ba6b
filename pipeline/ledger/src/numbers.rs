//! Part ids for stations whose PLC does not number parts: they go on after a restart and are never given twice.

use crossbeam_channel::Sender;
use plumb_inspection::PartId;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Ids reserved on disk at a time. After a kill the rest of a block is left out: ids jump, they never repeat.
const BLOCK: u64 = 4_000;

/// With fewer than this left the next block is reserved. More than all records that may wait for a failing disk, so
/// the reserve is not what runs out first.
const LOW: u64 = 2_000;

/// Hands out part ids. Clones share one count.
#[derive(Clone, Debug)]
pub struct PartNumbers(Arc<Numbers>);

impl PartNumbers {
    /// The next id. Never waits: the `ledger` thread reserves ahead of it.
    ///
    /// If the disk fails until the reserve is used up, ids are given all the same, for a part must have one; that
    /// is logged, and counted in [`crate::LedgerStats::numbers_unreserved`].
    ///
    /// After `u32::MAX` comes 1 again. Ids that a PLC chose itself are not skipped.
    #[allow(clippy::should_implement_trait)] // it has no end, and many hold it at once
    pub fn next(&self) -> PartId {
        let count = self.0.next.fetch_add(1, Relaxed);
        let ceiling = self.0.ceiling.load(Relaxed);
        if count + LOW > ceiling {
            let _ = self.0.wake.try_send(()); // full: the thread is being woken already
        }
        if count >= ceiling {
            self.0.unreserved.fetch_add(1, Relaxed);
            if count == ceiling {
                tracing::error!(
                    part = count,
                    "The disk did not take the reservation of further part ids; from this part on ids may repeat after a kill."
                );
            }
        }
        part_id(count)
    }

    /// True if only the ledger itself and its thread still hold it, so that nobody can ask for another id.
    pub(crate) fn is_ours_alone(&self) -> bool {
        Arc::strong_count(&self.0) <= 2
    }

    pub(crate) fn shared(&self) -> Arc<Numbers> {
        Arc::clone(&self.0)
    }
}

/// The count behind [`PartNumbers`]: 1, 2, … without wrapping; ids wrap.
#[derive(Debug)]
pub(crate) struct Numbers {
    next: AtomicU64,
    /// Counts below it are reserved on disk.
    ceiling: AtomicU64,
    unreserved: AtomicU64,
    wake: Sender<()>,
}

impl Numbers {
    /// Goes on at `ceiling`, the one found on disk: what lies below may have been given out before.
    pub(crate) fn from_ceiling(ceiling: u64, wake: Sender<()>) -> PartNumbers {
        let (next, ceiling) = (AtomicU64::new(ceiling), AtomicU64::new(ceiling));
        PartNumbers(Arc::new(Self { next, ceiling, unreserved: AtomicU64::new(0), wake }))
    }

    /// The ceiling to write to disk now; `None` while enough is left.
    pub(crate) fn wanted_ceiling(&self) -> Option<u64> {
        let next = self.next.load(Relaxed);
        (next + LOW > self.ceiling()).then_some(next + BLOCK)
    }

    /// `ceiling` is on disk.
    pub(crate) fn reserved(&self, ceiling: u64) {
        self.ceiling.store(ceiling, Relaxed);
    }

    pub(crate) fn ceiling(&self) -> u64 {
        self.ceiling.load(Relaxed)
    }

    /// The count that the next id will have.
    pub(crate) fn next_count(&self) -> u64 {
        self.next.load(Relaxed)
    }

    pub(crate) fn unreserved(&self) -> u64 {
        self.unreserved.load(Relaxed)
    }
}

/// 1 → 1, …, 2³²-1 → 2³²-1, 2³² → 1.
fn part_id(count: u64) -> PartId {
    let wrapped = (count.saturating_sub(1) % u64::from(u32::MAX)) as u32 + 1;
    PartId::new(wrapped).expect("1 was added")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_skip_zero_when_they_wrap() {
        let max = u64::from(u32::MAX);
        let ids = [1, max, max + 1, 2 * max, 2 * max + 1].map(|count| part_id(count).get());
        assert_eq!(ids, [1, u32::MAX, 1, u32::MAX, 1]);
    }

    #[test]
    fn the_next_block_is_asked_for_long_before_the_last_id() {
        let (wake, woken) = crossbeam_channel::bounded(1);
        let numbers = Numbers::from_ceiling(1, wake);
        let shared = numbers.shared();
        let first = shared.wanted_ceiling().expect("nothing is reserved yet");
        shared.reserved(first);
        while woken.is_empty() {
            numbers.next();
        }
        assert!(shared.ceiling() - shared.next_count() >= LOW - 2, "asked too late");
        assert!(shared.wanted_ceiling().is_some_and(|ceiling| ceiling >= shared.next_count() + BLOCK));
        assert_eq!(shared.unreserved(), 0);
    }

    #[test]
    fn a_disk_that_takes_no_reservation_does_not_stop_the_line() {
        let (wake, _woken) = crossbeam_channel::bounded(1);
        let numbers = Numbers::from_ceiling(1, wake);
        assert_eq!([numbers.next(), numbers.next()].map(PartId::get), [1, 2]);
        assert_eq!(numbers.shared().unreserved(), 2);
    }
}
