//! What people look for in a ledger is found, page by page, and nothing they type is anything but a value.

use jiff::Timestamp;
use plumb_inspection::{Finding, Findings, PartId, RectPx, Score, Stamp, Trigger, TriggerSource};
use plumb_ledger::{Ledger, LedgerConfig, Reader, Record, RecordVerdict, Said, Search, Truth, ViewRecord};
use std::time::{Duration, Instant, SystemTime};

const BEGIN_S: u64 = 1_790_000_000;

fn record(part: u32, verdict: RecordVerdict, serial: Option<&str>, classes: &[&str]) -> Record {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(BEGIN_S + u64::from(part));
    let at = Stamp { mono: Instant::now(), wall };
    let part = PartId::new(part).expect("not 0");
    let trigger = Trigger { part, source: TriggerSource::Plc, at, encoder: None };
    let mut record = Record::new(&trigger, verdict, "washer".into(), "station 1");
    record.serial = serial.map(str::to_owned);
    let finding = |class: &&str| Finding {
        class: (*class).into(),
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
    let list = classes.iter().map(finding).collect();
    record.views = vec![ViewRecord::new("top".into(), 1, Findings { list, ..Findings::default() })];
    record
}

/// Twenty parts: every fourth fails with a dent (part 8 with a stain as well), part 10 is missed, part 3 passes with a
/// weak dent.
fn ledger() -> (tempfile::TempDir, Reader) {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = Ledger::open(folder.path(), LedgerConfig::default()).expect("a new ledger");
    for part in 1..=20 {
        let serial = format!("SN-{part}");
        let record = match part {
            8 => record(
                part,
                RecordVerdict::Fail,
                Some("'; DROP TABLE records; --"),
                &["dent", "stain", "dent"],
            ),
            10 => record(part, RecordVerdict::Missed, None, &[]),
            3 => record(part, RecordVerdict::Pass, Some(&serial), &["dent"]),
            part if part % 4 == 0 => record(part, RecordVerdict::Fail, Some(&serial), &["dent"]),
            _ => record(part, RecordVerdict::Pass, Some(&serial), &[]),
        };
        ledger.writer().try_send(record).expect("room");
    }
    ledger.close().expect("written");
    let reader = Reader::new(folder.path());
    (folder, reader)
}

fn parts(reader: &Reader, search: &Search) -> Vec<u32> {
    let mut search = Search { limit: 3, ..search.clone() };
    let mut all = Vec::new();
    loop {
        let found = reader.search(&search).expect("readable");
        assert!(found.records.len() <= 3);
        all.extend(found.records.iter().map(|(record, _)| record.part_id.get()));
        match found.next {
            Some(next) => search.after = Some(next),
            None => return all,
        }
    }
}

#[test]
fn every_question_gives_its_parts_newest_first_over_all_pages_each_once() {
    let (_folder, reader) = ledger();
    let any = Search::default();
    assert_eq!(parts(&reader, &any), (1..=20).rev().collect::<Vec<_>>());
    let fail = Search { verdicts: vec![RecordVerdict::Fail], ..any.clone() };
    assert_eq!(parts(&reader, &fail), [20, 16, 12, 8, 4]);
    let rejects = vec![RecordVerdict::Late, RecordVerdict::Missed, RecordVerdict::Fail];
    assert_eq!(parts(&reader, &Search { verdicts: rejects.clone(), ..any.clone() }), [20, 16, 12, 10, 8, 4]);
    let dent = Search { class: Some("dent".into()), ..any.clone() };
    assert_eq!(parts(&reader, &dent), [20, 16, 12, 8, 4, 3]);
    assert_eq!(parts(&reader, &Search { verdicts: rejects, ..dent.clone() }), [20, 16, 12, 8, 4]);
    assert_eq!(parts(&reader, &Search { part: PartId::new(8), ..dent.clone() }), [8]);
    assert!(parts(&reader, &Search { part: PartId::new(9), ..dent }).is_empty());
    let at = |part: u64| Timestamp::from_second((BEGIN_S + part) as i64).expect("a moment");
    assert_eq!(
        parts(&reader, &Search { from: Some(at(7)), until: Some(at(12)), ..any.clone() }),
        [11, 10, 9, 8, 7]
    );
    assert_eq!(parts(&reader, &Search { serial: Some("SN-5".into()), ..any }), [5]);
    assert_eq!(reader.classes().expect("readable"), ["dent", "stain"]);
}

#[test]
fn sql_in_a_serial_or_a_class_is_a_value() {
    let (_folder, reader) = ledger();
    let serial = |serial: &str| Search { serial: Some(serial.into()), ..Search::default() };
    assert_eq!(parts(&reader, &serial("'; DROP TABLE records; --")), [8]);
    assert!(parts(&reader, &serial("' OR 1=1 --")).is_empty());
    assert!(parts(&reader, &Search { class: Some("x' OR 1=1 --".into()), ..Search::default() }).is_empty());
    assert_eq!(parts(&reader, &Search::default()).len(), 20);
}

#[test]
fn the_last_word_on_a_part_says_whether_people_and_machine_disagree() {
    let (folder, reader) = ledger();
    let book = plumb_ledger::TruthBook::new(folder.path());
    let said = |part, truth| Said {
        part: PartId::new(part).expect("not 0"),
        triggered_at: None,
        truth,
        why: String::new(),
    };
    let words = [
        said(4, Truth::Good),      // the machine rejected it
        said(5, Truth::Defective), // the machine passed it
        said(8, Truth::Defective),
        said(9, Truth::Good),
        said(10, Truth::Good), // nobody judged it: it was rejected all the same
    ];
    book.say(&words, "anna").expect("written");
    let disagrees = Search { disagrees: true, ..Search::default() };
    assert_eq!(parts(&reader, &disagrees), [10, 5, 4]);
    book.say(&[said(5, Truth::Good)], "bo").expect("another word");
    assert_eq!(parts(&reader, &disagrees), [10, 4]);
    let found =
        reader.search(&Search { part: PartId::new(5), limit: 1, ..Search::default() }).expect("readable");
    assert_eq!(found.records[0].1, Some(Truth::Good));
}
