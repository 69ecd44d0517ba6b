//! Somebody else's OPC UA as processes: asyncua (Python) as client and server, node-opcua (Node.js) as client.

#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout, reason = "each test uses its own part")]

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.plumb")
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/peer").join(name)
}

/// The tests' Python with asyncua, or a word that it is not there.
pub(crate) fn python() -> Option<Command> {
    let python = std::env::var_os("PLUMB_TEST_PYTHON").map_or(root().join("venv/bin/python"), PathBuf::from);
    let works = Command::new(&python).args(["-c", "import asyncua"]).stderr(Stdio::null()).status();
    if works.is_ok_and(|status| status.success()) {
        let mut command = Command::new(python);
        command.arg("-B");
        return Some(command);
    }
    println!("skipped: no Python with asyncua at {}; run `deploy/setup.sh --test`", python.display());
    None
}

/// Node.js with node-opcua-client, or a word that it is not there.
pub(crate) fn node() -> Option<Command> {
    let modules = root().join("node/node_modules");
    let works = Command::new("node").arg("--version").stdout(Stdio::null()).status();
    if modules.join("node-opcua-client").is_dir() && works.is_ok_and(|status| status.success()) {
        let mut command = Command::new("node");
        command.env("NODE_PATH", modules);
        return Some(command);
    }
    println!(
        "skipped: no Node.js with node-opcua-client in {}; run `deploy/setup.sh --test`",
        modules.display()
    );
    None
}

/// Runs a peer's script with one JSON document on its stdin; what it prints last is its answer.
pub(crate) fn ask(mut peer: Command, name: &str, wanted: &Value) -> Value {
    let mut child = peer
        .arg(script(name))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(wanted.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = said.lines().last().and_then(|line| serde_json::from_str(line).ok());
    last.unwrap_or_else(|| panic!("{name} said {said:?}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// A peer's server. Dropping it ends its process.
pub(crate) struct Running {
    child: Child,
    /// What it said when it was ready.
    pub(crate) says: Value,
}

impl Running {
    pub(crate) fn start(mut peer: Command, name: &str, wanted: &Value) -> Self {
        let mut child = peer
            .arg(script(name))
            .arg(wanted.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let says =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{name} said {line:?}: {error}"));
        Self { child, says }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

/// A certificate with whatever is wrong with it: `<folder>/<name>.der` and `.pem`, its key.
pub(crate) fn certificate(folder: &Path, name: &str, about: Value) -> Option<(PathBuf, PathBuf)> {
    let (der, pem) = (folder.join(format!("{name}.der")), folder.join(format!("{name}.pem")));
    let mut wanted = serde_json::json!({
        "name": name, "uri": format!("urn:test:{name}"), "hosts": ["localhost", "127.0.0.1"],
        "from_days": -1, "to_days": 30, "bits": 2048, "uri_first": true, "der": der, "pem": pem,
    });
    for (key, value) in about.as_object().unwrap() {
        wanted[key] = value.clone();
    }
    ask(python()?, "make_certificate.py", &wanted);
    Some((der, pem))
}
