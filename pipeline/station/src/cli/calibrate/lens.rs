//! `plumb calibrate lens`: pictures of a target to a lens, with word of what is missing while they are taken.

use super::{
    Stop, exit_of,
    pictures::{Given, Looked, Source},
    print_json, print_json_line, say, unless_unheard, write,
};
use crate::cli::Exit;
use jiff::Timestamp;
use plumb_camera::{
    Calibration, Coverage, Gathering, LensEntry, LensFit, Model, Rejected, Target, calibrate, unused_shots,
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Arguments of `plumb calibrate lens`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct LensCommand {
    #[command(flatten)]
    source: Source,
    /// What is in the pictures; see plumb calibrate target --help.
    #[arg(long)]
    target: Target,
    /// The calibration to write. What it said before is replaced: another lens is another plane.
    #[arg(long, value_name = "FILE", default_value = "calibration.toml")]
    out: PathBuf,
    /// Replace FILE where there is one.
    #[arg(long)]
    replace: bool,
    /// The camera's serial number; by default what the station's config says.
    #[arg(long)]
    serial: Option<String>,
    /// How long it holds.
    #[arg(long, value_name = "N", default_value_t = 365)]
    days: u32,
    /// plain (5 coefficients) or rational (8); by default rational where shots that were held out say so.
    #[arg(long)]
    model: Option<Model>,
    /// From a live camera: so many shots are enough, once nothing is missing.
    #[arg(long, value_name = "N", default_value_t = 20)]
    shots: usize,
    /// JSON on stdout, schema plumb.calibrate.lens/1; from a live camera a line of plumb.calibrate.shot/1 a picture first.
    #[arg(long)]
    json: bool,
}

/// More shots than this make nothing better and the solver slow.
const SHOTS_MAX: usize = 200;

impl LensCommand {
    pub(super) fn run(self) -> Result<Exit, Stop> {
        if self.out.exists() && !self.replace {
            return Err(Stop::usage(format!(
                "{} is there already; --replace replaces it",
                self.out.display()
            )));
        }
        let serial = match &self.serial {
            Some(serial) => Some(serial.clone()),
            None => self.source.serial()?,
        };
        let gathering = self.gather()?;
        let given = gathering.shots().len() + gathering.rejected().len();
        let Some(size_px) = gathering.size_px() else {
            return Err(Stop(Exit::Finding, "none of the files is a picture that can be read".to_owned()));
        };
        let fit = match calibrate(&self.target, size_px, gathering.shots(), given, self.model) {
            Ok(fit) => fit,
            Err(error) => {
                let coverage = gathering.coverage();
                if self.json {
                    print_json(&json!({
                        "schema": "plumb.calibrate.lens/1", "ok": false, "error": error.to_string(),
                        "unused": unused(gathering.rejected()), "coverage": coverage_json(&coverage),
                    }))?;
                }
                coverage.advice().iter().for_each(|advice| say(&format!("  missing: {advice}")));
                return Err(Stop(exit_of(&error), error.to_string()));
            }
        };
        let rejected = unused_shots(gathering.rejected(), &fit);
        fit.outliers
            .iter()
            .for_each(|outlier| say(&format!("  --  {}: {}", outlier.picture, outlier.says())));
        tell(&fit);
        let now = Timestamp::now();
        let unused_lines = rejected.iter().map(|r| format!("{}: {}", r.picture, r.says())).collect();
        let mut calibration = Calibration::new(serial, size_px, now);
        calibration.lens = Some(LensEntry::new(&fit, &self.target, unused_lines, now));
        write(&mut calibration, &self.out, Some(self.days))?;
        if !self.json {
            return Ok(Exit::Ok);
        }
        let document = json!({
            "schema": "plumb.calibrate.lens/1", "ok": true, "file": self.out, "digest": calibration.digest,
            "size_px": size_px, "rms_px": fit.rms_px, "lens": fit.lens, "uncertainty": fit.uncertainty,
            "model": fit.choice, "shots": calibration.lens.as_ref().map(|lens| &lens.shots),
            "unused": unused(&rejected), "coverage": coverage_json(&fit.coverage), "warnings": fit.warnings,
        });
        let printed =
            if self.source.is_live() { print_json_line(&document)? } else { print_json(&document)? };
        Ok(unless_unheard(printed, Exit::Ok))
    }

    fn gather(&self) -> Result<Gathering, Stop> {
        let live = self.source.is_live();
        let mut gathering = Gathering::new(self.target.clone(), self.source.usual_size_px()?);
        self.source.each(|given| {
            let looked = match &given {
                Given::Picture(picture) => gathering.look(picture)?,
                Given::NoPicture { name, says } => Err(gathering.not_a_picture(name.clone(), says.clone())),
            };
            let (line, name, reasons) = match looked {
                Ok(shot) => {
                    let what = format!(
                        "{} points, edges {:.1} px wide, tilted {:.0} degrees",
                        shot.sighting.points.len(),
                        shot.quality.rise_px,
                        shot.pose.tilt_deg()
                    );
                    (format!("  ok  {}: {what}", shot.picture), shot.picture.clone(), Vec::new())
                }
                Err(rejected) => {
                    let line = format!("  --  {}: {}", rejected.picture, rejected.says());
                    (line, rejected.picture.clone(), rejected.reasons.clone())
                }
            };
            let used = reasons.is_empty();
            say(&line);
            let coverage = gathering.coverage();
            if live {
                if used {
                    coverage.advice().iter().for_each(|advice| say(&format!("      next: {advice}")));
                }
                if self.json {
                    print_json_line(&json!({
                        "schema": "plumb.calibrate.shot/1", "picture": name, "used": used, "reasons": reasons,
                        "shots": gathering.shots().len(), "coverage": coverage_json(&coverage),
                    }))?;
                }
            }
            let taken = gathering.shots().len();
            let done = taken >= SHOTS_MAX || live && taken >= self.shots && coverage.is_complete();
            Ok(Looked { used, done })
        })?;
        Ok(gathering)
    }
}

fn tell(fit: &LensFit) {
    let LensFit { lens, uncertainty: u, choice, .. } = fit;
    say(&format!("{} shots, RMS {:.3} px, {} distortion", fit.shots.len(), fit.rms_px, choice.taken));
    for shot in &fit.shots {
        say(&format!("  {:.3} px  {}", shot.rms_px, shot.picture));
    }
    say(&format!("  fx {:.2} ± {:.2}, fy {:.2} ± {:.2} px (k=1)", lens.fx, u.fx, lens.fy, u.fy));
    say(&format!("  cx {:.2} ± {:.2}, cy {:.2} ± {:.2} px", lens.cx, u.cx, lens.cy, u.cy));
    fit.warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
}

fn unused(rejected: &[Rejected]) -> Vec<Value> {
    let one = |r: &Rejected| json!({ "picture": r.picture, "says": r.says(), "reasons": r.reasons });
    rejected.iter().map(one).collect()
}

fn coverage_json(coverage: &Coverage) -> Value {
    json!({
        "complete": coverage.is_complete(), "cells": coverage.cells, "missing_views": coverage.missing_views,
        "missing_tilts": coverage.missing_tilts, "advice": coverage.advice(),
    })
}
