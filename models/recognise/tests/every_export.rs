//! Every real export: recognised from the file itself, its card read, the model run on its picture, and the findings those
//! of the package that made it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy knows tests by their attribute, not by their folder"
)]

use plumb_inference::{Card, Device, LoadOptions, Model, ModelError, Runtime};
use plumb_inspection::{
    Affine, ColourOrder, Element, Finding, Layout, Placement, RectPx, Tensor, TensorSpec, Values,
};
use plumb_onnx::{OnnxFile, Prelude};
use plumb_recognise::{Answers, Exporter, Recognition, Source};
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

fn exports() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../exports")
}

fn read_json(path: &Path) -> Json {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names of all exports with what is written of each.
fn every_export() -> Vec<(String, Json)> {
    let list = read_json(&exports().join("exports.json"));
    let list = list.as_array().unwrap().iter();
    list.map(|entry| (entry["name"].as_str().unwrap().to_owned(), entry.clone())).collect()
}

/// Who should be recognised.
fn exporter_of(name: &str, family: &str) -> Exporter {
    match family {
        "ultralytics" => Exporter::Ultralytics,
        "yolov5" => Exporter::YoloV5,
        "anomalib" => Exporter::Anomalib,
        "geti" => Exporter::Geti,
        "mmdeploy" => Exporter::MmDeploy,
        "rf-detr" => Exporter::RfDetr,
        "detr" if name.ends_with("-deployed") => Exporter::RtDetr,
        "detr" => Exporter::HuggingFace,
        "torchvision" if ["fasterrcnn", "maskrcnn", "retinanet"].iter().any(|kind| name.ends_with(kind)) => {
            Exporter::Torchvision
        }
        // These leave no mark.
        "torchvision" | "timm" | "plain" => Exporter::Plain,
        other => panic!("{name} is of family {other}; say here what it should be recognised as"),
    }
}

/// What the person who trained the model would answer: its thresholds, and what its file cannot tell.
fn answers(name: &str, reference: &Json, asked: &Recognition) -> Answers {
    let mut answers = Answers::default();
    for key in ["score_min", "iou_max", "findings_max"] {
        let key = format!("family.{key}");
        // A graph that sorts boxes out itself is asked for no IoU, whatever its package was told.
        let is_asked = !key.ends_with("iou_max") || asked.fact(&key).is_some();
        if let Some(value) = reference["settings"].get(&key[7..]).filter(|_| is_asked) {
            answers.set(&key, &value.to_string()).unwrap();
        }
    }
    let picture = &reference["pictures"][0];
    if picture["meaning"].is_string() && asked.exporter == Some(Exporter::Plain) {
        // The package takes the best class of each pixel, however unsure.
        answers.set("family.score_min", "0").unwrap();
    }
    let classes = picture["classes"].as_array().into_iter().flatten().map(|class| class.as_str().unwrap());
    let classes: Vec<&str> = classes.collect();
    for question in &asked.questions {
        let answer = match question.key {
            "labels" if !classes.is_empty() => classes.join(","),
            "labels" if picture["meaning"].is_string() => "background,scratch,dent,stain".to_owned(),
            "labels" => "scratch,dent,stain".to_owned(),
            "input.normalisation" if name.starts_with("plain") => "unit".to_owned(),
            "input.normalisation" => "imagenet".to_owned(),
            other => panic!("{name}: nobody would know {other}"),
        };
        answers.set(question.key, &answer).unwrap();
    }
    answers
}

/// The picture as it is, in the model's numbers: it has the model's size already.
fn tensor(picture: &Path, spec: &TensorSpec) -> Tensor {
    let picture = image::open(picture).unwrap_or_else(|error| panic!("{}: {error}", picture.display()));
    let picture = picture.to_rgb8();
    let (w, h) = (spec.width as usize, spec.height as usize);
    assert_eq!(
        (picture.width(), picture.height()),
        (spec.width, spec.height),
        "the picture has the model's size"
    );
    let channels = spec.channels();
    let mut values = vec![0.0; spec.len()];
    for (x, y, pixel) in picture.enumerate_pixels() {
        for c in 0..channels {
            let [r, g, b] = pixel.0;
            let level = match spec.colour {
                ColourOrder::Rgb => [r, g, b][c],
                ColourOrder::Bgr => [b, g, r][c],
                // Rec. 601, as OpenCV rounds it.
                ColourOrder::Grey => {
                    (f32::from(r) * 0.299 + f32::from(g) * 0.587 + f32::from(b) * 0.114).round() as u8
                }
            };
            let (x, y) = (x as usize, y as usize);
            let at = match spec.layout {
                Layout::Nchw => (c * h + y) * w + x,
                Layout::Nhwc => (y * w + x) * channels + c,
            };
            let (mean, std) = spec.mean_std(c);
            values[at] = match spec.element {
                Element::U8 => f32::from(level),
                Element::F32 | Element::F16 => (f32::from(level) * spec.scale - mean) / std,
            };
        }
    }
    let values = match spec.element {
        Element::U8 => Values::U8(values.iter().map(|value| *value as u8).collect()),
        Element::F32 | Element::F16 => Values::F32(values),
    };
    let content_px = RectPx { x: 0.0, y: 0.0, w: w as f32, h: h as f32 };
    let placement = Placement { frame_from_tensor: Affine::IDENTITY, content_px };
    Tensor::new("whole".into(), spec.shape(), values, placement)
}

fn numbers(value: &Json) -> Vec<f32> {
    value.as_array().into_iter().flatten().map(|number| number.as_f64().unwrap() as f32).collect()
}

/// How far apart a finding and the package's are; `None` for another class.
fn apart(found: &Finding, expected: &Json, whole: RectPx) -> Option<(f32, f32)> {
    if found.class.as_str() != expected["class"].as_str().unwrap() {
        return None;
    }
    let moved = match numbers(&expected["box_px"])[..] {
        [x, y, w, h] => {
            let edges = |r: RectPx| [r.x, r.y, r.right(), r.bottom()];
            // Some packages let boxes reach out of the picture.
            let theirs = RectPx { x, y, w, h }.intersection(whole);
            let pairs = edges(found.box_px).into_iter().zip(edges(theirs));
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        }
        // A classifier's package gives no box.
        _ => 0.0,
    };
    let keypoints = expected["keypoints_px"].as_array().into_iter().flatten().map(numbers);
    let found_keypoints = found.keypoints_px.iter().flatten();
    let (mut moved, mut score_off) =
        (moved, (found.score.get() - expected["score"].as_f64().unwrap() as f32).abs());
    for (theirs, ours) in keypoints.zip(found_keypoints) {
        // Ours lie inside the region.
        moved =
            moved.max((theirs[0].max(0.0) - ours.x).abs().min(1e6)).max((theirs[1].max(0.0) - ours.y).abs());
        score_off = score_off.max((theirs[2] - ours.score).abs());
    }
    Some((moved, score_off))
}

fn compare(
    name: &str,
    found: &[Finding],
    expected: &[Json],
    whole: RectPx,
    (box_px, score): (f32, f32),
) -> Vec<String> {
    let mut open: Vec<&Finding> = found.iter().collect();
    let mut wrong = Vec::new();
    for expected in expected {
        // Random weights give boxes turned inside out, which show nothing.
        let place = numbers(&expected["box_px"]);
        if matches!(place[..], [x, y, w, h] if RectPx { x, y, w, h }.intersection(whole).area() <= 0.0) {
            continue;
        }
        let same = open
            .iter()
            .position(|found| apart(found, expected, whole).is_some_and(|(m, s)| m <= box_px && s <= score));
        match same {
            Some(at) => drop(open.remove(at)),
            None => wrong.push(format!("{name}: nothing like {expected}")),
        }
    }
    wrong.extend(open.iter().map(|found| format!("{name}: not expected: {found:?}")));
    wrong
}

/// A model that calculates in 16 bits: one unit of the last place in its input (255 divided by or 1/255 multiplied with)
/// moved the package's own scores by 0.007, measured with the Python package of the same library.
fn is_half(seen: &Recognition) -> bool {
    seen.fact("input.element").is_some_and(|fact| fact.value.as_str() == Some("f16"))
        || seen.metadata.iter().any(|(key, value)| key == "args" && value.contains("'quantize': 16"))
}

/// A segmenter's package gives one finding a class, all its pixels; we give one a piece.
fn compare_areas(name: &str, found: &[Finding], expected: &[Json], unsure_px: f64) -> Vec<String> {
    let area = |class: &str| -> f64 {
        found.iter().filter(|f| f.class.as_str() == class).map(|f| f64::from(f.area_px)).sum()
    };
    let off = expected.iter().filter(|expected| {
        let class = expected["class"].as_str().unwrap();
        (area(class) - expected["area_px"].as_f64().unwrap()).abs() > unsure_px
    });
    off.map(|expected| format!("{name}: {} px² for {expected}", area(expected["class"].as_str().unwrap())))
        .collect()
}

#[test]
fn every_export_is_recognised_and_finds_what_its_own_package_found() {
    let runtime = Runtime::load(None).unwrap_or_else(|error| panic!("{error}"));
    let list = every_export();
    assert!(list.len() >= 20, "{}", list.len());
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (name, entry) in &list {
        let folder = exports().join("files").join(name);
        let reference = read_json(&folder.join("reference.json"));
        let file = folder.join("model.onnx");
        let look =
            |answers: &Answers| Recognition::of(&file, answers).unwrap_or_else(|error| panic!("{error}"));
        let seen = look(&answers(name, &reference, &look(&Answers::default())));
        let expected = exporter_of(name, entry["family"].as_str().unwrap());
        if seen.exporter != Some(expected) {
            wrong.push(format!("{name}: recognised as {:?}", seen.exporter));
            continue;
        }
        let text = match seen.card() {
            Ok(text) => text,
            Err(error) => {
                wrong.push(format!("{name}: {error}; missing {:?}", seen.questions));
                continue;
            }
        };
        let scratch = tempfile::tempdir().unwrap();
        let card_folder = match &seen.changed {
            None => &folder,
            Some(changed) => {
                std::fs::write(scratch.path().join(seen.card_file()), &changed.bytes).unwrap();
                scratch.path()
            }
        };
        let card = Card::parse(&text, &card_folder.join("card.toml"))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let options = LoadOptions { device: Device::Cpu, ..LoadOptions::default() };
        let mut model = match Model::load(&runtime, &card, &options) {
            Ok(model) => model,
            Err(error) => {
                wrong.push(format!("{name}: {error}\n{text}"));
                continue;
            }
        };
        let tolerance = |key: &str| reference["tolerance"][key].as_f64().unwrap() as f32;
        let tolerance =
            (tolerance("box_px").min(1.0), if is_half(&seen) { 0.01 } else { tolerance("score").min(1e-3) });
        for picture in reference["pictures"].as_array().unwrap() {
            let path = folder.join(picture["file"].as_str().unwrap());
            let found = model.examine(&tensor(&path, &card.input));
            if picture["outputs"].is_string() {
                assert!(matches!(found, Err(ModelError::NotANumber { .. })), "{name}: NaN is no verdict");
                continue;
            }
            let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
            let expected = picture["findings"].as_array().unwrap();
            compared += expected.len();
            let whole = RectPx { x: 0.0, y: 0.0, w: card.input.width as f32, h: card.input.height as f32 };
            if picture["meaning"].is_string() {
                wrong.extend(compare_areas(
                    name,
                    &found.list,
                    expected,
                    picture["unsure_px"].as_f64().unwrap_or(0.0),
                ));
            } else if !picture["map"].is_object() {
                wrong.extend(compare(name, &found.list, expected, whole, tolerance));
            }
            // Model API brings the highest of the map to 0..1; a card's threshold is that of the map itself.
            if let Some(score) = picture["raw_score"].as_f64().or(picture["score"].as_f64()) {
                let apart = (f64::from(found.scores[0].2.get()) - score).abs();
                if apart > f64::from(tolerance.1) * score.abs().max(1.0) {
                    wrong.push(format!("{name}: score {:?} for {score}", found.scores));
                }
            }
        }
    }
    println!("{} exports, {compared} findings compared", list.len());
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_fact_of_every_export_says_where_it_is_from() {
    for (name, _) in every_export() {
        let file = exports().join("files").join(&name).join("model.onnx");
        let seen = Recognition::of(&file, &Answers::default()).unwrap_or_else(|error| panic!("{error}"));
        println!("{name}: {:?}, {}", seen.exporter, seen.producer);
        for fact in &seen.facts {
            assert!(fact.source != Source::Answer && !fact.source.to_string().is_empty(), "{name}: {fact:?}");
            println!("    {} = {}   {}", fact.key, fact.value, fact.source);
        }
        for missing in &seen.questions {
            println!("    ? {}: {} ({})", missing.key, missing.means, missing.how());
        }
        for note in seen.notes.iter().chain(&seen.obstacles) {
            println!("    ! {note}");
        }
        assert!(seen.exporter.is_some(), "{name} is of no family");
    }
}

/// With the prelude in front, a model takes the camera's bytes and finds the same.
#[test]
fn the_way_from_bytes_runs_in_the_graph_with_the_same_findings() {
    let runtime = Runtime::load(None).unwrap_or_else(|error| panic!("{error}"));
    let options = LoadOptions { device: Device::Cpu, ..LoadOptions::default() };
    let (mut wrong, mut composed) = (Vec::new(), 0);
    for (name, _) in every_export() {
        let folder = exports().join("files").join(&name);
        let (file, reference) = (folder.join("model.onnx"), read_json(&folder.join("reference.json")));
        let look = |file: &Path, answers: &Answers| {
            Recognition::of(file, answers).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let answers = answers(&name, &reference, &look(&file, &Answers::default()));
        let on_host = look(&file, &answers);
        let card = Card::parse(&on_host.card().unwrap(), &folder.join("card.toml")).unwrap();
        let spec = &card.input;
        let prelude = Prelude {
            layout: plumb_onnx::Layout::Nchw,
            reverse_channels: false,
            scale: spec.scale,
            mean: spec.mean.clone(),
            std: spec.std.clone(),
        };
        let onnx = OnnxFile::read(&file).unwrap();
        let takes_bytes = spec.element == Element::U8;
        let gives_nan = reference["pictures"][0]["outputs"].is_string();
        // One picture without a batch, a second input, weights elsewhere: told by their own tests.
        if onnx.inputs().len() != 1
            || onnx.inputs()[0].sides().len() != 4
            || !on_host.external.is_empty()
            || takes_bytes
            || gives_nan
        {
            continue;
        }
        let scratch = tempfile::tempdir().unwrap();
        let after = scratch.path().join("composed.onnx");
        std::fs::write(
            &after,
            prelude.compose(&onnx).unwrap_or_else(|error| panic!("{name}: {error}")).encode(),
        )
        .unwrap();
        let mut answers = answers.clone();
        answers.set("input.colour", if spec.colour == ColourOrder::Bgr { "bgr" } else { "rgb" }).unwrap();
        let in_graph = look(&after, &answers);
        let text =
            in_graph.card().unwrap_or_else(|error| panic!("{name}: {error}; {:?}", in_graph.questions));
        let bytes_card = Card::parse(&text, &scratch.path().join("card.toml")).unwrap();
        assert_eq!(
            (bytes_card.input.element, bytes_card.input.layout),
            (Element::U8, Layout::Nhwc),
            "{name}"
        );
        let mut models = [card, bytes_card].map(|card| {
            Model::load(&runtime, &card, &options).unwrap_or_else(|error| panic!("{name}: {error}"))
        });
        let picture = folder.join(reference["pictures"][0]["file"].as_str().unwrap());
        let [host, graph] = models.each_mut().map(|model| {
            let spec = model.info().input.clone();
            model.examine(&tensor(&picture, &spec)).unwrap_or_else(|error| panic!("{name}: {error}"))
        });
        let host: Vec<Json> = host.list.iter().map(|found| serde_json::to_value(found).unwrap()).collect();
        let spec = &models[0].info().input;
        let whole = RectPx { x: 0.0, y: 0.0, w: spec.width as f32, h: spec.height as f32 };
        let tolerance = (1.0, if is_half(&on_host) { 0.01 } else { 1e-3 });
        wrong.extend(compare(&name, &graph.list, &host, whole, tolerance));
        composed += 1;
    }
    println!("{composed} models composed");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(composed >= 20, "{composed}");
}

/// Files of the world that came with no card.
#[test]
fn files_of_the_world_are_recognised_or_refused_with_their_reason() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("PLUMB_DATA").map_or(beside, PathBuf::from);
    if !data.is_dir() {
        return println!("skipped: no shared data at {}", data.display());
    }
    let look = |file: &str, answers: &Answers| {
        Recognition::of(&data.join("models").join(file), answers).unwrap_or_else(|error| panic!("{error}"))
    };
    let said = |pairs: &[(&str, &str)]| {
        let mut answers = Answers::default();
        pairs.iter().for_each(|(key, answer)| answers.set(key, answer).unwrap());
        answers
    };
    let digits = said(&[("labels", "0,1,2,3,4,5,6,7,8,9"), ("input.normalisation", "bytes")]);
    let rows = [
        ("fastestdet-coco-352.onnx", Exporter::FastestDet, said(&[])),
        ("ultraface-rfb-320.onnx", Exporter::Ssd, said(&[("labels", "face")])),
        ("mnist-opset8.onnx", Exporter::Plain, digits),
    ];
    let runtime = Runtime::load(None).unwrap_or_else(|error| panic!("{error}"));
    for (file, exporter, answers) in rows {
        let seen = look(file, &answers);
        assert_eq!(seen.exporter, Some(exporter), "{file}");
        let text = seen.card().unwrap_or_else(|error| panic!("{file}: {error}; {:?}", seen.questions));
        let card = Card::parse(&text, &data.join("models/card.toml")).unwrap();
        let options = LoadOptions { device: Device::Cpu, ..LoadOptions::default() };
        Model::load(&runtime, &card, &options).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    let refused =
        look("superres-customops-opset18.onnx", &Answers::default()).card().unwrap_err().to_string();
    assert!(refused.contains("com.microsoft.extensions:DecodeImage"), "{refused}");
}
