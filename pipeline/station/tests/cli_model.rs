//! `plumb model` as a quality engineer uses it, with real exports and with what goes wrong.

mod workshop;

use plumb_onnx::{OnnxFile, proto::tensor_shape_proto::dimension, proto::type_proto};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;
use workshop::{RECIPE, Workshop};

/// A folder of one's own, with files of one export in it.
struct Desk(TempDir);

impl Desk {
    fn new(export: &str, files: &[&str]) -> Self {
        let desk = Self(tempfile::tempdir().expect("a temporary folder"));
        for file in files {
            fs::copy(exports().join(export).join(file), desk.path(file)).expect("a file of the export");
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        told(&plumb(self.0.path(), args))
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("the folder").flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn exports() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/exports/files")
}

fn plumb(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("plumb runs")
}

/// Exit code, stdout, stderr.
fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

const DETECT: &str = "ultralytics-v8-detect";
const NAMELESS: &str = "torchvision-shufflenet";

#[test]
fn inspect_tells_each_fact_and_where_it_is_from() {
    let desk = Desk::new(DETECT, &["model.onnx"]);
    let (code, stdout, stderr) = desk.run(&["model", "inspect", "model.onnx"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    for line in [
        "model.onnx is a detector, by the marks of Ultralytics",
        "takes  images: float32 [1, 3, 64, 96]",
        "labels            scratch, dent, stain     metadata \"names\"",
        "family.output     yolo_v8                  shape: output0: float32 [1, 7, 126]",
        "input.fit         kind letterbox, pad 114  custom: Ultralytics' predict() letterboxes with grey 114",
    ] {
        assert!(stdout.contains(line), "{line}\n{stdout}");
    }
    let (code, stdout, _) = desk.run(&["model", "inspect", "model.onnx", "--json"]);
    let document = json(&stdout);
    assert_eq!((code, &document["schema"]), (0, &Value::from("plumb.model/1")));
    assert_eq!(document["facts"][0]["source"]["says"], "metadata \"names\"");
    assert_eq!((&document["complete"], &document["missing"]), (&Value::from(true), &Value::Array(vec![])));
    assert_eq!(desk.files(), ["model.onnx"], "looking changes nothing");
}

#[test]
fn what_a_file_does_not_tell_is_asked_for_by_the_words_that_answer_it() {
    let desk = Desk::new(NAMELESS, &["model.onnx"]);
    let (code, stdout, _) = desk.run(&["model", "inspect", "model.onnx"]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("names of the 4 classes") && stdout.contains("--labels NAME,NAME"), "{stdout}");
    let (code, stdout, stderr) = desk.run(&["model", "add", "model.onnx"]);
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    for words in ["--labels NAME,NAME", "--set input.normalisation=unit|imagenet|symmetric|bytes"] {
        assert!(stderr.contains(words), "{words}\n{stderr}");
    }
    assert_eq!(desk.files(), ["model.onnx"]);
    let labels = ["model", "add", "model.onnx", "--labels", "scratch,dent,stain,good"];
    assert_eq!(desk.run(&labels).0, 2, "the likely answer is taken only when that is said");
    let (code, _, stderr) = desk.run(&[&labels[..], &["--yes"]].concat());
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("input.scale") && stderr.contains("ran once on cpu"), "{stderr}");
    assert!(
        fs::read_to_string(desk.path("model.toml"))
            .expect("the card")
            .contains("mean = [0.485, 0.456, 0.406]")
    );
}

#[test]
fn add_writes_a_card_that_runs_and_nothing_over_another() {
    let desk = Desk::new(DETECT, &["model.onnx"]);
    let add = ["model", "add", "model.onnx", "--to", "station/models", "--name", "surface"];
    let (code, stdout, stderr) = desk.run(&[&add[..], &["--set", "family.score_min=0.4", "--json"]].concat());
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(json(&stdout)["card"], "station/models/surface.toml");
    let card = fs::read_to_string(desk.path("station/models/surface.toml")).expect("the card");
    assert!(card.contains("name = \"surface\"  # as you said"), "{card}");
    assert!(card.contains("score_min = 0.4  # as you said"), "{card}");
    assert!(card.contains("output = \"yolo_v8\"  # shape: output0"), "{card}");
    assert!(desk.path("station/models/model.onnx").exists());
    let (code, _, stderr) = desk.run(&add);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("surface.toml is there already; take --force"), "{stderr}");
    assert_eq!(desk.run(&[&add[..], &["--force"]].concat()).0, 0);
}

#[test]
fn a_model_that_asks_for_the_size_of_its_boxes_gets_it_built_in() {
    let desk = Desk::new("rtdetr-deployed", &["model.onnx"]);
    let (code, _, stderr) = desk.run(&["model", "add", "model.onnx", "--labels", "scratch,dent,stain"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("orig_target_sizes is built in as 96x96"), "{stderr}");
    assert_eq!(desk.files(), ["model-sized.onnx", "model.onnx", "model.toml"]);
}

#[test]
fn weights_that_lie_apart_are_missed_by_name_and_size_and_copied_along() {
    let desk = Desk::new("anomalib-padim", &["model.onnx"]);
    let (code, stdout, _) = desk.run(&["model", "inspect", "model.onnx"]);
    assert_eq!(code, 1);
    assert!(
        stdout.contains("\"model.onnx.data\"") && stdout.contains("not beside it; copy it there"),
        "{stdout}"
    );
    let (code, _, stderr) = desk.run(&["model", "add", "model.onnx", "--to", "there"]);
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("model.onnx.data") && !desk.path("there").exists(), "{stderr}");

    let whole = fs::read(exports().join("anomalib-padim/model.onnx.data")).expect("the weights");
    fs::write(desk.path("model.onnx.data"), &whole[..whole.len() / 2]).expect("half of them");
    let (_, stdout, _) = desk.run(&["model", "inspect", "model.onnx"]);
    assert!(stdout.contains("it was cut short: copy it again"), "{stdout}");

    fs::write(desk.path("model.onnx.data"), &whole).expect("all of them");
    let (code, _, stderr) = desk.run(&["model", "add", "model.onnx", "--to", "there"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(desk.path("there/model.onnx.data").exists());
    assert!(fs::read_to_string(desk.path("there/model.toml")).expect("the card").contains("weights = ["));
}

#[test]
fn a_file_that_is_empty_cut_short_or_something_else_ends_with_5_and_leaves_no_card() {
    let whole = fs::read(exports().join(DETECT).join("model.onnx")).expect("the model");
    let desk = Desk::new(DETECT, &[]);
    let rows: [(&[u8], &str); 5] = [
        (b"", "m.onnx is empty; copy the file again"),
        (&whole[..whole.len() / 3], "is not a whole ONNX file"),
        (&whole[..whole.len() - 1], "is not a whole ONNX file"),
        (b"PK\x03\x04 and so on", "PyTorch weights"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ];
    for (bytes, says) in rows {
        fs::write(desk.path("m.onnx"), bytes).expect("a file");
        for command in ["inspect", "add"] {
            let (code, stdout, stderr) = desk.run(&["model", command, "m.onnx"]);
            assert_eq!((code, stdout.as_str()), (5, ""), "{stderr}");
            assert!(stderr.contains(says), "{says}\n{stderr}");
        }
    }
    assert_eq!(desk.files(), ["m.onnx"]);
    let (code, _, stderr) = desk.run(&["model", "inspect", "nowhere.onnx"]);
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("nowhere.onnx cannot be read"), "{stderr}");
}

#[test]
fn a_flipped_bit_is_an_error_or_another_model_and_never_a_panic() {
    let whole = fs::read(exports().join(DETECT).join("model.onnx")).expect("the model");
    let desk = Desk::new(DETECT, &[]);
    for at in [0, 1, 7, 40, 200, whole.len() / 2, whole.len() - 700, whole.len() - 30] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(desk.path("m.onnx"), bytes).expect("a file");
        let (code, _, stderr) = desk.run(&["model", "add", "m.onnx", "--force"]);
        assert!(matches!(code, 0 | 2 | 3 | 5) && !stderr.contains("panicked"), "byte {at}: {code} {stderr}");
        assert_eq!(desk.path("m.toml").exists(), code == 0, "byte {at}: {stderr}");
        let _ = fs::remove_file(desk.path("m.toml"));
    }
}

#[test]
fn fewer_labels_than_classes_are_counted() {
    let desk = Desk::new(NAMELESS, &["model.onnx"]);
    let (code, _, stderr) =
        desk.run(&["model", "add", "model.onnx", "--labels", "scratch,dent,stain", "--yes"]);
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("tells 4 classes apart, but there are 3 labels"), "{stderr}");
    let (code, _, stderr) = desk.run(&["model", "add", "model.onnx", "--set", "input.widht=64"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("nothing called \"input.widht\""), "{stderr}");
    assert_eq!(desk.files(), ["model.onnx"]);
}

#[test]
fn a_model_that_wants_6_channels_is_refused_with_its_shape() {
    let desk = Desk::new(DETECT, &[]);
    let mut model =
        OnnxFile::read(&exports().join(NAMELESS).join("model.onnx")).expect("the model").model().clone();
    let input = &mut model.graph.as_mut().expect("a graph").input[0];
    let kind = input.r#type.as_mut().and_then(|kind| kind.value.as_mut()).expect("a type");
    let type_proto::Value::TensorType(tensor) = kind else { panic!("a tensor") };
    tensor.shape.as_mut().expect("a shape").dim[1].value = Some(dimension::Value::DimValue(6));
    let mut bytes = Vec::new();
    prost::Message::encode(&model, &mut bytes).expect("memory");
    fs::write(desk.path("six.onnx"), bytes).expect("a file");
    let (code, stdout, _) = desk.run(&["model", "inspect", "six.onnx"]);
    assert_eq!(code, 1, "{stdout}");
    let says = "its input is input: float32 [batch, 6, 64, 64], with 6 channels, and a camera gives 1 or 3";
    assert!(stdout.contains(says), "{stdout}");
    let (code, _, stderr) = desk.run(&["model", "add", "six.onnx", "--labels", "a,b,c,d", "--yes"]);
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains(says) && !desk.path("six.toml").exists(), "{stderr}");
}

#[test]
fn verify_holds_a_model_against_its_exporters_own_findings() {
    let desk = Desk::new(DETECT, &["model.onnx", "picture.png", "reference.json"]);
    assert_eq!(desk.run(&["model", "add", "model.onnx", "--set", "family.iou_max=0.45"]).0, 0);
    let verify = ["model", "verify", "model.toml", "--reference", "reference.json"];
    let (code, stdout, stderr) = desk.run(&verify);
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains("ok model.toml: the same 36 findings of ultralytics"), "{stderr}");

    let mut reference = json(&fs::read_to_string(desk.path("reference.json")).expect("the reference"));
    let findings = reference["pictures"][0]["findings"].as_array_mut().expect("findings");
    findings[0]["score"] = Value::from(0.5);
    findings[1]["class"] = Value::from("stain");
    findings.remove(2);
    fs::write(desk.path("reference.json"), reference.to_string()).expect("another reference");
    let (code, stdout, stderr) = desk.run(&verify);
    assert_eq!(code, 1, "{stderr}");
    for words in ["now scores 0.82", "is now a scratch", "is new"] {
        assert!(stdout.contains(words), "{words}\n{stdout}");
    }
    assert!(stderr.contains("3 differences"), "{stderr}");
    let (code, stdout, _) = desk.run(&[&verify[..], &["--json"]].concat());
    let document = json(&stdout);
    assert_eq!((code, &document["schema"]), (1, &Value::from("plumb.verify/1")));
    assert_eq!(document["differences"].as_array().expect("a list").len(), 3);
}

#[test]
fn verify_stores_what_is_found_and_notices_another_picture() {
    let desk = Desk::new(DETECT, &["model.onnx"]);
    assert_eq!(desk.run(&["model", "add", "model.onnx"]).0, 0);
    let (code, _, stderr) = desk.run(&["model", "verify", "model.toml"]);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("model.reference.json cannot be read") && stderr.contains("--write"), "{stderr}");
    let write = ["model", "verify", "model.toml", "--pictures", "shots", "--write"];
    let (code, _, stderr) = desk.run(&write);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("pictures shots cannot be read"), "{stderr}");
    fs::create_dir(desk.path("shots")).expect("a folder");
    let larger = image::open(exports().join(DETECT).join("picture.png")).expect("the picture");
    let larger = larger.resize_exact(190, 200, image::imageops::FilterType::Nearest);
    larger.save(desk.path("shots/a.png")).expect("a picture");
    assert_eq!(desk.run(&write).0, 0);
    let (code, _, stderr) = desk.run(&["model", "verify", "model.toml", "--pictures", "shots"]);
    assert_eq!(code, 0, "{stderr}");
    larger.flipv().save(desk.path("shots/a.png")).expect("another picture");
    let (code, stdout, _) = desk.run(&["model", "verify", "model.toml", "--pictures", "shots"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("is not the picture that the reference was made from"), "{stdout}");
}

#[test]
fn a_card_of_another_file_is_told_by_both_digests() {
    let desk = Desk::new(DETECT, &["model.onnx", "picture.png", "reference.json"]);
    assert_eq!(desk.run(&["model", "add", "model.onnx"]).0, 0);
    let card = fs::read_to_string(desk.path("model.toml")).expect("the card");
    let line = card.lines().find(|line| line.starts_with("sha256")).expect("a digest");
    let wrong = card.replace(line, &format!("sha256 = \"{}\"", "0".repeat(64)));
    fs::write(desk.path("model.toml"), wrong).expect("a wrong card");
    let (code, _, stderr) = desk.run(&["model", "verify", "model.toml", "--reference", "reference.json"]);
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("but its card says 0000"), "{stderr}");
}

#[test]
fn two_models_of_one_name_in_a_recipe_are_a_problem_of_the_config() {
    const STATION: &str = "[station]\nname = \"test\"\nlisten = \"127.0.0.1:0\"\nrecipe = \"bottle\"\n\
        [[camera]]\nid = \"top\"\nsource = { kind = \"files\", path = \"pictures\" }\n[trigger]\nkind = \"frame\"\n";
    let twin = "[[model]]\nname = \"caps\"\ncard = \"../twin.toml\"\n\n[[region]]\nname = \"again\"\nmodel = \"caps\"\n";
    let workshop = Workshop::new(STATION, &RECIPE.replace("[[rule]]", &format!("{twin}\n[[rule]]")));
    fs::copy(workshop.path("model.toml"), workshop.path("twin.toml")).expect("a second card");
    let (code, _, stderr) = told(&plumb(&workshop.path(""), &["check"]));
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("twin.toml calls its model \"detector-yolo-v8\", and so does"), "{stderr}");
    let other = fs::read_to_string(workshop.path("twin.toml")).expect("the card").replacen(
        "detector-yolo-v8",
        "caps",
        1,
    );
    workshop.write("twin.toml", &other);
    let (code, _, stderr) = told(&plumb(&workshop.path(""), &["check"]));
    assert_eq!(code, 0, "{stderr}");
}
