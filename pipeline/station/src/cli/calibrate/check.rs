//! `plumb calibrate check`: a known length measured again, its error in mm against a tolerance.

use super::{
    Stop,
    pictures::{Live, Source},
    plane::first_shot,
    points::LengthArgument,
    print_json, say, unless_unheard,
};
use crate::cli::Exit;
use jiff::Timestamp;
use plumb_camera::{Calibration, CameraError, Circumstances, KnownLength, Length, Shot, Target};
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `plumb calibrate check`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CheckCommand {
    /// A picture with the target lying in the part's plane, or a station.toml.
    #[arg(value_name = "PICTURE|STATION.toml", required_unless_present = "length")]
    source: Option<PathBuf>,
    #[command(flatten)]
    live: Live,
    /// What is in the picture; see plumb calibrate target --help.
    #[arg(long, required_unless_present = "length")]
    target: Option<Target>,
    /// Instead of a target: two places in px and how many mm they are apart; may stand several times.
    #[arg(long, value_name = "X1,Y1,X2,Y2,MM", conflicts_with_all = ["source", "target"])]
    length: Vec<LengthArgument>,
    /// Standard uncertainty of each place, in px; by default 0.5 of places given, 0.1 of a target's.
    #[arg(long, value_name = "PX")]
    u_px: Option<f64>,
    /// The largest error that is allowed.
    #[arg(long, value_name = "MM")]
    tolerance_mm: f64,
    /// The calibration to check.
    #[arg(long, value_name = "FILE", default_value = "calibration.toml")]
    calibration: PathBuf,
    /// The camera's serial number, to be compared; by default what the station's config says.
    #[arg(long)]
    serial: Option<String>,
    /// One JSON document on stdout, schema plumb.calibrate.check/1.
    #[arg(long)]
    json: bool,
}

/// One length, again.
#[derive(Debug, Serialize)]
struct Again {
    what: String,
    known_mm: f64,
    measured: Length,
    error_mm: f64,
    ok: bool,
}

impl CheckCommand {
    pub(super) fn run(self) -> Result<Exit, Stop> {
        if !(self.tolerance_mm.is_finite() && self.tolerance_mm > 0.0) {
            return Err(Stop::usage("--tolerance-mm must be above 0"));
        }
        let calibration = Calibration::read(&self.calibration)?;
        let Some(plane) = calibration.plane.as_ref().map(|entry| entry.fit()) else {
            let says = format!("{} has no plane; plumb calibrate plane finds it", self.calibration.display());
            return Err(Stop(Exit::Config, says));
        };
        let source = self.source.clone().map(|source| Source { source, live: self.live.clone() });
        let mut serial = self.serial.clone();
        let (mut known, mut size_px, mut default_u) = (Vec::new(), None, 0.5);
        match (&source, &self.target) {
            (Some(source), Some(target)) => {
                if serial.is_none() {
                    serial = source.serial()?;
                }
                let (shot, size) = first_shot(source, target)?;
                known = ends(target, &shot)?;
                (size_px, default_u) = (Some(size), 0.1);
            }
            _ => known.extend(self.length.iter().map(|length| ("a known length".to_owned(), length.0))),
        }
        // A stored picture does not say which camera took it; only what is told can be compared.
        let told = serial.clone().or_else(|| calibration.camera.serial.clone());
        let here = Circumstances { serial: told.as_deref(), size_px, now: Timestamp::now() };
        let unfit: Vec<String> = calibration.unfit(&here).iter().map(ToString::to_string).collect();
        let lens = calibration.lens();
        let again: Vec<Again> = known
            .iter()
            .map(|(what, length)| {
                let u_px = self.u_px.unwrap_or(default_u);
                let measured = plane.measure(lens.as_ref(), length.from_px, length.to_px, u_px);
                let error_mm = measured.mm - length.mm;
                let ok = error_mm.abs() <= self.tolerance_mm; // false for what is no number
                Again { what: what.clone(), known_mm: length.mm, measured, error_mm, ok }
            })
            .collect();
        for Again { what, known_mm, measured, error_mm, ok } in &again {
            let word = if *ok { "ok " } else { "BAD" };
            say(&format!(
                "  {word} {what}: {known_mm:.3} mm measured as {:.3} ± {:.3} mm (k=2), error {error_mm:+.3} of ± {} mm",
                measured.mm,
                2.0 * measured.u_mm,
                self.tolerance_mm
            ));
        }
        unfit.iter().for_each(|says| say(&format!("  BAD the calibration {says}")));
        let ok = unfit.is_empty() && again.iter().all(|again| again.ok);
        let exit = if ok { Exit::Ok } else { Exit::Finding };
        if !self.json {
            return Ok(exit);
        }
        let printed = print_json(&json!({
            "schema": "plumb.calibrate.check/1", "ok": ok, "file": self.calibration, "digest": calibration.digest,
            "tolerance_mm": self.tolerance_mm, "unfit": unfit, "lengths": again,
        }))?;
        Ok(unless_unheard(printed, exit))
    }
}

/// The longest lengths that the shot shows: along a row, along a column, and from corner to corner.
fn ends(target: &Target, shot: &Shot) -> Result<Vec<(String, KnownLength)>, Stop> {
    let columns = target.grid()[0] as usize;
    let points: Vec<(usize, [f64; 2])> =
        shot.sighting.points.iter().copied().zip(shot.sighting.at_px.iter().copied()).collect();
    let between = |(a, from_px): (usize, [f64; 2]), (b, to_px): (usize, [f64; 2])| {
        let (a, b) = (target.position_mm(a), target.position_mm(b));
        KnownLength { from_px, to_px, mm: (a[0] - b[0]).hypot(a[1] - b[1]) }
    };
    let longest = |alike: &dyn Fn(usize, usize) -> bool| {
        let pairs =
            points.iter().enumerate().flat_map(|(i, a)| points[i + 1..].iter().map(move |b| (*a, *b)));
        let lengths = pairs.filter(|(a, b)| alike(a.0, b.0)).map(|(a, b)| between(a, b));
        lengths.max_by(|a, b| a.mm.total_cmp(&b.mm))
    };
    let found = [
        ("along a row", longest(&|a, b| a / columns == b / columns)),
        ("along a column", longest(&|a, b| a % columns == b % columns)),
        ("from corner to corner", longest(&|_, _| true)),
    ];
    let known: Vec<_> =
        found.into_iter().filter_map(|(what, length)| Some((what.to_owned(), length?))).collect();
    if known.is_empty() {
        let says = "fewer than two of its points are seen".to_owned();
        return Err(CameraError::NoTarget { picture: shot.picture.clone(), says }.into());
    }
    Ok(known)
}
