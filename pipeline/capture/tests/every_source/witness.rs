//! Watches a camera and waits, never longer than it was told, for what must happen.

use plumb_capture::{Camera, CameraEvent, CaptureError, DownCause, LineCamera, SourceConfig, WatchConfig};
use plumb_inspection::Frame;
use std::{
    path::PathBuf,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

/// Longer than anything here takes, even on a machine busy with other things.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) struct Witness {
    pub(crate) camera: Camera,
    pub(crate) events: mpsc::Receiver<CameraEvent>,
}

/// All that a camera said until it ended.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) frames: Vec<Frame>,
    pub(crate) corrupt: Vec<String>,
    pub(crate) lost: u64,
}

pub(crate) const QUICK: WatchConfig =
    WatchConfig { stall_ms: 1000, connect_ms: 10_000, backoff_min_ms: 50, backoff_max_ms: 400 };

pub(crate) fn source(toml: &str) -> SourceConfig {
    toml::from_str(toml).unwrap_or_else(|error| panic!("{toml}: {error}"))
}

impl Witness {
    pub(crate) fn start(toml: &str) -> Self {
        Self::with(toml, QUICK, None)
    }

    pub(crate) fn with(toml: &str, watch: WatchConfig, line: Option<Arc<dyn LineCamera>>) -> Self {
        let (tell, events) = mpsc::channel();
        let camera = Camera::start("top".into(), source(toml), watch, line, move |event| {
            let _ = tell.send(event);
        });
        Self { camera: camera.unwrap_or_else(|error| panic!("{toml}: {error}")), events }
    }

    pub(crate) fn refused(toml: &str) -> CaptureError {
        match Camera::start("top".into(), source(toml), QUICK, None, |_| ()) {
            Ok(_) => panic!("{toml} was taken"),
            Err(error) => error,
        }
    }

    /// The next event, if one comes in time.
    pub(crate) fn next(&self, within: Duration) -> Option<CameraEvent> {
        self.events.recv_timeout(within).ok()
    }

    /// Passes over events until `wanted` finds what it wants.
    pub(crate) fn until<T>(&self, what: &str, mut wanted: impl FnMut(CameraEvent) -> Option<T>) -> T {
        let give_up = Instant::now() + LONG;
        let mut last = None;
        while let Some(event) = self.next(give_up.saturating_duration_since(Instant::now())) {
            let shown = format!("{event:?}");
            if let Some(found) = wanted(event) {
                return found;
            }
            last = Some(shown);
        }
        panic!("{what} did not come; last was {last:?}");
    }

    pub(crate) fn until_up(&self) {
        self.until("Up", |event| matches!(event, CameraEvent::Up).then_some(()));
    }

    pub(crate) fn until_frame(&self) -> Frame {
        self.until("a frame", |event| if let CameraEvent::Frame(frame) = event { Some(frame) } else { None })
    }

    pub(crate) fn until_down(&self) -> (DownCause, String) {
        self.until("Down", |event| match event {
            CameraEvent::Down { why, says, .. } => Some((why, says)),
            _ => None,
        })
    }

    /// Everything until `Ended`. Going down is a failure of the test.
    pub(crate) fn story(&self) -> Story {
        let mut story = Story::default();
        self.until("Ended", |event| {
            match event {
                CameraEvent::Frame(frame) => story.frames.push(frame),
                CameraEvent::Corrupt { says } => story.corrupt.push(says),
                CameraEvent::FramesLost { count } => story.lost += count,
                CameraEvent::Up => {}
                CameraEvent::Down { says, .. } => panic!("went down: {says}"),
                CameraEvent::Ended => return Some(()),
            }
            None
        });
        story
    }
}

/// Real pictures and videos; `None`, said so, where this machine has none.
pub(crate) fn data(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PLUMB_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = root.join(path);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: no shared data at {}", path.display());
    None
}
