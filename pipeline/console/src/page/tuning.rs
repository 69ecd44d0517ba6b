//! One rule's threshold: what it does to parts of which is known what they were, counted while somebody drags it, and
//! counted again by the station when it is proposed.

use super::{
    Door, Page,
    proposals::{self, Proposals, SHOWN},
    tune::told,
};
use crate::{
    Console, Evidence, Right,
    counting::{self, bounds, needed, numbers, suggestions, to_tune},
    guard::{Visit, escaped, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    Form, Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use plumb_ledger::{Change, NewProposal, PartSet, Truth};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "tuning",
    path: "/tune/{recipe}/{rule}",
    right: Right::See,
    group: None,
    texts: include_str!("tuning.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    let see = Right::See;
    vec![
        Door::new("/tune/{recipe}/{rule}", see, get(page)),
        Door::new("/tune/{recipe}/{rule}/propose", Right::Judge, post(propose)),
        Door::new("/api/v1/tune/{recipe}/{rule}", see, get(json)),
        Door::new("/api/v1/tune/{recipe}/{rule}/scores.bin", see, get(scores)),
        Door::new("/api/v1/tune/{recipe}/{rule}/flips", see, get(flips)),
        Door::new("/api/v1/tune/{recipe}/{rule}/proposals", Right::Judge, post(propose)),
    ]
}

/// Parts that flip, shown at a time.
const FLIPS: usize = 24;

/// Where a rule's page is.
pub(super) fn address(recipe: &str, rule: &str) -> String {
    let segment = |name: &str| escaped(name).replace('/', "%2F");
    format!("/tune/{}/{}", segment(recipe), segment(rule))
}

type Which = Path<(String, String)>;

#[derive(Template)]
#[template(path = "tuning.html")]
struct Tuning {
    shell: Shell,
    evidence: Arc<Evidence>,
    list: Proposals,
    may: bool,
    address: String,
    texts: String,
    /// Good and defective pieces to tune by, and to certify by.
    counts: [usize; 4],
}

async fn page(visit: Visit, State(console): State<Arc<Console>>, Path((recipe, rule)): Which) -> Response {
    let shell = visit.shell(&PAGE);
    let (address, of) = (address(&recipe, &rule), (recipe.clone(), rule.clone()));
    let asked = console
        .ask(move |console| {
            let evidence = console.evidence(&recipe, &rule).map_err(|refused| refused.0)?;
            let listed = console.proposals.list(Some((&recipe, &rule)), SHOWN);
            Ok::<_, String>((evidence, listed.map_err(|error| error.to_string())?))
        })
        .await;
    let (evidence, proposals) = match asked {
        Ok(Ok(found)) => found,
        Ok(Err(says)) => return refusal(&visit, StatusCode::NOT_FOUND, &says),
        Err(unanswered) => {
            return refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string());
        }
    };
    let count = |set, truth| {
        evidence.pieces.iter().filter(|piece| piece.part_set == set && piece.truth == truth).count()
    };
    let counts = [
        count(PartSet::Tune, Truth::Good),
        count(PartSet::Tune, Truth::Defective),
        count(PartSet::Certify, Truth::Good),
        count(PartSet::Certify, Truth::Defective),
    ];
    let list = Proposals::new(&visit, proposals, Some(of));
    let (may, texts) = (visit.may(Right::Judge) && visit.shown.is_some(), texts(&shell).to_string());
    visit.page(&Tuning { shell, evidence, list, may, address, texts, counts })
}

/// What the page's module says.
fn texts(shell: &Shell) -> Value {
    json!({
        "of": shell.t("tuning.of"),
        "none_good": shell.t("tuning.none_good"),
        "none_defective": shell.t("tuning.none_defective"),
        "interval": shell.t("tuning.interval"),
        "claim": shell.t("tuning.claim"),
        "claim_with": shell.t("tuning.claim_with"),
        "enough": shell.t("tuning.enough"),
        "more": shell.t("tuning.more"),
        "zones": shell.t("tuning.zones"),
        "no_zones": shell.t("tuning.no_zones"),
        "flip_none": shell.t("tuning.flip_none"),
        "flip_some": shell.t("tuning.flip_some"),
        "flip_pass": shell.t("tuning.flip_pass"),
        "flip_reject": shell.t("tuning.flip_reject"),
        "good": shell.t("word.truth_good"),
        "defective": shell.t("word.truth_defective"),
        "part": shell.t("live.part"),
        "no_picture": shell.t("tuning.no_picture"),
        "lost": shell.t("tuning.lost"),
        "present": shell.t("tuning.present"),
        "suggested": shell.t("tuning.suggested"),
    })
}

/// Asks for what is known, as it was gathered last, and makes an answer of it.
async fn with_evidence(
    visit: &Visit,
    console: &Arc<Console>,
    (recipe, rule): (String, String),
    make: impl FnOnce(&Console, &Evidence) -> Response + Send + 'static,
) -> Response {
    let asked = console
        .ask(move |console| {
            let evidence = console.evidence(&recipe, &rule)?;
            Ok::<_, crate::Refused>(make(console, &evidence))
        })
        .await;
    match asked {
        Ok(Ok(response)) => response,
        Ok(Err(refused)) => refusal(visit, StatusCode::NOT_FOUND, &refused.0),
        Err(unanswered) => refusal(visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

/// `GET /api/v1/tune/{recipe}/{rule}`: schema `plumb.tune/1`.
async fn json(visit: Visit, State(console): State<Arc<Console>>, Path(which): Which) -> Response {
    with_evidence(&visit, &console, which, |_, evidence| {
        let count = |set: PartSet, truth: Truth| {
            evidence.pieces.iter().filter(|piece| piece.part_set == set && piece.truth == truth).count()
                as u64
        };
        let set = |set| json!({ "good": count(set, Truth::Good), "defective": count(set, Truth::Defective) });
        Json(json!({
            "schema": "plumb.tune/1",
            "rule": told(&evidence.seen),
            "tune": set(PartSet::Tune),
            "certify": set(PartSet::Certify),
            "left_out": counting::left_out(evidence),
            "confidence": counting::SURE,
            "false_rejects": bounds(count(PartSet::Tune, Truth::Good)),
            "escapes": bounds(count(PartSet::Tune, Truth::Defective)),
            "needed": needed(),
            "suggested": suggestions(evidence),
        }))
        .into_response()
    })
    .await
}

/// `GET /api/v1/tune/{recipe}/{rule}/scores.bin`: see [`counting::bytes`].
async fn scores(visit: Visit, State(console): State<Arc<Console>>, Path(which): Which) -> Response {
    with_evidence(&visit, &console, which, |_, evidence| {
        ([(header::CONTENT_TYPE, "application/octet-stream")], counting::bytes(&evidence.pieces))
            .into_response()
    })
    .await
}

/// Another threshold.
#[derive(Deserialize)]
struct To {
    to: f32,
}

/// `GET /api/v1/tune/{recipe}/{rule}/flips?to=0.62`: the pieces that would be judged otherwise, those nearest to the new
/// threshold first. Schema `plumb.flips/1`.
async fn flips(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path(which): Which,
    to: Result<Query<To>, QueryRejection>,
) -> Response {
    let to = match to {
        Ok(Query(To { to })) if to.is_finite() => to,
        Ok(_) => return refusal(&visit, StatusCode::BAD_REQUEST, "`to` is no finite number"),
        Err(error) => return refusal(&visit, StatusCode::BAD_REQUEST, &error.body_text()),
    };
    with_evidence(&visit, &console, which, move |_, evidence| {
        let now = evidence.seen.threshold;
        let then = plumb_verdict::Threshold { value: to, ..now };
        let mut flips: Vec<_> =
            to_tune(&evidence.pieces).filter(|piece| now.rejects(piece.score) != then.rejects(piece.score)).collect();
        let count = flips.len();
        let away = |score: f64| (score - f64::from(to)).abs();
        flips.sort_by(|a, b| away(a.score).total_cmp(&away(b.score)));
        let parts = flips.into_iter().take(FLIPS).map(|piece| {
            let at = piece.triggered_at.as_microsecond();
            json!({
                "part_id": piece.part,
                "at": at,
                "score": piece.score,
                "truth": piece.truth,
                "would": if then.rejects(piece.score) { "reject" } else { "pass" },
                "thumb": format!("/parts/{}/thumbs/{at}/0", piece.part),
            })
        });
        let parts: Vec<Value> = parts.collect();
        Json(json!({ "schema": "plumb.flips/1", "to": counting::as_written(to), "count": count, "parts": parts })).into_response()
    })
    .await
}

/// What is proposed.
#[derive(Debug, Deserialize)]
struct Wish {
    value: f32,
    reason: String,
    /// Of the recipe's file that the person saw; a program may leave it out.
    #[serde(default)]
    digest: String,
}

/// Keeps a proposal with the station's own numbers. A page gets the list as it then is, a program `plumb.proposal/1`.
async fn propose(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path((recipe, rule)): Which,
    wish: Result<Form<Wish>, axum::extract::rejection::FormRejection>,
) -> Response {
    let Some(who) = visit.who().cloned() else { return StatusCode::UNAUTHORIZED.into_response() };
    let of = Some((recipe.clone(), rule.clone()));
    let wish = match wish {
        Ok(Form(wish)) => wish,
        Err(error) => {
            let told = (StatusCode::UNPROCESSABLE_ENTITY, error.body_text());
            return proposals::answer(&visit, &console, told, of, None).await;
        }
    };
    let done = console
        .ask(move |console| {
            let evidence = console.fresh_evidence(&recipe, &rule).map_err(|refused| refused.0)?;
            let seen = &evidence.seen;
            if !wish.digest.is_empty() && wish.digest != seen.file_digest {
                return Err("the recipe's file has changed since this page was loaded; reload it".to_owned());
            }
            if !wish.value.is_finite() || wish.value < 0.0 {
                return Err(format!("a threshold is a number from 0 on, not {}", wish.value));
            }
            if wish.value == seen.threshold.value {
                return Err(format!("the recipe has {} already", seen.threshold));
            }
            let new = NewProposal {
                recipe: seen.recipe.clone(),
                change: Change::Threshold {
                    rule: seen.rule.to_string(),
                    key: seen.threshold.key.to_owned(),
                    old: seen.threshold.value,
                    new: wish.value,
                },
                file_digest: seen.file_digest.clone(),
                reason: wish.reason,
                numbers: numbers(&evidence, wish.value),
            };
            let n = console.proposals.propose(&new, &who.name).map_err(|error| error.to_string())?;
            let proposal = console.proposals.get(n).map_err(|error| error.to_string())?;
            let entry = proposals::entry(&who, "proposed", &proposal, &proposal.reason);
            console.office.enter(entry).map_err(|error| error.to_string())?;
            Ok((n, format!("proposal {n} waits for a second person")))
        })
        .await;
    match done {
        Ok(Ok((n, says))) => proposals::answer(&visit, &console, (StatusCode::OK, says), of, Some(n)).await,
        Ok(Err(says)) => {
            proposals::answer(&visit, &console, (StatusCode::UNPROCESSABLE_ENTITY, says), of, None).await
        }
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_anything_in_it_stays_one_segment() {
        assert_eq!(address("bolt-m8", "a/b?c"), "/tune/bolt-m8/a%2Fb%3Fc");
    }
}
