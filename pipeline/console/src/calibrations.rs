//! What the console must have asked of whoever can see a target in a camera's picture: it has no eyes itself.

use crate::Refused;
use jiff::Timestamp;
use serde::Serialize;
use std::{fmt, str::FromStr};

/// The calibrations of the station's cameras. Every question may wait for a picture; none is asked on a thread that serves
/// others.
pub trait Calibrations: fmt::Debug + Send + Sync {
    /// Every camera with what its measurements rest on, in the order of the config.
    fn cameras(&self) -> Vec<CalibrationSeen>;

    /// Begins to guide somebody; what was guided before is given up.
    ///
    /// # Errors
    /// When there is no such camera, or the target is none.
    fn begin(&self, aim: Aim) -> Result<(), Refused>;

    /// Looks at the camera's next picture, and tells how far it is. Waits for it no longer than a few seconds.
    ///
    /// # Errors
    /// When nobody is guided, or no picture comes.
    fn look(&self) -> Result<Guidance, Refused>;

    /// Writes what was found into the camera's calibration, as `plumb calibrate` does. It acts from the next start of the
    /// station on; what the file said before is kept beside it.
    ///
    /// # Errors
    /// When something is missing still, or the file cannot be written.
    fn write(&self) -> Result<WrittenCalibration, Refused>;

    /// Nobody is guided any more.
    fn give_up(&self);
}

/// What a camera's measurements rest on.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CalibrationSeen {
    /// The camera.
    pub camera: String,
    /// The file that the config names; `None`: the camera is not calibrated.
    pub file: Option<String>,
    /// Of what is loaded, in hex.
    pub digest: String,
    /// Of what is in the file now, where that is another: it acts from the next start on.
    pub digest_on_disk: Option<String>,
    /// When it was made.
    pub made_at: Option<Timestamp>,
    /// Until when it holds; `None`: for good.
    pub expires_at: Option<Timestamp>,
    /// Why it does not hold now.
    pub unfit: Option<String>,
    /// Of the frames it is true of.
    pub size_px: [u32; 2],
    /// RMS over all points of the lens, px, and of how many shots.
    pub lens: Option<(f64, usize)>,
    /// Mm a px along x and y, and their relative standard uncertainty.
    pub plane: Option<([f64; 2], [f64; 2])>,
    /// Darkest over brightest field, 0..=1.
    pub evenness: Option<f64>,
}

/// What is to be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Distortion, from a target held differently each time.
    Lens,
    /// Px to mm, from a target in the part's plane.
    Plane,
    /// Flat field, clipping, flicker, from an even white target.
    Light,
    /// Sharpness while the ring is turned; nothing is written.
    Focus,
}

impl Task {
    /// In the order one does them.
    pub const ALL: [Self; 4] = [Self::Focus, Self::Lens, Self::Plane, Self::Light];

    /// The spelling everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lens => "lens",
            Self::Plane => "plane",
            Self::Light => "light",
            Self::Focus => "focus",
        }
    }
}

impl FromStr for Task {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|task| task.as_str() == word);
        found.ok_or_else(|| {
            format!("{word:?} is nothing to calibrate; there are focus, lens, plane and light")
        })
    }
}

/// Which camera, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    /// The camera.
    pub camera: String,
    /// What is to be found out.
    pub task: Task,
    /// What is in the picture, as `chessboard:9x6:25`; for lens and plane.
    pub target: String,
    /// The camera gives no picture of its own accord: each look begins a part.
    pub asks: bool,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Guidance {
    /// The camera.
    pub camera: String,
    /// What is found out.
    pub task: &'static str,
    /// Pictures looked at.
    pub looked: usize,
    /// Those that count.
    pub used: usize,
    /// What the last picture was worth: it counts, or why not. Sentences of the station, in English.
    pub last: Option<(bool, Vec<String>)>,
    /// Points of the target seen in each cell of the view, row by row from the top left.
    pub cells: Vec<Vec<u32>>,
    /// What to do next.
    pub missing: Vec<String>,
    /// RMS over all points so far, px.
    pub rms_px: Option<f64>,
    /// Now against best so far in percent: of the whole, and of top left, top right, bottom left and bottom right.
    pub focus: Option<(f64, [f64; 4])>,
    /// What was measured: a name of the catalogue, and its value with its unit.
    pub measured: Vec<(&'static str, String)>,
    /// Nothing is missing: it can be written.
    pub is_ready: bool,
}

/// It is in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenCalibration {
    /// Which file.
    pub file: String,
    /// Of what it said before, where there was one.
    pub old_digest: Option<String>,
    /// Of what it says now.
    pub digest: String,
    /// What else there is to say.
    pub warnings: Vec<String>,
}
