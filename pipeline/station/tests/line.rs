//! The line in a box against the real station: real threads, real Modbus, a PLC whose default is reject, and a belt
//! that counts what really happened.

mod workshop;

use plumb_line::Product;
use plumb_plc::simulator::Fault;
use plumb_station::demo::{Demo, Wish};
use std::time::{Duration, Instant};

fn wish(product: Product, seed: u64, parts: u64, data: &std::path::Path) -> Wish {
    Wish {
        product,
        seed,
        parts_per_minute: Some(600.0),
        parts: Some(parts),
        listen: "127.0.0.1:0".parse().expect("an address"),
        data: data.to_owned(),
    }
}

fn run_to_the_end(demo: &mut Demo) {
    let end = Instant::now() + Duration::from_secs(60);
    while !demo.has_ended() && Instant::now() < end {
        demo.answered(Duration::from_millis(20));
    }
    assert!(demo.has_ended(), "the belt has not run empty: {:?}", demo.summary());
}

#[test]
fn every_part_on_the_belt_is_announced_judged_answered_and_recorded_under_its_own_number() {
    for product in [Product::Washer, Product::BlisterPack] {
        let data = tempfile::tempdir().expect("a temporary folder");
        let mut demo =
            Demo::start(wish(product, 7, 120, data.path())).unwrap_or_else(|error| panic!("{error}"));
        run_to_the_end(&mut demo);
        let summary = demo.stop().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(summary.parts, 120, "{summary:?}");
        assert_eq!(summary.triggers + summary.not_announced, 120, "{summary:?}");
        assert_eq!((summary.answers, summary.records), (summary.triggers, summary.triggers), "{summary:?}");
        assert_eq!(summary.misrouted, 0, "{summary:?}");
        assert!(summary.fail > 0, "about a tenth of the parts have defects: {summary:?}");
        // The model's own odds are in its card; here they only must not be those of a coin.
        assert!(summary.escapes <= 2, "{summary:?}");
        assert!(summary.pass > 80, "{summary:?}");
    }
}

/// 500 ms from photo-eye to gate, a part every 50 ms: ten are on their way at any moment.
#[test]
fn at_1200_a_minute_with_ten_parts_in_flight_none_is_judged_by_anothers_picture() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let fast = Wish { parts_per_minute: Some(1200.0), ..wish(Product::Washer, 11, 300, data.path()) };
    let mut demo = Demo::start(fast).unwrap_or_else(|error| panic!("{error}"));
    run_to_the_end(&mut demo);
    let summary = demo.stop().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((summary.parts, summary.misrouted), (300, 0), "{summary:?}");
    assert_eq!(summary.triggers + summary.not_announced, 300, "{summary:?}");
    assert_eq!((summary.answers, summary.records), (summary.triggers, summary.triggers), "{summary:?}");
    assert!(summary.escapes <= 5, "no more than the model's own: {summary:?}");
}

#[test]
fn the_same_folder_reuses_no_part_number() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let mut last = 0;
    for seed in [1, 2] {
        let mut demo = Demo::start(wish(Product::Washer, seed, 15, data.path()))
            .unwrap_or_else(|error| panic!("{error}"));
        let mut ids = Vec::new();
        let end = Instant::now() + Duration::from_secs(30);
        while !demo.has_ended() && Instant::now() < end {
            ids.extend(demo.answered(Duration::from_millis(20)).iter().map(|record| record.part_id.get()));
        }
        demo.stop().unwrap_or_else(|error| panic!("{error}"));
        assert!(!ids.is_empty() && ids.iter().all(|id| *id > last), "{ids:?} after {last}");
        last = ids.into_iter().max().expect("not empty");
    }
}

#[test]
fn while_the_plc_is_gone_nothing_defective_passes_and_every_trigger_still_has_its_record() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let mut demo =
        Demo::start(wish(Product::Washer, 3, 100, data.path())).unwrap_or_else(|error| panic!("{error}"));
    let begun = Instant::now();
    let mut fault = Fault::None;
    while !demo.has_ended() && begun.elapsed() < Duration::from_secs(60) {
        demo.answered(Duration::from_millis(10));
        let wanted = match begun.elapsed().as_millis() {
            3_000..4_500 => Fault::Gone,
            6_000..6_500 => Fault::Deaf,
            7_500..8_000 => Fault::Rude,
            _ => Fault::None,
        };
        if wanted != fault {
            fault = wanted;
            demo.plc().set_fault(fault);
        }
    }
    let summary = demo.stop().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((summary.answers, summary.records), (summary.triggers, summary.triggers), "{summary:?}");
    assert_eq!(summary.misrouted, 0, "{summary:?}");
    assert!(summary.escapes <= 1, "a defect passed because the PLC was away: {summary:?}");
    assert!(summary.pass > 20, "the line judges again when the PLC is back: {summary:?}");
    assert!(summary.triggers < 100, "parts that came while it was away were rejected unseen: {summary:?}");
}
