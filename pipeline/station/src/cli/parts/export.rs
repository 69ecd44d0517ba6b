//! `plumb parts export`.

use super::{WhichLedger, exit_of, find::verdict};
use crate::cli::{Exit, fail, say};
use jiff::Timestamp;
use plumb_ledger::{ExportFormat, LedgerError, Query, Reader, RecordVerdict};
use std::{
    fs::File,
    io::{self, BufWriter},
    path::PathBuf,
};

/// Arguments of `plumb parts export`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Export {
    #[command(flatten)]
    which: WhichLedger,
    /// pass, fail, missed or late.
    #[arg(long, value_parser = verdict)]
    verdict: Option<RecordVerdict>,
    /// Triggered at this moment or later, as 2026-11-24T06:00:00Z.
    #[arg(long)]
    from: Option<Timestamp>,
    /// Triggered before this moment.
    #[arg(long)]
    until: Option<Timestamp>,
    /// jsonl: whole records. csv: a row a part. parquet: the same with types, and the record beside it.
    #[arg(long, value_name = "FORMAT", default_value_t)]
    format: ExportFormat,
    /// A new file, instead of stdout.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

impl Export {
    pub(super) fn run(self) -> Exit {
        let folder = match self.which.folder() {
            Ok(folder) => folder,
            Err(exit) => return exit,
        };
        let query = Query { verdict: self.verdict, from: self.from, until: self.until, ..Query::default() };
        let reader = Reader::new(&folder);
        let written = match &self.to {
            None => reader.export_as(self.format, &query, BufWriter::new(io::stdout())),
            Some(path) => match File::create_new(path) {
                Ok(file) => reader.export_as(self.format, &query, BufWriter::new(file)),
                Err(error) => {
                    return fail(Exit::Usage, format!("{} cannot be made: {error}", path.display()));
                }
            },
        };
        match written {
            // A reader that went away (`| head`) is no error of ours.
            Err(LedgerError::Export { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
            Ok(written) => {
                say(&format!("{written} records"));
                Exit::Ok
            }
            Err(error) => fail(exit_of(&error), error),
        }
    }
}
