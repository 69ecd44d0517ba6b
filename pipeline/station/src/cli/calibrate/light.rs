//! `plumb calibrate light`: flat field and dark field, and what the light is worth.

use super::{
    Stop, open_or_new,
    pictures::{Given, Live, Looked, Source},
    print_json, say, unless_unheard, write,
};
use crate::cli::Exit;
use image::{ImageBuffer, Luma};
use jiff::Timestamp;
use plumb_camera::{CameraError, LightEntry, LightReport, LightStudy, Picture, PictureFile};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of `plumb calibrate light`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct LightCommand {
    /// Pictures of an even white target that fills the view: a folder (a series shows flicker), a picture or a station.toml.
    #[command(flatten)]
    white: Source,
    /// Pictures without light: lens covered, or lamp off.
    #[arg(long, value_name = "PICTURES")]
    dark: Option<PathBuf>,
    /// From a live camera: so many pictures.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pictures: usize,
    /// The calibration to add the light to; the fields are written beside it. A new one where there is none.
    #[arg(long, value_name = "FILE", default_value = "calibration.toml")]
    calibration: PathBuf,
    /// The camera's serial number; by default what the station's config says.
    #[arg(long)]
    serial: Option<String>,
    /// From now on it holds so long; else until it did.
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// More clipped samples than this are a finding.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.1)]
    clipped_max_percent: f64,
    /// More flicker or banding than this is a finding.
    #[arg(long, value_name = "PERCENT", default_value_t = 2.0)]
    flicker_max_percent: f64,
    /// One JSON document on stdout, schema plumb.calibrate.light/1.
    #[arg(long)]
    json: bool,
}

impl LightCommand {
    pub(super) fn run(self) -> Result<Exit, Stop> {
        let mut study = LightStudy::default();
        let mut size_px = None;
        take(&self.white, self.pictures, |picture| {
            size_px = Some(picture.size_px());
            study.add_white(picture)
        })?;
        if let Some(dark) = &self.dark {
            let dark = Source { source: dark.clone(), live: Live::clone(&self.white.live) };
            take(&dark, self.pictures, |picture| study.add_dark(picture))?;
        }
        let (report, _) = study.finish()?;
        let findings = report.findings(self.clipped_max_percent, self.flicker_max_percent);
        tell(&report);
        findings.iter().for_each(|finding| say(&format!("finding: {finding}")));
        let mut digest = None;
        if findings.is_empty() {
            digest = Some(self.write(&study, report, size_px)?);
        } else {
            say("nothing was written: a flat field of such light would be wrong");
        }
        let exit = if findings.is_empty() { Exit::Ok } else { Exit::Finding };
        if !self.json {
            return Ok(exit);
        }
        let printed = print_json(&json!({
            "schema": "plumb.calibrate.light/1", "ok": findings.is_empty(), "findings": findings, "report": report,
            "file": self.calibration, "digest": digest,
        }))?;
        Ok(unless_unheard(printed, exit))
    }

    fn write(
        &self,
        study: &LightStudy,
        report: LightReport,
        size_px: Option<[u32; 2]>,
    ) -> Result<String, Stop> {
        let serial = match &self.serial {
            Some(serial) => Some(serial.clone()),
            None => self.white.serial()?,
        };
        let mut calibration = open_or_new(&self.calibration, serial.as_deref(), size_px)?;
        if let Some(size) = size_px.filter(|size| *size != calibration.camera.size_px) {
            let [expected_width, expected_height] = calibration.camera.size_px;
            return Err(CameraError::Size {
                picture: self.white.source.display().to_string(),
                width: size[0],
                height: size[1],
                than: self.calibration.display().to_string(),
                expected_width,
                expected_height,
            }
            .into());
        }
        let flat = study.flat_picture().expect("a study that finished has pictures");
        let flat_field = self.save(&flat, "flat")?;
        let dark_field = study.dark_picture().map(|dark| self.save(&dark, "dark")).transpose()?;
        calibration.light = Some(LightEntry { made_at: Timestamp::now(), flat_field, dark_field, report });
        write(&mut calibration, &self.calibration, self.days)?;
        Ok(calibration.digest)
    }

    fn save(&self, picture: &ImageBuffer<Luma<u16>, Vec<u16>>, what: &str) -> Result<PictureFile, Stop> {
        let stem = self.calibration.file_stem().unwrap_or_default().to_string_lossy();
        let file = self.calibration.parent().unwrap_or(Path::new("")).join(format!("{stem}-{what}.png"));
        picture
            .save(&file)
            .map_err(|error| Stop(Exit::Device, format!("{} cannot be written: {error}", file.display())))?;
        Ok(PictureFile::of(&self.calibration, &file)?)
    }
}

fn take(
    source: &Source,
    most: usize,
    mut add: impl FnMut(&Picture) -> Result<(), CameraError>,
) -> Result<(), Stop> {
    let (mut taken, mut bad) = (0, Vec::new());
    source.each(|given| {
        match given {
            Given::Picture(picture) => match add(&picture) {
                Ok(()) => taken += 1,
                Err(error) => bad.push(error.to_string()),
            },
            Given::NoPicture { says, .. } => bad.push(says),
        }
        Ok(Looked { used: false, done: source.is_live() && taken >= most })
    })?;
    // A mean over pictures of which some are others is no mean: all of them must be right.
    if bad.is_empty() { Ok(()) } else { Err(Stop(Exit::Finding, bad.join("\n"))) }
}

fn tell(report: &LightReport) {
    let dark = report.dark_mean.map_or("not looked at".to_owned(), |dark| format!("{dark:.1}"));
    say(&format!(
        "{} white pictures, mean {:.1} of 255; dark {dark}; darkest field {:.0} % of the brightest",
        report.white_pictures,
        report.white_mean,
        report.evenness * 100.0
    ));
    say(&format!("  clipped {:.3} %, black {:.3} %", report.clipped_percent, report.black_percent));
    match (report.flicker_percent, report.banding_percent, report.noise) {
        (Some(flicker), Some(banding), Some(noise)) => {
            say(&format!("  flicker {flicker:.2} %, banding {banding:.2} %, noise {noise:.2} levels"));
        }
        _ => say("  flicker: needs more than one picture"),
    }
    if let Some(balance) = report.white_balance {
        say(&format!("  white balance: red × {:.3}, blue × {:.3}", balance.red, balance.blue));
    }
}
