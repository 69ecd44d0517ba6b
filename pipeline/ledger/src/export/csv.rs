//! Comma-separated values as RFC 4180 has them.

use super::table::{COLUMNS, Cell};
use crate::{LedgerError, Query, Reader};
use std::{
    borrow::Cow,
    io::{self, Write},
};

pub(super) fn write(reader: &Reader, query: &Query, to: &mut dyn Write) -> Result<u64, LedgerError> {
    let mut written = 0;
    let header = COLUMNS.iter().map(|column| Cow::Borrowed(column.name));
    line(to, header).map_err(|source| LedgerError::Export { written, source })?;
    reader.each(query, |record| {
        let cells = COLUMNS.iter().map(|column| Cow::Owned(shown((column.of)(&record))));
        line(to, cells).map_err(|source| LedgerError::Export { written, source })?;
        written += 1;
        Ok(())
    })?;
    Ok(written)
}

fn shown(cell: Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Whole(number) => number.to_string(),
        Cell::Moment(at) => format!("{at:.6}"),
        Cell::Real(number) => number.to_string(),
        Cell::Flag(flag) => flag.to_string(),
        Cell::Text(text) => text,
    }
}

fn line<'a>(to: &mut dyn Write, cells: impl Iterator<Item = Cow<'a, str>>) -> io::Result<()> {
    let cells: Vec<String> = cells.map(|cell| quoted(&cell)).collect();
    to.write_all((cells.join(",") + "\r\n").as_bytes())
}

fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_line_is_quoted() {
        for (cell, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("", ""),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }
}
