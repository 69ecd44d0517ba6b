//! Parquet: typed columns, compressed, for tables of millions.

use super::table::{COLUMNS, Cell, Kind};
use crate::{LedgerError, Query, Reader};
use parquet::{
    basic::Compression,
    data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::{parser::parse_message_type, types::TypePtr},
};
use std::{
    io::{self, Write},
    sync::Arc,
};

/// Rows held in memory before they go out together: about 100 MB with the records themselves.
const ROW_GROUP: usize = 50_000;

pub(super) fn write(reader: &Reader, query: &Query, to: &mut (dyn Write + Send)) -> Result<u64, LedgerError> {
    let mut written = 0;
    let failed = |written: u64| {
        move |error: ParquetError| LedgerError::Export { written, source: io::Error::other(error) }
    };
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut file = SerializedFileWriter::new(to, schema().map_err(failed(0))?, Arc::new(properties))
        .map_err(failed(0))?;
    let mut columns: Vec<Vec<Cell>> = COLUMNS.iter().map(|_| Vec::new()).collect();
    columns.push(Vec::new()); // the record itself
    reader.each(query, |record| {
        for (column, cells) in COLUMNS.iter().zip(&mut columns) {
            cells.push((column.of)(&record));
        }
        if let Some(whole) = columns.last_mut() {
            whole.push(Cell::Text(serde_json::to_string(&record).expect("it came out of JSON")));
        }
        written += 1;
        if columns[0].len() == ROW_GROUP {
            row_group(&mut file, &mut columns).map_err(failed(written))?;
        }
        Ok(())
    })?;
    if !columns[0].is_empty() {
        row_group(&mut file, &mut columns).map_err(failed(written))?;
    }
    file.close().map_err(failed(written))?;
    Ok(written)
}

fn schema() -> Result<TypePtr, ParquetError> {
    let kinds = COLUMNS.iter().map(|column| (column.name, column.kind)).chain([("record", Kind::Text)]);
    let fields = kinds.map(|(name, kind)| match kind {
        Kind::Whole => format!("OPTIONAL INT64 {name};"),
        Kind::Moment => format!("OPTIONAL INT64 {name} (TIMESTAMP(MICROS, true));"),
        Kind::Real => format!("OPTIONAL DOUBLE {name};"),
        Kind::Flag => format!("OPTIONAL BOOLEAN {name};"),
        Kind::Text => format!("OPTIONAL BINARY {name} (STRING);"),
    });
    parse_message_type(&format!("message plumb_record {{ {} }}", fields.collect::<String>())).map(Arc::new)
}

fn row_group<W: Write + Send>(
    file: &mut SerializedFileWriter<W>,
    columns: &mut [Vec<Cell>],
) -> Result<(), ParquetError> {
    let mut group = file.next_row_group()?;
    let kinds = COLUMNS.iter().map(|column| column.kind).chain([Kind::Text]);
    for (kind, cells) in kinds.zip(columns) {
        let Some(mut column) = group.next_column()? else { break };
        write_column(&mut column, kind, std::mem::take(cells))?;
        column.close()?;
    }
    group.close().map(drop)
}

/// Values without the empty ones, and for each row whether it has one.
fn write_column(
    column: &mut SerializedColumnWriter<'_>,
    kind: Kind,
    cells: Vec<Cell>,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(*cell != Cell::Empty)).collect();
    let cells = cells.into_iter();
    match kind {
        Kind::Whole | Kind::Moment => {
            let values: Vec<i64> = cells
                .filter_map(|cell| match cell {
                    Cell::Whole(number) => Some(number),
                    Cell::Moment(at) => Some(at.as_microsecond()),
                    _ => None,
                })
                .collect();
            column.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
        }
        Kind::Real => {
            let values: Vec<f64> = cells
                .filter_map(|cell| if let Cell::Real(number) = cell { Some(number) } else { None })
                .collect();
            column.typed::<DoubleType>().write_batch(&values, Some(&levels), None)?;
        }
        Kind::Flag => {
            let values: Vec<bool> = cells
                .filter_map(|cell| if let Cell::Flag(flag) = cell { Some(flag) } else { None })
                .collect();
            column.typed::<BoolType>().write_batch(&values, Some(&levels), None)?;
        }
        Kind::Text => {
            let values: Vec<ByteArray> = cells
                .filter_map(
                    |cell| if let Cell::Text(text) = cell { Some(text.into_bytes().into()) } else { None },
                )
                .collect();
            column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
        }
    }
    Ok(())
}
