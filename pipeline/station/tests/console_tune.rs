//! A threshold on a running line, as two people change it, and twenty parts as one reviews them: a real Chromium at a real
//! station.
//!
//! Skipped, with a word, where there is no Chromium or no Playwright: `deploy/setup.sh --test` brings the latter.

#![allow(clippy::print_stdout, reason = "says what is skipped, and each step, to whoever reads along")]

mod workshop;

use plumb_inspection::PartId;
use plumb_ledger::{
    AuditLog, AuditQuery, Query, Reader, Record, RecordVerdict, Said, Truth, TruthBook, Verified,
};
use plumb_station::{
    config,
    station::{Station, Wiring},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};
use workshop::{
    Workshop,
    bottles::{Belt, Eye, RECIPE, STATION},
    browser::browser,
    wait_until,
};

fn cap(record: &Record) -> f32 {
    let findings = record.views.iter().flat_map(|view| &view.findings);
    findings
        .filter(|finding| finding.class.as_str() == "cap")
        .map(|finding| finding.score.get())
        .fold(0.0, f32::max)
}

#[test]
fn two_people_change_a_threshold_and_it_acts_from_the_part_it_says_on_and_twenty_parts_are_reviewed() {
    let Some((mut node, chrome)) = browser() else { return };
    let workshop = Workshop::new(STATION, RECIPE);
    let plan = config::read(&workshop.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    let data = plan.station.data.clone();
    let seen = Arc::new(Mutex::new(Vec::<Record>::new()));
    let tapped = seen.clone();
    let tap = Box::new(move |record: &Record| tapped.lock().expect("nobody panicked").push(record.clone()));
    let wiring = Wiring { line: Some(Arc::new(Eye::default())), tap: Some(tap), ..Wiring::default() };
    let station = Arc::new(Station::start(plan, wiring).unwrap_or_else(|error| panic!("{error}")));
    wait_until("the station", Duration::from_secs(20), || station.condition().is_ready());
    let password = station.first_password.clone().expect("nobody could log in before");
    let belt = Belt::start(&station);
    let rejects = Query { verdict: Some(RecordVerdict::Fail), ..Query::default() };
    wait_until("rejects to review", Duration::from_secs(60), || {
        Reader::new(&data).count(&rejects).is_ok_and(|count| count >= 60)
    });
    // Of the first parts somebody at the end of the line knows what they were.
    let oldest = |verdict| {
        let query = Query { verdict: Some(verdict), limit: Some(1000), ..Query::default() };
        let mut found = Reader::new(&data).find(&query).expect("readable");
        found.sort_by_key(|record| record.part_id);
        found.truncate(30);
        found
    };
    let said = |record: Record, truth| Said {
        part: record.part_id,
        triggered_at: Some(record.triggered_at),
        truth,
        why: String::new(),
    };
    let good = oldest(RecordVerdict::Pass).into_iter().map(|record| said(record, Truth::Good));
    let bad = oldest(RecordVerdict::Fail).into_iter().map(|record| said(record, Truth::Defective));
    TruthBook::new(&data)
        .say(&good.chain(bad).collect::<Vec<_>>(), "end of line")
        .expect("there are records");

    let wish = json!({
        "base": format!("http://{}", station.address.expect("HTTP")),
        "password": password,
        "chrome": chrome,
        "shots": std::env::var("PLUMB_TEST_SHOTS").ok(),
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/tune.cjs");
    let mut child =
        node.arg(script).arg(wish.to_string()).stdout(Stdio::piped()).spawn().expect("Node.js starts");
    let (mut from_part, mut ended) = (0, false);
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        let line = line.expect("UTF-8");
        println!("{line}");
        let step: Value = serde_json::from_str(&line).expect("a JSON document a line");
        match step["step"].as_str().expect("a step") {
            "failed" => panic!("{line}"),
            "review" => {
                assert!(step["after"].as_str().is_some_and(|says| says.starts_with("20 reviewed")), "{line}");
                assert!(
                    step["undone"].as_str().is_some_and(|says| says.starts_with("19 reviewed")),
                    "{line}"
                );
                assert_eq!(step["marked"], "nothing", "{line}");
            }
            "proposed" => {
                assert_eq!(step["now"]["value"], "0.5", "{line}");
                assert_ne!(step["flipped"]["value"], "0.5", "{line}");
                let counts = step["chosen"]["rejects"].as_str().expect("counted");
                assert!(counts.starts_with("0 of ") && counts.contains('≤'), "never nought per cent: {line}");
                assert_eq!(step["own_button"], json!(["Withdraw"]), "nobody approves their own: {line}");
            }
            "live" => {
                assert!(
                    step["wrong"].as_str().is_some_and(|says| says.contains("password is wrong")),
                    "{line}"
                );
                from_part = step["from_part"].as_u64().expect("a part");
            }
            "end" => {
                assert_eq!(step["complaints"], json!([]), "{line}");
                ended = true;
            }
            _ => {}
        }
    }
    assert!(child.wait().expect("it ends").success() && ended && from_part > 0);
    let is_later = |record: &Record| u64::from(record.part_id.get()) > from_part + 20;
    wait_until("parts after the change", Duration::from_secs(20), || {
        seen.lock().expect("nobody panicked").iter().any(is_later)
    });
    belt.stop();
    let station = Arc::into_inner(station).expect("the belt has let go");
    station.stop().unwrap_or_else(|error| panic!("{error}"));

    // Every part before it was judged by the old threshold, and every one from it on by the new.
    let records = seen.lock().expect("nobody panicked");
    let judged = records.iter().filter(|record| record.verdict != RecordVerdict::Missed);
    let mut strict = 0;
    for record in judged {
        let is_before = u64::from(record.part_id.get()) < from_part;
        let by_old = if cap(record) >= 0.5 { RecordVerdict::Fail } else { RecordVerdict::Pass };
        strict += usize::from(by_old == RecordVerdict::Fail && !is_before);
        let expected = if is_before { by_old } else { RecordVerdict::Pass };
        assert_eq!(record.verdict, expected, "part {} of {from_part}: {}", record.part_id, cap(record));
    }
    assert!(strict > 5, "parts that the old threshold would have rejected came after it");
    let recipe = fs::read_to_string(workshop.path("recipes/bottle.toml")).expect("readable");
    assert_eq!(recipe, RECIPE.replace("score_min = 0.5 ", "score_min = 0.95 "), "and every comment is there");

    // All of it is in the chain, and the words are beside the records.
    let log = AuditLog::new(&data);
    assert!(matches!(log.verify().expect("readable"), Verified::Whole { .. }));
    let live = AuditQuery { what: Some("threshold_live".to_owned()), limit: 10, ..AuditQuery::default() };
    let live = log.find(&live).expect("readable");
    assert_eq!(live.len(), 1);
    assert_eq!((live[0].from_part, live[0].who.as_str()), (PartId::new(from_part as u32), "admin"));
    let words = TruthBook::new(&data).witnessed(&"bottle".into()).expect("readable");
    assert_eq!(
        words.iter().filter(|word| word.by == "ann").count(),
        18,
        "one is unsure and one was taken back"
    );
}
