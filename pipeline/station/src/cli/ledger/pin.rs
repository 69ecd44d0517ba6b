//! `plumb ledger pin`, `unpin` and `pins`.

use super::{Exit, WhichLedger, exit_of, fail, told};
use crate::cli::parts::part_id;
use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;
use plumb_inspection::PartId;
use plumb_ledger::{PinBook, PinError};
use serde_json::json;

/// Which parts, and who says so.
#[derive(Debug, clap::Args)]
struct Wish {
    /// The parts.
    #[arg(required = true, value_parser = part_id)]
    parts: Vec<PartId>,
    /// Which inspection, where a part's number was used again; by default the newest.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// What for; it is kept.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    why: String,
    /// Who wants it; it is kept.
    #[arg(long, value_name = "NAME", env = "USER", value_parser = NonEmptyStringValueParser::new())]
    by: String,
    #[command(flatten)]
    which: WhichLedger,
}

/// Arguments of `plumb ledger pin`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Pin {
    #[command(flatten)]
    wish: Wish,
}

/// Arguments of `plumb ledger unpin`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Unpin {
    #[command(flatten)]
    wish: Wish,
}

/// Arguments of `plumb ledger pins`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Pins {
    #[command(flatten)]
    which: WhichLedger,
    /// One document, schema plumb.pins/1.
    #[arg(long)]
    json: bool,
}

impl Pin {
    pub(super) fn run(self) -> Exit {
        self.wish.carry_out(|book, parts, by, why| book.pin(parts, by, why), "pinned: no rule deletes them")
    }
}

impl Unpin {
    pub(super) fn run(self) -> Exit {
        self.wish.carry_out(|book, parts, by, why| book.unpin(parts, by, why), "under the rules again")
    }
}

type Wanted<'a> = &'a [(PartId, Option<Timestamp>)];

impl Wish {
    fn carry_out(
        self,
        act: impl FnOnce(&PinBook, Wanted<'_>, &str, &str) -> Result<(), PinError>,
        done: &str,
    ) -> Exit {
        let folder = match self.which.folder() {
            Ok(folder) => folder,
            Err(exit) => return exit,
        };
        let parts: Vec<_> = self.parts.iter().map(|part| (*part, self.at)).collect();
        match act(&PinBook::new(&folder), &parts, &self.by, &self.why) {
            Ok(()) => {
                crate::cli::say(&format!("{} parts {done}", parts.len()));
                Exit::Ok
            }
            Err(error @ PinError::NoRecord { .. }) => fail(Exit::Finding, error),
            Err(error @ PinError::Unsigned) => fail(Exit::Usage, error),
            Err(PinError::Ledger(error)) => fail(exit_of(&error), error),
        }
    }
}

impl Pins {
    pub(super) fn run(self) -> Exit {
        let folder = match self.which.folder() {
            Ok(folder) => folder,
            Err(exit) => return exit,
        };
        let pins = match PinBook::new(&folder).pinned() {
            Ok(pins) => pins,
            Err(error) => return fail(exit_of(&error), error),
        };
        let list: Vec<_> = pins
            .iter()
            .map(|pin| {
                json!({ "part_id": pin.part, "triggered_at": pin.triggered_at, "at": pin.at, "by": pin.by, "why": pin.why })
            })
            .collect();
        let document = json!({ "schema": "plumb.pins/1", "pins": list });
        let lines = pins.iter().map(|pin| {
            format!("part {} of {:.6}: {} ({}, {:.0})", pin.part, pin.triggered_at, pin.why, pin.by, pin.at)
        });
        let lines: Vec<String> = lines.collect();
        let words = if lines.is_empty() { "no part is pinned".to_owned() } else { lines.join("\n") };
        told(self.json, &document, &words)
    }
}
