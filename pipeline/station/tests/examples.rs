//! Every station in `deploy/examples` reads without a problem.

use plumb_station::config;
use std::{fs, path::Path};

#[test]
fn every_example_station_is_a_plan() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples");
    let mut read = Vec::new();
    for entry in fs::read_dir(examples).expect("the examples").flatten() {
        let station = entry.path().join("station.toml");
        if station.exists() {
            config::read(&station).unwrap_or_else(|problems| panic!("{problems}"));
            read.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    read.sort();
    assert_eq!(read, ["bottle-line", "challenge", "changeover", "gate", "line", "measuring", "opc-ua"]);
}
