//! `plumb calibrate` as a quality engineer uses it, and what the station makes of the file it writes.

mod workshop;

use image::{GrayImage, Luma};
use plumb_camera::{Calibration, Target, draw};
use plumb_station::config;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use workshop::{RECIPE, Workshop, shared_data, wait_until};

const BOARD: &str = "chessboard:9x6:10";

struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A board as a camera that looks straight down sees it, so many px a mm, exposed to hold its white.
    fn board(&self, name: &str, px_per_mm: f64) {
        let target: Target = BOARD.parse().expect("a target");
        let mut board = draw::pixels(&target, px_per_mm).expect("drawn");
        board.pixels_mut().for_each(|pixel| pixel.0[0] = 30 + pixel.0[0] / 3 * 2);
        board.save(self.path(name)).expect("written");
    }

    fn white(&self, name: &str, level: u8) {
        let even = |x: u32, y: u32| Luma([level - ((x / 8 + y / 8) % 8) as u8]);
        GrayImage::from_fn(64, 64, even).save(self.path(name)).expect("written");
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_plumb"))
            .arg("calibrate")
            .args(args)
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .expect("plumb runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_folder_of_photographs_becomes_a_calibration_that_names_what_it_could_not_use() {
    let Some(data) = shared_data() else { return };
    let photographs = data.join("calib");
    let photographs = photographs.to_str().expect("UTF-8");
    let desk = Desk::new();
    let args = ["lens", photographs, "--target", "chessboard:9x6:25", "--serial", "SN-1", "--json"];
    let (code, stdout, stderr) = desk.run(&args);
    assert_eq!(code, 0, "{stderr}");
    let document = json(&stdout);
    assert_eq!((&document["schema"], &document["ok"]), (&"plumb.calibrate.lens/1".into(), &true.into()));
    assert!(document["rms_px"].as_f64().expect("a number") <= 0.85, "{document}");
    let unused: Vec<&str> =
        document["unused"].as_array().expect("a list").iter().filter_map(|u| u["picture"].as_str()).collect();
    assert_eq!(unused, ["calibration15.jpg", "calibration4.jpg", "calibration5.jpg"]);
    assert!(stderr.contains("passed over, no pictures by their names: boards.csv"), "{stderr}");
    assert!(document["uncertainty"]["fx"].as_f64().is_some_and(|u| u > 0.0), "{document}");
    let calibration = Calibration::read(&desk.path("calibration.toml")).expect("it reads its own file");
    let lens = calibration.lens.as_ref().expect("a lens");
    assert_eq!((lens.shots.len(), calibration.camera.serial.as_deref()), (10, Some("SN-1")));
    assert!(calibration.expires_at.is_some() && lens.shots.iter().all(|shot| shot.sha256.len() == 64));
    let (code, _, stderr) = desk.run(&args);
    assert_eq!(code, 2, "a calibration is not overwritten unasked");
    assert!(stderr.contains("--replace"), "{stderr}");
}

#[test]
fn pictures_that_cannot_be_used_are_all_named_and_nothing_is_written() {
    let desk = Desk::new();
    fs::create_dir(desk.path("shots")).expect("a folder");
    for name in ["a", "b", "c", "d"] {
        GrayImage::new(320, 240).save(desk.path(&format!("shots/{name}.png"))).expect("written");
    }
    fs::write(desk.path("shots/broken.jpg"), "no picture").expect("written");
    fs::write(desk.path("shots/notes.txt"), "no picture").expect("written");
    desk.board("shots/one.png", 3.0);
    let (code, stdout, stderr) = desk.run(&["lens", "shots", "--target", BOARD, "--json"]);
    assert_eq!(code, 1, "{stderr}");
    let document = json(&stdout);
    assert_eq!(document["ok"], false);
    assert!(document["error"].as_str().is_some_and(|says| says.starts_with("0 of 6 pictures")), "{document}");
    assert_eq!(document["unused"].as_array().map(Vec::len), Some(6));
    for line in ["a.png: the picture is black", "broken.jpg", "others are 320x240", "boards"].iter().take(3) {
        assert!(stderr.contains(line), "{line}\n{stderr}");
    }
    assert!(!desk.path("calibration.toml").exists());
    let (code, _, stderr) = desk.run(&["lens", "nowhere", "--target", BOARD]);
    assert_eq!(code, 3, "{stderr}");
    fs::create_dir(desk.path("empty")).expect("a folder");
    let (code, _, stderr) = desk.run(&["lens", "empty", "--target", BOARD]);
    assert_eq!((code, stderr.contains("there is no picture in empty")), (3, true), "{stderr}");
    let (code, _, stderr) = desk.run(&["lens", "shots", "--target", "chessboard:9:x"]);
    assert_eq!((code, stderr.contains("is no count")), (2, true), "{stderr}");
}

#[test]
fn a_scale_is_found_checked_and_found_wrong_when_the_camera_has_moved() {
    let desk = Desk::new();
    desk.board("plane.png", 4.0);
    desk.board("moved.png", 4.04);
    let (code, stdout, stderr) = desk.run(&["plane", "plane.png", "--target", BOARD, "--json"]);
    assert_eq!(code, 0, "{stderr}");
    let document = json(&stdout);
    for axis in 0..2 {
        let scale = document["mm_per_px"][axis].as_f64().expect("a number");
        let u = document["relative_u"][axis].as_f64().expect("a number");
        assert!((scale / 0.25 - 1.0).abs() < 2.0 * u, "{scale} ± {u}");
    }
    assert!(stderr.contains("no lens"), "what is missing is said: {stderr}");
    let check =
        |picture: &str| desk.run(&["check", picture, "--target", BOARD, "--tolerance-mm", "0.2", "--json"]);
    let (code, stdout, stderr) = check("plane.png");
    assert_eq!((code, json(&stdout)["ok"].as_bool()), (0, Some(true)), "{stderr}");
    let (code, stdout, stderr) = check("moved.png");
    let document = json(&stdout);
    assert_eq!((code, document["ok"].as_bool()), (1, Some(false)), "{stderr}");
    assert!(
        document["unfit"][0].as_str().is_some_and(|says| says.contains("was made at")),
        "another size: {document}"
    );
    let args = ["check", "--length", "10,10,110,10,25.0", "--tolerance-mm", "0.1"];
    assert_eq!(desk.run(&args).0, 0);
    assert_eq!(desk.run(&["check", "--length", "10,10,110,10,26.0", "--tolerance-mm", "0.1"]).0, 1);
    let text = fs::read_to_string(desk.path("calibration.toml")).expect("text");
    fs::write(desk.path("calibration.toml"), text.replacen("rms_mm = ", "rms_mm = 1", 1)).expect("written");
    let (code, _, stderr) = desk.run(&args);
    assert_eq!((code, stderr.contains("was changed after it was written")), (3, true), "{stderr}");
}

#[test]
fn known_lengths_give_a_scale_without_a_target_and_a_live_camera_gives_the_picture() {
    let desk = Desk::new();
    let lengths = ["--length", "0,0,100,0,10", "--length", "0,0,0,100,20"];
    let (code, _, stderr) = desk.run(&[&["plane"][..], &lengths].concat());
    assert_eq!((code, stderr.contains("--size")), (2, true), "{stderr}");
    let (code, _, stderr) = desk.run(&[&["plane", "--size", "640x480"][..], &lengths].concat());
    assert_eq!(code, 0, "{stderr}");
    let scale =
        Calibration::read(&desk.path("calibration.toml")).expect("read").mm_per_px().expect("a scale");
    assert_eq!((scale.x, scale.y), (0.1, 0.2));
    fs::create_dir(desk.path("belt")).expect("a folder");
    desk.board("belt/1.png", 4.0);
    let station =
        "[[camera]]\nid = \"top\"\nserial = \"SN-5\"\nsource = { kind = \"files\", path = \"belt\" }\n";
    fs::write(desk.path("station.toml"), station).expect("written");
    let args = ["plane", "station.toml", "--target", BOARD, "--calibration", "live.toml"];
    let (code, _, stderr) = desk.run(&args);
    assert_eq!(code, 0, "{stderr}");
    let camera = Calibration::read(&desk.path("live.toml")).expect("read").camera;
    assert_eq!(camera.serial.as_deref(), Some("SN-5"), "the config tells the camera");
    let (code, _, stderr) = desk.run(&[&args[..], &["--serial", "SN-6"]].concat());
    assert_eq!((code, stderr.contains("is of camera SN-5, this is camera SN-6")), (3, true), "{stderr}");
    let kept: Vec<_> = fs::read_dir(desk.path("calibration-pictures")).expect("kept").flatten().collect();
    assert_eq!(kept.len(), 1, "the picture it rests on is kept");
    let (code, _, stderr) = desk.run(&["plane", "station.toml", "--camera", "side", "--target", BOARD]);
    assert_eq!((code, stderr.contains("there is no camera \"side\"; there are top")), (3, true), "{stderr}");
}

#[test]
fn light_is_measured_and_flicker_keeps_the_flat_field_from_being_written() {
    let desk = Desk::new();
    for (folder, levels) in [("white", [180, 181, 180]), ("flickers", [180, 200, 170]), ("dark", [9, 9, 9])] {
        fs::create_dir(desk.path(folder)).expect("a folder");
        for (index, level) in levels.iter().enumerate() {
            desk.white(&format!("{folder}/{index}.png"), *level);
        }
    }
    let (code, stdout, stderr) = desk.run(&["light", "flickers", "--json"]);
    assert_eq!((code, desk.path("calibration.toml").exists()), (1, false), "{stderr}");
    assert!(
        json(&stdout)["findings"][0].as_str().is_some_and(|says| says.starts_with("flicker is")),
        "{stdout}"
    );
    let (code, stdout, stderr) = desk.run(&["light", "white", "--dark", "dark", "--json"]);
    assert_eq!((code, json(&stdout)["ok"].as_bool()), (0, Some(true)), "{stderr}");
    let light = Calibration::read(&desk.path("calibration.toml")).expect("read").light.expect("light");
    assert_eq!(light.flat_field.file, Path::new("calibration-flat.png"));
    assert!(light.flat_field.checked(&desk.path("calibration.toml")).is_ok() && light.dark_field.is_some());
}

#[test]
fn focus_tells_each_picture_as_a_line_and_a_soft_end_is_a_finding() {
    let desk = Desk::new();
    fs::create_dir(desk.path("ring")).expect("a folder");
    for (name, period) in [("1", 24), ("2", 8), ("3", 20)] {
        let wave = |x: u32, _| {
            let phase = f64::from(x % period) / f64::from(period) * std::f64::consts::TAU;
            Luma([(120.0 + 80.0 * phase.sin()) as u8])
        };
        GrayImage::from_fn(96, 96, wave).save(desk.path(&format!("ring/{name}.png"))).expect("written");
    }
    let (code, stdout, stderr) = desk.run(&["focus", "ring", "--json", "--least-percent", "90"]);
    assert_eq!(code, 1, "{stderr}");
    let lines: Vec<Value> = stdout.lines().map(json).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| line["schema"] == "plumb.calibrate.focus/1"), "{stdout}");
    assert_eq!(lines[1]["percent"].as_f64(), Some(100.0));
    assert!(lines[2]["percent"].as_f64().is_some_and(|percent| percent < 90.0), "{stdout}");
}

#[test]
fn a_target_is_drawn_to_be_printed() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["target", "charuco:8x6:30:20:5x5_100", "--out", "board.svg"]).0, 0);
    assert!(fs::read_to_string(desk.path("board.svg")).expect("text").contains("width=\"300mm\""));
    assert_eq!(desk.run(&["target", BOARD, "--out", "board.png", "--px-per-mm", "4"]).0, 0);
    assert_eq!(image::image_dimensions(desk.path("board.png")).expect("a picture"), (480, 360));
    assert_eq!(desk.run(&["target", BOARD, "--out", "board.doc"]).0, 2);
}

const STATION: &str = r#"
[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "bottle"

[[camera]]
id = "top"
source = { kind = "files", path = "pictures" }
calibration = "calibration.toml"

[trigger]
kind = "frame"
"#;

/// A station whose camera has a calibration with a scale, as `change` leaves it.
fn calibrated(station: &str, change: impl FnOnce(&mut Calibration)) -> Workshop {
    let workshop = Workshop::new(station, RECIPE);
    let desk = Desk::new();
    let length = ["plane", "--length", "0,0,20,0,10", "--size", "32x32", "--serial", "SN-5"];
    assert_eq!(desk.run(&length).0, 0);
    let mut calibration = Calibration::read(&desk.path("calibration.toml")).expect("read");
    change(&mut calibration);
    calibration.write(&workshop.path("calibration.toml")).expect("written");
    workshop
}

#[test]
fn a_calibration_gives_the_camera_its_scale_and_each_record_its_digest() {
    let station = STATION.replace("id = \"top\"", "id = \"top\"\nserial = \"SN-5\"");
    let workshop = calibrated(&station, |_| ());
    workshop.pictures(&[true]);
    let plan = config::read(&workshop.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(plan.cameras[0].mm_per_px.map(|scale| scale.x), Some(0.5));
    let digest = Calibration::read(&workshop.path("calibration.toml")).expect("read").digest;
    let (station, records) = workshop.start();
    wait_until("a record", Duration::from_secs(20), || station.metrics.records.get() == 1);
    station.stop().expect("the ledger closes");
    let record = records.recv().expect("a record");
    assert_eq!((record.calibration_digest, record.uncalibrated), (Some(digest), Vec::new()));
}

#[test]
fn an_unfit_calibration_is_refused_or_marks_what_is_measured() {
    let told = |workshop: &Workshop| {
        config::read(&workshop.path("station.toml")).expect_err("it does not fit").to_string()
    };
    let unnamed = told(&calibrated(STATION, |_| ()));
    assert!(unnamed.contains("station.toml:10:15") && unnamed.contains("add serial = \"SN-5\""), "{unnamed}");
    let foreign = STATION.replace("id = \"top\"", "id = \"top\"\nserial = \"SN-9\"\nmm_per_px = [0.1, 0.1]");
    let foreign = told(&calibrated(&foreign, |made| made.expires_at = Some(made.made_at)));
    assert!(foreign.contains("expired at") && foreign.contains("this is camera SN-9"), "{foreign}");
    assert!(foreign.contains("has mm_per_px, and its calibration has one too"), "all at once: {foreign}");
    let mark = "id = \"top\"\nserial = \"SN-5\"\ncalibration_unfit = \"mark\"";
    let marking = STATION.replace("id = \"top\"", mark);
    let workshop = calibrated(&marking, |made| made.expires_at = Some(made.made_at));
    workshop.pictures(&[true]);
    let (station, records) = workshop.start();
    wait_until("a record", Duration::from_secs(20), || station.metrics.records.get() == 1);
    station.stop().expect("the ledger closes");
    let record = records.recv().expect("a record");
    assert!(record.calibration_digest.is_some());
    assert!(
        matches!(&record.uncalibrated[..], [says] if says.starts_with("camera \"top\": its calibration expired at")),
        "{:?}",
        record.uncalibrated
    );
}
