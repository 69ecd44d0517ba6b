//! The one WebSocket: the newest picture to whoever may see it, when the one before has been taken.

mod visitor;

use futures_util::{SinkExt, StreamExt};
use plumb_console::{ConsoleConfig, LivePicture};
use plumb_inspection::{Frame, Image, PartId, PixelFormat, Stamp};
use plumb_ledger::{RecordVerdict, Role};
use serde_json::Value;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};
use visitor::{House, Visitor, console, house, open_console};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const LIMIT: Duration = Duration::from_secs(5);

async fn served(house: &House) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = house.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

async fn connect(address: SocketAddr, cookie: &str) -> Result<Socket, Error> {
    let mut request = format!("ws://{address}/live/socket").into_client_request().expect("a request");
    if !cookie.is_empty() {
        request.headers_mut().insert("cookie", cookie.parse().expect("a cookie"));
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

fn picture(part: u32) -> Option<Arc<LivePicture>> {
    let image = Image::packed(64, 48, PixelFormat::Gray8, vec![(part % 256) as u8; 64 * 48]).expect("packed");
    let frame = Frame { camera: "top".into(), seq: 1, camera_frame_id: None, at: Stamp::now(), image };
    let of = (PartId::new(part).expect("not 0"), RecordVerdict::Pass);
    Some(Arc::new(LivePicture::encode(&frame, of, [], 1280).expect("encodes")))
}

/// The next message, taken apart as the browser does; `None` when the socket is closed.
async fn next(socket: &mut Socket) -> Option<(Value, Vec<u8>)> {
    loop {
        match tokio::time::timeout(LIMIT, socket.next()).await.expect("a message within five seconds")? {
            Ok(Message::Binary(bytes)) => {
                let (length, rest) = bytes.split_at(4);
                let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
                let header = serde_json::from_slice(&rest[..length]).expect("JSON");
                return Some((header, rest[length..].to_vec()));
            }
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

async fn take(socket: &mut Socket) {
    socket.send(Message::text("ok")).await.expect("sent");
}

#[tokio::test]
async fn a_slow_browser_gets_the_newest_picture_and_none_that_waited() {
    let house = open_console().await;
    let mut socket = connect(served(&house).await, "").await.expect("open to all");
    let (header, jpeg) = next(&mut socket).await.expect("what there is, at once");
    assert!(jpeg.is_empty() && header["picture"].is_null());
    assert_eq!(header["snapshot"]["state"], "running");
    assert!(header["period_ms"].as_u64() >= Some(250));
    for part in 1..=40 {
        house.pictures.send_replace(picture(part));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    take(&mut socket).await;
    let (header, jpeg) = next(&mut socket).await.expect("the next one");
    assert_eq!(header["picture"]["part"], 40);
    assert!(header["age_ms"].as_u64() < Some(1000));
    assert_eq!(&jpeg[..3], [0xFF, 0xD8, 0xFF], "a JPEG");
    // The same picture is not sent twice: what comes then is news of the station alone.
    take(&mut socket).await;
    let (header, jpeg) = next(&mut socket).await.expect("a beat");
    assert!(jpeg.is_empty() && header["picture"].is_null());
}

#[tokio::test]
async fn the_station_knows_whether_anybody_looks() {
    let house = open_console().await;
    let address = served(&house).await;
    assert!(!house.watchers.any());
    let mut sockets = Vec::new();
    for _ in 0..3 {
        let mut socket = connect(address, "").await.expect("open to all");
        next(&mut socket).await.expect("a message");
        sockets.push(socket);
    }
    assert_eq!(house.watchers.count(), 3);
    drop(sockets);
    let end = tokio::time::Instant::now() + LIMIT;
    while house.watchers.any() && tokio::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!house.watchers.any());
}

#[tokio::test]
async fn nobody_looks_without_a_login_and_not_after_a_logout() {
    let house = console().await;
    let address = served(&house).await;
    let refused = connect(address, "").await.expect_err("no login");
    assert!(matches!(&refused, Error::Http(response) if response.status() == 303), "{refused}");
    let guessed = format!("plumb_session={}", "a".repeat(64));
    assert!(connect(address, &guessed).await.is_err());
    let visitor = Visitor::new(&house, Some(Role::Viewer)).await;
    let mut socket = connect(address, &visitor.cookie).await.expect("a viewer may");
    next(&mut socket).await.expect("a message");
    visitor.post("/logout", &[]).await;
    take(&mut socket).await;
    let mut more = 0;
    while next(&mut socket).await.is_some() {
        more += 1;
        assert!(more < 3, "the session is over");
        let _ = socket.send(Message::text("ok")).await;
    }
}

#[tokio::test]
async fn a_browser_that_talks_too_much_is_let_go() {
    let house = house(ConsoleConfig { open_live_view: true, ..ConsoleConfig::default() }, &[]);
    let mut socket = connect(served(&house).await, "").await.expect("open to all");
    next(&mut socket).await.expect("a message");
    let _ = socket.send(Message::text("x".repeat(100_000))).await;
    assert!(next(&mut socket).await.is_none());
}

#[tokio::test]
async fn the_socket_ends_with_the_station() {
    let house = open_console().await;
    let mut socket = connect(served(&house).await, "").await.expect("open to all");
    next(&mut socket).await.expect("a message");
    drop((house.snapshots, house.pictures));
    take(&mut socket).await;
    assert!(next(&mut socket).await.is_none());
}
