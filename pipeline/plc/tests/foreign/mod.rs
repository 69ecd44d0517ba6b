//! Somebody else's PLC as a process: a Python script in `tests/peer` that serves the block in its own stack of a protocol
//! and opens a side door to its memory.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "each test and bench uses its own part"
)]

use plumb_plc::simulator::ForeignPlc;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// The tests' Python, where it is there and whole; says so where it is not.
pub(crate) fn python(module: &str) -> Option<PathBuf> {
    let ours = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.plumb/venv/bin/python");
    let python = std::env::var_os("PLUMB_TEST_PYTHON").map_or(ours, PathBuf::from);
    let works =
        Command::new(&python).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
    if works.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    println!(
        "skipped: no Python with {module} at {}; run `deploy/setup.sh --test` or set PLUMB_TEST_PYTHON",
        python.display()
    );
    None
}

/// A running peer. Dropping it ends its process.
pub(crate) struct Peer {
    child: Child,
    /// Where it serves, and its side door.
    pub(crate) plc: ForeignPlc,
    /// All that it said of itself at the start.
    pub(crate) says: Value,
}

impl Peer {
    /// Starts `tests/peer/<script>` and waits until it serves.
    pub(crate) fn start(python: &PathBuf, script: &str, extra: &[&str]) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/peer");
        let mut child = Command::new(python)
            .arg("-B")
            .arg(folder.join(script))
            .args(extra)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let says: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{script} said {line:?}: {error}"));
        let at = |key: &str| SocketAddr::from(([127, 0, 0, 1], says[key].as_u64().unwrap() as u16));
        let plc = ForeignPlc { server: at("port"), memory: at("memory") };
        Self { child, plc, says }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}
