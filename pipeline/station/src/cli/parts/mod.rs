//! `plumb parts`: the ledger's records found, shown, exported, and what people say of them kept.

mod export;
mod find;
mod judge;
mod show;

use super::{Exit, fail};
use crate::config;
use plumb_inspection::PartId;
use plumb_ledger::{KeepConfig, LedgerError};
use std::path::{Path, PathBuf};

/// What `plumb parts` can do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Parts {
    /// Find parts by verdict, time or serial number, newest first.
    Find(find::Find),
    /// Show everything that is kept of one part.
    Show(show::Show),
    /// Write records as JSON lines, CSV or Parquet, oldest first.
    Export(export::Export),
    /// Say what parts really were: the ground for choosing and proving thresholds.
    Judge(judge::Judge),
}

impl Parts {
    pub(super) fn run(self) -> Exit {
        match self {
            Self::Find(find) => find.run(),
            Self::Show(show) => show.run(),
            Self::Export(export) => export.run(),
            Self::Judge(judge) => judge.run(),
        }
    }
}

/// Which ledger is meant.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct WhichLedger {
    /// The ledger's folder; by default the one that the station's config names.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// The station's config.
    #[arg(long, value_name = "STATION.toml", default_value = "station.toml")]
    station: PathBuf,
}

impl WhichLedger {
    /// # Errors
    /// The exit, after the problems have been told.
    pub(super) fn folder(&self) -> Result<PathBuf, Exit> {
        match &self.data {
            Some(folder) => Ok(folder.clone()),
            None => config::read(&self.station)
                .map(|plan| plan.station.data)
                .map_err(|problems| fail(Exit::Config, format!("the config has problems\n{problems}"))),
        }
    }

    /// The folder with the rules of keeping, which are the config's in any case.
    ///
    /// # Errors
    /// The exit, after the problems have been told.
    pub(super) fn with_rules(&self) -> Result<(PathBuf, KeepConfig), Exit> {
        let plan = config::read(&self.station)
            .map_err(|problems| fail(Exit::Config, format!("the config has problems\n{problems}")))?;
        Ok((self.data.clone().unwrap_or(plan.station.data), plan.ledger.keep))
    }

    pub(super) fn station(&self) -> &Path {
        &self.station
    }
}

pub(super) fn exit_of(error: &LedgerError) -> Exit {
    match error {
        LedgerError::Absent { .. } => Exit::Usage,
        _ => Exit::Device,
    }
}

pub(super) fn part_id(text: &str) -> Result<PartId, String> {
    let number = text.parse().ok().and_then(PartId::new);
    number.ok_or_else(|| format!("a part id is a number from 1 to {}", u32::MAX))
}
