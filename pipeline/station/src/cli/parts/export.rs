//! `plumb parts export`.

use super::{WhichLedger, exit_of, find::verdict};
use crate::cli::{Exit, fail, say};
use jiff::Timestamp;
use plumb_ledger::{LedgerError, Query, Reader, RecordVerdict};
use std::io::{self, BufWriter, Write as _};

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
}

impl Export {
    pub(super) fn run(self) -> Exit {
        let folder = match self.which.folder() {
            Ok(folder) => folder,
            Err(exit) => return exit,
        };
        let query = Query { verdict: self.verdict, from: self.from, until: self.until, ..Query::default() };
        let mut out = BufWriter::new(io::stdout().lock());
        let written = Reader::new(&folder).export(&query, &mut out);
        let flushed = out.flush();
        match (written, flushed) {
            // A reader that went away (`| head`) is no error of ours.
            (Err(LedgerError::Export { source, .. }), _) | (Ok(_), Err(source))
                if source.kind() == io::ErrorKind::BrokenPipe =>
            {
                Exit::Ok
            }
            (Ok(written), Ok(())) => {
                say(&format!("{written} records"));
                Exit::Ok
            }
            (Err(error), _) => fail(exit_of(&error), error),
            (Ok(_), Err(error)) => fail(Exit::Device, format!("cannot write to stdout: {error}")),
        }
    }
}
