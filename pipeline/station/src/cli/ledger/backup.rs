//! `plumb ledger backup` and `plumb ledger restore`.

use super::{Exit, WhichLedger, exit_of_backup, fail, gb, told};
use plumb_ledger::BackupError;
use std::path::PathBuf;

/// Arguments of `plumb ledger backup`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Backup {
    /// Empty, or with an earlier backup in it; best on another disk.
    to: PathBuf,
    #[command(flatten)]
    which: WhichLedger,
    /// One document, schema plumb.backup/1.
    #[arg(long)]
    json: bool,
}

/// Arguments of `plumb ledger restore`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Restore {
    /// The folder with the backup.
    from: PathBuf,
    #[command(flatten)]
    which: WhichLedger,
    /// One document, schema plumb.backup/1.
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(super) fn run(self) -> Exit {
        let Self { to, which, json } = self;
        match which.folder() {
            Ok(folder) => done(plumb_ledger::Backup::take(&folder, &to), "backed up", json),
            Err(exit) => exit,
        }
    }
}

impl Restore {
    pub(super) fn run(self) -> Exit {
        let Self { from, which, json } = self;
        match which.folder() {
            Ok(folder) => done(plumb_ledger::Backup::restore(&from, &folder), "restored", json),
            Err(exit) => exit,
        }
    }
}

fn done(done: Result<plumb_ledger::Backup, BackupError>, what: &str, json: bool) -> Exit {
    let backup = match done {
        Ok(backup) => backup,
        Err(error) => return fail(exit_of_backup(&error), error),
    };
    let missing = match backup.pictures_missing {
        0 => String::new(),
        missing => {
            format!("; {missing} pictures were not there to be copied, `plumb ledger check` names them")
        }
    };
    let words = format!(
        "{} records and {} pictures ({}) as of {} {what}{missing}",
        backup.records,
        backup.pictures,
        gb(backup.picture_bytes),
        backup.at
    );
    told(json, &backup, &words)
}
