//! `plumb teach` from end to end: good pictures of the built-in line become a model that the station runs, and whatever is
//! wrong with the pictures is said before anything is written.

mod workshop;

use image::{DynamicImage, RgbImage};
use plumb_line::{DefectKind, LineConfig, Part, Pose, Product, Scene, render};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};
use workshop::Workshop;

const STATION: &str = r#"
[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "pack"

[[camera]]
id = "top"
source = { kind = "files", path = "pictures" }

[trigger]
kind = "frame"
"#;

/// A recipe whose model is yet to be taught.
const RECIPE: &str = r#"
[recipe]
name = "pack"
number = 1
deadline_ms = 20000

[[model]]
name = "taught"
card = "../models/pack.toml"

[[region]]
name = "pack"
model = "taught"
rect_px = [40, 40, 240, 160]

[[rule]]
name = "as-taught"
kind = "score"
region = "pack"
max = 1.0
"#;

fn line() -> LineConfig {
    let defects = vec![DefectKind::Missing, DefectKind::Stain, DefectKind::Extra];
    LineConfig {
        product: Product::BlisterPack,
        seed: 7,
        defect_share: 0.5,
        defects,
        uneven_light: 0.1,
        ..LineConfig::default()
    }
}

/// A pack at rest under the camera.
fn picture(index: u64, good: bool) -> RgbImage {
    let config = line();
    let wanted = (index * 1000..).map(|index| Part::draw(&config, index)).find(|part| part.is_good() == good);
    let part = wanted.expect("half of them");
    let pose = Pose { x_px: 160.0, y_px: 120.0, turn_deg: 0.0 };
    let image = render(&Scene::new(&config), &part, pose, index).0;
    let rgb = image.bytes().chunks_exact(3).flat_map(|bgr| [bgr[2], bgr[1], bgr[0]]).collect();
    RgbImage::from_raw(image.width(), image.height(), rgb).expect("as many bytes")
}

fn folder(workshop: &Workshop, name: &str, indices: std::ops::Range<u64>, good: bool) {
    fs::create_dir_all(workshop.path(name)).expect("a folder");
    for index in indices {
        picture(index, good).save(workshop.path(&format!("{name}/{index:03}.png"))).expect("a picture");
    }
}

fn plumb(workshop: &Workshop, args: &[&str]) -> (i32, String, String) {
    told(
        &Command::new(env!("CARGO_BIN_EXE_plumb"))
            .args(args)
            .current_dir(workshop.path(""))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .expect("plumb runs"),
    )
}

/// Exit code, stdout, stderr.
fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Every file of a folder with its bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("the folder").flatten();
    let mut files: Vec<_> = entries
        .map(|entry| {
            (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn good_packs_teach_a_model_that_the_station_runs() {
    let workshop = Workshop::new(STATION, RECIPE);
    folder(&workshop, "good", 0..25, true);
    folder(&workshop, "bad", 100..110, false);
    let (code, stdout, stderr) = plumb(&workshop, &["check", "station.toml"]);
    assert_eq!(code, 3, "the card is not there yet: {stdout}{stderr}");
    let (code, stdout, stderr) = plumb(
        &workshop,
        &[
            "teach",
            "pack",
            "--good",
            "good",
            "--bad",
            "bad",
            "--false-reject",
            "0.05",
            "--odd",
            "keep",
            "--json",
        ],
    );
    assert_eq!(code, 0, "{stderr}");
    let told = json(&stdout);
    assert_eq!(
        (&told["schema"], &told["recipe"], &told["region"]),
        (&"plumb.teach/1".into(), &"pack".into(), &"pack".into())
    );
    assert_eq!(told["good"].as_array().map(Vec::len), Some(25));
    assert_eq!(told["memory"]["kind"], "in_place", "{}", told["memory"]["why"]);
    assert!(
        told["limit"]["false_rejects_at_most"].as_f64().expect("a bound") > 0.1,
        "25 parts say no less than 11 %"
    );
    let auc = told["bad"]["auc"]["model"]["seen"].as_f64().expect("an area");
    assert!(auc > 0.98, "{auc}");

    let (code, stdout, stderr) = plumb(&workshop, &["check", "station.toml"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    for (pictures, verdict, at_least) in [("good", "pass", 23), ("bad", "fail", 9)] {
        let (code, stdout, stderr) = plumb(&workshop, &["replay", "pack", pictures, "--json"]);
        assert_eq!(code, 0, "{stderr}");
        let records: Vec<Value> = stdout.lines().map(json).collect();
        let count = records.iter().filter(|record| record["verdict"] == verdict).count();
        assert!(count >= at_least, "{count} of {} {pictures} ones: {verdict}", records.len());
    }
    // The scores that replay records of the bad ones are those that the lesson told.
    let (_, stdout, _) = plumb(&workshop, &["replay", "pack", "bad", "--json"]);
    let replayed: Vec<f64> = stdout
        .lines()
        .map(|line| {
            json(line)["views"][0]["scores"]
                .as_object()
                .and_then(|scores| scores.values().next()?.as_f64())
                .expect("a score")
        })
        .collect();
    let lesson: Vec<f64> = told["bad"]["scores"]
        .as_array()
        .expect("scores")
        .iter()
        .map(|bad| bad["score"].as_f64().expect("a number"))
        .collect();
    let (mut replayed, mut lesson) = (replayed, lesson);
    replayed.sort_by(f64::total_cmp);
    lesson.sort_by(f64::total_cmp);
    for (a, b) in replayed.iter().zip(&lesson) {
        assert!((a - b).abs() < 1e-3 * b.max(1.0), "{a} for {b}");
    }

    let (code, stdout, stderr) = plumb(&workshop, &["teach", "pack", "--good", "good", "--odd", "keep"]);
    assert_eq!(code, 0, "taught again: {stderr}");
    assert!(
        stdout.contains("0 of 25 (at most") && stdout.contains("25 parts cannot promise 2.00 %"),
        "{stdout}"
    );
    assert!(!stdout.contains(" 0 %") && stdout.contains("max = 1.0"), "{stdout}");
}

#[test]
fn what_is_wrong_with_the_pictures_is_said_and_nothing_is_written() {
    let workshop = Workshop::new(STATION, RECIPE);
    folder(&workshop, "good", 0..1, true);
    let refuse = |args: &[&str], code: i32, words: &[&str]| {
        let (got, stdout, stderr) = plumb(&workshop, &[&["teach", "pack"], args].concat());
        assert_eq!((got, stdout.as_str()), (code, ""), "{args:?}: {stderr}");
        for word in words {
            assert!(stderr.contains(word), "{args:?} gave: {stderr}");
        }
        assert!(!workshop.path("models").exists(), "{args:?} left something behind");
    };
    refuse(&["--good", "good"], 1, &["1 part is good to learn from", "at least 5"]);

    for copy in 1..50 {
        fs::copy(workshop.path("good/000.png"), workshop.path(&format!("good/{copy:03}.png")))
            .expect("a copy");
    }
    refuse(&["--good", "good"], 1, &["1 part is good", "49 of the 50 pictures show the same as another"]);

    folder(&workshop, "mixed", 0..8, true);
    let small = image::imageops::thumbnail(&picture(9, true), 160, 120);
    small.save(workshop.path("mixed/odd-one.png")).expect("a picture");
    refuse(&["--good", "mixed"], 1, &["2 sizes", "8 of 320x240 px", "1 of 160x120 px: odd-one.png"]);

    fs::create_dir(workshop.path("torn")).expect("a folder");
    fs::write(workshop.path("torn/a.png"), b"no picture").expect("a file");
    fs::write(workshop.path("torn/b.jpg"), b"").expect("a file");
    refuse(&["--good", "torn"], 3, &["a.png", "b.jpg"]);
    refuse(&["--good", "nowhere"], 2, &["nowhere"]);
    refuse(
        &["--good", "models-of-nobody", "--region", "pak"],
        3,
        &["no region \"pak\"", "did you mean \"pack\"?"],
    );

    folder(&workshop, "fine", 0..6, true);
    let backbone = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../models/exports/files/plain-classifier-batch/model.onnx");
    refuse(&["--good", "fine", "--backbone", "nowhere.onnx"], 5, &["nowhere.onnx"]);
    refuse(
        &["--good", "fine", "--backbone", backbone.to_str().expect("a path"), "--size", "320x200"],
        5,
        &["cannot be"],
    );
    let (code, _, stderr) = plumb(&workshop, &["teach", "pak", "--good", "fine"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("did you mean \"pack\"?"), "{stderr}");
}

#[test]
fn grey_and_16_bit_pictures_and_a_brought_backbone_teach_as_well() {
    let workshop = Workshop::new(STATION, RECIPE);
    for (name, sixteen) in [("grey", false), ("sixteen", true)] {
        fs::create_dir(workshop.path(name)).expect("a folder");
        for index in 0..8 {
            let grey = DynamicImage::ImageRgb8(picture(index, true)).into_luma8();
            let grey = DynamicImage::ImageLuma8(grey);
            let grey = if sixteen { DynamicImage::ImageLuma16(grey.into_luma16()) } else { grey };
            grey.save(workshop.path(&format!("{name}/{index}.png"))).expect("a picture");
        }
        let (code, _, stderr) = plumb(&workshop, &["teach", "pack", "--good", name, "--odd", "keep"]);
        assert_eq!(code, 0, "{name}: {stderr}");
    }
    let backbone =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/exports/files/timm-resnet10t/model.onnx");
    let (code, _, stderr) = plumb(
        &workshop,
        &[
            "teach",
            "pack",
            "--good",
            "grey",
            "--odd",
            "keep",
            "--backbone",
            backbone.to_str().expect("a path"),
        ],
    );
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("the end of a stage") && stderr.contains("ImageNet's are, a guess"), "{stderr}");
    let (code, stdout, stderr) = plumb(&workshop, &["check", "station.toml"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
}

#[test]
fn a_disk_that_is_full_and_a_crash_while_writing_leave_the_old_model_whole() {
    let workshop = Workshop::new(STATION, RECIPE);
    folder(&workshop, "good", 0..8, true);
    let (code, _, stderr) = plumb(&workshop, &["teach", "pack", "--good", "good", "--odd", "keep"]);
    assert_eq!(code, 0, "{stderr}");
    let models = workshop.path("models");
    let before = files(&models);
    folder(&workshop, "more", 0..12, true);
    // A file may have 100 blocks of 512 bytes: where the signal is ignored, writing fails as on a full disk; where it is
    // not, it ends the process in the middle of the file.
    let teach =
        format!("ulimit -f 100; exec {} teach pack --good more --odd keep", env!("CARGO_BIN_EXE_plumb"));
    for (prefix, is_crash) in [("trap '' XFSZ; ", false), ("", true)] {
        let output = Command::new("sh")
            .args(["-c", &format!("{prefix}{teach}")])
            .current_dir(workshop.path(""))
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        if is_crash {
            assert!(output.status.code().is_none(), "{output:?}");
        } else {
            let (code, _, stderr) = told(&output);
            assert_eq!(code, 4, "{stderr}");
            assert!(
                stderr.contains("cannot be written") && stderr.contains("the model that was there is whole"),
                "{stderr}"
            );
        }
        let left: Vec<_> = files(&models).into_iter().filter(|(name, _)| !name.ends_with(".part")).collect();
        assert!(left == before, "{:?}", left.iter().map(|(name, _)| name).collect::<Vec<_>>());
        let (code, stdout, stderr) = plumb(&workshop, &["check", "station.toml"]);
        assert_eq!(code, 0, "{stdout}{stderr}");
    }
}
