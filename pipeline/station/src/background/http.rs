//! The one HTTP listener: `/metrics`, `/healthz`, `/readyz`, `/api/v1`, and the console's pages beside them. Whatever the database does, `/metrics` answers.

mod models;
mod recipes;

pub(crate) use models::family_of;

use super::Watchman;
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use plumb_console::Console;
use plumb_inspection::{PartId, TriggerSource};
use plumb_ledger::RecordVerdict;
use rustls::ServerConfig;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::sync::watch;

type Shared = State<Arc<Watchman>>;

/// How long a client may take to read its last answer when the station stops.
const PATIENCE: Duration = Duration::from_secs(1);

/// Serves until told to stop; over TLS where there is a certificate.
pub(super) async fn serve(
    listener: std::net::TcpListener,
    tls: Option<Arc<ServerConfig>>,
    watchman: Arc<Watchman>,
    console: &Arc<Console>,
    mut stopped: watch::Receiver<bool>,
) {
    // The console counts failed logins by address.
    let service =
        routes(watchman.clone()).merge(console.router()).into_make_service_with_connect_info::<SocketAddr>();
    let handle = Handle::new();
    let stop = handle.clone();
    tokio::spawn(async move {
        let _ = stopped.changed().await;
        stop.graceful_shutdown(Some(PATIENCE));
    });
    let ended = match tls {
        None => match axum_server::from_tcp(listener) {
            Ok(server) => server.handle(handle).serve(service).await,
            Err(error) => Err(error),
        },
        Some(config) => match axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(config)) {
            Ok(server) => server.handle(handle).serve(service).await,
            Err(error) => Err(error),
        },
    };
    if let Err(error) = ended {
        watchman.health.fault(format!("HTTP has ended: {error}"));
    }
}

fn routes(watchman: Arc<Watchman>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/api/v1/openapi.json", get(openapi))
        .route("/api/v1/state", get(state))
        .route("/api/v1/recipes", get(recipes::recipes))
        .route("/api/v1/recipes/{recipe}/load", post(recipes::load))
        .route("/api/v1/changeover", get(recipes::changeover))
        .route("/api/v1/models", get(models::models))
        .route("/api/v1/models/{digest}", get(models::model))
        .route("/api/v1/shadow", get(models::shadow))
        .route("/api/v1/trigger", post(trigger))
        .route("/api/v1/rezero", post(rezero))
        .route("/api/v1/budget", get(budget))
        .route("/api/v1/parts", get(parts))
        .route("/api/v1/parts/{id}", get(part))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "there is nothing at this address; see /") })
        .with_state(watchman)
}

async fn metrics(State(watchman): Shared) -> impl IntoResponse {
    watchman.metrics.set_state(watchman.health.condition().state);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], watchman.metrics.render())
}

/// 200 if the next part would be judged, else 503 with the reasons, one a line.
async fn ready(State(watchman): Shared) -> Response {
    let condition = watchman.health.condition();
    if condition.is_ready() {
        return "ready\n".into_response();
    }
    let reasons = condition.reasons.join("\n");
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n{reasons}\n", condition.state.as_str())).into_response()
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("openapi.json"))
}

async fn state(State(watchman): Shared) -> impl IntoResponse {
    let condition = watchman.health.condition();
    let current = watchman.desk.current();
    let recipe = &current.plan;
    Json(json!({
        "schema": "plumb.state/1",
        "station": watchman.plan.station.name,
        "state": condition.state,
        "reasons": condition.reasons,
        "recipe": recipe.name,
        "recipe_number": recipe.number,
        "edition": current.edition,
        "recipe_digest": recipe.digest,
        "changeover": watchman.changeover.progress().0,
        "deadline_ms": recipe.deadline.as_millis() as u64,
        "in_step": watchman.health.out_of_step().is_none(),
        "line_stop": watchman.health.line_stops(),
        "links": links(&watchman),
        "triggers": watchman.metrics.triggers(),
        "answers": watchman.metrics.answers.get(),
        "records": watchman.metrics.records.get(),
        "version": env!("CARGO_PKG_VERSION"),
    }))
}

/// A software trigger: the next frame of each camera of the recipe is looked at.
async fn trigger(State(watchman): Shared) -> Response {
    let condition = watchman.health.condition();
    if matches!(condition.state, crate::state::State::Stopped | crate::state::State::Fault) {
        return refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!("the station is {}", condition.state.as_str()),
        );
    }
    let part = watchman.desk.ask(TriggerSource::Api, None, None);
    (StatusCode::ACCEPTED, Json(json!({ "schema": "plumb.trigger/1", "part_id": part }))).into_response()
}

/// The gate's link first, then the mirrors, with whether each is up.
fn links(watchman: &Watchman) -> Vec<serde_json::Value> {
    let plan = &watchman.plan;
    let gate = (plan.plc != plumb_plc::PlcConfig::None).then(|| plan.plc.kind());
    let mirrors = plan.mirrors.iter().map(|mirror| mirror.name.as_str());
    let is_up = |name: &str| watchman.metrics.plc_up.with_label_values(&[name]).get() == 1;
    let all = gate.into_iter().map(|name| (name, "gate")).chain(mirrors.map(|name| (name, "mirror")));
    all.map(|(name, role)| json!({ "name": name, "role": role, "up": is_up(name) })).collect()
}

/// Somebody says that the belt is clear: the count of parts begins anew, and the reasons for a line stop are forgotten.
async fn rezero(State(watchman): Shared) -> Response {
    watchman.desk.ask_rezero();
    (StatusCode::ACCEPTED, Json(json!({ "schema": "plumb.rezero/1", "asked": true }))).into_response()
}

/// Where the time from trigger to gate goes.
async fn budget(State(watchman): Shared) -> Response {
    match watchman.budget() {
        Some(budget) => Json(budget.json()).into_response(),
        None => {
            refusal(StatusCode::NOT_FOUND, "station.toml has no [gate], so there is no budget to keep to")
        }
    }
}

/// What `/api/v1/parts` can be asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Find {
    verdict: Option<RecordVerdict>,
    limit: Option<usize>,
}

async fn parts(
    State(watchman): Shared,
    find: Result<Query<Find>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let find = match find {
        Ok(Query(find)) => find,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let query = plumb_ledger::Query {
        verdict: find.verdict,
        limit: Some(find.limit.unwrap_or(50).clamp(1, 1000)),
        ..plumb_ledger::Query::default()
    };
    read(watchman, move |reader| reader.find(&query), "plumb.parts/1", "parts").await
}

async fn part(State(watchman): Shared, Path(id): Path<String>) -> Response {
    let Some(id) = id.parse().ok().and_then(PartId::new) else {
        return refusal(
            StatusCode::BAD_REQUEST,
            &format!("a part id is a number from 1 to {}, not {id:?}", u32::MAX),
        );
    };
    let query = plumb_ledger::Query::of_part(id);
    read(watchman, move |reader| reader.find(&query), "plumb.parts/1", "parts").await
}

/// Asks the database on a thread that may wait.
async fn read<T: Serialize + Send + 'static>(
    watchman: Arc<Watchman>,
    ask: impl FnOnce(&plumb_ledger::Reader) -> Result<T, plumb_ledger::LedgerError> + Send + 'static,
    schema: &'static str,
    name: &'static str,
) -> Response {
    let answer = tokio::task::spawn_blocking(move || ask(&watchman.ledger.reader())).await;
    match answer {
        Ok(Ok(found)) => Json(json!({ "schema": schema, name: found })).into_response(),
        Ok(Err(error)) => refusal(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn refusal(status: StatusCode, says: &str) -> Response {
    (status, Json(json!({ "schema": "plumb.error/1", "error": says }))).into_response()
}
