//! What `plumb support-bundle` packs, and that no secret is in it.

mod workshop;

use flate2::read::GzDecoder;
use serde_json::Value;
use std::{collections::BTreeMap, fs, io::Read as _, process::Command};
use workshop::{RECIPE, Workshop};

/// Every one must be nowhere in the archive.
const SECRETS: [&str; 9] = [
    "Hunter2Hunter2",
    "geheim-4711",
    "correct-horse",
    "EPBkY0Owaf6OoZDwF7U8CQ",
    "swordfish",
    "eyJhbGciOi",
    "MHcCAQEEIPrivateKeyBytes",
    "line-token-99",
    "opensesame",
];

const STATION: &str = r#"
# the integrator's password is swordfish
[station]
name = "line-1"
listen = "127.0.0.1:9"
recipe = "bottle"

[[camera]]
id = "top"
source = { kind = "rtsp", url = "rtsp://admin:Hunter2Hunter2@10.0.0.9/live" }

[[camera]]
id = "side"
source = { kind = "pipeline", launch = "rtspsrc location=rtsp://10.0.0.8/live user-id=viewer user-pw=geheim-4711 ! decodebin ! videoconvert ! video/x-raw,format=BGR" }

[trigger]
kind = "api"

[opcua]
listen = "127.0.0.1:0"

[[opcua.user]]
name = "mes"
role = "observer"
password = "$argon2id$v=19$m=19456,t=2,p=1$EPBkY0Owaf6OoZDwF7U8CQ$mTWEgZMfWuovRZNvpnMK8SM6hfymy+MM0HMwJJcRSko"
"#;

fn unpack(archive: &std::path::Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(archive).expect("made")));
    let files = archive.entries().expect("an archive").map(|entry| {
        let mut entry = entry.expect("a file");
        let name = entry.path().expect("a name").display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("text");
        (name, text)
    });
    files.collect()
}

#[test]
fn the_bundle_holds_what_helps_and_no_secret() {
    let recipe = RECIPE.replace("name = \"whole\"", "name = \"whole\"\ncamera = \"top\"");
    let workshop = Workshop::new(STATION, &recipe);
    workshop.write(
        "plumb.log",
        "INFO camera top: rtsp://admin:Hunter2Hunter2@10.0.0.9/live opened\n\
         WARN refused Authorization: Bearer eyJhbGciOi.x.y\n\
         {\"level\":\"INFO\",\"password\":\"correct-horse\",\"part\":17}\n\
         -----BEGIN PRIVATE KEY-----\nMHcCAQEEIPrivateKeyBytes\n-----END PRIVATE KEY-----\n\
         DEBUG PLUMB_TOKEN=line-token-99 taken, passphrase: opensesame\n\
         ERROR part=17 the answer came late\n",
    );
    let made = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args([
            "support-bundle",
            "station.toml",
            "--to",
            "bundle.tar.gz",
            "--log-file",
            "plumb.log",
            "--json",
        ])
        .current_dir(workshop.path(""))
        .output()
        .expect("plumb runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let files = unpack(&workshop.path("bundle.tar.gz"));
    for (name, text) in &files {
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} is in {name}:\n{text}");
        }
    }
    let text = |name: &str| {
        files.get(&format!("plumb-support/{name}")).unwrap_or_else(|| panic!("no {name}: {files:#?}"))
    };
    for plain in ["name = \"line-1\"", "10.0.0.9/live", "user-id=viewer", "role = \"observer\""] {
        assert!(
            text("config/station.toml").contains(plain),
            "{plain} is not in\n{}",
            text("config/station.toml")
        );
    }
    assert!(text("config/recipes/bottle.toml").contains("bottle-there"));
    assert!(text("logs/plumb.log").contains("ERROR part=17 the answer came late"));
    for name in ["check.json", "doctor.json"] {
        let document: Value =
            serde_json::from_str(text(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(document["schema"].is_string(), "{name}: {document}");
    }
    let about: Value = serde_json::from_str(text("about.json")).expect("JSON");
    assert_eq!(about["schema"], "plumb.support/1");
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    let said: Value = serde_json::from_slice(&made.stdout).expect("JSON on stdout");
    assert_eq!(said["missing"], about["missing"], "the same is told as is packed");
    let missing = about["missing"].to_string();
    assert!(
        missing.contains("metrics.prom") && missing.contains("did not answer"),
        "no station runs: {missing}"
    );
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(workshop.path("bundle.tar.gz")).expect("made").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
}

/// Help is asked for when something is broken: the config, too.
#[test]
fn a_config_that_does_not_read_makes_a_bundle_all_the_same_and_keeps_its_secrets() {
    let workshop = Workshop::new(&STATION.replace("[trigger]", "[trigger"), RECIPE);
    let made = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(["support-bundle", "station.toml", "--to", "bundle.tar.gz"])
        .current_dir(workshop.path(""))
        .output()
        .expect("plumb runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let files = unpack(&workshop.path("bundle.tar.gz"));
    for (name, text) in &files {
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} is in {name}:\n{text}");
        }
    }
    let check = &files["plumb-support/check.json"];
    assert!(check.contains("\"ok\": false"), "{check}");
    assert!(files.contains_key("plumb-support/doctor.json"), "the machine is looked at without it");
}

#[test]
fn an_archive_that_is_there_is_not_overwritten() {
    let workshop = Workshop::new(STATION, RECIPE);
    workshop.write("bundle.tar.gz", "mine");
    let made = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(["support-bundle", "station.toml", "--to", "bundle.tar.gz"])
        .current_dir(workshop.path(""))
        .output()
        .expect("plumb runs");
    assert_eq!(made.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&made.stderr).contains("bundle.tar.gz could not be written"));
    assert_eq!(fs::read_to_string(workshop.path("bundle.tar.gz")).expect("there"), "mine");
}
