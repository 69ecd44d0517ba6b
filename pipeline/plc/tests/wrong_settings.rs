//! Every setting a controls engineer can get wrong, against somebody else's PLC: the link says what is wrong and what to
//! change, and never counts an answer as delivered.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

mod foreign;

use foreign::{Peer, python};
use plumb_inspection::{PartId, RecipeNumber};
use plumb_plc::{
    AdsConfig, Answer, LinkFaultKind, LogixConfig, OpcUaConfig, PlcConfig, PlcEvent, PlcLink, S7Config,
    Single, SlmpConfig, StationState, VerdictCode,
};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What the link says of itself, and whether an answer given meanwhile was called delivered.
async fn complaint(config: PlcConfig) -> (LinkFaultKind, String) {
    let (events, mut heard) = mpsc::channel(256);
    let link = PlcLink::start(config, events).unwrap();
    link.set_state(StationState { online: true, recipe: RecipeNumber(1), ..StationState::default() });
    let deadline = Instant::now() + Duration::from_millis(200);
    let (part, code, recipe) = (PartId::FIRST, VerdictCode::Pass, RecipeNumber(1));
    link.answer(Answer { part, code, reason: 0, decision: Duration::ZERO, recipe, deadline }).unwrap();
    let (mut said, mut dropped) = (None, false);
    let until = tokio::time::Instant::now() + Duration::from_secs(20);
    // Whichever comes first: a connection may take longer to be refused than the answer has time.
    while said.is_none() || !dropped {
        let event = tokio::time::timeout_at(until, heard.recv()).await.expect("the link says what is wrong");
        match event.expect("the link runs") {
            PlcEvent::LinkDown { kind, says } => said = said.or(Some((kind, says))),
            PlcEvent::AnswerDropped { .. } => dropped = true,
            PlcEvent::AnswerDelivered { .. } => panic!("delivered to a PLC that refuses"),
            _ => {}
        }
    }
    link.stop().await;
    said.expect("the loop has waited for it")
}

async fn check(rows: Vec<(PlcConfig, LinkFaultKind, &str)>) {
    for (config, kind, words) in rows {
        let told = format!("{config:?}");
        let (got, says) = complaint(config).await;
        assert_eq!(got, kind, "{told}: {says}");
        assert!(says.contains(words), "{words:?} in\n{says}\n{told}");
        assert!(says.ends_with("parts are answered as Missed until it is back"), "{says}");
    }
}

/// The link comes up, and an answer is delivered.
async fn delivers(config: PlcConfig) {
    let told = format!("{config:?}");
    let (events, mut heard) = mpsc::channel(256);
    let link = PlcLink::start(config, events).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let (part, code, recipe) = (PartId::FIRST, VerdictCode::Pass, RecipeNumber(1));
    link.answer(Answer { part, code, reason: 0, decision: Duration::ZERO, recipe, deadline }).unwrap();
    loop {
        match heard.recv().await.expect("the link runs") {
            PlcEvent::AnswerDelivered { .. } => break,
            PlcEvent::LinkDown { says, .. } => panic!("{told}: {says}"),
            event => assert!(!matches!(event, PlcEvent::AnswerDropped { .. }), "{told}"),
        }
    }
    link.stop().await;
}

#[tokio::test]
async fn a_siemens_cpu() {
    let Some(python) = python("snap7") else { return };
    let peer = Peer::start(&python, "s7.py", &[]);
    let address = peer.plc.server.to_string();
    let with = |change: fn(&mut S7Config)| {
        let mut config = S7Config { timeout_ms: 300, ..S7Config::new(&address, 100) };
        change(&mut config);
        PlcConfig::S7(config)
    };
    check(vec![
        (with(|c| c.db = 200), LinkFaultKind::Exception, "has no DB200; check plc.db"),
        (with(|c| c.db = 101), LinkFaultKind::Exception, "bytes 0 to 39 of DB101; the block is too short"),
        (with(|c| c.start = 10), LinkFaultKind::Exception, "bytes 10 to 49 of DB100"),
    ])
    .await;
    delivers(with(|c| c.tsap = Some("01.00".into()))).await;
}

#[tokio::test]
async fn a_beckhoff_plc() {
    let Some(python) = python("pyads") else { return };
    let peer = Peer::start(&python, "ads.py", &[]);
    let address = peer.plc.server.to_string();
    let with = |change: fn(&mut AdsConfig)| {
        let mut config = AdsConfig { timeout_ms: 300, ..AdsConfig::new(&address, "127.0.0.1.1.1") };
        change(&mut config);
        PlcConfig::Ads(config)
    };
    check(vec![(
        with(|c| c.from_plc = "GVL_Plumb.Short".into()),
        LinkFaultKind::WrongAnswer,
        "gave 8 bytes of \"GVL_Plumb.Short\", expected 20; it should be ARRAY [0..9] OF WORD",
    )])
    .await;
    delivers(with(|c| (c.from_plc, c.to_plc) = ("0x4020:0".into(), "0x4020:20".into()))).await;
    // The test server's thread dies of a name it does not know, where a PLC would answer with an error code.
    let (kind, says) = complaint(with(|c| c.to_plc = "GVL_Plumb.Nowhere".into())).await;
    assert_eq!(kind, LinkFaultKind::Timeout);
    assert!(says.contains("within 300 ms; if it never does, check plc.ams_net_id"), "{says}");
}

#[tokio::test]
async fn a_mitsubishi_plc() {
    let Some(python) = python("pymcprotocol") else { return };
    let peer = Peer::start(&python, "slmp.py", &[]);
    let address = peer.plc.server.to_string();
    let with = |device: &str, station: u8| {
        let config = SlmpConfig::new(&address, device.parse().unwrap());
        PlcConfig::Slmp(SlmpConfig { timeout_ms: 300, station, ..config })
    };
    check(vec![
        (with("D95", 255), LinkFaultKind::Exception, "from D105 of network 0, station 255 (end code 4031)"),
        (with("W0", 255), LinkFaultKind::Exception, "check plc.device"),
        (with("D0", 7), LinkFaultKind::Exception, "(end code 4A01); check plc.network and plc.station"),
    ])
    .await;
}

#[tokio::test]
async fn a_logix_controller() {
    let Some(python) = python("ethernetip") else { return };
    let peer = Peer::start(&python, "logix.py", &[]);
    let address = peer.plc.server.to_string();
    let with = |change: fn(&mut LogixConfig)| {
        let mut config = LogixConfig { timeout_ms: 300, ..LogixConfig::new(&address) };
        change(&mut config);
        PlcConfig::Logix(config)
    };
    check(vec![
        (
            with(|c| c.to_plc = "Plumb_Nowhere".into()),
            LinkFaultKind::Exception,
            "refused tag \"Plumb_Nowhere\"",
        ),
        (with(|c| c.to_plc = "Plumb_Short".into()), LinkFaultKind::Exception, "it should be INT[10]"),
        (with(|c| c.to_plc = "Plumb_Real".into()), LinkFaultKind::Exception, "refused tag \"Plumb_Real\""),
        (with(|c| c.from_plc = "Plumb_Short".into()), LinkFaultKind::Exception, "it should be INT[10]"),
        (
            with(|c| c.from_plc = "Plumb_Real".into()),
            LinkFaultKind::WrongAnswer,
            "of REAL of tag \"Plumb_Real\"",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_plc_with_an_opc_ua_server() {
    let Some(python) = python("asyncua") else { return };
    let peer = Peer::start(&python, "opc_ua.py", &[]);
    let good = OpcUaConfig { timeout_ms: 800, ..foreign::opc_ua(peer.plc.server.to_string()) };
    let with = |change: &dyn Fn(&mut OpcUaConfig)| {
        let mut config = good.clone();
        config.handshake.result_ms = 2_000;
        change(&mut config);
        PlcConfig::OpcUa(config)
    };
    let node = |name: &str| Some(format!("nsu=http://line;s={name}").try_into().unwrap());
    let folder = foreign::opc_ua_folder();
    let strangers = folder.join("knows nobody");
    let own = |file: &str| folder.join("station/own").join(file);
    let wrong_password = folder.join("wrong password");
    std::fs::write(&wrong_password, "falsches pferd").unwrap();
    std::fs::set_permissions(&wrong_password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::create_dir_all(strangers.join("own")).unwrap();
    for file in ["cert.der", "key.pem"] {
        std::fs::copy(own(file), strangers.join("own").join(file)).unwrap();
    }
    let said = LinkFaultKind::Exception;
    check(vec![
        (with(&|c| c.to_plc = node("nowhere")), said, "has no node nsu=http://line;s=nowhere"),
        (
            with(&|c| c.from_plc = Some("nsu=http://elsewhere;s=a".try_into().unwrap())),
            said,
            "has no namespace",
        ),
        (with(&|c| c.to_plc = node("locked")), said, "does not let this user write nsu=http://line;s=locked"),
        (with(&|c| c.from_plc = node("short")), said, "as UInt16[9]; it should be ARRAY [0..9] OF WORD"),
        (with(&|c| c.to_plc = node("reals")), said, "as Float[10]; it should be"),
        (
            with(&|c| c.login.password_file = Some(wrong_password.clone())),
            said,
            "refused the log-in of \"plumb\"",
        ),
        (with(&|c| c.login = Default::default()), said, "does not allow log-in by anonymous"),
        (with(&|c| c.pki = strangers.clone()), said, "is not trusted; compare its thumbprint"),
        (with(&|c| c.url = c.url.replace("127.0.0.1", "0.0.0.0")), said, "is not for host \"0.0.0.0\""),
    ])
    .await;
}

/// Words 10–19 by the peer's side door.
fn words_of(peer: &Peer) -> Vec<u16> {
    use std::io::{Read, Write};
    let mut door = std::net::TcpStream::connect(peer.plc.memory).unwrap();
    door.write_all(&[&b"X"[..], &[0; 20]].concat()).unwrap();
    let mut words = [0; 20];
    door.read_exact(&mut words).unwrap();
    words.chunks_exact(2).map(|word| u16::from_be_bytes([word[0], word[1]])).collect()
}

/// Nobody answers for single variables: what the server took is delivered, verdict and part in one write.
#[tokio::test]
async fn single_variables_of_an_opc_ua_server_carry_each_answer_once() {
    let Some(python) = python("asyncua") else { return };
    let peer = Peer::start(&python, "opc_ua.py", &["single"]);
    let node = |name: &str| format!("nsu=http://line;s={name}").try_into().unwrap();
    let single = Single {
        verdict: node("verdict"),
        part: node("part"),
        reason: Some(node("reason")),
        heartbeat: Some(node("heartbeat")),
    };
    let block = foreign::opc_ua(peer.plc.server.to_string());
    let config = OpcUaConfig { to_plc: None, from_plc: None, single: Some(single), timeout_ms: 900, ..block };
    assert!(!config.is_acknowledged());
    let (events, mut heard) = mpsc::channel(256);
    let link = PlcLink::start(PlcConfig::OpcUa(config), events).unwrap();
    link.set_state(StationState { online: true, recipe: RecipeNumber(1), ..StationState::default() });
    let mut part = PartId::FIRST;
    for code in [VerdictCode::Pass, VerdictCode::Fail, VerdictCode::Missed] {
        let deadline = Instant::now() + Duration::from_secs(20);
        let (reason, decision, recipe) = (7, Duration::ZERO, RecipeNumber(1));
        link.answer(Answer { part, code, reason, decision, recipe, deadline }).unwrap();
        link.beat();
        loop {
            match heard.recv().await.unwrap() {
                PlcEvent::AnswerDelivered { part: delivered, .. } if delivered == part => break,
                PlcEvent::AnswerDropped { .. } | PlcEvent::AnswerOverrun { .. } => panic!("lost"),
                _ => {}
            }
        }
        let words = words_of(&peer);
        assert_eq!((words[3], words[4], words[5]), (part.get() as u16, code as u16, 7), "{words:?}");
        part = part.next();
    }
    link.stop().await;
    assert_eq!(words_of(&peer)[4], 0, "a station that is gone leaves no verdict behind");
}

/// A PLC of another make at the address: each protocol knows that it is not spoken to in its own.
#[tokio::test]
async fn a_plc_of_another_make() {
    let (Some(python), Some(_)) = (python("snap7"), python("pymcprotocol")) else { return };
    let (siemens, mitsubishi) = (Peer::start(&python, "s7.py", &[]), Peer::start(&python, "slmp.py", &[]));
    let s7_at = |peer: &Peer| {
        PlcConfig::S7(S7Config { timeout_ms: 300, ..S7Config::new(peer.plc.server.to_string(), 100) })
    };
    let slmp_at = |peer: &Peer| {
        let config = SlmpConfig::new(peer.plc.server.to_string(), "D0".parse().unwrap());
        PlcConfig::Slmp(SlmpConfig { timeout_ms: 300, ..config })
    };
    for config in [s7_at(&mitsubishi), slmp_at(&siemens)] {
        let told = format!("{config:?}");
        let (kind, says) = complaint(config).await;
        assert!(
            matches!(kind, LinkFaultKind::Closed | LinkFaultKind::Timeout | LinkFaultKind::Exception),
            "{told}: {kind:?} {says}"
        );
    }
}
