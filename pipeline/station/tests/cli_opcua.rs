//! `plumb opcua`: certificates, trust and users, as a person sets them up.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

use serde_json::Value;
use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

fn plumb(folder: &Path, args: &[&str], typed: &str) -> Output {
    let mut plumb = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .arg("opcua")
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that asks for nothing may have ended.
    let _ = plumb.stdin.take().unwrap().write_all(typed.as_bytes());
    plumb.wait_with_output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", told(output)))
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_certificate_is_made_once_and_its_key_is_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let make = ["certificate", "--pki", "ours", "--json", "--host", "station-3.plant", "--name", "Station 3"];
    let made = json(&plumb(folder.path(), &make, ""));
    assert_eq!(made["schema"], "plumb.opcua_certificate/1");
    assert_eq!(made["name"], "Station 3");
    assert!(made["hosts"].as_array().unwrap().contains(&"station-3.plant".into()), "{made}");
    let key = folder.path().join(made["key"].as_str().unwrap());
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);

    let again = plumb(folder.path(), &["certificate", "--pki", "ours", "--json", "--name", "Other"], "");
    assert_eq!(json(&again)["thumbprint"], made["thumbprint"], "every peer would have to trust it anew");
    assert!(told(&again).contains("--renew makes another"), "{}", told(&again));
    let renewed = json(&plumb(folder.path(), &["certificate", "--pki", "ours", "--json", "--renew"], ""));
    assert_ne!(renewed["thumbprint"], made["thumbprint"]);
}

#[test]
fn a_peer_is_trusted_by_a_person_and_no_longer_than_that() {
    let folder = tempfile::tempdir().unwrap();
    let peer = json(&plumb(folder.path(), &["certificate", "--pki", "theirs", "--json"], ""));
    let (file, thumbprint) = (peer["file"].as_str().unwrap(), peer["thumbprint"].as_str().unwrap());
    let nobody = plumb(folder.path(), &["clients", "--pki", "ours"], "");
    assert!(told(&nobody).contains("nobody is trusted, and nobody has knocked yet"), "{}", told(&nobody));

    let trusted = plumb(folder.path(), &["trust", file, "--pki", "ours"], "");
    assert_eq!(trusted.status.code(), Some(0), "{}", told(&trusted));
    let clients = json(&plumb(folder.path(), &["clients", "--pki", "ours", "--json"], ""));
    assert_eq!(clients["trusted"][0]["thumbprint"], thumbprint, "{clients}");
    assert_eq!(clients["knocked"], Value::Array(vec![]));

    let gone = plumb(folder.path(), &["distrust", &thumbprint[..8], "--pki", "ours"], "");
    assert_eq!(gone.status.code(), Some(0), "{}", told(&gone));
    assert!(told(&gone).contains("not trusted any more"), "{}", told(&gone));
    let clients = json(&plumb(folder.path(), &["clients", "--pki", "ours", "--json"], ""));
    assert_eq!(clients["trusted"], Value::Array(vec![]), "{clients}");

    for whom in ["ffffffff", "no-such-file.der"] {
        let nobody = plumb(folder.path(), &["trust", whom, "--pki", "ours"], "");
        assert_eq!(nobody.status.code(), Some(2), "{whom}: {}", told(&nobody));
        assert!(told(&nobody).contains(whom), "{}", told(&nobody));
    }
}

#[test]
fn a_users_password_is_asked_for_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let made = plumb(folder.path(), &["user", "mes", "--role", "engineer"], "correct horse battery\n");
    assert_eq!(made.status.code(), Some(0), "{}", told(&made));
    let lines = String::from_utf8_lossy(&made.stdout).into_owned();
    let table: toml::Table = lines.parse().unwrap();
    let user = &table["opcua"]["user"][0];
    assert_eq!((user["name"].as_str(), user["role"].as_str()), (Some("mes"), Some("engineer")));
    assert!(user["password"].as_str().unwrap().starts_with("$argon2id$"), "{lines}");
    assert!(!told(&made).contains("correct horse"), "{}", told(&made));

    let none = plumb(folder.path(), &["user", "mes"], "");
    assert_eq!(none.status.code(), Some(2), "{}", told(&none));
    assert!(told(&none).contains("no password was given"), "{}", told(&none));
    let role = plumb(folder.path(), &["user", "mes", "--role", "boss"], "x\n");
    assert_eq!(role.status.code(), Some(2), "{}", told(&role));
    assert!(told(&role).contains("observer, operator or engineer"), "{}", told(&role));
}
