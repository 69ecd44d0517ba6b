//! What the figures belong to: this machine.

use serde::Serialize;
use std::{fs, thread};

/// The machine, in a few words.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) processor: String,
    /// Cores that this process may use.
    pub(super) cores: usize,
}

impl Machine {
    pub(super) fn this() -> Self {
        let read = |file| fs::read_to_string(file).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let of = |line: &str| line.split_once(':').map(|(_, value)| value.trim().to_owned());
        // arm64 names no model there; the architecture is what is known.
        let named = info.lines().find(|line| line.starts_with("model name")).and_then(of);
        Self {
            name: read("/proc/sys/kernel/hostname").trim().to_owned(),
            processor: named.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// Processes that wanted a core over the last minute; `None` where the system does not say.
    pub(super) fn load() -> Option<f64> {
        fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
    }
}
