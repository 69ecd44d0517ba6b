//! Every setting a controls engineer can get wrong, against somebody else's PLC: the link says what is wrong and what to
//! change, and never counts an answer as delivered.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

mod foreign;

use foreign::{Peer, python};
use plumb_inspection::{PartId, RecipeNumber};
use plumb_plc::{
    AdsConfig, Answer, LinkFaultKind, LogixConfig, PlcConfig, PlcEvent, PlcLink, S7Config, SlmpConfig,
    StationState, VerdictCode,
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
    let mut said = None;
    let until = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let event = tokio::time::timeout_at(until, heard.recv()).await.expect("the link says what is wrong");
        match event.expect("the link runs") {
            PlcEvent::LinkDown { kind, says } => said = said.or(Some((kind, says))),
            PlcEvent::AnswerDropped { .. } => break,
            PlcEvent::AnswerDelivered { .. } => panic!("delivered to a PLC that refuses"),
            _ => {}
        }
    }
    link.stop().await;
    said.expect("it fell before the answer was given up")
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
