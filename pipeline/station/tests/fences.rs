//! Invariant 4 and the table "who may import whom": compared with what cargo really links.

use serde_json::Value;
use std::{collections::BTreeMap, process::Command};

/// As in ARCHITECTURE.md; crates not named here may import nothing of ours.
const MAY_IMPORT: [(&str, &[&str]); 18] = [
    ("plumb-inspection", &[]),
    ("plumb-onnx", &[]),
    ("plumb-remote", &[]),
    ("plumb-quality", &[]),
    ("plumb-opcua", &["plumb-inspection"]),
    ("plumb-report", &["plumb-quality"]),
    ("plumb-study", &["plumb-quality", "plumb-report"]),
    ("plumb-camera", &["plumb-inspection"]),
    ("plumb-line", &["plumb-inspection"]),
    ("plumb-capture", &["plumb-inspection", "plumb-line"]),
    ("plumb-preprocess", &["plumb-inspection"]),
    ("plumb-inference", &["plumb-inspection", "plumb-onnx", "plumb-remote"]),
    ("plumb-recognise", &["plumb-inspection", "plumb-onnx", "plumb-inference"]),
    ("plumb-teach", &["plumb-inspection", "plumb-inference", "plumb-onnx", "plumb-quality"]),
    ("plumb-verdict", &["plumb-inspection"]),
    ("plumb-plc", &["plumb-inspection", "plumb-opcua", "plumb-verdict"]),
    ("plumb-ledger", &["plumb-inspection", "plumb-quality", "plumb-verdict"]),
    ("plumb-process", &["plumb-inspection", "plumb-ledger", "plumb-quality"]),
    (
        "plumb-console",
        &[
            "plumb-inspection",
            "plumb-ledger",
            "plumb-process",
            "plumb-quality",
            "plumb-study",
            "plumb-verdict",
        ],
    ),
];

/// Each C library has one fence, and each protocol's library one room. OpenCV has two: what looks at every part, and
/// what looks at calibration targets.
const FENCES: [(&str, &[&str]); 6] = [
    ("gstreamer", &["plumb-capture"]),
    ("opencv", &["plumb-camera", "plumb-preprocess"]),
    ("ort", &["plumb-inference"]),
    ("rusqlite", &["plumb-ledger"]),
    ("tokio-modbus", &["plumb-plc"]),
    ("async-opcua", &["plumb-opcua"]),
];

/// Normal dependencies of each workspace member.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages
        .map(|package| {
            let normal = package["dependencies"].as_array().expect("dependencies").iter();
            let names = normal.filter(|dependency| dependency["kind"].is_null());
            let names = names.map(|dependency| dependency["name"].as_str().expect("a name").to_owned());
            (package["name"].as_str().expect("a name").to_owned(), names.collect())
        })
        .collect()
}

#[test]
fn nobody_imports_whom_he_may_not() {
    let dependencies = dependencies();
    let mut checked = 0;
    for (name, wanted) in &dependencies {
        if name == "plumb-station" || name == "plumb-benches" {
            continue;
        }
        let (_, may) = MAY_IMPORT.iter().find(|(known, _)| known == name).unwrap_or_else(|| {
            panic!("{name} is in no row of the table; add it there and in ARCHITECTURE.md")
        });
        for ours in wanted.iter().filter(|wanted| wanted.starts_with("plumb-")) {
            assert!(
                may.contains(&ours.as_str()),
                "{name} imports {ours}, which the table in ARCHITECTURE.md forbids"
            );
        }
        checked += 1;
    }
    assert_eq!(checked, MAY_IMPORT.len(), "a crate of the table is gone");
}

#[test]
fn each_c_library_has_one_fence() {
    let dependencies = dependencies();
    for (library, fences) in FENCES {
        let users: Vec<&String> = dependencies
            .iter()
            // The benches compare the station with the bare library.
            .filter(|(name, wanted)| {
                *name != "plumb-benches" && wanted.iter().any(|wanted| wanted == library)
            })
            .map(|(name, _)| name)
            .collect();
        assert_eq!(users, fences, "{library} belongs behind its fence");
    }
}
