//! `/api/v1/recipes` and `/api/v1/changeover`: which recipes there are, and the wish for another.

use super::{Shared, refusal};
use crate::{
    changeover::{Progress, Stage},
    config::RecipeError,
    edition::Editions,
};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use plumb_inspection::RecipeNumber;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Every recipe: those that are loaded, and those that would be when asked for.
pub(super) async fn recipes(State(watchman): Shared) -> impl IntoResponse {
    let current = watchman.desk.current().edition;
    let mut recipes: BTreeMap<RecipeNumber, Value> = watchman
        .plan
        .recipes
        .values()
        .map(|plan| {
            let (name, number, digest) = (&plan.name, plan.number, &plan.digest);
            let unloaded =
                json!({ "name": name, "number": number, "digest": digest, "loaded": false, "current": false });
            (number, unloaded)
        })
        .collect();
    // Oldest first, so that the newest edition of each is told.
    for recipe in watchman.editions.all() {
        let plan = &recipe.plan;
        recipes.retain(|_, other| other["name"] != json!(plan.name) || other["number"] == json!(plan.number));
        let loaded = json!({
            "name": plan.name,
            "number": plan.number,
            "digest": plan.digest,
            "loaded": true,
            "edition": recipe.edition,
            "current": recipe.edition == current,
            "deadline_ms": plan.deadline.as_millis() as u64,
            "models_ms": ms(recipe.models_take),
            "degraded": recipe.degraded(),
        });
        recipes.insert(plan.number, loaded);
    }
    Json(json!({ "schema": "plumb.recipes/1", "recipes": recipes.into_values().collect::<Vec<_>>() }))
}

/// What `/api/v1/recipes/{recipe}/load` can be told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Load {
    /// False: load and warm only.
    #[serde(default = "yes")]
    live: bool,
}

fn yes() -> bool {
    true
}

/// Reads the recipe again, as it is on disk now; 202 when it will be loaded beside the one that runs.
pub(super) async fn load(
    State(watchman): Shared,
    Path(wanted): Path<String>,
    load: Result<Query<Load>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let live = match load {
        Ok(Query(load)) => load.live,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let changeover = watchman.changeover.clone();
    let read = tokio::task::spawn_blocking(move || changeover.by_api(&wanted, live)).await;
    match read {
        Ok(Ok(plan)) => {
            let wished = json!({
                "schema": "plumb.load/1",
                "recipe": plan.name,
                "number": plan.number,
                "digest": plan.digest,
                "live": live,
                "follow": "/api/v1/changeover",
            });
            (StatusCode::ACCEPTED, Json(wished)).into_response()
        }
        Ok(Err(RecipeError::Problems(problems))) => {
            let told = json!({ "schema": "plumb.check/1", "ok": false, "problems": problems });
            (StatusCode::UNPROCESSABLE_ENTITY, Json(told)).into_response()
        }
        Ok(Err(error @ RecipeError::Unknown { .. })) => refusal(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// How far the last wish has come, and which one waits behind it.
pub(super) async fn changeover(State(watchman): Shared) -> impl IntoResponse {
    let (progress, waits) = watchman.changeover.progress();
    let now = progress.map(|progress| progress_json(&progress, &watchman.editions));
    Json(json!({ "schema": "plumb.changeover/1", "changeover": now, "waits": waits }))
}

fn progress_json(progress: &Progress, editions: &Editions) -> Value {
    let mut told = json!(progress);
    let recipe = progress.edition.and_then(|edition| editions.get(edition));
    if let (Stage::Live, Some(recipe)) = (progress.stage, recipe) {
        told["first_part"] = json!(recipe.first_part());
        told["recipe_digest"] = json!(recipe.plan.digest);
    }
    told
}

fn ms(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
