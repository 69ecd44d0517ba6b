//! What is around every page: menu, the station's state, who is logged in, language and theme.

use crate::{
    ChallengeStand, Snapshot, StationState, asset,
    guard::{Visit, escaped},
    look::Theme,
    page::{self, Group, Page},
    text::{self, Lang},
};
use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use jiff::{Timestamp, tz::TimeZone};

/// What `shell.html` shows; the first field of every page's template.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    pub(crate) lang: Lang,
    pub(crate) theme: Theme,
    pub(crate) title: String,
    /// The page's name, for its styles.
    pub(crate) page: &'static str,
    pub(crate) menu: Vec<Chapter>,
    /// Name and role of who is logged in.
    pub(crate) user: Option<(String, String)>,
    pub(crate) page_token: String,
    /// Where this page is, escaped for a query.
    pub(crate) back: String,
    pub(crate) station: String,
    pub(crate) version: String,
    pub(crate) state: StationState,
    /// Where somebody does something about it.
    pub(crate) state_page: &'static str,
    pub(crate) reasons: Vec<String>,
    /// The first broken entry of the audit log.
    pub(crate) broken_at: Option<u64>,
}

/// A part of the menu.
#[derive(Clone, Debug)]
pub(crate) struct Chapter {
    pub(crate) title: String,
    pub(crate) items: Vec<Item>,
}

/// A page in the menu.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) title: String,
    pub(crate) here: bool,
}

impl Visit {
    /// The shell around `page`.
    pub(crate) fn shell(&self, page: &Page) -> Shell {
        let lang = self.look.lang;
        let snapshot = self.console.snapshot();
        let chapter = |group: Group| {
            let shown = page::ALL.iter().filter(|other| other.group == Some(group) && self.may(other.right));
            let item = |other: &&Page| Item {
                name: other.name,
                path: other.path,
                title: text::t_of(other.name, ".menu", lang),
                here: other.name == page.name,
            };
            Chapter {
                title: text::t_of("shell.group_", group.as_str(), lang),
                items: shown.map(item).collect(),
            }
        };
        let mut shell = Shell {
            lang,
            theme: self.look.theme,
            title: text::t_of(page.name, ".title", lang),
            page: page.name,
            menu: Group::ALL.into_iter().map(chapter).filter(|chapter| !chapter.items.is_empty()).collect(),
            user: None,
            page_token: String::new(),
            back: escaped(&self.address),
            station: snapshot.station.clone(),
            version: snapshot.version.clone(),
            state: snapshot.state,
            state_page: if awaits_challenge(&snapshot) { "/challenge" } else { "/health" },
            reasons: snapshot.reasons.clone(),
            broken_at: self.console.office.broken_at(),
        };
        if let Some(shown) = &self.shown {
            let role = shell.t_of("people.role_", shown.who.role.as_str());
            shell.user = Some((shown.who.name.clone(), role));
            shell.page_token.clone_from(&shown.page_token);
        }
        shell
    }

    /// A rendered page, or a piece of one.
    pub(crate) fn page(&self, template: &impl Template) -> Response {
        match template.render() {
            Ok(page) => Html(page).into_response(),
            Err(error) => {
                tracing::error!(%error, page = self.address, "A page could not be rendered.");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "this page could not be rendered; please report what the log says",
                )
                    .into_response()
            }
        }
    }
}

impl Shell {
    /// A text of the catalogue.
    pub(crate) fn t(&self, key: &str) -> String {
        text::t(key, self.lang)
    }

    pub(crate) fn langs(&self) -> [Lang; 2] {
        Lang::ALL
    }

    pub(crate) fn themes(&self) -> [Theme; 3] {
        Theme::ALL
    }

    /// A text whose key ends in a word of the data: a verdict, a role.
    pub(crate) fn t_of(&self, start: &str, end: &str) -> String {
        text::t_of(start, end, self.lang)
    }

    /// A text with `{n}` in it.
    pub(crate) fn fill(&self, key: &str, n: impl std::fmt::Display) -> String {
        self.t(key).replace("{n}", &n.to_string())
    }

    /// Where an asset is.
    pub(crate) fn asset(&self, name: &str) -> String {
        asset::address(name)
    }

    /// A moment as people at the station read it: local time.
    pub(crate) fn time(&self, at: &Timestamp) -> String {
        at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The same, the hour alone.
    pub(crate) fn hour(&self, at: &Timestamp) -> String {
        at.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
    }

    /// How long ago, in the largest unit that says enough.
    pub(crate) fn ago(&self, at: &Timestamp) -> String {
        let seconds = Timestamp::now().duration_since(*at).as_secs().max(0);
        match seconds {
            0..120 => self.fill("word.seconds", seconds),
            120..7_200 => self.fill("word.minutes", seconds / 60),
            7_200..172_800 => self.fill("word.hours", seconds / 3_600),
            _ => self.fill("word.days", seconds / 86_400),
        }
    }
}

/// Parts are rejected until the known ones are told right.
fn awaits_challenge(snapshot: &Snapshot) -> bool {
    let due = [ChallengeStand::Due, ChallengeStand::UnderWay];
    snapshot.state == StationState::NotReleased
        && snapshot.challenge.as_ref().is_some_and(|challenge| due.contains(&challenge.stand))
}

#[derive(Template)]
#[template(path = "state.html")]
struct State {
    shell: Shell,
}

/// `GET /shell/state`: the station's state in the page's head, renewed in place.
pub(crate) async fn state(visit: Visit) -> Response {
    let home = page::ALL[0];
    if !visit.may(home.right) {
        return StatusCode::NO_CONTENT.into_response();
    }
    visit.page(&State { shell: visit.shell(home) })
}

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused<'a> {
    shell: Shell,
    says: &'a str,
}

/// An error as a page, or as a sentence in one.
pub(crate) fn refused(visit: &Visit, status: StatusCode, says: &str, in_place: bool) -> Response {
    let mut shell = visit.shell(page::ALL[0]);
    shell.title = shell.t("shell.refused");
    shell.page = "refused";
    let rendered = if in_place { Notice { says }.render() } else { Refused { shell, says }.render() };
    (status, rendered.map_or_else(|_| says.to_owned().into_response(), |page| Html(page).into_response()))
        .into_response()
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Notice<'a> {
    says: &'a str,
}
