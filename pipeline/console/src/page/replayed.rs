//! A part's stored picture under another recipe: what it would have been, beside what it was.

use super::{part, picture::below};
use crate::{
    Console,
    guard::{Visit, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use plumb_inspection::{PartId, RecipeName};
use plumb_ledger::{Query as Ask, Record};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Debug, Deserialize)]
pub(super) struct Wish {
    at: i64,
    recipe: String,
}

#[derive(Template)]
#[template(path = "replayed.html")]
struct Replayed {
    shell: Shell,
    then: Record,
    now: Record,
}

/// `POST /parts/{id}/replay`: loads the recipe beside the station and looks at the picture once. It takes seconds.
pub(super) async fn replay(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Form(wish): Form<Wish>,
) -> Response {
    let shell = visit.shell(&part::PAGE);
    let Some(id) = id.parse().ok().and_then(PartId::new) else {
        return refusal(&visit, StatusCode::BAD_REQUEST, &shell.t("part.no_number"));
    };
    let expired = shell.t("part.no_frame");
    // Apart: it takes seconds, and nobody's turn.
    let replayed = console
        .do_apart(move |console| {
            let records = console.reader.find(&Ask::of_part(id)).map_err(|error| error.to_string())?;
            let mut records = records.into_iter();
            let Some(then) = records.find(|record| record.triggered_at.as_microsecond() == wish.at) else {
                return Ok(None);
            };
            let frame = then.pictures.iter().find(|picture| picture.kind == "frame");
            let file = frame.and_then(|picture| below(&console.seen.ledger, &picture.path));
            let file = file.filter(|file| file.is_file()).ok_or(expired)?;
            let recipe = RecipeName::from(wish.recipe.as_str());
            let now = console.seen.rules.replay(&file, &recipe).map_err(|refused| refused.0)?;
            Ok::<_, String>(Some((then, now)))
        })
        .await;
    match replayed {
        Ok(Ok(Some((then, now)))) => visit.page(&Replayed { shell, then, now }),
        Ok(Ok(None)) => refusal(&visit, StatusCode::NOT_FOUND, &shell.fill("part.unknown", id)),
        Ok(Err(says)) => refusal(&visit, StatusCode::CONFLICT, &says),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}
