//! The Machine Vision server before foreign clients, encrypted: types, events, the whole state machine, roles, traps.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

mod little_server;
mod little_station;
mod peer;

use little_server::{introduce, pki};
use little_station::{PASSWORD, Served, users};
use peer::{ask, node, python};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

/// A scene's stage: a served station, and a client that it trusts.
struct Stage {
    served: Served,
    _folder: tempfile::TempDir,
    client: plumb_opcua::security::Pki,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let client = pki(folder.path(), "client");
        let served = Served::start(folder.path(), users());
        introduce(&served.pki, &client);
        Self { served, _folder: folder, client }
    }

    fn wanted(&self, user: &str, scene: &str) -> Value {
        let own = self.client.own().unwrap().unwrap();
        json!({
            "url": self.served.url(), "uri": own.certificate.application_uri, "policy": "Basic256Sha256",
            "certificate": own.certificate_path, "key": own.key_path, "user": user, "password": PASSWORD,
            "scene": scene,
        })
    }

    /// What asyncua saw; `None` where there is no asyncua.
    fn play(&self, user: &str, scene: &str) -> Option<Value> {
        Some(ask(python()?, "machine_vision.py", &self.wanted(user, scene)))
    }
}

fn column(rows: &Value, at: usize) -> Vec<Value> {
    rows.as_array().unwrap().iter().map(|row| row[at].clone()).collect()
}

fn kinds(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

/// Without the encodings on import, and with the namespace's own TrimmedString, values stay bytes.
#[test]
fn trap_asyncua_loads_every_type_and_reads_results_and_events_decoded() {
    let stage = Stage::new();
    let Some(said) = stage.play("anna", "types") else { return };
    for (name, loaded) in said["loaded"].as_object().unwrap() {
        assert_eq!(loaded, true, "{name}");
    }
    let latest = &said["latest"];
    assert_eq!(latest["type"], "ResultDataType", "{said:#}");
    assert_eq!(latest["PartId"], json!({ "type": "PartIdDataType", "Id": "p-2", "Description": null }));
    assert_eq!(latest["MeasId"]["Id"], "m-2");
    assert_eq!(latest["ProductId"], Value::Null, "what is not there is not sent");
    assert_eq!(latest["ResultContent"], json!([1, "pass", ["part 2 is as it is"], "SN0002"]));
    assert_eq!(latest["InternalRecipeId"]["Id"], "washer");
    assert_eq!(latest["ProcessingTimes"]["ProcessingDuration"], 6.0);
    assert_eq!(said["part"]["Id"], "p-2");
    assert_eq!(said["configuration"]["InternalId"]["Id"], "little station");
    assert_eq!(said["system_state"]["State"], 1);

    let event = &said["event"];
    assert_eq!(event["kind"], "ResultReady");
    assert_eq!(event["PartId"]["Id"], "p-2");
    assert_eq!(event["ResultContent"], json!([1, "pass", ["part 2 is as it is"], "SN0002"]));
    assert_eq!(event["ProcessingTimes"]["type"], "ProcessingTimesDataType");
    assert_eq!(event["ExternalRecipeId"], Value::Null, "an optional field is null, not zero");
    assert_eq!(event["ResultId"], latest["ResultId"]);
    assert_eq!(event["JobId"], latest["JobId"]);
}

#[test]
fn node_opcua_starts_a_job_and_reads_its_event_and_result_decoded() {
    let stage = Stage::new();
    let Some(peer) = node() else { return };
    let said = ask(peer, "machine_vision.js", &stage.wanted("anna", "job"));
    assert_eq!((&said["called"], &said["error"]), (&json!("Good"), &json!(0)), "{said:#}");
    assert_eq!(said["event"]["PartId"]["id"], "p-node", "{said:#}");
    assert_eq!(said["event"]["JobId"]["id"], said["job"]);
    assert_eq!(said["event"]["ProcessingTimes"]["processingDuration"], 6.0);
    assert_eq!(said["latest"]["resultId"], said["event"]["ResultId"]);
    let content: Vec<&Value> =
        said["latest"]["resultContent"].as_array().unwrap().iter().map(|element| &element["value"]).collect();
    assert_eq!(content, [&json!(1), &json!("pass"), &json!(["part 1 is as it is"]), &json!("SN0001")]);
}

#[test]
fn the_whole_state_machine_is_walked_by_methods_and_wrong_calls_change_nothing() {
    let stage = Stage::new();
    let Some(said) = stage.play("emil", "walk") else { return };
    let (ready, initialized) = (json!("Ready"), json!("Initialized"));
    let inactive = json!("BadStateNotActive");
    let rows = json!([
        ["StartSingleJob", 0, "Operational", ready],
        ["StartSingleJob", -5, "Operational", ready], // bolt is not prepared
        ["StartContinuous", 0, "Operational", "ContinuousExecution"],
        ["StartSingleJob", -1, "Operational", "ContinuousExecution"],
        ["SelectModeAutomatic", -1, "Operational", "ContinuousExecution"],
        ["Stop", 0, "Operational", ready],
        ["Abort", -1, "Operational", ready],
        ["UnprepareRecipe", 0, "Operational", initialized],
        ["StartSingleJob", -1, "Operational", initialized],
        ["PrepareRecipe", 0, "Operational", ready],
        ["PrepareRecipe", -2, "Operational", ready], // no such recipe
        ["PrepareRecipe", -3, "Operational", ready], // another hash
        ["PrepareRecipe", -4, "Operational", ready], // it has problems
        ["PrepareRecipe", 0, "Operational", ready],
        ["Halt", 0, "Halted", inactive],
        ["StartSingleJob", -1, "Halted", inactive],
        ["SelectModeAutomatic", -1, "Halted", inactive],
        ["Reset", 0, "Preoperational", inactive],
        ["SelectModeAutomatic", 0, "Operational", ready],
        ["StartContinuous", 0, "Operational", "ContinuousExecution"],
        ["Abort", 0, "Operational", ready],
    ]);
    assert_eq!(said["steps"], rows, "{:#}", said["steps"]);

    let events = &said["events"];
    let changes = events.as_array().unwrap().iter().filter(|event| event["kind"] == "StateChanged");
    let transitions: Vec<(&Value, &Value)> =
        changes.map(|event| (&event["Transition"], &event["Transition/Id"])).collect();
    let expected = [
        ("ReadyToSingleExecution", 5064),
        ("SingleExecutionToReadyAuto", 5070),
        ("ReadyToContinuousExecution", 5066),
        ("ContinuousExecutionToReadyStop", 5071),
        ("ReadyToInitializedRecipe", 5062),
        ("InitializedToReadyRecipe", 5060),
        ("OperationalToHalted", 5049),
        ("HaltedToPreoperational", 5037),
        ("PreoperationalToOperational", 5253),
        ("InitializedToReadyAuto", 5061),
        ("ReadyToContinuousExecution", 5066),
        ("ContinuousExecutionToReadyAbort", 5072),
    ];
    let expected = expected.map(|(name, node)| (json!(name), json!(format!("ns=2;i={node}"))));
    let expected: Vec<(&Value, &Value)> = expected.iter().map(|(name, node)| (name, node)).collect();
    assert_eq!(transitions, expected, "{:?}", kinds(events));
    let first: Vec<&str> = kinds(events).into_iter().take(6).collect();
    assert_eq!(
        first,
        ["JobStarted", "StateChanged", "AcquisitionDone", "ResultReady", "Ready", "StateChanged"]
    );
    let prepared = events.as_array().unwrap().iter().filter(|event| event["kind"] == "RecipePrepared");
    let prepared: Vec<&Value> = prepared.map(|event| &event["InternalId"]["Id"]).collect();
    assert_eq!(prepared, ["washer", "bolt"]);
    let jobs = events.as_array().unwrap().iter().filter(|event| event["kind"] == "Ready");
    assert_eq!(jobs.filter(|event| event["JobId"]["Id"] != "").count(), 3);
}

#[test]
fn each_role_may_call_what_is_its_and_nothing_else() {
    let reads = [
        "GetRecipeListFiltered",
        "ReleaseRecipeHandle",
        "GetResultById",
        "GetResultComponentsById",
        "GetResultListFiltered",
        "ReleaseResultHandle",
        "GetConfigurationById",
        "GetConfigurationList",
        "ReleaseConfigurationHandle",
    ];
    let engineers = ["Reset", "Halt", "ActivateConfiguration"];
    let stage = Stage::new();
    for (user, may_run, may_change) in [("olga", false, false), ("anna", true, false), ("emil", true, true)] {
        let Some(said) = stage.play(user, "roles") else { return };
        for (method, outcome) in said.as_object().unwrap() {
            let may = match method.as_str() {
                method if reads.contains(&method) => true,
                method if engineers.contains(&method) => may_change,
                _ => may_run,
            };
            assert_eq!(outcome != "BadUserAccessDenied", may, "{user} {method}: {outcome}");
        }
        assert_eq!(said.as_object().unwrap().len(), 22, "every method is asked");
    }
}

#[test]
fn results_recipes_and_configurations_are_found_by_their_methods() {
    let stage = Stage::new();
    let Some(said) = stage.play("emil", "results") else { return };
    let parts = |answer: &Value| {
        let results = answer[3].as_array().unwrap();
        results.iter().map(|result| result["PartId"]["Id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = &said["all"];
    assert_eq!((&all[0], &all[1], &all[4]), (&json!(true), &json!(6), &json!(0)));
    assert_eq!(parts(all), ["p-6", "p-5", "p-4", "p-3", "p-2", "p-1"], "newest first");
    let evaluations: Vec<&Value> =
        all[3].as_array().unwrap().iter().map(|result| &result["ResultContent"][0]).collect();
    assert_eq!(evaluations, [2, 3, 1, 2, 1, 1], "a missed part is not decidable, and never OK");
    assert_eq!((parts(&said["two"]), &said["two"][0]), (vec!["p-4".to_owned(), "p-3".into()], &json!(false)));
    assert_eq!(parts(&said["failed"]), ["p-5"]);
    assert_eq!(parts(&said["p-3"]), ["p-3"]);
    assert_eq!(said["by_id"][1], all[3][0]);
    let components = &said["components"];
    assert_eq!(components.as_array().unwrap().len(), 17);
    assert_eq!((&components[6]["Id"], &components[15][0]), (&json!("p-6"), &json!(2)));
    assert_eq!((&said["unknown"][1], &said["unknown"][2]), (&Value::Null, &json!(-7)));
    assert_eq!((&said["released"], &said["again"]), (&json!([0]), &json!([-9])));
    let recipes = said["recipes"][3].as_array().unwrap();
    assert_eq!(
        recipes.iter().map(|recipe| recipe["Id"].as_str().unwrap()).collect::<Vec<_>>(),
        ["washer", "bolt", "broken", "fuse"]
    );
    assert_eq!(recipes[0]["Version"], "7");
    assert_eq!(column(&said["prepared"][3], 0).len(), 1);
    assert_eq!(said["configurations"][3][0]["InternalId"]["Id"], "little station");
    assert_eq!((&said["activated"], &said["other"]), (&json!([0]), &json!([-8])));
}

/// The library's comparison knows numbers only, so that asyncua's default subscription would hear nothing.
#[test]
fn trap_a_default_event_filter_hears_what_it_asks_for() {
    let stage = Stage::new();
    let Some(said) = stage.play("anna", "filters") else { return };
    assert_eq!(said["default"], json!(["ResultReady"]), "EventType in a list of node ids");
    assert_eq!(said["texts"], json!(["ResultReady"]), "SourceName equals a text");
    assert_eq!(said["nothing"], json!([]));
    assert_eq!(said["server"], json!(["ResultReady"]), "the server's own object hears it too");
}

/// The library's own limit is ten events a client, and what is over it is dropped without a word.
#[test]
fn trap_a_burst_of_parts_reaches_a_client_whole_and_in_order() {
    let stage = Stage::new();
    let Some(said) = stage.play("anna", "burst") else { return };
    let expected: Vec<String> = (1..=100).map(|part: u32| part.to_string()).collect();
    assert_eq!(said, json!(expected));
}

#[test]
fn a_fault_is_a_condition_until_somebody_has_seen_and_confirmed_it() {
    let stage = Stage::new();
    let Some(told) = stage.play("anna", "conditions") else { return };
    assert_eq!(told["early"], "BadInvalidState", "{told:#}");
    assert_eq!(told["acknowledged"], json!([null]), "{told:#}");
    assert_eq!(told["twice"], "BadConditionBranchAlreadyAcked");
    assert_eq!(told["unknown"], "BadEventIdUnknown");
    assert_eq!(told["retain"], true);
    assert_eq!(
        (&told["by_type_twice"], &told["by_type"]),
        (&json!("BadConditionBranchAlreadyAcked"), &json!("Good"))
    );
    assert_eq!(told["of_no_condition"], "BadNodeIdUnknown");
    assert_eq!((&told["refreshed"], &told["marked"]), (&json!("Good"), &json!("Good")));
    assert_eq!(told["of_others"], "BadSubscriptionIdInvalid");
    assert_eq!((&told["name"], &told["children"]), (&json!("Confirm"), &json!(5)), "they are read as ever");
    assert_eq!(told["marks"], json!(["2787", "2788"]));
    assert_eq!(
        told["late"][0], told["events"][1],
        "who comes late hears what was told last, under its own id"
    );
    let last = told["events"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["AckedState/Id"], &last["ConfirmedState/Id"], &last["Retain"]),
        (&json!(true), &json!(true), &json!(true))
    );
    assert_eq!(last["ClientUserId"], "anna");
    assert_eq!(last["Comment"], "I am on it");
    assert_eq!(told["states"][0], "Error");
    assert!(stage.served.station.confirmed.lock().unwrap()[0].contains("anna"));
}

#[test]
fn node_opcua_finds_acknowledges_and_confirms_a_fault_as_alarm_panels_do() {
    let stage = Stage::new();
    let Some(peer) = node() else { return };
    let said = ask(peer, "machine_vision.js", &stage.wanted("anna", "alarms"));
    let told = |acked: bool, confirmed: bool| {
        let node = "ns=4;s=VisionSystem/PersistentError";
        json!([{ "name": "PersistentError", "acked": acked, "confirmed": confirmed, "node": node }])
    };
    assert_eq!(said["told"], told(false, false));
    assert_eq!(said["acknowledged"], told(true, false));
    assert_eq!(said["confirmed"], told(true, true), "it is still broken, so it is still there");
}

#[test]
fn trap_a_method_that_panics_costs_its_caller_one_call_and_not_the_connection() {
    let stage = Stage::new();
    stage.served.station.panics.store(true, Ordering::Relaxed);
    let Some(said) = stage.play("anna", "panics") else { return };
    assert_eq!(
        said,
        json!({ "panicked": "BadInternalError", "then": 0, "states": ["Operational", "Ready"] })
    );
}

#[test]
fn a_stopped_server_listens_no_more() {
    let stage = Stage::new();
    let address = stage.served.server.as_ref().unwrap().address();
    drop(stage);
    assert!(std::net::TcpListener::bind(address).is_ok());
}
