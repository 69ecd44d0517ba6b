//! The audit log: who did what, when and why; whether it is whole; and the log itself, to take away.

use super::{Door, Group, Page, when};
use crate::{
    Console, Right,
    guard::{Visit, escaped, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    Form, Json,
    extract::{Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use plumb_ledger::{AuditEntry, AuditQuery, NewAuditEntry, PeopleError, Verified};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "audit",
    path: "/audit",
    right: Right::See,
    group: Some(Group::Station),
    texts: include_str!("audit.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![
        Door::new("/audit", Right::See, get(page)),
        Door::new("/audit/verify", Right::See, post(verify)),
        Door::new("/audit/sign", Right::See, post(sign)),
        Door::new("/audit/export", Right::See, get(export)),
        Door::new("/api/v1/audit", Right::See, get(entries)),
        Door::new("/api/v1/audit/verify", Right::See, get(verified)),
    ]
}

/// Entries a page.
const PAGE_OF: usize = 50;

/// What the form and the API ask for; empty is as good as left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    who: String,
    what: String,
    from: String,
    until: String,
    /// Entries before this one.
    before: String,
    /// Entries a page, 1..=1000; the API alone.
    limit: String,
}

impl Asked {
    fn query(&self) -> Result<AuditQuery, String> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let number = |name: &str, text: &str, most: u64| match given(text) {
            None => Ok(None),
            Some(text) => text
                .parse::<u64>()
                .ok()
                .filter(|n| (1..=most).contains(n))
                .map(Some)
                .ok_or_else(|| format!("{name} is a number from 1 to {most}, not {text:?}")),
        };
        Ok(AuditQuery {
            who: given(&self.who),
            what: given(&self.what),
            from: given(&self.from).map(|text| when(&text)).transpose()?,
            until: given(&self.until).map(|text| when(&text)).transpose()?,
            before: number("before", &self.before, u64::MAX)?,
            limit: number("limit", &self.limit, 1000)?.map_or(PAGE_OF, |limit| limit as usize),
        })
    }

    fn next(&self, before: u64) -> String {
        let pairs = [("who", &self.who), ("what", &self.what), ("from", &self.from), ("until", &self.until)];
        let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        let query: String = given.map(|(key, value)| format!("{key}={}&", escaped(value))).collect();
        format!("/audit?{query}before={before}")
    }
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit {
    shell: Shell,
    asked: Asked,
    entries: Vec<AuditEntry>,
    next: Option<String>,
    head: Option<(u64, String)>,
    says: Option<String>,
}

impl Audit {
    /// A value as people read it: text without quotes, nothing as nothing.
    fn told(&self, value: &Option<Value>) -> String {
        match value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Object(fields)) => {
                let told = |(key, value): (&String, &Value)| match value {
                    Value::String(text) => format!("{key}: {text}"),
                    other => format!("{key}: {other}"),
                };
                fields.iter().map(told).collect::<Vec<_>>().join(", ")
            }
            Some(other) => other.to_string(),
        }
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
    let shell = visit.shell(&PAGE);
    let mut page = Audit { shell, asked, entries: vec![], next: None, head: None, says: None };
    match page.asked.query() {
        Err(says) => page.says = Some(says),
        Ok(query) => {
            let limit = query.limit;
            let found = console
                .ask(move |console| Ok((console.office.log().find(&query)?, console.office.log().head()?)))
                .await;
            match found {
                Ok(Ok((entries, head))) => {
                    let last = entries.last().filter(|_| entries.len() == limit);
                    page.next = last.map(|entry| page.asked.next(entry.n));
                    (page.entries, page.head) = (entries, head);
                }
                Ok(Err::<_, PeopleError>(error)) => page.says = Some(error.to_string()),
                Err(unanswered) => page.says = Some(unanswered.to_string()),
            }
        }
    }
    let status = if page.says.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    (status, visit.page(&page)).into_response()
}

/// The whole log is gone through; a sentence for the page. What it finds shows on every page from then on.
async fn verify(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let shell = visit.shell(&PAGE);
    match console.ask(|console| console.office.verify()).await {
        Ok(Ok(Verified::Whole { entries, head })) => {
            let says = format!("{} {head}", shell.fill("audit.whole", entries));
            visit.page(&super::Said { says: &says, good: true })
        }
        Ok(Ok(Verified::Broken { n, says })) => {
            let says = format!("{} {says}", shell.fill("audit.broken", n));
            visit.page(&super::Said { says: &says, good: false })
        }
        Ok(Err(error)) => refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

/// What a signature says. `Debug` is not derived: it holds a password.
#[derive(Deserialize)]
struct Signature {
    meaning: String,
    password: String,
    #[serde(default)]
    reason: String,
}

/// An electronic signature under the log as it is now: the person's password again, and what they mean by it (21 CFR
/// 11.50 and 11.200). It is an entry itself, and holds the hash of the last one before it.
async fn sign(visit: Visit, State(console): State<Arc<Console>>, Form(given): Form<Signature>) -> Response {
    let (shell, Some(who)) = (visit.shell(&PAGE), visit.shown.as_ref().map(|shown| shown.who.clone())) else {
        return refusal(&visit, StatusCode::FORBIDDEN, "a signature is a person's; a token cannot sign");
    };
    let meaning = given.meaning.trim().to_owned();
    if !MEANINGS.contains(&meaning.as_str()) {
        return refusal(
            &visit,
            StatusCode::UNPROCESSABLE_ENTITY,
            "a signature means reviewed, approved or responsible",
        );
    }
    if let Err(error) = console.sign(who.clone(), given.password).await {
        return refusal(&visit, StatusCode::FORBIDDEN, &error.to_string());
    }
    let signed = console
        .ask(move |console| {
            let (n, head) = console.office.log().head()?.unwrap_or_default();
            console.office.enter(NewAuditEntry {
                new: Some(json!({ "last": n, "hash": head })),
                reason: given.reason,
                signature: Some(meaning),
                ..who.entry("signed", "audit log")
            })
        })
        .await;
    match signed {
        Ok(Ok(entry)) => {
            visit.page(&super::Said { says: &shell.fill("audit.signed_as", entry.n), good: true })
        }
        Ok(Err(error)) => refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

/// What a signature may mean.
const MEANINGS: [&str; 3] = ["reviewed", "approved", "responsible"];

/// Every entry with its hash, one a line, as `plumb audit export` gives them: whoever has them can verify the chain.
async fn export(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let read = console
        .ask(|console| {
            let mut lines = String::new();
            console.office.log().each(|_, entry, hash| {
                lines += &format!("{{\"hash\":\"{hash}\",\"entry\":{entry}}}\n");
                Ok(())
            })?;
            Ok::<_, PeopleError>(lines)
        })
        .await;
    match read {
        Ok(Ok(lines)) => {
            let headers = [
                (header::CONTENT_TYPE, "application/jsonl"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"plumb-audit.jsonl\""),
            ];
            (headers, lines).into_response()
        }
        Ok(Err(error)) => refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

/// `GET /api/v1/audit`: schema `plumb.audit_entries/1`, newest first.
async fn entries(
    visit: Visit,
    State(console): State<Arc<Console>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let query = match asked {
        Ok(Query(asked)) => asked.query(),
        Err(error) => Err(error.body_text()),
    };
    let query = match query {
        Ok(query) => query,
        Err(says) => return refusal(&visit, StatusCode::BAD_REQUEST, &says),
    };
    match console.ask(move |console| console.office.log().find(&query)).await {
        Ok(Ok(entries)) => {
            Json(json!({ "schema": "plumb.audit_entries/1", "entries": entries })).into_response()
        }
        Ok(Err(error)) => refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

/// `GET /api/v1/audit/verify`: schema `plumb.audit_verified/1`.
async fn verified(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let told = match console.ask(|console| console.office.verify()).await {
        Ok(Ok(Verified::Whole { entries, head })) => json!({ "ok": true, "entries": entries, "head": head }),
        Ok(Ok(Verified::Broken { n, says })) => json!({ "ok": false, "broken_at": n, "says": says }),
        Ok(Err(error)) => return refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(unanswered) => {
            return refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string());
        }
    };
    let mut document = json!({ "schema": "plumb.audit_verified/1" });
    if let (Value::Object(document), Value::Object(told)) = (&mut document, told) {
        document.extend(told);
    }
    Json(document).into_response()
}
