//! What the rules delete, what they leave, and what the ledger says of it afterwards.

use jiff::Timestamp;
use plumb_inspection::{Image, PartId, PixelFormat, Stamp, Trigger, TriggerSource};
use plumb_ledger::{
    KEEP_RULES, KeepConfig, KeepRule, Ledger, LedgerConfig, Outlook, PictureJob, PinBook, PinError, Query,
    Reader, Record, RecordVerdict, Said, Span, Sweep, Truth, TruthBook,
};
use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

const DAY: Duration = Duration::from_secs(86_400);

fn part(id: u32) -> PartId {
    PartId::new(id).expect("not 0")
}

/// A part of so many days ago.
fn trigger(id: u32, days: u32) -> Trigger {
    let at = Stamp { mono: Instant::now(), wall: SystemTime::now() - days * DAY };
    Trigger { part: part(id), source: TriggerSource::Plc, at, encoder: None }
}

/// Writes parts `(id, days ago, verdict)`, each with a picture.
fn fill(folder: &Path, parts: &[(u32, u32, RecordVerdict)]) {
    let ledger = Ledger::open(folder, LedgerConfig::default()).expect("a ledger");
    let image = Image::packed(16, 16, PixelFormat::Gray8, vec![7; 256]).expect("packed");
    for &(id, days, verdict) in parts {
        let trigger = trigger(id, days);
        let record = Record::new(&trigger, verdict, "washer".into(), "s1");
        ledger.writer().try_send(record).expect("room");
        let mut job = PictureJob::frame(&trigger, "top".into(), image.clone());
        while let Err(full) = ledger.pictures().try_send(job) {
            job = full.0;
            thread::sleep(Duration::from_millis(1));
        }
    }
    ledger.close().expect("a good disk");
}

fn pictures_on_disk(folder: &Path) -> Vec<PathBuf> {
    let days = std::fs::read_dir(folder.join("pictures")).expect("a folder").flatten();
    let files = days.filter_map(|day| std::fs::read_dir(day.path()).ok());
    files.flatten().flatten().map(|file| file.path()).collect()
}

fn run(folder: &Path, keep: &KeepConfig) -> std::collections::BTreeMap<KeepRule, plumb_ledger::Swept> {
    Sweep::new(folder, keep.clone()).run(Timestamp::now(), &|| true).expect("a good ledger")
}

fn kept(folder: &Path) -> Vec<u32> {
    let mut parts: Vec<u32> = Reader::new(folder)
        .find(&Query::default())
        .expect("readable")
        .iter()
        .map(|record| record.part_id.get())
        .collect();
    parts.sort_unstable();
    parts
}

use RecordVerdict::{Fail, Missed, Pass};

const KEEP: KeepConfig = KeepConfig {
    pass_pictures_days: Span::Days(10),
    reject_pictures_days: Span::Days(100),
    pass_records_days: Span::Days(50),
    reject_records_days: Span::Days(1000),
    disk_max_gb: None,
};

#[test]
fn pictures_go_before_records_and_passes_before_rejects_and_each_says_why() {
    let folder = tempfile::tempdir().expect("temp folder");
    let at = folder.path();
    // Young, past their pictures' time, past their records' time; passes and rejects.
    fill(at, &[(1, 1, Pass), (2, 20, Pass), (3, 60, Pass), (4, 60, Fail), (5, 200, Missed), (6, 2000, Fail)]);
    let would = Sweep::new(at, KEEP).look(Timestamp::now()).expect("readable");
    assert_eq!(pictures_on_disk(at).len(), 6, "a look deletes nothing");
    let swept = run(at, &KEEP);
    let counts = KEEP_RULES.map(|rule| (swept[&rule].pictures, swept[&rule].records));
    assert_eq!(counts, [(2, 0), (2, 0), (0, 0), (0, 1), (0, 1)]);
    assert_eq!(would, swept, "what was foretold is what happened");
    assert_eq!(kept(at), [1, 2, 4, 5]);
    assert_eq!(pictures_on_disk(at).len(), 2, "of parts 1 and 4");

    let reader = Reader::new(at);
    let record = reader.get(part(2)).expect("readable").expect("its record outlives its picture");
    let today = Timestamp::now().strftime("%Y-%m-%d").to_string();
    let [missing] = &record.pictures_missing[..] else { panic!("{record:?}") };
    assert!(record.pictures.is_empty());
    assert_eq!(
        missing.why,
        format!(
            "deleted on {today} by rule pass_pictures_days: pictures of passed parts are kept for 10 days"
        )
    );
    let told = reader.deleted(part(6)).expect("readable");
    let [told] = &told[..] else { panic!("{told:?}") };
    assert!(
        told.starts_with("fail of ")
            && told.ends_with(&format!(
                "deleted on {today} by rule reject_records_days: records of rejected parts are kept for 1000 days"
            )),
        "{told}"
    );
    assert!(run(at, &KEEP).values().all(|swept| *swept == plumb_ledger::Swept::default()), "all is done");
}

#[test]
fn what_is_pinned_or_has_a_word_on_it_stays_until_somebody_lets_it_go() {
    let folder = tempfile::tempdir().expect("temp folder");
    let at = folder.path();
    fill(at, &[(1, 3000, Pass), (2, 3000, Pass), (3, 3000, Fail), (4, 3000, Pass)]);
    let pins = PinBook::new(at);
    pins.pin(&[(part(1), None), (part(3), None)], "anna", "claim 4711").expect("they are there");
    let said = Said { part: part(2), triggered_at: None, truth: Truth::Good, why: String::new() };
    TruthBook::new(at).say(&[said], "ben").expect("it is there");
    run(at, &KeepConfig { disk_max_gb: Some(1e-9), ..KEEP });
    assert_eq!(kept(at), [1, 2, 3]);
    assert_eq!(pictures_on_disk(at).len(), 3, "not even a disk's share takes theirs");
    assert_eq!(pins.pinned().expect("readable").len(), 2);
    pins.unpin(&[(part(1), None)], "anna", "claim settled").expect("it is there");
    assert_eq!(pins.pinned().expect("readable").iter().map(|pin| pin.part.get()).collect::<Vec<_>>(), [3]);
    run(at, &KEEP);
    assert_eq!(kept(at), [2, 3]);
}

#[test]
fn a_pin_needs_a_name_a_reason_and_a_record() {
    let folder = tempfile::tempdir().expect("temp folder");
    let at = folder.path();
    fill(at, &[(1, 0, Pass)]);
    let pins = PinBook::new(at);
    assert!(matches!(pins.pin(&[(part(1), None)], " ", "x"), Err(PinError::Unsigned)));
    assert!(matches!(pins.pin(&[(part(1), None)], "anna", ""), Err(PinError::Unsigned)));
    let error =
        pins.pin(&[(part(1), None), (part(2), None)], "anna", "x").expect_err("no part 2").to_string();
    assert!(error.contains("no record of part 2"), "{error}");
    assert!(pins.pinned().expect("readable").is_empty(), "all or none");
}

#[test]
fn above_its_share_of_the_disk_the_oldest_pictures_of_passes_go_first() {
    let folder = tempfile::tempdir().expect("temp folder");
    let at = folder.path();
    let parts: Vec<(u32, u32, RecordVerdict)> =
        (1..=40).map(|id| (id, 60 - id, if id % 4 == 0 { Fail } else { Pass })).collect();
    fill(at, &parts);
    let keep = KeepConfig {
        pass_pictures_days: Span::Forever,
        reject_pictures_days: Span::Forever,
        pass_records_days: Span::Forever,
        reject_records_days: Span::Forever,
        disk_max_gb: None,
    };
    let used = Outlook::of(at, &keep, Timestamp::now()).expect("readable").used;
    let one = used.pictures / 40;
    let max = used.total() - 10 * one - 1; // eleven pictures too many
    let swept = run(at, &KeepConfig { disk_max_gb: Some(max as f64 / 1e9), ..keep.clone() });
    let gone = swept[&KeepRule::DiskMax];
    assert!((11..=12).contains(&gone.pictures), "{gone:?} of {one} bytes each");
    let without: Vec<u32> = Reader::new(at)
        .find(&Query::default())
        .expect("readable")
        .iter()
        .filter(|record| record.pictures.is_empty())
        .map(|record| record.part_id.get())
        .collect();
    assert!(without.iter().all(|id| id % 4 != 0 && *id <= 16), "passes, the oldest: {without:?}");
    assert_eq!(kept(at).len(), 40, "records never go for it");
    // Rejects go when passes do not suffice.
    let all = KeepConfig { disk_max_gb: Some((used.database as f64) / 1e9), ..keep };
    run(at, &all);
    assert!(pictures_on_disk(at).len() <= 1, "{:?}", pictures_on_disk(at));
}

#[test]
fn a_sweep_that_was_cut_short_between_file_and_entry_is_finished_by_the_next() {
    let folder = tempfile::tempdir().expect("temp folder");
    let at = folder.path();
    fill(at, &[(1, 20, Pass), (2, 20, Pass)]);
    std::fs::remove_file(&pictures_on_disk(at)[0]).expect("ours");
    assert_eq!(run(at, &KEEP)[&KeepRule::PassPictures].pictures, 2);
    let records = Reader::new(at).find(&Query::default()).expect("readable");
    assert!(records.iter().all(|record| record.pictures.is_empty() && record.pictures_missing.len() == 1));
}

#[test]
fn records_go_on_being_written_while_thousands_are_deleted() {
    let folder = tempfile::tempdir().expect("temp folder");
    let at = folder.path();
    let ledger = Ledger::open(at, LedgerConfig::default()).expect("a ledger");
    let send = |id: u32, days: u32| {
        let mut record = Record::new(&trigger(id, days), Pass, "washer".into(), "s1");
        while let Err(full) = ledger.writer().try_send(record) {
            record = full.0;
            thread::sleep(Duration::from_millis(1));
        }
    };
    (1..=5_000).for_each(|id| send(id, 90));
    let wait = |wanted: u64| {
        let begun = Instant::now();
        while ledger.stats().committed < wanted {
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", ledger.stats());
            thread::sleep(Duration::from_millis(2));
        }
    };
    wait(5_000);
    let refused = ledger.stats().refused; // while the queue was being filled as fast as it goes
    let sweeping = {
        let at = at.to_owned();
        thread::spawn(move || run(&at, &KEEP)[&KeepRule::PassRecords].records)
    };
    let mut sent = 5_000;
    while !sweeping.is_finished() {
        sent += 1;
        send(sent, 0);
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(sweeping.join().expect("sweeps"), 5_000);
    wait(u64::from(sent));
    let stats = ledger.stats();
    assert_eq!((stats.lost, stats.refused), (0, refused), "{stats:?}");
    assert_eq!(Reader::new(at).count(&Query::default()).expect("readable"), u64::from(sent) - 5_000);
    let reader = Reader::new(at);
    assert_eq!(reader.deleted(part(1)).expect("readable").len(), 1);
}
