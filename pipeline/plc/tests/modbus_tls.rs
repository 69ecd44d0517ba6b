//! Modbus/TCP Security against somebody else's TLS (Python's) and Modbus (pymodbus), both roles: a good pair of
//! certificates talks, every bad one is refused by the end that should, and the station says what is wrong.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

mod foreign;
mod noise;
mod plant;

use foreign::{Peer, python};
use plant::Plant;
use plumb_inspection::RecipeNumber;
use plumb_plc::{
    LinkFaultKind, ModbusTcpConfig, PlcConfig, PlcError, PlcEvent, PlcLink, Role, StationState, TlsConfig,
};
use serde_json::Value;
use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Command, time::Duration};
use tokio::sync::mpsc;

fn config(role: Role, address: impl Into<String>, tls: TlsConfig) -> ModbusTcpConfig {
    let mut config = ModbusTcpConfig::new(role, address);
    config.tls = Some(tls);
    config
}

fn start(config: ModbusTcpConfig) -> Result<(PlcLink, mpsc::Receiver<PlcEvent>), PlcError> {
    let (events, heard) = mpsc::channel(256);
    let link = PlcLink::start(PlcConfig::ModbusTcp(config), events)?;
    link.set_state(StationState { online: true, recipe: RecipeNumber(1), ..StationState::default() });
    Ok((link, heard))
}

/// The first that the link says of itself: up, down or somebody turned away.
async fn first_word(heard: &mut mpsc::Receiver<PlcEvent>) -> PlcEvent {
    loop {
        let event = tokio::time::timeout(Duration::from_secs(20), heard.recv()).await;
        let event = event.expect("the link says something").expect("the link runs");
        if matches!(event, PlcEvent::LinkUp { .. } | PlcEvent::LinkDown { .. } | PlcEvent::TurnedAway { .. })
        {
            return event;
        }
    }
}

#[tokio::test]
async fn a_plc_is_spoken_to_only_if_it_is_who_it_should_be() {
    let Some(python) = python("pymodbus") else { return };
    let plant = Plant::new();
    let untrusted = LinkFaultKind::Untrusted;
    type Row = (&'static str, &'static str, &'static str, Option<&'static str>, Expected);
    type Expected = Result<(), (LinkFaultKind, &'static str)>;
    let rows: [Row; 7] = [
        // shown by the PLC, trusted by it, shown by the station, server_name
        ("plc", "plant", "station", None, Ok(())),
        ("other-name", "plant", "station", Some("plc-8.plant"), Ok(())),
        ("other-name", "plant", "station", None, Err((untrusted, "another name than \"127.0.0.1\""))),
        ("plc", "plant", "station", Some("plc-9.plant"), Err((untrusted, "(it has DnsName(\"localhost\")"))),
        ("expired", "plant", "station", None, Err((untrusted, "a certificate that has expired"))),
        ("stranger", "plant", "station", None, Err((untrusted, "nobody in plc.tls.ca has issued"))),
        // Python's asyncio hangs up without a word here; a PLC that says why is in the next test.
        (
            "plc",
            "stranger-ca",
            "station",
            None,
            Err((LinkFaultKind::Closed, "may not take the station's certificate")),
        ),
    ];
    for (shown, trusted, own, server_name, expected) in rows {
        let what = format!("PLC {shown} trusting {trusted}, station {own}, name {server_name:?}");
        let peer = Peer::start(&python, "modbus_tls.py", &[plant.folder().to_str().unwrap(), shown, trusted]);
        let mut config = config(Role::Client, peer.plc.server.to_string(), plant.tls(own));
        config.base = 100;
        if let Some(tls) = &mut config.tls {
            tls.server_name = server_name.map(str::to_owned);
        }
        let (link, mut heard) = start(config).unwrap();
        match (first_word(&mut heard).await, expected) {
            (PlcEvent::LinkUp { .. }, Ok(())) => {}
            (PlcEvent::LinkDown { kind, says }, Err((expected, words))) => {
                assert_eq!(kind, expected, "{what}: {says}");
                assert!(says.contains(words), "{what}: {words:?} in\n{says}");
            }
            (event, _) => panic!("{what}: {event:?}"),
        }
        link.stop().await;
    }
}

#[tokio::test]
async fn a_certificate_that_is_turned_away_is_told_at_both_ends() {
    let plant = Plant::new();
    let (server, mut at_server) = start(config(Role::Server, "127.0.0.1:0", plant.tls("station"))).unwrap();
    let address = server.local_addr().unwrap().to_string();
    let (client, mut at_client) = start(config(Role::Client, address, plant.tls("stranger"))).unwrap();
    let (at_server, at_client) = tokio::join!(first_word(&mut at_server), first_word(&mut at_client));
    let PlcEvent::TurnedAway { says } = at_server else { panic!("{at_server:?}") };
    assert!(says.contains("127.0.0.1 shows a certificate that nobody in plc.tls.ca has issued"), "{says}");
    let PlcEvent::LinkDown { kind: LinkFaultKind::Untrusted, says } = at_client else {
        panic!("{at_client:?}")
    };
    assert!(says.contains("does not trust the certificate it is shown"), "{says}");
    client.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn plain_modbus_where_tls_is_expected_is_told_as_such() {
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap().to_string();
    let plant = Plant::new();
    let (_link, mut heard) = start(config(Role::Client, address, plant.tls("station"))).unwrap();
    let answer = async {
        let (mut stream, _) = plain.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"\x00\x01\x00\x00\x00\x03\x01\x97\x01")
            .await
            .unwrap();
        stream
    };
    let (word, _stream) = tokio::join!(first_word(&mut heard), answer);
    let PlcEvent::LinkDown { kind: LinkFaultKind::Untrusted, says } = word else { panic!("{word:?}") };
    assert!(says.contains("does not speak TLS"), "{says}");
}

/// What the caller says of its one attempt.
async fn call(python: &Path, plant: &Plant, shown: &str, port: u16) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer/modbus_tls_client.py");
    let mut command = Command::new(python);
    command.arg("-B").arg(script).arg(plant.folder()).args([shown, &port.to_string()]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let failed = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).expect(&failed)
}

#[tokio::test]
async fn a_caller_is_let_in_only_with_a_certificate_and_a_role_of_the_plant() {
    let Some(python) = python("pymodbus") else { return };
    let plant = Plant::new();
    let rows: [(&str, &[&str], Result<(), &str>); 7] = [
        ("plc", &[], Ok(())),
        ("none", &[], Err("shows no certificate")),
        ("expired", &[], Err("a certificate that has expired")),
        ("stranger", &[], Err("nobody in plc.tls.ca has issued")),
        ("operator", &["operator"], Ok(())),
        (
            "viewer",
            &["operator", "engineer"],
            Err("role \"viewer\" in its certificate, plc.tls.roles wants \"operator\" or \"engineer\""),
        ),
        ("plc", &["operator"], Err("no role in its certificate")),
    ];
    for (shown, roles, expected) in rows {
        let what = format!("caller {shown}, roles {roles:?}");
        let mut tls = plant.tls("station");
        tls.roles = roles.iter().map(|&role| role.to_owned()).collect();
        let (link, mut heard) = start(config(Role::Server, "127.0.0.1:0", tls)).unwrap();
        let port = link.local_addr().unwrap().port();
        let (word, said) = tokio::join!(first_word(&mut heard), call(&python, &plant, shown, port));
        match (word, expected) {
            (PlcEvent::LinkUp { .. }, Ok(())) => assert_eq!(said["words"][0], 0, "{what}: {said}"),
            (PlcEvent::TurnedAway { says }, Err(words)) => {
                assert!(says.contains(words), "{what}: {words:?} in\n{says}");
                assert!(said["words"].is_null(), "{what}: {said}");
                if says.contains("role") {
                    assert_eq!(said["exception"], 1, "{what}: {said}");
                }
            }
            (event, _) => panic!("{what}: {event:?}, {said}"),
        }
        link.stop().await;
    }
}

#[tokio::test]
async fn callers_who_never_finish_the_handshake_keep_nobody_out() {
    let Some(python) = python("pymodbus") else { return };
    let plant = Plant::new();
    let (link, _heard) = start(config(Role::Server, "127.0.0.1:0", plant.tls("station"))).unwrap();
    let address = link.local_addr().unwrap();
    let _idle = [(); 3].map(|()| std::net::TcpStream::connect(address).unwrap());
    let said = call(&python, &plant, "plc", address.port()).await;
    assert_eq!(said["words"][0], 0, "{said}");
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_random_strings_leave_it_serving_and_no_larger() {
    let Some(python) = python("pymodbus") else { return };
    let plant = Plant::new();
    let (link, mut heard) = start(config(Role::Server, "127.0.0.1:0", plant.tls("station"))).unwrap();
    let address = link.local_addr().unwrap();
    // Heads of TLS records of a real length: a hello, an alert, data before there is a key; and plain Modbus.
    let heads: [fn(usize) -> Vec<u8>; 5] = [
        |length| {
            vec![0x16, 3, 1, 0, length.wrapping_sub(5) as u8, 1, 0, 0, length.wrapping_sub(9) as u8, 3, 3]
        },
        |length| vec![0x16, 3, 3, 0, length.wrapping_sub(5) as u8, 11],
        |_| vec![0x15, 3, 3, 0, 2],
        |length| vec![0x17, 3, 3, 0, length.wrapping_sub(5) as u8],
        |length| vec![0, 1, 0, 0, 0, length.wrapping_sub(6) as u8, 1, 3],
    ];
    tokio::task::spawn_blocking(move || noise::ten_thousand(address, &heads)).await.unwrap();
    while heard.try_recv().is_ok() {} // who was turned away, as far as the station had room to say
    let said = call(&python, &plant, "plc", address.port()).await;
    assert_eq!(said["words"][0], 0, "{said}");
    link.stop().await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_all_told_at_once_with_what_to_do() {
    let plant = Plant::new();
    let refused = |tls: TlsConfig| match start(config(Role::Server, "127.0.0.1:0", tls)) {
        Err(PlcError::Config { problems }) => problems.join("\n"),
        other => panic!("{other:?}"),
    };
    std::fs::set_permissions(plant.path("plc.key"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let key = plant.path("plc.key");
    let all = refused(TlsConfig {
        ca: plant.path("nowhere.pem"),
        certificate: plant.path("plc.key"),
        key: key.clone(),
        server_name: None,
        roles: vec![],
    });
    for words in [
        "tls.ca",
        "nowhere.pem cannot be read",
        "has no certificate in it",
        &format!("can be read by others (mode 640); run: chmod 600 {}", key.display()),
    ] {
        assert!(all.contains(words), "{words:?} in\n{all}");
    }
    let pair = refused(TlsConfig { key: plant.path("viewer.key"), ..plant.tls("station") });
    assert!(pair.contains("is not the key of tls.certificate"), "{pair}");
    let old = refused(plant.tls("expired"));
    assert!(old.contains("has expired on") && old.contains("2020"), "{old}");
}

#[test]
fn keys_of_the_wrong_role_are_told() {
    let plant = Plant::new();
    let mut client = config(Role::Client, "10.0.4.7:802", plant.tls("station"));
    client.tls.as_mut().unwrap().roles.push("operator".to_owned());
    assert!(client.problems().join("\n").contains("tls.roles is for the role \"server\""));
    let mut server = config(Role::Server, "0.0.0.0:802", plant.tls("station"));
    server.tls.as_mut().unwrap().server_name = Some("plc-7".to_owned());
    assert!(server.problems().join("\n").contains("tls.server_name is for the role \"client\""));
    let odd = config(Role::Client, "plc 7:802", plant.tls("station"));
    assert!(odd.problems().join("\n").contains("should be a host name or an address"));
}
