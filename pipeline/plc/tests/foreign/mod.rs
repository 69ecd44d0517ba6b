//! Somebody else's PLC as a process: a Python script in `tests/peer` that serves the block in its own stack of a protocol
//! and opens a side door to its memory.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "each test and bench uses its own part"
)]

use plumb_opcua::security::{Pki, Wish};
use plumb_plc::{OpcUaConfig, simulator::ForeignPlc};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
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
            .args((script == "opc_ua.py").then(opc_ua_folder))
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

impl Peer {
    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

/// Where the OPC UA server's certificate and the station's are, for this test alone; kept from run to run.
pub(crate) fn opc_ua_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(concat!("opc_ua_", env!("CARGO_CRATE_NAME")));
        let wish = Wish { application_uri: "urn:test:station".into(), ..Wish::of_this_machine() };
        Pki::open(folder.join("station")).unwrap().own_or_new(&wish).unwrap();
        let password = folder.join("password");
        std::fs::write(&password, "korrekt pferd").unwrap();
        std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
        folder
    })
}

/// The station as a client of that server, which has been started once: each has trusted the other.
pub(crate) fn opc_ua(address: String) -> OpcUaConfig {
    let folder = opc_ua_folder();
    let pki = folder.join("station");
    Pki::open(&pki).unwrap().trust(folder.join("server.der").to_str().unwrap()).unwrap();
    let node = |name: &str| format!("nsu=http://line;s={name}").try_into().unwrap();
    let mut config = OpcUaConfig::new(format!("opc.tcp://{address}"), node("to_plc"), node("from_plc"));
    config.pki = pki;
    config.login.name = Some("plumb".into());
    config.login.password_file = Some(folder.join("password"));
    config
}
