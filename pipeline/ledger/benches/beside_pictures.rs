//! Records a second beside pictures at 100 MB/s, or as many as the disk takes: the ledger's own pictures, and as many
//! finished files again as are missing to the 100. Beside it, in the same run: `dd` on the same disk, and records alone.
//!
//! `cargo bench -p plumb-ledger --bench beside_pictures` prints one JSON line. PLUMB_BENCH_SECONDS (10) a round,
//! PLUMB_BENCH_ROUNDS (3); PLUMB_BENCH_FOLDER says on which disk.

#![allow(clippy::print_stdout, missing_docs)]

use plumb_inspection::{Finding, Findings, Image, PixelFormat, RectPx, Score, Stamp, Trigger, TriggerSource};
use plumb_ledger::{Full, Ledger, LedgerConfig, ModelRecord, PictureJob, Record, RecordVerdict, ViewRecord};
use serde_json::json;
use std::{
    error::Error,
    fs::{self, File},
    io::Write,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What pictures are to take of the disk, in bytes a second.
const WANTED: f64 = 100e6;
/// A finished picture, in bytes.
const PICTURE: usize = 500_000;

fn main() -> Outcome<()> {
    let number = |name: &str, other: u64| std::env::var(name).map_or(Ok(other), |text| text.parse());
    let time = Duration::from_secs(number("PLUMB_BENCH_SECONDS", 10)?.max(2));
    let rounds = number("PLUMB_BENCH_ROUNDS", 3)?.max(1);
    let folder = match std::env::var_os("PLUMB_BENCH_FOLDER") {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let (mut alone, mut beside, mut disks, mut written) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let at = folder.path().join(round.to_string());
        disks.push(dd(folder.path())?);
        alone.push(run(&at.join("alone"), time, false)?.0);
        let (records, bytes) = run(&at.join("beside"), time, true)?;
        beside.push(records);
        written.push(bytes);
        fs::remove_dir_all(&at)?;
    }
    let line = json!({
        "figure": "ledger_beside_pictures",
        "records_a_second": range(&beside),
        "records_a_second_alone": range(&alone),
        "picture_mb_a_second": range(&written),
        "dd_mb_a_second": range(&disks),
        "pictures_to_dd": two(median(&written) / median(&disks)),
        "rounds": rounds,
        "load": fs::read_to_string("/proc/loadavg")?.split(' ').next(),
    });
    println!("{line}");
    Ok(())
}

/// MB/s of zeros until the disk has them.
fn dd(folder: &Path) -> Outcome<f64> {
    let (path, megabytes) = (folder.join("dd"), 512);
    let begun = Instant::now();
    let status = Command::new("dd")
        .args(["if=/dev/zero", "bs=1M", "conv=fdatasync", "status=none"])
        .arg(format!("count={megabytes}"))
        .arg(format!("of={}", path.display()))
        .status()?;
    let took = begun.elapsed().as_secs_f64();
    fs::remove_file(&path)?;
    if status.success() { Ok(f64::from(megabytes) * 1.048_576 / took) } else { Err("dd failed".into()) }
}

/// Records a second, and MB of pictures a second that the disk has.
fn run(folder: &Path, time: Duration, pictures: bool) -> Outcome<(f64, f64)> {
    let ledger = Ledger::open(folder, LedgerConfig::default())?;
    let (stop, bytes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let files = folder.join("finished");
    fs::create_dir_all(&files)?;
    let begun = Instant::now();
    let filling = pictures.then(|| {
        let (stop, bytes) = (stop.clone(), bytes.clone());
        thread::spawn(move || fill(&files, begun, &stop, &bytes))
    });
    let image = noise()?;
    while begun.elapsed() < time {
        // Sixty at a time, as a queue sees them; then the processor is the others'.
        for _ in 0..60 {
            let trigger = Trigger {
                part: ledger.numbers().next(),
                source: TriggerSource::Plc,
                at: Stamp::now(),
                encoder: Some(1),
            };
            let mut record = Record::new(&trigger, RecordVerdict::Fail, "washer".into(), "station-1");
            record.views = vec![ViewRecord::new("top".into(), 1, three_findings()?)];
            record.models =
                vec![ModelRecord { name: "m".into(), digest: "ab".repeat(32), provider: "cpu".into() }];
            while let Err(Full(back)) = ledger.writer().try_send(record) {
                record = back;
                thread::sleep(Duration::from_micros(500));
            }
            if pictures && trigger.part.get().is_multiple_of(400) {
                // Dropped where the queue is full, as on the line.
                let _ = ledger.pictures().try_send(PictureJob::frame(&trigger, "top".into(), image.clone()));
            }
        }
    }
    let rate = ledger.stats().committed as f64 / begun.elapsed().as_secs_f64();
    stop.store(true, Relaxed);
    if let Some(filling) = filling {
        filling.join().map_err(|_| "the filler panicked")??;
    }
    let took = begun.elapsed().as_secs_f64();
    let lost = ledger.stats().lost;
    ledger.close()?;
    let own = size(&folder.join("pictures"));
    if lost > 0 {
        return Err(format!("{lost} records were lost").into());
    }
    Ok((rate, (bytes.load(Relaxed) + own) as f64 / 1e6 / took))
}

/// Finished pictures, at the wanted pace, each until the disk has it: what is in memory alone was not written.
fn fill(folder: &Path, begun: Instant, stop: &AtomicBool, bytes: &AtomicU64) -> std::io::Result<()> {
    let picture: Vec<u8> = (0..PICTURE as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut number = 0_u64;
    while !stop.load(Relaxed) {
        if bytes.load(Relaxed) as f64 > WANTED * begun.elapsed().as_secs_f64() {
            thread::sleep(Duration::from_millis(2));
            continue;
        }
        // Kept small: the same hundred names again and again.
        let mut file = File::create(folder.join(format!("{}.jpg", number % 100)))?;
        file.write_all(&picture)?;
        if number.is_multiple_of(20) {
            file.sync_data()?;
        }
        number += 1;
        bytes.fetch_add(PICTURE as u64, Relaxed);
    }
    Ok(())
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => self::size(&entry.path()),
        about => about.map_or(0, |about| about.len()),
    };
    entries.map(size).sum()
}

fn noise() -> Outcome<Image> {
    let pixels = (0..640 * 480_u32).map(|i| (i.wrapping_mul(2_246_822_519) >> 23) as u8).collect();
    Ok(Image::packed(640, 480, PixelFormat::Gray8, pixels)?)
}

fn three_findings() -> Outcome<Findings> {
    let finding = Finding {
        class: "scratch".into(),
        score: Score::new(0.93)?,
        box_px: RectPx::from([100.0, 200.0, 30.0, 4.5]),
        polygon_px: None,
        keypoints_px: None,
        area_px: 120.0,
        length_mm: Some(1.5),
        area_mm2: Some(0.5),
        region: "face".into(),
        model: "surface".into(),
    };
    Ok(Findings { list: vec![finding; 3], ..Findings::default() })
}

fn two(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Median, least, most.
fn range(values: &[f64]) -> [f64; 3] {
    let least = values.iter().copied().fold(f64::MAX, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    [median(values), least, most].map(f64::round)
}
