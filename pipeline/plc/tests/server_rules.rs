//! What a PLC may and may not do with the registers the station hosts.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

mod noise;

use plumb_inspection::{PartId, RecipeNumber};
use plumb_plc::{Answer, ModbusTcpConfig, PlcConfig, PlcEvent, PlcLink, Role, StationState, VerdictCode};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_modbus::{ExceptionCode, prelude::*};

const BASE: u16 = 40;

fn station() -> (PlcLink, mpsc::Receiver<PlcEvent>, SocketAddr) {
    let mut config = ModbusTcpConfig::new(Role::Server, "127.0.0.1:0");
    config.base = BASE;
    let (events, heard) = mpsc::channel(64);
    let link = PlcLink::start(PlcConfig::ModbusTcp(config), events).unwrap();
    link.set_state(StationState { online: true, recipe: RecipeNumber(1), ..StationState::default() });
    link.set_ready(true);
    let address = link.local_addr().unwrap();
    (link, heard, address)
}

async fn master(address: SocketAddr) -> tokio_modbus::client::Context {
    tcp::connect_slave(address, Slave(1)).await.unwrap()
}

#[tokio::test]
async fn a_plc_may_write_its_own_words_and_no_others() {
    let (_link, _heard, address) = station();
    let mut plc = master(address).await;
    let illegal = Err(ExceptionCode::IllegalDataAddress);
    assert_eq!(plc.write_multiple_registers(BASE, &[1; 10]).await.unwrap(), Ok(()));
    assert_eq!(plc.write_single_register(BASE + 6, 3).await.unwrap(), Ok(()));
    assert_eq!(plc.write_single_register(BASE + 14, 0x5AA5).await.unwrap(), illegal);
    assert_eq!(plc.write_multiple_registers(BASE + 9, &[7, 7]).await.unwrap(), illegal);
    assert_eq!(plc.write_multiple_registers(BASE - 1, &[7, 7]).await.unwrap(), illegal);
    assert_eq!(plc.write_single_register(u16::MAX, 1).await.unwrap(), illegal);
    let words = plc.read_holding_registers(BASE, 20).await.unwrap().unwrap();
    assert_eq!(words[..10], [1, 1, 1, 1, 1, 1, 3, 1, 1, 1], "what was refused has changed nothing");
    assert_eq!((words[14], words[10] & 0x80), (0, 0));
    let illegal = Err(ExceptionCode::IllegalDataAddress);
    assert_eq!(plc.read_holding_registers(BASE + 1, 20).await.unwrap(), illegal);
    assert_eq!(plc.read_coils(0, 1).await.unwrap(), Err(ExceptionCode::IllegalFunction));
    let stranger = Err(ExceptionCode::GatewayTargetDevice);
    plc.set_slave(Slave(9));
    assert_eq!(plc.write_single_register(BASE, 0).await.unwrap(), stranger);
}

#[tokio::test]
async fn an_onlooker_sees_the_answer_but_does_not_take_it() {
    let (link, mut heard, address) = station();
    let (mut plc, mut onlooker) = (master(address).await, master(address).await);
    for beat in 1..4 {
        plc.write_multiple_registers(BASE, &[1, beat]).await.unwrap().unwrap();
        plc.read_holding_registers(BASE + 10, 10).await.unwrap().unwrap();
    }
    let (part, code) = (PartId::new(0x0002_0001).unwrap(), VerdictCode::Pass);
    let (reason, decision, recipe) = (0, Duration::from_millis(3), RecipeNumber(1));
    let deadline = Instant::now() + Duration::from_secs(5);
    link.answer(Answer { part, code, reason, decision, recipe, deadline }).unwrap();
    let seen = onlooker.read_holding_registers(BASE + 10, 10).await.unwrap().unwrap();
    assert_eq!(seen[2..], [2, 1, 0x5AA5, 0, 0, 3_000, 1, 1]);
    let delivered = |event: &PlcEvent| matches!(event, PlcEvent::AnswerDelivered { .. });
    while let Ok(event) = heard.try_recv() {
        assert!(!delivered(&event), "a laptop is not the PLC");
    }
    plc.read_holding_registers(BASE + 10, 10).await.unwrap().unwrap();
    assert!(std::iter::from_fn(|| heard.try_recv().ok()).any(|event| delivered(&event)));
}

#[tokio::test]
async fn a_fifth_connection_is_turned_away_and_the_four_live_on() {
    let (_link, _heard, address) = station();
    let mut four = Vec::new();
    for _ in 0..4 {
        let mut plc = master(address).await;
        plc.read_holding_registers(BASE, 20).await.unwrap().unwrap();
        four.push(plc);
    }
    let mut fifth = master(address).await;
    let refused = tokio::time::timeout(Duration::from_secs(2), fifth.read_holding_registers(BASE, 1)).await;
    assert!(refused.unwrap().is_err());
    for plc in &mut four {
        plc.read_holding_registers(BASE, 20).await.unwrap().unwrap();
    }
    // Room again once one has gone.
    drop(four.pop());
    let again = async {
        loop {
            let mut plc = master(address).await;
            if let Ok(Ok(_)) = plc.read_holding_registers(BASE, 20).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(2), again).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_random_strings_leave_it_serving_and_no_larger() {
    let (_link, mut heard, address) = station();
    // Every second string is a real head of a real length, to a real unit, with each function and whatever follows.
    let heads: [fn(usize) -> Vec<u8>; 6] = [
        |length| vec![0, 1, 0, 0, 0, length.wrapping_sub(6) as u8, 1, 3],
        |length| vec![0, 1, 0, 0, 0, length.wrapping_sub(6) as u8, 1, 6],
        |length| vec![0, 1, 0, 0, 0, length.wrapping_sub(6) as u8, 1, 16],
        |length| vec![0, 1, 0, 0, 0, length.wrapping_sub(6) as u8, 1, 23],
        |length| vec![0, 1, 0, 0, 0xFF, length as u8, 1, 3],
        |_| vec![0, 1, 0, 0, 0, 0],
    ];
    tokio::task::spawn_blocking(move || noise::ten_thousand(address, &heads)).await.unwrap();
    while heard.try_recv().is_ok() {} // a lucky string may have been a PLC's poll

    let mut plc = master(address).await;
    for beat in 1..4 {
        plc.write_multiple_registers(BASE, &[1, beat]).await.unwrap().unwrap();
        let words = plc.read_holding_registers(BASE + 10, 10).await.unwrap().unwrap();
        assert_eq!((words[4], words[9]), (0, words[3]), "no verdict, not torn");
    }
}
