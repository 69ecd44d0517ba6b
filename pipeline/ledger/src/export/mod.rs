//! Records for other programs: JSON lines hold everything, CSV and Parquet a row a part.

mod csv;
mod parquet;
mod table;

use crate::{LedgerError, Query, Reader};
use std::{fmt, io::Write, str::FromStr};

/// What records are written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportFormat {
    /// A record a line, schema `plumb.record/1`.
    #[default]
    JsonLines,
    /// A header and a row a part (RFC 4180, UTF-8): what fits into one, for spreadsheets.
    Csv,
    /// The same columns with their types, and the whole record as JSON in the last (Snappy, row groups of 50 000).
    Parquet,
}

impl ExportFormat {
    /// The word for it: also the ending of a file's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ExportFormat {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let all = [Self::JsonLines, Self::Csv, Self::Parquet];
        all.into_iter()
            .find(|format| format.as_str() == word)
            .ok_or_else(|| "jsonl, csv or parquet".to_owned())
    }
}

impl Reader {
    /// Writes records as `format`, oldest first, and says how many. Records that come in meanwhile may be among them.
    ///
    /// # Errors
    /// As [`Reader::find`], and when `to` takes no more.
    pub fn export_as(
        &self,
        format: ExportFormat,
        query: &Query,
        mut to: impl Write + Send,
    ) -> Result<u64, LedgerError> {
        let written = match format {
            ExportFormat::JsonLines => self.export(query, &mut to)?,
            ExportFormat::Csv => csv::write(self, query, &mut to)?,
            ExportFormat::Parquet => parquet::write(self, query, &mut to)?,
        };
        to.flush().map_err(|source| LedgerError::Export { written, source })?;
        Ok(written)
    }
}
