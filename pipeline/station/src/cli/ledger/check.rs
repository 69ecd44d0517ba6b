//! `plumb ledger check`.

use super::{Exit, WhichLedger, exit_of, fail, told};
use plumb_ledger::Checked;
use serde_json::json;

/// Arguments of `plumb ledger check`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    which: WhichLedger,
    /// Read every record and every picture too, to the last byte.
    #[arg(long)]
    full: bool,
    /// One document, schema plumb.ledger_check/1.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> Exit {
        let folder = match self.which.folder() {
            Ok(folder) => folder,
            Err(exit) => return exit,
        };
        let checked = match Checked::of(&folder, self.full) {
            Ok(checked) => checked,
            Err(error) => return fail(exit_of(&error), error),
        };
        let Checked { records, pictures, audit_entries, problems } = &checked;
        let document = json!({
            "schema": "plumb.ledger_check/1",
            "ok": problems.is_empty(),
            "full": self.full,
            "records": records,
            "pictures": pictures,
            "audit_entries": audit_entries,
            "problems": problems,
        });
        let looked =
            format!("{records} records, {pictures} pictures, {audit_entries} entries of the audit log");
        let words = match &problems[..] {
            [] if self.full => format!("the ledger is whole: {looked}"),
            [] => format!("nothing is wrong with the ledger: {looked}; --full reads every byte of them"),
            problems => format!("{looked}\n{}", problems.join("\n")),
        };
        match told(self.json, &document, &words) {
            Exit::Ok if !problems.is_empty() => Exit::Finding,
            exit => exit,
        }
    }
}
