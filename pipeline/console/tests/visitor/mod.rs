//! A console with people in it, and somebody who visits it: requests go straight to the router.

#![allow(dead_code)] // each suite uses its part

mod recipe_file;
pub(crate) mod shelf;

use argon2::{Argon2, PasswordHasher};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use http_body_util::BodyExt;
use jiff::Timestamp;
use plumb_console::{
    Command, Condition, Console, ConsoleConfig, Done, HealthItem, Kind, LivePicture, Order, RecipeSeen,
    Refused, Seen, ShiftCount, Snapshot, StationState, Watchers,
};
use plumb_inspection::{
    Finding, Findings, Image, PartId, PixelFormat, RectPx, Score, Stamp, Trigger, TriggerSource,
};
use plumb_ledger::{
    Ledger, LedgerConfig, PeopleBook, PictureJob, Record, RecordVerdict, Role, User, ViewRecord,
};
use plumb_study::{Design, Study, Word};
use recipe_file::RecipeFile;
use serde_json::Value;
use std::{
    path::Path,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};
use tokio::sync::{mpsc, watch};
use tower::ServiceExt;

pub(crate) const PASSWORD: &str = "correct horse battery";

static HASH: LazyLock<String> =
    LazyLock::new(|| Argon2::default().hash_password(PASSWORD.as_bytes()).expect("long enough").to_string());

/// A console, and the hands that feed it.
pub(crate) struct House {
    pub(crate) router: Router,
    pub(crate) console: Arc<Console>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) snapshots: watch::Sender<Arc<Snapshot>>,
    pub(crate) pictures: watch::Sender<Option<Arc<LivePicture>>>,
    pub(crate) watchers: Watchers,
    /// What the station was asked to do.
    pub(crate) orders: Arc<Mutex<Vec<(String, Command)>>>,
}

/// One with a user of each role, named like it.
pub(crate) async fn console() -> House {
    house(ConsoleConfig::default(), &Role::ALL)
}

/// One whose live page is open to all.
pub(crate) async fn open_console() -> House {
    house(ConsoleConfig { open_live_view: true, ..ConsoleConfig::default() }, &Role::ALL)
}

pub(crate) fn house(config: ConsoleConfig, roles: &[Role]) -> House {
    house_in(tempfile::tempdir().expect("temp folder"), config, roles)
}

pub(crate) fn house_in(folder: tempfile::TempDir, config: ConsoleConfig, roles: &[Role]) -> House {
    add_users(folder.path(), roles);
    add_parts(folder.path());
    add_study(folder.path());
    let (snapshots, snapshot) = watch::channel(Arc::new(snapshot()));
    let (pictures, live) = watch::channel(None);
    let (orders, mut ordered) = mpsc::channel::<Order>(8);
    let watchers = Watchers::default();
    let rules = Arc::new(RecipeFile::new(folder.path(), Duration::from_millis(50)));
    let ledger = folder.path().to_owned();
    let seen = Seen {
        snapshot,
        live,
        watchers: watchers.clone(),
        ledger,
        orders,
        rules,
        models: Arc::new(shelf::Shelf),
        calibrations: Arc::new(shelf::Shelf),
    };
    let done = Arc::new(Mutex::new(Vec::new()));
    let noted = done.clone();
    tokio::spawn(async move {
        while let Some(Order { by, command, answer }) = ordered.recv().await {
            let knows = !matches!(&command, Command::LoadRecipe { recipe } if recipe != "washer");
            noted.lock().expect("nobody panicked").push((by.name, command));
            let told = if knows {
                Ok(Done { says: "done".into(), from_part: None })
            } else {
                Err(Refused("there is no such recipe".into()))
            };
            let _ = answer.send(told);
        }
    });
    let console = Console::open(seen, config).console;
    House { router: console.router(), console, folder, snapshots, pictures, watchers, orders: done }
}

fn add_users(folder: &Path, roles: &[Role]) {
    let book = PeopleBook::new(folder);
    for role in roles {
        let user = User {
            name: role.as_str().into(),
            role: *role,
            password: HASH.clone(),
            must_change: false,
            active: true,
            since: Timestamp::now(),
        };
        // There already where a folder is opened again.
        let _ = book.add(&user);
    }
}

/// A serial as somebody would stick it on a part to see what happens.
pub(crate) const EVIL_SERIAL: &str = "<script>alert(1)</script>'; DROP TABLE records; --";

/// Part 1 failed and has a picture, part 2 passed, part 3 has an evil serial.
fn add_parts(folder: &Path) {
    if folder.join("ledger.sqlite").exists() {
        return;
    }
    let ledger = Ledger::open(folder, LedgerConfig { keep_pass_share: 1.0, ..LedgerConfig::default() });
    let ledger = ledger.expect("a new ledger");
    for (part, verdict) in [(1, RecordVerdict::Fail), (2, RecordVerdict::Pass), (3, RecordVerdict::Fail)] {
        let part = PartId::new(part).expect("not 0");
        let trigger = Trigger { part, source: TriggerSource::Plc, at: Stamp::now(), encoder: Some(7) };
        let mut record = Record::new(&trigger, verdict, "washer".into(), "station 3");
        record.serial = (part.get() == 3).then(|| EVIL_SERIAL.to_owned());
        let finding = Finding {
            class: "scratch".into(),
            score: Score::new(0.9).expect("finite"),
            box_px: RectPx::from([2.0, 3.0, 10.0, 5.0]),
            polygon_px: None,
            keypoints_px: None,
            area_px: 50.0,
            length_mm: None,
            area_mm2: None,
            region: "face".into(),
            model: "surface".into(),
        };
        let list = if verdict == RecordVerdict::Fail { vec![finding] } else { vec![] };
        let score = if verdict == RecordVerdict::Fail { 0.9 } else { 0.58 };
        let scores = vec![("surface".into(), "part".into(), Score::new(score).expect("finite"))];
        record.views =
            vec![ViewRecord::new("top".into(), 1, Findings { list, scores, ..Findings::default() })];
        let image = Image::packed(32, 24, PixelFormat::Gray8, vec![90; 32 * 24]).expect("packed");
        ledger.pictures().try_send(PictureJob::frame(&trigger, "top".into(), image)).expect("room");
        ledger.writer().try_send(record).expect("room");
    }
    ledger.close().expect("written");
}

/// Two people and four parts, nothing taken yet.
fn add_study(folder: &Path) {
    let studies = folder.join("studies");
    std::fs::create_dir_all(&studies).expect("a folder");
    let design = Design::Agreement {
        appraisers: vec!["ann".into(), "bob".into()],
        parts: vec!["1".into(), "2".into()],
        trials: 1,
        reference: [("1".to_owned(), Word::Good), ("2".to_owned(), Word::Bad)].into(),
    };
    // There already where a folder is opened again.
    drop(Study::plan("caps", design, 7).expect("it can tell something").create(&studies.join("caps.json")));
}

pub(crate) fn snapshot() -> Snapshot {
    let now = Timestamp::now();
    let kinds = [Kind::Camera, Kind::Model, Kind::Plc, Kind::Disk, Kind::Clock];
    Snapshot {
        at: now,
        station: "station 3".into(),
        version: "0.1.0".into(),
        state: StationState::Running,
        reasons: vec![],
        recipe: RecipeSeen {
            name: "washer".into(),
            number: 1,
            digest: "ab".repeat(32),
            edition: 1,
            deadline_ms: 60,
        },
        recipes: vec!["washer".into()],
        last: vec![],
        shift: ShiftCount { since: now, ..ShiftCount::default() },
        latency: None,
        health: kinds
            .map(|kind| HealthItem {
                kind,
                name: "one".into(),
                condition: Condition::Good,
                says: "works".into(),
                since: now,
            })
            .into(),
        challenge: None,
    }
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }
}

/// Somebody with a browser: keeps its session's cookie and its pages' token.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) router: Router,
    pub(crate) cookie: String,
    pub(crate) token: String,
    pub(crate) lang: &'static str,
}

impl Visitor {
    /// Logged in as the user of that role, or not at all.
    pub(crate) async fn new(house: &House, role: Option<Role>) -> Self {
        let mut visitor =
            Self { router: house.router.clone(), cookie: String::new(), token: String::new(), lang: "en" };
        if let Some(role) = role {
            let answer = visitor.login(role.as_str(), PASSWORD).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        }
        visitor
    }

    /// Fills in the form; on success the cookie and a page's token are kept.
    pub(crate) async fn login(&mut self, name: &str, password: &str) -> Answer {
        let form = format!("name={}&password={}&next=%2F", encoded(name), encoded(password));
        let answer = self.send(Method::POST, "/login", &[("origin", "http://station")], form).await;
        let cookie = answer.header("set-cookie");
        if answer.status == StatusCode::SEE_OTHER {
            self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
            let page = self.get("/password").await.text();
            let token =
                page.split("name=\"plumb-token\" content=\"").nth(1).and_then(|rest| rest.split('"').next());
            self.token = token.unwrap_or_default().to_owned();
        }
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], String::new()).await
    }

    /// A change, as a page of ours makes it.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let pairs: Vec<_> = form.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        let headers = [("x-plumb-token", self.token.as_str()), ("sec-fetch-site", "same-origin")];
        self.send(Method::POST, path, &headers, pairs.join("&")).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "station");
        request = request.header("cookie", format!("plumb_lang={}; {}", self.lang, self.cookie));
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("the router answers");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes().to_vec();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// Bytes on the wire of one address, compressed.
    pub(crate) async fn weight(&self, path: &str) -> usize {
        let answer = self.send(Method::GET, path, &[("accept-encoding", "gzip")], String::new()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("content-encoding"), "gzip", "{path}");
        answer.body.len()
    }
}

pub(crate) fn encoded(value: &str) -> String {
    value
        .bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}
