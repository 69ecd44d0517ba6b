//! Our server before foreign clients: asyncua and node-opcua, every policy and token, and everybody who must not get in.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

mod little_server;
mod peer;

use little_server::{LittleServer, NAMESPACE, introduce, pki};
use peer::{ask, certificate, node, python};
use plumb_opcua::security::{Certificate, OpcUaServerConfig, Pki, Policy, Role, UserConfig, hash_password};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

const PASSWORD: &str = "korrekt pferd batterie";

/// olga looks, anna runs the line by password or certificate, emil changes things.
fn config(policies: &[Policy], anna: Option<&Path>) -> OpcUaServerConfig {
    let hash = hash_password(PASSWORD).unwrap();
    let user = |name: &str, role| UserConfig {
        name: name.into(),
        role,
        password: Some(hash.clone()),
        certificate: None,
    };
    let mut users =
        vec![user("olga", Role::Observer), user("anna", Role::Operator), user("emil", Role::Engineer)];
    users[1].certificate = anna.map(|path| Certificate::read(path).unwrap().thumbprint);
    OpcUaServerConfig {
        security: plumb_opcua::security::ServerSecurity::Encrypted(policies.to_vec()),
        users,
        ..OpcUaServerConfig::default()
    }
}

/// What every client is told: where, as which application, what to call.
fn wanted(server: &LittleServer, client: &Pki, policy: Policy) -> Value {
    let own = client.own().unwrap().unwrap();
    json!({
        "url": server.url(), "uri": own.certificate.application_uri, "namespace": NAMESPACE,
        "policy": policy.as_str(), "certificate": own.certificate_path, "key": own.key_path,
        "calls": ["WhoAmI", "Start", "Save"],
    })
}

fn with(mut wanted: Value, more: Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        wanted[key] = value.clone();
    }
    wanted
}

fn as_user(name: &str) -> Value {
    json!({ "user": name, "password": PASSWORD })
}

/// A peer, how it is started, and its script.
type Foreign = (&'static str, fn() -> Option<Command>, &'static str);
const CLIENTS: [Foreign; 2] =
    [("asyncua", python, "asyncua_client.py"), ("node-opcua", node, "node_client.js")];

#[test]
fn every_policy_takes_a_password_and_a_certificate_from_foreign_clients() {
    let folder = tempfile::tempdir().unwrap();
    let Some((der, key)) = certificate(folder.path(), "anna", json!({})) else { return };
    let (station, client) = (pki(folder.path(), "station"), pki(folder.path(), "client"));
    introduce(&station, &client);
    let server = LittleServer::start(config(&Policy::ALL, Some(&der)), &station);
    for (name, start, script) in CLIENTS {
        for policy in Policy::ALL {
            let by_certificate = json!({ "user_certificate": der, "user_key": key });
            for (token, login) in [("password", as_user("anna")), ("certificate", by_certificate)] {
                let Some(peer) = start() else { continue };
                let said = ask(peer, script, &with(wanted(&server, &client, policy), login));
                let what = format!("{name}, {policy}, {token}: {said}");
                assert_eq!(said["connected"], true, "{what}");
                assert_eq!(said["calls"]["WhoAmI"], json!(["anna", "operator"]), "{what}");
                assert_eq!(said["calls"]["Start"], json!(["anna", "operator"]), "{what}");
                assert_eq!(said["calls"]["Save"], "BadUserAccessDenied", "{what}");
                assert_eq!(said["count"], 0, "{what}");
            }
        }
    }
}

#[test]
fn each_role_may_call_and_write_what_is_its_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (station, client) = (pki(folder.path(), "station"), pki(folder.path(), "client"));
    introduce(&station, &client);
    let server = LittleServer::start(config(&Policy::DEFAULT, None), &station);
    let rows = [
        ("olga", [true, false, false], "BadUserAccessDenied"),
        ("anna", [true, true, false], "BadUserAccessDenied"),
        ("emil", [true, true, true], "Good"),
    ];
    for (user, may, written) in rows {
        let Some(peer) = python() else { return };
        let wanted = with(wanted(&server, &client, Policy::Basic256Sha256), as_user(user));
        let said = ask(peer, "asyncua_client.py", &wanted);
        let called = ["WhoAmI", "Start", "Save"].map(|method| said["calls"][method] != "BadUserAccessDenied");
        assert_eq!(called, may, "{user}: {said}");
        assert_eq!(said["written"], written, "{user}: {said}");
    }
}

#[test]
fn who_must_not_get_in_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let Some((stranger, stranger_key)) = certificate(folder.path(), "stranger", json!({})) else { return };
    let Some((anna, _)) = certificate(folder.path(), "anna", json!({})) else { return };
    let (station, client) = (pki(folder.path(), "station"), pki(folder.path(), "client"));
    introduce(&station, &client);
    let server = LittleServer::start(config(&Policy::DEFAULT, Some(&anna)), &station);
    let rows = [
        ("wrong password", json!({ "user": "anna", "password": "falsches pferd" })),
        ("no such user", json!({ "user": "otto", "password": PASSWORD })),
        ("unknown user certificate", json!({ "user_certificate": stranger, "user_key": stranger_key })),
        // The right certificate with another's key proves nothing.
        ("another's certificate", json!({ "user_certificate": anna, "user_key": stranger_key })),
        ("anonymous", json!({})),
    ];
    for (name, start, script) in CLIENTS {
        for (who, login) in &rows {
            let Some(peer) = start() else { continue };
            let said =
                ask(peer, script, &with(wanted(&server, &client, Policy::Basic256Sha256), login.clone()));
            assert_eq!(said["connected"], false, "{name}, {who}: {said}");
            // The server said no; a client that could not even ask would prove nothing.
            let why = said["why"].as_str().unwrap();
            let no = [
                "BadIdentityToken",
                "BadUserAccessDenied",
                "BadUserSignature",
                "BadSecurity",
                "user token policy",
            ];
            assert!(no.iter().any(|status| why.contains(status)), "{name}, {who}: {said}");
        }
    }
}

#[test]
fn less_security_than_is_offered_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (station, client) = (pki(folder.path(), "station"), pki(folder.path(), "client"));
    introduce(&station, &client);
    let server = LittleServer::start(config(&Policy::DEFAULT, None), &station);
    let full = with(wanted(&server, &client, Policy::Basic256Sha256), as_user("anna"));
    let without = |key: &str| {
        let mut less = full.clone();
        less.as_object_mut().unwrap().remove(key);
        less
    };
    let rows = [
        ("no security", without("policy")),
        ("signed only", with(full.clone(), json!({ "mode": "Sign" }))),
        ("a policy that is not offered", with(full.clone(), json!({ "policy": "Aes128_Sha256_RsaOaep" }))),
    ];
    for (what, wanted) in rows {
        let Some(peer) = python() else { return };
        let said = ask(peer, "asyncua_client.py", &wanted);
        assert_eq!(said["connected"], false, "{what}: {said}");
    }
}

#[test]
fn a_clients_certificate_is_looked_at_before_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let station = pki(folder.path(), "station");
    let rows = [
        ("good", json!({}), None),
        ("expired", json!({ "from_days": -30, "to_days": -1 }), Some("BadCertificateTimeInvalid")),
        ("early", json!({ "from_days": 1, "to_days": 30 }), Some("BadCertificateTimeInvalid")),
        ("weak", json!({ "bits": 1024 }), Some("BadSecurityChecksFailed")),
    ];
    let server = LittleServer::start(config(&Policy::DEFAULT, None), &station);
    for (name, about, refused) in rows {
        let Some((der, key)) = certificate(folder.path(), name, about) else { return };
        let wanted = json!({
            "url": server.url(), "uri": format!("urn:test:{name}"), "namespace": NAMESPACE, "policy": "Basic256Sha256",
            "certificate": der, "key": key, "user": "anna", "password": PASSWORD, "calls": ["WhoAmI"],
        });
        // Nobody is let in at the first knock, and the knock is kept for a person.
        let said = ask(python().unwrap(), "asyncua_client.py", &wanted);
        assert_eq!(said["connected"], false, "{name}: {said}");
        let thumbprint = Certificate::read(&der).unwrap().thumbprint;
        station.trust(&thumbprint[..10]).unwrap();

        let said = ask(python().unwrap(), "asyncua_client.py", &wanted);
        match refused {
            None => assert_eq!(said["calls"]["WhoAmI"], json!(["anna", "operator"]), "{name}: {said}"),
            Some(_) => assert_eq!(said["connected"], false, "{name}: {said}"),
        }
        if let Some(status) = refused.filter(|_| said["why"].as_str().unwrap().starts_with("Bad")) {
            assert_eq!(said["why"], status, "{name}");
        }

        station.distrust(&thumbprint[..10]).unwrap();
        let said = ask(python().unwrap(), "asyncua_client.py", &wanted);
        assert_eq!(said["connected"], false, "{name} is trusted no more: {said}");
    }
}

/// The library's server compares the two only if it is asked to.
#[test]
fn trap_a_client_that_is_not_the_application_of_its_certificate_may_call_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (station, client) = (pki(folder.path(), "station"), pki(folder.path(), "client"));
    introduce(&station, &client);
    let server = LittleServer::start(config(&Policy::DEFAULT, None), &station);
    let Some(peer) = python() else { return };
    let wanted = with(wanted(&server, &client, Policy::Basic256Sha256), as_user("emil"));
    let said = ask(peer, "asyncua_client.py", &with(wanted, json!({ "uri": "urn:evil" })));
    for method in ["WhoAmI", "Start", "Save"] {
        assert_eq!(said["calls"][method], "BadCertificateUriInvalid", "{said}");
    }
}

/// Left alone, the library answers and then hangs up.
#[test]
fn trap_a_method_that_panics_costs_its_caller_one_call_and_not_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (station, client) = (pki(folder.path(), "station"), pki(folder.path(), "client"));
    introduce(&station, &client);
    let server = LittleServer::start(config(&Policy::DEFAULT, None), &station);
    let Some(peer) = python() else { return };
    let wanted = with(wanted(&server, &client, Policy::Basic256Sha256), as_user("anna"));
    let said = ask(peer, "asyncua_client.py", &with(wanted, json!({ "calls": ["Panic", "WhoAmI"] })));
    assert_eq!(said["calls"]["Panic"], "BadInternalError", "{said}");
    assert_eq!(said["calls"]["WhoAmI"], json!(["anna", "operator"]), "the connection stands: {said}");
}

#[test]
fn five_wrong_passwords_lock_a_user_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let (station, client) = (pki(folder.path(), "station"), pki(folder.path(), "client"));
    introduce(&station, &client);
    let server = LittleServer::start(config(&Policy::DEFAULT, None), &station);
    let try_as = |login: Value| {
        let wanted = with(wanted(&server, &client, Policy::Basic256Sha256), login);
        Some(ask(python()?, "asyncua_client.py", &wanted)["connected"].clone())
    };
    for _ in 0..5 {
        let Some(connected) = try_as(json!({ "user": "anna", "password": "falsches pferd" })) else { return };
        assert_eq!(connected, false);
    }
    assert_eq!(try_as(as_user("anna")).unwrap(), false, "the right one comes too late");
    assert_eq!(try_as(as_user("emil")).unwrap(), true);
}

#[test]
fn a_server_without_security_lets_anybody_in_as_its_sentence_says() {
    let folder = tempfile::tempdir().unwrap();
    let station = pki(folder.path(), "station");
    let rows = [
        ("none: anyone on the network may read this station", "observer", "BadUserAccessDenied"),
        ("none: anyone on the network may read and command this station", "operator", ""),
    ];
    for (sentence, role, start) in rows {
        let config: OpcUaServerConfig = toml::from_str(&format!("security = \"{sentence}\"")).unwrap();
        let server = LittleServer::start(config, &station);
        let Some(peer) = python() else { return };
        let wanted = json!({
            "url": server.url(), "uri": "urn:anyone", "namespace": NAMESPACE, "calls": ["WhoAmI", "Start", "Save"],
        });
        let said = ask(peer, "asyncua_client.py", &wanted);
        assert_eq!(said["calls"]["WhoAmI"], json!(["anonymous", role]), "{said}");
        assert_eq!(said["calls"]["Start"] == "BadUserAccessDenied", start == "BadUserAccessDenied", "{said}");
        assert_eq!(said["calls"]["Save"], "BadUserAccessDenied", "{said}");
        assert_eq!(said["written"], "BadUserAccessDenied", "{said}");
    }
}
