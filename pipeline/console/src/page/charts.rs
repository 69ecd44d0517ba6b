//! Charts: is the process what it was? The share of rejects with its limits, what parts were rejected for, a rule's score,
//! a measured size in its tolerance, and what people noted about any of it.

use super::{Door, Group, Page, Said};
use crate::{
    ChartAsk, ChartData, Console, Right,
    guard::{Visit, escaped, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    Form, Json,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::{SignedDuration, Timestamp};
use plumb_inspection::{PartId, RecipeName};
use plumb_ledger::{AuditEntry, AuditQuery, NewAuditEntry};
use plumb_process::{Process, SAMPLES_WANTED, SizeChart};
use plumb_quality::{
    Confidence,
    capability::Estimate,
    chart::{EwmaPoint, Hit},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "charts",
    path: "/charts",
    right: Right::See,
    group: Some(Group::Measure),
    texts: include_str!("charts.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![
        Door::new("/charts", Right::See, get(page)),
        Door::new("/charts/notes", Right::See, get(notes)),
        Door::new("/charts/note", Right::Operate, post(note)),
        Door::new("/api/v1/charts", Right::See, get(json)),
    ]
}

/// Parts in a sample where nothing else is asked for.
const SAMPLE: u64 = 100;
/// Days back, likewise, and at most.
const DAYS: i64 = 7;
const DAYS_MAX: i64 = 366;
/// Points of one chart on the page; older ones are left to the API.
const POINTS: usize = 2_000;
/// Notes that are shown, and the longest one, in characters.
const NOTES: usize = 100;
const NOTE_MAX: usize = 500;
/// As the audit log calls a note.
const NOTE: &str = "chart_note";

/// What the form and the API ask for; empty is as good as left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    /// The recipe in use where none is named.
    recipe: String,
    /// Whose score is charted.
    rule: String,
    /// Which measurement is charted.
    size: String,
    /// Parts in a sample, 1..=1000000.
    sample: String,
    /// So many days back, 1..=366.
    days: String,
}

impl Asked {
    fn number<T: std::str::FromStr + PartialOrd + std::fmt::Display>(
        text: &str,
        name: &str,
        (least, usual, most): (T, T, T),
    ) -> Result<T, String> {
        if text.trim().is_empty() {
            return Ok(usual);
        }
        let wrong = || format!("{name} is {text:?}; give a whole number of {least} to {most}");
        text.trim().parse::<T>().ok().filter(|n| *n >= least && *n <= most).ok_or_else(wrong)
    }

    fn ask(&self, current: &RecipeName) -> Result<(ChartAsk, u64), String> {
        let sample = Self::number(&self.sample, "sample", (1, SAMPLE, 1_000_000))?;
        let days = Self::number(&self.days, "days", (1, DAYS, DAYS_MAX))?;
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let ask = ChartAsk {
            recipe: given(&self.recipe).map_or_else(|| current.clone(), |name| name.as_str().into()),
            rule: given(&self.rule).map(|rule| rule.as_str().into()),
            size: given(&self.size),
            from: Timestamp::now() - SignedDuration::from_hours(24 * days),
        };
        Ok((ask, sample))
    }
}

/// Everything that was found.
struct Charts {
    data: ChartData,
    process: Result<Process, String>,
    size: Option<Result<SizeChart, String>>,
}

impl Charts {
    fn find(console: &Console, ask: &ChartAsk, sample: u64) -> Result<Self, String> {
        let mut data = console.seen.rules.charted(ask).map_err(|refused| refused.0)?;
        let rule = ask.rule.as_ref().map(|rule| rule.as_str());
        let process = Process::of(&data.parts, sample, rule).map_err(|error| error.to_string());
        let size = ask.size.as_ref().map(|name| {
            let values = std::mem::take(&mut data.values);
            SizeChart::of(name, &data.unit, values, data.tolerance, Confidence::NINETY_FIVE)
        });
        Ok(Self { data, process, size })
    }
}

fn notes_of(console: &Console, recipe: &RecipeName) -> Vec<AuditEntry> {
    // Notes of other recipes lie between; ten times as many are looked through.
    let query = AuditQuery { what: Some(NOTE.to_owned()), limit: 10 * NOTES, ..AuditQuery::default() };
    let found = console.office.log().find(&query).unwrap_or_else(|error| {
        tracing::warn!(%error, "Notes on charts cannot be read.");
        Vec::new()
    });
    found.into_iter().filter(|note| note.of == recipe.as_str()).take(NOTES).collect()
}

#[derive(Template)]
#[template(path = "charts.html")]
struct Whole {
    shell: Shell,
    recipes: Vec<RecipeName>,
    ask: ChartAsk,
    sample: String,
    days: String,
    found: Option<Charts>,
    says: String,
    notes: Vec<AuditEntry>,
    may_note: bool,
    /// For the page's module.
    drawn: String,
}

#[derive(Template)]
#[template(path = "charts_notes.html")]
struct Notes {
    shell: Shell,
    notes: Vec<AuditEntry>,
}

/// One signal, as a row.
struct Signal {
    sample: usize,
    part: PartId,
    rejects: String,
    rule: &'static str,
}

impl Whole {
    /// For an address.
    fn recipe_escaped(&self) -> String {
        escaped(self.ask.recipe.as_str())
    }

    fn is_rule(&self, name: &str) -> bool {
        self.ask.rule.as_ref().is_some_and(|rule| rule.as_str() == name)
    }

    fn is_size(&self, name: &str) -> bool {
        self.ask.size.as_deref() == Some(name)
    }

    fn process(&self) -> Option<&Process> {
        self.found.as_ref()?.process.as_ref().ok()
    }

    /// Why there are no charts of rejects.
    fn none(&self) -> Option<&str> {
        self.found.as_ref()?.process.as_ref().err().map(String::as_str)
    }

    fn rejected(&self) -> String {
        let share = self.process().and_then(Process::reject_share);
        share.map_or_else(|| "–".to_owned(), |share| share.says(Confidence::NINETY_FIVE))
    }

    fn signals(&self) -> Vec<Signal> {
        let Some(share) = self.process().map(|process| &process.share) else { return Vec::new() };
        let signal = |hit: &Hit| {
            let of = share.samples.get(hit.at)?;
            Some(Signal {
                sample: hit.at + 1,
                part: *share.first_parts.get(hit.at)?,
                rejects: format!("{} / {}", of.rejects, of.parts),
                rule: rule_key(hit),
            })
        };
        share.signals.iter().rev().filter_map(signal).collect()
    }

    fn size(&self) -> Option<&SizeChart> {
        self.found.as_ref()?.size.as_ref()?.as_ref().ok()
    }

    fn no_size(&self) -> Option<&str> {
        self.found.as_ref()?.size.as_ref()?.as_ref().err().map(String::as_str)
    }

    /// Cp, Cpk, Pp and Ppk with their intervals, as far as the tolerance gives them.
    fn capability(&self) -> Vec<(&'static str, String)> {
        let Some(size) = self.size() else { return Vec::new() };
        let told = |estimate: &Estimate| {
            let (value, interval) = (estimate.value, &estimate.interval);
            format!("{value:.2} ({:.2} – {:.2})", interval.lower, interval.upper)
        };
        let [short, long] = [("Cp", "Cpk", &size.short_term), ("Pp", "Ppk", &size.long_term)];
        let rows = [short, long].into_iter().flat_map(|(both, nearer, found)| {
            let both = found.as_ref().and_then(|found| found.cp.as_ref()).map(|cp| (both, told(cp)));
            both.into_iter().chain(found.as_ref().map(|found| (nearer, told(&found.cpk))))
        });
        rows.collect()
    }

    /// Bars of the Pareto chart: name, count, share with those above in %, and width of 300.
    fn bars(&self) -> Vec<(String, u64, String, String)> {
        let Some(process) = self.process() else { return Vec::new() };
        let most = process.pareto.iter().map(|bar| bar.count).max().unwrap_or(1).max(1);
        let bar = |bar: &plumb_quality::Bar| {
            let wide = format!("{:.1}", 300.0 * bar.count as f64 / most as f64);
            (bar.name.clone(), bar.count, format!("{:.0} %", 100.0 * bar.cumulative), wide)
        };
        process.pareto.iter().map(bar).collect()
    }

    fn drift(&self) -> Option<Vec<(&'static str, String)>> {
        let drift = &self.process()?.score.as_ref()?.drift;
        let changed = drift.changed_at.map_or_else(|| "–".to_owned(), |part| part.to_string());
        Some(vec![
            ("gap", format!("{:.3} (p = {:.4})", drift.ks.gap, drift.ks.p)),
            ("psi", format!("{:.3}", drift.psi)),
            ("shift", format!("{:+.2} σ", drift.shift)),
            ("changed", changed),
        ])
    }

    /// True if scores have moved so far that somebody should look.
    fn has_drifted(&self) -> bool {
        let score = self.process().and_then(|process| process.score.as_ref());
        score.is_some_and(|score| score.drift.psi > 0.25 || score.drift.ks.p < 0.001)
    }
}

/// The rule's key in the catalogue.
fn rule_key(hit: &Hit) -> &'static str {
    use plumb_quality::chart::Rule;
    match hit.rule {
        Rule::Beyond3 => "1",
        Rule::NineOneSide => "2",
        Rule::SixRising => "3",
        Rule::FourteenAlternating => "4",
        Rule::TwoOfThreeBeyond2 => "5",
        Rule::FourOfFiveBeyond1 => "6",
        Rule::FifteenWithin1 => "7",
        Rule::EightBeyond1 => "8",
    }
}

/// What the page's module draws: for each chart the parts along it, its lines, and the places that stand out.
fn drawn(found: &Charts, notes: &[AuditEntry]) -> Value {
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    let mut charts = serde_json::Map::new();
    if let Ok(process) = &found.process {
        let share = &process.share;
        let skip = share.samples.len().saturating_sub(POINTS);
        let percent = |value: f64| rounded(100.0 * value);
        let values = share.samples.iter().map(|one| percent(one.rejects as f64 / one.parts.max(1) as f64));
        let line = |of: fn(&plumb_quality::chart::Limits) -> f64| {
            share.limits.iter().skip(skip).map(|limits| percent(of(limits))).collect::<Vec<_>>()
        };
        charts.insert(
            "share".into(),
            json!({
                "parts": share.first_parts.iter().skip(skip).collect::<Vec<_>>(),
                "values": values.skip(skip).collect::<Vec<_>>(),
                "lower": line(|limits| limits.lower), "centre": line(|limits| limits.centre), "upper": line(|limits| limits.upper),
                "hits": hits(&share.signals, skip),
            }),
        );
        if let Some(score) = &process.score {
            let skip = score.means.len().saturating_sub(POINTS);
            let of = |value: fn(&EwmaPoint) -> f64| {
                score.ewma.iter().skip(skip).map(|point| rounded(value(point))).collect::<Vec<_>>()
            };
            let out = score.ewma.iter().enumerate().skip(skip).filter(|(_, point)| point.is_out());
            charts.insert(
                "score".into(),
                json!({
                    "values": of(|point| point.value), "lower": of(|point| point.lower), "upper": of(|point| point.upper),
                    "means": score.means.iter().skip(skip).map(|mean| rounded(*mean)).collect::<Vec<_>>(),
                    "hits": out.map(|(at, _)| json!({ "at": at - skip, "rule": "1" })).collect::<Vec<_>>(),
                }),
            );
            let worse = |point: &plumb_quality::chart::CusumPoint| rounded(point.high.max(point.low));
            let out = score.cusum.iter().enumerate().skip(skip).filter(|(_, point)| point.signals);
            charts.insert(
                "cusum".into(),
                json!({
                    "values": score.cusum.iter().skip(skip).map(worse).collect::<Vec<_>>(),
                    "upper": vec![rounded(5.0 * score.deviation); score.cusum.len() - skip],
                    "hits": out.map(|(at, _)| json!({ "at": at - skip, "rule": "1" })).collect::<Vec<_>>(),
                }),
            );
        }
    }
    if let Some(Ok(size)) = &found.size {
        let skip = size.values.len().saturating_sub(POINTS);
        let level = |at: f64| vec![rounded(at); size.values.len() - skip];
        charts.insert(
            "size".into(),
            json!({
                "parts": size.values.iter().skip(skip).map(|one| one.part).collect::<Vec<_>>(),
                "values": size.values.iter().skip(skip).map(|one| rounded(one.value)).collect::<Vec<_>>(),
                "lower": level(size.centre - 3.0 * size.within), "centre": level(size.centre),
                "upper": level(size.centre + 3.0 * size.within),
                "hits": hits(&size.signals, skip),
            }),
        );
    }
    let notes: Vec<Value> = notes
        .iter()
        .filter_map(|note| Some(json!({ "part": note.from_part?, "says": note.reason })))
        .collect();
    json!({ "charts": charts, "notes": notes })
}

fn hits(hits: &[Hit], skip: usize) -> Vec<Value> {
    let shown = hits.iter().filter(|hit| hit.at >= skip);
    shown.map(|hit| json!({ "at": hit.at - skip, "rule": rule_key(hit) })).collect()
}

async fn page(visit: Visit, State(console): State<Arc<Console>>, Query(asked): Query<Asked>) -> Response {
    let shell = visit.shell(&PAGE);
    let snapshot = console.snapshot();
    let (ask, sample) = match asked.ask(&snapshot.recipe.name) {
        Ok(ask) => ask,
        Err(says) => return refusal(&visit, StatusCode::BAD_REQUEST, &says),
    };
    let wish = ask.clone();
    let answered = console
        .ask(move |console| (Charts::find(console, &wish, sample), notes_of(console, &wish.recipe)))
        .await;
    let (found, notes) = match answered {
        Ok(found) => found,
        Err(unanswered) => {
            return refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string());
        }
    };
    let (found, says) = match found {
        Ok(found) => (Some(found), String::new()),
        Err(says) => (None, says),
    };
    let drawn = found.as_ref().map(|found| drawn(found, &notes).to_string()).unwrap_or_default();
    let days = Some(asked.days).filter(|days| !days.is_empty()).unwrap_or_else(|| DAYS.to_string());
    visit.page(&Whole {
        shell,
        recipes: snapshot.recipes.clone(),
        ask,
        sample: sample.to_string(),
        days,
        found,
        says,
        notes,
        may_note: visit.may(Right::Operate),
        drawn,
    })
}

/// `GET /api/v1/charts`: schema `plumb.charts/1`, as `plumb charts --json`, with sizes and notes.
async fn json(visit: Visit, State(console): State<Arc<Console>>, Query(asked): Query<Asked>) -> Response {
    let (ask, sample) = match asked.ask(&console.snapshot().recipe.name) {
        Ok(ask) => ask,
        Err(says) => return refusal(&visit, StatusCode::BAD_REQUEST, &says),
    };
    let wish = ask.clone();
    let answered = console
        .ask(move |console| (Charts::find(console, &wish, sample), notes_of(console, &wish.recipe)))
        .await;
    match answered {
        Ok((Ok(found), notes)) => Json(json!({
            "schema": "plumb.charts/1",
            "recipe": ask.recipe,
            "process": found.process.as_ref().ok(),
            "no_process": found.process.as_ref().err(),
            "size": found.size.as_ref().and_then(|size| size.as_ref().ok()),
            "no_size": found.size.as_ref().and_then(|size| size.as_ref().err()),
            "notes": notes,
        }))
        .into_response(),
        Ok((Err(says), _)) => refusal(&visit, StatusCode::NOT_FOUND, &says),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Which {
    recipe: String,
}

/// The list alone, after a note.
async fn notes(visit: Visit, State(console): State<Arc<Console>>, Query(which): Query<Which>) -> Response {
    let shell = visit.shell(&PAGE);
    let recipe = RecipeName::from(which.recipe.as_str());
    match console.ask(move |console| notes_of(console, &recipe)).await {
        Ok(notes) => visit.page(&Notes { shell, notes }),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

#[derive(Debug, Deserialize)]
struct NewNote {
    recipe: String,
    part: String,
    says: String,
}

/// A cause, noted beside a part. It goes into the audit log, where nobody changes it: who wants to take it back notes so.
async fn note(visit: Visit, State(console): State<Arc<Console>>, Form(note): Form<NewNote>) -> Response {
    let Some(who) = visit.who().cloned() else { return StatusCode::UNAUTHORIZED.into_response() };
    let shell = visit.shell(&PAGE);
    let Some(part) = note.part.trim().parse().ok().and_then(PartId::new) else {
        return refusal(&visit, StatusCode::BAD_REQUEST, &shell.t("part.no_number"));
    };
    let says = note.says.trim().to_owned();
    if says.is_empty() || says.chars().count() > NOTE_MAX {
        return refusal(&visit, StatusCode::BAD_REQUEST, &shell.fill("charts.note_length", NOTE_MAX));
    }
    let entry = NewAuditEntry { reason: says, from_part: Some(part), ..who.entry(NOTE, note.recipe.trim()) };
    match console.enter(entry).await {
        Ok(()) => {
            let page = visit.page(&Said { says: &shell.t("charts.noted"), good: true });
            ([("hx-trigger", "noted")], page).into_response()
        }
        Err(refused) => refusal(&visit, StatusCode::CONFLICT, &refused.0),
    }
}
