//! One study: the next measurement, blind and in the planned order, and the result beside AIAG's limits once all are taken.

use super::{Door, Page};
use crate::{
    Console, Refused, Right,
    guard::{Visit, refusal},
    shell::Shell,
    studies::Reading,
};
use askama::Template;
use axum::{
    Form, Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use plumb_quality::{Confidence, Share};
use plumb_study::{Finding, Step, Study};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "study",
    path: "/studies/{study}",
    right: Right::See,
    group: None,
    texts: include_str!("study.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![
        Door::new("/studies/{study}", Right::See, get(page)),
        Door::new("/studies/{study}/enter", Right::Operate, post(enter)),
        Door::new("/studies/{study}/report.html", Right::See, get(report)),
        Door::new("/api/v1/studies/{study}", Right::See, get(json)),
    ]
}

#[derive(Template)]
#[template(path = "study.html")]
struct Whole {
    shell: Shell,
    body: Body,
}

/// What changes with each measurement.
#[derive(Template)]
#[template(path = "study_body.html")]
struct Body {
    shell: Shell,
    file: String,
    study: Study,
    next: Option<(usize, Step)>,
    /// The step before, which may be corrected: its number, and what it was.
    last: Option<(usize, Step)>,
    /// True: the step before is asked for again.
    again: bool,
    result: Option<Result<Vec<Line>, String>>,
    sizes: Vec<String>,
    may_enter: bool,
    says: String,
}

/// A figure of the result, beside its limits.
#[derive(Debug)]
pub(super) struct Line {
    /// Whose; empty where it is the study's.
    who: String,
    /// The end of its key in the catalogue.
    key: &'static str,
    value: String,
    /// As printed.
    limit: &'static str,
    /// `good`, `warning`, `bad`, or `unknown` where there is no limit.
    grade: &'static str,
}

impl Line {
    fn new(who: &str, key: &'static str, value: String, limit: &'static str, grade: &'static str) -> Self {
        Self { who: who.to_owned(), key, value, limit, grade }
    }
}

/// Good up to the first limit, marginal up to the second.
fn up_to(value: f64, good: f64, marginal: f64) -> &'static str {
    if value <= good {
        "good"
    } else if value <= marginal {
        "warning"
    } else {
        "bad"
    }
}

fn from(value: f64, good: f64, marginal: f64) -> &'static str {
    up_to(-value, -good, -marginal)
}

/// AIAG, *Measurement Systems Analysis*, 4th edition, as the report prints them too.
pub(super) fn lines(finding: &Finding) -> Vec<Line> {
    let says = |share: &Share| share.says(Confidence::NINETY_FIVE);
    match finding {
        Finding::Type1(found) => vec![
            Line::new("", "cg", format!("{:.2}", found.cg), "≥ 1.33", from(found.cg, 1.33, 1.33)),
            Line::new("", "cgk", format!("{:.2}", found.cgk), "≥ 1.33", from(found.cgk, 1.33, 1.33)),
            Line::new(
                "",
                "bias",
                format!("{:+.5} (p = {:.3})", found.bias, found.bias_p),
                "p ≥ 0.05",
                from(found.bias_p, 0.05, 0.01),
            ),
        ],
        Finding::Grr { anova, .. } => {
            let gauge = &anova.gauge;
            let mut lines = vec![Line::new(
                "",
                "grr",
                format!("{:.1} %", gauge.percent_study),
                "≤ 10 %, ≤ 30 %",
                up_to(gauge.percent_study, 10.0, 30.0),
            )];
            if let Some(percent) = gauge.percent_tolerance {
                let grade = up_to(percent, 10.0, 30.0);
                lines.push(Line::new(
                    "",
                    "grr_tolerance",
                    format!("{percent:.1} %"),
                    "≤ 10 %, ≤ 30 %",
                    grade,
                ));
            }
            if let Some(n) = anova.distinct_categories {
                let grade = if n >= 5 { "good" } else { "bad" };
                lines.push(Line::new("", "ndc", n.to_string(), "≥ 5", grade));
            }
            lines
        }
        Finding::Agreement(found) => {
            let mut lines = Vec::new();
            for one in &found.appraisers {
                if let Some(same) = &one.with_himself {
                    lines.push(Line::new(&one.name, "with_himself", says(same), "–", "unknown"));
                }
                let Some(agreement) = &one.with_reference else { continue };
                let kappa = agreement.kappa.value;
                let grade = from(kappa, 0.75, 0.4);
                lines.push(Line::new(&one.name, "kappa", format!("{kappa:.3}"), "≥ 0.75", grade));
                let grade = from(agreement.effectiveness.seen(), 0.9, 0.8);
                let right = says(&agreement.effectiveness);
                lines.push(Line::new(&one.name, "effectiveness", right, "≥ 90 %, ≥ 80 %", grade));
                let grade = up_to(agreement.miss.seen(), 0.02, 0.05);
                lines.push(Line::new(&one.name, "miss", says(&agreement.miss), "≤ 2 %, ≤ 5 %", grade));
                let grade = up_to(agreement.false_alarm.seen(), 0.05, 0.10);
                let alarms = says(&agreement.false_alarm);
                lines.push(Line::new(&one.name, "false_alarm", alarms, "≤ 5 %, ≤ 10 %", grade));
            }
            for pair in &found.pairs {
                let who = format!("{} / {}", pair.first, pair.second);
                let (value, grade) = match &pair.kappa {
                    Some(kappa) => (format!("{:.3}", kappa.value), from(kappa.value, 0.75, 0.4)),
                    None => ("–".to_owned(), "unknown"),
                };
                lines.push(Line::new(&who, "kappa", value, "≥ 0.75", grade));
            }
            lines.push(Line::new("", "all_agree", says(&found.all_agree), "–", "unknown"));
            lines
        }
        Finding::Linearity(found) => {
            let value = |value: f64, p: f64| format!("{value:+.6} (p = {p:.3})");
            let grade = |p: f64| from(p, 0.05, 0.01);
            vec![
                Line::new(
                    "",
                    "slope",
                    value(found.slope.value, found.slope.p),
                    "p ≥ 0.05",
                    grade(found.slope.p),
                ),
                Line::new(
                    "",
                    "intercept",
                    value(found.intercept.value, found.intercept.p),
                    "p ≥ 0.05",
                    grade(found.intercept.p),
                ),
            ]
        }
    }
}

impl Body {
    fn new(visit: &Visit, file: String, study: Study, sizes: Vec<String>, again: bool, says: String) -> Self {
        let next = study.next();
        let steps = study.steps();
        let last = study.entries().last().map(|entry| entry.step);
        let last = last.and_then(|at| Some((at, steps.get(at)?.clone())));
        let result = next.is_none().then(|| {
            let found = study.analyse(Confidence::NINETY_FIVE);
            found.as_ref().map(lines).map_err(ToString::to_string)
        });
        let (shell, may_enter) = (visit.shell(&PAGE), visit.may(Right::Operate));
        Self { shell, file, study, next, last, again, result, sizes, may_enter, says }
    }

    /// What is to be measured now.
    fn asked(&self) -> Option<&(usize, Step)> {
        if self.again { self.last.as_ref() } else { self.next.as_ref() }
    }

    fn takes_words(&self) -> bool {
        self.study.design.unit().is_none()
    }

    fn taken(&self) -> usize {
        self.study.progress().0
    }

    fn of(&self) -> usize {
        self.study.progress().1
    }
}

async fn read(console: &Arc<Console>, name: &str) -> Result<(Study, Vec<String>), (StatusCode, String)> {
    let name = name.to_owned();
    let asked = console
        .ask(move |console| Ok::<_, Refused>((console.studies.read(&name)?, console.studies.sizes())))
        .await;
    match asked {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(refused)) => Err((StatusCode::NOT_FOUND, refused.0)),
        Err(unanswered) => Err((StatusCode::INTERNAL_SERVER_ERROR, unanswered.to_string())),
    }
}

async fn page(visit: Visit, State(console): State<Arc<Console>>, Path(name): Path<String>) -> Response {
    match read(&console, &name).await {
        Ok((study, sizes)) => {
            let body = Body::new(&visit, name, study, sizes, false, String::new());
            let mut shell = visit.shell(&PAGE);
            shell.title.clone_from(&body.study.name);
            visit.page(&Whole { shell, body })
        }
        Err((status, says)) => refusal(&visit, status, &says),
    }
}

/// `GET /api/v1/studies/{study}`: schema `plumb.study_result/1`, as `plumb study show --json`.
async fn json(visit: Visit, State(console): State<Arc<Console>>, Path(name): Path<String>) -> Response {
    let (study, _) = match read(&console, &name).await {
        Ok(found) => found,
        Err((status, says)) => return refusal(&visit, status, &says),
    };
    let (taken, steps) = study.progress();
    let finding = study.analyse(Confidence::NINETY_FIVE);
    Json(json!({
        "schema": "plumb.study_result/1",
        "name": study.name,
        "kind": study.design.kind(),
        "digest": study.digest(),
        "taken": taken,
        "of": steps,
        "result": finding.as_ref().ok(),
        "no_result": finding.as_ref().err().map(ToString::to_string),
    }))
    .into_response()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entered {
    step: String,
    value: String,
    /// `typed`, `verdict`, or `size:NAME`.
    reading: String,
    /// Nothing is taken down: the measurement before is to be corrected.
    again: Option<String>,
}

async fn enter(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path(name): Path<String>,
    Form(entered): Form<Entered>,
) -> Response {
    let (study, sizes) = match read(&console, &name).await {
        Ok(found) => found,
        Err((status, says)) => return refusal(&visit, status, &says),
    };
    if entered.again.is_some() {
        return visit.page(&Body::new(&visit, name, study, sizes, true, String::new()));
    }
    let Ok(step) = entered.step.parse::<usize>() else {
        return refusal(
            &visit,
            StatusCode::BAD_REQUEST,
            "which measurement it is, is not said; reload the page",
        );
    };
    let reading = match entered.reading.split_once(':') {
        Some(("size", size)) => Reading::Size(size.to_owned()),
        _ if entered.reading == "verdict" => Reading::Verdict,
        _ => Reading::Typed(entered.value),
    };
    let file = name.clone();
    let was_complete = study.next().is_none();
    let done = console.ask(move |console| console.studies.enter(&file, step, &reading)).await;
    match done {
        Ok(Ok(study)) => {
            if study.next().is_none()
                && !was_complete
                && let Some(who) = visit.who()
            {
                let mut entry = who.entry("study_complete", &name);
                entry.new = Some(json!({ "digest": study.digest() }));
                if let Err(refused) = console.enter(entry).await {
                    return refusal(&visit, StatusCode::CONFLICT, &refused.0);
                }
            }
            visit.page(&Body::new(&visit, name, study, sizes, false, String::new()))
        }
        // In its place, so that nothing that was typed is lost out of sight.
        Ok(Err(refused)) => visit.page(&Body::new(&visit, name, study, sizes, false, refused.0)),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

/// `GET /studies/{study}/report.html`: the page to be printed and signed, as a file of its own.
async fn report(visit: Visit, State(console): State<Arc<Console>>, Path(name): Path<String>) -> Response {
    let (study, _) = match read(&console, &name).await {
        Ok(found) => found,
        Err((status, says)) => return refusal(&visit, status, &says),
    };
    match study.analyse(Confidence::NINETY_FIVE) {
        Ok(finding) => {
            let page = plumb_study::report::page(&study, &finding, Confidence::NINETY_FIVE);
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
                (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.html\"")),
            ];
            (headers, page.html()).into_response()
        }
        Err(error) => refusal(&visit, StatusCode::CONFLICT, &error.to_string()),
    }
}
