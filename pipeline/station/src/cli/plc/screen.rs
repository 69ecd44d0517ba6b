//! The block on a terminal: at the bottom, refreshed in place, while what happens scrolls away above it.

use plumb_plc::{FromPlc, Seen, ToPlc};
use serde_json::{Value, json};
use std::{
    io::{self, Write as _},
    time::Instant,
};

/// What it is shown on.
pub(super) struct Screen {
    in_place: bool,
    colour: bool,
    /// Lines of the block that stand at the bottom now.
    standing: usize,
}

impl Screen {
    pub(super) fn new(in_place: bool, colour: bool) -> Self {
        Self { in_place, colour, standing: 0 }
    }

    /// The block; where it cannot be refreshed in place, a line for each news.
    pub(super) fn block(&mut self, seen: &Seen, news: bool) {
        let lines = lines(seen);
        if self.in_place {
            let mut text = self.wiped();
            for line in &lines {
                text.push_str(&format!("{line}\x1b[K\n"));
            }
            self.standing = lines.len();
            put(&text);
        } else if news {
            put(&format!("{}\n", lines.join(" | ")));
        }
    }

    /// A line that stays.
    pub(super) fn line(&mut self, line: &str) {
        let wiped = self.wiped();
        put(&format!("{wiped}{line}\n"));
    }

    /// A line that stays, marked.
    pub(super) fn outcome(&mut self, ok: bool, line: &str) {
        let (mark, colour) = if ok { ("ok ", "\x1b[32m") } else { ("BAD", "\x1b[31m") };
        let mark = if self.colour { format!("{colour}{mark}\x1b[0m") } else { mark.to_owned() };
        self.line(&format!("{mark} {line}"));
    }

    /// Leaves the block where it stands.
    pub(super) fn leave(&mut self) {
        self.standing = 0;
    }

    /// What takes the standing block away.
    fn wiped(&mut self) -> String {
        match std::mem::take(&mut self.standing) {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\x1b[J"),
        }
    }
}

fn put(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes()); // talk: nobody may be listening
}

/// Two lines a half: its bits by name, then its words.
fn lines(seen: &Seen) -> Vec<String> {
    let age = seen.heard_at.map_or("never heard".to_owned(), |at| {
        format!("{} ms ago", Instant::now().saturating_duration_since(at).as_millis())
    });
    let FromPlc { control, heartbeat, part, encoder, recipe, gate } = seen.from_plc.unwrap_or_default();
    let station: ToPlc = seen.to_plc;
    vec![
        format!("PLC      0 {:#06x}  {}", control.word(), names(control.word(), &CONTROL)),
        format!(
            "         1 heartbeat {heartbeat:5}   2-3 part {}   4-5 encoder {encoder}   6 recipe {}   7 {}   ({age})",
            part.map_or(0, |part| part.get()),
            recipe.0,
            names(gate.word(), &GATE),
        ),
        format!("station 10 {:#06x}  {}", station.status.word(), names(station.status.word(), &STATUS)),
        format!(
            "        11 heartbeat {:5}   12-13 part {}   14 {} ({:#06x})   15 reason {}   18 recipe {}",
            station.heartbeat,
            station.part.map_or(0, |part| part.get()),
            station.code.as_str().to_uppercase(),
            station.code.word(),
            station.reason,
            station.recipe.0,
        ),
    ]
}

/// As the register map names them, bit 0 first.
const CONTROL: [&str; 7] =
    ["TriggerEnable", "Trigger", "BufferResults", "ResultsAck", "ClearErrors", "RecipeChange", "LineRunning"];
const GATE: [&str; 4] = ["RejectNotConfirmed", "BinFull", "AirLow", "RejectedPartInPassLane"];
const STATUS: [&str; 13] = [
    "Online",
    "TriggerReady",
    "TriggerAck",
    "Exposing",
    "ExposureComplete",
    "Busy",
    "InspectionToggle",
    "ResultsValid",
    "MissedTrigger",
    "BufferOverrun",
    "RecipeChanging",
    "Fault",
    "LineStopRequest",
];

/// The bits that are 1.
fn names(word: u16, names: &[&str]) -> String {
    let set: Vec<&str> =
        names.iter().enumerate().filter(|(bit, _)| word >> bit & 1 == 1).map(|(_, name)| *name).collect();
    if set.is_empty() { "-".to_owned() } else { set.join(" ") }
}

/// The block for a program.
pub(super) fn block_json(seen: &Seen) -> Value {
    let bits = |word: u16, names: &[&str]| -> Value {
        names
            .iter()
            .enumerate()
            .map(|(bit, name)| ((*name).to_owned(), json!(word >> bit & 1 == 1)))
            .collect()
    };
    let plc = seen.from_plc.map(|said| {
        json!({
            "bits": bits(said.control.word(), &CONTROL), "heartbeat": said.heartbeat,
            "part": said.part.map_or(0, |part| part.get()), "encoder": said.encoder, "recipe": said.recipe.0,
            "gate": bits(said.gate.word(), &GATE),
        })
    });
    let station = seen.to_plc;
    json!({
        "plc": plc,
        "station": {
            "bits": bits(station.status.word(), &STATUS), "heartbeat": station.heartbeat,
            "part": station.part.map_or(0, |part| part.get()), "code": station.code.as_str(),
            "reason": station.reason, "recipe": station.recipe.0,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_plc::register_map::{Control, Status};

    #[test]
    fn each_bit_is_called_what_the_register_map_calls_it() {
        let control = Control { line_running: true, trigger: true, ..Control::default() };
        assert_eq!(names(control.word(), &CONTROL), "Trigger LineRunning");
        let status = Status { fault: true, results_valid: true, online: true, ..Status::default() };
        assert_eq!(names(status.word(), &STATUS), "Online ResultsValid Fault");
        assert_eq!(names(0, &STATUS), "-");
    }
}
