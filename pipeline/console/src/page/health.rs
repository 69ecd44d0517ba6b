//! Everything that can fail: how it is, since when, and what to do.

use super::{Door, Group, Page};
use crate::{
    Command, Condition, Console, HealthItem, Right, Snapshot,
    guard::{Visit, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    Form, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use plumb_ledger::NewAuditEntry;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "health",
    path: "/health",
    right: Right::See,
    group: Some(Group::Station),
    texts: include_str!("health.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![
        Door::new("/health", Right::See, get(page)),
        Door::new("/health/items", Right::See, get(items)),
        Door::new("/health/rezero", Right::Operate, post(rezero)),
        Door::new("/api/v1/health", Right::See, get(json)),
    ]
}

#[derive(Template)]
#[template(path = "health.html")]
struct Health {
    shell: Shell,
    snapshot: Arc<Snapshot>,
    /// The worst first.
    items: Vec<HealthItem>,
    may_operate: bool,
}

#[derive(Template)]
#[template(path = "health_items.html")]
struct Items {
    shell: Shell,
    snapshot: Arc<Snapshot>,
    items: Vec<HealthItem>,
}

fn sorted(snapshot: &Snapshot) -> Vec<HealthItem> {
    let mut items = snapshot.health.clone();
    items.sort_by(|a, b| b.condition.cmp(&a.condition).then(a.kind.cmp(&b.kind)).then(a.name.cmp(&b.name)));
    items
}

async fn page(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let (shell, snapshot, may_operate) = (visit.shell(&PAGE), console.snapshot(), visit.may(Right::Operate));
    let items = sorted(&snapshot);
    visit.page(&Health { shell, snapshot, items, may_operate })
}

/// The list alone, renewed in place.
async fn items(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let (shell, snapshot) = (visit.shell(&PAGE), console.snapshot());
    let items = sorted(&snapshot);
    visit.page(&Items { shell, snapshot, items })
}

/// `GET /api/v1/health`: schema `plumb.health/1`.
async fn json(State(console): State<Arc<Console>>) -> Response {
    let snapshot = console.snapshot();
    let told = json!({
        "schema": "plumb.health/1",
        "at": snapshot.at,
        "state": snapshot.state,
        "reasons": snapshot.reasons,
        "items": sorted(&snapshot),
        "audit_broken_at": console.office.broken_at(),
    });
    Json(told).into_response()
}

/// Why the count of parts is to begin anew.
#[derive(Debug, Deserialize)]
struct Why {
    #[serde(default)]
    reason: String,
}

async fn rezero(visit: Visit, State(console): State<Arc<Console>>, Form(why): Form<Why>) -> Response {
    let Some(who) = visit.who().cloned() else { return StatusCode::UNAUTHORIZED.into_response() };
    let entry = NewAuditEntry { reason: why.reason, ..who.entry("rezero", "") };
    match console.change(&who, entry, Command::Rezero).await {
        Ok(done) => visit.page(&super::Said { says: &done.says, good: true }),
        Err(refused) => refusal(&visit, StatusCode::CONFLICT, &refused.0),
    }
}
