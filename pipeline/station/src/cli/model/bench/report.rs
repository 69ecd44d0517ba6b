//! What was found out, as a table for people and as a document for programs.

use super::{End, Report, Row, Timed, machine::Machine};
use plumb_inference::trial::{Comparison, Interval, Measured, Timing};
use serde_json::{Value, json};
use std::fmt::Write as _;

impl Report {
    /// A row a way, then what to take of it.
    pub(super) fn table(&self, rounds: u32, runs: u32) -> String {
        let machine = &self.machine;
        let mut text = format!(
            "{}: {} rounds of {} runs, {}, {} cores, load {:.1}\n",
            self.card.name,
            rounds,
            runs,
            machine.processor,
            machine.cores,
            Machine::load().unwrap_or(f64::NAN)
        );
        for (at, library) in self.libraries.iter().enumerate() {
            let _ = writeln!(
                text,
                "library {at}: ONNX Runtime {} at {}",
                library.version,
                library.path.display()
            );
        }
        for place in &self.unusable {
            let _ = writeln!(text, "no library: {}: {}", place.path.display(), place.reason);
        }
        let _ = writeln!(
            text,
            "\n{:<14} {:<16} {:>7} {:>5} {:>3} {:>9} {:>9} {:>22} {:>22}  findings",
            "device",
            "variant",
            "threads",
            "batch",
            "lib",
            "p50 ms",
            "p99 ms",
            "pictures/s",
            "time to the first row"
        );
        for row in &self.rows {
            self.row(&mut text, row);
        }
        let _ = writeln!(text, "\n{}", self.advice());
        text
    }

    fn row(&self, text: &mut String, row: &Row) {
        let candidate = &row.candidate;
        let library = row.library.map_or_else(|| "-".to_owned(), |at| at.to_string());
        let (device, variant) =
            (candidate.device.to_string(), candidate.variant.as_deref().unwrap_or("original"));
        let _ = write!(
            text,
            "{device:<14} {variant:<16} {:>7} {:>5} {library:>3} ",
            candidate.threads, candidate.batch
        );
        let _ = match (&row.end, timing(row)) {
            (End::Absent(says), _) => writeln!(text, "not here: {says}"),
            (End::Timed(_), None) => writeln!(text, "not measured"),
            (End::Timed(timed), Some(timing)) => writeln!(
                text,
                "{:>9.2} {:>9.2} {:>22} {:>22}  {}",
                timing.p50_ms,
                timing.p99_ms,
                spread(&timing.pictures_per_s, 1),
                self.to_reference(timed).map_or_else(String::new, |ratio| spread(&ratio, 3)),
                timed.found.as_ref().map_or_else(|| "not compared: no pictures".to_owned(), found)
            ),
        };
        if let End::Timed(timed) = &row.end {
            for change in timed.found.iter().flat_map(|found| &found.says).take(3) {
                let _ = writeln!(text, "{:>16}{}: {}", "", change.picture, change.says);
            }
        }
    }

    /// What to take, and how sure that is, in a sentence or two.
    pub(super) fn advice(&self) -> String {
        let Some((row, timed, recommendation)) = self.recommended() else {
            return match self.pictures {
                0 => "recommended: nothing, for without --pictures nobody knows whether the findings stay the same"
                    .to_owned(),
                _ => "recommended: nothing; no way was measured whose findings are those of the reference".to_owned(),
            };
        };
        let mut text = match recommendation.to_present {
            None => format!("recommended: {}, as it is now", row.candidate),
            Some(ratio) if ratio.surely_below(1.0) => format!(
                "recommended: {}: {} of the time it takes now ({:.0} % sure)",
                row.candidate,
                spread(&ratio, 3),
                ratio.confidence * 100.0
            ),
            Some(ratio) => {
                format!("recommended: {}: {} of the time it takes now", row.candidate, spread(&ratio, 3))
            }
        };
        if !recommendation.alike.is_empty() {
            let alike: Vec<String> = recommendation
                .alike
                .iter()
                .filter_map(|at| self.timed().nth(*at))
                .map(|(row, _)| match row.library {
                    Some(at) if at > 0 => format!("{} in library {at}", row.candidate),
                    _ => row.candidate.to_string(),
                })
                .collect();
            let _ = write!(text, "; no difference that this run can tell: {}", alike.join("; "));
        }
        let same_but = |other: &Row| {
            let (a, b) = (&other.candidate, &row.candidate);
            other.library == row.library
                && (&a.device, &a.variant, a.threads) == (&b.device, &b.variant, b.threads)
        };
        let batched = self.timed().filter(|(other, _)| other.candidate.batch > 1 && same_but(other));
        for (other, batched) in batched {
            if let Some(ratio) =
                batched.measured.ratio_to(&timed.measured).filter(|ratio| ratio.surely_below(1.0))
            {
                let (batch, gain) = (other.candidate.batch, 1.0 / ratio.median);
                let _ =
                    write!(text, "\nwith {batch} pictures a run it does {gain:.2} times as many a second");
            }
        }
        let library = row.library.and_then(|at| self.libraries.get(at)).filter(|_| row.library != Some(0));
        if let Some(library) = library {
            let _ = write!(text, "\nit needs `library = {:?}` in the station's [infer]", library.path);
        }
        text
    }

    fn to_reference(&self, timed: &Timed) -> Option<Interval> {
        let End::Timed(reference) = &self.rows.first()?.end else { return None };
        timed.measured.ratio_to(&reference.measured)
    }

    /// Schema plumb.bench/1.
    pub(super) fn json(&self, rounds: u32, runs: u32, applied: Option<bool>) -> Value {
        let recommendation = self.recommended().map(|(row, _, recommendation)| {
            let alike = recommendation.alike.iter().filter_map(|at| self.timed().nth(*at));
            json!({
                "device": row.candidate.device, "variant": row.candidate.variant, "threads": row.candidate.threads,
                "library": row.library, "time_to_present": recommendation.to_present,
                "no_difference_to": alike.map(|(row, _)| &row.candidate).collect::<Vec<_>>(),
            })
        });
        json!({
            "schema": "plumb.bench/1", "card": self.card.path, "model": self.card.name,
            "at": jiff::Timestamp::now().round(jiff::Unit::Second).ok(),
            "machine": self.machine, "load_1_min": Machine::load(),
            "pictures": self.pictures, "rounds": rounds, "runs": runs,
            "libraries": self.libraries, "no_libraries": self.unusable,
            "rows": self.rows.iter().map(|row| self.row_json(row)).collect::<Vec<_>>(),
            "recommendation": recommendation, "says": self.advice(), "applied": applied,
        })
    }

    fn row_json(&self, row: &Row) -> Value {
        let mut told = json!({
            "device": row.candidate.device, "variant": row.candidate.variant, "threads": row.candidate.threads,
            "batch": row.candidate.batch, "library": row.library,
        });
        let more = match &row.end {
            End::Absent(says) => json!({ "not_here": says }),
            End::Timed(timed) => json!({
                "provider": timed.provider, "load_ms": timed.load_ms, "timing": timing(row),
                "time_to_reference": self.to_reference(timed), "same": timed.measured.same, "found": timed.found,
            }),
        };
        if let (Value::Object(told), Value::Object(more)) = (&mut told, more) {
            told.extend(more);
        }
        told
    }
}

fn timing(row: &Row) -> Option<Timing> {
    let End::Timed(timed) = &row.end else { return None };
    let Measured { rounds, .. } = &timed.measured;
    Timing::of(rounds)
}

/// `0.553 (0.531 to 0.580)`.
pub(super) fn spread(interval: &Interval, digits: usize) -> String {
    let Interval { median, low, high, .. } = interval;
    format!("{median:.digits$} ({low:.digits$} to {high:.digits$})")
}

/// `the same 214 in 60 pictures, scores within 0.012`.
pub(super) fn found(found: &Comparison) -> String {
    let Comparison { pictures, findings, score_difference_max, changes, .. } = found;
    let of = format!("{findings} in {pictures} pictures, scores within {score_difference_max:.4}");
    if found.same() { format!("the same {of}") } else { format!("{changes} CHANGED of {of}") }
}
