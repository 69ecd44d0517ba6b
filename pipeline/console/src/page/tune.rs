//! Tune: every rule that has a threshold, and what is proposed for them.

use super::{
    Door, Group, Page,
    proposals::{self, Proposals},
};
use crate::{
    Console, Right, RuleSeen,
    counting::as_written,
    guard::{Visit, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use plumb_ledger::Proposal;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "tune",
    path: "/tune",
    right: Right::See,
    group: Some(Group::Judge),
    texts: include_str!("tune.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    let own = [Door::new("/tune", Right::See, get(page)), Door::new("/api/v1/tune", Right::See, get(json))];
    own.into_iter().chain(proposals::doors()).collect()
}

#[derive(Template)]
#[template(path = "tune.html")]
struct Tune {
    shell: Shell,
    rules: Vec<RuleSeen>,
    list: Proposals,
    says: String,
}

impl Tune {
    fn address(&self, seen: &RuleSeen) -> String {
        super::tuning::address(seen.recipe.as_str(), seen.rule.as_str())
    }
}

type Asked = (Result<Vec<RuleSeen>, String>, Result<Vec<Proposal>, String>);

async fn ask(console: &Arc<Console>) -> Result<Asked, String> {
    let asked = console.ask(|console| {
        let proposals = console.proposals.list(None, proposals::SHOWN).map_err(|error| error.to_string());
        (console.seen.rules.all().map_err(|refused| refused.0), proposals)
    });
    asked.await.map_err(|unanswered| unanswered.to_string())
}

async fn page(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let shell = visit.shell(&PAGE);
    let (rules, listed) = match ask(&console).await {
        Ok(found) => found,
        Err(says) => return refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &says),
    };
    let says: Vec<String> =
        [rules.as_ref().err(), listed.as_ref().err()].into_iter().flatten().cloned().collect();
    let list = Proposals::new(&visit, listed.unwrap_or_default(), None);
    visit.page(&Tune { shell, rules: rules.unwrap_or_default(), list, says: says.join("; ") })
}

/// `GET /api/v1/tune`: schema `plumb.tunable/1`.
async fn json(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    match ask(&console).await {
        Ok((Ok(rules), Ok(proposals))) => {
            let rules: Vec<Value> = rules.iter().map(told).collect();
            Json(json!({ "schema": "plumb.tunable/1", "rules": rules, "proposals": proposals }))
                .into_response()
        }
        Ok((Err(says), _) | (_, Err(says))) => refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &says),
        Err(says) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &says),
    }
}

/// A rule as JSON.
pub(super) fn told(seen: &RuleSeen) -> Value {
    let rejects = match seen.threshold.rejects {
        plumb_verdict::Rejects::AtOrAbove => "at_or_above",
        plumb_verdict::Rejects::Above => "above",
    };
    json!({
        "recipe": seen.recipe,
        "rule": seen.rule.as_str(),
        "key": seen.threshold.key,
        "value": as_written(seen.threshold.value),
        "rejects": rejects,
        "file_digest": seen.file_digest,
        "runs": seen.runs,
    })
}
