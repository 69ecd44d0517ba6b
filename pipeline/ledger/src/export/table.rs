//! One part in one row: the columns of CSV and Parquet.

use crate::Record;
use jiff::Timestamp;
use plumb_inspection::Finding;
use std::collections::BTreeSet;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whole numbers.
    Whole,
    /// A moment, UTC, in whole µs.
    Moment,
    /// Any number.
    Real,
    /// Yes or no.
    Flag,
    /// Words.
    Text,
}

/// One value; empty where the record has none.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Empty,
    Whole(i64),
    Moment(Timestamp),
    Real(f64),
    Flag(bool),
    Text(String),
}

impl From<Option<String>> for Cell {
    fn from(text: Option<String>) -> Self {
        text.filter(|text| !text.is_empty()).map_or(Self::Empty, Self::Text)
    }
}

impl From<Option<u64>> for Cell {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Empty, |number| Self::Whole(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

/// A name, what it holds, and where it comes from.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) of: fn(&Record) -> Cell,
}

/// Names are those of the record where it has the same thing; units are in them.
pub(super) const COLUMNS: [Column; 26] = [
    whole("part_id", |record| Cell::Whole(record.part_id.get().into())),
    text("serial", |record| record.serial.clone().into()),
    text("recipe", |record| words(record.recipe.as_str())),
    text("recipe_digest", |record| words(&*record.recipe_digest)),
    text("station", |record| words(&*record.station)),
    Column { name: "triggered_at", kind: Kind::Moment, of: |record| Cell::Moment(record.triggered_at) },
    text("trigger", |record| record.trigger.map(|source| source.as_str().to_owned()).into()),
    whole("encoder", |record| record.encoder.map(u64::from).into()),
    text("verdict", |record| words(record.verdict.as_str())),
    whole("reason_code", |record| Cell::Whole(record.reason_code.into())),
    text("reasons", |record| {
        list(record.reasons.iter().map(|reason| format!("{}: {}", reason.rule, reason.says)))
    }),
    text("cameras", |record| list(record.views.iter().map(|view| view.camera.to_string()))),
    whole("findings", |record| Some(findings(record).count() as u64).into()),
    text("classes", |record| {
        let classes: BTreeSet<&str> = findings(record).map(|finding| finding.class.as_str()).collect();
        list(classes.into_iter().map(str::to_owned))
    }),
    Column {
        name: "finding_score_max",
        kind: Kind::Real,
        of: |record| {
            let scores = findings(record).map(|finding| f64::from(finding.score.get()));
            scores.reduce(f64::max).map_or(Cell::Empty, Cell::Real)
        },
    },
    whole("capture_us", |record| record.timings_us.capture.into()),
    whole("preprocess_us", |record| record.timings_us.preprocess.into()),
    whole("infer_us", |record| record.timings_us.infer.into()),
    whole("verdict_us", |record| record.timings_us.verdict.into()),
    whole("plc_us", |record| record.timings_us.plc.into()),
    whole("total_us", |record| record.timings_us.total.into()),
    text("models", |record| {
        list(record.models.iter().map(|model| {
            format!("{} {} {}", model.name, model.digest.get(..12).unwrap_or(&model.digest), model.provider)
        }))
    }),
    text("calibration_digest", |record| record.calibration_digest.clone().into()),
    text("uncalibrated", |record| list(record.uncalibrated.iter().cloned())),
    Column {
        name: "plc_delivered",
        kind: Kind::Flag,
        of: |record| record.plc.map_or(Cell::Empty, |plc| Cell::Flag(plc.delivered)),
    },
    text("pictures", |record| list(record.pictures.iter().map(|picture| picture.path.clone()))),
];

const fn whole(name: &'static str, of: fn(&Record) -> Cell) -> Column {
    Column { name, kind: Kind::Whole, of }
}

const fn text(name: &'static str, of: fn(&Record) -> Cell) -> Column {
    Column { name, kind: Kind::Text, of }
}

/// Words; none at all where the record has nothing to say.
fn words(text: impl Into<String>) -> Cell {
    Some(text.into()).into()
}

fn list(words: impl Iterator<Item = String>) -> Cell {
    self::words(words.collect::<Vec<_>>().join("; "))
}

fn findings(record: &Record) -> impl Iterator<Item = &Finding> {
    record.views.iter().flat_map(|view| &view.findings)
}
