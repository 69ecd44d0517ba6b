//! Parts: find them by serial, number, time, verdict, defect, or where people and machine disagree.

use super::{Door, Group, Page, when};
use crate::{
    Console, Right,
    guard::{Visit, escaped, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use plumb_inspection::PartId;
use plumb_ledger::{Found, RecordVerdict, Search};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "parts",
    path: "/parts",
    right: Right::See,
    group: Some(Group::Watch),
    texts: include_str!("parts.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![Door::new("/parts", Right::See, get(page)), Door::new("/api/v1/search", Right::See, get(search))]
}

/// Parts a page.
const PAGE_OF: usize = 50;

/// What the form and the API ask for; empty is as good as left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    /// A serial number, exactly.
    serial: String,
    /// A part's number.
    part: String,
    /// `pass`, `fail`, `missed`, `late`, or `rejected` for all but the first.
    verdict: String,
    /// A class that a model found.
    defect: String,
    /// Local time `2026-11-24T06:00`, or with an offset.
    from: String,
    until: String,
    /// `yes`: people said the contrary.
    disagrees: String,
    /// Where the page before ended.
    after: String,
    /// Parts a page, 1..=1000; the API alone.
    limit: String,
}

impl Asked {
    fn search(&self) -> Result<Search, String> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let part = given(&self.part).map(|text| {
            let number = text.parse().ok().and_then(PartId::new);
            number.ok_or_else(|| format!("a part's number is 1 to {}, not {text:?}", u32::MAX))
        });
        let verdicts = match given(&self.verdict).as_deref() {
            None => vec![],
            Some("rejected") => vec![RecordVerdict::Fail, RecordVerdict::Missed, RecordVerdict::Late],
            Some(word) => {
                let known = RecordVerdict::ALL.into_iter().find(|verdict| verdict.as_str() == word);
                vec![known.ok_or_else(|| {
                    format!("a verdict is pass, fail, missed, late or rejected, not {word:?}")
                })?]
            }
        };
        let after = given(&self.after).map(|text| text.parse().map_err(|error| format!("after: {error}")));
        let limit = given(&self.limit).map(|text| {
            let number = text.parse().ok().filter(|limit| (1..=1000).contains(limit));
            number.ok_or_else(|| format!("limit is 1 to 1000, not {text:?}"))
        });
        Ok(Search {
            part: part.transpose()?,
            serial: given(&self.serial),
            verdicts,
            class: given(&self.defect),
            disagrees: given(&self.disagrees).is_some(),
            from: given(&self.from).map(|text| when(&text)).transpose()?,
            until: given(&self.until).map(|text| when(&text)).transpose()?,
            after: after.transpose()?,
            limit: limit.transpose()?.unwrap_or(PAGE_OF),
        })
    }

    /// Whether anything is looked for.
    fn is_empty(&self) -> bool {
        let all =
            [&self.serial, &self.part, &self.verdict, &self.defect, &self.from, &self.until, &self.disagrees];
        all.into_iter().all(|text| text.trim().is_empty())
    }

    /// The address of the next page.
    fn next(&self, after: &str) -> String {
        let pairs = [
            ("serial", &self.serial),
            ("part", &self.part),
            ("verdict", &self.verdict),
            ("defect", &self.defect),
            ("from", &self.from),
            ("until", &self.until),
            ("disagrees", &self.disagrees),
        ];
        let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        let query: String = given.map(|(key, value)| format!("{key}={}&", escaped(value))).collect();
        format!("/parts?{query}after={after}")
    }
}

#[derive(Template)]
#[template(path = "parts.html")]
struct Parts {
    shell: Shell,
    asked: Asked,
    classes: Vec<String>,
    found: Found,
    next: Option<String>,
    /// What is wrong with the question, or with the ledger.
    says: Option<String>,
    took_ms: f64,
}

impl Parts {
    fn is_chosen(&self, verdict: &str) -> bool {
        self.asked.verdict == verdict
    }

    /// Classes found in a record, each once.
    fn found_in(&self, record: &plumb_ledger::Record) -> String {
        let mut classes: Vec<&str> = record
            .views
            .iter()
            .flat_map(|view| &view.findings)
            .map(|finding| finding.class.as_str())
            .collect();
        classes.sort_unstable();
        classes.dedup();
        classes.join(", ")
    }
}

async fn page(
    visit: Visit,
    State(console): State<Arc<Console>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(error) => return refusal(&visit, StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let mut parts = Parts {
        shell: visit.shell(&PAGE),
        classes: vec![],
        found: Found::default(),
        next: None,
        says: None,
        took_ms: 0.0,
        asked,
    };
    match parts.asked.search() {
        Err(says) => parts.says = Some(says),
        Ok(search) => {
            let asked = console
                .ask(move |console| {
                    let begun = std::time::Instant::now();
                    let found = console.reader.search(&search)?;
                    Ok((found, console.reader.classes()?, begun.elapsed()))
                })
                .await;
            match asked {
                Ok(Ok((found, classes, took))) => {
                    parts.next = found.next.map(|next| parts.asked.next(&next.to_string()));
                    (parts.found, parts.classes, parts.took_ms) = (found, classes, took.as_secs_f64() * 1e3);
                }
                // A new station has no ledger yet, and no parts: that is no trouble.
                Ok(Err(plumb_ledger::LedgerError::Absent { .. })) => {}
                Ok(Err(error)) => parts.says = Some(error.to_string()),
                Err(unanswered) => parts.says = Some(unanswered.to_string()),
            }
        }
    }
    let status = if parts.says.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    (status, visit.page(&parts)).into_response()
}

/// `GET /api/v1/search`: the same, schema `plumb.parts/1` with `next` for the next page.
async fn search(
    visit: Visit,
    State(console): State<Arc<Console>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let search = match asked {
        Ok(Query(asked)) => asked.search(),
        Err(error) => Err(error.body_text()),
    };
    let search = match search {
        Ok(search) => search,
        Err(says) => return refusal(&visit, StatusCode::BAD_REQUEST, &says),
    };
    match console.ask(move |console| console.reader.search(&search)).await {
        Ok(Ok(found)) => {
            let with_truth = |(record, truth)| {
                let mut told = json!(record);
                told["truth"] = json!(truth);
                told
            };
            let next = found.next.map(|next| next.to_string());
            let parts: Vec<_> = found.records.into_iter().map(with_truth).collect();
            Json(json!({ "schema": "plumb.parts/1", "parts": parts, "next": next })).into_response()
        }
        Ok(Err(error)) => refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}
