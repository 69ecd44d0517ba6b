//! `plumb parts show`.

use super::{WhichLedger, exit_of, part_id};
use crate::cli::{Exit, fail, print};
use plumb_inspection::{Alignment, CameraId, Measurement, PartId, Pose};
use plumb_ledger::{LedgerError, Query, Reader, Record, Truth, TruthBook};
use std::fmt::Write as _;

/// Arguments of `plumb parts show`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Show {
    /// The part; where its number was used again, every inspection of it, newest first.
    #[arg(value_parser = part_id)]
    part: PartId,
    #[command(flatten)]
    which: WhichLedger,
    /// One record a line, schema plumb.record/1.
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(self) -> Exit {
        let folder = match self.which.folder() {
            Ok(folder) => folder,
            Err(exit) => return exit,
        };
        let (reader, book) = (Reader::new(&folder), TruthBook::new(&folder));
        let found = reader.find(&Query::of_part(self.part)).and_then(|records| {
            let with_word = |record: Record| Ok((book.of(record.part_id, record.triggered_at)?, record));
            records.into_iter().map(with_word).collect::<Result<Vec<_>, LedgerError>>()
        });
        let found = match found {
            Ok(found) => found,
            Err(error) => return fail(exit_of(&error), error),
        };
        if found.is_empty() {
            let deleted = match reader.deleted(self.part) {
                Ok(deleted) => deleted,
                Err(error) => return fail(exit_of(&error), error),
            };
            let says = [format!("the ledger has no record of part {}", self.part)].into_iter().chain(deleted);
            return fail(Exit::Finding, says.collect::<Vec<_>>().join("\n  "));
        }
        let told = found.iter().map(|(word, record)| match self.json {
            true => serde_json::to_string(record).expect("it came out of JSON") + "\n",
            false => shown(record, word.as_ref()),
        });
        print(told.collect::<String>().as_bytes())
    }
}

/// `at x 171.40 y 111.92, turned 6.03°, score 0.981, camera top`.
fn lies(pose: &Pose, camera: &CameraId) -> String {
    let Pose { x, y, angle_deg, scale, score } = pose;
    let scale = if *scale == 1.0 { String::new() } else { format!(", × {scale:.4}") };
    format!("at x {x:.2} y {y:.2}, turned {angle_deg:.2}°{scale}, score {score:.3}, camera {camera}")
}

fn shown(record: &Record, word: Option<&(Truth, String)>) -> String {
    let mut out = format!(
        "part {}  {}  by recipe \"{}\"\n  triggered  {:.6}\n",
        record.part_id,
        record.verdict.as_str().to_uppercase(),
        record.recipe,
        record.triggered_at
    );
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "  {name:<10} {value}"); // writing to a string does not fail
    };
    if let Some(serial) = &record.serial {
        line("serial", serial);
    }
    if let Some((truth, by)) = word {
        line("really", &format!("{}, says {by}", truth.as_str()));
    }
    for reason in &record.reasons {
        line("reason", &format!("{}: {}", reason.rule, reason.says));
    }
    for view in &record.views {
        match &view.alignment {
            Some(Alignment::Found(pose)) => line("lies", &lies(pose, &view.camera)),
            Some(Alignment::NotFound { score, score_min }) => line(
                "lies",
                &format!(
                    "nowhere: not found, best score {score:.3} of {score_min} wanted, camera {}",
                    view.camera
                ),
            ),
            None => {}
        }
        for Measurement { name, says, uncalibrated, .. } in &view.measurements {
            let why = uncalibrated.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            line("measured", &format!("{name} {says}{why}"));
        }
        for (model, score) in &view.scores {
            line("score", &format!("{} of {model}, camera {}", score.get(), view.camera));
        }
        for finding in &view.findings {
            let b = finding.box_px;
            let at = format!("x {:.0} y {:.0}, {:.0} × {:.0} px", b.x, b.y, b.w, b.h);
            line(
                "found",
                &format!("{} {:.3} in \"{}\" at {at}", finding.class, finding.score.get(), finding.region),
            );
        }
    }
    for model in &record.models {
        line(
            "model",
            &format!(
                "{} {} on {}",
                model.name,
                model.digest.get(..12).unwrap_or(&model.digest),
                model.provider
            ),
        );
    }
    if let Some(total) = record.timings_us.total {
        line("took", &format!("{:.1} ms from trigger to PLC", total as f64 / 1000.0));
    }
    for picture in &record.pictures {
        line("picture", &picture.path);
    }
    for missing in &record.pictures_missing {
        line("no picture", &format!("of {}: {}", missing.camera, missing.why));
    }
    out
}
