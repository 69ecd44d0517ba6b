//! The main job on real input: the belt clip through GStreamer, photo-eye, model and rule, to Modbus and the ledger.

mod workshop;

use plumb_ledger::{Query, RecordVerdict};
use plumb_station::{
    config,
    station::{Station, Wiring},
};
use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use workshop::{shared_data, wait_until};

/// Frames of the clip in which a bottle's centre or edge has just crossed x = 200 px, from the clip's own boxes: each of
/// its five bottles once.
const BOTTLES: usize = 5;

/// A PLC of a few lines, which shares no code with the station: polls words 10–19 by FC3 and moves its heartbeat.
fn poll(address: String, stop: &AtomicBool) -> BTreeMap<u32, u16> {
    let mut answers = BTreeMap::new();
    let mut wire = TcpStream::connect(address).expect("the station listens");
    wire.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    let mut heartbeat = 0_u16;
    while !stop.load(Ordering::Relaxed) {
        heartbeat = heartbeat.wrapping_add(1);
        let [high, low] = heartbeat.to_be_bytes();
        wire.write_all(&[0, 1, 0, 0, 0, 6, 1, 6, 0, 1, high, low]).expect("FC6: word 1");
        wire.read_exact(&mut [0; 12]).expect("its echo");
        wire.write_all(&[0, 2, 0, 0, 0, 6, 1, 3, 0, 10, 0, 10]).expect("FC3: words 10 to 19");
        let mut answer = [0; 29];
        wire.read_exact(&mut answer).expect("ten words");
        let word =
            |index: usize| u16::from_be_bytes([answer[9 + 2 * (index - 10)], answer[10 + 2 * (index - 10)]]);
        let results_valid = word(10) & (1 << 7) != 0;
        let untorn = word(13) == word(19);
        if results_valid && untorn {
            answers.insert(u32::from(word(12)) << 16 | u32::from(word(13)), word(14));
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    answers
}

#[test]
fn every_bottle_of_the_real_belt_is_one_part_judged_in_time_and_told_to_the_plc() {
    let Some(data) = shared_data() else { return };
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples/bottle-line");
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("recipes")).expect("recipes");
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
    let station = fs::read_to_string(examples.join("station.toml")).expect("the example");
    let station = station.replace("127.0.0.1:1502", &format!("127.0.0.1:{port}")).replace(":8080", ":0");
    fs::write(folder.path().join("station.toml"), station).expect("station.toml");
    let recipe = fs::read_to_string(examples.join("recipes/bottle-cap.toml")).expect("the example's recipe");
    let zoo = fs::canonicalize(examples.join("../../../models/zoo")).expect("the zoo");
    let recipe = recipe.replace("../../../../models/zoo", zoo.to_str().expect("a path in UTF-8"));
    fs::write(folder.path().join("recipes/bottle-cap.toml"), recipe).expect("the recipe");
    std::os::unix::fs::symlink(data.join("video/capvision_IMG_4824.mkv"), folder.path().join("belt.mkv"))
        .expect("the clip");

    let plan =
        config::read(&folder.path().join("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    let station = Station::start(plan, Wiring::default()).unwrap_or_else(|error| panic!("{error}"));
    let stop = Arc::new(AtomicBool::new(false));
    let plc = std::thread::spawn({
        let stop = stop.clone();
        move || poll(format!("127.0.0.1:{port}"), &stop)
    });
    wait_until("the end of the clip", Duration::from_secs(60), || station.has_ended());
    wait_until("the last record", Duration::from_secs(5), || {
        station.metrics.records.get() == station.metrics.triggers()
    });
    std::thread::park_timeout(Duration::from_millis(200));
    stop.store(true, Ordering::Relaxed);
    let answers = plc.join().expect("the PLC ends");

    assert_eq!(station.metrics.triggers() as usize, BOTTLES, "one trigger a bottle");
    let records = station.ledger().reader().find(&Query::default()).expect("records");
    let told: Vec<_> = records.iter().map(|record| (record.verdict, record.reasons.clone())).collect();
    assert!(
        told.iter().all(|(verdict, _)| *verdict == RecordVerdict::Pass),
        "each bottle of the clip has its cap: {told:?}"
    );
    for record in &records {
        let classes: Vec<&str> =
            record.views[0].findings.iter().map(|finding| finding.class.as_str()).collect();
        assert!(classes.contains(&"bottle") && classes.contains(&"cap"), "{classes:?}");
        assert_eq!(
            answers.get(&record.part_id.get()),
            Some(&0x5AA5),
            "what the PLC read of part {}",
            record.part_id
        );
    }
    assert_eq!(records.len(), BOTTLES);
    station.stop().expect("the ledger closes");
}
