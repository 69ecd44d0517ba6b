//! What the ledger promises of shadow models.

use plumb_inspection::{PartId, Stamp, Trigger, TriggerSource};
use plumb_ledger::{
    Full, Ledger, LedgerConfig, LedgerStats, ModelRecord, Reader, Record, RecordVerdict, ShadowQuery,
    ShadowRecord,
};
use plumb_verdict::{Reason, RuleName, Verdict};
use std::{
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime},
};

fn open(folder: &Path) -> Ledger {
    Ledger::open(folder, LedgerConfig::default()).expect("a ledger")
}

fn until(ledger: &Ledger, what: &str, holds: impl Fn(&LedgerStats) -> bool) {
    let begun = Instant::now();
    while !holds(&ledger.stats()) {
        assert!(begun.elapsed() < Duration::from_secs(60), "never {what}: {:?}", ledger.stats());
        thread::sleep(Duration::from_millis(2));
    }
}

fn trigger(id: u32) -> Trigger {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + Duration::from_millis(id.into());
    Trigger {
        part: PartId::new(id).expect("not 0"),
        source: TriggerSource::Plc,
        at: Stamp { mono: Instant::now(), wall },
        encoder: None,
    }
}

fn model(digest: &str) -> ModelRecord {
    ModelRecord { name: "caps".into(), digest: digest.into(), provider: "cpu".into() }
}

fn pass() -> Verdict {
    Verdict::from_objections(vec![])
}

fn fail() -> Verdict {
    let reason = Reason { rule: RuleName::from("cap"), region: "neck".into(), says: "no cap".into() };
    Verdict::from_objections(vec![reason])
}

fn judged(id: u32, digest: &str, machine: RecordVerdict, shadow: Verdict) -> ShadowRecord {
    let took = Duration::from_micros(900);
    ShadowRecord::judged(&trigger(id), "line".into(), model(digest), machine, (shadow, vec![]), took)
}

fn skipped(id: u32, digest: &str) -> ShadowRecord {
    ShadowRecord::skipped(&trigger(id), "line".into(), model(digest), RecordVerdict::Pass, "no time left")
}

fn parts(reader: &Reader, query: &ShadowQuery) -> Vec<u32> {
    reader.shadow(query).expect("readable").iter().map(|record| record.part_id.get()).collect()
}

#[test]
fn what_a_shadow_said_is_found_by_model_part_and_disagreement_newest_first() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = open(folder.path());
    let sent = [
        judged(1, "a", RecordVerdict::Pass, pass()),
        judged(2, "a", RecordVerdict::Pass, fail()),
        judged(2, "b", RecordVerdict::Pass, pass()),
        judged(3, "b", RecordVerdict::Fail, pass()),
        skipped(4, "a"),
    ];
    for record in &sent {
        ledger.shadows().try_send(record.clone()).expect("room");
    }
    let reader = ledger.reader();
    ledger.close().expect("a good disk");
    let mut all = reader.shadow(&ShadowQuery::default()).expect("readable");
    all.reverse();
    assert_eq!(all, sent);
    let of = |digest: &str| ShadowQuery { model: Some(digest.into()), ..ShadowQuery::default() };
    assert_eq!(parts(&reader, &of("a")), [4, 2, 1]);
    let disagreements = ShadowQuery { disagreements: true, ..ShadowQuery::default() };
    assert_eq!(parts(&reader, &disagreements), [3, 2]);
    assert_eq!(parts(&reader, &ShadowQuery { disagreements: true, ..of("a") }), [2]);
    assert_eq!(parts(&reader, &ShadowQuery { part: PartId::new(2), ..of("b") }), [2]);
    assert_eq!(parts(&reader, &ShadowQuery { limit: Some(2), ..ShadowQuery::default() }), [4, 3]);
    assert!(parts(&reader, &of("c")).is_empty());
}

#[test]
fn the_account_of_100_000_parts_adds_up_is_looked_up_and_says_how_sure_it_is() {
    let folder = tempfile::tempdir().expect("temp folder");
    drop(open(folder.path()));
    let mut database = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).expect("the database");
    // As the writer writes them; through its queue they would take most of a minute on a slow disk.
    let transaction = database.transaction().expect("nobody else writes");
    {
        let mut insert = transaction
            .prepare(
                "INSERT INTO shadow (part_id, triggered_us, recipe, digest, machine, verdict, agrees, json)
                 VALUES (?1, ?2, 'line', ?3, ?4, ?5, ?6, '{}')",
            )
            .expect("valid SQL");
        for n in 1..=100_000_i64 {
            let (machine, shadow, agrees) = match n % 1_000 {
                1..=5 => ("pass", "fail", Some(false)),
                6..=8 => ("fail", "pass", Some(false)),
                9 => ("fail", "missed", Some(false)),
                10..=29 => ("pass", "skipped", None),
                30..=34 => ("late", "pass", None),
                35..=134 => ("fail", "fail", Some(true)),
                _ => ("pass", "pass", Some(true)),
            };
            let digest = if n % 2 == 0 { "even" } else { "odd" };
            insert.execute(rusqlite::params![n, n * 10, digest, machine, shadow, agrees]).expect("a row");
        }
    }
    transaction.commit().expect("a good disk");

    let reader = Reader::new(folder.path());
    let begun = Instant::now();
    let told = reader.shadow_summary("odd").expect("readable").expect("50 000 parts");
    println!("the account of 50 000 of 100 000 rows took {:?}", begun.elapsed());
    assert_eq!((told.seen, told.skipped, told.not_compared), (50_000, 1_000, 200));
    assert_eq!(
        (told.would_fail_where_passed, told.would_pass_where_failed, told.would_miss),
        (300, 100, 100)
    );
    assert_eq!((told.disagreements, told.agreements), (500, 48_300));
    assert_eq!(told.seen, told.skipped + told.not_compared + told.agreements + told.disagreements);
    assert_eq!((told.first.as_microsecond(), told.last.as_microsecond()), (10, 999_990));
    let rate = told.disagreement_rate.expect("compared");
    assert!((rate.share - 500.0 / 48_800.0).abs() < 1e-12 && rate.low < rate.share && rate.share < rate.high);
    assert!(rate.high - rate.low < 0.002, "{rate:?}");
    assert_eq!(reader.shadow_summary("nobody").expect("readable"), None);

    let differing: i64 = database
        .query_row(
            "SELECT count(*) FROM (SELECT digest, machine, verdict, count(*) FROM shadow GROUP BY 1, 2, 3
             EXCEPT SELECT digest, machine, verdict, parts FROM shadow_tally)",
            [],
            |row| row.get(0),
        )
        .expect("readable");
    assert_eq!(differing, 0, "the account is what counting the rows gives");
    let plan: String = database
        .query_row("EXPLAIN QUERY PLAN SELECT * FROM shadow_tally WHERE digest = 'odd'", [], |row| row.get(3))
        .expect("a plan");
    assert!(plan.contains("PRIMARY KEY"), "{plan}");
}

#[test]
fn a_shadow_that_only_skipped_has_an_account_without_a_rate() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = open(folder.path());
    ledger.shadows().try_send(skipped(1, "a")).expect("room");
    until(&ledger, "written", |stats| stats.shadows_committed == 1);
    let told = ledger.reader().shadow_summary("a").expect("readable").expect("one part");
    assert_eq!((told.seen, told.skipped, told.disagreement_rate), (1, 1, None));
    let json = serde_json::to_value(&told).expect("plain data");
    assert_eq!(json["first"], "2023-11-14T22:13:20.001000Z");
}

#[test]
fn more_shadows_than_fit_are_refused_and_counted_and_take_no_records_place() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = open(folder.path());
    let other = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).expect("the database");
    other.busy_timeout(Duration::from_secs(10)).expect("a setting");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else holds it for long");
    let refused = (1..=2_000).filter(|&id| ledger.shadows().try_send(skipped(id, "a")).is_err()).count();
    assert!((2_000 - 1_280..=2_000 - 1_024).contains(&refused), "{refused} refused");
    for id in 1..=500 {
        let record = Record::new(&trigger(id), RecordVerdict::Pass, "line".into(), "s1");
        ledger.writer().try_send(record).unwrap_or_else(|Full(_)| panic!("room for 500 records"));
    }
    other.execute_batch("ROLLBACK").expect("held");
    let accepted = 2_000 - refused as u64;
    until(&ledger, "written", |stats| stats.committed == 500 && stats.shadows_committed == accepted);
    let stats = ledger.stats();
    assert_eq!((stats.refused, stats.shadows_refused, stats.shadows_lost), (0, refused as u64, 0));
    let (reader, shadows) = (ledger.reader(), ledger.shadows());
    ledger.close().expect("a good disk");
    assert_eq!(reader.shadow_summary("a").expect("readable").map(|told| told.seen), Some(accepted));
    assert!(shadows.try_send(skipped(1, "a")).is_err(), "a closed ledger accepts nothing");
}

#[test]
fn shadows_accepted_before_the_close_are_on_disk_after_it_and_the_next_start_goes_on_behind_them() {
    let folder = tempfile::tempdir().expect("temp folder");
    for run in 0..2_u32 {
        let ledger = open(folder.path());
        for id in 1..=700 {
            ledger
                .shadows()
                .try_send(judged(700 * run + id, "a", RecordVerdict::Pass, pass()))
                .expect("room");
        }
        ledger.close().expect("a good disk");
    }
    let reader = Reader::new(folder.path());
    assert_eq!(reader.shadow_summary("a").expect("readable").map(|told| told.agreements), Some(1_400));
    assert_eq!(parts(&reader, &ShadowQuery { limit: Some(1), ..ShadowQuery::default() }), [1_400]);
}

#[test]
fn one_shadow_the_database_will_not_have_stops_neither_the_others_nor_the_records() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = open(folder.path());
    let other = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).expect("the database");
    other.busy_timeout(Duration::from_secs(10)).expect("a setting");
    other
        .execute_batch(
            "CREATE TRIGGER unlucky BEFORE INSERT ON shadow WHEN new.part_id = 13
             BEGIN SELECT raise(ABORT, 'unlucky'); END",
        )
        .expect("valid SQL");
    for id in 1..=20 {
        let record = Record::new(&trigger(id), RecordVerdict::Pass, "line".into(), "s1");
        ledger.writer().try_send(record).expect("room");
        ledger.shadows().try_send(skipped(id, "a")).expect("room");
    }
    until(&ledger, "written", |stats| stats.committed == 20 && stats.shadows_committed == 19);
    assert_eq!((ledger.stats().lost, ledger.stats().shadows_lost), (0, 1));
}
