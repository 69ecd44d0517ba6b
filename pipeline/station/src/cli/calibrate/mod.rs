//! `plumb calibrate`: what makes a pixel a millimetre. One file a command; all of them write one calibration file.

mod check;
mod focus;
mod lens;
mod light;
mod pictures;
mod plane;
mod points;
mod target;

use super::{Exit, fail, print, say};
use jiff::{SignedDuration, Timestamp};
use plumb_camera::{Calibration, CameraError};
use serde::Serialize;
use std::path::Path;

/// What `plumb calibrate` can do; one file each.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Calibrate {
    /// Draw a target to print, as SVG in true mm or as PNG.
    Target(target::DrawTarget),
    /// Find the lens from a dozen pictures of a target held differently each time.
    Lens(lens::LensCommand),
    /// Find the scale of the part's plane, from one picture of a target in it or from known lengths.
    Plane(plane::PlaneCommand),
    /// Look at the light: flat field, dark field, clipping, flicker, white balance.
    Light(light::LightCommand),
    /// Watch the sharpness while somebody turns the focus ring: now against best so far, in each quarter.
    Focus(focus::FocusCommand),
    /// Measure a known length again: is the calibration still true?
    Check(check::CheckCommand),
}

impl Calibrate {
    pub(super) fn run(self) -> Exit {
        let done = match self {
            Self::Target(target) => target.run(),
            Self::Lens(lens) => lens.run(),
            Self::Plane(plane) => plane.run(),
            Self::Light(light) => light.run(),
            Self::Focus(focus) => focus.run(),
            Self::Check(check) => check.run(),
        };
        done.unwrap_or_else(|Stop(exit, says)| fail(exit, says))
    }
}

/// How it ended before its time.
struct Stop(Exit, String);

impl Stop {
    fn usage(says: impl Into<String>) -> Self {
        Self(Exit::Usage, says.into())
    }
}

impl From<CameraError> for Stop {
    fn from(error: CameraError) -> Self {
        Self(exit_of(&error), error.to_string())
    }
}

/// Bad pictures are what was looked for; a bad file is the config's turn.
fn exit_of(error: &CameraError) -> Exit {
    match error {
        CameraError::Target { .. } => Exit::Usage,
        CameraError::File { .. } => Exit::Config,
        CameraError::OpenCv { .. } => Exit::Bug,
        _ => Exit::Finding,
    }
}

/// One JSON document on stdout.
fn print_json(document: &impl Serialize) -> Result<Exit, Stop> {
    let text = serde_json::to_string_pretty(document).map_err(|error| Stop(Exit::Bug, error.to_string()))?;
    Ok(print((text + "\n").as_bytes()))
}

/// One JSON document on a line of its own, for streams.
fn print_json_line(document: &impl Serialize) -> Result<Exit, Stop> {
    let text = serde_json::to_string(document).map_err(|error| Stop(Exit::Bug, error.to_string()))?;
    Ok(print((text + "\n").as_bytes()))
}

/// The exit of what was printed if that failed, else `exit`.
fn unless_unheard(printed: Exit, exit: Exit) -> Exit {
    if printed == Exit::Ok { exit } else { printed }
}

/// The calibration in `file`, or a new one for frames of `size_px` where there is none yet.
fn open_or_new(file: &Path, serial: Option<&str>, size_px: Option<[u32; 2]>) -> Result<Calibration, Stop> {
    if file.exists() {
        let calibration = Calibration::read(file)?;
        // Two cameras in one file would be neither's.
        return match (&calibration.camera.serial, serial) {
            (Some(of), Some(here)) if of != here => {
                let says =
                    format!("{} is of camera {of}, this is camera {here}; name another file", file.display());
                Err(Stop(Exit::Config, says))
            }
            _ => Ok(calibration),
        };
    }
    let Some(size_px) = size_px else {
        let says =
            format!("{} does not exist; --size 1280x720 says which frames a new one is for", file.display());
        return Err(Stop::usage(says));
    };
    Ok(Calibration::new(serial.map(str::to_owned), size_px, Timestamp::now()))
}

/// Writes with a new date, and from now on so many days to hold.
fn write(calibration: &mut Calibration, file: &Path, days: Option<u32>) -> Result<(), Stop> {
    let now = Timestamp::now();
    calibration.made_at = now;
    if let Some(days) = days {
        let expires_at = now.checked_add(SignedDuration::from_hours(24 * i64::from(days)));
        calibration.expires_at =
            Some(expires_at.map_err(|error| Stop::usage(format!("--days {days} is no time: {error}")))?);
    }
    calibration.write(file).map_err(|error| Stop(Exit::Device, error.to_string()))?;
    say(&format!("ok {}: digest {}", file.display(), calibration.digest));
    Ok(())
}
