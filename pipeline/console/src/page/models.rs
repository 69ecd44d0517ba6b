//! Models: which there are, where they judge, how far each has come.

use super::{Door, Group, Page, model};
use crate::{
    Console, ModelSeen, Right,
    guard::{Visit, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response, routing::get};
use plumb_ledger::{LedgerError, ModelBook, ModelEntry, ShadowSummary};
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "models",
    path: "/models",
    right: Right::See,
    group: Some(Group::Judge),
    texts: include_str!("models.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![Door::new("/models", Right::See, get(page))]
}

/// One model: every place where recipes name it, and what the ledger says of it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) digest: String,
    pub(super) name: String,
    pub(super) family: String,
    pub(super) named: Vec<ModelSeen>,
    pub(super) entry: Option<ModelEntry>,
    pub(super) shadow: Option<ShadowSummary>,
}

impl Known {
    pub(super) fn runs(&self) -> impl Iterator<Item = &ModelSeen> {
        self.named.iter().filter(|seen| seen.runs.is_some())
    }

    /// `draft` … `retired`; empty where the ledger does not know it.
    pub(super) fn state(&self) -> &'static str {
        self.entry.as_ref().map_or("", |entry| entry.state.as_str())
    }

    /// Something that somebody should look at.
    pub(super) fn trouble(&self) -> Option<&str> {
        let failed = self.named.iter().find_map(|seen| seen.failed.as_deref());
        failed.or_else(|| self.named.iter().find_map(|seen| seen.runs.as_ref()?.degraded.as_deref()))
    }
}

/// Those that recipes name, then those the ledger alone knows.
pub(super) fn all(console: &Console) -> Result<Vec<Known>, String> {
    let entries = match ModelBook::new(&console.seen.ledger).list() {
        Err(LedgerError::Absent { .. }) => Vec::new(),
        other => other.map_err(|error| error.to_string())?,
    };
    let mut known: Vec<Known> = Vec::new();
    for seen in console.seen.models.named().map_err(|refused| refused.0)? {
        match known.iter_mut().find(|known| known.digest == seen.digest) {
            Some(known) => known.named.push(seen),
            None => known.push(Known {
                digest: seen.digest.clone(),
                name: seen.name.clone(),
                family: seen.family.clone(),
                named: vec![seen],
                entry: None,
                shadow: None,
            }),
        }
    }
    for entry in entries {
        match known.iter_mut().find(|known| known.digest == entry.digest) {
            Some(known) => known.entry = Some(entry),
            None => known.push(Known {
                digest: entry.digest.clone(),
                name: entry.name.to_string(),
                family: entry.family.clone().unwrap_or_default(),
                named: Vec::new(),
                entry: Some(entry),
                shadow: None,
            }),
        }
    }
    for known in &mut known {
        known.shadow = match console.reader.shadow_summary(&known.digest) {
            Err(LedgerError::Absent { .. }) => None,
            other => other.map_err(|error| error.to_string())?,
        };
    }
    Ok(known)
}

#[derive(Template)]
#[template(path = "models.html")]
struct Models {
    shell: Shell,
    models: Vec<Known>,
}

impl Models {
    fn address(&self, known: &Known) -> String {
        model::address(&known.digest)
    }

    fn disagreements(&self, summary: &ShadowSummary) -> String {
        model::disagreements(&self.shell, summary)
    }
}

async fn page(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let shell = visit.shell(&PAGE);
    match console.ask(all).await {
        Ok(Ok(models)) => visit.page(&Models { shell, models }),
        Ok(Err(says)) => refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &says),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}
