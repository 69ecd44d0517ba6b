//! The unit by systemd's own tools: it is sound, its sandbox is tight, and stays so with every drop-in.

mod workshop;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use workshop::prometheus::deploy;

/// `systemd-analyze security`: 0 is a service without any rights, 10 one with all.
const EXPOSURE_MAX: f64 = 2.5;

fn is_installed(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("skipped: {program} is not installed; it is in the package systemd");
    }
    there
}

/// A system's root with the unit and `drop_ins` in it.
fn root(drop_ins: &[PathBuf]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    let units = root.path().join("usr/lib/systemd/system");
    fs::create_dir_all(units.join("plumb.service.d")).expect("units");
    fs::copy(deploy().join("systemd/plumb.service"), units.join("plumb.service")).expect("the unit");
    for drop_in in drop_ins {
        let name = drop_in.file_name().expect("a name");
        fs::copy(drop_in, units.join("plumb.service.d").join(name)).expect("a drop-in");
    }
    root
}

/// How exposed the unit is, and everything that was said.
fn exposure(root: &Path) -> (f64, String) {
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(format!("--root={}", root.display()))
        .arg("plumb.service")
        .output()
        .expect("systemd-analyze runs");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let overall = said.split("Overall exposure level for plumb.service: ").nth(1);
    let level = overall.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    (level.unwrap_or_else(|| panic!("no level in\n{said}")), said)
}

fn drop_ins() -> Vec<PathBuf> {
    let folder = deploy().join("systemd/drop-ins");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("drop-ins").flatten().map(|file| file.path()).collect();
    files.sort();
    assert!(files.len() > 5);
    files
}

#[test]
fn the_sandbox_is_tight_alone_with_each_drop_in_and_with_all() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let all = drop_ins();
    let mut sets = vec![vec![], all.clone()];
    sets.extend(all.iter().map(|one| vec![one.clone()]));
    for set in sets {
        let root = root(&set);
        let (level, said) = exposure(root.path());
        let names: Vec<_> = set.iter().filter_map(|file| file.file_name()).collect();
        eprintln!("exposure {level} with {names:?}");
        assert!(level <= EXPOSURE_MAX, "{level} with {names:?}:\n{said}");
        let unknown = said.lines().find(|line| line.contains("Unknown") || line.contains("ignoring"));
        assert_eq!(unknown, None, "with {names:?}");
    }
    // What the figure is worth: without its sandbox the same unit is far above it.
    let bare = root(&[]);
    let unit = bare.path().join("usr/lib/systemd/system/plumb.service");
    fs::write(&unit, "[Service]\nExecStart=/usr/bin/plumb run\n").expect("a bare unit");
    assert!(exposure(bare.path()).0 > 9.0);
}

#[test]
fn each_device_is_let_in_by_its_drop_in_and_by_no_other() {
    let unit = fs::read_to_string(deploy().join("systemd/plumb.service")).expect("the unit");
    assert!(unit.contains("\nPrivateDevices=yes\n") && unit.contains("\nDevicePolicy=closed\n"));
    let devices = [
        ("camera-usb", "char-usb_device"),
        ("camera-v4l2", "char-video4linux"),
        ("gpio", "char-gpiochip"),
        ("gpu-intel", "char-drm"),
        ("gpu-nvidia", "char-nvidia-frontend"),
        ("serial", "char-ttyUSB"),
    ];
    for (name, device) in devices {
        for drop_in in drop_ins() {
            let text = fs::read_to_string(&drop_in).expect("a drop-in");
            let is_it = drop_in.file_stem().is_some_and(|stem| stem == name);
            assert_eq!(
                text.contains(&format!("DeviceAllow={device} ")),
                is_it,
                "{device} in {}",
                drop_in.display()
            );
            assert!(!is_it || text.contains("PrivateDevices=no"), "{name} opens a device that is not there");
        }
    }
}

#[test]
fn systemd_finds_no_fault_with_the_unit() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let unit = fs::read_to_string(deploy().join("systemd/plumb.service")).expect("the unit");
    // It looks for what it is to start, and for the manual page.
    let here = unit.replace("/usr/bin/plumb ", concat!(env!("CARGO_BIN_EXE_plumb"), " "));
    assert_ne!(here, unit);
    let file = folder.path().join("plumb.service");
    fs::write(&file, &here).expect("a unit");
    let verify = |file: &Path| {
        let output =
            Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(file).output().expect("it runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (ok, said) = verify(&file);
    let ours: Vec<_> = said.lines().filter(|line| line.contains("plumb.service")).collect();
    assert!(ok && ours.is_empty(), "{said}");
    fs::write(&file, here.replace("WatchdogSec=10s", "WatchdogSecs=10s")).expect("a unit with a fault");
    assert!(verify(&file).1.contains("WatchdogSecs"), "a word that systemd does not know is told");
}

#[test]
fn the_user_and_the_folders_are_made_as_the_unit_needs_them() {
    if !is_installed("systemd-sysusers") || !is_installed("systemd-tmpfiles") {
        return;
    }
    let root = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(root.path().join("etc")).expect("etc");
    let run = |program: &str, more: &[&str], file: &str| {
        let output = Command::new(program)
            .arg(format!("--root={}", root.path().display()))
            .args(more)
            .arg(deploy().join("systemd").join(file))
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run("systemd-sysusers", &[], "plumb.sysusers");
    let users = fs::read_to_string(root.path().join("etc/passwd")).expect("users");
    assert!(users.contains("plumb:x:") && users.contains(":/var/lib/plumb:"), "{users}");
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: folders of other users are made by root only");
        return;
    }
    run("systemd-tmpfiles", &["--create"], "plumb.tmpfiles");
    for folder in ["etc/plumb/recipes", "etc/plumb/models", "var/lib/plumb", "var/cache/plumb"] {
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(root.path().join(folder)).expect(folder).permissions(),
        );
        assert_eq!(mode & 0o7777, 0o750, "{folder}");
    }
}
