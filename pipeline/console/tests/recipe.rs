//! A recipe changed in its page's fields, from the first draft to the version that one goes back to; and everything that must
//! not happen on the way.

mod visitor;

use axum::http::{Method, StatusCode};
use plumb_console::Command;
use plumb_ledger::{AuditLog, AuditQuery, Role, Verified};
use serde_json::{Value, json};
use std::fs;
use visitor::{Answer, House, PASSWORD, Visitor, console};

const API: &str = "/api/v1/recipes/washer";

fn file(house: &House) -> String {
    fs::read_to_string(house.folder.path().join("washer.toml")).expect("readable")
}

async fn digest(visitor: &Visitor) -> String {
    let told = visitor.get(&format!("{API}/file")).await.json();
    assert_eq!(told["schema"], "plumb.recipe_file/1");
    told["digest"].as_str().expect("a digest").to_owned()
}

/// The page's own fields, as its module has them.
async fn fields(visitor: &Visitor) -> Value {
    let page = visitor.get("/recipes/washer").await.text();
    let given = page.split("data-given=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("given");
    let given = given
        .replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&#60;", "<");
    let given = given.replace("&gt;", ">").replace("&#62;", ">").replace("&amp;", "&").replace("&#38;", "&");
    let given: Value = serde_json::from_str(&given).unwrap_or_else(|error| panic!("{error}: {given}"));
    given["fields"].clone()
}

async fn propose(by: &Visitor, digest: &str, fields: &Value, reason: &str) -> Answer {
    let form = [("digest", digest), ("fields", &fields.to_string()), ("reason", reason)];
    by.post(&format!("{API}/proposals"), &form).await
}

#[tokio::test]
async fn fields_become_the_file_by_two_people_and_an_earlier_version_comes_back_the_same_way() {
    let house = console().await;
    let ann = Visitor::new(&house, Some(Role::Quality)).await;
    let bob = Visitor::new(&house, Some(Role::Admin)).await;
    let before = file(&house);
    let seen = digest(&ann).await;
    let mut wish = fields(&ann).await;
    wish["rule"][0]["max"] = json!(0.55);
    wish["region"][0]["rect_px"] = json!([70, 40, 180, 190]);

    let draft = ann.post(&format!("{API}/draft"), &[("digest", &seen), ("fields", &wish.to_string())]).await;
    let after =
        before.replace("max = 0.6 ", "max = 0.55 ").replace("[70, 40, 180, 180]", "[70, 40, 180, 190]");
    let draft = draft.json();
    assert_eq!((&draft["text"], &draft["problems"]), (&json!(after), &json!([])), "{draft:#}");
    let sides: Vec<_> =
        draft["lines"].as_array().expect("lines").iter().map(|line| line["side"].clone()).collect();
    assert_eq!(sides.iter().filter(|side| *side == "new").count(), 2);
    assert_eq!(file(&house), before, "a draft writes nothing");

    let answer = propose(&ann, &seen, &wish, "the light is another").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let proposal = answer.json()["proposal"].clone();
    assert_eq!((&proposal["text"], &proposal["state"]), (&json!(after), &json!("open")));
    let own = ann.post("/tune/proposals/1/approve", &[("password", PASSWORD)]).await;
    assert_eq!(own.status, StatusCode::CONFLICT);
    let list = bob.get("/recipes/washer").await.text();
    assert!(
        list.contains("diff-old") && list.contains("Approve and sign"),
        "the second person sees the lines"
    );
    let given = [("password", PASSWORD), ("reason", "seen"), ("recipe", "washer"), ("rule", "")];
    let signed = bob.post("/tune/proposals/1/approve", &given).await;
    assert_eq!(signed.status, StatusCode::OK, "{}", signed.text());
    assert!(signed.text().contains("live from the next part on"), "{}", signed.text());
    assert_eq!(file(&house), after);

    // The version before is there, and is proposed like any other change.
    let page = ann.get("/recipes/washer").await.text();
    assert!(page.contains("/recipes/washer/versions/1") && page.contains("/recipes/washer/versions/2"));
    assert!(page.contains("quality · the light is another"), "who wrote it, and why");
    let compared = ann.get("/recipes/washer/versions/1").await.text();
    assert!(compared.contains("max = 0.55") && compared.contains("Propose to go back"), "{compared}");
    let now = digest(&ann).await;
    let back = ann.post("/recipes/washer/back", &[("n", "1"), ("digest", &now), ("reason", "worse")]).await;
    assert_eq!(back.status, StatusCode::OK, "{}", back.text());
    let signed = bob.post("/api/v1/proposals/2/approve", &[("password", PASSWORD)]).await;
    assert_eq!(signed.status, StatusCode::OK, "{}", signed.text());
    assert_eq!(file(&house), before);

    let log = AuditLog::new(house.folder.path());
    assert!(matches!(log.verify().expect("readable"), Verified::Whole { .. }));
    let mut entries = log.find(&AuditQuery { limit: 100, ..AuditQuery::default() }).expect("readable");
    entries.retain(|entry| entry.what.starts_with("recipe_"));
    entries.reverse();
    let told: Vec<_> = entries.iter().map(|entry| (entry.what.as_str(), entry.who.as_str())).collect();
    let once = [("recipe_proposed", "quality"), ("recipe_approved", "admin"), ("recipe_live", "admin")];
    assert_eq!(told, [once, once].concat());
    assert_eq!(entries[1].signature.as_deref(), Some("approved"));
    assert_eq!(entries[0].old.as_ref().expect("old")["file"], json!(seen));
    assert_eq!(entries[0].new.as_ref().expect("new")["file"], json!(now));
}

#[tokio::test]
async fn two_tabs_and_a_file_changed_by_hand_are_refused_with_what_changed() {
    let house = console().await;
    let ann = Visitor::new(&house, Some(Role::Quality)).await;
    let bob = Visitor::new(&house, Some(Role::Admin)).await;
    let (seen, mut one) = (digest(&ann).await, fields(&ann).await);
    let mut other = one.clone();
    one["rule"][0]["max"] = json!(0.55);
    other["rule"][1]["score_min"] = json!(0.4);
    // Both tabs propose; the first that is signed is written, and the other is about a file that is no more.
    assert_eq!(propose(&ann, &seen, &one, "one tab").await.status, StatusCode::OK);
    assert_eq!(propose(&ann, &seen, &other, "the other").await.status, StatusCode::OK);
    let sign =
        async |n: u32| bob.post(&format!("/api/v1/proposals/{n}/approve"), &[("password", PASSWORD)]).await;
    assert_eq!(sign(1).await.status, StatusCode::OK);
    let written = file(&house);
    let late = sign(2).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.text().contains("nothing was written"), "{}", late.text());
    assert_eq!(file(&house), written);
    // The tab itself hears what changed, and keeps nothing.
    let stale = propose(&ann, &seen, &other, "again").await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    assert!(stale.text().contains("+ max = 0.55"), "{}", stale.text());
    fs::write(house.folder.path().join("washer.toml"), written.replace("Washers", "WASHERS"))
        .expect("writable");
    let now = digest(&ann).await;
    let stale = ann.post(&format!("{API}/draft"), &[("digest", &seen), ("fields", "{}")]).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    let lines = stale.json()["lines"].clone();
    let is_told =
        |text: &str| lines.as_array().expect("lines").iter().any(|line| line["text"].as_str() == Some(text));
    assert!(is_told("# WASHERS, as the line makes them."), "{lines:#}");
    // What somebody did by hand is told on both pages, and is a version of nobody.
    let page = ann.get("/recipes").await.text();
    assert!(page.contains("the file is not what runs"), "{page}");
    let page = ann.get("/recipes/washer").await.text();
    assert!(page.contains("changed since what runs was read") && page.contains("found on disk"), "{page}");
    assert_eq!(
        propose(&ann, &now, &json!({ "recipe": { "deadline_ms": 70 } }), "now").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn bad_wishes_are_refused_by_name_and_leave_no_proposal() {
    let house = console().await;
    let ann = Visitor::new(&house, Some(Role::Quality)).await;
    let seen = digest(&ann).await;
    for (fields, reason, says) in [
        (json!({}), "x", "says that already"),
        (json!({ "recipe": { "deadline_ms": 70 } }), " ", "say why"),
        (json!({ "rule": [{ "_was": 0, "max": "high" }] }), "x", "it would not do"),
        (json!({ "rule": [{ "_was": 9 }] }), "x", "no [[rule]] number 9"),
        (json!({ "camera": [] }), "x", "no \"camera\""),
        (json!("<script>"), "x", "an object"),
    ] {
        let answer = propose(&ann, &seen, &fields, reason).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields}: {}", answer.text());
        assert!(answer.text().contains(&says.replace('"', "\\\"")), "{fields}: {}", answer.text());
    }
    let draft = ann.post(&format!("{API}/draft"), &[("digest", &seen), ("text", "[recipe\nname = 1")]).await;
    assert_ne!(draft.json()["problems"], json!([]), "a text that is no TOML is told, not taken");
    for (path, status) in [
        ("/recipes/none", StatusCode::NOT_FOUND),
        ("/recipes/..%2F..%2Fetc%2Fpasswd", StatusCode::NOT_FOUND),
        ("/recipes/washer/versions/99", StatusCode::NOT_FOUND),
        ("/recipes/washer/versions/x", StatusCode::BAD_REQUEST),
        ("/recipes/washer/pictures/..%2F..", StatusCode::NOT_FOUND),
        ("/recipes/washer/pictures/top", StatusCode::SEE_OTHER),
    ] {
        assert_eq!(ann.get(path).await.status, status, "{path}");
    }
    let back = ann.post("/recipes/washer/back", &[("n", "99"), ("digest", &seen), ("reason", "x")]).await;
    assert_eq!(back.status, StatusCode::NOT_FOUND);
    let operator = Visitor::new(&house, Some(Role::Operator)).await;
    assert_eq!(propose(&operator, &seen, &json!({}), "x").await.status, StatusCode::FORBIDDEN);
    let forged =
        ann.send(Method::POST, &format!("{API}/draft"), &[], format!("digest={seen}&fields=%7B%7D")).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "without the page's token");
    let listed = ann.get("/api/v1/tune").await.json();
    assert_eq!(listed["proposals"], json!([]));
}

#[tokio::test]
async fn a_changeover_takes_an_operator_and_a_reason_and_the_running_file_takes_quality() {
    let house = console().await;
    let viewer = Visitor::new(&house, Some(Role::Viewer)).await;
    let operator = Visitor::new(&house, Some(Role::Operator)).await;
    let ann = Visitor::new(&house, Some(Role::Quality)).await;
    let path = "/recipes/washer/run";
    assert_eq!(viewer.post(path, &[("reason", "x")]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(operator.post(path, &[("reason", "x")]).await.status, StatusCode::FORBIDDEN, "it runs");
    assert_eq!(operator.post("/recipes/none/run", &[("reason", "x")]).await.status, StatusCode::CONFLICT);
    assert!(ann.post(path, &[("reason", " ")]).await.text().contains("say why"));
    assert_eq!(ann.post(path, &[("reason", "edited by the supplier")]).await.status, StatusCode::OK);
    let orders = house.orders.lock().expect("nobody panicked").clone();
    assert_eq!(orders, [("quality".to_owned(), Command::LoadRecipe { recipe: "washer".to_owned() })]);
    let log = AuditLog::new(house.folder.path());
    let query = AuditQuery { what: Some("load_recipe".to_owned()), limit: 10, ..AuditQuery::default() };
    let entries = log.find(&query).expect("readable");
    assert_eq!((entries.len(), entries[0].reason.as_str()), (1, "edited by the supplier"));
}
