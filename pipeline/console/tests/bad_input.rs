//! What people with bad intentions send, and what people with clumsy fingers do.

mod visitor;

use axum::http::{Method, StatusCode};
use plumb_console::{Command, ConsoleConfig};
use plumb_ledger::{AuditLog, AuditQuery, Role};
use visitor::{EVIL_SERIAL, PASSWORD, Visitor, console, encoded, house};

fn log(house: &visitor::House) -> Vec<(String, String, String)> {
    let query = AuditQuery { limit: 1000, ..AuditQuery::default() };
    let mut entries = AuditLog::new(house.folder.path()).find(&query).expect("readable");
    entries.reverse();
    entries.into_iter().map(|entry| (entry.who, entry.what, entry.reason)).collect()
}

#[tokio::test]
async fn html_in_a_serial_is_shown_and_not_run_and_sql_in_it_finds_that_part_alone() {
    let house = console().await;
    let visitor = Visitor::new(&house, Some(Role::Viewer)).await;
    let found = visitor.get(&format!("/parts?serial={}", encoded(EVIL_SERIAL))).await;
    assert_eq!(found.status, StatusCode::OK);
    let html = found.text();
    assert!(html.contains("&#60;script&#62;alert(1)") && !html.contains("<script>alert"), "{html}");
    assert!(html.contains("/parts/3?at=") && !html.contains("/parts/2?at="));
    let page = visitor.get("/parts/3").await.text();
    assert!(page.contains("&#60;script&#62;") && !page.contains("<script>alert"));
    let json = visitor.get(&format!("/api/v1/search?serial={}", encoded(EVIL_SERIAL))).await.json();
    assert_eq!(json["parts"][0]["serial"], EVIL_SERIAL);
    assert_eq!(json["parts"].as_array().map(Vec::len), Some(1));
    for bad in
        ["part=0", "part=abc", "verdict=good", "from=yesterday", "after=1'%20OR%201", "limit=0", "nonsense=1"]
    {
        for path in ["/parts", "/api/v1/search"] {
            assert_eq!(
                visitor.get(&format!("{path}?{bad}")).await.status,
                StatusCode::BAD_REQUEST,
                "{path}?{bad}"
            );
        }
    }
    assert_eq!(visitor.get("/parts/999").await.status, StatusCode::NOT_FOUND);
    assert_eq!(visitor.get("/parts/1%20OR%201=1").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn no_picture_link_leads_out_of_the_ledger() {
    let house = console().await;
    let visitor = Visitor::new(&house, Some(Role::Viewer)).await;
    let page = visitor.get("/parts/1").await.text();
    let link = page.split("<img src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a picture");
    let picture = visitor.get(link).await;
    assert_eq!((picture.status, picture.header("content-type").as_str()), (StatusCode::OK, "image/jpeg"));
    assert!(
        page.contains("viewBox=\"0 0 32 24\"") && page.contains("class=\"found\""),
        "the finding is drawn"
    );
    // Nobody without a login sees it, whatever he knows of its address.
    assert_eq!(Visitor::new(&house, None).await.get(link).await.status, StatusCode::SEE_OTHER);
    let at = link.split('/').nth(4).expect("the moment");
    for bad in [
        format!("/parts/1/pictures/{at}/..%2F..%2Fpeople.sqlite"),
        format!("/parts/1/pictures/{at}/%2Fetc%2Fpasswd"),
        format!("/parts/1/pictures/{at}/99"),
        format!("/parts/2/pictures/{at}/0"),
        "/parts/1/pictures/0/0".to_owned(),
        "/parts/..%2F..%2Fpeople.sqlite/pictures/0/0".to_owned(),
        "/assets/x/..%2F..%2Fpeople.sqlite".to_owned(),
        "/assets/..%2F../console.css".to_owned(),
    ] {
        let answer = visitor.get(&bad).await;
        assert!(
            matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND)
                || bad.ends_with("console.css"),
            "{bad}: {}",
            answer.status
        );
        assert!(!answer.text().contains("SQLite") && !answer.text().contains("root:"), "{bad}");
    }
}

#[tokio::test]
async fn a_change_from_another_site_or_without_the_pages_token_is_refused_and_nothing_is_done() {
    let house = console().await;
    let visitor = Visitor::new(&house, Some(Role::Operator)).await;
    let token = visitor.token.clone();
    let body = || "reason=x".to_owned();
    for headers in [
        vec![],                                                                           // a form elsewhere
        vec![("x-plumb-token", "0".repeat(64))],                                          // a guess
        vec![("x-plumb-token", token.clone()), ("sec-fetch-site", "cross-site".into())], // a leaked token, elsewhere
        vec![("x-plumb-token", token.clone()), ("origin", "http://evil.example".into())], // an older browser
        vec![("x-plumb-token", token.clone()), ("origin", "null".into())],
    ] {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let answer = visitor.send(method, "/health/rezero", &headers, body()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
        }
    }
    assert!(house.orders.lock().expect("nobody panicked").is_empty());
    // Another session's token is no better than a guess.
    let other = Visitor::new(&house, Some(Role::Operator)).await;
    let stolen = [("x-plumb-token", other.token.as_str())];
    assert_eq!(
        visitor.send(Method::POST, "/health/rezero", &stolen, body()).await.status,
        StatusCode::FORBIDDEN
    );
    // A page of ours may.
    assert_eq!(visitor.post("/health/rezero", &[("reason", "a jam")]).await.status, StatusCode::OK);
    assert_eq!(
        house.orders.lock().expect("nobody panicked").as_slice(),
        [("operator".to_owned(), Command::Rezero)]
    );
    assert!(log(&house).contains(&("operator".into(), "rezero".into(), "a jam".into())));
    // The login of a stranger's account from elsewhere is refused as well.
    let form = format!("name=viewer&password={}", encoded(PASSWORD));
    let elsewhere = [("origin", "http://evil.example")];
    assert_eq!(visitor.send(Method::POST, "/login", &elsewhere, form).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_expired_a_stolen_and_an_ended_session_open_nothing() {
    let config = ConsoleConfig { idle_minutes: 0, ..ConsoleConfig::default() };
    let expired = house(config, &Role::ALL);
    let visitor = Visitor::new(&expired, Some(Role::Admin)).await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert_eq!(visitor.get("/people").await.status, StatusCode::SEE_OTHER, "expired");

    let house = console().await;
    let mut visitor = Visitor::new(&house, Some(Role::Admin)).await;
    assert_eq!(visitor.get("/people").await.status, StatusCode::OK);
    let thief = Visitor { cookie: "plumb_session=".to_owned() + &"a".repeat(64), ..visitor.clone() };
    assert_eq!(thief.get("/people").await.status, StatusCode::SEE_OTHER, "guessed");
    // Whoever copied the cookie is out when its owner logs out, and when the password is changed elsewhere.
    let copied = visitor.clone();
    assert_eq!(visitor.post("/logout", &[]).await.status, StatusCode::OK);
    assert_eq!(copied.get("/people").await.status, StatusCode::SEE_OTHER, "logged out");
    visitor.login("admin", PASSWORD).await;
    let copied = visitor.clone();
    visitor.login("admin", PASSWORD).await;
    let form = [("old", PASSWORD), ("new", "another good one"), ("again", "another good one")];
    assert_eq!(visitor.post("/password", &form).await.status, StatusCode::OK);
    assert_eq!(copied.get("/people").await.status, StatusCode::SEE_OTHER, "the password was changed");
    assert_eq!(visitor.get("/people").await.status, StatusCode::OK, "but not for who changed it");
    // The file of people holds no secret by which one could log in.
    let file = std::fs::read(house.folder.path().join("people.sqlite")).expect("readable");
    let secret = visitor.cookie.split('=').nth(1).expect("a secret").as_bytes();
    assert!(!file.windows(secret.len()).any(|window| window == secret));
}

#[tokio::test]
async fn a_cookie_is_for_us_alone_and_out_of_reach_of_scripts() {
    let house = console().await;
    let mut visitor = Visitor::new(&house, None).await;
    let cookie = visitor.login("viewer", PASSWORD).await.header("set-cookie");
    for word in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    let away = visitor
        .send(
            Method::POST,
            "/login",
            &[],
            format!("name=viewer&password={}&next=//evil.example", encoded(PASSWORD)),
        )
        .await;
    assert_eq!(away.header("location"), "/");
}

#[tokio::test]
async fn guesses_lock_out_and_each_is_in_the_log() {
    let house = console().await;
    let mut visitor = Visitor::new(&house, None).await;
    for _ in 0..5 {
        assert_eq!(visitor.login("quality", "wrong wrong wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    let locked = visitor.login("quality", PASSWORD).await;
    assert_eq!(locked.status, StatusCode::UNAUTHORIZED);
    assert!(locked.text().contains("Wait 15 minutes"));
    let whats: Vec<String> = log(&house).into_iter().map(|(_, what, _)| what).collect();
    assert_eq!(whats.iter().filter(|what| *what == "login_failed").count(), 5);
    assert_eq!(whats.last().map(String::as_str), Some("locked_out"));
    assert_eq!(visitor.login("viewer", PASSWORD).await.status, StatusCode::SEE_OTHER, "others go on");
}

#[tokio::test]
async fn a_one_time_password_opens_nothing_but_the_choice_of_another() {
    let house = console().await;
    let admin = Visitor::new(&house, Some(Role::Admin)).await;
    let form = [("name", "li"), ("role", "quality"), ("reason", "new here")];
    let answer = admin.post("/people/add", &form).await.text();
    let password = answer
        .split("<strong>")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .expect("shown once")
        .to_owned();
    assert!(!admin.get("/people").await.text().contains(&password), "and never again");
    let mut li = Visitor::new(&house, None).await;
    assert_eq!(li.login("li", &password).await.status, StatusCode::SEE_OTHER);
    for path in ["/", "/parts", "/audit"] {
        let answer = li.get(path).await;
        assert_eq!(
            (answer.status, answer.header("location").as_str()),
            (StatusCode::SEE_OTHER, "/password"),
            "{path}"
        );
    }
    assert_eq!(li.get("/api/v1/search").await.status, StatusCode::FORBIDDEN);
    let short = [("old", password.as_str()), ("new", "short"), ("again", "short")];
    assert_eq!(li.post("/password", &short).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let good = [("old", password.as_str()), ("new", "my own, long enough"), ("again", "my own, long enough")];
    assert_eq!(li.post("/password", &good).await.status, StatusCode::OK);
    assert_eq!(li.get("/parts").await.status, StatusCode::OK);
    assert_eq!(li.get("/people").await.status, StatusCode::FORBIDDEN);
    let bad = admin
        .post("/people/role", &[("name", "admin"), ("role", "viewer"), ("active", "yes"), ("reason", "x")])
        .await;
    assert!(bad.text().contains("last active administrator"), "{}", bad.text());
}

#[tokio::test]
async fn a_program_with_a_token_may_what_its_scope_says_and_needs_no_page_token() {
    let house = console().await;
    let admin = Visitor::new(&house, Some(Role::Admin)).await;
    let form = [("name", "mes"), ("role", "viewer"), ("days", "30"), ("reason", "for the MES")];
    let answer = admin.post("/people/token", &form).await.text();
    let secret = answer
        .split("<strong>")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .expect("shown once")
        .to_owned();
    let program = Visitor::new(&house, None).await;
    let bearer = format!("Bearer {secret}");
    let ask = |method, path: &'static str, bearer: String| {
        let program = program.clone();
        async move { program.send(method, path, &[("authorization", &bearer)], String::new()).await.status }
    };
    assert_eq!(ask(Method::GET, "/api/v1/search", bearer.clone()).await, StatusCode::OK);
    assert_eq!(ask(Method::POST, "/health/rezero", bearer.clone()).await, StatusCode::FORBIDDEN);
    assert_eq!(ask(Method::GET, "/api/v1/search", "Bearer 123".into()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        ask(Method::GET, "/api/v1/search", format!("Bearer {}", "0".repeat(64))).await,
        StatusCode::UNAUTHORIZED
    );
    admin.post("/people/token/end", &[("name", "mes"), ("reason", "no more")]).await;
    assert_eq!(ask(Method::GET, "/api/v1/search", bearer).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_signature_takes_the_password_again_and_says_what_it_means() {
    let house = console().await;
    let visitor = Visitor::new(&house, Some(Role::Quality)).await;
    let form = |password| [("meaning", "reviewed"), ("password", password), ("reason", "week 48")];
    assert_eq!(visitor.post("/audit/sign", &form("wrong wrong")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        visitor.post("/audit/sign", &[("meaning", "whatever"), ("password", PASSWORD)]).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(visitor.post("/audit/sign", &form(PASSWORD)).await.status, StatusCode::OK);
    let entries = visitor.get("/api/v1/audit").await.json();
    let (newest, before) = (&entries["entries"][0], &entries["entries"][1]);
    assert_eq!((&newest["what"], &newest["signature"]), (&"signed".into(), &"reviewed".into()));
    assert_eq!(newest["new"]["last"], before["n"]);
    assert_eq!(before["what"], "signature_failed");
}

#[tokio::test]
async fn a_log_that_was_changed_is_told_on_every_page() {
    let house = console().await;
    let visitor = Visitor::new(&house, Some(Role::Admin)).await;
    assert!(visitor.post("/audit/verify", &[]).await.text().contains("entries hold"));
    // Somebody with the file and SQLite's own tool.
    let file = rusqlite::Connection::open(house.folder.path().join("people.sqlite")).expect("a database");
    file.execute_batch(
        "DROP TRIGGER audit_stays; UPDATE audit SET entry = replace(entry, 'login', 'nogin') WHERE n = 1",
    )
    .expect("valid SQL");
    let found = visitor.get("/api/v1/audit/verify").await.json();
    assert_eq!(found["ok"], false, "{found}");
    for path in ["/", "/parts", "/audit", "/health"] {
        let html = visitor.get(path).await.text();
        assert!(
            html.contains("class=\"banner bad\"") && html.contains("The audit log was changed"),
            "{path}"
        );
    }
}
