//! Challenge, charts, studies and a part's evidence, as a person or a program uses them.

mod visitor;

use axum::http::StatusCode;
use jiff::Timestamp;
use plumb_console::{ChallengeSeen, ChallengeStand, Command, KnownPartSeen};
use plumb_ledger::{AuditLog, AuditQuery, Role};
use sha2::{Digest, Sha256};
use std::{
    io::{Cursor, Read},
    sync::Arc,
};
use visitor::{Visitor, console};
use zip::ZipArchive;

fn known(is_next: bool) -> ChallengeSeen {
    let part = KnownPartSeen {
        name: "<b>golden</b>".into(),
        note: "drawer 1".into(),
        expected: "pass",
        rule: None,
        part: None,
        seen: None,
        says: String::new(),
        is_right: None,
        is_next,
    };
    ChallengeSeen {
        recipe: "washer".into(),
        stand: if is_next { ChallengeStand::UnderWay } else { ChallengeStand::Due },
        since: Timestamp::now(),
        why: "a shift has begun".into(),
        by: None,
        parts: vec![part],
        last: None,
    }
}

#[tokio::test]
async fn a_challenge_is_begun_by_an_operator_and_entered_in_the_audit_log_before() {
    let console = console().await;
    console.snapshots.send_modify(|snapshot| {
        let mut now = (**snapshot).clone();
        now.challenge = Some(known(false));
        *snapshot = Arc::new(now);
    });
    let viewer = Visitor::new(&console, Some(Role::Viewer)).await;
    let page = viewer.get("/challenge").await.text();
    assert!(page.contains("&#60;b&#62;golden") && !page.contains("/challenge/begin"), "{page}");
    assert_eq!(viewer.post("/challenge/begin", &[]).await.status, StatusCode::FORBIDDEN);
    let operator = Visitor::new(&console, Some(Role::Operator)).await;
    assert!(operator.get("/challenge").await.text().contains("/challenge/begin"));
    assert_eq!(operator.post("/challenge/begin", &[]).await.status, StatusCode::OK);
    let orders = console.orders.lock().expect("nobody panicked").clone();
    assert_eq!(orders, [("operator".to_owned(), Command::BeginChallenge)]);
    let query = AuditQuery { what: Some("challenge_begun".into()), limit: 9, ..AuditQuery::default() };
    let entries = AuditLog::new(console.folder.path()).find(&query).expect("readable");
    assert_eq!((entries.len(), entries[0].who.as_str(), entries[0].of.as_str()), (1, "operator", "washer"));
    console.snapshots.send_modify(|snapshot| {
        let mut now = (**snapshot).clone();
        now.challenge = Some(known(true));
        *snapshot = Arc::new(now);
    });
    let page = operator.get("/challenge/parts").await.text();
    assert!(page.contains("1 / 1") && page.contains("/challenge/break-off"), "{page}");
    let json = operator.get("/api/v1/challenge").await.json();
    assert_eq!(
        (&json["schema"], &json["challenge"]["stand"]),
        (&"plumb.challenge/1".into(), &"under_way".into())
    );
}

#[tokio::test]
async fn a_note_on_a_chart_stands_beside_it_with_who_wrote_it_and_shows_no_script() {
    let console = console().await;
    let operator = Visitor::new(&console, Some(Role::Operator)).await;
    let empty = operator.get("/charts?sample=2").await.text();
    assert!(empty.contains("Nothing to chart yet") && empty.contains("make no two samples"), "{empty}");
    let evil = "<script>alert(1)</script>";
    let answer = operator.post("/charts/note", &[("recipe", "washer"), ("part", "2"), ("says", evil)]).await;
    assert_eq!((answer.status, answer.header("hx-trigger").as_str()), (StatusCode::OK, "noted"));
    let notes = operator.get("/charts/notes?recipe=washer").await.text();
    assert!(
        notes.contains("operator") && notes.contains("&#60;script&#62;") && !notes.contains(evil),
        "{notes}"
    );
    assert!(!operator.get("/charts?sample=1").await.text().contains(evil));
    for (form, says) in [
        ([("recipe", "washer"), ("part", "0"), ("says", "x")], "number"),
        ([("recipe", "washer"), ("part", "2"), ("says", "  ")], "1 to 500"),
    ] {
        let answer = operator.post("/charts/note", &form).await;
        assert!(
            answer.status == StatusCode::BAD_REQUEST && answer.text().contains(says),
            "{}",
            answer.text()
        );
    }
    let viewer = Visitor::new(&console, Some(Role::Viewer)).await;
    let form = [("recipe", "washer"), ("part", "2"), ("says", "x")];
    assert_eq!(viewer.post("/charts/note", &form).await.status, StatusCode::FORBIDDEN);
    let charts = operator.get("/api/v1/charts?sample=1&rule=surface&size=bore").await.json();
    assert_eq!(
        (&charts["schema"], &charts["process"]["parts"]),
        (&"plumb.charts/1".into(), &3.into()),
        "{charts}"
    );
    assert!(charts["no_size"].as_str().is_some_and(|says| says.contains("wants 20")), "{charts}");
    for (ask, says) in [("sample=0", "sample"), ("days=400", "days"), ("sample=x", "sample")] {
        let answer = operator.get(&format!("/api/v1/charts?{ask}")).await;
        assert!(
            answer.status == StatusCode::BAD_REQUEST && answer.text().contains(says),
            "{}",
            answer.text()
        );
    }
    assert_eq!(operator.get("/api/v1/charts?recipe=can").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_study_is_measured_blind_left_corrected_gone_on_with_and_shown_beside_its_limits() {
    let console = console().await;
    let operator = Visitor::new(&console, Some(Role::Operator)).await;
    let step = |html: &str| html.split("name=\"step\" value=\"").nth(1)?.split('"').next().map(str::to_owned);
    let part = |html: &str| html.split("study-part\">").nth(1)?.split('<').next().map(str::to_owned);
    let mut page = operator.get("/studies/caps").await.text();
    let mut asked = Vec::new();
    while let Some(at) = step(&page) {
        let name = part(&page).expect("it says which part");
        let word = if name == "1" { "good" } else { "bad" };
        asked.push(name);
        let answer = operator.post("/studies/caps/enter", &[("step", &at), ("value", word)]).await;
        assert_eq!(answer.status, StatusCode::OK);
        page = answer.text();
        if asked.len() == 2 {
            let again = operator.post("/studies/caps/enter", &[("again", "yes")]).await.text();
            assert_eq!((step(&again), part(&again)), (Some(at.clone()), asked.last().cloned()));
            let taken =
                operator.post("/studies/caps/enter", &[("step", &at), ("value", "maybe")]).await.text();
            assert!(taken.contains("neither a number nor good or bad"), "{taken}");
            let other =
                operator.post("/studies/caps/enter", &[("step", "3"), ("value", "good")]).await.text();
            assert!(other.contains("meanwhile"), "{other}");
            page = operator.get("/studies/caps").await.text(); // left, and come back
        }
    }
    assert_eq!(asked.len(), 4);
    assert!(page.contains("Kappa") && page.contains("≥ 0.75") && page.contains("1.000"), "{page}");
    let report = operator.get("/studies/caps/report.html").await;
    assert!(report.status == StatusCode::OK && report.text().contains("Attribute agreement"));
    assert!(report.header("content-disposition").starts_with("attachment"));
    let json = operator.get("/api/v1/studies/caps").await.json();
    assert_eq!(
        (&json["taken"], &json["of"], &json["no_result"]),
        (&4.into(), &4.into(), &().into()),
        "{json}"
    );
    for evil in ["/studies/..%2Fpeople", "/studies/none"] {
        assert_eq!(operator.get(evil).await.status, StatusCode::NOT_FOUND, "{evil}");
    }
}

#[tokio::test]
async fn quality_plans_a_study_and_is_told_what_would_tell_nothing() {
    let console = console().await;
    let quality = Visitor::new(&console, Some(Role::Quality)).await;
    let form = |parts: &'static str| {
        [("name", "rr-1"), ("kind", "grr"), ("appraisers", "ann,bob"), ("parts", parts), ("trials", "2")]
    };
    let refused = quality.post("/studies/plan", &form("a")).await;
    assert!(
        refused.status == StatusCode::BAD_REQUEST && refused.text().contains("too few"),
        "{}",
        refused.text()
    );
    let planned = quality.post("/studies/plan", &form("a\nb\nc")).await;
    assert_eq!((planned.status, planned.header("hx-redirect").as_str()), (StatusCode::OK, "/studies/rr-1"));
    assert_eq!(quality.post("/studies/plan", &form("a\nb\nc")).await.status, StatusCode::CONFLICT);
    let list = quality.get("/api/v1/studies").await.json();
    assert_eq!(list["studies"].as_array().map(Vec::len), Some(2), "{list}");
    let operator = Visitor::new(&console, Some(Role::Operator)).await;
    assert_eq!(operator.post("/studies/plan", &form("a\nb")).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn evidence_of_a_part_is_one_file_whose_sums_hold_and_its_export_is_on_record() {
    let console = console().await;
    let quality = Visitor::new(&console, Some(Role::Quality)).await;
    quality.post("/charts/note", &[("recipe", "washer"), ("part", "1"), ("says", "new light")]).await;
    let answer = quality.get("/parts/1/evidence.zip").await;
    assert_eq!((answer.status, answer.header("content-type").as_str()), (StatusCode::OK, "application/zip"));
    let mut zip = ZipArchive::new(Cursor::new(answer.body)).expect("a ZIP file");
    let mut read = |name: &str| {
        let mut content = Vec::new();
        zip.by_name(name)
            .unwrap_or_else(|error| panic!("{name}: {error}"))
            .read_to_end(&mut content)
            .expect("whole");
        content
    };
    let sums = String::from_utf8(read("SHA256SUMS")).expect("text");
    let mut names = Vec::new();
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").expect("sum, two blanks, name");
        let got: String = Sha256::digest(read(name)).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(got, sum, "{name}");
        names.push(name.to_owned());
    }
    assert!(names.iter().any(|name| name.starts_with("pictures/0-top-frame.")), "{names:?}");
    let about: serde_json::Value = serde_json::from_slice(&read("about.json")).expect("JSON");
    assert_eq!((&about["schema"], &about["exported_by"]), (&"plumb.evidence/1".into(), &"quality".into()));
    let audit = String::from_utf8(read("audit.jsonl")).expect("text");
    assert!(audit.contains("new light") && audit.contains("evidence_exported"), "{audit}");
    assert_eq!(quality.get("/parts/77/evidence.zip").await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        Visitor::new(&console, None).await.get("/parts/1/evidence.zip").await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn a_picture_is_replayed_by_operators_and_what_was_stays() {
    let console = console().await;
    let operator = Visitor::new(&console, Some(Role::Operator)).await;
    let page = operator.get("/parts/1").await.text();
    let at =
        page.split("name=\"at\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a form");
    let answer = operator.post("/parts/1/replay", &[("at", at), ("recipe", "washer")]).await;
    assert!(answer.status == StatusCode::OK && answer.text().contains("surface"), "{}", answer.text());
    let answer = operator.post("/parts/1/replay", &[("at", at), ("recipe", "can")]).await;
    assert!(
        answer.status == StatusCode::CONFLICT && answer.text().contains("there is no recipe"),
        "{}",
        answer.text()
    );
    let viewer = Visitor::new(&console, Some(Role::Viewer)).await;
    let form = [("at", at), ("recipe", "washer")];
    assert_eq!(viewer.post("/parts/1/replay", &form).await.status, StatusCode::FORBIDDEN);
}
