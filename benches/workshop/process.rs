//! What this process has used: CPU time, by thread where the system tells, and memory.

use cpu_time::ProcessTime;
use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

/// Clock, CPU time of the process, and of each of its threads by name, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) at: Instant,
    cpu: ProcessTime,
    threads: BTreeMap<String, Duration>,
}

impl Reading {
    pub(crate) fn now() -> Self {
        Self { at: Instant::now(), cpu: ProcessTime::now(), threads: threads() }
    }

    /// CPU ms between `earlier` and this, all threads, also those that are gone.
    pub(crate) fn cpu_ms_since(&self, earlier: &Self) -> f64 {
        self.cpu.duration_since(earlier.cpu).as_secs_f64() * 1e3
    }

    /// CPU ms of each thread that lives now.
    pub(crate) fn threads_ms_since(&self, earlier: &Self) -> BTreeMap<String, f64> {
        let used = |(name, time): (&String, &Duration)| {
            let before = earlier.threads.get(name).copied().unwrap_or_default();
            (name.clone(), time.saturating_sub(before).as_secs_f64() * 1e3)
        };
        self.threads.iter().map(used).collect()
    }
}

/// GStreamer's streaming threads, by the one name they are given here: they decode.
pub(crate) const GSTREAMER: &str = "gstreamer";

/// From the scheduler's own count in ns; threads of one name are added up. GStreamer names its threads after a pad
/// (`multiqueue3:src`), with a number that goes up from pipeline to pipeline.
fn threads() -> BTreeMap<String, Duration> {
    let mut threads = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let ns = read("schedstat").split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
        let name = read("comm");
        let name = if name.contains(':') { GSTREAMER } else { name.trim() };
        *threads.entry(name.to_owned()).or_default() += Duration::from_nanos(ns);
    }
    threads
}

/// `VmRSS` (now) or `VmHWM` (the most there ever was) in MB (10⁶ bytes).
pub(crate) fn memory_mb(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib * 1024.0 / 1e6)
}

/// Processes that wanted a CPU over the last minute: what else the machine was doing.
pub(crate) fn load() -> f64 {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}
