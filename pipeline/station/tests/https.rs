//! `[console.tls]`: pages, API and metrics over HTTPS, with a certificate that a client can check, and nothing in the clear.

mod workshop;

use plumb_station::station::Station;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};
use workshop::{RECIPE, Workshop};

const STATION: &str = r#"
[station]
name = "test"
listen = "127.0.0.1:0"
recipe = "bottle"

[console.tls]
names = ["station-7.plant"]

[[camera]]
id = "top"
source = { kind = "pipeline", launch = "videotestsrc is-live=true pattern=white ! video/x-raw,format=BGR,width=32,height=32,framerate=30/1" }

[trigger]
kind = "api"
"#;

/// Asks as `name`, trusting `certificate` alone. The whole answer as text.
fn ask(address: SocketAddr, name: &str, certificate: &Path, request: &str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(certificate).expect("a certificate");
    roots.add(certificate).expect("one that can be trusted");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut stream = StreamOwned::new(client, socket);
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if answer.is_empty() => Err(error),
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: station-7.plant\r\nConnection: close\r\n\r\n")
}

fn login(station: &Station) -> String {
    let password = station.first_password.as_deref().expect("nobody was there");
    let form = format!("name=admin&password={password}");
    let length = form.len();
    format!(
        "POST /login HTTP/1.1\r\nHost: station-7.plant\r\nConnection: close\r\nContent-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
    )
}

#[test]
fn what_is_served_is_served_over_tls_alone_and_the_session_stays_there() {
    let workshop = Workshop::new(STATION, RECIPE);
    let (station, _records) = workshop.start();
    let address = station.address.expect("HTTPS is served");
    assert_eq!(station.fingerprint.as_deref().map(str::len), Some(32 * 3 - 1));
    let certificate = workshop.path("data/console-tls/certificate.pem");
    for (path, says) in [("/metrics", "plumb_"), ("/api/v1/state", "plumb.state/1"), ("/login", "<form")] {
        let answer = ask(address, "station-7.plant", &certificate, &get(path)).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(says), "{path}: {answer}");
    }
    // The address that people type is in it too; another station's name is not.
    assert!(ask(address, "127.0.0.1", &certificate, &get("/healthz")).expect("an answer").contains("alive"));
    let stranger = ask(address, "station-8.plant", &certificate, &get("/healthz"));
    assert!(stranger.expect_err("not its name").to_string().contains("not valid for"));

    let answer = ask(address, "localhost", &certificate, &login(&station)).expect("an answer");
    assert!(answer.contains("plumb_session=") && answer.contains("SameSite=Strict; Secure"), "{answer}");

    let mut plain = TcpStream::connect(address).expect("the port is open");
    plain.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    plain.write_all(get("/metrics").as_bytes()).expect("sent");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "in the clear: {}", String::from_utf8_lossy(&answer));
    station.stop().expect("the ledger closes");
}
