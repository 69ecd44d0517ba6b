//! What is left when the process is killed, or the disk is full.
//!
//! The test runs itself again as a child: `child` below, told by environment variables what to do.

use plumb_inspection::{Image, PixelFormat, Stamp, Trigger, TriggerSource};
use plumb_ledger::{Full, Ledger, LedgerConfig, PictureJob, Record, RecordVerdict};
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    fs,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

const FOLDER: &str = "PLUMB_LEDGER_CHILD_FOLDER";
const TASK: &str = "PLUMB_LEDGER_CHILD_TASK";

/// The promise: nothing older than this is lost.
const COMMIT_INTERVAL_US: u64 = 50_000;

/// For a machine that is busy with other tests and lets the ledger's thread wait for its turn. The worst seen is
/// printed; on a quiet machine it lies below the interval itself.
const SLACK_US: u64 = 50_000;

/// More parts a second than any line has, in one-ms steps.
const PACED: &str = "write 1000 a second";

/// As fast as the queue takes them: it is always full then, and what waits in it is as old as it takes to write 1 280
/// records while the sender, this test and whatever else runs want the same cores.
const FULL_SPEED: &str = "write at full speed";
const FULL_QUEUE_US: u64 = 150_000;

const TRIALS: u64 = 14;

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_micros()).expect("before the year 586 000")
}

fn start(task: &str, folder: &Path, limit: &str) -> Child {
    let me = std::env::current_exe().expect("a path");
    Command::new("sh")
        .args([
            "-c",
            &format!("{limit} exec \"$0\" child --exact --ignored --nocapture"),
            &me.display().to_string(),
        ])
        .env(FOLDER, folder)
        .env(TASK, task)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child of ourselves")
}

#[test]
fn a_process_killed_at_any_instant_loses_nothing_older_than_a_commit_interval_and_reuses_no_id() {
    let folder = tempfile::tempdir().expect("temp folder");
    let (mut given, mut worst_us, mut kept) = (HashSet::new(), [0, 0], 0);
    for trial in 0..TRIALS {
        let paced = trial % 2 == 0;
        let (task, slack_us) = if paced { (PACED, SLACK_US) } else { (FULL_SPEED, SLACK_US + FULL_QUEUE_US) };
        let mut child = start(task, folder.path(), "");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).split(b'\n');
        // Spread over instants by the golden ratio, from the first records to some hundred commits later.
        let wait_ms = 30 + (trial * 618) % 1_000;
        let mut sent = Vec::new();
        let first = lines.by_ref().find_map(|line| parse(&line.expect("readable")));
        sent.extend(first);
        let reading = thread::spawn(move || lines.filter_map(|line| parse(&line.ok()?)).collect::<Vec<_>>());
        thread::sleep(Duration::from_millis(wait_ms));
        let killed_us = now_us();
        child.kill().expect("alive");
        child.wait().expect("dead");
        sent.extend(reading.join().expect("reads"));
        assert!(!sent.is_empty(), "the child got going");
        for (part, _) in &sent {
            assert!(given.insert(*part), "part {part} was given twice");
        }
        let present = parts_in(folder.path());
        for (part, sent_us) in sent.iter().filter(|(part, _)| !present.contains(part)) {
            let age_us = killed_us.saturating_sub(*sent_us);
            let worst_us = &mut worst_us[usize::from(!paced)];
            *worst_us = age_us.max(*worst_us);
            assert!(
                age_us < COMMIT_INTERVAL_US + slack_us,
                "part {part} is lost, {age_us} µs after it was sent"
            );
        }
        kept = present.len();
    }
    check_database(folder.path());
    let [paced_us, full_us] = worst_us;
    assert!(kept * 2 > given.len(), "most were sent long before the kill: {kept} of {}", given.len());
    println!("{TRIALS} kills, {} parts sent, {kept} kept", given.len());
    println!("the oldest lost was {paced_us} µs old at 1000 parts/s, {full_us} µs with a full queue");
}

/// `part time` as the child prints it; the test harness talks in between, and a kill may cut a line in two.
fn parse(line: &[u8]) -> Option<(u32, u64)> {
    let line = std::str::from_utf8(line).ok()?.strip_prefix("sent ")?.strip_suffix(" .")?;
    let (part, us) = line.split_once(' ')?;
    Some((part.parse().ok()?, us.parse().ok()?))
}

/// Opens the ledger as a restarted station would, and reads which parts it knows.
fn parts_in(folder: &Path) -> HashSet<u32> {
    let ledger = Ledger::open(folder, LedgerConfig::default()).expect("opens clean after a kill");
    let database = rusqlite::Connection::open(folder.join("ledger.sqlite")).expect("the database");
    let mut statement = database.prepare("SELECT part_id FROM records").expect("valid SQL");
    let parts: Vec<u32> =
        statement.query_map([], |row| row.get(0)).and_then(|rows| rows.collect()).expect("readable");
    if let Some(last) = ledger.reader().last_part().expect("readable") {
        let record = ledger.reader().get(last).expect("a whole record").expect("there");
        assert_eq!(record.part_id, last);
    }
    let once: HashSet<u32> = parts.iter().copied().collect();
    assert_eq!(once.len(), parts.len(), "no record is there twice");
    once
}

fn check_database(folder: &Path) {
    let database = rusqlite::Connection::open(folder.join("ledger.sqlite")).expect("the database");
    let check: String =
        database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("the check runs");
    assert_eq!(check, "ok");
    let mut statement =
        database.prepare("SELECT path, sha256 FROM pictures WHERE path NOT NULL").expect("valid SQL");
    let pictures: Vec<(String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(|rows| rows.collect())
        .expect("readable");
    assert!(!pictures.is_empty());
    for (path, sha256) in pictures {
        let file = fs::read(folder.join(&path)).expect("a picture in the ledger is on disk");
        let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, sha256, "{path}");
    }
}

#[test]
fn a_disk_that_is_full_for_a_while_loses_no_accepted_record() {
    let folder = tempfile::tempdir().expect("temp folder");
    // No file may grow beyond 500 KiB or so, and the signal that says so is ignored: writes fail, as on a full disk.
    let mut child = start("full disk", folder.path(), "trap '' XFSZ; ulimit -S -f 1000;");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let said: Vec<String> = lines.map(|line| line.expect("text")).collect();
    assert!(child.wait().expect("ends").success(), "{said:#?}");
    let accepted: usize = said
        .iter()
        .find_map(|line| line.strip_prefix("accepted ")?.parse().ok())
        .unwrap_or_else(|| panic!("the child says how many: {said:#?}"));
    assert_eq!(parts_in(folder.path()).len(), accepted);
}

/// Not a test of its own: what the others run in a process that they may kill.
#[test]
#[ignore = "run by the other tests in a process of its own"]
fn child() {
    let (Ok(folder), Ok(task)) = (std::env::var(FOLDER), std::env::var(TASK)) else { return };
    let ledger = Ledger::open(Path::new(&folder), LedgerConfig::default()).expect("a ledger");
    match task.as_str() {
        PACED => write(&ledger, Duration::from_millis(1)),
        FULL_SPEED => write(&ledger, Duration::ZERO),
        _ => write_to_a_full_disk(ledger),
    }
}

fn next_record(ledger: &Ledger) -> (Trigger, Record) {
    let trigger = Trigger {
        part: ledger.numbers().next(),
        source: TriggerSource::Plc,
        at: Stamp::now(),
        encoder: Some(1),
    };
    let record = Record::new(&trigger, RecordVerdict::Pass, "washer".into(), "s1");
    (trigger, record)
}

fn write(ledger: &Ledger, pace: Duration) {
    let image = Image::packed(64, 64, PixelFormat::Gray8, vec![99; 64 * 64]).expect("packed");
    let mut out = std::io::stdout().lock();
    for n in 0_u64.. {
        let (trigger, mut record) = next_record(ledger);
        while let Err(Full(back)) = ledger.writer().try_send(record) {
            record = back;
            thread::yield_now();
        }
        let sent_us = now_us();
        if n % 50 == 0 {
            let _ = ledger.pictures().try_send(PictureJob::frame(&trigger, "top".into(), image.clone()));
        }
        writeln!(out, "sent {} {sent_us} .", trigger.part)
            .and_then(|()| out.flush())
            .expect("the parent listens");
        if !pace.is_zero() {
            thread::sleep(pace);
        }
    }
}

fn write_to_a_full_disk(ledger: Ledger) {
    let mut accepted = 0;
    // Until the queue is full as well.
    let mut waiting = next_record(&ledger).1;
    loop {
        match ledger.writer().try_send(waiting) {
            Ok(()) => accepted += 1,
            Err(Full(_)) if ledger.stats().write_errors > 0 => break,
            Err(Full(_)) => thread::sleep(Duration::from_millis(1)),
        }
        waiting = next_record(&ledger).1;
    }
    let stuck = ledger.stats();
    assert!(stuck.failing && stuck.committed > 0 && stuck.committed < accepted, "{stuck:?}");
    let me = format!("--pid={}", std::process::id());
    let freed = Command::new("prlimit").args([&me, "--fsize=unlimited:"]).status().expect("util-linux");
    assert!(freed.success(), "somebody made room");
    ledger.close().expect("everything fits now");
    writeln!(std::io::stdout(), "\naccepted {accepted}").expect("the parent listens");
}
