//! The door of a queue: once shut, nobody is left between "accepted" and "in the queue".

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

/// Senders pass through it one by one without waiting; the receiver shuts it and knows when the last one is through.
///
/// Without it a record could slip into the queue between the receiver's last look and its end, accepted and lost.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    shut: AtomicBool,
    inside: AtomicUsize,
}

impl Gate {
    /// `None` once the gate is shut. Hold the guard until the item is in the queue.
    pub(crate) fn enter(&self) -> Option<Inside<'_>> {
        // Order matters: whoever counts himself in before the shutting is waited for, whoever comes later sees it shut.
        self.inside.fetch_add(1, SeqCst);
        let inside = Inside(self);
        (!self.shut.load(SeqCst)).then_some(inside)
    }

    pub(crate) fn shut(&self) {
        self.shut.store(true, SeqCst);
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.shut.load(SeqCst)
    }

    /// After [`Gate::shut`]: true once nothing more can get into the queue.
    pub(crate) fn is_empty(&self) -> bool {
        self.inside.load(SeqCst) == 0
    }
}

/// Somebody in the doorway.
pub(crate) struct Inside<'a>(&'a Gate);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shut_gate_waits_for_those_inside_and_lets_nobody_else_in() {
        let gate = Gate::default();
        let inside = gate.enter().expect("open");
        gate.shut();
        assert!(!gate.is_empty() && gate.enter().is_none());
        drop(inside);
        assert!(gate.is_empty());
    }
}
