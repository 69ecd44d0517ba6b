//! What the tests are given: the library, the small models beside `make.py`, pictures drawn in code.
#![allow(dead_code, reason = "each test file uses a part of it")]

use plumb_inference::{Card, Device, LoadOptions, Model, ModelError, Runtime};
use plumb_inspection::{Affine, Element, Findings, Layout, Placement, RectPx, Tensor, TensorSpec, Values};
use std::path::{Path, PathBuf};

/// The library is part of the setup: a test that cannot find it fails with the sentence that says how to get it.
pub(crate) fn runtime() -> Runtime {
    Runtime::load(None).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

pub(crate) fn card(name: &str) -> Card {
    Card::read(&models().join(format!("{name}.toml"))).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn load(card: &Card) -> Result<Model, ModelError> {
    Model::load(&runtime(), card, &on_cpu())
}

pub(crate) fn on_cpu() -> LoadOptions {
    LoadOptions { device: Device::Cpu, ..LoadOptions::default() }
}

/// Cards of all models of this folder that are to be accepted, and of those of the zoo.
pub(crate) fn every_card() -> Vec<Card> {
    let here = std::fs::read_dir(models()).unwrap().map(|entry| entry.unwrap().path());
    let zoo = std::fs::read_dir(models().join("../../../zoo")).into_iter().flatten();
    let mut cards: Vec<PathBuf> = here
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with("refused-"))
        .chain(zoo.map(|entry| entry.unwrap().path().join("card.toml")))
        .filter(|card| card.is_file())
        .collect();
    cards.sort();
    assert!(cards.len() >= 17, "{cards:?}");
    cards.iter().map(|path| Card::read(path).unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// The same noise for the same seed, each channel 0..=1 in steps of 1/255.
pub(crate) fn noise(seed: u32) -> impl Fn(u32, u32) -> [f32; 3] {
    move |x, y| {
        let mixed = (x / 3 + y / 5 * 31 + seed * 977).wrapping_mul(2_654_435_761) >> 8;
        [mixed & 255, (mixed >> 8) & 255, (mixed >> 4) & 255].map(|v| v as f32 / 255.0)
    }
}

/// Every file in and below `folder`, by name.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// One picture's bytes as preprocessing delivers them for `spec`: as they are for u8, else `(byte · scale − mean) / std`.
pub(crate) fn prepared(spec: &TensorSpec, byte: impl Fn(u32, u32) -> [u8; 3]) -> Tensor {
    let (w, h, channels) = (spec.width, spec.height, spec.channels());
    let at = |x: u32, y: u32, c: usize| match spec.layout {
        Layout::Nchw => (c * h as usize + y as usize) * w as usize + x as usize,
        Layout::Nhwc => (y as usize * w as usize + x as usize) * channels + c,
    };
    let (mut bytes, mut numbers) = (vec![0; spec.len()], vec![0.0; spec.len()]);
    for y in 0..h {
        for x in 0..w {
            for (c, byte) in byte(x, y).into_iter().take(channels).enumerate() {
                let (mean, std) = spec.mean_std(c);
                bytes[at(x, y, c)] = byte;
                numbers[at(x, y, c)] = f32::from(byte) * (spec.scale / std) + (-mean / std);
            }
        }
    }
    let values = if spec.element == Element::U8 { Values::U8(bytes) } else { Values::F32(numbers) };
    Tensor::new("whole".into(), spec.shape(), values, plain(spec))
}

/// The same findings but for rounding: classes and places in the same order, scores within `by`, edges within `by` px.
pub(crate) fn assert_alike(a: &Findings, b: &Findings, by: f32, what: &str) {
    assert_eq!(a.list.len(), b.list.len(), "{what}: {a:?}\nand {b:?}");
    for ((_, _, a), (_, _, b)) in a.scores.iter().zip(&b.scores) {
        assert!((a.get() - b.get()).abs() <= by, "{what}: {a:?} and {b:?}");
    }
    for (a, b) in a.list.iter().zip(&b.list) {
        let edges = <[f32; 4]>::from(a.box_px).into_iter().zip(<[f32; 4]>::from(b.box_px));
        let apart = edges.map(|(a, b)| (a - b).abs()).fold((a.score.get() - b.score.get()).abs(), f32::max);
        assert!(a.class == b.class && apart <= by, "{what}: {a:?}\nand {b:?}");
    }
}

pub(crate) fn model(name: &str) -> Model {
    load(&card(name)).unwrap_or_else(|error| panic!("{error}"))
}

/// Folder of real models and pictures; `None`, with a word, where this checkout has none.
pub(crate) fn shared_data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("PLUMB_DATA").map_or(beside, PathBuf::from);
    if data.is_dir() {
        return Some(data);
    }
    println!("skipped: no shared data at {}", data.display());
    None
}

/// The tensor's whole area lies 1:1 in the frame.
pub(crate) fn plain(spec: &TensorSpec) -> Placement {
    Placement {
        frame_from_tensor: Affine::IDENTITY,
        content_px: RectPx { x: 0.0, y: 0.0, w: spec.width as f32, h: spec.height as f32 },
    }
}

/// A picture given by its colour (0..=1, channels in the tensor's order) at each pixel.
pub(crate) fn drawn(
    spec: &TensorSpec,
    placement: Placement,
    colour: impl Fn(u32, u32) -> [f32; 3],
) -> Tensor {
    let (w, h, channels) = (spec.width, spec.height, spec.channels());
    let mut values = vec![0.0; spec.len()];
    for y in 0..h {
        for x in 0..w {
            for (c, v) in colour(x, y).into_iter().take(channels).enumerate() {
                let at = match spec.layout {
                    Layout::Nchw => (c * h as usize + y as usize) * w as usize + x as usize,
                    Layout::Nhwc => (y as usize * w as usize + x as usize) * channels + c,
                };
                values[at] = v;
            }
        }
    }
    let values = match spec.element {
        Element::U8 => Values::U8(values.iter().map(|v| (v * 255.0).round() as u8).collect()),
        Element::F32 | Element::F16 => Values::F32(values),
    };
    Tensor::new("whole".into(), spec.shape(), values, placement)
}
