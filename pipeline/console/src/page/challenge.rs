//! The challenge: known parts, one after the other, before the station may judge.

use super::{Door, Group, Page};
use crate::{
    ChallengeSeen, ChallengeStand, Command, Console, Right,
    guard::{Visit, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "challenge",
    path: "/challenge",
    right: Right::See,
    group: Some(Group::Watch),
    texts: include_str!("challenge.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![
        Door::new("/challenge", Right::See, get(page)),
        Door::new("/challenge/parts", Right::See, get(parts)),
        Door::new("/challenge/begin", Right::Operate, post(begin)),
        Door::new("/challenge/break-off", Right::Operate, post(break_off)),
        Door::new("/api/v1/challenge", Right::See, get(json)),
    ]
}

#[derive(Template)]
#[template(path = "challenge.html")]
struct Whole {
    shell: Shell,
    seen: Option<ChallengeSeen>,
    may_operate: bool,
}

/// Tile and parts, renewed in place.
#[derive(Template)]
#[template(path = "challenge_parts.html")]
struct Parts {
    shell: Shell,
    seen: Option<ChallengeSeen>,
    may_operate: bool,
}

impl ChallengeSeen {
    /// Which part is awaited, and its place from 1; nobody while none is.
    fn next(&self) -> Option<(usize, &str)> {
        let at = self.parts.iter().position(|part| part.is_next)?;
        Some((at + 1, self.parts[at].name.as_str()))
    }

    /// The tile's shape, word and colour.
    fn look(&self) -> &'static str {
        match self.stand {
            ChallengeStand::Passed => "pass",
            ChallengeStand::Due if self.last.as_ref().is_some_and(|last| !last.is_passed) => "fail",
            ChallengeStand::Due => "missed",
            ChallengeStand::UnderWay | ChallengeStand::NotNeeded => "none",
        }
    }
}

async fn page(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let (shell, seen) = (visit.shell(&PAGE), console.snapshot().challenge.clone());
    visit.page(&Whole { shell, seen, may_operate: visit.may(Right::Operate) })
}

async fn parts(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let (shell, seen) = (visit.shell(&PAGE), console.snapshot().challenge.clone());
    visit.page(&Parts { shell, seen, may_operate: visit.may(Right::Operate) })
}

/// `GET /api/v1/challenge`: schema `plumb.challenge/1`.
async fn json(State(console): State<Arc<Console>>) -> Response {
    let snapshot = console.snapshot();
    Json(json!({ "schema": "plumb.challenge/1", "at": snapshot.at, "challenge": snapshot.challenge }))
        .into_response()
}

async fn begin(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    order(&visit, &console, "challenge_begun", Command::BeginChallenge).await
}

async fn break_off(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    order(&visit, &console, "challenge_broken_off", Command::BreakOffChallenge).await
}

async fn order(visit: &Visit, console: &Arc<Console>, what: &str, command: Command) -> Response {
    let Some(who) = visit.who().cloned() else { return StatusCode::UNAUTHORIZED.into_response() };
    let recipe = console.snapshot().recipe.name.clone();
    match console.change(&who, who.entry(what, recipe.as_str()), command).await {
        // The tile says what is next; what was said of an earlier try goes.
        Ok(_) => StatusCode::OK.into_response(),
        Err(refused) => refusal(visit, StatusCode::CONFLICT, &refused.0),
    }
}
