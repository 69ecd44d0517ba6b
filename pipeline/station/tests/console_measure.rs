//! Charts of a running station's parts, and a stored picture under another recipe, through the console's own addresses.

mod workshop;

use jiff::{SignedDuration, Timestamp};
use plumb_capture::{LineCamera, LineExposure};
use plumb_inspection::{Image, PixelFormat};
use plumb_ledger::{PeopleBook, Query, Reader, Record, RecordVerdict, Role, Token};
use plumb_station::{
    config,
    station::{Station, Wiring},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use workshop::{RECIPE, Workshop, wait_until};

const STATION: &str = r#"
[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "bottle"
data = "data"

[[camera]]
id = "top"
source = { kind = "line" }

[trigger]
kind = "api"

[ledger]
keep_pass_share = 1.0

[line]
"#;

/// The same bottles; whatever the model sees in them is too much.
const STRICT: &str = r#"
[recipe]
name = "strict"
number = 2
deadline_ms = 2000

[[model]]
name = "boxes"
card = "../model.toml"

[[region]]
name = "whole"
model = "boxes"

[[rule]]
name = "nothing"
kind = "absence"
region = "whole"
score_min = 0.3
"#;

const PARTS: u64 = 60;

/// Every fifth picture is dark: no bottle.
#[derive(Default)]
struct Eye(AtomicU64);

impl LineCamera for Eye {
    fn expose(&self) -> Option<LineExposure> {
        let frame_id = self.0.fetch_add(1, Relaxed) + 1;
        let grey = if frame_id.is_multiple_of(5) { 0 } else { 255 };
        let image = Image::packed(320, 240, PixelFormat::Bgr8, vec![grey; 320 * 240 * 3]).expect("a picture");
        Some(LineExposure { image, frame_id })
    }
}

#[test]
fn parts_of_a_running_station_are_charted_and_a_picture_is_judged_again_by_another_recipe() {
    let workshop = Workshop::new(STATION, RECIPE);
    workshop.write("recipes/strict.toml", STRICT);
    let secret = "5c".repeat(32);
    let digest = Sha256::digest(&secret).iter().map(|byte| format!("{byte:02x}")).collect();
    let until = Timestamp::now() + SignedDuration::from_hours(1);
    let (name, by) = ("qa".to_owned(), "test".to_owned());
    let token = Token { digest, name, role: Role::Quality, by, made: Timestamp::now(), until };
    let data = workshop.path("data");
    PeopleBook::new(&data).keep_token(&token).expect("a new folder");
    let plan = config::read(&workshop.path("station.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    let wiring = Wiring { line: Some(Arc::new(Eye::default())), ..Wiring::default() };
    let station = Station::start(plan, wiring).unwrap_or_else(|error| panic!("{error}"));
    wait_until("the station", Duration::from_secs(20), || station.condition().is_ready());
    let address = station.address.expect("HTTP");
    for n in 1..=PARTS {
        station.trigger();
        wait_until("its answer", Duration::from_secs(20), || station.metrics.records.get() >= n);
    }
    let reader = Reader::new(&data);
    wait_until("the records", Duration::from_secs(20), || {
        reader.count(&Query::default()).is_ok_and(|count| count == PARTS)
    });

    let agent =
        ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
    let bearer = format!("Bearer {secret}");
    let get = |path: &str| -> (u16, Value) {
        let request = agent.get(format!("http://{address}{path}")).header("authorization", &bearer);
        let mut answer = request.call().expect("HTTP");
        (answer.status().as_u16(), answer.body_mut().read_json().expect("JSON"))
    };
    let (status, charts) = get("/api/v1/charts?recipe=bottle&sample=10");
    assert_eq!(status, 200, "{charts}");
    let process = &charts["process"];
    assert_eq!((&process["parts"], &process["rejects"]), (&PARTS.into(), &(PARTS / 5).into()), "{charts}");
    assert_eq!(process["pareto"][0]["name"], "bottle-there", "{charts}");
    let (status, refused) = get("/api/v1/charts?recipe=bottle&rule=nonsense");
    assert!(status == 404 && refused.to_string().contains("nonsense"), "{refused}");
    let (status, refused) = get("/api/v1/charts?recipe=bottle&size=nonsense");
    assert!(status == 404 && refused.to_string().contains("nonsense"), "{refused}");

    let has_picture = |record: &Record| record.verdict == RecordVerdict::Pass && !record.pictures.is_empty();
    let passed = || {
        let found = reader.find(&Query { limit: Some(100), ..Query::default() }).expect("readable");
        found.into_iter().find(has_picture)
    };
    wait_until("a picture", Duration::from_secs(20), || passed().is_some());
    let passed = passed().expect("it was there");
    let replay = |recipe: &str| {
        let path = format!("http://{address}/parts/{}/replay", passed.part_id);
        let form = format!("at={}&recipe={recipe}", passed.triggered_at.as_microsecond());
        let request = agent.post(path).header("authorization", &bearer);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let mut answer = request.send(form).expect("HTTP");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
    };
    let (status, same) = replay("bottle");
    assert!(status == 200 && same.matches("verdict-pass").count() >= 4, "{status} {same}");
    let (status, other) = replay("strict");
    assert!(status == 200 && other.contains("verdict-fail") && other.contains("nothing"), "{status} {other}");
    let (status, none) = replay("none");
    assert!(status == 409 && none.contains("there is no recipe"), "{status} {none}");
    // The line went on as if nothing had been.
    assert!(station.condition().is_ready());
    assert_eq!(station.metrics.triggers(), PARTS);
    station.stop().unwrap_or_else(|error| panic!("{error}"));
}
