//! Whatever a stranger sends to the HTTP port, the station goes on judging and answering, and keeps no memory of it.

#[path = "../../plc/tests/noise/mod.rs"]
mod noise;
mod workshop;

use std::time::Duration;
use workshop::{RECIPE, Workshop, get, post, wait_until};

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

#[test]
fn ten_thousand_random_strings_leave_it_judging_and_no_larger() {
    let workshop = Workshop::new(STATION, RECIPE);
    let (station, records) = workshop.start();
    let address = station.address.expect("HTTP is served");
    wait_until("the camera", Duration::from_secs(20), || {
        get(address, "/api/v1/state").1["state"] == "running"
    });
    // Requests that begin well: a path, a query, headers, a body of which more is promised than comes.
    let heads: [fn(usize) -> Vec<u8>; 7] = [
        |_| b"GET /api/v1/parts?serial=".to_vec(),
        |_| b"GET /api/v1/parts/".to_vec(),
        |_| b"GET / HTTP/1.1\r\nHost: ".to_vec(),
        |_| b"POST /api/v1/recipes/bottle/load HTTP/1.1\r\nContent-Length: 99999\r\n\r\n".to_vec(),
        |_| b"POST /api/v1/rezero HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
        |_| b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        |_| vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3],
    ];
    noise::ten_thousand(address, &heads);

    while records.try_recv().is_ok() {}
    let part = post(address, "/api/v1/trigger").1["part_id"].as_u64().expect("a part id");
    let record = records.recv_timeout(Duration::from_secs(10)).expect("a record");
    assert_eq!(u64::from(record.part_id.get()), part);
    assert_eq!(record.verdict.as_str(), "pass");
    station.stop().expect("the ledger closes");
}
