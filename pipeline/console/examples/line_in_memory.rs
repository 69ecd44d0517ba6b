//! The console without a station: parts of the built-in line, judged by what the line knows of them, so that pages can be
//! looked at and worked on in seconds.
//!
//! ```text
//! cargo run -p plumb-console --example line_in_memory -- [--listen 127.0.0.1:8081] [--data FOLDER] [--rate PARTS_A_MINUTE]
//!     [--empty] [--state STATE] [--known PARTS] [--challenge due|under_way|failed|passed]
//! ```
//!
//! `--empty` has no part come; `--state` one of the five states; `--known` fills the ledger with so many parts of which is known
//! what they were, without pictures, before the line starts.
//! `--challenge` shows known parts, as far as they have come.
//! Commands on stdin: `cut` and `mend` the camera, as somebody pulling its plug would.

#[path = "../tests/visitor/recipe_file.rs"]
mod recipe_file;
#[path = "../tests/visitor/shelf.rs"]
mod shelf;

use jiff::Timestamp;
use plumb_console::{
    ChallengeEnd, ChallengeSeen, ChallengeStand, Condition, Console, ConsoleConfig, Done, HealthItem, Kind,
    KnownPartSeen, Latency, LivePicture, Order, PartSeen, RecipeSeen, Refused, Seen, ShiftCount, Snapshot,
    StationState, Watchers,
};
use plumb_inspection::{Finding, Findings, Frame, PartId, Score, Stamp, Trigger, TriggerSource};
use plumb_ledger::{
    Ledger, LedgerConfig, ModelRecord, PictureJob, PlcRecord, Record, RecordVerdict, Said, Truth, TruthBook,
    ViewRecord,
};
use plumb_line::{Line, LineConfig};
use plumb_verdict::Reason;
use recipe_file::RecipeFile;
use std::{
    io::{BufRead, Write},
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::{mpsc, watch};

type Failure = Box<dyn std::error::Error>;

struct Wish {
    listen: SocketAddr,
    data: PathBuf,
    rate: f64,
    empty: bool,
    state: StationState,
    known: u32,
    challenge: Option<String>,
}

fn wish() -> Result<(Wish, Option<tempfile::TempDir>), Failure> {
    let temporary = tempfile::tempdir()?;
    let mut wish = Wish {
        listen: "127.0.0.1:8081".parse()?,
        data: temporary.path().to_owned(),
        rate: 60.0,
        empty: false,
        state: StationState::Running,
        known: 0,
        challenge: None,
    };
    let mut kept = Some(temporary);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} takes a value"));
        match word.as_str() {
            "--listen" => wish.listen = value()?.parse()?,
            "--data" => (wish.data, kept) = (value()?.into(), None),
            "--rate" => wish.rate = value()?.parse()?,
            "--known" => wish.known = value()?.parse()?,
            "--challenge" => wish.challenge = Some(value()?),
            "--empty" => wish.empty = true,
            "--state" => {
                let told = value()?;
                let all = [
                    StationState::NotReleased,
                    StationState::Running,
                    StationState::Degraded,
                    StationState::Stopped,
                    StationState::Fault,
                ];
                let known = all.into_iter().find(|state| state.as_str() == told);
                wish.state = known.ok_or_else(|| format!("{told:?} is none of the five states"))?;
            }
            _ => return Err(format!("{word:?} is not known; see the head of this example").into()),
        }
    }
    Ok((wish, kept))
}

fn main() -> Result<(), Failure> {
    let (wish, _kept) = wish()?;
    let ledger = Ledger::open(&wish.data, LedgerConfig { keep_pass_share: 1.0, ..LedgerConfig::default() })?;
    let rules = Arc::new(RecipeFile::new(&wish.data, Duration::from_secs(5)));
    fill(&wish, &ledger, &rules)?;
    let watchers = Watchers::default();
    let (snapshots, snapshot) = watch::channel(Arc::new(snapshot(&wish)));
    let (pictures, live) = watch::channel(None);
    let (orders, mut ordered) = mpsc::channel::<Order>(8);
    let seen = Seen {
        snapshot,
        live,
        watchers: watchers.clone(),
        ledger: wish.data.clone(),
        orders,
        rules: rules.clone(),
        models: Arc::new(shelf::Shelf),
        calibrations: Arc::new(shelf::Shelf),
    };
    let config = ConsoleConfig { open_live_view: true, ..ConsoleConfig::default() };
    let setup = Console::open(seen, config);
    let say = |line: String| drop(writeln!(std::io::stderr(), "{line}"));
    say(format!("console http://{}/", wish.listen));
    if let Some(password) = &setup.first_password {
        say(format!("log in as admin with {password}"));
    }
    let cut = Arc::new(AtomicBool::new(false));
    let camera = cut.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            camera.store(line.trim() == "cut", Relaxed);
        }
    });
    let listen = wish.listen;
    std::thread::spawn(move || {
        if let Err(error) = run(&wish, &ledger, (&rules, &watchers, &cut), (&snapshots, &pictures)) {
            drop(writeln!(std::io::stderr(), "the line ended: {error}"));
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::spawn(setup.console.clone().watch_audit_log());
        tokio::spawn(async move {
            while let Some(Order { command, answer, .. }) = ordered.recv().await {
                let done = Done { says: format!("{} is done", command.name()), from_part: None };
                let refused = Refused("there is no such recipe here".into());
                let is_known =
                    !matches!(&command, plumb_console::Command::LoadRecipe { recipe } if recipe != "washer");
                drop(answer.send(if is_known { Ok(done) } else { Err(refused) }));
            }
        });
        let listener = tokio::net::TcpListener::bind(listen).await?;
        let service = setup.console.router().into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await
    })?;
    Ok(())
}

/// Parts pass, are pictured and judged, for ever.
fn run(
    wish: &Wish,
    ledger: &Ledger,
    (rules, watchers, cut): (&RecipeFile, &Watchers, &AtomicBool),
    (snapshots, pictures): (&watch::Sender<Arc<Snapshot>>, &watch::Sender<Option<Arc<LivePicture>>>),
) -> Result<(), Failure> {
    let config = LineConfig { parts_per_minute: wish.rate, defect_share: 0.15, ..LineConfig::default() };
    let line = Line::new(config, Instant::now())?;
    let numbers = ledger.numbers();
    let mut known = Vec::new();
    let mut last_beat = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(5));
        if last_beat.elapsed() > Duration::from_millis(500) {
            last_beat = Instant::now();
            let is_cut = cut.load(Relaxed);
            snapshots.send_modify(|snapshot| {
                let mut now = (**snapshot).clone();
                now.at = Timestamp::now();
                tell_camera(&mut now, wish.state, is_cut);
                *snapshot = Arc::new(now);
            });
        }
        if wish.empty {
            continue;
        }
        for edge in line.photo_eye_edges(Instant::now()) {
            std::thread::sleep(Duration::from_millis(4));
            let is_cut = cut.load(Relaxed);
            let part = numbers.next();
            let (record, frame, truth) = judge(&line, rules, (part, edge.index), is_cut);
            if let Some(frame) = &frame {
                let job = PictureJob {
                    part,
                    triggered_at: record.triggered_at,
                    camera: frame.camera.clone(),
                    kind: "frame".into(),
                    image: frame.image.clone(),
                };
                drop(ledger.pictures().try_send(job));
                if watchers.any() {
                    let findings = record.views.iter().flat_map(|view| &view.findings);
                    let picture = LivePicture::encode(frame, (part, record.verdict), findings, 1280)?;
                    pictures.send_replace(Some(Arc::new(picture)));
                }
            }
            snapshots.send_modify(|snapshot| {
                let mut now = (**snapshot).clone();
                let says = record.reasons.first().map(|reason| reason.says.clone()).unwrap_or_default();
                now.last.insert(0, PartSeen { part, at: record.triggered_at, verdict: record.verdict, says });
                now.last.truncate(12);
                now.shift.count(record.verdict);
                now.latency = Some(Latency { p50_ms: 8.3, p99_ms: 10.4, parts: now.shift.parts().min(1000) });
                tell_camera(&mut now, wish.state, is_cut);
                *snapshot = Arc::new(now);
            });
            let triggered_at = Some(record.triggered_at);
            drop(ledger.writer().try_send(record));
            // Somebody at the end of the line looks at most parts, a few at a time; the others wait for a review.
            if !part.get().is_multiple_of(5) {
                known.push(Said { part, triggered_at, truth, why: "end of the line".into() });
            }
            if known.len() > 20 {
                let words: Vec<Said> = known.drain(..15).collect();
                TruthBook::new(&wish.data).say(&words, "end of line")?;
            }
        }
    }
}

/// What a station would say whose models see what the line knows, and are as sure of it as models are.
fn judge(
    line: &Line,
    rules: &RecipeFile,
    (part, index): (PartId, u64),
    is_cut: bool,
) -> (Record, Option<Frame>, Truth) {
    let at = Stamp { mono: Instant::now(), wall: SystemTime::now() };
    let trigger = Trigger { part, source: TriggerSource::Plc, at, encoder: Some(line.encoder(at.mono)) };
    let exposure = line.expose(at.mono);
    let truth = line.truth_of(exposure.part_in_view.unwrap_or(index));
    let known = if truth.good { Truth::Good } else { Truth::Defective };
    let mut record = Record::new(&trigger, RecordVerdict::Missed, "washer".into(), "line 1, station 3");
    record.serial = index.is_multiple_of(3).then(|| format!("W-{index:06}"));
    record.timings_us = serde_json::from_str(
        r#"{"capture":2400,"preprocess":900,"infer":3900,"verdict":120,"plc":1300,"total":8620}"#,
    )
    .unwrap_or_default();
    record.models =
        vec![ModelRecord { name: "line-parts".into(), digest: "b07c1d".repeat(10), provider: "cpu".into() }];
    record.plc = Some(PlcRecord { delivered: true });
    if is_cut {
        record.reason_code = 101;
        let says = "camera \"top\" gave no picture before the deadline".to_owned();
        record.reasons = vec![Reason { rule: "camera".into(), region: "part".into(), says }];
        return (record, None, known);
    }
    let finding = |defect: &plumb_line::Defect| Finding {
        class: defect.kind.name().into(),
        score: Score::new(0.5 + 0.05 * (index % 10) as f32).expect("a finite number"),
        box_px: defect.box_px,
        polygon_px: None,
        keypoints_px: None,
        area_px: defect.box_px.w * defect.box_px.h,
        length_mm: None,
        area_mm2: None,
        region: "part".into(),
        model: "line-parts".into(),
    };
    let list: Vec<Finding> = truth.defects.iter().map(finding).collect();
    let findings = sure_of(known, index, list);
    let (verdict, digest) = rules.judge(part, &[("top".into(), &findings)]);
    record.recipe_digest = digest;
    record.verdict = if index % 97 == 96 { RecordVerdict::Late } else { verdict.decision.into() };
    record.reason_code = u16::from(record.verdict != RecordVerdict::Pass);
    record.reasons = verdict.reasons;
    let frame = Frame {
        camera: "top".into(),
        seq: exposure.frame_id,
        camera_frame_id: None,
        at,
        image: exposure.image,
    };
    record.views.push(ViewRecord::new("top".into(), frame.seq, findings));
    (record, Some(frame), known)
}

/// Good parts score about 0.35, defective ones about 0.75, and some of either where the other kind is.
fn sure_of(truth: Truth, index: u64, list: Vec<Finding>) -> Findings {
    let noise = |seed: u64| (index.wrapping_mul(seed) >> 7) % 1000;
    let noise = (noise(0x9E37_79B9_7F4A_7C15) + noise(0xC2B2_AE3D_27D4_EB4F)) as f32 / 2000.0;
    let score = if truth == Truth::Good { 0.1 + 0.55 * noise } else { 0.5 + 0.48 * noise };
    let score = Score::new(score).expect("a finite number");
    Findings { list, scores: vec![("line-parts".into(), "part".into(), score)], ..Findings::default() }
}

/// Parts of before, one in fifty of them defective.
fn fill(wish: &Wish, ledger: &Ledger, rules: &RecipeFile) -> Result<(), Failure> {
    let mut words = Vec::with_capacity(wish.known as usize);
    let begin = SystemTime::now() - Duration::from_secs(u64::from(wish.known) + 60);
    let numbers = ledger.numbers();
    for n in 0..wish.known {
        let truth = if n % 50 == 0 { Truth::Defective } else { Truth::Good };
        let at = Stamp { mono: Instant::now(), wall: begin + Duration::from_secs(n.into()) };
        let trigger = Trigger { part: numbers.next(), source: TriggerSource::Plc, at, encoder: None };
        let findings = sure_of(truth, n.into(), vec![]);
        let (verdict, digest) = rules.judge(trigger.part, &[("top".into(), &findings)]);
        let mut record = Record::new(&trigger, verdict.decision.into(), "washer".into(), "line 1, station 3");
        (record.recipe_digest, record.reasons) = (digest, verdict.reasons);
        record.views.push(ViewRecord::new("top".into(), n.into(), findings));
        let triggered_at = Some(record.triggered_at);
        words.push(Said { part: trigger.part, triggered_at, truth, why: "from before".into() });
        while let Err(plumb_ledger::Full(back)) = ledger.writer().try_send(record) {
            std::thread::sleep(Duration::from_millis(1));
            record = back;
        }
    }
    while ledger.stats().queue_depth > 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(500)); // the last commit
    if !words.is_empty() {
        TruthBook::new(&wish.data).say(&words, "from before")?;
    }
    Ok(())
}

fn tell_camera(now: &mut Snapshot, state: StationState, is_cut: bool) {
    let says = "camera top is unplugged; it is sought again every second".to_owned();
    now.state = if is_cut && state == StationState::Running { StationState::Degraded } else { state };
    now.reasons.clear();
    if is_cut {
        now.reasons.push(says.clone());
    }
    if !state.judges() {
        now.reasons.push(
            "recipe \"washer\" names models that nobody has approved: \"line-parts\" b07c1db07c1d".into(),
        );
    }
    let condition = if is_cut { Condition::Bad } else { Condition::Good };
    for item in now.health.iter_mut().filter(|item| item.kind == Kind::Camera) {
        if item.condition != condition {
            (item.condition, item.since) = (condition, Timestamp::now());
            item.says = if is_cut { says.clone() } else { "gives pictures".into() };
        }
    }
}

fn snapshot(wish: &Wish) -> Snapshot {
    let now = Timestamp::now();
    let item = |kind, name: &str, condition, says: &str| HealthItem {
        kind,
        name: name.into(),
        condition,
        says: says.into(),
        since: now,
    };
    Snapshot {
        at: now,
        station: "line 1, station 3".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        state: wish.state,
        reasons: vec![],
        recipe: RecipeSeen {
            name: "washer".into(),
            number: 1,
            digest: "3f9a60d2c41be58a".repeat(4),
            edition: 1,
            deadline_ms: 60,
        },
        recipes: vec!["washer".into(), "blister-pack".into()],
        last: vec![],
        shift: ShiftCount { since: now, ..ShiftCount::default() },
        latency: None,
        health: vec![
            item(Kind::Camera, "top", Condition::Good, "gives pictures"),
            item(Kind::Model, "line-parts", Condition::Good, "runs on cpu"),
            item(Kind::Plc, "modbus_tcp", Condition::Good, "answers within 1.3 ms"),
            item(
                Kind::Disk,
                "",
                Condition::Warning,
                "31 GB of 252 GB are free: enough for 9 days of pictures",
            ),
            item(Kind::Clock, "", Condition::Unknown, "nobody has said whether the clock is synchronised"),
            item(Kind::Ledger, "", Condition::Good, "writes; 0 records wait"),
            item(Kind::Stage, "infer", Condition::Good, "shows life"),
        ],
        challenge: wish.challenge.as_deref().map(challenge),
    }
}

/// Three known parts, as far as `stand` says.
fn challenge(stand: &str) -> ChallengeSeen {
    let (stand, come, wrong) = match stand {
        "under_way" => (ChallengeStand::UnderWay, 1, false),
        "failed" => (ChallengeStand::Due, 2, true),
        "passed" => (ChallengeStand::Passed, 3, false),
        _ => (ChallengeStand::Due, 0, false),
    };
    let known = [
        ("golden washer", "pass", None, "cabinet 2, green drawer"),
        ("red rabbit: dent", "fail", Some("burr"), "cabinet 2, red drawer, dent upwards"),
        ("red rabbit: no hole", "fail", Some("surface"), "cabinet 2, red drawer"),
    ];
    let parts = known.into_iter().enumerate().map(|(at, (name, expected, rule, note))| {
        let is_told = at < come;
        let is_wrong = wrong && at + 1 == come;
        KnownPartSeen {
            name: name.into(),
            note: note.into(),
            expected,
            rule: rule.map(Into::into),
            part: PartId::new(at as u32 + 1).filter(|_| is_told),
            seen: is_told.then_some(if is_wrong { "pass" } else { expected }),
            says: String::new(),
            is_right: is_told.then_some(!is_wrong),
            is_next: stand == ChallengeStand::UnderWay && at == come,
        }
    });
    let says = "known part \"red rabbit: dent\" (part 2) was to be rejected by rule \"burr\", and the machine said pass";
    let ended = |is_passed: bool| ChallengeEnd {
        at: Timestamp::now(),
        by: "otto".into(),
        is_passed,
        says: if is_passed { String::new() } else { says.into() },
    };
    ChallengeSeen {
        recipe: "washer".into(),
        stand,
        since: Timestamp::now(),
        why: "a shift has begun".into(),
        by: (stand == ChallengeStand::UnderWay).then(|| "otto".into()),
        parts: parts.collect(),
        last: (wrong || stand == ChallengeStand::Passed).then(|| ended(!wrong)),
    }
}
