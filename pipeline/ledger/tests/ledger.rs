//! What the ledger promises while it runs.

use plumb_inspection::{Image, PartId, PixelFormat, Stamp, Trigger, TriggerSource};
use plumb_ledger::{
    Full, Ledger, LedgerConfig, LedgerError, LedgerStats, PictureConfig, PictureFormat, PictureJob, Query,
    Record, RecordVerdict,
};
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime},
};

/// 2023-11-14T22:13:20Z.
const START_S: u64 = 1_700_000_000;

fn part(id: u32) -> PartId {
    PartId::new(id).expect("not 0")
}

fn trigger(id: u32, after_ms: u64) -> Trigger {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(START_S) + Duration::from_millis(after_ms);
    Trigger {
        part: part(id),
        source: TriggerSource::Plc,
        at: Stamp { mono: Instant::now(), wall },
        encoder: None,
    }
}

fn record(id: u32) -> Record {
    Record::new(&trigger(id, u64::from(id)), RecordVerdict::Pass, "washer".into(), "s1")
}

fn open(folder: &Path) -> Ledger {
    Ledger::open(folder, LedgerConfig::default()).expect("a ledger")
}

/// Waits for what another thread is about to do; a minute means it never will.
fn until(ledger: &Ledger, what: &str, holds: impl Fn(&LedgerStats) -> bool) {
    let begun = Instant::now();
    while !holds(&ledger.stats()) {
        assert!(begun.elapsed() < Duration::from_secs(60), "never {what}: {:?}", ledger.stats());
        thread::sleep(Duration::from_millis(2));
    }
}

fn hold_database(folder: &Path) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(folder.join("ledger.sqlite")).expect("the database");
    other.busy_timeout(Duration::from_secs(10)).expect("a setting");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else holds it for long");
    other
}

#[test]
fn what_was_sent_is_there_after_the_ledger_is_closed_and_opened_again() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = open(folder.path());
    let sent: Vec<Record> = (1..=300).map(record).collect();
    for record in &sent {
        ledger.writer().try_send(record.clone()).expect("room for 300");
    }
    ledger.close().expect("a good disk");
    let reader = open(folder.path()).reader();
    let mut found = reader.find(&Query { limit: Some(1000), ..Query::default() }).expect("readable");
    found.reverse();
    assert_eq!(found, sent);
    assert_eq!(reader.last_part().expect("readable"), Some(part(300)));
}

#[test]
fn part_ids_go_on_without_a_gap_after_an_orderly_close_and_with_one_otherwise() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ids = |keep: bool| {
        let ledger = open(folder.path());
        let numbers = ledger.numbers();
        let ids: Vec<u32> = (0..5_000).map(|_| numbers.next().get()).collect();
        let still_asking = keep.then_some(numbers);
        until(&ledger, "reserved", |stats| stats.numbers_unreserved < 5_000);
        ledger.close().expect("a good disk");
        (ids, still_asking.map(|numbers| numbers.next().get()))
    };
    let (first, _) = ids(false);
    let (second, late) = ids(true);
    let (third, _) = ids(false);
    assert_eq!(first[0], 1);
    assert_eq!(second[0], first[4_999] + 1, "all unused ids were given back");
    let late = late.expect("asked after the close");
    assert!(third[0] > late, "somebody could still ask, so nothing was given back: {late} then {}", third[0]);
}

#[test]
fn a_full_queue_gives_the_record_back_and_what_was_accepted_is_kept() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = open(folder.path());
    let other = hold_database(folder.path());
    let (writer, mut accepted) = (ledger.writer(), 0);
    // The writer may take one batch of 256 out of the queue of 1024 before it notices that it cannot write.
    let refused = (1..=2000).find_map(|id| match writer.try_send(record(id)) {
        Ok(()) => {
            accepted += 1;
            None
        }
        Err(Full(record)) => Some(record),
    });
    assert_eq!(refused.expect("2000 are more than fit").part_id, part(accepted + 1));
    assert!((1024..=1280).contains(&accepted), "{accepted} waiting");
    until(&ledger, "failing", |stats| stats.failing && stats.write_errors > 0);
    assert_eq!((ledger.stats().committed, ledger.stats().refused), (0, 1));
    other.execute_batch("ROLLBACK").expect("held");
    until(&ledger, "written", |stats| stats.committed == u64::from(accepted) && !stats.failing);
    assert_eq!(ledger.reader().count(&Query::default()).expect("readable"), u64::from(accepted));
    assert_eq!(ledger.stats().lost, 0);
}

#[test]
fn closing_on_a_disk_that_stays_dead_says_how_many_records_are_lost() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = open(folder.path());
    let _other = hold_database(folder.path());
    for id in 1..=300 {
        ledger.writer().try_send(record(id)).expect("room for 300");
    }
    let writer = ledger.writer();
    let error = ledger.close().expect_err("nothing could be written");
    assert!(matches!(error, LedgerError::Unwritten { records: 300 }), "{error}");
    assert!(writer.try_send(record(301)).is_err(), "a closed ledger accepts nothing");
}

#[test]
fn one_record_the_database_will_not_have_does_not_stop_the_others() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = open(folder.path());
    let other = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).expect("the database");
    other.busy_timeout(Duration::from_secs(10)).expect("a setting");
    other
        .execute_batch(
            "CREATE TRIGGER unlucky BEFORE INSERT ON records WHEN new.part_id = 13
             BEGIN SELECT raise(ABORT, 'unlucky'); END",
        )
        .expect("valid SQL");
    for id in 1..=20 {
        ledger.writer().try_send(record(id)).expect("room for 20");
    }
    until(&ledger, "written", |stats| stats.committed == 19 && stats.lost == 1);
    let reader = ledger.reader();
    assert_eq!(reader.get(part(13)).expect("readable"), None);
    assert!(reader.get(part(20)).expect("readable").is_some());
}

#[test]
fn a_database_deleted_under_the_station_is_noticed_and_made_anew() {
    let folder = tempfile::tempdir().expect("temp folder");
    let at = folder.path().join("inner");
    let ledger = open(&at);
    let given: Vec<PartId> = (0..10).map(|_| ledger.numbers().next()).collect();
    ledger.writer().try_send(record(1)).expect("room");
    until(&ledger, "written", |stats| stats.committed == 1);
    fs::remove_dir_all(&at).expect("ours");
    ledger.writer().try_send(record(2)).expect("room");
    until(&ledger, "written again", |stats| stats.committed == 2 && stats.write_errors > 0 && !stats.failing);
    assert!(ledger.reader().get(part(2)).expect("a new database").is_some());
    ledger.close().expect("a good disk");
    let next = open(&at).numbers().next();
    assert!(next > given[9], "the new database knows which ids were given: {next:?} after {given:?}");
}

#[test]
fn a_part_id_given_twice_keeps_both_records_newest_first_with_their_own_pictures() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = open(folder.path());
    let image = Image::packed(2, 2, PixelFormat::Gray8, vec![0, 80, 160, 240]).expect("packed");
    for (after_ms, verdict) in [(0, RecordVerdict::Fail), (60_000, RecordVerdict::Missed)] {
        let trigger = trigger(7, after_ms);
        ledger.writer().try_send(Record::new(&trigger, verdict, "washer".into(), "s1")).expect("room");
        let job = PictureJob::frame(&trigger, "top".into(), image.clone());
        ledger.pictures().try_send(job).expect("room for 2");
    }
    let reader = ledger.reader();
    ledger.close().expect("a good disk");
    let found = reader.find(&Query::of_part(part(7))).expect("readable");
    let verdicts: Vec<RecordVerdict> = found.iter().map(|record| record.verdict).collect();
    assert_eq!(verdicts, [RecordVerdict::Missed, RecordVerdict::Fail]);
    let paths: Vec<&str> =
        found.iter().flat_map(|record| &record.pictures).map(|picture| picture.path.as_str()).collect();
    assert_eq!(paths, ["pictures/2023-11-14/7-top-frame-2.jpg", "pictures/2023-11-14/7-top-frame.jpg"]);
    assert_eq!(reader.get(part(7)).expect("readable").as_ref(), found.first());
}

#[test]
fn a_kept_picture_is_whole_and_its_digest_is_that_of_the_file() {
    let folder = tempfile::tempdir().expect("temp folder");
    let picture = PictureConfig { format: PictureFormat::Png, ..PictureConfig::default() };
    let ledger =
        Ledger::open(folder.path(), LedgerConfig { picture, durable: true, ..LedgerConfig::default() })
            .expect("open");
    let pixels: Vec<u8> = (0..48 * 32 * 3).map(|i| (i % 251) as u8).collect();
    let image = Image::packed(48, 32, PixelFormat::Bgr8, pixels.clone()).expect("packed");
    let trigger = trigger(1, 0);
    ledger.writer().try_send(Record::new(&trigger, RecordVerdict::Fail, "r".into(), "s1")).expect("room");
    ledger.pictures().try_send(PictureJob::frame(&trigger, "top".into(), image)).expect("room");
    let reader = ledger.reader();
    ledger.close().expect("a good disk");
    let record = reader.get(part(1)).expect("readable").expect("sent");
    let [kept] = &record.pictures[..] else { panic!("one picture, not {:?}", record.pictures) };
    let file = fs::read(folder.path().join(&kept.path)).expect("there");
    let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(kept.sha256, digest);
    let decoded = image::load_from_memory(&file).expect("a picture").to_rgb8();
    assert!(decoded.pixels().zip(pixels.chunks(3)).all(|(rgb, bgr)| rgb.0 == [bgr[2], bgr[1], bgr[0]]));
}

#[test]
fn more_pictures_than_fit_are_dropped_counted_and_said_so_in_the_record() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = open(folder.path());
    let image = Image::packed(2000, 1500, PixelFormat::BayerRggb, vec![90; 3_000_000]).expect("packed");
    let refused: Vec<u32> = (1..=30)
        .filter(|&id| {
            ledger.writer().try_send(record(id)).expect("room");
            let job = PictureJob::frame(&trigger(id, u64::from(id)), "top".into(), image.clone());
            ledger.pictures().try_send(job).is_err()
        })
        .collect();
    assert!(!refused.is_empty(), "30 large pictures at once do not fit into 4 places");
    until(&ledger, "all pictures done", |stats| stats.pictures_written + stats.pictures_dropped == 30);
    assert_eq!(ledger.stats().pictures_dropped, refused.len() as u64);
    let reader = ledger.reader();
    ledger.close().expect("a good disk");
    for id in 1..=30 {
        let record = reader.get(part(id)).expect("readable").expect("sent");
        let missing: Vec<&str> = record.pictures_missing.iter().map(|missing| missing.why.as_str()).collect();
        let expected: &[&str] = if refused.contains(&id) { &["too many pictures at once"] } else { &[] };
        assert_eq!((missing.as_slice(), record.pictures.len()), (expected, 1 - expected.len()), "part {id}");
    }
}

#[test]
fn a_picture_that_cannot_be_written_leaves_its_reason_in_the_record() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = open(folder.path());
    fs::write(folder.path().join("pictures"), "a file where the folder should be").expect("writable");
    let image = Image::packed(2, 2, PixelFormat::Gray8, vec![0; 4]).expect("packed");
    ledger.writer().try_send(record(1)).expect("room");
    ledger.pictures().try_send(PictureJob::frame(&trigger(1, 1), "top".into(), image)).expect("room");
    until(&ledger, "given up", |stats| stats.pictures_failed == 1);
    let reader = ledger.reader();
    ledger.close().expect("the records are not concerned");
    let record = reader.get(part(1)).expect("readable").expect("sent");
    let [missing] = &record.pictures_missing[..] else { panic!("{:?}", record.pictures_missing) };
    assert!(missing.why.contains("no picture could be written to"), "{}", missing.why);
}

#[test]
fn a_reader_sees_whole_commits_while_the_writer_writes() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = open(folder.path());
    let writer = ledger.writer();
    let reader = ledger.reader();
    let sending = thread::spawn(move || {
        for id in 1..=5_000 {
            let mut record = record(id);
            while let Err(Full(back)) = writer.try_send(record) {
                record = back;
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let mut seen = 0;
    while seen < 5_000 {
        let count = reader.count(&Query::default()).expect("readable while written");
        assert!(count >= seen, "records do not vanish");
        seen = count;
        if let Some(last) = reader.last_part().expect("readable") {
            assert!(reader.get(last).expect("readable").is_some());
        }
    }
    sending.join().expect("sends");
}

#[test]
fn records_are_found_by_part_serial_time_and_verdict_and_exported_oldest_first() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = open(folder.path());
    for id in 1..=1_200_u32 {
        let mut record = record(id);
        record.verdict = RecordVerdict::ALL[id as usize % 4];
        record.serial = Some(format!("SN-{id}"));
        while let Err(Full(back)) = ledger.writer().try_send(record) {
            record = back;
            thread::sleep(Duration::from_millis(1));
        }
    }
    until(&ledger, "written", |stats| stats.committed == 1_200);
    let reader = ledger.reader();
    let at = |ms: u64| record(u32::try_from(ms).expect("small")).triggered_at;
    let ids = |query: &Query| -> Vec<u32> {
        reader.find(query).expect("readable").iter().map(|record| record.part_id.get()).collect()
    };
    let range = Query { from: Some(at(10)), until: Some(at(14)), ..Query::default() };
    assert_eq!(ids(&range), [13, 12, 11, 10], "the start belongs to it, the end does not");
    let fails = Query { verdict: Some(RecordVerdict::Fail), limit: Some(2), ..Query::default() };
    assert_eq!(ids(&fails), [1197, 1193]);
    assert_eq!(ids(&Query { serial: Some("SN-77".into()), ..Query::default() }), [77]);
    let passed_77 = Query { part: Some(part(77)), verdict: Some(RecordVerdict::Pass), ..Query::default() };
    assert!(ids(&passed_77).is_empty());
    assert_eq!(ids(&Query::default()).len(), 100);
    assert_eq!(reader.count(&fails).expect("readable"), 300, "a count has no limit");

    let mut lines = Vec::new();
    let written =
        reader.export(&Query { from: Some(at(101)), ..Query::default() }, &mut lines).expect("memory");
    assert_eq!(written, 1_100);
    let exported: Vec<u32> = String::from_utf8(lines)
        .expect("JSON")
        .lines()
        .map(|line| serde_json::from_str::<Record>(line).expect("a record a line").part_id.get())
        .collect();
    assert_eq!(exported, (101..=1_200).collect::<Vec<u32>>());
}

#[test]
fn every_lookup_has_its_index() {
    let folder = tempfile::tempdir().expect("temp folder");
    drop(open(folder.path()));
    let database = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).expect("the database");
    for (filter, index) in [
        ("part_id = 1 ORDER BY id DESC", "records_by_part"),
        ("serial = 'x' ORDER BY id DESC", "records_by_serial"),
        ("triggered_us >= 1 ORDER BY triggered_us DESC, id DESC", "records_by_time"),
        ("verdict = 'fail' ORDER BY triggered_us DESC, id DESC", "records_by_verdict"),
    ] {
        let sql = format!("EXPLAIN QUERY PLAN SELECT json FROM records WHERE {filter} LIMIT 1");
        let mut statement = database.prepare(&sql).expect("valid SQL");
        let plan: Vec<String> =
            statement.query_map([], |row| row.get(3)).and_then(|steps| steps.collect()).expect("a plan");
        assert!(plan[0].contains(index) && plan.len() == 1, "{filter}: {plan:?}");
    }
}

#[test]
fn a_second_process_on_the_same_folder_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("temp folder");
    let first = open(folder.path());
    let error = Ledger::open(folder.path(), LedgerConfig::default()).err().expect("in use").to_string();
    assert!(error.contains(&format!("in use by process {}", std::process::id())), "{error}");
    drop(first);
    drop(open(folder.path()));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("temp folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("writable");
    // Read-only for everybody, the superuser included.
    for at in [file.as_path(), Path::new("/proc/self/ledger")] {
        let error =
            Ledger::open(at, LedgerConfig::default()).err().expect("not a folder to write to").to_string();
        assert!(error.contains(&at.display().to_string()) && error.contains("may write to"), "{error}");
    }
}

#[test]
fn a_config_out_of_range_opens_nothing() {
    let folder = tempfile::tempdir().expect("temp folder");
    let slow = LedgerConfig { commit_ms: 500, ..LedgerConfig::default() };
    let error = Ledger::open(folder.path(), slow).err().expect("too slow").to_string();
    assert!(error.starts_with("ledger.commit_ms is 500 ms"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 0);
}

#[test]
fn many_threads_never_get_the_same_part_id() {
    let folder = tempfile::tempdir().expect("temp folder");
    let ledger = open(folder.path());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let numbers = ledger.numbers();
            thread::spawn(move || (0..5_000).map(|_| numbers.next()).collect::<Vec<PartId>>())
        })
        .collect();
    let ids: HashSet<PartId> =
        threads.into_iter().flat_map(|thread| thread.join().expect("counts")).collect();
    assert_eq!(ids.len(), 20_000);
}

#[test]
fn a_panic_in_writing_is_a_failed_attempt_and_costs_no_record() {
    let folder = tempfile::tempdir().expect("temp folder");
    let mut panics = 3;
    let commits = Box::new(move || {
        panics -= 1;
        assert!(panics < 0, "a test of what happens when writing panics");
    });
    let ledger = Ledger::open_heard(folder.path(), LedgerConfig::default(), commits).expect("a ledger");
    ledger.writer().try_send(record(1)).expect("there is room");
    until(&ledger, "written", |stats| stats.committed == 1 && stats.lives());
    assert_eq!((ledger.stats().write_errors, ledger.stats().lost), (3, 0));
    ledger.close().expect("nothing was lost");
}

#[test]
fn a_writer_that_hangs_shows_no_life_until_it_goes_on() {
    let folder = tempfile::tempdir().expect("temp folder");
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let commits = Box::new(move || {
        let _ = wait.recv(); // ends with an error, once, when the other end is dropped
    });
    let ledger = Ledger::open_heard(folder.path(), LedgerConfig::default(), commits).expect("a ledger");
    assert!(ledger.stats().lives());
    ledger.writer().try_send(record(1)).expect("there is room");
    until(&ledger, "hung", |stats| stats.is_hung() && !stats.failing && !stats.lives());
    drop(go_on);
    until(&ledger, "alive again", |stats| stats.committed == 1 && stats.lives());
    ledger.close().expect("nothing was lost");
}

#[test]
fn a_full_queue_is_no_sign_of_life() {
    let folder = tempfile::tempdir().expect("temp folder");
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let (begun, begins) = std::sync::mpsc::channel::<()>();
    let commits = Box::new(move || {
        let _ = begun.send(());
        let _ = wait.recv(); // ends with an error, once, when the other end is dropped
    });
    let ledger = Ledger::open_heard(folder.path(), LedgerConfig::default(), commits).expect("a ledger");
    ledger.writer().try_send(record(1)).expect("there is room");
    begins.recv().expect("it writes the first, and takes no other from the queue meanwhile");
    let sent = 1 + (2..).take_while(|id| ledger.writer().try_send(record(*id)).is_ok()).count() as u64;
    let lives = ledger.stats().lives();
    drop(go_on);
    assert!(!lives, "a part that passes now would have no record");
    until(&ledger, "emptied", |stats| stats.committed == sent && stats.lives());
    ledger.close().expect("what was taken is written");
}
