//! Records for other programs: each format read back by a reader that is not ours.

use parquet::{
    basic::LogicalType,
    file::reader::{FileReader as _, SerializedFileReader},
    record::Field,
};
use plumb_inspection::{Finding, Findings, PartId, RectPx, Score, Stamp, Trigger, TriggerSource};
use plumb_ledger::{
    ExportFormat, Full, Ledger, LedgerConfig, Query, Reader, Record, RecordVerdict, ViewRecord,
};
use plumb_verdict::{Reason, RuleName};
use std::{fs::File, path::Path, thread, time::Duration};

fn record(id: u32) -> Record {
    let trigger = Trigger {
        part: PartId::new(id).expect("not 0"),
        source: TriggerSource::Plc,
        at: Stamp::now(),
        encoder: (id.is_multiple_of(2)).then_some(id),
    };
    let finding = Finding {
        class: "scratch, \"deep\"".into(),
        score: Score::new(0.5).expect("finite"),
        box_px: RectPx::from([1.0, 2.0, 3.0, 4.0]),
        polygon_px: None,
        keypoints_px: None,
        area_px: 12.0,
        length_mm: None,
        area_mm2: None,
        region: "face".into(),
        model: "surface".into(),
    };
    let findings = Findings { list: vec![finding; usize::from(id.is_multiple_of(3))], ..Findings::default() };
    let verdict = if id.is_multiple_of(3) { RecordVerdict::Fail } else { RecordVerdict::Pass };
    let mut record = Record::new(&trigger, verdict, "washer".into(), "s1");
    record.views = vec![ViewRecord::new("top".into(), 1, findings)];
    if id.is_multiple_of(3) {
        record.reasons = vec![Reason {
            rule: RuleName::from("no-scratch"),
            region: "face".into(),
            says: "1 scratch,\nlong".into(),
        }];
    }
    record.timings_us.total = Some(u64::from(id));
    record
}

fn fill(folder: &Path, parts: u32) -> Reader {
    let ledger = Ledger::open(folder, LedgerConfig::default()).expect("a ledger");
    for id in 1..=parts {
        let mut record = record(id);
        while let Err(Full(back)) = ledger.writer().try_send(record) {
            record = back;
            thread::sleep(Duration::from_millis(1));
        }
    }
    let reader = ledger.reader();
    ledger.close().expect("a good disk");
    reader
}

#[test]
fn parquet_has_a_typed_row_a_part_and_the_whole_record_beside_it() {
    let folder = tempfile::tempdir().expect("temp folder");
    let reader = fill(folder.path(), 700);
    let path = folder.path().join("parts.parquet");
    let written = reader
        .export_as(ExportFormat::Parquet, &Query::default(), File::create(&path).expect("a file"))
        .expect("room");
    assert_eq!(written, 700);
    let file = SerializedFileReader::new(File::open(&path).expect("there")).expect("a Parquet file");
    let schema = file.metadata().file_metadata().schema_descr();
    let moment = schema.columns().iter().find(|column| column.name() == "triggered_at").expect("a column");
    assert!(
        matches!(moment.logical_type_ref(), Some(LogicalType::Timestamp(at)) if at.is_adjusted_to_u_t_c),
        "{moment:?}"
    );
    let expected = reader.find(&Query { limit: Some(1000), ..Query::default() }).expect("readable");
    let rows: Vec<_> = file.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 700);
    for (row, record) in rows.iter().zip(expected.iter().rev()) {
        let cell = |name: &str| {
            row.get_column_iter()
                .find(|(column, _)| *column == name)
                .map(|(_, field)| field.clone())
                .expect(name)
        };
        assert_eq!(cell("part_id"), Field::Long(record.part_id.get().into()));
        assert_eq!(cell("triggered_at"), Field::TimestampMicros(record.triggered_at.as_microsecond()));
        assert_eq!(cell("verdict"), Field::Str(record.verdict.as_str().into()));
        assert_eq!(cell("serial"), Field::Null);
        assert_eq!(
            cell("encoder"),
            record.encoder.map_or(Field::Null, |encoder| Field::Long(encoder.into()))
        );
        let is_reject = record.verdict == RecordVerdict::Fail;
        assert_eq!(cell("finding_score_max"), if is_reject { Field::Double(0.5) } else { Field::Null });
        let Field::Str(whole) = cell("record") else { panic!("no record") };
        assert_eq!(serde_json::from_str::<Record>(&whole).expect("a record"), *record);
    }
}

#[test]
fn csv_has_a_header_and_keeps_commas_quotes_and_line_ends_inside_their_cell() {
    let folder = tempfile::tempdir().expect("temp folder");
    let reader = fill(folder.path(), 6);
    let mut text = Vec::new();
    let query = Query { verdict: Some(RecordVerdict::Fail), ..Query::default() };
    assert_eq!(reader.export_as(ExportFormat::Csv, &query, &mut text).expect("memory"), 2);
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(text.starts_with("part_id,serial,recipe,recipe_digest,station,triggered_at,"), "{text}");
    assert_eq!(text.matches("\r\n").count(), 3, "a header and two rows");
    for cell in ["\"no-scratch: 1 scratch,\nlong\"", "\"scratch, \"\"deep\"\"\"", ",fail,", "\r\n3,,washer,"]
    {
        assert!(text.contains(cell), "{cell} in {text}");
    }
}

#[test]
fn the_formats_have_their_words_and_json_lines_stay_what_they_were() {
    for format in [ExportFormat::JsonLines, ExportFormat::Csv, ExportFormat::Parquet] {
        assert_eq!(format.as_str().parse(), Ok(format));
    }
    assert_eq!("xlsx".parse::<ExportFormat>(), Err("jsonl, csv or parquet".to_owned()));
    let folder = tempfile::tempdir().expect("temp folder");
    let reader = fill(folder.path(), 3);
    let (mut one, mut other) = (Vec::new(), Vec::new());
    reader.export(&Query::default(), &mut one).expect("memory");
    reader.export_as(ExportFormat::JsonLines, &Query::default(), &mut other).expect("memory");
    assert_eq!(one, other);
}
