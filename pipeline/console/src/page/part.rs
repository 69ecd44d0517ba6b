//! One part: pictures with what was found, how long each stage took, what the PLC was told, who judged it.

use super::{
    Door, Page,
    picture::{Shown, show, shown_of},
};
use crate::{
    Console, Right,
    guard::{Visit, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use jiff::Timestamp;
use plumb_inspection::{PartId, RecipeName};
use plumb_ledger::{LedgerError, Query as Ask, Record, Timings, Truth, TruthBook};
use serde::Deserialize;
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "part",
    path: "/parts/{id}",
    right: Right::See,
    group: None,
    texts: include_str!("part.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![
        Door::new("/parts/{id}", Right::See, get(page)),
        Door::new("/parts/{id}/pictures/{at}/{n}", Right::See, get(show)),
        Door::new("/parts/{id}/evidence.zip", Right::See, get(super::evidence::export)),
        Door::new("/parts/{id}/replay", Right::Operate, post(super::replayed::replay)),
        Door::new("/parts/{id}/thumbs/{at}/{n}", Right::See, get(super::thumb::show)),
    ]
}

#[derive(Template)]
#[template(path = "part.html")]
struct Part {
    shell: Shell,
    record: Record,
    /// Other inspections of the same number, newest first.
    others: Vec<Timestamp>,
    truth: Option<(Truth, String)>,
    pictures: Vec<Shown>,
    waterfall: Waterfall,
    /// Recipes that its picture may be replayed with.
    recipes: Vec<RecipeName>,
    may_replay: bool,
}

impl Part {
    /// A picture as the camera gave it is there.
    fn has_frame(&self) -> bool {
        self.pictures.iter().any(|picture| picture.kind == "frame" && picture.size.is_some())
    }
}

/// The stages one after the other, in units of a picture 470 wide.
struct Waterfall {
    bars: Vec<Bar>,
    height: u32,
}

struct Bar {
    stage: &'static str,
    x: f64,
    width: f64,
    y: u32,
    ms: f64,
}

impl Waterfall {
    /// Left of the bars stand the stages' names, right of them their ms.
    const LEFT: f64 = 92.0;
    const WIDE: f64 = 300.0;
    const ROW: u32 = 26;

    fn new(timings: &Timings) -> Self {
        let laps = [
            ("capture", timings.capture),
            ("preprocess", timings.preprocess),
            ("infer", timings.infer),
            ("verdict", timings.verdict),
            ("plc", timings.plc),
        ];
        let sum: u64 = laps.iter().filter_map(|(_, us)| *us).sum();
        let whole = timings.total.unwrap_or(sum).max(sum).max(1) as f64;
        let mut begun = 0.0;
        let bars: Vec<Bar> = laps
            .into_iter()
            .filter_map(|(stage, us)| Some((stage, us? as f64)))
            .enumerate()
            .map(|(row, (stage, us))| {
                let x = Self::LEFT + Self::WIDE * begun / whole;
                begun += us;
                let width = (Self::WIDE * us / whole).max(1.0);
                Bar { stage, x, width, y: Self::ROW * row as u32, ms: us / 1000.0 }
            })
            .collect();
        let height = Self::ROW * bars.len() as u32;
        Self { bars, height }
    }
}

/// Which inspection of the part; the newest where not given.
#[derive(Debug, Default, Deserialize)]
struct Which {
    #[serde(default)]
    at: Option<i64>,
}

async fn page(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Query(which): Query<Which>,
) -> Response {
    let shell = visit.shell(&PAGE);
    let Some(id) = id.parse().ok().and_then(PartId::new) else {
        return refusal(&visit, StatusCode::BAD_REQUEST, &shell.t("part.no_number"));
    };
    let asked = console
        .ask(move |console| {
            let records = console.reader.find(&Ask::of_part(id))?;
            let wanted =
                |record: &&Record| which.at.is_none_or(|at| record.triggered_at.as_microsecond() == at);
            let Some(record) = records.iter().find(wanted).cloned() else { return Ok(None) };
            let others =
                records.iter().map(|other| other.triggered_at).filter(|at| *at != record.triggered_at);
            let others = others.collect();
            let truth = TruthBook::new(&console.seen.ledger).of(id, record.triggered_at)?;
            let pictures = shown_of(&console.seen.ledger, &record);
            Ok::<_, LedgerError>(Some((record, others, truth, pictures)))
        })
        .await;
    match asked {
        Ok(Ok(Some((record, others, truth, pictures)))) => {
            let waterfall = Waterfall::new(&record.timings_us);
            let (recipes, may_replay) = (console.snapshot().recipes.clone(), visit.may(Right::Operate));
            visit.page(&Part { shell, record, others, truth, pictures, waterfall, recipes, may_replay })
        }
        Ok(Ok(None)) => refusal(&visit, StatusCode::NOT_FOUND, &shell.fill("part.unknown", id)),
        Ok(Err(error @ LedgerError::Absent { .. })) => {
            refusal(&visit, StatusCode::NOT_FOUND, &error.to_string())
        }
        Ok(Err(error)) => refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waterfall_follows_the_part_and_leaves_out_stages_it_never_reached() {
        let timings =
            Timings { capture: Some(2_000), infer: Some(6_000), total: Some(10_000), ..Timings::default() };
        let waterfall = Waterfall::new(&timings);
        let bars: Vec<_> = waterfall.bars.iter().map(|bar| (bar.stage, bar.x, bar.width)).collect();
        assert_eq!(bars, [("capture", 92.0, 60.0), ("infer", 152.0, 180.0)]);
        assert!(Waterfall::new(&Timings::default()).bars.is_empty());
    }
}
