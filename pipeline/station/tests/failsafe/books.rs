//! The books of one run, compared: what the belt knows, what the PLC told the gate, what the station counted, and what
//! its ledger says.

use crate::belt::Belt;
use plumb_ledger::{Query, Reader, Record, RecordVerdict};
use std::{collections::BTreeMap, path::Path};

/// Whose pictures can be told: those of a camera in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pictures {
    Told,
    Unknown,
}

/// Everything that must not be, in sentences; empty is good.
///
/// `lost` is how many records the station says it could not keep.
pub(crate) fn wrong(belt: &Belt, data: &Path, pictures: Pictures, lost: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    let query = Query { limit: Some(1_000_000), ..Query::default() };
    let records = match Reader::new(data).find(&query) {
        Ok(records) => records,
        Err(error) => return vec![format!("the ledger cannot be read: {error}")],
    };
    let mut of_part = BTreeMap::<u64, &Record>::new();
    for record in &records {
        let Some(encoder) = record.encoder else { continue }; // not one of the PLC's parts
        let Some(part) = belt.part_at(encoder) else {
            wrong.push(format!("record of a part that was never on the belt: {}", record.part_id));
            continue;
        };
        if of_part.insert(part, record).is_some() {
            wrong.push(format!("part {part} of the belt has two records"));
        }
    }
    let decided = belt.decided();
    for (part, decision) in decided.iter().filter(|(_, decision)| decision.release) {
        let Some(record) = of_part.get(part) else {
            if lost == 0 {
                wrong.push(format!("part {part} was released and has no record"));
            }
            continue;
        };
        if record.part_id != decision.part {
            wrong.push(format!("part {part} was released by the answer of another"));
        }
        // A PASS whose confirmation was lost with the link may be entered as late; it had no objection.
        let passed = record.verdict == RecordVerdict::Pass
            || (record.verdict == RecordVerdict::Late && record.reasons.is_empty());
        if !passed {
            wrong.push(format!("part {part} was released, and its record says {}", record.verdict.as_str()));
        }
        if pictures == Pictures::Told {
            let shows = |seq| belt.shown(seq).and_then(|shown| shown.part);
            for view in record.views.iter().filter(|view| shows(view.frame_seq) != Some(*part)) {
                wrong.push(format!(
                    "part {part} was released by picture {}, which shows {:?}",
                    view.frame_seq,
                    shows(view.frame_seq)
                ));
            }
        }
        if !belt.line().truth_of(*part).good {
            let seq = record.views.first().map_or(0, |view| view.frame_seq);
            let counts = belt.shown(seq).map(|shown| shown.encoder.wrapping_sub(decision.encoder));
            wrong.push(format!(
                "part {part} is defective and passed; its picture came {counts:?} counts behind the photo-eye"
            ));
        }
    }
    let tally = belt.tally();
    let released = decided.values().filter(|decision| decision.release).count() as u64;
    if tally.passed > released {
        wrong.push(format!("{} parts passed the gate, {released} were released", tally.passed));
    }
    if tally.escapes > 0 && wrong.is_empty() {
        wrong.push(format!("{} defective parts passed the gate", tally.escapes));
    }
    wrong
}

/// How many records there are.
pub(crate) fn records(data: &Path) -> u64 {
    Reader::new(data).count(&Query::default()).unwrap_or(0)
}
