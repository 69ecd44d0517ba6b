//! One model: what its file is, where it runs, whether it still finds what it found, how fast, what it is trusted with, and
//! what it would have said.

use super::{
    Door, Page, Said,
    models::{Known, all},
};
use crate::{
    Console, ModelFile, ModelVerified, Right, StationState,
    guard::{Visit, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    Form,
    extract::{Path, State, rejection::FormRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use plumb_ledger::{
    LedgerError, ModelBook, ModelChange, ModelState, NewAuditEntry, ShadowQuery, ShadowRecord, ShadowSummary,
};
use serde::Deserialize;
use serde_json::json;
use std::{
    sync::{Arc, PoisonError},
    time::Instant,
};

pub(crate) static PAGE: Page = Page {
    name: "model",
    path: "/models/{digest}",
    right: Right::See,
    group: None,
    texts: include_str!("model.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![
        Door::new("/models/{digest}", Right::See, get(page)),
        Door::new("/models/{digest}/state", Right::Judge, post(change)),
        Door::new("/models/{digest}/verify", Right::Operate, post(verify)),
        Door::new("/models/{digest}/bench", Right::Maintain, get(bench).post(begin_bench)),
    ]
}

/// Disagreements that the page lists.
const SHOWN: usize = 30;

/// Where a model's page is.
pub(super) fn address(digest: &str) -> String {
    format!("/models/{digest}")
}

/// `3 of 300 (0.207 % to 2.89 %)`: exact, 95 %.
pub(super) fn disagreements(shell: &Shell, summary: &ShadowSummary) -> String {
    let compared = summary.agreements + summary.disagreements;
    match summary.disagreement_rate {
        None => shell.t("model.not_compared"),
        Some(rate) => shell
            .t("model.disagreements")
            .replace("{n}", &summary.disagreements.to_string())
            .replace("{of}", &compared.to_string())
            .replace("{low}", &format!("{:.2}", 100.0 * rate.low))
            .replace("{high}", &format!("{:.2}", 100.0 * rate.high)),
    }
}

#[derive(Template)]
#[template(path = "model.html")]
struct Model {
    shell: Shell,
    known: Known,
    address: String,
    /// What its file is, or why it could not be looked into; nothing where no recipe names it.
    file: Option<Result<ModelFile, String>>,
    history: Vec<ModelChange>,
    shadows: Vec<ShadowRecord>,
    /// States a person may bring it to from here; it goes live with a recipe.
    ways: Vec<&'static str>,
    may_judge: bool,
    may_verify: bool,
    may_bench: bool,
    bench: Bench,
}

impl Model {
    fn disagreements(&self, summary: &ShadowSummary) -> String {
        disagreements(&self.shell, summary)
    }
}

struct Found {
    known: Known,
    file: Option<Result<ModelFile, String>>,
    history: Vec<ModelChange>,
    shadows: Vec<ShadowRecord>,
}

/// The model with this digest.
fn find(console: &Console, digest: &str) -> Result<Known, (StatusCode, String)> {
    let known = all(console).map_err(|says| (StatusCode::SERVICE_UNAVAILABLE, says))?;
    let found = known.into_iter().find(|known| known.digest == digest);
    found.ok_or_else(|| {
        (StatusCode::NOT_FOUND, format!("there is no model {digest:?}; /models lists those there are"))
    })
}

async fn page(visit: Visit, State(console): State<Arc<Console>>, Path(digest): Path<String>) -> Response {
    let asked = console
        .ask(move |console| {
            let known = find(console, &digest)?;
            let told = |error: LedgerError| (StatusCode::SERVICE_UNAVAILABLE, error.to_string());
            let none_yet = |error: LedgerError| match error {
                LedgerError::Absent { .. } => Ok(Vec::new()),
                other => Err(told(other)),
            };
            let history = ModelBook::new(&console.seen.ledger).history(&digest).or_else(none_yet)?;
            let query = ShadowQuery {
                model: Some(digest.clone()),
                disagreements: true,
                limit: Some(SHOWN),
                part: None,
            };
            let shadows = match console.reader.shadow(&query) {
                Err(LedgerError::Absent { .. }) => Vec::new(),
                other => other.map_err(told)?,
            };
            let is_named = !known.named.is_empty();
            let file = is_named.then(|| console.seen.models.inspect(&digest).map_err(|refused| refused.0));
            Ok(Found { known, file, history, shadows })
        })
        .await;
    let Found { known, file, history, shadows } = match asked {
        Ok(Ok(found)) => found,
        Ok(Err((status, says))) => return refusal(&visit, status, &says),
        Err(unanswered) => {
            return refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string());
        }
    };
    let state = known.entry.as_ref().map(|entry| entry.state);
    let ways = ModelState::ALL
        .into_iter()
        .filter(|&to| to != ModelState::Live && state.is_some_and(|state| state.may_become(to)));
    let ways = ways.map(ModelState::as_str).collect();
    let is_person = visit.shown.is_some();
    let shell = visit.shell(&PAGE);
    let bench = bench_of(&visit, &console, &known.digest);
    visit.page(&Model {
        address: address(&known.digest),
        may_judge: is_person && visit.may(Right::Judge),
        may_verify: is_person && visit.may(Right::Operate),
        may_bench: is_person && visit.may(Right::Maintain),
        shell,
        known,
        file,
        history,
        shadows,
        ways,
        bench,
    })
}

/// What the buttons send. `Debug` is not derived: it holds a password.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Given {
    to: String,
    reason: String,
    /// A signature's, for what lets a model judge.
    password: String,
    /// Times it though the line runs.
    anyway: String,
}

fn said(visit: &Visit, (status, says): (StatusCode, String)) -> Response {
    (status, visit.page(&Said { says: &says, good: status == StatusCode::OK })).into_response()
}

/// Another state, with a reason. What lets a model judge is signed.
async fn change(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path(digest): Path<String>,
    given: Result<Form<Given>, FormRejection>,
) -> Response {
    let Some(who) = visit.who().cloned() else { return StatusCode::UNAUTHORIZED.into_response() };
    let is_person = visit.shown.is_some();
    let given = match given {
        Ok(Form(given)) => given,
        Err(error) => return said(&visit, (StatusCode::UNPROCESSABLE_ENTITY, error.body_text())),
    };
    let done = console
        .ask(move |console| {
            let refused = |status, says: String| (status, says);
            let to: ModelState =
                given.to.parse().map_err(|says| refused(StatusCode::UNPROCESSABLE_ENTITY, says))?;
            if to == ModelState::Live {
                let says =
                    "a model goes live with a recipe that names it; approve it, then change the recipe";
                return Err(refused(StatusCode::UNPROCESSABLE_ENTITY, says.to_owned()));
            }
            let known = find(console, &digest)?;
            let entry = NewAuditEntry {
                old: Some(json!({ "state": known.state() })),
                new: Some(json!({ "state": to, "digest": digest })),
                reason: given.reason.trim().to_owned(),
                ..who.entry("model_state", &known.name)
            };
            let is_signed = to == ModelState::Approved;
            if is_signed {
                if !is_person {
                    let says = "a signature is a person's; a token cannot sign";
                    return Err(refused(StatusCode::FORBIDDEN, says.to_owned()));
                }
                let signed = console.office.check(&who, &given.password);
                signed.map_err(|error| refused(StatusCode::CONFLICT, error.to_string()))?;
            }
            if given.reason.trim().is_empty() {
                return Err(refused(StatusCode::UNPROCESSABLE_ENTITY, "say why: it is kept".to_owned()));
            }
            let signature = is_signed.then(|| "approved".to_owned());
            let unentered = |error: &dyn std::fmt::Display| {
                let says = format!("nothing was done, as it could not be entered in the audit log: {error}");
                refused(StatusCode::SERVICE_UNAVAILABLE, says)
            };
            let undone = entry.clone();
            console.office.enter(NewAuditEntry { signature, ..entry }).map_err(|error| unentered(&error))?;
            let book = ModelBook::new(&console.seen.ledger);
            if let Err(error) = book.change(&digest, to, &who.name, &given.reason) {
                let entry = NewAuditEntry {
                    what: format!("{}_refused", undone.what),
                    reason: error.to_string(),
                    ..undone
                };
                console.office.enter(entry).map_err(|error| unentered(&error))?;
                return Err(refused(StatusCode::CONFLICT, error.to_string()));
            }
            Ok(format!("model \"{}\" is {to} now", known.name))
        })
        .await;
    match done {
        Ok(Ok(says)) => said(&visit, (StatusCode::OK, says)),
        Ok(Err(told)) => said(&visit, told),
        Err(unanswered) => said(&visit, (StatusCode::INTERNAL_SERVER_ERROR, unanswered.to_string())),
    }
}

#[derive(Template)]
#[template(path = "model_verified.html")]
struct Verified {
    shell: Shell,
    found: ModelVerified,
}

/// Holds the model against its reference. Several at once would be in each other's way, and in the line's.
async fn verify(visit: Visit, State(console): State<Arc<Console>>, Path(digest): Path<String>) -> Response {
    let done = console.ask(move |console| console.seen.models.verify(&digest)).await;
    match done {
        Ok(Ok(found)) => visit.page(&Verified { shell: visit.shell(&PAGE), found }),
        Ok(Err(refused)) => said(&visit, (StatusCode::CONFLICT, refused.0)),
        Err(unanswered) => said(&visit, (StatusCode::INTERNAL_SERVER_ERROR, unanswered.to_string())),
    }
}

/// The bench of one model; there is one at a time.
#[derive(Clone, Debug)]
pub(crate) struct Benched {
    digest: String,
    begun: Instant,
    /// `None` while it goes on.
    end: Option<Result<String, String>>,
}

#[derive(Template)]
#[template(path = "model_bench.html")]
struct Bench {
    shell: Shell,
    address: String,
    /// Seconds since it began; `None` where it does not go on.
    running_s: Option<u64>,
    end: Option<Result<String, String>>,
}

fn bench_of(visit: &Visit, console: &Console, digest: &str) -> Bench {
    let kept = console.benched.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let ours = kept.filter(|kept| kept.digest == digest);
    let running_s =
        ours.as_ref().filter(|ours| ours.end.is_none()).map(|ours| ours.begun.elapsed().as_secs());
    Bench {
        shell: visit.shell(&PAGE),
        address: address(digest),
        running_s,
        end: ours.and_then(|ours| ours.end),
    }
}

/// `GET /models/{digest}/bench`: how far it is, or what it found.
async fn bench(visit: Visit, State(console): State<Arc<Console>>, Path(digest): Path<String>) -> Response {
    visit.page(&bench_of(&visit, &console, &digest))
}

/// Begins one. While parts are judged only for somebody who says so: it stands back, and its times are worth less.
async fn begin_bench(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path(digest): Path<String>,
    given: Result<Form<Given>, FormRejection>,
) -> Response {
    let Some(who) = visit.who().cloned() else { return StatusCode::UNAUTHORIZED.into_response() };
    let anyway = given.is_ok_and(|Form(given)| given.anyway == "yes");
    let state = console.snapshot().state;
    if matches!(state, StationState::Running | StationState::Degraded) && !anyway {
        let says =
            "the station judges parts: tick the box to time the model all the same, or stop the line first";
        return said(&visit, (StatusCode::CONFLICT, says.to_owned()));
    }
    let of = digest.clone();
    let known = match console.ask(move |console| find(console, &of)).await {
        Ok(Ok(known)) => known,
        Ok(Err(told)) => return said(&visit, told),
        Err(unanswered) => return said(&visit, (StatusCode::INTERNAL_SERVER_ERROR, unanswered.to_string())),
    };
    {
        let mut kept = console.benched.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_some_and(|kept| kept.end.is_none()) {
            drop(kept);
            return said(
                &visit,
                (StatusCode::CONFLICT, "another bench goes on; there is one at a time".to_owned()),
            );
        }
        *kept = Some(Benched { digest: digest.clone(), begun: Instant::now(), end: None });
    }
    if let Err(refused) = console.enter(who.entry("model_bench", &known.name)).await {
        *console.benched.lock().unwrap_or_else(PoisonError::into_inner) = None;
        return said(&visit, (StatusCode::SERVICE_UNAVAILABLE, refused.0));
    }
    let (apart, of) = (console.clone(), digest.clone());
    tokio::spawn(async move {
        let done = apart.do_apart(move |console| console.seen.models.bench(&of)).await;
        let end = match done {
            Ok(done) => done.map_err(|refused| refused.0),
            Err(unanswered) => Err(unanswered.to_string()),
        };
        if let Some(kept) = &mut *apart.benched.lock().unwrap_or_else(PoisonError::into_inner) {
            kept.end = Some(end);
        }
    });
    visit.page(&bench_of(&visit, &console, &digest))
}
