//! The photo-eye on the built-in line: plain parts, a woven belt that moves, uneven light, noise.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use plumb_capture::trigger::{PhotoEye, PhotoEyeConfig};
use plumb_inspection::{Frame, Stamp};
use plumb_line::{Line, LineConfig, Product};
use std::time::{Duration, Instant, SystemTime};

const PARTS: u64 = 12;

/// Frames at which the eye fires while `PARTS` parts pass, seen `fps` times a second.
fn fired(config: LineConfig, fps: u32, eye: &PhotoEyeConfig) -> Vec<u64> {
    let start = Instant::now();
    let seconds = (PARTS + 3) as f64 * 60.0 / config.parts_per_minute;
    let line = Line::new(LineConfig { parts: Some(PARTS), ..config }, start).unwrap();
    let mut eye = PhotoEye::new(eye.clone()).unwrap();
    (0..(seconds * f64::from(fps)) as u64)
        .filter(|n| {
            let mono = start + Duration::from_secs(1) / fps * *n as u32;
            let image = line.expose(mono).image;
            let at = Stamp { mono, wall: SystemTime::UNIX_EPOCH };
            eye.see(&Frame { camera: "line".into(), seq: n + 1, camera_frame_id: None, at, image })
        })
        .collect()
}

fn eye() -> PhotoEyeConfig {
    toml::from_str("line_px = [160, 60, 160, 180]").unwrap()
}

#[test]
fn every_part_of_every_product_fires_once() {
    for product in [Product::Washer, Product::BlisterPack] {
        for seed in [1, 2] {
            let config = LineConfig { product, seed, defect_share: 0.5, ..LineConfig::default() };
            let fired = fired(config, 90, &eye());
            assert_eq!(fired.len() as u64, PARTS, "{product:?}, seed {seed}: {fired:?}");
        }
    }
}

#[test]
fn dim_uneven_light_and_noise_change_nothing() {
    let config = LineConfig { noise: 6.0, uneven_light: 0.5, ..LineConfig::default() };
    let fired = fired(config, 90, &eye());
    assert_eq!(fired.len() as u64, PARTS, "{fired:?}");
}
