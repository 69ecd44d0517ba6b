//! The pages. One file of code, one of HTML and one of texts each, and one line here.

mod audit;
mod calibration;
mod challenge;
mod charts;
mod evidence;
mod health;
mod live;
mod login;
pub(crate) mod model;
mod models;
mod part;
mod parts;
mod password;
mod people;
mod picture;
mod proposals;
mod recipe;
mod recipes;
mod replayed;
mod review;
mod studies;
mod study;
mod thumb;
mod tune;
mod tuning;

pub(crate) use live::rejects;

use crate::{Console, Right};
use askama::Template;
use axum::routing::MethodRouter;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use std::sync::Arc;

/// Every page, in the order of the menu.
pub(crate) const ALL: &[&Page] = &[
    &live::PAGE,
    &parts::PAGE,
    &part::PAGE,
    &challenge::PAGE,
    &review::PAGE,
    &tune::PAGE,
    &tuning::PAGE,
    &charts::PAGE,
    &studies::PAGE,
    &study::PAGE,
    &recipes::PAGE,
    &recipe::PAGE,
    &models::PAGE,
    &model::PAGE,
    &calibration::PAGE,
    &health::PAGE,
    &audit::PAGE,
    &people::PAGE,
    &login::PAGE,
    &password::PAGE,
];

/// One page with everything that is served for it.
pub(crate) struct Page {
    /// Its name: of its files, its texts, and its icon.
    pub(crate) name: &'static str,
    /// Where it is.
    pub(crate) path: &'static str,
    /// What it takes to see it.
    pub(crate) right: Right,
    /// Where it stands in the menu; `None`: it is reached otherwise.
    pub(crate) group: Option<Group>,
    /// `<name>.toml`.
    pub(crate) texts: &'static str,
    /// Everything that is served for it.
    pub(crate) doors: fn() -> Vec<Door>,
}

/// One path with its methods, and the right it takes.
pub(crate) struct Door {
    pub(crate) path: &'static str,
    pub(crate) right: Right,
    pub(crate) handler: MethodRouter<Arc<Console>>,
}

impl Door {
    pub(crate) fn new(path: &'static str, right: Right, handler: MethodRouter<Arc<Console>>) -> Self {
        Self { path, right, handler }
    }
}

/// A part of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// What happens.
    Watch,
    /// What it is judged by.
    Judge,
    /// How well it is measured.
    Measure,
    /// The station itself.
    Station,
}

impl Group {
    pub(crate) const ALL: [Self; 4] = [Self::Watch, Self::Judge, Self::Measure, Self::Station];

    /// Its key among the texts of the shell.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Judge => "judge",
            Self::Measure => "measure",
            Self::Station => "station",
        }
    }
}

/// A page as tests and tools know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageInfo {
    /// Its name.
    pub name: &'static str,
    /// Where it is.
    pub path: &'static str,
    /// What it takes to see it.
    pub right: Right,
}

/// Every page there is.
pub fn pages() -> Vec<PageInfo> {
    ALL.iter().map(|page| PageInfo { name: page.name, path: page.path, right: page.right }).collect()
}

/// What came of a change: a sentence in its place on the page.
#[derive(Template)]
#[template(path = "said.html")]
pub(crate) struct Said<'a> {
    pub(crate) says: &'a str,
    pub(crate) good: bool,
}

/// A moment as people and programs write it: RFC 3339, or local time without an offset.
pub(crate) fn when(text: &str) -> Result<Timestamp, String> {
    let local = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::system()).ok().map(|at| at.timestamp());
    let at = text.parse::<Timestamp>().ok().or_else(local);
    at.ok_or_else(|| {
        format!(
            "{text:?} is no moment; give it as 2026-11-24T06:00, or with an offset as 2026-11-24T06:00:00Z"
        )
    })
}
