//! Invariants 1 and 5, on the real station with real threads, a real model and a real ledger.

mod workshop;

use plumb_ledger::{Ledger, LedgerConfig, Query, RecordVerdict};
use std::time::Duration;
use workshop::{RECIPE, Workshop, wait_until};

const FILES: &str = r#"
[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "bottle"

[[camera]]
id = "top"
source = { kind = "files", path = "pictures" }

[trigger]
kind = "frame"
"#;

#[test]
fn every_picture_is_a_part_with_one_answer_and_one_record() {
    let workshop = Workshop::new(FILES, RECIPE);
    let good: Vec<bool> = (0..60).map(|index| index % 3 != 0).collect();
    workshop.pictures(&good);
    let (station, records) = workshop.start();
    wait_until("the end of the pictures", Duration::from_secs(20), || station.has_ended());
    wait_until("the last answer", Duration::from_secs(5), || station.metrics.records.get() == 60);
    assert_eq!((station.metrics.triggers(), station.metrics.answers.get()), (60, 60));
    station.stop().expect("the ledger closes");

    let records: Vec<_> = records.iter().collect();
    let told: Vec<bool> = records.iter().map(|record| record.verdict == RecordVerdict::Pass).collect();
    assert_eq!(told, good, "in the order of the pictures");
    let ids: Vec<u32> = records.iter().map(|record| record.part_id.get()).collect();
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "in trigger order: {ids:?}");

    let ledger = Ledger::open(&workshop.path("data"), LedgerConfig::default()).expect("the ledger opens");
    assert_eq!(ledger.reader().count(&Query::default()).expect("a count"), 60);
    let rejects = Query { verdict: Some(RecordVerdict::Fail), limit: Some(100), ..Query::default() };
    let rejects = ledger.reader().find(&rejects).expect("records");
    assert_eq!(rejects.len(), 20);
    for reject in rejects {
        assert_eq!(reject.reasons[0].rule.as_str(), "bottle-there");
        assert_eq!(
            reject.pictures.len() + reject.pictures_missing.len(),
            1,
            "the picture of a reject is kept or missed"
        );
    }
}

#[test]
fn a_corrupt_picture_is_a_part_that_was_missed_not_one_that_was_forgotten() {
    let workshop = Workshop::new(FILES, RECIPE);
    workshop.pictures(&[true, true, true]);
    std::fs::write(workshop.path("pictures/001.png"), b"no picture at all").expect("a broken file");
    let (station, records) = workshop.start();
    wait_until("three records", Duration::from_secs(20), || station.metrics.records.get() == 3);
    station.stop().expect("the ledger closes");
    let told: Vec<_> = records.iter().map(|record| record.verdict.as_str()).collect();
    assert_eq!(told, ["pass", "missed", "pass"]);
}

#[test]
fn a_trigger_without_a_camera_is_answered_missed() {
    let station =
        FILES.replace("kind = \"frame\"", "kind = \"api\"").replace("\"pictures\"", "\"not-there\"");
    let workshop = Workshop::new(&station, RECIPE);
    let (station, records) = workshop.start();
    let part = station.trigger();
    let record = records.recv_timeout(Duration::from_secs(5)).expect("an answer");
    assert_eq!(record.part_id, part);
    assert_eq!(record.verdict, RecordVerdict::Missed);
    assert_eq!(record.reasons[0].rule.as_str(), "camera_down");
    let condition = station.condition();
    assert_eq!(condition.state.as_str(), "degraded");
    assert!(condition.reasons.iter().any(|reason| reason.contains("top")), "{:?}", condition.reasons);
    station.stop().expect("the ledger closes");
}

#[test]
fn part_ids_go_on_after_a_restart() {
    let workshop = Workshop::new(FILES, RECIPE);
    workshop.pictures(&[true; 5]);
    let mut last = 0;
    for _ in 0..3 {
        let (station, records) = workshop.start();
        wait_until("five records", Duration::from_secs(20), || station.metrics.records.get() == 5);
        station.stop().expect("the ledger closes");
        for record in records {
            assert!(record.part_id.get() > last, "part {} after {last}", record.part_id);
            last = record.part_id.get();
        }
    }
}

#[test]
fn a_part_whose_picture_never_comes_is_answered_at_its_deadline() {
    // The video test source gives one picture in 30 s: the camera is up, and the part's picture does not come.
    let station = FILES
        .replace(
            r#"source = { kind = "files", path = "pictures" }"#,
            r#"source = { kind = "pipeline", launch = "videotestsrc is-live=true ! video/x-raw,format=BGR,width=32,height=32,framerate=1/30" }
watch = { stall_ms = 60000 }
frame_wait_ms = 60000"#,
        )
        .replace("kind = \"frame\"", "kind = \"api\"");
    let recipe = RECIPE.replace("deadline_ms = 2000", "deadline_ms = 150");
    let workshop = Workshop::new(&station, &recipe);
    let (station, records) = workshop.start();
    wait_until("the first picture", Duration::from_secs(40), || station.condition().reasons.is_empty());
    let asked = std::time::Instant::now();
    station.trigger();
    let record = records.recv_timeout(Duration::from_secs(5)).expect("an answer");
    let took = asked.elapsed();
    assert_eq!(record.verdict, RecordVerdict::Missed);
    assert_eq!(record.reasons[0].rule.as_str(), "deadline");
    assert!(took >= Duration::from_millis(150), "not before the deadline: {took:?}");
    assert!(took < Duration::from_millis(1000), "soon after the deadline: {took:?}");
    station.stop().expect("the ledger closes");
}

/// Two cameras look at one part: white from above, what `side` gives from the side.
fn two_views(side: &str) -> (String, String) {
    let camera = |id: &str, pattern: &str| {
        format!(
            "\n[[camera]]\nid = \"{id}\"\nsource = {{ kind = \"pipeline\", launch = \"videotestsrc is-live=true pattern={pattern} \
             ! video/x-raw,format=BGR,width=32,height=32,framerate=30/1\" }}\n"
        )
    };
    let station = "[station]\nname = \"test\"\nlisten = \"127.0.0.1:0\"\nrecipe = \"bottle\"\n[trigger]\nkind = \"api\"\n".to_owned()
        + &camera("top", "white")
        + &camera("side", side);
    let side_region = "\n[[region]]\nname = \"from-the-side\"\ncamera = \"side\"\nmodel = \"boxes\"\n";
    let side_rule = "\n[[rule]]\nname = \"cap-there\"\nkind = \"presence\"\nregion = \"from-the-side\"\nclass = \"cap\"\nscore_min = 0.5\n";
    let recipe = RECIPE.replace("name = \"whole\"", "name = \"whole\"\ncamera = \"top\"");
    (station, recipe + side_region + side_rule)
}

#[test]
fn several_views_of_a_part_join_into_one_verdict() {
    for (side, verdict) in [("white", RecordVerdict::Pass), ("black", RecordVerdict::Fail)] {
        let (station, recipe) = two_views(side);
        let (station, records) = Workshop::new(&station, &recipe).start();
        wait_until("both cameras", Duration::from_secs(20), || station.condition().reasons.is_empty());
        station.trigger();
        let record = records.recv_timeout(Duration::from_secs(5)).expect("an answer");
        assert_eq!(record.verdict, verdict, "{:?}", record.reasons);
        let mut cameras: Vec<&str> = record.views.iter().map(|view| view.camera.as_str()).collect();
        cameras.sort_unstable();
        assert_eq!(cameras, ["side", "top"]);
        if verdict == RecordVerdict::Fail {
            assert_eq!(record.reasons[0].rule.as_str(), "cap-there");
        }
        station.stop().expect("the ledger closes");
    }
}

#[test]
fn a_part_with_one_view_lost_is_missed_whatever_the_other_shows() {
    let (station, recipe) = two_views("white");
    let station =
        station.replacen("videotestsrc is-live=true pattern=white", "filesrc location=/nowhere ! jpegdec", 1);
    let workshop = Workshop::new(&station, &recipe);
    let (station, records) = workshop.start();
    wait_until("the side camera", Duration::from_secs(20), || {
        !station.condition().reasons.iter().any(|reason| reason.contains("side"))
    });
    station.trigger();
    let record = records.recv_timeout(Duration::from_secs(5)).expect("an answer");
    assert_eq!((record.verdict, record.reasons[0].rule.as_str()), (RecordVerdict::Missed, "camera_down"));
    station.stop().expect("the ledger closes");
}

#[test]
fn a_photo_eye_outside_the_picture_is_a_fault_not_a_silence() {
    let eye = "kind = \"photo_eye\"\neye = { line_px = [400, 5, 400, 30] }";
    let workshop = Workshop::new(&FILES.replace("kind = \"frame\"", eye), RECIPE);
    workshop.pictures(&[true; 3]);
    let (station, _records) = workshop.start();
    wait_until("the fault", Duration::from_secs(20), || station.condition().state.as_str() == "fault");
    let reasons = station.condition().reasons.join("; ");
    assert!(reasons.contains("top") && reasons.contains("400"), "{reasons}");
    station.stop().expect("the ledger closes");
}

#[test]
fn lens_and_flat_field_of_a_camera_are_used_when_they_are_there() {
    let station =
        FILES.replace("id = \"top\"", "id = \"top\"\nlens = \"lens.toml\"\nflat_field = \"white.png\"");
    let workshop = Workshop::new(&station, RECIPE);
    workshop.pictures(&[true, false]);
    workshop.write(
        "lens.toml",
        "size_px = [32, 32]\nfx = 40.0\nfy = 40.0\ncx = 15.5\ncy = 15.5\ndistortion = [0.01, 0.0, 0.0, 0.0, 0.0]\n",
    );
    image::GrayImage::from_pixel(32, 32, image::Luma([200]))
        .save(workshop.path("white.png"))
        .expect("a white picture");
    let (station, records) = workshop.start();
    wait_until("two records", Duration::from_secs(20), || station.metrics.records.get() == 2);
    station.stop().expect("the ledger closes");
    let told: Vec<_> = records.iter().map(|record| record.verdict.as_str()).collect();
    assert_eq!(told, ["pass", "fail"]);

    // Made at another size, they say so instead of bending the picture wrongly.
    workshop.write(
        "lens.toml",
        "size_px = [640, 480]\nfx = 40.0\nfy = 40.0\ncx = 15.5\ncy = 15.5\ndistortion = [0.01, 0.0, 0.0, 0.0, 0.0]\n",
    );
    std::fs::remove_file(workshop.path("white.png")).expect("it was there");
    let told =
        plumb_station::config::read(&workshop.path("station.toml")).expect_err("no flat field").to_string();
    assert!(told.contains("white.png") && told.contains("is no picture of a flat field"), "{told}");
}

#[test]
fn five_rejects_in_a_row_are_a_reason_to_stop_the_line() {
    let workshop = Workshop::new(FILES, RECIPE);
    workshop.pictures(&[true, false, false, false, false, false]);
    let (station, _records) = workshop.start();
    wait_until("six records", Duration::from_secs(20), || station.metrics.records.get() == 6);
    let reasons = station.condition().reasons;
    assert!(reasons.iter().any(|reason| reason.contains("the line had better stop")), "{reasons:?}");
    assert_eq!(station.condition().state.as_str(), "running", "it judges as well as ever");
    station.stop().expect("the ledger closes");
}
