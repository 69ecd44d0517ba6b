//! What the tests are given: the library, the small models beside `make.py`, pictures drawn in code.
#![allow(dead_code, reason = "each test file uses a part of it")]

use plumb_inference::{Card, Device, LoadOptions, Model, ModelError, Runtime};
use plumb_inspection::{Affine, Element, Layout, Placement, RectPx, Tensor, TensorSpec, Values};
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
    Model::load(&runtime(), card, &LoadOptions { device: Device::Cpu, ..LoadOptions::default() })
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
