//! Whether the machine's clock is held to another one. Without that, records of two stations cannot be laid side by side.

use std::{
    process::Command,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// Asks systemd. `None`: it does not answer, as in a container. May take a while.
pub(crate) fn is_synchronised() -> Option<bool> {
    let asked = Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]).output();
    let answer = asked.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&answer.stdout).trim() == "yes")
}

/// The last answer, for those who cannot wait for one.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastAnswer {
    answer: Arc<Mutex<Option<bool>>>,
    asking: Arc<AtomicBool>,
}

impl LastAnswer {
    pub(crate) fn get(&self) -> Option<bool> {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks on a thread of its own, one at a time: a systemd that hangs costs one thread.
    pub(crate) fn ask_again(&self) {
        if self.asking.swap(true, Relaxed) {
            return;
        }
        let last = self.clone();
        let ask = move || {
            let answer = is_synchronised();
            *last.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
            last.asking.store(false, Relaxed);
        };
        if let Err(error) = crate::threads::spawn("clock".to_owned(), ask) {
            tracing::warn!(%error, "Whether the clock is synchronised is not known.");
            self.asking.store(false, Relaxed);
        }
    }
}
