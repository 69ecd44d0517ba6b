//! Calibration: what each camera's measurements rest on, and guidance for finding it anew.

use super::{Door, Group, Page, Said};
use crate::{
    Aim, CalibrationSeen, Console, Guidance, Refused, Right, Task,
    guard::{Visit, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::{SignedDuration, Timestamp};
use plumb_ledger::NewAuditEntry;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "calibration",
    path: "/calibration",
    right: Right::See,
    group: Some(Group::Measure),
    texts: include_str!("calibration.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    let maintain = Right::Maintain;
    vec![
        Door::new("/calibration", Right::See, get(page)),
        Door::new("/calibration/begin", maintain, post(begin)),
        Door::new("/calibration/look", maintain, post(look)),
        Door::new("/calibration/write", maintain, post(write)),
        Door::new("/calibration/end", maintain, post(end)),
    ]
}

/// Somebody is told so long before a calibration ends.
const SOON: SignedDuration = SignedDuration::from_hours(24 * 30);

#[derive(Template)]
#[template(path = "calibration.html")]
struct Calibration {
    shell: Shell,
    cameras: Vec<CalibrationSeen>,
    may: bool,
}

impl Calibration {
    fn tasks(&self) -> [&'static str; 4] {
        Task::ALL.map(Task::as_str)
    }

    /// `good`, `warning` or `bad`, and the word for it.
    fn condition(&self, camera: &CalibrationSeen) -> (&'static str, String) {
        let ends_within = |span| camera.expires_at.is_some_and(|at| at <= Timestamp::now() + span);
        match camera {
            CalibrationSeen { file: None, .. } => ("unknown", self.shell.t("calibration.none")),
            CalibrationSeen { unfit: Some(says), .. } => ("bad", says.clone()),
            _ if ends_within(SignedDuration::ZERO) => ("bad", self.shell.t("calibration.expired")),
            _ if ends_within(SOON) => ("warning", self.shell.t("calibration.ends_soon")),
            _ => ("good", self.shell.t("calibration.holds")),
        }
    }

    fn percent(&self, share: &f64) -> String {
        format!("{:.2} %", 100.0 * share)
    }
}

async fn page(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let shell = visit.shell(&PAGE);
    let may = visit.may(Right::Maintain) && visit.shown.is_some();
    match console.ask(|console| console.seen.calibrations.cameras()).await {
        Ok(cameras) => visit.page(&Calibration { shell, cameras, may }),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

#[derive(Template)]
#[template(path = "calibration_guidance.html")]
struct Guided {
    shell: Shell,
    told: Option<Guidance>,
    /// Why there is no picture; the page goes on asking.
    says: String,
}

impl Guided {
    /// From 0 (no point there) to 4.
    fn shade(&self, points: &u32) -> u32 {
        match points {
            0 => 0,
            1..5 => 1,
            5..15 => 2,
            15..40 => 3,
            _ => 4,
        }
    }

    fn quadrants(&self, percent: &[f64; 4]) -> Vec<(&'static str, f64)> {
        ["top_left", "top_right", "bottom_left", "bottom_right"].into_iter().zip(*percent).collect()
    }
}

/// What the form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Given {
    camera: String,
    task: String,
    target: String,
    asks: String,
    reason: String,
}

async fn begin(
    visit: Visit,
    State(console): State<Arc<Console>>,
    given: Result<Form<Given>, FormRejection>,
) -> Response {
    let aim = given.map_err(|error| error.body_text()).and_then(|Form(given)| {
        let task = given.task.parse()?;
        Ok(Aim {
            camera: given.camera,
            task,
            target: given.target.trim().to_owned(),
            asks: given.asks == "yes",
        })
    });
    let begun = match aim {
        Ok(aim) => console.ask(move |console| console.seen.calibrations.begin(aim)).await,
        Err(says) => Ok(Err(Refused(says))),
    };
    match begun {
        Ok(Ok(())) => {
            let shell = visit.shell(&PAGE);
            visit.page(&Guided { says: shell.t("calibration.waits"), shell, told: None })
        }
        Ok(Err(refused)) => said(&visit, &refused.0, false),
        Err(unanswered) => said(&visit, &unanswered.to_string(), false),
    }
}

/// The next picture. It waits for one itself, and takes nobody's turn meanwhile.
async fn look(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let shell = visit.shell(&PAGE);
    match console.do_apart(|console| console.seen.calibrations.look()).await {
        Ok(Ok(told)) => visit.page(&Guided { shell, told: Some(told), says: String::new() }),
        Ok(Err(refused)) => visit.page(&Guided { shell, told: None, says: refused.0 }),
        Err(unanswered) => said(&visit, &unanswered.to_string(), false),
    }
}

async fn write(
    visit: Visit,
    State(console): State<Arc<Console>>,
    given: Result<Form<Given>, FormRejection>,
) -> Response {
    let Some(who) = visit.who().cloned() else { return StatusCode::UNAUTHORIZED.into_response() };
    let reason = given.map(|Form(given)| given.reason.trim().to_owned()).unwrap_or_default();
    if reason.is_empty() {
        return said(&visit, "say why: it is kept", false);
    }
    // Entered before it is done, like every change; what came of it follows.
    let entry = NewAuditEntry { reason, ..who.entry("calibration_write", "calibration") };
    if let Err(refused) = console.enter(entry.clone()).await {
        return said(&visit, &refused.0, false);
    }
    let done = console.do_apart(|console| console.seen.calibrations.write()).await;
    let done = done.unwrap_or_else(|unanswered| Err(Refused(unanswered.to_string())));
    let (entry, says, good) = match done {
        Ok(written) => {
            let mut says = visit.shell(&PAGE).t("calibration.written").replace("{file}", &written.file);
            for warning in &written.warnings {
                says += &format!(" {warning}.");
            }
            let (old, new) = (json!({ "digest": written.old_digest }), json!({ "digest": written.digest }));
            let what = "calibration_written".to_owned();
            (NewAuditEntry { what, of: written.file, old: Some(old), new: Some(new), ..entry }, says, true)
        }
        Err(Refused(says)) => {
            let what = "calibration_refused".to_owned();
            (NewAuditEntry { what, reason: says.clone(), ..entry }, says, false)
        }
    };
    match console.enter(entry).await {
        Ok(()) => said(&visit, &says, good),
        Err(refused) => said(&visit, &format!("{says}; and {}", refused.0), false),
    }
}

async fn end(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    match console.ask(|console| console.seen.calibrations.give_up()).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(unanswered) => said(&visit, &unanswered.to_string(), false),
    }
}

fn said(visit: &Visit, says: &str, good: bool) -> Response {
    let status = if good { StatusCode::OK } else { StatusCode::CONFLICT };
    (status, visit.page(&Said { says, good })).into_response()
}
