//! `plumb calibrate focus`: sharpness now against best so far.

use super::{
    Stop,
    pictures::{Given, Looked, Source},
    print_json_line, say,
};
use crate::cli::Exit;
use plumb_camera::{FocusNow, FocusTracker, QUADRANTS};
use serde_json::{Map, Value, json};

/// Arguments of `plumb calibrate focus`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct FocusCommand {
    #[command(flatten)]
    source: Source,
    /// Ends with 1 if the last picture is less sharp than this share of the best.
    #[arg(long, value_name = "PERCENT")]
    least_percent: Option<f64>,
    /// One JSON line a picture on stdout, schema plumb.calibrate.focus/1.
    #[arg(long)]
    json: bool,
}

impl FocusCommand {
    pub(super) fn run(self) -> Result<Exit, Stop> {
        let mut tracker = FocusTracker::default();
        let mut last: Option<FocusNow> = None;
        self.source.each(|given| match given {
            Given::Picture(picture) => {
                let now = tracker.look(&picture)?;
                say(&line(&now));
                let heard = !self.json || print_json_line(&document(&now)?)? == Exit::Ok;
                last = Some(now);
                Ok(Looked { used: false, done: !heard })
            }
            Given::NoPicture { name, says } => {
                say(&format!("  --  {name}: {says}"));
                Ok(Looked { used: false, done: false })
            }
        })?;
        let Some(last) = last else {
            return Err(Stop(Exit::Finding, "none of the files is a picture that can be read".to_owned()));
        };
        let least = self.least_percent.unwrap_or(0.0);
        if last.percent < least {
            say(&format!(
                "the last picture is at {:.0} % of the best, at least {least} % is wanted",
                last.percent
            ));
            return Ok(Exit::Finding);
        }
        Ok(Exit::Ok)
    }
}

/// `p.png  ########..  83 %  top left 80 %, …`.
fn line(now: &FocusNow) -> String {
    let full = (now.percent / 10.0).round().clamp(0.0, 10.0) as usize;
    let bar = "#".repeat(full) + &".".repeat(10 - full);
    let quarters: Vec<String> = QUADRANTS
        .iter()
        .zip(now.quadrants_percent)
        .map(|(name, percent)| format!("{name} {percent:.0} %"))
        .collect();
    let tilt = now.tilt.as_ref().map(|tilt| format!("\n      {tilt}")).unwrap_or_default();
    format!("  {bar} {:>3.0} % of best  {}  {}{tilt}", now.percent, quarters.join(", "), now.picture)
}

fn document(now: &FocusNow) -> Result<Value, Stop> {
    let mut document = Map::from_iter([("schema".to_owned(), json!("plumb.calibrate.focus/1"))]);
    match serde_json::to_value(now) {
        Ok(Value::Object(fields)) => document.extend(fields),
        Ok(_) => {}
        Err(error) => return Err(Stop(Exit::Bug, error.to_string())),
    }
    Ok(Value::Object(document))
}
