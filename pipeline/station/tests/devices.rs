//! Models on devices: several in one trip, several trips in one run, and what becomes of parts when a device is not
//! there or fails.

mod workshop;

use plumb_ledger::{Record, RecordVerdict};
use plumb_station::{
    config,
    station::{StartError, Station, Wiring},
};
use serde_json::Value;
use std::{path::Path, process::Command, time::Duration};
use workshop::{RECIPE, Workshop, get, wait_until};

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

fn started(workshop: &Workshop) -> Result<Station, StartError> {
    let plan = config::read(&workshop.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    Station::start(plan, Wiring::default())
}

#[test]
fn a_device_that_is_not_there_is_refused_or_stood_in_for_and_never_passed_over() {
    let recipe = RECIPE.replace("card = \"../model.toml\"", "card = \"../model.toml\"\ndevice = \"cuda:0\"");
    let says = started(&Workshop::new(FILES, &recipe)).err().expect("refused").to_string();
    assert!(says.contains("detector-yolo-v8") && says.contains("cuda:0"), "{says}");

    let station = format!("{FILES}\n[infer]\ndevice_missing = \"degrade\"\n");
    let workshop = Workshop::new(&station, &recipe);
    workshop.pictures(&[true]);
    let (station, records) = workshop.start();
    let record = records.recv_timeout(Duration::from_secs(10)).expect("an answer");
    assert_eq!((record.verdict, record.models[0].provider.as_str()), (RecordVerdict::Pass, "cpu"));
    let condition = station.condition();
    assert_eq!(condition.state.as_str(), "degraded");
    let reasons = condition.reasons.join("; ");
    assert!(reasons.contains("runs on the processor") && reasons.contains("cuda:0"), "{reasons}");
    let (_, told) = get(station.address.expect("HTTP is served"), "/api/v1/models");
    let model = &told["models"][0];
    assert_eq!((&model["asked"], &model["provider"]), (&Value::from("cuda:0"), &Value::from("cpu")));
    assert!(model["degraded"].as_str().is_some_and(|says| says.contains("cuda:0")), "{told}");
    station.stop().expect("the ledger closes");
}

#[test]
fn a_device_without_memory_costs_the_part_and_the_model_comes_back_or_the_station_stops() {
    let camera = r#"source = { kind = "pipeline", launch = "videotestsrc is-live=true pattern=white ! video/x-raw,format=BGR,width=32,height=32,framerate=30/1" }"#;
    let live = FILES
        .replace(r#"source = { kind = "files", path = "pictures" }"#, camera)
        .replace("kind = \"frame\"", "kind = \"api\"");
    let recipe = RECIPE.replace("../model.toml", "../greedy.toml");
    for (policy, state) in [("go_on", "degraded"), ("stop", "fault")] {
        let workshop =
            Workshop::with_models(&format!("{live}\n[infer]\ndevice_failed = \"{policy}\"\n"), &recipe);
        let (station, records) = workshop.start();
        wait_until("the camera", Duration::from_secs(20), || station.condition().is_ready());
        let judge = || -> Record {
            station.trigger();
            records.recv_timeout(Duration::from_secs(5)).expect("an answer")
        };
        let record = judge(); // a white picture: the model asks for more than there can be
        assert_eq!((record.verdict, record.reasons[0].rule.as_str()), (RecordVerdict::Missed, "device"));
        wait_until("the station to say so", Duration::from_secs(5), || {
            station.condition().state.as_str() == state
        });
        let reasons = station.condition().reasons.join("; ");
        assert!(reasons.contains("greedy") && reasons.contains("memory"), "{reasons}");
        if policy == "go_on" {
            wait_until("the model to be opened again", Duration::from_secs(20), || {
                station.condition().is_ready()
            });
        } else {
            assert_eq!(judge().reasons[0].rule.as_str(), "device", "no model, no verdict");
        }
        station.stop().expect("the ledger closes");
    }
}

/// Two cameras over one part, four regions, one model that takes as many as come.
fn batched(infer: &str) -> Workshop {
    let camera = |id: &str, pattern: &str| {
        format!(
            "\n[[camera]]\nid = \"{id}\"\nsource = {{ kind = \"pipeline\", launch = \"videotestsrc is-live=true pattern={pattern} \
             ! video/x-raw,format=BGR,width=32,height=32,framerate=30/1\" }}\n"
        )
    };
    let station =
        "[station]\nname = \"test\"\nlisten = \"127.0.0.1:0\"\nrecipe = \"bottle\"\n[trigger]\nkind = \"api\"\n".to_owned()
            + &camera("left", "white")
            + &camera("right", "smpte75")
            + infer;
    let region = |name: &str, camera: &str, x: u32| {
        format!(
            "\n[[region]]\nname = \"{name}\"\ncamera = \"{camera}\"\nmodel = \"boxes\"\nrect_px = [{x}, 0, 16, 32]\n"
        )
    };
    let regions = [("whole", "left", 0), ("b", "left", 16), ("c", "right", 0), ("d", "right", 16)]
        .map(|(name, camera, x)| region(name, camera, x));
    let recipe = RECIPE
        .replace("[[region]]\nname = \"whole\"\nmodel = \"boxes\"\n", &regions.concat())
        .replace("../model.toml", "../dynamic.toml");
    let workshop = Workshop::new(&station, &recipe);
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/inference/tests/models");
    for (from, to) in
        [("detector-dynamic.onnx", "detector-dynamic.onnx"), ("detector-dynamic.toml", "dynamic.toml")]
    {
        std::fs::copy(models.join(from), workshop.path(to)).expect("the model");
    }
    workshop
}

#[test]
fn a_batch_across_cameras_and_regions_sees_what_each_region_shows_alone() {
    let seen = |infer: &str| {
        let workshop = batched(infer);
        let (station, records) = workshop.start();
        wait_until("the cameras", Duration::from_secs(20), || station.condition().is_ready());
        for _ in 0..10 {
            station.trigger();
        }
        wait_until("the last record", Duration::from_secs(60), || station.metrics.records.get() == 10);
        let batch_max = station.current().model_of(0).info.batch_max;
        station.stop().expect("the ledger closes");
        let views = |record: Record| {
            let findings = record.views.into_iter().map(|view| (view.camera, view.findings));
            (record.verdict, findings.collect::<Vec<_>>())
        };
        (records.iter().map(views).collect::<Vec<_>>(), batch_max)
    };
    let (alone, one) = seen("");
    let (together, eight) = seen("\n[infer]\nbatch_max = 8\nbatch_wait_us = 50000\nworkers = 2\n");
    assert_eq!((one, eight), (1, 8));
    assert!(
        alone[0].1.iter().all(|(_, findings)| findings.len() >= 2),
        "something in each region: {alone:?}"
    );
    assert_eq!(alone, together);
}

#[test]
fn one_trip_visits_two_devices_and_each_judges_its_own_region() {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.plumb/lib/openvino");
    if !library.join("libonnxruntime_providers_openvino.so").exists() {
        eprintln!("skipped: there is no ONNX Runtime with OpenVINO at {}", library.display());
        return;
    }
    // A process holds one library, and this one's may be another: so the station runs in a process of its own.
    let library = library.canonicalize().expect("a folder");
    let station = format!("{FILES}\n[infer]\nlibrary = \"{}\"\n", library.display());
    let recipe = RECIPE
        .replace("card = \"../model.toml\"", "card = \"../model.toml\"\ndevice = \"openvino:CPU\"")
        + "\n[[model]]\nname = \"second\"\ncard = \"../slow.toml\"\ndevice = \"cpu\"\n\
           [[region]]\nname = \"again\"\nmodel = \"second\"\n\
           [[rule]]\nname = \"cap-there\"\nkind = \"presence\"\nregion = \"again\"\nclass = \"cap\"\nscore_min = 0.5\n";
    let workshop = Workshop::with_models(&station, &recipe);
    workshop.pictures(&[true, false, true]);
    let output = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(["replay", "recipes/bottle.toml", "pictures", "--json"])
        .current_dir(workshop.path(""))
        .env_remove("PLUMB_ORT_LIB")
        .env("LD_LIBRARY_PATH", &library)
        .output()
        .expect("plumb runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let records: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON record a line"))
        .collect();
    let verdicts: Vec<_> = records.iter().map(|record| record["verdict"].as_str()).collect();
    assert_eq!(verdicts, [Some("pass"), Some("fail"), Some("pass")], "{said}");
    let providers: Vec<_> = records[0]["models"]
        .as_array()
        .expect("models")
        .iter()
        .map(|model| model["provider"].as_str())
        .collect();
    assert_eq!(providers, [Some("openvino:CPU"), Some("cpu")], "{said}");
    let regions: Vec<_> = records[0]["views"][0]["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| finding["region"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(regions, ["whole", "whole", "again", "again"], "in the recipe's order, not the devices'");
}
