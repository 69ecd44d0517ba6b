//! `plumb calibrate plane`: px to mm on the part's plane.

use super::{
    Stop, open_or_new,
    pictures::{Given, Live, Looked, Source},
    points::{LengthArgument, SizeArgument},
    print_json, say, unless_unheard, write,
};
use crate::cli::Exit;
use jiff::Timestamp;
use plumb_camera::{CameraError, Gathering, PictureEntry, PlaneEntry, PlaneFit, Shot, Target};
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `plumb calibrate plane`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PlaneCommand {
    /// A picture with the target lying in the part's plane, a folder whose first good one is taken, or a station.toml.
    #[arg(value_name = "PICTURE|STATION.toml", required_unless_present = "length")]
    source: Option<PathBuf>,
    #[command(flatten)]
    live: Live,
    /// What is in the picture; see plumb calibrate target --help.
    #[arg(long, required_unless_present = "length")]
    target: Option<Target>,
    /// Instead of a target: two places in px and how many mm they are apart. Twice, along x and along y, for a scale each.
    #[arg(long, value_name = "X1,Y1,X2,Y2,MM", conflicts_with_all = ["source", "target"])]
    length: Vec<LengthArgument>,
    /// Standard uncertainty of each place given, in px.
    #[arg(long, value_name = "PX", default_value_t = 0.5)]
    u_px: f64,
    /// Standard uncertainty of the target's own mm, in percent of them.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.05)]
    target_u_percent: f64,
    /// The calibration to add the plane to; its lens is taken out first. A new one where there is none.
    #[arg(long, value_name = "FILE", default_value = "calibration.toml")]
    calibration: PathBuf,
    /// Size of the frames, for a new calibration from lengths.
    #[arg(long, value_name = "WxH")]
    size: Option<SizeArgument>,
    /// The camera's serial number; by default what the station's config says.
    #[arg(long)]
    serial: Option<String>,
    /// From now on it holds so long; else until it did.
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// One JSON document on stdout, schema plumb.calibrate.plane/1.
    #[arg(long)]
    json: bool,
}

impl PlaneCommand {
    pub(super) fn run(self) -> Result<Exit, Stop> {
        if !(self.u_px.is_finite() && self.u_px >= 0.0 && (0.0..=100.0).contains(&self.target_u_percent)) {
            return Err(Stop::usage("--u-px and --target-u-percent are 0 or more, and finite"));
        }
        let mut serial = self.serial.clone();
        let shot = match (&self.source, &self.target) {
            (Some(source), Some(target)) => {
                let source = Source { source: source.clone(), live: self.live.clone() };
                if serial.is_none() {
                    serial = source.serial()?;
                }
                Some(first_shot(&source, target)?)
            }
            _ => None,
        };
        let size_px = shot.as_ref().map(|(_, size)| *size).or(self.size.map(|size| size.0));
        let mut calibration = open_or_new(&self.calibration, serial.as_deref(), size_px)?;
        let lens = calibration.lens();
        let (fit, pictures) = match (&shot, &self.target) {
            (Some((shot, [width, height])), Some(target)) => {
                let [expected_width, expected_height] = calibration.camera.size_px;
                if [*width, *height] != calibration.camera.size_px {
                    return Err(CameraError::Size {
                        picture: shot.picture.clone(),
                        width: *width,
                        height: *height,
                        than: self.calibration.display().to_string(),
                        expected_width,
                        expected_height,
                    }
                    .into());
                }
                let target_u = self.target_u_percent / 100.0;
                let fit = PlaneFit::of_target(target, &shot.sighting, lens.as_ref(), target_u)?;
                (fit, vec![PictureEntry { picture: shot.picture.clone(), sha256: shot.sha256.clone() }])
            }
            _ => {
                let known: Vec<_> = self.length.iter().map(|length| length.0).collect();
                (PlaneFit::of_lengths(&known, lens.as_ref(), self.u_px)?, Vec::new())
            }
        };
        if lens.is_none() {
            say(
                "warning: the calibration has no lens; distortion is in the scale (plumb calibrate lens comes first)",
            );
        }
        tell(&fit);
        calibration.plane = Some(PlaneEntry::new(&fit, self.target.clone(), pictures, Timestamp::now()));
        write(&mut calibration, &self.calibration, self.days)?;
        if !self.json {
            return Ok(Exit::Ok);
        }
        let printed = print_json(&json!({
            "schema": "plumb.calibrate.plane/1", "file": self.calibration, "digest": calibration.digest,
            "mm_per_px": fit.mm_per_px, "relative_u": fit.relative_u, "rms_mm": fit.rms_mm,
            "scale_range": fit.scale_range, "mm_from_px": fit.mm_from_px, "residuals": fit.residuals,
        }))?;
        Ok(unless_unheard(printed, Exit::Ok))
    }
}

fn tell(fit: &PlaneFit) {
    let [ux, uy] = fit.relative_u.map(|u| u * 200.0);
    let scale = fit.mm_per_px;
    say(&format!("  x {:.6} mm a px ± {ux:.2} %, y {:.6} mm a px ± {uy:.2} % (k=2)", scale.x, scale.y));
    if !fit.residuals.is_empty() {
        let [lo, hi] = fit.scale_range.map(|share| (share - 1.0) * 100.0);
        say(&format!(
            "  residuals {:.4} mm RMS; over the target the scale goes from {lo:+.2} to {hi:+.2} %",
            fit.rms_mm
        ));
        if hi - lo > 2.0 {
            say(
                "warning: the camera looks aslant; one scale for the whole view is wrong by as much. Turn it to look straight down",
            );
        }
    }
}

/// The first picture that shows the target well, and its size.
pub(super) fn first_shot(source: &Source, target: &Target) -> Result<(Shot, [u32; 2]), Stop> {
    let mut gathering = Gathering::new(target.clone(), None);
    source.each(|given| {
        let looked = match &given {
            Given::Picture(picture) => gathering.look(picture)?,
            Given::NoPicture { name, says } => Err(gathering.not_a_picture(name.clone(), says.clone())),
        };
        if let Err(rejected) = &looked {
            say(&format!("  --  {}: {}", rejected.picture, rejected.says()));
        }
        let used = looked.is_ok();
        Ok(Looked { used, done: used })
    })?;
    match (gathering.shots().first(), gathering.size_px()) {
        (Some(shot), Some(size_px)) => Ok((shot.clone(), size_px)),
        _ => {
            let says = format!("no picture of {} shows {target} well enough", source.source.display());
            Err(Stop(Exit::Finding, says))
        }
    }
}
