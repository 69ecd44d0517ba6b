//! `plumb calibrate target`: a target to print.

use super::{Stop, say};
use crate::cli::Exit;
use plumb_camera::{Target, draw};
use std::path::PathBuf;

/// Arguments of `plumb calibrate target`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DrawTarget {
    /// chessboard:9x6:25 (inner corners, mm a square), charuco:8x6:30:20:5x5_100 (squares, mm a square, mm a marker,
    /// dictionary), circles:7x6:20 or asymmetric_circles:4x11:20 (circles, mm apart).
    target: Target,
    /// .svg in true mm, or .png.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Of a PNG; 11.81 are 300 dpi.
    #[arg(long, value_name = "N", default_value_t = 11.811)]
    px_per_mm: f64,
}

impl DrawTarget {
    pub(super) fn run(self) -> Result<Exit, Stop> {
        let unwritten =
            |error: String| Stop(Exit::Device, format!("{} cannot be written: {error}", self.out.display()));
        match self.out.extension().map(|end| end.to_string_lossy().to_lowercase()).as_deref() {
            Some("svg") => {
                std::fs::write(&self.out, draw::svg(&self.target)?)
                    .map_err(|error| unwritten(error.to_string()))?;
            }
            Some("png") => {
                draw::pixels(&self.target, self.px_per_mm)?
                    .save(&self.out)
                    .map_err(|error| unwritten(error.to_string()))?;
            }
            _ => return Err(Stop::usage(format!("{} must end in .svg or .png", self.out.display()))),
        }
        say(&format!(
            "ok {}: {}; print it at 100 %, glue it to something flat, and measure it: what it really is goes into the target's mm",
            self.out.display(),
            self.target
        ));
        Ok(Exit::Ok)
    }
}
