//! One client's live view: the newest picture, when it has taken the one before.
//!
//! A message to the browser is binary: header length (u32, **big-endian**), the header (JSON, UTF-8), then a JPEG, which
//! may be empty when only the snapshot is news. The header has `snapshot`, `strip`
//! (kind, condition, sentence), `rejects` (a sentence), `period_ms`, and where there is a picture `picture`
//! (camera, part, at, verdict, scale, boxes …) and `age_ms` (since its frame arrived, when this was sent). `period_ms` says
//! how often pictures come: one that is older than two periods is stale. The browser answers each message with any text: only then
//! comes the next. So there is no queue, and a slow browser sees fewer pictures instead of late ones.

use super::LivePicture;
use crate::{Condition, Kind, Seen, Snapshot, page::rejects};
use axum::extract::ws::{Message, WebSocket};
use jiff::tz::TimeZone;
use serde::Serialize;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep_until, timeout};

/// Snapshots go out at least so often, so that silence means that the connection is gone.
const BEAT: Duration = Duration::from_millis(500);
/// A browser that takes no message for so long is let go.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pictures that come more often than this are no reason to call one stale sooner: browsers have hiccups too.
const PERIOD_MIN: Duration = Duration::from_millis(250);
/// Nor does a slow line make a picture live for longer than twice this.
const PERIOD_MAX: Duration = Duration::from_secs(5);

/// Serves one client until it goes, the station ends, or it `may` look no longer.
pub(crate) async fn serve(mut socket: WebSocket, seen: &Seen, told: &Told, fps: u32, may: impl Fn() -> bool) {
    let _look = seen.watchers.look();
    feed(&mut socket, seen.clone(), told, fps, may).await;
    let _ = timeout(Duration::from_millis(100), socket.send(Message::Close(None))).await;
}

async fn feed(socket: &mut WebSocket, mut seen: Seen, told: &Told, fps: u32, may: impl Fn() -> bool) {
    let pace = Duration::from_secs(1) / fps.max(1);
    let mut period = Period::default();
    let mut last_sent = None;
    // The first message goes out at once, whatever there is.
    seen.live.mark_changed();
    while may() {
        let now = Instant::now();
        let picture = seen.live.borrow_and_update().clone();
        let picture = picture.filter(|picture| last_sent != Some(picture.arrived));
        if let Some(picture) = &picture {
            last_sent = Some(picture.arrived);
            period.note(picture.arrived);
        }
        let snapshot = seen.snapshot.borrow_and_update().clone();
        let message = frame(&told.of(&snapshot), picture.as_deref(), period.get(pace));
        if !matches!(timeout(PATIENCE, socket.send(Message::Binary(message.into()))).await, Ok(Ok(()))) {
            return;
        }
        match timeout(PATIENCE, acknowledged(socket)).await {
            Ok(true) => {}
            _ => return,
        }
        sleep_until(now + pace).await;
        tokio::select! {
            changed = seen.live.changed() => if changed.is_err() { return },
            changed = seen.snapshot.changed() => if changed.is_err() { return },
            () = sleep_until(now + BEAT) => {}
        }
    }
}

/// True when the browser has taken the last message; false when it is gone.
async fn acknowledged(socket: &mut WebSocket) -> bool {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(_) | Message::Binary(_))) => return true,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return false,
        }
    }
}

/// How often pictures come, from when the last ones did.
#[derive(Default)]
struct Period {
    last: Option<std::time::Instant>,
    smooth: Option<Duration>,
}

impl Period {
    fn note(&mut self, arrived: std::time::Instant) {
        if let Some(last) = self.last {
            let gap = arrived.saturating_duration_since(last);
            // A stop of the line is no slow line: one long gap moves the period by a quarter of it at most.
            let smooth = self.smooth.map_or(gap, |smooth| (smooth * 3 + gap.min(smooth * 4)) / 4);
            self.smooth = Some(smooth);
        }
        self.last = Some(arrived);
    }

    fn get(&self, pace: Duration) -> Duration {
        self.smooth.unwrap_or(Duration::from_secs(1)).max(pace).clamp(PERIOD_MIN, PERIOD_MAX)
    }
}

/// What each message says of the station.
#[derive(Serialize)]
struct News<'s> {
    snapshot: &'s Snapshot,
    strip: Vec<(Kind, Condition, &'s str)>,
    rejects: String,
    shift_since: String,
}

/// What a message says of the picture that comes with it.
#[derive(Serialize)]
struct Shown<'p> {
    picture: &'p LivePicture,
    age_ms: u64,
}

/// The newest snapshot in JSON: written once, however many look.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<Option<(Arc<Snapshot>, Arc<str>)>>);

impl Told {
    fn of(&self, snapshot: &Arc<Snapshot>) -> Arc<str> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, told)) = &*last
            && Arc::ptr_eq(known, snapshot)
        {
            return told.clone();
        }
        let since = snapshot.shift.since.to_zoned(TimeZone::system());
        let news = News {
            snapshot,
            strip: snapshot.strip(),
            rejects: rejects(snapshot),
            shift_since: since.strftime("%H:%M:%S").to_string(),
        };
        let told: Arc<str> = serde_json::to_string(&news).expect("plain values").into();
        *last = Some((snapshot.clone(), told.clone()));
        told
    }
}

/// The message, as the browser reads it. `news` is a JSON object, which the rest is added to.
fn frame(news: &str, picture: Option<&LivePicture>, period: Duration) -> Vec<u8> {
    let jpeg = picture.map_or(&[][..], |picture| &picture.jpeg);
    let mut message = Vec::with_capacity(news.len() + jpeg.len() + 1024);
    message.extend([0; 4]); // the header's length, once it is known
    message.extend(news.strip_suffix('}').unwrap_or(news).as_bytes());
    message.extend(format!(",\"period_ms\":{}", period.as_millis()).as_bytes());
    if let Some(picture) = picture {
        let shown = Shown { picture, age_ms: picture.arrived.elapsed().as_millis() as u64 };
        let shown = serde_json::to_string(&shown).expect("plain values");
        message.push(b',');
        message.extend(&shown.as_bytes()[1..shown.len() - 1]);
    }
    message.push(b'}');
    let length = (message.len() - 4) as u32;
    message[..4].copy_from_slice(&length.to_be_bytes());
    message.extend(jpeg);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_follows_the_line_and_not_its_stops() {
        let (mut period, start) = (Period::default(), std::time::Instant::now());
        for n in 0..20 {
            period.note(start + Duration::from_millis(600 * n));
        }
        assert_eq!(period.get(Duration::from_millis(100)), Duration::from_millis(600));
        period.note(start + Duration::from_secs(3600));
        assert!(period.get(Duration::from_millis(100)) <= Duration::from_millis(1050));
    }

    #[test]
    fn a_fast_line_is_not_called_stale_by_a_hiccup_and_a_slow_one_not_live_for_ever() {
        let (mut fast, mut slow, start) = (Period::default(), Period::default(), std::time::Instant::now());
        for n in 0..20 {
            fast.note(start + Duration::from_millis(40 * n));
            slow.note(start + Duration::from_secs(60 * n));
        }
        assert_eq!(fast.get(Duration::from_millis(100)), PERIOD_MIN);
        assert_eq!(slow.get(Duration::from_millis(100)), PERIOD_MAX);
    }
}
