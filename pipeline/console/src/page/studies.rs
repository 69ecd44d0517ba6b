//! Gauge studies: those there are, and a new one planned.

use super::{Door, Group, Page};
use crate::{
    Console, Right,
    guard::{Visit, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    Form, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use plumb_quality::gauge::Type1Settings;
use plumb_study::{Design, Study, Word};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

pub(crate) static PAGE: Page = Page {
    name: "studies",
    path: "/studies",
    right: Right::See,
    group: Some(Group::Measure),
    texts: include_str!("studies.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![
        Door::new("/studies", Right::See, get(page)),
        Door::new("/studies/plan", Right::Judge, post(plan)),
        Door::new("/api/v1/studies", Right::See, get(json)),
    ]
}

/// A study in the list.
struct Row {
    name: String,
    kind: &'static str,
    taken: usize,
    of: usize,
    begun: Option<jiff::Timestamp>,
    /// Why it cannot be read.
    says: String,
}

impl Row {
    fn new((name, study): (String, Result<Study, String>)) -> Self {
        match study {
            Ok(study) => {
                let (taken, of) = study.progress();
                let (kind, begun) = (study.design.kind(), Some(study.begun));
                Self { name, kind, taken, of, begun, says: String::new() }
            }
            Err(says) => Self { name, kind: "unreadable", taken: 0, of: 0, begun: None, says },
        }
    }
}

#[derive(Template)]
#[template(path = "studies.html")]
struct Studies {
    shell: Shell,
    rows: Vec<Row>,
    may_plan: bool,
}

async fn rows(console: &Arc<Console>) -> Result<Vec<Row>, String> {
    let all = console.ask(|console| console.studies.all()).await;
    Ok(all.map_err(|unanswered| unanswered.to_string())?.into_iter().map(Row::new).collect())
}

async fn page(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let shell = visit.shell(&PAGE);
    match rows(&console).await {
        Ok(rows) => visit.page(&Studies { shell, rows, may_plan: visit.may(Right::Judge) }),
        Err(says) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &says),
    }
}

/// `GET /api/v1/studies`: schema `plumb.studies/1`.
async fn json(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let told = |row: Row| json!({ "name": row.name, "kind": row.kind, "taken": row.taken, "of": row.of, "begun": row.begun, "says": row.says });
    match rows(&console).await {
        Ok(rows) => {
            let rows: Vec<Value> = rows.into_iter().map(told).collect();
            Json(json!({ "schema": "plumb.studies/1", "studies": rows })).into_response()
        }
        Err(says) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &says),
    }
}

/// A plan as the form sends it; what a kind does not need is left out or empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    name: String,
    kind: String,
    /// With commas between.
    appraisers: String,
    /// One a line or with commas between; `name=good`, `name=bad` or `name=8.002` where it is known what they are.
    parts: String,
    trials: String,
    reference: String,
    tolerance: String,
    unit: String,
}

impl Wish {
    /// Every problem at once.
    fn design(&self) -> Result<Design, String> {
        let mut problems = Vec::new();
        let mut number = |text: &str, name: &str| {
            let parsed = text.trim().replace(',', ".").parse::<f64>();
            parsed.ok().filter(|number| number.is_finite()).or_else(|| {
                problems.push(format!("{name} is {text:?}, which is no number"));
                None
            })
        };
        let names = |text: &str| -> Vec<String> {
            let all = text.split([',', '\n', '，']).map(str::trim).filter(|name| !name.is_empty());
            all.map(str::to_owned).collect()
        };
        let known = |name: &String| match name.rsplit_once('=') {
            Some((part, what)) => (part.trim().to_owned(), Some(what.trim().to_owned())),
            None => (name.clone(), None),
        };
        let parts: Vec<(String, Option<String>)> = names(&self.parts).iter().map(known).collect();
        let only_names = || parts.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let unit = if self.unit.trim().is_empty() { "mm" } else { self.unit.trim() }.to_owned();
        let trials = number(&self.trials, "trials").unwrap_or_default().clamp(0.0, 1e4) as usize;
        let appraisers = names(&self.appraisers);
        let design = match self.kind.as_str() {
            "type1" => Design::Type1 {
                reference: number(&self.reference, "reference").unwrap_or_default(),
                tolerance: number(&self.tolerance, "tolerance").unwrap_or_default(),
                repetitions: trials,
                settings: Type1Settings::default(),
                unit,
            },
            "grr" => {
                let tolerance = Some(self.tolerance.trim()).filter(|text| !text.is_empty());
                let tolerance = tolerance.and_then(|text| number(text, "tolerance"));
                Design::Grr { appraisers, parts: only_names(), trials, tolerance, unit }
            }
            "agreement" => {
                let mut reference = BTreeMap::new();
                for (part, what) in parts.iter().filter_map(|(part, what)| Some((part, what.as_deref()?))) {
                    match what {
                        "good" => drop(reference.insert(part.clone(), Word::Good)),
                        "bad" => drop(reference.insert(part.clone(), Word::Bad)),
                        other => problems.push(format!("part {part} is {other:?}; write good or bad")),
                    }
                }
                Design::Agreement { appraisers, parts: only_names(), trials, reference }
            }
            "linearity" => {
                let value = |(part, what): &(String, Option<String>)| {
                    let text = what.as_deref().unwrap_or_default();
                    (part.clone(), number(text, &format!("the value of part {part}")).unwrap_or_default())
                };
                Design::Linearity { parts: parts.iter().map(value).collect(), trials, unit }
            }
            other => {
                return Err(format!(
                    "{other:?} is no kind of study; take type1, grr, agreement or linearity"
                ));
            }
        };
        if let (true, Err(error)) = (problems.is_empty(), design.check()) {
            problems.push(error.to_string());
        }
        if problems.is_empty() { Ok(design) } else { Err(problems.join("; ")) }
    }
}

async fn plan(visit: Visit, State(console): State<Arc<Console>>, Form(wish): Form<Wish>) -> Response {
    let Some(who) = visit.who().cloned() else { return StatusCode::UNAUTHORIZED.into_response() };
    let design = match wish.design() {
        Ok(design) => design,
        Err(says) => return refusal(&visit, StatusCode::BAD_REQUEST, &says),
    };
    let name = wish.name.trim().to_owned();
    let mut entry = who.entry("study_planned", &name);
    entry.new = serde_json::to_value(&design).ok();
    let seed = jiff::Timestamp::now().as_nanosecond().unsigned_abs() as u64;
    let address = format!("/studies/{name}");
    let planned = console
        .ask(move |console| {
            console.studies.plan(&name, design, seed).map_err(|refused| refused.0)?;
            console.office.enter(entry).map_err(|error| error.to_string())
        })
        .await;
    match planned {
        Ok(Ok(_)) => ([("hx-redirect", address)], StatusCode::OK).into_response(),
        Ok(Err(says)) => refusal(&visit, StatusCode::CONFLICT, &says),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(kind: &str, parts: &str) -> Wish {
        Wish {
            name: "s".into(),
            kind: kind.into(),
            appraisers: "ann, bob".into(),
            parts: parts.into(),
            trials: "3".into(),
            ..Wish::default()
        }
    }

    #[test]
    fn a_form_becomes_a_design_and_every_mistake_is_told_at_once() {
        let design = wish("agreement", "1=good\n2=bad").design().expect("a design");
        assert!(matches!(&design, Design::Agreement { reference, trials: 3, .. } if reference.len() == 2));
        let design = wish("linearity", "block 2=2.0001, block 4=4,0002");
        assert!(design.design().is_err(), "a comma is between parts");
        assert!(wish("linearity", "block 2=2.0001\nblock 4=4.0002").design().is_ok());
        let told = wish("agreement", "1=good,2=maybe,3=perhaps").design().expect_err("two are neither");
        assert!(told.contains("part 2") && told.contains("part 3"), "{told}");
        let told = Wish { trials: "many".into(), ..wish("type1", "") }.design().expect_err("no numbers");
        assert!(
            told.contains("trials") && told.contains("reference") && told.contains("tolerance"),
            "{told}"
        );
        assert!(wish("guess", "1").design().expect_err("no kind").contains("no kind of study"));
    }
}
