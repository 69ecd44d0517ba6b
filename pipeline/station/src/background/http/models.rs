//! `/api/v1/models` and `/api/v1/shadow`: what runs, what each model is trusted with, and what shadows say.

use super::{Shared, Watchman, refusal};
use crate::{
    config::ModelPlan,
    edition::{LoadedModel, LoadedRecipe},
};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use plumb_inference::Card;
use plumb_inspection::ModelName;
use plumb_ledger::{Ledger, ModelEntry, ModelError, ShadowQuery, pick};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// The models that are loaded, then those the ledger alone knows.
pub(super) async fn models(State(watchman): Shared) -> Response {
    let loaded = loaded(&watchman);
    let told = ask(watchman, move |ledger| with_lifecycle(loaded, ledger)).await;
    told.map_or_else(
        |refused| refused,
        |models| Json(json!({ "schema": "plumb.models/1", "models": models })).into_response(),
    )
}

/// One model with all that happened to it.
pub(super) async fn model(State(watchman): Shared, Path(digest): Path<String>) -> Response {
    let loaded = loaded(&watchman);
    let told = ask(watchman, move |ledger| {
        let book = ledger.models();
        let told = with_lifecycle(loaded, ledger)?;
        let wanted = pick(&digest, &names(&told))?.1.clone();
        let model = told.into_iter().find(|model| model["digest"] == wanted);
        Ok(json!({ "schema": "plumb.model/1", "model": model, "history": book.history(&wanted)? }))
    });
    told.await.map_or_else(|refused| refused, |model| Json(model).into_response())
}

/// What `/api/v1/shadow` can be asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Find {
    model: Option<String>,
    #[serde(default)]
    disagreements: bool,
    limit: Option<usize>,
}

/// What shadow models said of parts, newest first.
pub(super) async fn shadow(State(watchman): Shared, find: Result<Query<Find>, QueryRejection>) -> Response {
    let find = match find {
        Ok(Query(find)) => find,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let told = ask(watchman, move |ledger| {
        let known = || Ok::<_, ModelError>(ledger.models().list()?.iter().map(named).collect::<Vec<_>>());
        let model = match &find.model {
            Some(wanted) => Some(pick(wanted, &known()?)?.1.clone()),
            None => None,
        };
        let limit = Some(find.limit.unwrap_or(50).clamp(1, 1000));
        let query = ShadowQuery { model, disagreements: find.disagreements, limit, part: None };
        Ok(ledger.reader().shadow(&query)?)
    });
    told.await.map_or_else(
        |refused| refused,
        |shadows| Json(json!({ "schema": "plumb.shadows/1", "shadows": shadows })).into_response(),
    )
}

/// How a card's outputs are read, in the card's own word: `detector`, `segmenter`, …
pub(crate) fn family_of(card: &Card) -> String {
    let family = serde_json::to_value(&card.family).unwrap_or_default();
    family["kind"].as_str().unwrap_or("unknown").to_owned()
}

/// What runs for each edition, what was asked for, what was tried and why it runs where it does; shadows too.
fn loaded(watchman: &Watchman) -> Vec<Value> {
    let mut models = Vec::new();
    for recipe in watchman.editions.all() {
        let plan = &recipe.plan;
        for (model, planned) in recipe.models.iter().zip(&plan.models) {
            models.extend(model.as_ref().map(|model| one(&recipe, planned, model)));
        }
        for shadow in &recipe.shadows {
            let planned = &plan.models[shadow.plan.model];
            let mut told = match &shadow.model {
                Ok(model) => one(&recipe, planned, model),
                Err(says) => json!({
                    "name": planned.card.name, "digest": planned.digest(), "loaded": false,
                    "family": family_of(&planned.card), "recipe": plan.name, "edition": recipe.edition,
                    "failed": says,
                }),
            };
            told["shadow_of"] = json!(plan.models[shadow.plan.instead_of].card.name);
            models.push(told);
        }
    }
    models
}

fn one(recipe: &LoadedRecipe, planned: &ModelPlan, model: &LoadedModel) -> Value {
    let info = &model.info;
    let tried = info.tried.iter().map(|tried| json!({ "device": tried.device, "reason": tried.reason }));
    json!({
        "name": info.name,
        "digest": info.digest,
        "loaded": true,
        "family": family_of(&planned.card),
        "recipe": recipe.plan.name,
        "edition": recipe.edition,
        "asked": model.asked,
        "tried": tried.collect::<Vec<_>>(),
        "provider": info.provider,
        "why": info.why,
        "variant": info.variant,
        "degraded": model.degraded,
        "warm_up_ms": model.run.as_secs_f64() * 1000.0,
        "deadline_ms": recipe.plan.deadline.as_millis() as u64,
        "labels": info.labels,
    })
}

/// Adds what the ledger says to each model that is loaded, and the models it alone knows. A state is null where the
/// ledger does not know a model.
fn with_lifecycle(mut models: Vec<Value>, ledger: &Ledger) -> Result<Vec<Value>, ModelError> {
    let entries = ledger.models().list()?;
    let known: BTreeMap<&str, &ModelEntry> =
        entries.iter().map(|entry| (entry.digest.as_str(), entry)).collect();
    for entry in &entries {
        if models.iter().all(|model| model["digest"] != entry.digest) {
            models.push(json!({
                "name": entry.name, "digest": entry.digest, "loaded": false, "family": entry.family,
            }));
        }
    }
    for model in &mut models {
        let entry = model["digest"].as_str().and_then(|digest| known.get(digest));
        model["state"] = json!(entry.map(|entry| entry.state));
        let Some(entry) = entry else { continue };
        model["since"] = json!(format!("{:.6}", entry.since));
        model["by"] = json!(entry.by);
        model["live_in"] = json!(entry.live_in);
        if let Some(summary) = ledger.reader().shadow_summary(&entry.digest)? {
            model["shadow"] = json!(summary);
        }
    }
    Ok(models)
}

fn names(models: &[Value]) -> Vec<(ModelName, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    models.iter().map(|model| (text(&model["name"]).into(), text(&model["digest"]))).collect()
}

fn named(entry: &ModelEntry) -> (ModelName, String) {
    (entry.name.clone(), entry.digest.clone())
}

/// Asks the ledger on a thread that may wait.
async fn ask<T: Send + 'static>(
    watchman: Arc<Watchman>,
    question: impl FnOnce(&Ledger) -> Result<T, ModelError> + Send + 'static,
) -> Result<T, Response> {
    let answer = tokio::task::spawn_blocking(move || question(&watchman.ledger)).await;
    let told = answer.map_err(|error| refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()))?;
    told.map_err(|error| {
        let status = match error {
            ModelError::Unknown { .. } => StatusCode::NOT_FOUND,
            ModelError::Ledger(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        refusal(status, &error.to_string())
    })
}
