//! A threshold from the first look to the next part, as two people do it; and everything that must not happen on the way.

mod visitor;

use axum::http::{Method, StatusCode};
use plumb_inspection::PartId;
use plumb_ledger::{AuditLog, AuditQuery, Reader, Role, Said, Truth, TruthBook, Verified, Word};
use serde_json::Value;
use std::fs;
use visitor::{Answer, House, PASSWORD, Visitor, console};

const RULE: &str = "/tune/washer/surface";
const API: &str = "/api/v1/tune/washer/surface";

/// Part 2 scores 0.58 and passed, parts 1 and 3 score 0.9 and failed; part 2 is said to be defective.
fn say(house: &House) {
    let said = |part, truth| Said {
        part: PartId::new(part).expect("not 0"),
        triggered_at: None,
        truth,
        why: String::new(),
    };
    let words = [said(1, Truth::Defective), said(2, Truth::Defective), said(3, Truth::Good)];
    TruthBook::new(house.folder.path()).say(&words, "ann").expect("there are records");
}

fn file(house: &House) -> String {
    fs::read_to_string(house.folder.path().join("washer.toml")).expect("readable")
}

fn audit(house: &House) -> Vec<plumb_ledger::AuditEntry> {
    let log = AuditLog::new(house.folder.path());
    assert!(matches!(log.verify().expect("readable"), Verified::Whole { .. }));
    let mut entries = log.find(&AuditQuery { limit: 100, ..AuditQuery::default() }).expect("readable");
    entries.reverse();
    entries.retain(|entry| entry.what.starts_with("threshold_"));
    entries
}

async fn propose(by: &Visitor, value: &str, reason: &str) -> Answer {
    by.post(&format!("{API}/proposals"), &[("value", value), ("reason", reason)]).await
}

#[tokio::test]
async fn one_proposes_another_signs_and_the_recipe_changes_with_its_comments_kept() {
    let house = console().await;
    say(&house);
    let ann = Visitor::new(&house, Some(Role::Quality)).await;
    let bob = Visitor::new(&house, Some(Role::Admin)).await;
    let answer = propose(&ann, "0.5", "part 2 was an escape").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let proposal = answer.json()["proposal"].clone();
    assert_eq!(
        (&proposal["old"], &proposal["new"], &proposal["state"]),
        (&0.6.into(), &0.5.into(), &"open".into())
    );
    // The station's own numbers, on both sets together: part 2 escaped before and does not after.
    let events = |when: &str| -> u64 {
        let of = |set: &str| proposal["numbers"][when][set]["escapes"]["events"].as_u64().unwrap_or(0);
        of("tune") + of("certify")
    };
    assert_eq!((events("before"), events("after")), (1, 0), "{proposal:#}");
    let before = file(&house);

    let own = ann.post("/tune/proposals/1/approve", &[("password", PASSWORD)]).await;
    assert_eq!(own.status, StatusCode::CONFLICT);
    assert!(own.text().contains("takes a second person"), "{}", own.text());
    let guess = bob.post("/tune/proposals/1/approve", &[("password", "guess guess guess")]).await;
    assert_eq!(guess.status, StatusCode::CONFLICT);
    assert_eq!(file(&house), before);
    let operator = Visitor::new(&house, Some(Role::Operator)).await;
    assert_eq!(
        operator.post("/tune/proposals/1/refuse", &[("reason", "x")]).await.status,
        StatusCode::FORBIDDEN
    );

    let given = [("password", PASSWORD), ("reason", "seen"), ("recipe", "washer"), ("rule", "surface")];
    let signed = bob.post("/tune/proposals/1/approve", &given).await;
    assert_eq!(signed.status, StatusCode::OK, "{}", signed.text());
    assert!(signed.text().contains("live from the next part on"), "{}", signed.text());
    assert_eq!(file(&house), before.replace("max = 0.6 ", "max = 0.5 "));
    let entries = audit(&house);
    let told: Vec<_> = entries.iter().map(|entry| (entry.what.as_str(), entry.who.as_str())).collect();
    assert_eq!(
        told,
        [("threshold_proposed", "quality"), ("threshold_approved", "admin"), ("threshold_live", "admin")]
    );
    assert_eq!((entries[1].signature.as_deref(), entries[1].reason.as_str()), (Some("approved"), "seen"));
    assert_eq!(
        (&entries[1].old.as_ref().expect("old")["max"], &entries[1].new.as_ref().expect("new")["max"]),
        (&0.6.into(), &0.5.into())
    );
    let twice = bob.post("/tune/proposals/1/approve", &given).await;
    assert!(twice.text().contains("is live already"), "{}", twice.text());
    assert!(ann.get(RULE).await.text().contains("max = 0.5"));
}

#[tokio::test]
async fn a_file_that_changed_meanwhile_is_not_written_and_the_proposal_waits_as_before() {
    let house = console().await;
    say(&house);
    let ann = Visitor::new(&house, Some(Role::Quality)).await;
    let bob = Visitor::new(&house, Some(Role::Admin)).await;
    propose(&ann, "0.5", "an escape").await;
    let by_hand = format!("{}# somebody was here\n", file(&house));
    fs::write(house.folder.path().join("washer.toml"), &by_hand).expect("writable");
    let answer = bob.post("/api/v1/proposals/1/approve", &[("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(
        answer.json()["error"].as_str().expect("says").contains("nothing was written"),
        "{}",
        answer.text()
    );
    assert_eq!(file(&house), by_hand);
    let whats: Vec<_> = audit(&house).into_iter().map(|entry| entry.what).collect();
    assert_eq!(whats, ["threshold_proposed", "threshold_approved", "threshold_approved_refused"]);
    let listed = bob.get("/api/v1/tune").await.json();
    assert_eq!(listed["proposals"][0]["state"], "open");
    let withdrawn = ann.post("/tune/proposals/1/withdraw", &[]).await;
    assert_eq!(withdrawn.status, StatusCode::OK, "{}", withdrawn.text());
    propose(&ann, "0.55", "anew").await;
    let refused = bob.post("/api/v1/proposals/2/refuse", &[("reason", "too few parts")]).await;
    assert_eq!(refused.json()["proposal"]["decided_why"], "too few parts");
}

#[tokio::test]
async fn bad_wishes_are_refused_by_name_and_leave_no_proposal() {
    let house = console().await;
    say(&house);
    let ann = Visitor::new(&house, Some(Role::Quality)).await;
    for (value, reason, says) in [
        ("0.5", " ", "say why"),
        ("NaN", "x", "a threshold is a number"),
        ("-1", "x", "a threshold is a number"),
        ("0.6", "x", "the recipe has max = 0.6 already"),
        ("much", "x", "value"),
    ] {
        let answer = propose(&ann, value, reason).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{value}: {}", answer.text());
        assert!(answer.text().contains(says), "{value}: {}", answer.text());
    }
    let stale = [("value", "0.5"), ("reason", "x"), ("digest", "00")];
    let answer = ann.post(&format!("{RULE}/propose"), &stale).await;
    assert!(answer.text().contains("has changed since this page was loaded"), "{}", answer.text());
    for (path, status) in [
        ("/tune/washer/none", StatusCode::NOT_FOUND),
        ("/tune/..%2F..%2Fetc/passwd", StatusCode::NOT_FOUND),
        ("/api/v1/tune/washer/none/scores.bin", StatusCode::NOT_FOUND),
        ("/api/v1/tune/washer/surface/flips", StatusCode::BAD_REQUEST),
        ("/api/v1/tune/washer/surface/flips?to=inf", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(ann.get(path).await.status, status, "{path}");
    }
    assert_eq!(ann.post("/api/v1/proposals/99/withdraw", &[]).await.status, StatusCode::CONFLICT);
    assert_eq!(ann.post("/api/v1/proposals/1/burn", &[]).await.status, StatusCode::NOT_FOUND);
    let listed = ann.get("/api/v1/tune").await.json();
    assert_eq!(listed["proposals"].as_array().map(Vec::len), Some(0));
}

#[tokio::test]
async fn a_browser_counts_by_what_the_station_sends() {
    let house = console().await;
    say(&house);
    let ann = Visitor::new(&house, Some(Role::Viewer)).await;
    let told = ann.get(API).await.json();
    let count = |key: &str| told["tune"][key].as_u64().expect("a count");
    let pieces = count("good") + count("defective");
    assert_eq!(
        pieces
            + told["certify"]["good"].as_u64().unwrap_or(0)
            + told["certify"]["defective"].as_u64().unwrap_or(0),
        3
    );
    let bin = ann.get(&format!("{API}/scores.bin")).await;
    assert_eq!(bin.body.len() as u64, 5 * pieces);
    let labels = &bin.body[4 * pieces as usize..];
    assert_eq!(labels.iter().filter(|label| **label == 1).count() as u64, count("defective"));
    let flips = ann.get(&format!("{API}/flips?to=0.5")).await.json();
    assert_eq!(flips["count"].as_u64(), flips["parts"].as_array().map(|parts| parts.len() as u64));
    assert!(
        flips["parts"].as_array().expect("parts").iter().all(|part| part["would"] == "reject"),
        "{flips:#}"
    );
}

#[tokio::test]
async fn a_word_is_kept_beside_the_verdict_and_can_be_taken_back() {
    let house = console().await;
    let ann = Visitor::new(&house, Some(Role::Quality)).await;
    let queue = ann.get("/api/v1/review").await.json();
    let parts = queue["parts"].as_array().expect("a queue").clone();
    let whys: Vec<_> = parts.iter().map(|part| (part["part_id"].as_u64(), part["why"].as_str())).collect();
    assert_eq!(whys, [(Some(3), Some("rejected")), (Some(2), Some("near")), (Some(1), Some("rejected"))]);
    assert_eq!(parts[1]["scores"][0]["near"], true, "0.58 against 0.6");
    assert_eq!(queue["classes"][0], "scratch");
    let at = parts[0]["at"].to_string();
    let word = |word: &'static str, class: &'static str| {
        [("part", "3".to_owned()), ("at", at.clone()), ("word", word.to_owned()), ("class", class.to_owned())]
    };
    let say = async |given: [(&str, String); 4]| {
        let given: Vec<(&str, &str)> = given.iter().map(|(key, value)| (*key, value.as_str())).collect();
        ann.post("/api/v1/review/words", &given).await
    };
    let answer = say(word("defective", "scratch")).await;
    assert_eq!((answer.status, &answer.json()["by"]), (StatusCode::OK, &Value::from("quality")));
    let part = PartId::new(3).expect("not 0");
    let record = Reader::new(house.folder.path()).get(part).expect("readable").expect("there");
    assert_eq!(record.verdict, plumb_ledger::RecordVerdict::Fail, "the machine said what it said");
    let newest = TruthBook::new(house.folder.path()).newest(part, record.triggered_at).expect("readable");
    assert_eq!(
        newest.map(|newest| (newest.word, newest.class)),
        Some((Word::Defective, "scratch".to_owned()))
    );
    let left = ann.get("/api/v1/review").await.json()["parts"].as_array().map(Vec::len);
    assert_eq!(left, Some(2));
    assert_eq!(say(word("withdrawn", "")).await.status, StatusCode::OK);
    let left = ann.get("/api/v1/review").await.json()["parts"].as_array().map(Vec::len);
    assert_eq!(left, Some(3));
    // Whoever asks for a part by number or by an evil serial gets that part and nothing else.
    let found =
        ann.get(&format!("/api/v1/review?find={}", visitor::encoded(visitor::EVIL_SERIAL))).await.json();
    assert_eq!(found["parts"][0]["part_id"], 3);
    assert_eq!(ann.get("/api/v1/review?find=2").await.json()["parts"].as_array().map(Vec::len), Some(1));
    // What is no word, of no part, or without the page's token is not kept.
    assert_eq!(say(word("bad", "")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let nobody = [("part", "77"), ("at", at.as_str()), ("word", "good")];
    assert_eq!(ann.post("/api/v1/review/words", &nobody).await.status, StatusCode::NOT_FOUND);
    let viewer = Visitor::new(&house, Some(Role::Viewer)).await;
    assert_eq!(viewer.post("/api/v1/review/words", &nobody).await.status, StatusCode::FORBIDDEN);
    let forged =
        ann.send(Method::POST, "/api/v1/review/words", &[], format!("part=3&at={at}&word=good")).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
}
