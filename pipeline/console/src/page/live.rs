//! The live page: one glance for the operator.

use super::{Door, Group, Page};
use crate::{Console, Right, Snapshot, guard::Visit, live, shell::Shell};
use askama::Template;
use axum::{
    extract::{State, WebSocketUpgrade},
    response::Response,
    routing::get,
};
use plumb_quality::{Confidence, Share};
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "live",
    path: "/",
    right: Right::Watch,
    group: Some(Group::Watch),
    texts: include_str!("live.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![Door::new("/", Right::Watch, get(page)), Door::new("/live/socket", Right::Watch, get(socket))]
}

#[derive(Template)]
#[template(path = "live.html")]
struct Live {
    shell: Shell,
    snapshot: Arc<Snapshot>,
    /// Whether parts may be opened from here.
    opens_parts: bool,
}

impl Live {
    fn rejects(&self) -> String {
        rejects(&self.snapshot)
    }
}

/// Rejects since the shift began, never without their bound: `3 / 300 (1.00 %, ≤ 2.56 %)`; nought is no 0 %:
/// `0 / 59 (≤ 4.95 %)`. The bound is Clopper and Pearson's at 95 %; a dash before the first part.
pub(crate) fn rejects(snapshot: &Snapshot) -> String {
    let Ok(share) = Share::new(snapshot.shift.rejects(), snapshot.shift.parts()) else {
        return "–".to_owned();
    };
    let (events, trials) = (share.events(), share.trials());
    let bound = 100.0 * share.at_most(Confidence::NINETY_FIVE);
    match events {
        0 => format!("0 / {trials} (≤ {bound:.2} %)"),
        _ => format!("{events} / {trials} ({:.2} %, ≤ {bound:.2} %)", 100.0 * share.seen()),
    }
}

async fn page(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let (shell, snapshot) = (visit.shell(&PAGE), console.snapshot());
    visit.page(&Live { shell, snapshot, opens_parts: visit.may(Right::See) })
}

/// The one WebSocket. A session that ends closes it; where the live view is open to all, nothing does.
async fn socket(visit: Visit, State(console): State<Arc<Console>>, upgrade: WebSocketUpgrade) -> Response {
    let fps = console.config.live_fps;
    let digest = visit.shown.map(|shown| shown.digest).filter(|_| !console.config.open_live_view);
    // A browser says "ok"; whoever sends more is no browser.
    upgrade.max_message_size(1024).on_upgrade(move |socket| async move {
        let may = || digest.as_ref().is_none_or(|digest| console.office.goes_on(digest));
        live::serve(socket, &console.seen, &console.told, fps, may).await;
    })
}
