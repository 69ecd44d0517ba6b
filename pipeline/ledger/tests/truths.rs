//! What the words on parts promise: nothing said is lost or rewritten, and nobody proves with what he chose by.

use jiff::Timestamp;
use plumb_inspection::{PartId, Stamp, Trigger, TriggerSource};
use plumb_ledger::{
    Ledger, LedgerConfig, LedgerError, PartSet, Query, Reader, Record, RecordVerdict, Review, Said, Search,
    Truth, TruthBook, TruthError, Word,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant, SystemTime},
};

fn part(id: u32) -> PartId {
    PartId::new(id).expect("not 0")
}

fn record(id: u32, at_ms: u64, serial: Option<&str>) -> Record {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + Duration::from_millis(at_ms);
    let at = Stamp { mono: Instant::now(), wall };
    let trigger = Trigger { part: part(id), source: TriggerSource::Plc, at, encoder: None };
    let mut record = Record::new(&trigger, RecordVerdict::Pass, "washer".into(), "s1");
    record.serial = serial.map(str::to_owned);
    record
}

fn keep(folder: &Path, records: impl IntoIterator<Item = Record>) {
    let ledger = Ledger::open(folder, LedgerConfig::default()).expect("a ledger");
    for record in records {
        ledger.writer().try_send(record).expect("room");
    }
    ledger.close().expect("a good disk");
}

fn said(id: u32, truth: Truth) -> Said {
    Said { part: part(id), triggered_at: None, truth, why: String::new() }
}

#[test]
fn the_newest_word_counts_and_the_older_ones_stay() {
    let folder = tempfile::tempdir().expect("temp folder");
    keep(folder.path(), [record(1, 10, None), record(2, 20, None), record(1, 30, None)]);
    let book = TruthBook::new(folder.path());
    book.say(&[said(1, Truth::Good), said(2, Truth::Defective)], "ann").expect("both are there");
    book.say(&[Said { why: "under the microscope".into(), ..said(1, Truth::Defective) }], "bob")
        .expect("there");
    let witnessed = book.witnessed(&"washer".into()).expect("readable");
    let told: Vec<_> = witnessed.iter().map(|w| (w.record.part_id.get(), w.truth, w.by.as_str())).collect();
    assert_eq!(told, [(2, Truth::Defective, "ann"), (1, Truth::Defective, "bob")]);
    // Without a moment the newest inspection of a number is meant; the older one is nobody's word yet.
    let older = Timestamp::from_millisecond(1_700_000_000_010).expect("a moment");
    assert_eq!(book.of(part(1), older).expect("readable"), None);
    book.say(&[Said { triggered_at: Some(older), ..said(1, Truth::Good) }], "ann").expect("there");
    assert_eq!(book.of(part(1), older).expect("readable"), Some((Truth::Good, "ann".to_owned())));
    assert!(book.witnessed(&"gasket".into()).expect("readable").is_empty(), "another recipe's");
    let database = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).expect("the database");
    for rewriting in [
        "UPDATE truths SET truth = 'good'",
        "DELETE FROM truths",
        "UPDATE pieces SET part_set = 'tune'",
        "DELETE FROM pieces",
    ] {
        assert!(database.execute(rewriting, []).is_err(), "{rewriting}");
    }
    let rows: i64 = database.query_row("SELECT count(*) FROM truths", [], |row| row.get(0)).expect("a count");
    assert_eq!(rows, 4);
}

#[test]
fn a_piece_is_in_one_set_however_often_and_by_whom_it_is_looked_at() {
    let folder = tempfile::tempdir().expect("temp folder");
    let serial = |id: u32| format!("SN-{}", id % 60);
    keep(folder.path(), (1..=300).map(|id| record(id, id.into(), Some(&serial(id)))));
    let book = TruthBook::new(folder.path());
    let words: Vec<Said> = (1..=300).map(|id| said(id, Truth::Good)).collect();
    let (early, late) = words.split_at(100);
    book.say(early, "ann").expect("there");
    book.say(late, "bob").expect("there");
    let mut sets: BTreeMap<String, BTreeSet<PartSet>> = BTreeMap::new();
    for witnessed in book.witnessed(&"washer".into()).expect("readable") {
        sets.entry(witnessed.piece).or_default().insert(witnessed.part_set);
    }
    assert_eq!(sets.len(), 60, "300 looks at 60 pieces are 60 pieces");
    assert!(sets.values().all(|of_piece| of_piece.len() == 1));
    let tune = sets.values().filter(|of_piece| of_piece.contains(&PartSet::Tune)).count();
    assert!((8..=32).contains(&tune), "about a third: {tune}");
}

#[test]
fn a_word_on_a_part_that_is_not_there_keeps_them_all_out() {
    let folder = tempfile::tempdir().expect("temp folder");
    let book = TruthBook::new(folder.path());
    let absent = book.say(&[said(1, Truth::Good)], "ann").expect_err("no ledger");
    assert!(matches!(absent, TruthError::Ledger(LedgerError::Absent { .. })), "{absent}");
    assert!(!folder.path().join("ledger.sqlite").exists(), "no ledger is made for it");
    keep(folder.path(), [record(1, 10, None)]);
    let words = [said(1, Truth::Good), said(7, Truth::Good), said(8, Truth::Good)];
    let refused = book.say(&words, "ann").expect_err("7 and 8 are not there").to_string();
    assert!(refused.contains("no record of part 7, part 8"), "{refused}");
    assert!(matches!(book.say(&words[..1], " "), Err(TruthError::Unsigned)));
    assert!(book.witnessed(&"washer".into()).expect("readable").is_empty());
}

#[test]
fn a_scan_sees_every_record_once_and_in_order() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = Ledger::open(folder.path(), LedgerConfig::default()).expect("a ledger");
    for id in 1..=1_700 {
        // Numbers run against time, to tell the order of time from the order of rows.
        let mut record = record(id, u64::from(5_000 - id), None);
        while let Err(plumb_ledger::Full(back)) = ledger.writer().try_send(record) {
            std::thread::sleep(Duration::from_millis(1));
            record = back;
        }
    }
    ledger.close().expect("a good disk");
    let reader = plumb_ledger::Reader::new(folder.path());
    let ids = reader.scan(&Query::default(), |record| record.part_id.get()).expect("readable");
    assert_eq!(ids, (1..=1_700).rev().collect::<Vec<u32>>());
    let limited = Query { limit: Some(3), ..Query::default() };
    assert_eq!(
        reader.scan(&limited, |record| record.part_id.get()).expect("readable"),
        [1_700, 1_699, 1_698]
    );
}

#[test]
fn a_word_that_is_taken_back_or_unsure_says_nothing_of_the_part_and_stays_on_record() {
    let folder = tempfile::tempdir().expect("temp folder");
    keep(folder.path(), [record(1, 10, None), record(2, 20, None)]);
    let at = |ms: i64| Timestamp::from_millisecond(1_700_000_000_000 + ms).expect("a moment");
    let book = TruthBook::new(folder.path());
    let review = |id, ms, word, class: &str| Review {
        part: part(id),
        triggered_at: Some(at(ms)),
        word,
        class: class.to_owned(),
        why: String::new(),
    };
    book.review(&[review(1, 10, Word::Defective, "dent"), review(2, 20, Word::Unsure, "")], "ann")
        .expect("there");
    let newest = book.newest(part(1), at(10)).expect("readable").expect("a word");
    assert_eq!((newest.word, newest.class.as_str(), newest.by.as_str()), (Word::Defective, "dent", "ann"));
    assert_eq!(book.of(part(2), at(20)).expect("readable"), None);
    assert_eq!(book.newest(part(2), at(20)).expect("readable").map(|newest| newest.word), Some(Word::Unsure));
    assert_eq!(book.witnessed(&"washer".into()).expect("readable").len(), 1, "unsure is no truth");
    let disagrees = Search { disagrees: true, limit: 10, ..Search::default() };
    let found = Reader::new(folder.path()).search(&disagrees).expect("readable");
    assert_eq!(found.records.len(), 1, "unsure is no contradiction");
    book.review(&[review(1, 10, Word::Withdrawn, "")], "ann").expect("there");
    assert_eq!(book.newest(part(1), at(10)).expect("readable"), None);
    assert!(book.witnessed(&"washer".into()).expect("readable").is_empty());
    let database = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).expect("the database");
    let rows: i64 =
        database.query_row("SELECT count(*) FROM truths", [], |row| row.get(0)).expect("a number");
    assert_eq!(rows, 3);
}
