//! `plumb ledger retain` and `plumb ledger disk`.

use super::{Exit, WhichLedger, exit_of, fail, gb, told};
use jiff::Timestamp;
use plumb_ledger::{KEEP_RULES, KeepRule, LedgerError, Outlook, Sweep, Swept};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Arguments of `plumb ledger retain`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Retain {
    #[command(flatten)]
    which: WhichLedger,
    /// Only say what would be deleted.
    #[arg(long)]
    dry_run: bool,
    /// One document, schema plumb.retention/1.
    #[arg(long)]
    json: bool,
}

/// Arguments of `plumb ledger disk`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Disk {
    #[command(flatten)]
    which: WhichLedger,
    /// One document, schema plumb.disk/1.
    #[arg(long)]
    json: bool,
}

impl Retain {
    pub(super) fn run(self) -> Exit {
        let (folder, keep) = match self.which.with_rules() {
            Ok(found) => found,
            Err(exit) => return exit,
        };
        let sweep = Sweep::new(&folder, keep);
        let now = Timestamp::now();
        let swept = if self.dry_run { sweep.look(now) } else { sweep.run(now, &|| true) };
        match swept {
            Ok(swept) => {
                let document = json!({
                    "schema": "plumb.retention/1",
                    "dry_run": self.dry_run,
                    "rules": KEEP_RULES.map(|rule| of_rule(rule, &swept)),
                });
                told(self.json, &document, &words(&swept, self.dry_run))
            }
            Err(error) => fail(exit_of(&error), error),
        }
    }
}

fn of_rule(rule: KeepRule, swept: &BTreeMap<KeepRule, Swept>) -> Value {
    let Swept { records, pictures, bytes, stuck } = swept.get(&rule).copied().unwrap_or_default();
    json!({ "rule": rule.as_str(), "records": records, "pictures": pictures, "bytes": bytes, "stuck": stuck })
}

fn words(swept: &BTreeMap<KeepRule, Swept>, dry_run: bool) -> String {
    let lines = swept.iter().filter(|(_, swept)| **swept != Swept::default()).map(|(rule, swept)| {
        let Swept { records, pictures, bytes, stuck } = swept;
        let what = match (records, pictures) {
            (0, 0) => format!("{} of pictures", gb(*bytes)),
            (0, pictures) => format!("{pictures} pictures, {}", gb(*bytes)),
            (records, _) => format!("{records} records"),
        };
        let stuck =
            if *stuck > 0 { format!("; {stuck} could not be deleted, see the log") } else { String::new() };
        format!("{:<22} {what}{stuck}", rule.as_str())
    });
    let lines: Vec<String> = lines.collect();
    match (lines.is_empty(), dry_run) {
        (true, _) => "the rules keep everything that is there".to_owned(),
        (false, true) => format!("would be deleted\n{}", lines.join("\n")),
        (false, false) => format!("deleted\n{}", lines.join("\n")),
    }
}

impl Disk {
    pub(super) fn run(self) -> Exit {
        let (folder, keep) = match self.which.with_rules() {
            Ok(found) => found,
            Err(exit) => return exit,
        };
        let looked = Outlook::of(&folder, &keep, Timestamp::now())
            .and_then(|outlook| Ok((outlook, plumb_ledger::Backup::last(&folder)?)));
        let (outlook, backup): (Outlook, Option<Timestamp>) = match looked {
            Ok(looked) => looked,
            Err(error @ LedgerError::Absent { .. }) => return fail(Exit::Usage, error),
            Err(error) => return fail(exit_of(&error), error),
        };
        let Outlook { used, free, daily, days_left, is_by_rule } = outlook;
        let document = json!({
            "schema": "plumb.disk/1",
            "database_bytes": used.database,
            "picture_bytes": used.pictures,
            "free_bytes": free,
            "daily_bytes": daily,
            "days_left": days_left,
            "limited_by": if is_by_rule { "disk_max_gb" } else { "disk" },
            "last_backup": backup,
        });
        let lasts = match days_left {
            days if days >= 3650.0 => "under the rules it lasts for ten years and more".to_owned(),
            days if is_by_rule => format!("in {days:.1} days disk_max_gb deletes pictures before their time"),
            days => format!("it is full in {days:.1} days"),
        };
        let backup =
            backup.map_or_else(|| "never backed up".to_owned(), |at| format!("last backed up {at:.0}"));
        let words = format!(
            "records {}, pictures {}, free {}; {} a day: {lasts}\n{backup}",
            gb(used.database),
            gb(used.pictures),
            gb(free),
            gb(daily)
        );
        told(self.json, &document, &words)
    }
}
