//! A backup taken while the station writes, the way back, and what is refused.

use plumb_inspection::{Image, PartId, PixelFormat, Stamp, Trigger, TriggerSource};
use plumb_ledger::{
    Backup, BackupError, Checked, Full, Ledger, LedgerConfig, LedgerError, PeopleBook, PictureJob, Query,
    Reader, Record, RecordVerdict, Role, User,
};
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

fn open(folder: &Path) -> Ledger {
    Ledger::open(folder, LedgerConfig::default()).expect("a ledger")
}

fn send(ledger: &Ledger, with_picture: bool) -> PartId {
    let trigger = Trigger {
        part: ledger.numbers().next(),
        source: TriggerSource::Api,
        at: Stamp::now(),
        encoder: None,
    };
    let mut record = Record::new(&trigger, RecordVerdict::Fail, "washer".into(), "s1");
    while let Err(Full(back)) = ledger.writer().try_send(record) {
        record = back;
        thread::sleep(Duration::from_millis(1));
    }
    if with_picture {
        let image = Image::packed(16, 16, PixelFormat::Gray8, vec![trigger.part.get() as u8; 256]);
        let mut job = PictureJob::frame(&trigger, "top".into(), image.expect("packed"));
        while let Err(Full(back)) = ledger.pictures().try_send(job) {
            job = back;
            thread::sleep(Duration::from_millis(1));
        }
    }
    trigger.part
}

fn filled(folder: &Path, parts: u32) {
    let ledger = open(folder);
    for _ in 0..parts {
        send(&ledger, true);
    }
    ledger.close().expect("a good disk");
}

fn count(folder: &Path) -> u64 {
    Reader::new(folder).count(&Query::default()).expect("readable")
}

#[test]
fn a_backup_taken_while_records_are_written_is_whole_and_comes_back_with_pictures_people_and_fresh_ids() {
    let folder = tempfile::tempdir().expect("temp folder");
    let (data, to, back) =
        (folder.path().join("data"), folder.path().join("backup"), folder.path().join("back"));
    let ledger = open(&data);
    let anna = User {
        name: "anna".into(),
        role: Role::Quality,
        password: String::new(),
        must_change: false,
        active: true,
        since: jiff::Timestamp::UNIX_EPOCH,
    };
    PeopleBook::new(&data).add(&anna).expect("a new user");
    for _ in 0..50 {
        send(&ledger, true);
    }
    let stop = AtomicBool::new(false);
    let (before, backup, after, last) = thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut last = PartId::FIRST;
            for n in 0.. {
                last = send(&ledger, n % 7 == 0);
                if stop.load(Relaxed) {
                    break;
                }
            }
            last
        });
        thread::sleep(Duration::from_millis(300));
        let before = ledger.stats().committed;
        let backup = Backup::take(&data, &to).expect("room");
        let after = ledger.stats().committed;
        stop.store(true, Relaxed);
        (before, backup, after, writing.join().expect("writes"))
    });
    assert!(after > before, "records went on being written: {before} before, {after} after");
    assert!((before..=after).contains(&backup.records), "{before} <= {} <= {after}", backup.records);
    assert!(backup.pictures >= 50 && backup.pictures_missing == 0, "{backup:?}");
    assert_eq!(ledger.stats().lost, 0);
    ledger.close().expect("a good disk");
    assert_eq!(Backup::last(&data).expect("readable"), Some(backup.at));
    assert_eq!(Backup::read(&to).expect("whole"), backup);

    let restored = Backup::restore(&to, &back).expect("an empty folder");
    assert_eq!(restored, backup);
    let checked = Checked::of(&back, true).expect("readable");
    assert_eq!((checked.records, checked.problems), (backup.records, vec![]));
    assert_eq!(count(&back), backup.records);
    assert!(PeopleBook::new(&back).users().expect("readable").iter().any(|user| user.name == "anna"));
    let ledger = open(&back);
    assert!(ledger.numbers().next() > last, "no id of after the backup is given again");
    let part = send(&ledger, true);
    ledger.close().expect("a good disk");
    assert!(Reader::new(&back).get(part).expect("readable").is_some(), "and it goes on");
}

#[test]
fn a_second_backup_into_the_same_folder_brings_it_up_to_date() {
    let folder = tempfile::tempdir().expect("temp folder");
    let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
    filled(&data, 3);
    let first = Backup::take(&data, &to).expect("room");
    filled(&data, 2);
    let second = Backup::take(&data, &to).expect("room");
    assert_eq!((first.records, second.records, second.pictures), (3, 5, 5));
    assert_eq!(Backup::read(&to).expect("whole"), second);
}

#[test]
fn half_a_backup_is_refused_and_says_what_is_missing() {
    let folder = tempfile::tempdir().expect("temp folder");
    let data = folder.path().join("data");
    filled(&data, 20);
    let broken = |name: &str, break_it: &dyn Fn(&Path)| {
        let to = folder.path().join(name);
        Backup::take(&data, &to).expect("room");
        break_it(&to);
        let error = Backup::restore(&to, &folder.path().join("back")).expect_err(name);
        assert!(matches!(error, BackupError::Half { .. }), "{name}: {error}");
        assert!(!folder.path().join("back/ledger.sqlite").exists(), "{name}: nothing is half restored");
        let says = error.to_string();
        assert!(says.contains("half a backup") && says.contains("take an earlier or a new one"), "{says}");
        says
    };
    let cut = |to: &Path| {
        let file = fs::File::options().write(true).open(to.join("ledger.sqlite")).expect("there");
        let half = file.metadata().expect("a size").len() / 2;
        file.set_len(half).expect("shorter");
    };
    assert!(broken("half a database", &cut).contains("ledger.sqlite has"));
    let junk = |to: &Path| {
        let path = to.join("ledger.sqlite");
        let mut bytes = fs::read(&path).expect("there");
        let middle = bytes.len() / 2;
        bytes[middle..middle + 64].fill(0xAA);
        fs::write(&path, bytes).expect("room");
    };
    assert!(broken("another database", &junk).contains("is not the file that was written"));
    let no_end = |to: &Path| fs::remove_file(to.join("backup.json")).expect("there");
    assert!(broken("cut short", &no_end).contains("backup.json is missing, which is written last"));
    let torn = |to: &Path| fs::write(to.join("backup.json"), "{\"schema\": \"plumb").expect("room");
    assert!(broken("a torn account", &torn).contains("backup.json does not read"));
    let no_database = |to: &Path| fs::remove_file(to.join("ledger.sqlite")).expect("there");
    assert!(broken("no database", &no_database).contains("ledger.sqlite is missing"));
    let no_picture = |to: &Path| {
        let day = fs::read_dir(to.join("pictures")).expect("days").flatten().next().expect("a day").path();
        fs::remove_file(fs::read_dir(day).expect("files").flatten().next().expect("a file").path())
            .expect("ours");
    };
    assert!(broken("a picture less", &no_picture).contains("1 of its 20 pictures are missing"));
}

#[test]
fn what_would_overwrite_something_is_refused() {
    let folder = tempfile::tempdir().expect("temp folder");
    let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
    filled(&data, 1);
    Backup::take(&data, &to).expect("room");
    let error = Backup::restore(&to, &data).expect_err("a ledger is there").to_string();
    assert!(error.contains("holds a ledger already") && error.contains("move it away first"), "{error}");
    fs::create_dir(folder.path().join("home")).expect("room");
    fs::write(folder.path().join("home/letter.txt"), "mine").expect("room");
    let error = Backup::take(&data, &folder.path().join("home")).expect_err("not empty").to_string();
    assert!(error.contains("holds other things than a backup"), "{error}");
    let error = Backup::take(&data, &data.join("backup")).expect_err("inside").to_string();
    assert!(error.contains("belongs on another disk"), "{error}");
    let error = Backup::take(&folder.path().join("nowhere"), &to).expect_err("no ledger").to_string();
    assert!(error.contains("there is no ledger"), "{error}");
    // A station that holds the folder is in the way of restoring into it.
    let held = folder.path().join("held");
    let ledger = open(&held);
    fs::rename(held.join("ledger.sqlite"), held.join("moved")).expect("moved away under it");
    let error = Backup::restore(&to, &held).expect_err("in use");
    assert!(matches!(error, BackupError::Ledger(LedgerError::InUse { .. })), "{error}");
    drop(ledger);
}

#[test]
fn a_whole_ledger_has_no_problems_and_each_damage_is_told() {
    let folder = tempfile::tempdir().expect("temp folder");
    let data = folder.path();
    filled(data, 400);
    let whole = Checked::of(data, true).expect("readable");
    assert_eq!((whole.records, whole.pictures, whole.problems), (400, 400, vec![]));
    let record = Reader::new(data).find(&Query::default()).expect("readable").remove(0);
    let picture = data.join(&record.pictures[0].path);
    let kept = fs::read(&picture).expect("there");
    let mut other = kept.clone();
    other[100] ^= 1;
    fs::write(&picture, &other).expect("room");
    assert_eq!(
        Checked::of(data, false).expect("readable").problems,
        Vec::<String>::new(),
        "size and name are right"
    );
    let problems = Checked::of(data, true).expect("readable").problems;
    assert!(matches!(&problems[..], [one] if one.contains("another digest")), "{problems:?}");
    fs::remove_file(&picture).expect("ours");
    let problems = Checked::of(data, false).expect("readable").problems;
    let name = format!("of part {} is not there", record.part_id);
    assert!(matches!(&problems[..], [one] if one.contains(&name)), "{problems:?}");
    fs::write(&picture, &kept).expect("room");
    let stranger = picture.with_file_name("stranger.jpg");
    fs::write(&stranger, "x").expect("room");
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    fs::File::options()
        .write(true)
        .open(&stranger)
        .and_then(|file| file.set_modified(long_ago))
        .expect("a time");
    let problems = Checked::of(data, false).expect("readable").problems;
    assert!(matches!(&problems[..], [one] if one.contains("stranger.jpg is in no entry")), "{problems:?}");
}

#[test]
fn corrupted_pages_are_found_and_it_is_said_what_to_do() {
    let folder = tempfile::tempdir().expect("temp folder");
    let data = folder.path();
    filled(data, 400);
    let path = data.join("ledger.sqlite");
    rusqlite::Connection::open(&path)
        .and_then(|connection| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))
        .expect("one file");
    let mut bytes = fs::read(&path).expect("there");
    let end = bytes.len() - 40 * 4096;
    bytes[8 * 4096..end].chunks_mut(4096).step_by(3).for_each(|page| page[..2048].fill(0x5A));
    fs::write(&path, bytes).expect("room");
    match Checked::of(data, false) {
        Ok(checked) => {
            let told = checked.problems.join("\n");
            assert!(told.contains("is damaged") && told.contains("restore the last backup"), "{told}");
        }
        Err(error) => {
            assert!(error.to_string().contains("is damaged or not a database"), "{error}");
        }
    }
    let error =
        Backup::take(data, &data.with_extension("backup")).expect_err("no backup of a damaged ledger");
    assert!(error.to_string().contains("damaged"), "{error}");
    let _ = fs::remove_dir_all(data.with_extension("backup"));
}
