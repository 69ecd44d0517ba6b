//! The lifecycle of models as people and scripts see it: `plumb model` and HTTP, beside a real station.

mod workshop;

use plumb_inspection::{PartId, Stamp, Trigger, TriggerSource};
use plumb_ledger::{LivePlace, ModelBook, ModelRecord, ModelState, NewModel, RecordVerdict, ShadowRecord};
use plumb_verdict::Verdict;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    process::{Command, Output},
    time::Duration,
};
use workshop::{RECIPE, Workshop, wait_until};

const STATION: &str = r#"
[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "bottle"

[[camera]]
id = "top"
source = { kind = "pipeline", launch = "videotestsrc is-live=true pattern=white ! video/x-raw,format=BGR,width=32,height=32,framerate=30/1" }

[trigger]
kind = "api"
"#;

fn plumb(workshop: &Workshop, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(args)
        .current_dir(workshop.path(""))
        .env("NO_COLOR", "1")
        .env("USER", "ann")
        .output()
        .expect("plumb runs")
}

fn promote(workshop: &Workshop, model: &str, to: &str) -> (i32, String) {
    let output = plumb(workshop, &["model", "promote", model, "--to", to, "--why", "as planned"]);
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().expect("an exit code"), says)
}

fn list(workshop: &Workshop) -> Vec<Value> {
    let output = plumb(workshop, &["model", "list", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(document["schema"], "plumb.model_list/1");
    document["models"].as_array().expect("models").clone()
}

fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let mut answer =
        ureq::Agent::new_with_config(config).get(format!("http://{address}{path}")).call().expect("HTTP");
    (answer.status().as_u16(), answer.body_mut().read_json().expect("JSON"))
}

fn book(workshop: &Workshop) -> ModelBook {
    ModelBook::new(&workshop.path("data"))
}

fn new(start: &str) -> NewModel {
    NewModel { digest: format!("{start:0<64}"), name: "next".into(), family: None, about: None }
}

/// The digest of the workshop's model.
fn digest(workshop: &Workshop) -> String {
    list(workshop)[0]["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn a_model_is_led_to_live_with_no_station_running_and_the_list_tells_each_step() {
    let workshop = Workshop::new(STATION, RECIPE);
    let models = list(&workshop);
    assert_eq!((models.len(), &models[0]["state"]), (1, &Value::Null));
    assert_eq!(models[0]["named_by"], json!([{ "recipe": "bottle", "name": "detector-yolo-v8" }]));
    assert!(!workshop.path("data").exists(), "to look makes no ledger");
    let digest = digest(&workshop);
    // By the digest's first digits, or by its card.
    for (model, to) in [("model.toml", "shadow"), (&digest[..8], "approved"), (&digest[..], "live")] {
        let (code, says) = promote(&workshop, model, to);
        assert_eq!(code, 0, "{says}");
        assert!(says.contains(&format!("is {to} now, by ann")), "{says}");
        assert_eq!(list(&workshop)[0]["state"], to);
    }
    let told = &list(&workshop)[0];
    assert_eq!((&told["by"], &told["why"]), (&json!("ann"), &json!("as planned")));
    assert_eq!((&told["live_in"], &told["family"]), (&told["named_by"], &json!("detector")));
    let output = plumb(&workshop, &["model", "list"]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = table.lines().nth(1).expect("a model");
    for word in ["detector-yolo-v8", &digest[..12], "live", "ann", "bottle"] {
        assert!(row.contains(word), "{table}");
    }
    let (code, says) = promote(&workshop, &digest, "retired");
    assert_eq!(code, 0, "{says}");
    assert!(says.contains("recipe \"bottle\" names it still"), "{says}");
}

#[test]
fn what_cannot_be_done_is_refused_with_the_way_and_its_exit_code() {
    let workshop = Workshop::new(STATION, RECIPE);
    let digest = digest(&workshop);
    let (code, says) = promote(&workshop, &digest, "live");
    assert_eq!(code, 5);
    assert!(
        says.contains("is draft and cannot become live; the way is draft → shadow → approved → live"),
        "{says}"
    );
    for (model, says_so) in [
        ("0000", "there is no model 0000"),
        ("caps", "\"caps\" is no digest"),
        ("nowhere.toml", "nowhere.toml cannot be read"),
    ] {
        let (code, says) = promote(&workshop, model, "shadow");
        assert!(code == 5 && says.contains(says_so), "{model}: {code} {says}");
    }
    for start in ["abcd1", "abcd2"] {
        book(&workshop).register(&new(start), "test").expect("written");
    }
    let (code, says) = promote(&workshop, "abcd", "shadow");
    assert!(code == 5 && says.contains("abcd10000000, \"next\" abcd20000000; give more digits"), "{says}");
    let (code, says) = promote(&workshop, &digest, "lief");
    assert!(code == 2 && says.contains("draft, shadow, approved, live, retired"), "{code} {says}");
    let output = plumb(&workshop, &["model", "promote", &digest, "--to", "shadow"]);
    assert_eq!(output.status.code(), Some(2), "no reason given");
    let output = plumb(&workshop, &["model", "promote", &digest, "--to", "shadow", "--why", "x", "--by", ""]);
    assert_eq!(output.status.code(), Some(2), "nobody signs");
    workshop.write("ledger-here", "a file where the data folder should be");
    workshop.write("station.toml", &STATION.replace("recipe =", "data = \"ledger-here\"\nrecipe ="));
    assert_eq!(promote(&workshop, &digest, "shadow").0, 4);
    workshop.write("station.toml", "[station]\n");
    assert_eq!(promote(&workshop, &digest, "shadow").0, 3);
}

#[test]
fn beside_a_running_station_a_model_changes_and_http_tells_it_with_its_history() {
    let workshop = Workshop::new(STATION, RECIPE);
    let (station, _records) = workshop.start();
    let address = station.address.expect("HTTP is served");
    let loaded = &get(address, "/api/v1/models").1["models"][0];
    let digest = loaded["digest"].as_str().expect("a digest").to_owned();
    assert_eq!((&loaded["loaded"], &loaded["family"]), (&json!(true), &json!("detector")));
    assert_eq!((&loaded["asked"], &loaded["provider"]), (&json!("auto"), &json!("cpu")));
    assert!(loaded["why"].as_str().is_some_and(|why| !why.is_empty()), "{loaded:#}");
    assert!(loaded["warm_up_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{loaded:#}");

    wait_until("the camera", Duration::from_secs(20), || station.condition().is_ready());
    let parts: Vec<PartId> = (0..5).map(|_| station.trigger()).collect();
    for start in ["abcd1", "abcd2"] {
        book(&workshop).register(&new(start), "test").expect("written beside the station");
    }
    let (code, says) = promote(&workshop, "abcd1", "shadow");
    assert_eq!(code, 0, "{says}");
    wait_until("the records", Duration::from_secs(10), || station.metrics.records.get() == 5);
    assert_eq!(station.ledger().stats().refused + station.ledger().stats().lost, 0);

    let model = ModelRecord { name: "next".into(), digest: new("abcd1").digest, provider: "cpu".into() };
    for (part, machine) in parts.iter().zip([RecordVerdict::Pass, RecordVerdict::Fail, RecordVerdict::Late]) {
        let trigger = Trigger { part: *part, source: TriggerSource::Api, at: Stamp::now(), encoder: None };
        let verdict = (Verdict::from_objections(vec![]), vec![]);
        let took = Duration::from_micros(800);
        let record = ShadowRecord::judged(&trigger, "bottle".into(), model.clone(), machine, verdict, took);
        station.ledger().shadows().try_send(record).expect("room");
    }
    wait_until("the shadow records", Duration::from_secs(10), || {
        station.ledger().stats().shadows_committed == 3
    });
    let models = get(address, "/api/v1/models").1["models"].as_array().expect("models").clone();
    let find = |digest: &str| models.iter().find(|model| model["digest"] == digest).expect("listed");
    assert_eq!(find(&digest)["loaded"], json!(true));
    let shadow = find(&new("abcd1").digest);
    assert_eq!((&shadow["loaded"], &shadow["state"]), (&json!(false), &json!("shadow")));
    assert_eq!(shadow["by"], "ann");
    let account = &shadow["shadow"];
    assert_eq!((&account["seen"], &account["agreements"]), (&json!(3), &json!(1)));
    assert_eq!((&account["would_pass_where_failed"], &account["not_compared"]), (&json!(1), &json!(1)));
    assert_eq!(account["disagreement_rate"]["share"], 0.5);
    assert_eq!(find(&new("abcd2").digest)["shadow"], Value::Null);

    let (status, one) = get(address, "/api/v1/models/abcd1");
    assert_eq!((status, &one["schema"], &one["model"]), (200, &json!("plumb.model/1"), shadow));
    let history = one["history"].as_array().expect("history");
    assert_eq!((history.len(), &history[0]["from"], &history[1]["from"]), (2, &Value::Null, &json!("draft")));
    assert_eq!((&history[1]["to"], &history[1]["why"]), (&json!("shadow"), &json!("as planned")));

    let of = |query: &str| get(address, &format!("/api/v1/shadow{query}"));
    let told = of("?model=abcd1&limit=2").1["shadows"].as_array().expect("shadows").clone();
    assert_eq!((told.len(), &told[0]["part_id"]), (2, &json!(parts[2].get())), "newest first");
    let told = of("?disagreements=true").1["shadows"].as_array().expect("shadows").clone();
    assert_eq!((told.len(), &told[0]["machine"], &told[0]["agrees"]), (1, &json!("fail"), &json!(false)));
    assert_eq!(told[0]["schema"], "plumb.shadow/1");
    for (path, status, says) in [
        ("/api/v1/models/abcd", 400, "several models begin with abcd"),
        ("/api/v1/models/xyz", 400, "is no digest"),
        ("/api/v1/models/0000", 404, "there is no model 0000"),
        ("/api/v1/shadow?model=0000", 404, "there is no model 0000"),
        ("/api/v1/shadow?limit=many", 400, "limit"),
        ("/api/v1/shadow?disagreements=perhaps", 400, "disagreements"),
        ("/api/v1/shadow?colour=red", 400, "colour"),
    ] {
        let (got, told) = get(address, path);
        assert!(got == status && told.to_string().contains(says), "{path}: {got} {told}");
    }
    let shown = list(&workshop).into_iter().find(|model| model["digest"] == new("abcd1").digest);
    assert_eq!(shown.expect("listed")["shadow"]["disagreements"], 1);
    station.stop().expect("the ledger closes");
}

#[test]
fn an_approved_model_goes_live_in_every_recipe_that_names_it_and_the_older_version_steps_back() {
    let workshop = Workshop::new(STATION, RECIPE);
    let second = RECIPE.replace("name = \"bottle\"\nnumber = 1", "name = \"jar\"\nnumber = 2");
    workshop.write("recipes/jar.toml", &second);
    let (book, digest) = (book(&workshop), digest(&workshop));
    let place = |recipe: &str| LivePlace { recipe: recipe.into(), name: "detector-yolo-v8".into() };
    let old = vec![("detector-yolo-v8".into(), new("abcd1").digest)];
    book.put_live(&"bottle".into(), &old, "station.toml").expect("written");
    for to in ["shadow", "approved", "live"] {
        let (code, says) = promote(&workshop, "model.toml", to);
        assert_eq!(code, 0, "{says}");
    }
    let entry = book.get(&digest).expect("readable").expect("known");
    assert_eq!(entry.live_in, [place("bottle"), place("jar")]);
    let old = book.get(&new("abcd1").digest).expect("readable").expect("known");
    assert_eq!((old.state, old.by.as_str()), (ModelState::Approved, "ann"));
    let (code, says) = promote(&workshop, "abcd1", "live");
    assert!(code == 5 && says.contains("named by no recipe"), "{code} {says}");
}
