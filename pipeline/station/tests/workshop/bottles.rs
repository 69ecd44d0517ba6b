//! Bottles that somebody triggers ten times a second, in a light that comes and goes, for tests of the console.

use plumb_capture::{LineCamera, LineExposure};
use plumb_inspection::{Image, PixelFormat};
use plumb_station::station::Station;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

pub(crate) const STATION: &str = r#"
[station]
name = "station 3"
listen = "127.0.0.1:0"
recipe = "bottle"
data = "data"

[[camera]]
id = "top"
source = { kind = "line" }

[trigger]
kind = "api"

[line]
product = "washer"
"#;

/// The test model's cap scores 0.8 where the picture is bright, and less as it is darker.
pub(crate) const RECIPE: &str = r#"# Bottles.
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
name = "no-cap"
kind = "absence"
class = "cap"
score_min = 0.5 # as long as nobody knows better
"#;

/// Ten parts a second.
const PITCH: Duration = Duration::from_millis(100);

/// Sees bottles of 320 x 240 px.
#[derive(Default)]
pub(crate) struct Eye(AtomicU64);

impl LineCamera for Eye {
    fn expose(&self) -> Option<LineExposure> {
        let frame_id = self.0.fetch_add(1, Relaxed) + 1;
        let grey = 120 + (frame_id * 37 % 136) as u8;
        let image = Image::packed(320, 240, PixelFormat::Bgr8, vec![grey; 320 * 240 * 3]).expect("a picture");
        Some(LineExposure { image, frame_id })
    }
}

/// Triggers until it is stopped.
pub(crate) struct Belt {
    runs: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Belt {
    pub(crate) fn start(station: &Arc<Station>) -> Self {
        let runs = Arc::new(AtomicBool::new(true));
        let (station, goes_on) = (station.clone(), runs.clone());
        let thread = std::thread::spawn(move || {
            while goes_on.load(Relaxed) {
                station.trigger();
                std::thread::sleep(PITCH);
            }
        });
        Self { runs, thread }
    }

    pub(crate) fn stop(self) {
        self.runs.store(false, Relaxed);
        self.thread.join().expect("the belt ran");
    }
}
