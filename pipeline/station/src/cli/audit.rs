//! `plumb audit`: the audit log proved and taken away, with the station running or not.

use super::{Exit, fail, parts::WhichLedger, print, say};
use plumb_ledger::{AuditLog, PeopleError, Verified};
use serde_json::json;
use std::io::{self, Write};

/// What `plumb audit` can do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Audit {
    /// Go through every entry's hash. Exit 1 if one does not hold.
    Verify(Verify),
    /// Write every entry with its hash as JSON lines, oldest first.
    Export(Export),
}

/// Arguments of `plumb audit verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    #[command(flatten)]
    which: WhichLedger,
    /// A hash that was written down: the log must still have the entry it was of, so that it cannot have been cut off.
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
    /// One document, schema plumb.audit_verified/1.
    #[arg(long)]
    json: bool,
}

/// Arguments of `plumb audit export`.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    #[command(flatten)]
    which: WhichLedger,
}

impl Audit {
    pub(super) fn run(self) -> Exit {
        match self {
            Self::Verify(verify) => verify.run(),
            Self::Export(export) => export.run(),
        }
    }
}

impl Verify {
    fn run(self) -> Exit {
        let log = match self.which.folder() {
            Ok(folder) => AuditLog::new(&folder),
            Err(exit) => return exit,
        };
        let (mut at, mut entries) = (None, 0);
        let wanted = self.head.as_deref().map(str::to_lowercase);
        let looked = log.each(|n, _, hash| {
            entries = n;
            if wanted.as_deref() == Some(hash) {
                at = Some(n);
            }
            Ok(())
        });
        let found = looked.and_then(|()| log.verify());
        match found {
            Ok(Verified::Broken { n, says }) => {
                self.told(
                    json!({ "ok": false, "broken_at": n, "says": says }),
                    &format!("entry {n} does not hold: {says}"),
                );
                Exit::Finding
            }
            Ok(Verified::Whole { .. }) if wanted.is_some() && at.is_none() => {
                let says = format!(
                    "all {entries} entries hold, but none has that hash: the log was cut off, or is another one"
                );
                self.told(json!({ "ok": false, "says": says }), &says);
                Exit::Finding
            }
            Ok(Verified::Whole { entries, head }) => {
                let says = format!("all {entries} entries hold; hash of the last one {head}");
                self.told(json!({ "ok": true, "entries": entries, "head": head }), &says);
                Exit::Ok
            }
            Err(error) => fail(exit_of(&error), error),
        }
    }

    fn told(&self, mut document: serde_json::Value, says: &str) {
        if self.json {
            document["schema"] = json!("plumb.audit_verified/1");
            print(format!("{document:#}\n").as_bytes());
        } else {
            say(says);
        }
    }
}

impl Export {
    fn run(self) -> Exit {
        let log = match self.which.folder() {
            Ok(folder) => AuditLog::new(&folder),
            Err(exit) => return exit,
        };
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut stopped = None;
        let written = log.each(|_, entry, hash| {
            if stopped.is_none() {
                stopped = writeln!(out, "{{\"hash\":\"{hash}\",\"entry\":{entry}}}").err();
            }
            Ok(())
        });
        if let Err(error) = written {
            return fail(exit_of(&error), error);
        }
        match stopped.or_else(|| out.flush().err()) {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                fail(Exit::Device, format!("cannot write to stdout: {error}"))
            }
            _ => Exit::Ok,
        }
    }
}

fn exit_of(error: &PeopleError) -> Exit {
    match error {
        PeopleError::Absent { .. } => Exit::Usage,
        _ => Exit::Device,
    }
}
