//! Our client before foreign servers: every policy and log-in, and every reason not to connect, told in words.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

mod little_server;
mod peer;

use little_server::{introduce, pki};
use peer::{Running, certificate, python};
use plumb_opcua::{
    client::{Client, ClientSecurity, Failure, FailureKind, Login, NodeName, Server, Value},
    security::{Certificate, Own, Pki, Policy, Wish},
};
use serde_json::{Value as Json, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(20);
const PASSWORD: &str = "korrekt pferd batterie";

/// A station that knows a PLC with an asyncua server in it, and the other way round.
struct Cell {
    folder: tempfile::TempDir,
    station: Pki,
    plc: Pki,
}

impl Cell {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (station, plc) = (pki(folder.path(), "station"), pki(folder.path(), "plc"));
        introduce(&station, &plc);
        Self { folder, station, plc }
    }

    /// The PLC's server; `None` where asyncua is not installed.
    fn serve(&self, more: Json) -> Option<Running> {
        let own = self.plc.own().unwrap().unwrap();
        let mut wanted = json!({
            "uri": own.certificate.application_uri, "certificate": own.certificate_path, "key": own.key_path,
            "trusted": self.plc.folder().join("trusted"), "user": "plumb", "password": PASSWORD,
            "policies": Policy::ALL.map(Policy::as_str),
        });
        for (key, value) in more.as_object().unwrap() {
            wanted[key] = value.clone();
        }
        Some(Running::start(python()?, "asyncua_server.py", &wanted))
    }

    fn own(&self) -> Own {
        self.station.own().unwrap().unwrap()
    }

    async fn connect(&self, server: &Server) -> Result<Client, Failure> {
        Client::connect(server, &self.station, &self.own(), LIMIT).await
    }

    fn secret(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// As user `plumb`, with the right password.
    fn login(&self) -> Login {
        let password_file = Some(self.secret("password", &format!("{PASSWORD}\n")));
        Login { name: Some("plumb".into()), password_file, ..Login::default() }
    }

    fn at(&self, running: &Running) -> Server {
        let url = format!("opc.tcp://127.0.0.1:{}", running.says["port"]);
        Server { url, security: ClientSecurity::default(), login: self.login() }
    }
}

fn node(name: &str) -> NodeName {
    format!("nsu=http://line;s={name}").try_into().unwrap()
}

async fn write_and_read(client: &Client) {
    let nodes = client.look_up(&[&node("station"), &node("plc")]).await.unwrap();
    assert!(nodes.iter().all(|node| node.kind.is_words(10)) && nodes[0].writable);
    let words: Vec<u16> = (1..=10).map(|word| word * 1_000).collect();
    client.write(&[(&nodes[0], Value::Words(words.clone()))]).await.unwrap();
    assert_eq!(client.read_words(&nodes[0]).await.unwrap(), words);
    assert_eq!(client.read_words(&nodes[1]).await.unwrap(), [0; 10]);
}

#[tokio::test]
async fn every_policy_and_log_in_carries_words_to_a_strict_foreign_server() {
    let cell = Cell::new();
    let Some((der, key)) = certificate(cell.folder.path(), "user", json!({})) else { return };
    let running = cell.serve(json!({ "user_certificate": der, "anonymous": true })).unwrap();
    let by_certificate = Login { certificate: Some(der), key: Some(key), ..Login::default() };
    for policy in Policy::ALL {
        for login in [cell.login(), by_certificate.clone(), Login::default()] {
            let security = ClientSecurity::Encrypted(vec![policy]);
            let server = Server { security, login: login.clone(), ..cell.at(&running) };
            let client = cell
                .connect(&server)
                .await
                .unwrap_or_else(|failure| panic!("{policy}, {login:?}: {failure}"));
            write_and_read(&client).await;
            client.close(LIMIT).await;
        }
    }
}

#[tokio::test]
async fn the_host_may_be_any_name_that_the_certificate_has_and_no_other() {
    let cell = Cell::new();
    let Some(running) = cell.serve(json!({})) else { return };
    let port = &running.says["port"];
    let at = |host: &str| Server { url: format!("opc.tcp://{host}:{port}"), ..cell.at(&running) };
    cell.connect(&at("localhost")).await.unwrap();
    let failure = cell.connect(&at("127.0.0.2")).await.err();
    // Linux answers for all of 127/8 only where the server listens on all of it.
    assert!(failure.is_some());
}

fn fails(kind: FailureKind, words: &[&str], result: Result<Client, Failure>) {
    let failure = result.expect_err("it must not connect");
    assert_eq!(failure.kind, kind, "{failure}");
    for word in words {
        assert!(failure.says.contains(word), "{word:?} is missing in:\n{failure}");
    }
}

#[tokio::test]
async fn an_untrusted_server_is_kept_for_a_person_who_can_trust_it() {
    let cell = Cell::new();
    let Some(running) = cell.serve(json!({})) else { return };
    let plc = cell.plc.own().unwrap().unwrap().certificate;
    cell.station.distrust(&plc.thumbprint).unwrap();
    for _ in 0..2 {
        let words = [plc.thumbprint.as_str(), "plumb opcua trust", "rejected", "is not trusted"];
        fails(FailureKind::Security, &words, cell.connect(&cell.at(&running)).await);
    }
    cell.station.trust(&plc.thumbprint[..12]).unwrap();
    write_and_read(&cell.connect(&cell.at(&running)).await.unwrap()).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_servers_certificate_is_told_in_words() {
    let rows: [(&str, Json, &[&str]); 6] = [
        ("expired", json!({ "from_days": -30, "to_days": -2 }), &["expired on 20", "make a new one"]),
        ("early", json!({ "from_days": 2 }), &["is valid from", "set the clock"]),
        (
            "elsewhere",
            json!({ "hosts": ["plc-7", "10.0.4.7"] }),
            &["\"127.0.0.1\"", "\"plc-7\", \"10.0.4.7\""],
        ),
        ("weak", json!({ "bits": 1024 }), &["RSA key of 1024 bits", "2048"]),
        ("dns_first", json!({ "uri_first": false }), &["name its application URI first"]),
        ("other", json!({ "uri": "urn:test:another" }), &["urn:test:another", "urn:test:plc"]),
    ];
    let cell = Cell::new();
    for (name, mut about, words) in rows {
        about["uri"] = about.get("uri").cloned().unwrap_or(json!("urn:test:plc"));
        let Some((der, key)) = certificate(cell.folder.path(), name, about) else { return };
        cell.station.trust(der.to_str().unwrap()).unwrap();
        let running = cell.serve(json!({ "certificate": der, "key": key, "uri": "urn:test:plc" })).unwrap();
        fails(FailureKind::Security, words, cell.connect(&cell.at(&running)).await);
    }
}

#[tokio::test]
async fn a_log_in_that_is_refused_says_whose() {
    let cell = Cell::new();
    let Some((der, key)) = certificate(cell.folder.path(), "user", json!({})) else { return };
    let (stranger, stranger_key) = certificate(cell.folder.path(), "stranger", json!({})).unwrap();
    let running = cell.serve(json!({ "user_certificate": der })).unwrap();
    let _ = key;
    let wrong = Login { password_file: Some(cell.secret("wrong", "falsches pferd")), ..cell.login() };
    let unknown = Login { certificate: Some(stranger), key: Some(stranger_key), ..Login::default() };
    let rows = [(wrong, "\"plumb\""), (unknown, "stranger.der"), (Login::default(), "anonymous")];
    for (login, whose) in rows {
        fails(FailureKind::Login, &[whose], cell.connect(&Server { login, ..cell.at(&running) }).await);
    }
}

#[tokio::test]
async fn a_password_that_others_can_read_is_not_used() {
    let cell = Cell::new();
    let path = cell.secret("open", PASSWORD);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let login = Login { password_file: Some(path), ..cell.login() };
    let server = Server { url: "opc.tcp://127.0.0.1:1".into(), security: ClientSecurity::default(), login };
    fails(FailureKind::Login, &["can be read by others", "chmod 600"], cell.connect(&server).await);
}

#[tokio::test]
async fn a_server_that_does_not_trust_the_station_says_which_file_to_take_there() {
    let cell = Cell::new();
    let own = cell.own().certificate;
    cell.plc.distrust(&own.thumbprint).unwrap();
    // It trusts somebody else: asyncua's trust store must not be empty.
    cell.plc.trust(cell.plc.own().unwrap().unwrap().certificate_path.to_str().unwrap()).unwrap();
    let Some(running) = cell.serve(json!({})) else { return };
    let failure = cell.connect(&cell.at(&running)).await.unwrap_err();
    assert!(matches!(failure.kind, FailureKind::Security | FailureKind::Closed), "{failure}");
    assert!(failure.says.contains("own/cert.der") && failure.says.contains(&own.thumbprint), "{failure}");
}

#[tokio::test]
async fn a_server_that_offers_less_is_never_met_halfway() {
    let cell = Cell::new();
    let less =
        json!({ "policies": ["None", "Basic256Sha256_Sign", "Aes128_Sha256_RsaOaep"], "anonymous": true });
    let Some(running) = cell.serve(less) else { return };
    let words = ["None with None", "Sign with Basic256Sha256", "is asked for"];
    fails(FailureKind::Security, &words, cell.connect(&cell.at(&running)).await);
    // Only the whole sentence in the config gives it up.
    let open = Server { security: ClientSecurity::Open, login: Login::default(), ..cell.at(&running) };
    write_and_read(&cell.connect(&open).await.unwrap()).await;
}

/// The library's `wait_for_connection` never returns when the session fails, and by default it tries ten times and more.
#[tokio::test]
async fn trap_every_connect_ends_in_time_whatever_the_server_does() {
    let cell = Cell::new();
    let (deaf, rude) = (
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let rude_at = rude.local_addr().unwrap();
    let hangs_up = tokio::spawn(async move {
        while let Ok((stream, _)) = rude.accept().await {
            drop(stream);
        }
    });
    let garbage = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let garbage_at = garbage.local_addr().unwrap();
    let talks = tokio::spawn(async move {
        while let Ok((mut stream, _)) = garbage.accept().await {
            let _ =
                tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rows = [
        (deaf.local_addr().unwrap().to_string(), vec![FailureKind::Timeout]),
        (rude_at.to_string(), vec![FailureKind::Closed]),
        (garbage_at.to_string(), vec![FailureKind::WrongAnswer, FailureKind::Closed]),
        (free.to_string(), vec![FailureKind::Refused]),
        ("no-such-host.invalid:4840".to_owned(), vec![FailureKind::Unreachable]),
    ];
    for (address, kinds) in rows {
        let server = Server {
            url: format!("opc.tcp://{address}"),
            security: ClientSecurity::default(),
            login: Login::default(),
        };
        let limit = Duration::from_millis(1_500);
        let own = cell.own();
        let connected = Client::connect(&server, &cell.station, &own, limit);
        let failure = tokio::time::timeout(LIMIT, connected).await.expect("it ends").unwrap_err();
        assert!(kinds.contains(&failure.kind), "{address}: {failure:?}");
    }
    hangs_up.abort();
    talks.abort();
}

#[tokio::test]
async fn a_node_that_is_not_what_it_should_be_is_told_in_words() {
    let cell = Cell::new();
    let Some(running) = cell.serve(json!({})) else { return };
    let client = cell.connect(&cell.at(&running)).await.unwrap();
    let missing = client.look_up(&[&node("nowhere")]).await.unwrap_err();
    assert!(missing.says.contains("has no node nsu=http://line;s=nowhere"), "{missing}");
    let elsewhere: NodeName = "nsu=http://elsewhere;s=station".try_into().unwrap();
    assert!(client.look_up(&[&elsewhere]).await.unwrap_err().says.contains("http://line"));
    let object: NodeName = "i=85".try_into().unwrap();
    assert!(client.look_up(&[&object]).await.unwrap_err().says.contains("is no variable"));

    let names = ["short", "reals", "ints", "locked", "byte", "verdict"].map(node);
    let nodes = client.look_up(&names.each_ref()).await.unwrap();
    let kinds: Vec<String> = nodes.iter().map(|node| node.kind.to_string()).collect();
    assert_eq!(kinds, ["UInt16[9]", "Float[10]", "Int16[10]", "UInt16[10]", "Byte", "Int32"]);
    assert!(nodes[2].kind.is_words(10) && !nodes[1].kind.is_words(10) && !nodes[0].kind.is_words(10));
    let refused = client.write(&[(&nodes[3], Value::Words(vec![0; 10]))]).await.unwrap_err();
    assert!(!nodes[3].writable && refused.says.contains("locked"), "{refused}");
    let too_big = client.write(&[(&nodes[4], Value::Number(0x5AA5))]).await.unwrap_err();
    assert!(too_big.says.contains("cannot hold"), "{too_big}");
    client.write(&[(&nodes[5], Value::Number(0x5AA5))]).await.unwrap();
}

/// A session that broke is over: the library would connect again by itself and say nothing.
#[tokio::test]
async fn trap_a_server_that_goes_away_ends_the_session_and_says_so() {
    let cell = Cell::new();
    let Some(running) = cell.serve(json!({})) else { return };
    let client = cell.connect(&cell.at(&running)).await.unwrap();
    let nodes = client.look_up(&[&node("station")]).await.unwrap();
    assert_eq!(client.ended(), None);
    drop(running);
    let failure = tokio::time::timeout(LIMIT, client.read_words(&nodes[0])).await.unwrap().unwrap_err();
    assert!(matches!(failure.kind, FailureKind::Closed | FailureKind::Timeout), "{failure:?}");
}

/// The server's certificate need only name one host; its folder may be full of others.
#[tokio::test]
async fn our_own_client_and_server_understand_each_other() {
    let cell = Cell::new();
    let hash = plumb_opcua::security::hash_password(PASSWORD).unwrap();
    let text = format!("[[user]]\nname = 'plumb'\nrole = 'engineer'\npassword = '{hash}'");
    let server = little_server::LittleServer::start(toml::from_str(&text).unwrap(), &cell.plc);
    for policy in Policy::DEFAULT {
        let security = ClientSecurity::Encrypted(vec![policy]);
        let server = Server { url: server.url(), security, login: cell.login() };
        let client = cell.connect(&server).await.unwrap();
        let words: NodeName = format!("nsu={};s=Words", little_server::NAMESPACE).try_into().unwrap();
        let nodes = client.look_up(&[&words]).await.unwrap();
        client.write(&[(&nodes[0], Value::Words(vec![7; 10]))]).await.unwrap();
        assert_eq!(client.read_words(&nodes[0]).await.unwrap(), [7; 10]);
        client.close(LIMIT).await;
    }
    let wrong = Login { password_file: Some(cell.secret("wrong", "falsches pferd")), ..cell.login() };
    let server = Server { url: server.url(), security: ClientSecurity::default(), login: wrong };
    fails(FailureKind::Login, &["\"plumb\"", "BadIdentityTokenRejected"], cell.connect(&server).await);
}

#[tokio::test]
async fn a_station_whose_own_certificate_is_over_says_so_and_asks_nobody() {
    let cell = Cell::new();
    let Some((der, key)) = certificate(cell.folder.path(), "old", json!({ "from_days": -30, "to_days": -2 }))
    else {
        return;
    };
    let own = cell.own();
    fs::copy(&der, &own.certificate_path).unwrap();
    fs::copy(&key, &own.key_path).unwrap();
    let server = Server {
        url: "opc.tcp://127.0.0.1:1".into(),
        security: ClientSecurity::default(),
        login: Login::default(),
    };
    fails(FailureKind::Security, &["own certificate expired", "--renew"], cell.connect(&server).await);
    let wish = Wish::of_this_machine();
    assert!(Certificate::read(Path::new(&der)).is_ok() && cell.station.renew(&wish).is_ok());
}
