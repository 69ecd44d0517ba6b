//! The `[plc]` tables shown to users are tables the station takes.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

use plumb_plc::{ModbusTcpConfig, PlcConfig, Role};
use serde::Deserialize;
use std::{collections::BTreeSet, path::PathBuf};

#[derive(Deserialize)]
struct Station {
    plc: PlcConfig,
}

fn example(name: &str) -> PlcConfig {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples/plc");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    toml::from_str::<Station>(&text).unwrap().plc
}

#[test]
fn every_example_is_served_and_none_is_left_out() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples/plc");
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let config = example(&name);
        assert_eq!(config.problems(), Vec::<String>::new(), "{name}");
        assert!(name.starts_with(config.kind()), "{name} shows {}", config.kind());
        seen.insert(config.kind());
    }
    let kinds: BTreeSet<&str> = PlcConfig::KINDS.into_iter().filter(|kind| *kind != "none").collect();
    assert_eq!(seen, kinds, "each kind has its example");
}

#[test]
fn the_client_example_shows_the_defaults() {
    let shown = example("modbus_tcp_client.toml");
    assert_eq!(shown, PlcConfig::ModbusTcp(ModbusTcpConfig::new(Role::Client, "10.0.4.7:502")));
}

#[test]
fn a_misspelt_key_is_an_error() {
    for text in [
        "[plc]\nkind = 'modbus_tcp'\nrole = 'client'\naddress = 'a:1'\ntimeout = 5",
        "[plc]\nkind = 'modbus_tcp'\nrole = 'client'\naddress = 'a:1'\n[plc.handshake]\nresult = 5",
        "[plc]\nkind = 'modbus_udp'",
    ] {
        assert!(toml::from_str::<Station>(text).is_err(), "{text}");
    }
    assert_eq!(toml::from_str::<Station>("[plc]\nkind = 'none'").unwrap().plc, PlcConfig::None);
}
