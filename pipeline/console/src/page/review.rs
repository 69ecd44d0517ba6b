//! Review: parts that are worth a person's look, one after the other, by keyboard or finger. What a person says is kept
//! beside what the machine said, and never changes it.

use super::{
    Door, Group, Page,
    picture::{Shown, shown_of},
};
use crate::{
    Console, Right,
    counting::as_written,
    guard::{Visit, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    Form, Json,
    extract::{Query, State, rejection::FormRejection, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use jiff::Timestamp;
use plumb_inspection::PartId;
use plumb_ledger::{
    LedgerError, Query as Ask, Record, RecordVerdict, Review as Said, Search, ShadowQuery, TruthBook, Word,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

pub(crate) static PAGE: Page = Page {
    name: "review",
    path: "/review",
    right: Right::See,
    group: Some(Group::Watch),
    texts: include_str!("review.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![
        Door::new("/review", Right::See, get(page)),
        Door::new("/api/v1/review", Right::See, get(queue)),
        Door::new("/api/v1/review/words", Right::Judge, axum::routing::post(say)),
    ]
}

/// Parts a queue holds at most: more than anybody looks at in one go.
const QUEUE: usize = 100;
/// Records gone through for it at most, newest first, so that the page opens as fast on a ledger of millions.
const LOOKED_AT: usize = 1000;
/// Passes of which the scores are compared with thresholds.
const NEAR_AMONG: usize = 300;

#[derive(Template)]
#[template(path = "review.html")]
struct Review {
    shell: Shell,
    may: bool,
    texts: String,
}

async fn page(visit: Visit) -> Response {
    let shell = visit.shell(&PAGE);
    let (may, texts) = (visit.may(Right::Judge), texts(&shell).to_string());
    visit.page(&Review { shell, may, texts })
}

/// What the page's module says.
fn texts(shell: &Shell) -> Value {
    let verdicts = RecordVerdict::ALL.map(|v| (v.as_str(), shell.t_of("word.verdict_", v.as_str())));
    let words = ["good", "defective", "unsure"].map(|word| (word, shell.t_of("review.said_", word)));
    let whys =
        ["rejected", "missed", "near", "shadow", "asked"].map(|why| (why, shell.t_of("review.why_", why)));
    json!({
        "verdict": BTreeMap::from(verdicts),
        "said": BTreeMap::from(words),
        "why": BTreeMap::from(whys),
        "progress": shell.t("review.progress"),
        "part": shell.t("live.part"),
        "score": shell.t("review.score"),
        "no_score": shell.t("review.no_score"),
        "no_picture": shell.t("part.no_picture"),
        "expired": shell.t("part.expired"),
        "not_shown": shell.t("review.not_shown"),
        "lost": shell.t("review.lost"),
        "silent": shell.t("review.silent"),
        "nothing_to_undo": shell.t("review.nothing_to_undo"),
        "undone": shell.t("review.undone"),
        "none_found": shell.t("review.none_found"),
        "findings": shell.t("review.findings"),
        "heat": shell.t("review.heat"),
        "bare": shell.t("review.bare"),
        "by": shell.t("review.by"),
        "only_quality": shell.t("review.only_quality"),
    })
}

/// What the queue is asked for; empty is as good as left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    /// A part's number or serial: that part, reviewed or not, instead of the queue.
    find: String,
}

/// `GET /api/v1/review`: schema `plumb.review/1`. Parts nobody has said anything of, newest first.
async fn queue(
    visit: Visit,
    State(console): State<Arc<Console>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(error) => return refusal(&visit, StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let find = asked.find.trim().to_owned();
    let found = console
        .ask(move |console| {
            let entries = if find.is_empty() { worth_a_look(console)? } else { named(console, &find)? };
            let items = entries.iter().map(|(record, why)| item(console, record, why));
            let items = items.collect::<Result<Vec<Value>, LedgerError>>()?;
            Ok::<_, LedgerError>((items, console.reader.classes()?))
        })
        .await;
    match found {
        Ok(Ok((items, classes))) => {
            Json(json!({ "schema": "plumb.review/1", "parts": items, "classes": classes })).into_response()
        }
        // A new station has no ledger yet, and nothing to look at.
        Ok(Err(LedgerError::Absent { .. })) => {
            let nothing: [Value; 0] = [];
            Json(json!({ "schema": "plumb.review/1", "parts": nothing, "classes": nothing })).into_response()
        }
        Ok(Err(error)) => refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

/// Records with why each is worth a look, by moment and number, so that each comes once.
type Queue = BTreeMap<(Timestamp, PartId), (Record, &'static str)>;

fn worth_a_look(console: &Console) -> Result<Vec<(Record, &'static str)>, LedgerError> {
    let truths = TruthBook::new(&console.seen.ledger);
    let is_new =
        |record: &Record| truths.newest(record.part_id, record.triggered_at).map(|newest| newest.is_none());
    let mut queue = Queue::new();
    let put = |queue: &mut Queue, record: Record, why| {
        queue.entry((record.triggered_at, record.part_id)).or_insert((record, why));
    };
    let shadow = ShadowQuery { disagreements: true, limit: Some(QUEUE), ..ShadowQuery::default() };
    for opinion in console.reader.shadow(&shadow)? {
        let records = console.reader.find(&Ask::of_part(opinion.part_id))?;
        let record = records.into_iter().find(|record| record.triggered_at == opinion.triggered_at);
        if let Some(record) = record.filter(|record| is_new(record).unwrap_or(true)) {
            put(&mut queue, record, "shadow");
        }
    }
    let verdicts = vec![RecordVerdict::Fail, RecordVerdict::Missed, RecordVerdict::Late];
    let mut search = Search { verdicts, limit: QUEUE, ..Search::default() };
    let mut looked_at = 0;
    while queue.len() < QUEUE && looked_at < LOOKED_AT {
        let page = console.reader.search(&search)?;
        looked_at += page.records.len();
        for (record, _) in page.records {
            if is_new(&record)? {
                let why = if record.verdict == RecordVerdict::Fail { "rejected" } else { "missed" };
                put(&mut queue, record, why);
            }
        }
        match page.next {
            Some(next) => search.after = Some(next),
            None => break,
        }
    }
    let passes = Search { verdicts: vec![RecordVerdict::Pass], limit: NEAR_AMONG, ..Search::default() };
    for (record, _) in console.reader.search(&passes)?.records {
        let is_near = console.seen.rules.scores(&record).iter().any(crate::RuleScore::is_near);
        if is_near && is_new(&record)? {
            put(&mut queue, record, "near");
        }
    }
    Ok(queue.into_values().rev().take(QUEUE).collect())
}

/// The parts of that number, or else of that serial.
fn named(console: &Console, find: &str) -> Result<Vec<(Record, &'static str)>, LedgerError> {
    let by_number = find.parse().ok().and_then(PartId::new);
    let found = match by_number {
        Some(part) => console.reader.find(&Ask::of_part(part))?,
        None => Vec::new(),
    };
    let found = if found.is_empty() {
        let search = Search { serial: Some(find.to_owned()), limit: QUEUE, ..Search::default() };
        console.reader.search(&search)?.records.into_iter().map(|(record, _)| record).collect()
    } else {
        found
    };
    Ok(found.into_iter().map(|record| (record, "asked")).collect())
}

fn item(console: &Console, record: &Record, why: &str) -> Result<Value, LedgerError> {
    let newest = TruthBook::new(&console.seen.ledger).newest(record.part_id, record.triggered_at)?;
    let word = newest.map(
        |newest| json!({ "word": newest.word, "class": newest.class, "by": newest.by, "at": newest.at }),
    );
    let scores: Vec<Value> = console
        .seen
        .rules
        .scores(record)
        .into_iter()
        .map(|score| {
            json!({
                "rule": score.rule.as_str(),
                // JSON knows no infinity.
                "score": Some(score.score).filter(|score| score.abs() < 1e30),
                "key": score.threshold.key,
                "threshold": as_written(score.threshold.value),
                "rejects": score.threshold.rejects(score.score),
                "near": score.is_near(),
            })
        })
        .collect();
    let pictures: Vec<Value> =
        shown_of(&console.seen.ledger, record).into_iter().map(|shown| told(record, shown)).collect();
    Ok(json!({
        "part_id": record.part_id,
        "at": record.triggered_at.as_microsecond(),
        "triggered_at": record.triggered_at,
        "serial": record.serial,
        "recipe": record.recipe,
        "verdict": record.verdict,
        "why": why,
        "reasons": record.reasons,
        "scores": scores,
        "pictures": pictures,
        "word": word,
    }))
}

fn told(record: &Record, shown: Shown) -> Value {
    let address = |size: Option<(u32, u32)>| size.map(|_| shown.address.clone());
    json!({
        "camera": shown.camera,
        "kind": shown.kind,
        "address": address(shown.size),
        "thumb": address(shown.size).map(|address| address.replace("/pictures/", "/thumbs/")),
        "width": shown.size.map(|(width, _)| width),
        "height": shown.size.map(|(_, height)| height),
        "missing": shown.missing,
        "findings": shown.findings,
        "page": format!("/parts/{}?at={}", record.part_id, record.triggered_at.as_microsecond()),
    })
}

/// A word on one inspection.
#[derive(Debug, Deserialize)]
struct Given {
    part: String,
    /// µs since 1970.
    at: String,
    /// `good`, `defective`, `unsure`, or `withdrawn` to take the last one back.
    word: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    why: String,
}

impl Given {
    fn said(self) -> Result<Said, String> {
        let part = self.part.parse().ok().and_then(PartId::new);
        let part =
            part.ok_or_else(|| format!("a part's number is 1 to {}, not {:?}", u32::MAX, self.part))?;
        let at = self.at.parse().ok().and_then(|us| Timestamp::from_microsecond(us).ok());
        let at = at.ok_or_else(|| format!("`at` is µs since 1970, not {:?}", self.at))?;
        let word = Word::from_word(&self.word)
            .ok_or_else(|| format!("a word is good, defective, unsure or withdrawn, not {:?}", self.word))?;
        let short = |name: &str, text: String, most: usize| match text.chars().count() {
            n if n <= most => Ok(text),
            n => Err(format!("`{name}` has {n} characters; {most} at most")),
        };
        let class = short("class", self.class, 128)?;
        if !class.is_empty() && word != Word::Defective {
            return Err(format!("only a defective part has a class of defect; this word is {:?}", self.word));
        }
        let why = short("why", self.why, 500)?;
        Ok(Said { part, triggered_at: Some(at), word, class, why })
    }
}

/// `POST /api/v1/review/words`: keeps a word beside the record; schema `plumb.word/1`.
async fn say(
    visit: Visit,
    State(console): State<Arc<Console>>,
    given: Result<Form<Given>, FormRejection>,
) -> Response {
    let Some(who) = visit.who().cloned() else { return StatusCode::UNAUTHORIZED.into_response() };
    let said = match given {
        Ok(Form(given)) => given.said(),
        Err(error) => Err(error.body_text()),
    };
    let said = match said {
        Ok(said) => said,
        Err(says) => return refusal(&visit, StatusCode::UNPROCESSABLE_ENTITY, &says),
    };
    let (part, word, by) = (said.part, said.word, who.name.clone());
    let kept = console
        .ask(move |console| {
            let sets = TruthBook::new(&console.seen.ledger).review(&[said], &who.name)?;
            console.forget_evidence();
            Ok::<_, plumb_ledger::TruthError>(sets)
        })
        .await;
    match kept {
        Ok(Ok(sets)) => {
            let told = json!({
                "schema": "plumb.word/1", "part_id": part, "word": word, "by": by, "set": sets.first(),
            });
            Json(told).into_response()
        }
        Ok(Err(error @ plumb_ledger::TruthError::NoRecord { .. })) => {
            refusal(&visit, StatusCode::NOT_FOUND, &error.to_string())
        }
        Ok(Err(error)) => refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(word: &str, class: &str) -> Given {
        Given {
            part: "7".into(),
            at: "1700000000000000".into(),
            word: word.into(),
            class: class.into(),
            why: String::new(),
        }
    }

    #[test]
    fn what_is_no_word_is_refused_with_what_was_expected() {
        assert_eq!(given("defective", "scratch").said().expect("a word").class, "scratch");
        for (bad, expected) in [
            (given("bad", ""), "good, defective, unsure or withdrawn"),
            (given("good", "scratch"), "only a defective part"),
            (Given { part: "0".into(), ..given("good", "") }, "a part's number"),
            (Given { at: "noon".into(), ..given("good", "") }, "µs since 1970"),
            (given("defective", &"x".repeat(200)), "128 at most"),
        ] {
            let says = bad.said().expect_err("no word");
            assert!(says.contains(expected), "{says}");
        }
    }
}
