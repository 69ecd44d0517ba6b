//! Real exports of the packages that people train with, against what each package itself made of the same picture:
//! `models/exports`. A file that no row here reads fails the test.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy knows tests by their attribute, not by their folder"
)]

mod given;

use given::{plain, runtime};
use image::{Rgb, RgbImage};
use plumb_inference::{Card, Device, LoadOptions, Model, ModelError};
use plumb_inspection::{ColourOrder, Element, Finding, Layout, RectPx, Tensor, TensorSpec, Values};
use plumb_onnx::OnnxFile;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// What the card of an export says.
struct Row {
    /// What the export's name ends with.
    name: &'static str,
    labels: &'static str,
    /// `[family]`.
    family: &'static str,
    /// More of `[input]` than its size and type.
    input: &'static str,
}

/// The first that fits is taken.
#[rustfmt::skip]
const CARDS: [Row; 41] = [
    // Ultralytics
    row("26-detect", DEFECTS, "kind = 'detector'\noutput = 'yolo_end_to_end'", ""),
    row("detect-nms", DEFECTS, "kind = 'detector'\noutput = 'yolo_end_to_end'", ""),
    row("ultralytics-rtdetr", DEFECTS, "kind = 'detector'\noutput = 'ultralytics_rt_detr'", ""),
    row("26-segment", DEFECTS, "kind = 'instance_segmenter'\noutput = 'yolo_end_to_end'", ""),
    row("segment-nms", DEFECTS, "kind = 'instance_segmenter'\noutput = 'yolo_end_to_end'", ""),
    row("v8-segment", DEFECTS, "kind = 'instance_segmenter'\noutput = 'yolo_v8'\niou_max = 0.45", ""),
    row("v8-segment-half", DEFECTS, "kind = 'instance_segmenter'\noutput = 'yolo_v8'\niou_max = 0.45", ""),
    row("v11-segment", DEFECTS, "kind = 'instance_segmenter'\noutput = 'yolo_v8'\niou_max = 0.45", ""),
    row("26-pose", PARTS, "kind = 'pose'\noutput = 'yolo_end_to_end'\nkeypoints = 4", ""),
    row("v11-pose", PARTS, "kind = 'pose'\noutput = 'yolo_v8'\nkeypoints = 4\niou_max = 0.45", ""),
    row("pose-2d", "['connector']", "kind = 'pose'\noutput = 'yolo_v8'\nkeypoints = 3\nkeypoint_scores = false\niou_max = 0.45", ""),
    row("26-obb", DEFECTS, "kind = 'oriented_detector'\noutput = 'yolo_end_to_end'", ""),
    row("v11-obb", DEFECTS, "kind = 'oriented_detector'\noutput = 'yolo_v8'\niou_max = 0.45", ""),
    row("v8-classify", QUALITY, "kind = 'classifier'\nactivation = 'none'", ""),
    row("26-classify", QUALITY, "kind = 'classifier'\nactivation = 'none'", ""),
    row("26-semantic", MAP, "kind = 'segmenter'\nbackground = 0", ""),
    row("detect-raw", DEFECTS, "kind = 'detector'\noutput = 'yolo_v8'\niou_max = 0.45", ""),
    row("detect-dynamic", DEFECTS, "kind = 'detector'\noutput = 'yolo_v8'\niou_max = 0.45", ""),
    row("yolov5-detect", DEFECTS, "kind = 'detector'\noutput = 'yolo_v5'\niou_max = 0.45", ""),
    row("rfdetr-detect", DEFECTS, "kind = 'detector'\noutput = 'detr'\nbackground = 3", IMAGENET),
    row("geti-detection", DEFECTS, "kind = 'detector'\noutput = 'mmdeploy'\nscore_min = 0.3\niou_max = 0.45", IMAGENET_LEVELS),
    row("-detect", DEFECTS, "kind = 'detector'\noutput = 'yolo_v8'\niou_max = 0.45", ""),
    // DETR and its kin
    row("rtdetr-deployed", DEFECTS, "kind = 'detector'\noutput = 'rt_detr'", ""),
    row("-transformers", DEFECTS, "kind = 'detector'\noutput = 'detr'", ""),
    row("rfdetr-segment", DEFECTS, "kind = 'instance_segmenter'\noutput = 'detr'\nbackground = 3", IMAGENET),
    row("dfine-deployed", DEFECTS, "kind = 'detector'\noutput = 'rt_detr'", ""),
    row("mmdeploy-rtmdet", DEFECTS, "kind = 'detector'\noutput = 'mmdeploy'\nscore_min = 0.3", IMAGENET_BGR),
    // torchvision, timm
    row("fasterrcnn", DEFECTS, "kind = 'detector'\noutput = 'torchvision'", ""),
    row("retinanet", DEFECTS, "kind = 'detector'\noutput = 'torchvision'", ""),
    row("maskrcnn", DEFECTS, "kind = 'instance_segmenter'\noutput = 'torchvision'", ""),
    row("lraspp", MAP, "kind = 'segmenter'\nbackground = 0\nscore_min = 0", IMAGENET),
    row("shufflenet", QUALITY, "kind = 'classifier'", IMAGENET),
    row("timm-resnet10t", QUALITY, "kind = 'classifier'", IMAGENET),
    // Anomalib, Geti. The operating point is 0.5; below it good pictures too have something to compare.
    row("anomalib-padim", "['anomaly']", "kind = 'anomaly'\nmap_min = 0.2", ""),
    row("geti-anomaly", "['anomaly']", "kind = 'anomaly'\nmap_min = 2.9215", ""),
    row("geti-classification", QUALITY, "kind = 'classifier'", IMAGENET_LEVELS),
    row("geti-classification-saved", QUALITY, "kind = 'classifier'", IMAGENET_LEVELS),
    row("geti-segmentation", MAP, "kind = 'segmenter'\nbackground = 0\nscore_min = 0", IMAGENET_LEVELS),
    // Plain
    row("u8-nhwc", QUALITY, "kind = 'classifier'\nactivation = 'none'", "layout = 'nhwc'"),
    row("plain-classifier*", QUALITY, "kind = 'classifier'", ""),
    row("plain-unet*", MAP, "kind = 'segmenter'\nbackground = 0\nscore_min = 0", ""),
];
const fn row(name: &'static str, labels: &'static str, family: &'static str, input: &'static str) -> Row {
    Row { name, labels, family, input }
}
const QUALITY: &str = "['scratch', 'dent', 'stain', 'good']";
const MAP: &str = "['background', 'scratch', 'dent', 'stain']";
const IMAGENET: &str = "mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]";
const IMAGENET_BGR: &str =
    "colour = 'bgr'\nscale = 1\nmean = [103.53, 116.28, 123.675]\nstd = [57.375, 57.12, 58.395]";
const IMAGENET_LEVELS: &str = "scale = 1\nmean = [123.675, 116.28, 103.53]\nstd = [58.395, 57.12, 57.375]";
const DEFECTS: &str = "['scratch', 'dent', 'stain']";
const PARTS: &str = "['connector', 'screw']";

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../exports/files")
}

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn sha256(file: &Path) -> String {
    Sha256::digest(std::fs::read(file).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The model of `entry` for pictures of this size, from a card as a person would write it.
fn model(entry: &Value, (width, height): (u32, u32), scratch: &Path, batch_max: usize) -> Model {
    let name = entry["name"].as_str().unwrap();
    let fits = |row: &&Row| match row.name.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name.ends_with(row.name),
    };
    let Row { labels, family, input, .. } = CARDS
        .iter()
        .find(fits)
        .unwrap_or_else(|| panic!("no row of CARDS reads {name}, which gives {}", entry["outputs"]));
    let folder = files().join(name);
    let mut file = folder.join("model.onnx");
    // A second input, always the same, is built in first.
    if entry["inputs"].as_array().unwrap().len() > 1 {
        let model = OnnxFile::read(&file).unwrap();
        let size = [i64::from(width), i64::from(height)];
        let built_in = model.with_constant_input("orig_target_sizes", &[1, 2], &size).unwrap();
        file = scratch.join(format!("{name}.onnx"));
        std::fs::write(&file, built_in.encode()).unwrap();
    }
    // Weights in a file of their own are the card's business too.
    let outside = folder.join("model.onnx.data");
    let weights = if outside.is_file() {
        format!("weights = [{{ file = 'model.onnx.data', sha256 = {:?} }}]\n", sha256(&outside))
    } else {
        String::new()
    };
    let element = entry["inputs"][0]["type"].as_str().unwrap();
    let text = format!(
        "name = {name:?}\nfile = {file:?}\nsha256 = {:?}\nlabels = {labels}\n{weights}[family]\n{family}\n\
         [input]\nwidth = {width}\nheight = {height}\nelement = {element:?}\n{input}\n",
        sha256(&file)
    );
    let card =
        Card::parse(&text, &folder.join("card.toml")).unwrap_or_else(|error| panic!("{name}: {error}"));
    let options = LoadOptions { device: Device::Cpu, batch_max, ..LoadOptions::default() };
    Model::load(&runtime(), &card, &options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The picture as it is: it has the size that the model wants.
fn tensor(picture: &RgbImage, spec: &TensorSpec) -> Tensor {
    assert_eq!(picture.dimensions(), (spec.width, spec.height));
    let of =
        |pixel: &Rgb<u8>, c: usize| (c, pixel.0[if spec.colour == ColourOrder::Bgr { 2 - c } else { c }]);
    let levels: Vec<(usize, u8)> = match spec.layout {
        Layout::Nchw => (0..3).flat_map(|c| picture.pixels().map(move |pixel| of(pixel, c))).collect(),
        Layout::Nhwc => picture.pixels().flat_map(|pixel| [0, 1, 2].map(|c| of(pixel, c))).collect(),
    };
    let values = if spec.element == Element::U8 {
        Values::U8(levels.into_iter().map(|(_, level)| level).collect())
    } else {
        let normal = |(c, level): (usize, u8)| {
            let (mean, std) = spec.mean_std(c);
            // Divided, as the packages do it: a last place that differs moves a random network in fp16 by 0.003.
            let level = if spec.scale == 1.0 { f32::from(level) } else { f32::from(level) / 255.0 };
            (level - mean) / std
        };
        Values::F32(levels.into_iter().map(normal).collect())
    };
    Tensor::new("whole".into(), spec.shape(), values, plain(spec))
}

/// Everything that the package found is found, once, and nothing else.
fn compare(
    name: &str,
    reference: &Value,
    score_tolerance: f32,
    found: &[Finding],
    frame: RectPx,
    folder: &Path,
) -> Result<(), String> {
    let expected = reference["findings"].as_array().unwrap();
    let number = |value: &Value| value.as_f64().unwrap() as f32;
    let numbers = |value: &Value| -> Vec<f32> { value.as_array().unwrap().iter().map(number).collect() };
    let near = |got: &[f32], expected: &[f32], by: f32| {
        got.len() == expected.len() && got.iter().zip(expected).all(|(a, b)| (a - b).abs() <= by)
    };
    let mut left: Vec<&Finding> = found.iter().collect();
    for seen in expected {
        let box_px = seen.get("box_px").map_or(frame, |value| {
            let [x, y, w, h] = numbers(value)[..] else { panic!("{name}: {value}") };
            RectPx { x, y, w, h }.intersection(frame)
        });
        if box_px.area() <= 0.0 {
            // Random networks turn boxes inside out; these packages keep them, and we have no use for them.
            continue;
        }
        let edges = |r: RectPx| [r.x, r.y, r.right(), r.bottom()];
        let same = |finding: &&Finding| {
            finding.class.as_str() == seen["class"]
                && (finding.score.get() - number(&seen["score"])).abs() <= score_tolerance
                && near(&edges(finding.box_px), &edges(box_px), 1.0)
                && match seen.get("keypoints_px") {
                    None => finding.keypoints_px.is_none(),
                    Some(value) => {
                        let keypoints = finding.keypoints_px.as_deref().unwrap_or_default();
                        let expected = value.as_array().unwrap();
                        keypoints.len() == expected.len()
                            && keypoints.iter().zip(expected).all(|(got, expected)| {
                                let expected = numbers(expected);
                                near(&[got.x, got.y], &expected[..2], 1.0)
                                    && (got.score - expected.get(2).copied().unwrap_or(1.0)).abs() <= 1e-3
                            })
                    }
                }
                && match seen.get("polygon_px") {
                    None => true,
                    Some(value) => {
                        let corners = finding.polygon_px.as_deref().unwrap_or_default();
                        let expected = value.as_array().unwrap();
                        corners.len() == expected.len()
                            && corners
                                .iter()
                                .zip(expected)
                                .all(|(got, expected)| near(&[got.x, got.y], &numbers(expected), 1.0))
                    }
                }
                && seen.get("area_px").is_none_or(|area| {
                    let area = number(area);
                    (finding.area_px - area).abs() <= (area * 0.02).max(1.0)
                })
        };
        let Some(at) = left.iter().position(same) else {
            let alike: Vec<_> = left.iter().filter(|f| f.box_px.iou(box_px) > 0.5).collect();
            return Err(format!("{name}: {seen} was not found; alike are {alike:#?}"));
        };
        let finding = left.remove(at);
        if let Some(mask) = seen.get("mask") {
            outline_fits(name, finding, &folder.join(mask.as_str().unwrap()));
        }
    }
    if left.is_empty() { Ok(()) } else { Err(format!("{name}: the package did not find {left:#?}")) }
}

/// A segmenter's pieces of a class, put together again, are what the package found of that class.
fn compare_classes(name: &str, reference: &Value, found: &[Finding]) -> Result<(), String> {
    let number = |value: &Value| value.as_f64().unwrap() as f32;
    let mut classes = 0;
    for seen in reference["findings"].as_array().unwrap() {
        let pieces: Vec<&Finding> = found.iter().filter(|f| f.class.as_str() == seen["class"]).collect();
        let area: f32 = pieces.iter().map(|f| f.area_px).sum();
        let mean = pieces.iter().map(|f| f.area_px * f.score.get()).sum::<f32>() / area;
        // Model API's score is a mean of logits.
        let is_probability = !name.starts_with("geti");
        let unsure = reference.get("unsure_px").map_or(2.0, number);
        let (area_too, mean_too) = (number(&seen["area_px"]), number(&seen["score"]));
        if (area - area_too).abs() > unsure || (is_probability && (mean - mean_too).abs() > 1e-3) {
            return Err(format!("{name}: {area} px with a mean of {mean} for {seen}"));
        }
        classes += 1;
    }
    let seen: std::collections::BTreeSet<&str> = found.iter().map(|f| f.class.as_str()).collect();
    if seen.len() == classes { Ok(()) } else { Err(format!("{name}: {seen:?} for {classes} classes")) }
}

/// The score is the package's, and as many pixels are hot as its own mask or map has above the same threshold.
fn compare_anomaly(
    name: &str,
    reference: &Value,
    score: f32,
    found: &[Finding],
    folder: &Path,
) -> Result<(), String> {
    let number = |value: &Value| value.as_f64().unwrap() as f32;
    let area: f32 = found.iter().map(|f| f.area_px).sum();
    // Geti's score is its map's highest, put onto another scale.
    if let Some(raw) = reference.get("raw_score") {
        let (raw, hot) = (number(raw), number(&reference["mask_px"]));
        let same = (score - raw).abs() <= 1e-3 && (area - hot).abs() <= 1.0;
        return if same { Ok(()) } else { Err(format!("{name}: {score} for {raw}, {area} px for {hot}")) };
    }
    let expected = number(&reference["score"]);
    if (score - expected).abs() > 1e-3 {
        return Err(format!("{name}: a score of {score} for {expected}"));
    }
    const MAP_MIN: f32 = 0.2;
    let map = &reference["map"];
    let bytes = std::fs::read(folder.join(map["file"].as_str().unwrap())).unwrap();
    let pixels = (map["shape"][0].as_u64().unwrap() * map["shape"][1].as_u64().unwrap()) as usize;
    let heats = bytes[bytes.len() - 4 * pixels..].chunks_exact(4);
    let (mut hot, mut unsure) = (0.0_f32, 0.0_f32);
    for heat in heats.map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())) {
        hot += f32::from(u8::from(heat >= MAP_MIN));
        unsure += f32::from(u8::from((heat - MAP_MIN).abs() < 1e-3));
    }
    if (area - hot).abs() > unsure {
        return Err(format!("{name}: {area} px are hot for {hot}, of which {unsure} are near {MAP_MIN}"));
    }
    Ok(())
}

/// The outline goes round the largest piece of the package's mask: no pixel further than two from the edge of that
/// piece is on the wrong side of it (corners are left out, and where pieces are equal either may be taken).
fn outline_fits(name: &str, finding: &Finding, mask: &Path) {
    let mask = image::open(mask).unwrap_or_else(|error| panic!("{}: {error}", mask.display())).to_luma8();
    let (width, height) = (mask.width() as i64, mask.height() as i64);
    let marked = |x: i64, y: i64| {
        x >= 0 && y >= 0 && x < width && y < height && mask.get_pixel(x as u32, y as u32).0[0] > 127
    };
    let around = |x: i64, y: i64| (-2..=2).flat_map(move |dy| (-2..=2).map(move |dx| (x + dx, y + dy)));
    let polygon: Vec<(f64, f64)> =
        finding.polygon_px.as_ref().unwrap().iter().map(|p| (f64::from(p.x), f64::from(p.y))).collect();
    let inside = |x: f64, y: f64| {
        let edges = polygon.iter().zip(polygon.iter().cycle().skip(1));
        edges
            .filter(|(a, b)| (a.1 > y) != (b.1 > y) && x < (b.0 - a.0) * (y - a.1) / (b.1 - a.1) + a.0)
            .count()
            % 2
            == 1
    };
    let mut outside_marked = 0;
    for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
        let is_inside = inside(x as f64 + 0.5, y as f64 + 0.5);
        if is_inside {
            // Of holes the outline says nothing, so inside must only be the neighbourhood of the piece.
            continue;
        }
        if around(x, y).all(|(x, y)| marked(x, y)) {
            outside_marked += 1;
        }
    }
    // Other pieces than the largest are outside.
    assert!(
        outside_marked as f32 <= finding.area_px / 2.0,
        "{name}: {outside_marked} px of {mask:?} are outside"
    );
}

#[test]
fn every_export_gives_what_its_own_package_found() {
    let list = json(&files().join("../exports.json"));
    let scratch = tempfile::tempdir().unwrap();
    let (mut pictures, mut findings) = (0, 0);
    let (mut names, mut wrong) = (Vec::new(), Vec::new());
    for entry in list.as_array().unwrap() {
        let name = entry["name"].as_str().unwrap();
        names.push(name);
        let folder = files().join(name);
        let told = json(&folder.join("reference.json"));
        let score_tolerance = told["tolerance"]["score"].as_f64().unwrap() as f32;
        let references = told["pictures"].as_array().unwrap();
        for reference in references {
            let picture = image::open(folder.join(reference["file"].as_str().unwrap())).unwrap().to_rgb8();
            let mut model = model(entry, picture.dimensions(), scratch.path(), 1);
            let tensor = tensor(&picture, &model.info().input);
            pictures += 1;
            let found = match model.examine(&tensor) {
                Ok(found) => found,
                Err(ModelError::NotANumber { .. }) if name.ends_with("-nan") => continue,
                Err(error) => panic!("{name}: {error}"),
            };
            assert!(!name.ends_with("-nan"), "{name}: a verdict from a model that gives NaN: {found:?}");
            let frame = plain(&model.info().input).content_px;
            let compared = if reference.get("map").is_some() {
                compare_anomaly(name, reference, found.scores[0].2.get(), &found.list, &folder)
            } else if reference.get("meaning").is_some() {
                compare_classes(name, reference, &found.list)
            } else {
                compare(name, reference, score_tolerance, &found.list, frame, &folder)
            };
            wrong.extend(compared.err());
            findings += found.list.len();
        }
    }
    let on_disk = std::fs::read_dir(files()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(on_disk.count(), names.len(), "a folder that exports.json does not name");
    assert!(wrong.is_empty(), "{} of {pictures} pictures:\n{}", wrong.len(), wrong.join("\n"));
    println!("{} exports, {pictures} pictures, {findings} findings", names.len());
}

/// Where the batch axis is free, two pictures in one run are each given what they are given alone; torchvision's lists
/// of boxes have none, and its pictures are examined one by one.
#[test]
fn pictures_that_share_a_run_are_given_what_they_are_given_alone() {
    let list = json(&files().join("../exports.json"));
    let scratch = tempfile::tempdir().unwrap();
    let mut shared = Vec::new();
    for entry in list.as_array().unwrap() {
        let name = entry["name"].as_str().unwrap();
        let folder = files().join(name);
        let told = json(&folder.join("reference.json"));
        let open = |reference: &Value| {
            image::open(folder.join(reference["file"].as_str().unwrap())).unwrap().to_rgb8()
        };
        let mut pictures: Vec<RgbImage> = told["pictures"].as_array().unwrap().iter().map(open).collect();
        if name.ends_with("-nan") {
            continue;
        }
        // A second picture, where the export comes with one.
        pictures.push(image::imageops::flip_horizontal(&pictures[0]));
        let size = pictures[0].dimensions();
        pictures.retain(|picture| picture.dimensions() == size);
        pictures.truncate(2);
        let mut model = model(entry, size, scratch.path(), 2);
        let tensors: Vec<Tensor> =
            pictures.iter().map(|picture| tensor(picture, &model.info().input)).collect();
        let together = model.examine_batch(&tensors.iter().collect::<Vec<_>>(), None);
        for (tensor, together) in tensors.iter().zip(together) {
            let (alone, together) = (model.examine(tensor).unwrap(), together.unwrap());
            assert_eq!(alone.list.len(), together.list.len(), "{name}");
            for (a, b) in alone.list.iter().zip(&together.list) {
                assert_eq!(a.class, b.class, "{name}");
                assert!((a.score.get() - b.score.get()).abs() < 1e-4, "{name}: {a:?} {b:?}");
                assert!(a.box_px.iou(b.box_px) > 0.99, "{name}: {a:?} {b:?}");
            }
        }
        if model.info().batch_max == 2 {
            shared.push(name);
        }
    }
    println!("a run is shared by {shared:?}");
    assert!(shared.contains(&"ultralytics-v11-detect-dynamic"), "{shared:?}");
    assert!(shared.iter().all(|name| !name.starts_with("torchvision-f")), "{shared:?}");
}
