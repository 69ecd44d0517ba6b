//! `plumb parts find`.

use super::{WhichLedger, exit_of};
use crate::cli::{Exit, fail, print, replay::line, say};
use jiff::Timestamp;
use plumb_ledger::{Query, Reader, RecordVerdict};

/// Arguments of `plumb parts find`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Find {
    #[command(flatten)]
    which: WhichLedger,
    /// pass, fail, missed or late.
    #[arg(long, value_parser = verdict)]
    verdict: Option<RecordVerdict>,
    /// This serial number, exactly.
    #[arg(long)]
    serial: Option<String>,
    /// Triggered at this moment or later, as 2026-11-24T06:00:00Z.
    #[arg(long)]
    from: Option<Timestamp>,
    /// Triggered before this moment.
    #[arg(long)]
    until: Option<Timestamp>,
    /// No more than this.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// One record a line, schema plumb.record/1.
    #[arg(long)]
    json: bool,
}

impl Find {
    pub(super) fn run(self) -> Exit {
        let folder = match self.which.folder() {
            Ok(folder) => folder,
            Err(exit) => return exit,
        };
        let (verdict, serial, from, until) = (self.verdict, self.serial, self.from, self.until);
        let query = Query { verdict, serial, from, until, limit: Some(self.limit), part: None };
        let records = match Reader::new(&folder).find(&query) {
            Ok(records) => records,
            Err(error) => return fail(exit_of(&error), error),
        };
        let mut out = String::new();
        for record in &records {
            if self.json {
                out += &serde_json::to_string(record).expect("it came out of JSON");
                out.push('\n');
            } else {
                out += &format!("{:.3}  {}", record.triggered_at, line(record));
            }
        }
        if records.len() == self.limit {
            say(&format!("the newest {} of them; --limit shows more", self.limit));
        } else if records.is_empty() {
            say("no such part");
        }
        print(out.as_bytes())
    }
}

pub(super) fn verdict(word: &str) -> Result<RecordVerdict, String> {
    let found = RecordVerdict::ALL.into_iter().find(|verdict| verdict.as_str() == word);
    found.ok_or_else(|| "a verdict is pass, fail, missed or late".to_owned())
}
