//! The taught model as a file: what onnx's checker says of it, and whether plain ONNX Runtime in Python gives the scores that
//! the memory gives here.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy knows tests by their attribute, not by their folder"
)]

use plumb_inference::{Extractor, Runtime};
use plumb_inspection::Values;
use plumb_onnx::{Draft, Layout, OnnxFile, Prelude};
use plumb_teach::{
    FeatureMap, Fit, FitOptions, GoodPart, Grid, Kind, Limits, backbone,
    compose::{FeatureGraph, FeaturePlan, Limit, taught},
    image_score,
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const WIDTH: usize = 64;
const HEIGHT: usize = 64;

/// Real exports with random weights, of three packages; their operator sets differ.
const BACKBONES: [&str; 3] = ["timm-resnet10t", "torchvision-shufflenet", "ultralytics-v8-classify"];

fn export(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../exports/files").join(name).join("model.onnx")
}

/// Python with onnx and onnxruntime; `None` where there is none.
fn python() -> Option<PathBuf> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.plumb/venv/bin/python");
    let python = std::env::var_os("PLUMB_TEST_PYTHON").map_or(ours, PathBuf::from);
    let there = Command::new(&python).args(["-c", "import onnx, onnxruntime"]).stderr(Stdio::null()).status();
    if there.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    println!(
        "skipped: no Python with onnx and onnxruntime at {}; run `deploy/setup.sh --test`",
        python.display()
    );
    None
}

/// A ring on a gradient, a little different each time; every fifth has a spot.
fn picture(seed: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(WIDTH * HEIGHT * 3);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let far = ((x as f32 - 32.0).hypot(y as f32 - 32.0) - 18.0).abs();
            let mixed = (x * 64 + y + seed * 4099).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let noise = (mixed >> 60) as f32;
            let spot = seed % 5 == 4 && x.abs_diff(20) < 4 && y.abs_diff(20) < 4;
            for channel in 0..3 {
                let level =
                    60.0 + x as f32 + if far < 4.0 { 90.0 } else { 0.0 } + noise + channel as f32 * 8.0;
                bytes.push(if spot { 255 } else { level as u8 });
            }
        }
    }
    bytes
}

fn feature_graph(runtime: &Runtime, path: &Path) -> (FeatureGraph, Vec<String>) {
    let file = OnnxFile::read(path).unwrap();
    let choice = backbone::choose(runtime, &file, path, (WIDTH as u32, HEIGHT as u32)).unwrap();
    let plan = FeaturePlan {
        width: WIDTH as u32,
        height: HEIGHT as u32,
        prelude: Prelude {
            layout: Layout::Nchw,
            reverse_channels: false,
            scale: 1.0 / 255.0,
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
        },
        taps: choice.taps,
        pooled: true,
    };
    (plan.compose(&file).unwrap(), choice.says)
}

fn features(runtime: &Runtime, graph: &FeatureGraph, pictures: &[Vec<u8>]) -> Vec<FeatureMap> {
    let bytes = graph.file.encode();
    let mut extractor =
        Extractor::open(runtime, (&bytes, Path::new("features.onnx")), graph.spec.clone(), 1).unwrap();
    pictures
        .iter()
        .map(|picture| {
            let given = extractor.run(&Values::U8(picture.clone())).unwrap();
            FeatureMap::from_nchw(&given[0].shape, &given[0].values).unwrap()
        })
        .collect()
}

/// Bilinear between the centres of the cells.
fn enlarged(distances: &[f32], grid: Grid, x: usize, y: usize) -> f32 {
    let place = |at: usize, cells: usize, px: usize| {
        let place = ((at as f32 + 0.5) * cells as f32 / px as f32 - 0.5).clamp(0.0, (cells - 1) as f32);
        let first = (place.floor() as usize).min(cells.saturating_sub(2));
        (first, (first + 1).min(cells - 1), place - first as f32)
    };
    let ((left, right, u), (top, bottom, v)) = (place(x, grid.columns, WIDTH), place(y, grid.rows, HEIGHT));
    let at = |row: usize, column: usize| distances[row * grid.columns + column];
    let mix = |row| at(row, left) * (1.0 - u) + at(row, right) * u;
    mix(top) * (1.0 - v) + mix(bottom) * v
}

/// To 1e-4. What is less than a hundredth of the limit is as good as nought: there the difference of two squares has no more
/// digits, and the squares themselves are held together.
fn near(got: f64, wanted: f32) -> bool {
    let wanted = f64::from(wanted);
    (got - wanted).abs() <= 1e-4 * wanted.abs().max(1.0) || (got * got - wanted * wanted).abs() <= 1e-5
}

/// Every memory in every form that it is written in, behind every backbone.
#[test]
fn plain_onnx_runtime_gives_the_scores_of_the_memory() {
    let Some(python) = python() else { return };
    let runtime = Runtime::load(None).unwrap_or_else(|error| panic!("{error}"));
    let folder = tempfile::tempdir().unwrap();
    let unseen: Vec<Vec<u8>> = (100_001..100_006).map(picture).collect();
    let pictures = folder.path().join("pictures.rgb");
    std::fs::write(&pictures, unseen.concat()).unwrap();

    let mut expected: Vec<(PathBuf, Fit, Vec<FeatureMap>, Limit)> = Vec::new();
    let exact = FitOptions::default();
    let in_pieces = FitOptions {
        limits: Limits { anywhere_max: 5600, in_place_max: 3, seed: 2 },
        channels_max: 16,
        ..FitOptions::default()
    };
    for name in BACKBONES {
        let (graph, _) = feature_graph(&runtime, &export(name));
        let count = 5600_usize.div_ceil(graph.grid.cells());
        let good: Vec<Vec<u8>> = (0..count).map(|seed| picture(seed * 5)).collect();
        let maps = features(&runtime, &graph, &good);
        let parts: Vec<GoodPart> = maps.into_iter().map(|seen| GoodPart { seen, copies: vec![] }).collect();
        let seen = features(&runtime, &graph, &unseen);
        for (kind, options, few) in [
            (Kind::InPlace, exact, true),
            (Kind::Anywhere, exact, true),
            (Kind::InPlace, in_pieces, true),
            (Kind::Anywhere, in_pieces, false),
        ] {
            let parts: Vec<&GoodPart> = parts.iter().take(if few { 12 } else { usize::MAX }).collect();
            let fit = Fit::of(kind, &parts, options).unwrap();
            let limit = Limit { score: 1.7, map: 2.3 };
            let (file, names) = taught(&graph, &fit, limit, &[("plumb.teach", "{}")]);
            assert_eq!(names, ["anomaly_map", "pred_score"]);
            let path = folder.path().join(format!("{}.onnx", expected.len()));
            std::fs::write(&path, file.encode()).unwrap();
            expected.push((path, fit, seen.clone(), limit));
        }
    }
    assert!(
        expected
            .iter()
            .any(|(_, fit, ..)| fit.memory.kind() == Kind::Anywhere && fit.memory.patches() > 5000),
        "a bank in pieces is among them"
    );

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plain_onnxruntime.py");
    let output = Command::new(python)
        .args([script, &WIDTH.to_string(), &HEIGHT.to_string()])
        .arg(&pictures)
        .args(expected.iter().map(|(path, ..)| path))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (path, fit, seen, limit) in &expected {
        let told = &told[path.to_str().unwrap()];
        assert_eq!(told["input"], serde_json::json!(["tensor(uint8)", [1, HEIGHT, WIDTH, 3]]));
        for (i, (map, told)) in seen.iter().zip(told["pictures"].as_array().unwrap()).enumerate() {
            let distances = fit.distances(map);
            let about = format!("{} {:?} picture {i}", path.display(), fit.memory.kind());
            let (got, wanted) = (told["score"].as_f64().unwrap(), image_score(&distances) / limit.score);
            assert!(near(got, wanted), "{about}: {got} for {wanted}");
            let heat = told["map"].as_array().unwrap();
            for (x, y) in (0..HEIGHT).step_by(7).flat_map(|y| (0..WIDTH).step_by(5).map(move |x| (x, y))) {
                let got = heat[y * WIDTH + x].as_f64().unwrap();
                let wanted = enlarged(&distances, map.grid(), x, y) / limit.map;
                assert!(near(got, wanted), "{about} at {x}, {y}: {got} for {wanted}");
            }
        }
    }
}

#[test]
fn what_is_taken_of_a_backbone_is_said() {
    let runtime = Runtime::load(None).unwrap_or_else(|error| panic!("{error}"));
    for name in BACKBONES {
        let (graph, says) = feature_graph(&runtime, &export(name));
        assert_eq!((graph.grid.rows, graph.grid.columns), (8, 8), "{name}: {says:?}");
        assert!(
            says[0].contains("8 x 8 cells of 8 px") && says[1].contains("4 x 4 cells of 16 px"),
            "{name}: {says:?}"
        );
        let whole = OnnxFile::read(&export(name)).unwrap();
        assert!(
            graph.file.initialisers().count() < whole.initialisers().count() + 8,
            "{name}: nothing is carried along unused"
        );
    }
}

#[test]
fn a_backbone_without_a_place_is_refused_by_name_of_what_it_gives() {
    let runtime = Runtime::load(None).unwrap_or_else(|error| panic!("{error}"));
    let path = export("timm-resnet10t");
    let whole = OnnxFile::read(&path).unwrap();
    let wrong_size = backbone::choose(&runtime, &whole, &path, (96, 64)).unwrap_err();
    assert!(wrong_size.to_string().contains("cannot be [1, 3, 64, 96]"), "{wrong_size}");
    // A network that knows no places: one matrix for the whole picture.
    let mut flat = Draft::of(&whole.cut_at(&["input0"]).unwrap());
    flat.without_outputs();
    let shape = flat.wholes("shape", &[2], &[1, 3 * 64 * 64]);
    let pixels = flat.node("Reshape", &["input0", &shape], &[]);
    let weights = flat.floats("weights", &[3 * 64 * 64, 4], &vec![0.01; 3 * 64 * 64 * 4]);
    let classes = flat.node("MatMul", &[&pixels, &weights], &[]);
    flat.output(&classes, "logits", &[1, 4]);
    let says =
        backbone::choose(&runtime, &flat.finish(), Path::new("flat.onnx"), (64, 64)).unwrap_err().to_string();
    assert!(says.contains("no features with a place") && says.contains("logits: float32 [1, 4]"), "{says}");
}
