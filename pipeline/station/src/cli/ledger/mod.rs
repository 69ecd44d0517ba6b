//! `plumb ledger`: the ledger looked after for years: is it whole, is it safe elsewhere, what is kept how long.

mod backup;
mod check;
mod pin;
mod retain;

use super::{Exit, fail, parts::WhichLedger, print, say};
use plumb_ledger::{BackupError, LedgerError};
use serde::Serialize;

/// What `plumb ledger` can do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Ledger {
    /// Is it whole? Pages of its databases, pictures against the disk, the audit chain. Exit 1 if something is wrong.
    Check(check::Check),
    /// Copy it into another folder, while the station runs; again into the same folder brings that up to date.
    Backup(backup::Backup),
    /// Put a backup into a data folder that has no ledger.
    Restore(backup::Restore),
    /// Delete now what the rules of [ledger.keep] no longer keep; the station does so every hour.
    Retain(retain::Retain),
    /// What it takes of the disk, and how long the disk lasts under the rules.
    Disk(retain::Disk),
    /// Keep parts whatever the rules say.
    Pin(pin::Pin),
    /// Let the rules hold for parts again.
    Unpin(pin::Unpin),
    /// The parts that are pinned.
    Pins(pin::Pins),
}

impl Ledger {
    pub(super) fn run(self) -> Exit {
        match self {
            Self::Check(check) => check.run(),
            Self::Backup(backup) => backup.run(),
            Self::Restore(restore) => restore.run(),
            Self::Retain(retain) => retain.run(),
            Self::Disk(disk) => disk.run(),
            Self::Pin(pin) => pin.run(),
            Self::Unpin(unpin) => unpin.run(),
            Self::Pins(pins) => pins.run(),
        }
    }
}

fn exit_of(error: &LedgerError) -> Exit {
    super::parts::exit_of(error)
}

fn exit_of_backup(error: &BackupError) -> Exit {
    match error {
        BackupError::Ledger(error) => exit_of(error),
        BackupError::Half { .. } => Exit::Finding,
        BackupError::NotEmpty { .. } | BackupError::Inside { .. } | BackupError::Occupied { .. } => {
            Exit::Usage
        }
        BackupError::File { .. } => Exit::Device,
    }
}

/// The document on stdout where it was asked for, the words on stderr otherwise.
fn told(json: bool, document: &impl Serialize, words: &str) -> Exit {
    if !json {
        say(words);
        return Exit::Ok;
    }
    match serde_json::to_string_pretty(document) {
        Ok(text) => print((text + "\n").as_bytes()),
        Err(error) => fail(Exit::Bug, error),
    }
}

/// `1.5 GB`: 10⁹, as disks are sold.
fn gb(bytes: u64) -> String {
    match bytes {
        ..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
