//! A small real station in a temporary folder: a tiny ONNX model that sees a bottle and a cap where the picture is
//! bright, and nothing where it is dark.

#![allow(dead_code, reason = "each test binary uses its own part of the workshop")]

pub(crate) mod bottles;
pub(crate) mod browser;
pub(crate) mod prometheus;

use image::{Rgb, RgbImage};
use plumb_ledger::Record;
use plumb_station::{
    config,
    station::{Station, Wiring},
};
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::mpsc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A station's folder.
pub(crate) struct Workshop {
    folder: TempDir,
}

/// What the tests' recipe asks: a bottle, and a cap on it.
pub(crate) const RECIPE: &str = r#"
[recipe]
name = "bottle"
number = 1
deadline_ms = 2000

[[model]]
name = "boxes"
card = "../model.toml"

[[region]]
name = "whole"
model = "boxes"

[[rule]]
name = "bottle-there"
kind = "presence"
region = "whole"
class = "bottle"
score_min = 0.5
"#;

impl Workshop {
    /// A folder with the model, `recipe` and a folder `pictures`, all empty pictures bright.
    pub(crate) fn new(station: &str, recipe: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/inference/tests/models");
        fs::copy(models.join("detector-yolo-v8.onnx"), folder.path().join("detector-yolo-v8.onnx"))
            .expect("model");
        fs::copy(models.join("detector-yolo-v8.toml"), folder.path().join("model.toml")).expect("card");
        fs::create_dir(folder.path().join("recipes")).expect("recipes");
        fs::create_dir(folder.path().join("pictures")).expect("pictures");
        let workshop = Self { folder };
        workshop.write("station.toml", station);
        workshop.write("recipes/bottle.toml", recipe);
        workshop
    }

    /// As [`Workshop::new`], with every model of `tests/models` beside the first.
    pub(crate) fn with_models(station: &str, recipe: &str) -> Self {
        let workshop = Self::new(station, recipe);
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
        for file in fs::read_dir(models).expect("the models").flatten() {
            fs::copy(file.path(), workshop.path(&file.file_name().to_string_lossy())).expect("a model");
        }
        workshop
    }

    /// Writes a file of the station.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file of the station");
    }

    /// Pictures `000.png` …: true is bright (a good part), false is dark (a bad one).
    pub(crate) fn pictures(&self, bright: &[bool]) {
        for (index, bright) in bright.iter().enumerate() {
            let grey = if *bright { 255 } else { 0 };
            let picture = RgbImage::from_pixel(32, 32, Rgb([grey; 3]));
            picture.save(self.path(&format!("pictures/{index:03}.png"))).expect("a picture");
        }
    }

    /// A path below the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the station; its records come out of the other end.
    pub(crate) fn start(&self) -> (Station, mpsc::Receiver<Record>) {
        let plan = config::read(&self.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
        let (tap, records) = mpsc::channel();
        let tap = Box::new(move |record: &Record| drop(tap.send(record.clone())));
        let station = Station::start(plan, Wiring { tap: Some(tap), ..Wiring::default() });
        (station.unwrap_or_else(|error| panic!("{error}")), records)
    }
}

/// Waits until `done`, at most `patience`.
pub(crate) fn wait_until(what: &str, patience: Duration, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !done() {
        assert!(Instant::now() < end, "waited {patience:?} in vain for: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// GET, whatever the status.
pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    answer(agent().get(format!("http://{address}{path}")).call())
}

/// POST without a body, whatever the status.
pub(crate) fn post(address: SocketAddr, path: &str) -> (u16, Value) {
    answer(agent().post(format!("http://{address}{path}")).send_empty())
}

fn agent() -> ureq::Agent {
    ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build())
}

fn answer(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, Value) {
    let mut answer = answer.expect("HTTP");
    (answer.status().as_u16(), answer.body_mut().read_json().expect("JSON"))
}

/// Where the shared pictures are, or `None` with a word about it.
pub(crate) fn shared_data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("PLUMB_DATA").map_or(beside, PathBuf::from);
    if data.join("README.md").exists() {
        return Some(data);
    }
    eprintln!("skipped: no shared data at {}; set PLUMB_DATA", data.display());
    None
}
