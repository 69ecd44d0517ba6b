//! Who may do what: accounts with their roles, one-time passwords, and tokens for programs. For administrators.

use super::{Door, Group, Page};
use crate::{
    Console, Right, Who,
    guard::{Visit, refusal},
    people::LoginError,
    shell::Shell,
};
use askama::Template;
use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use plumb_ledger::{Role, Token, User};
use serde::Deserialize;
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "people",
    path: "/people",
    right: Right::Administer,
    group: Some(Group::Station),
    texts: include_str!("people.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    let admin = Right::Administer;
    vec![
        Door::new("/people", admin, get(page)),
        Door::new("/people/add", admin, post(add)),
        Door::new("/people/role", admin, post(role)),
        Door::new("/people/reset", admin, post(reset)),
        Door::new("/people/token", admin, post(token)),
        Door::new("/people/token/end", admin, post(end_token)),
    ]
}

#[derive(Template)]
#[template(path = "people.html")]
struct People {
    shell: Shell,
    users: Vec<User>,
    tokens: Vec<Token>,
}

/// The tables, after a change, with what came of it.
#[derive(Template)]
#[template(path = "people_lists.html")]
struct Lists {
    shell: Shell,
    users: Vec<User>,
    tokens: Vec<Token>,
    /// What was done; a secret that is shown once.
    done: String,
    secret: String,
}

async fn page(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let (users, tokens) = (console.office.users(), console.office.tokens());
    visit.page(&People { shell: visit.shell(&PAGE), users, tokens })
}

/// What the forms send; each uses its part.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Given {
    name: String,
    role: String,
    active: String,
    days: String,
    reason: String,
}

impl Given {
    fn role(&self) -> Result<Role, String> {
        Role::from_word(&self.role).ok_or_else(|| format!("{:?} is no role", self.role))
    }
}

async fn add(visit: Visit, State(console): State<Arc<Console>>, Form(given): Form<Given>) -> Response {
    let role = given.role();
    change(visit, console, role, move |console, who, role| {
        let password = console.office.add_user(who, &given.name, role, &given.reason)?;
        Ok((given.name.trim().to_owned(), password))
    })
    .await
}

async fn role(visit: Visit, State(console): State<Arc<Console>>, Form(given): Form<Given>) -> Response {
    let role = given.role();
    change(visit, console, role, move |console, who, role| {
        console.office.set_role(who, &given.name, (role, given.active == "yes"), &given.reason)?;
        Ok((given.name, String::new()))
    })
    .await
}

async fn reset(visit: Visit, State(console): State<Arc<Console>>, Form(given): Form<Given>) -> Response {
    change(visit, console, Ok(Role::Viewer), move |console, who, _| {
        let password = console.office.reset_password(who, &given.name, &given.reason)?;
        Ok((given.name, password))
    })
    .await
}

async fn token(visit: Visit, State(console): State<Arc<Console>>, Form(given): Form<Given>) -> Response {
    let role = given.role();
    let days = given.days.trim().parse::<u16>().ok().filter(|days| (1..=730).contains(days));
    let wish = match (role, days) {
        (Ok(role), Some(days)) => Ok((role, days)),
        (Err(says), _) => Err(says),
        (_, None) => Err(format!("a token is good for 1 to 730 days, not {:?}", given.days)),
    };
    change(visit, console, wish, move |console, who, wish| {
        let secret = console.office.add_token(who, &given.name, wish, &given.reason)?;
        Ok((given.name.trim().to_owned(), secret.reveal().to_owned()))
    })
    .await
}

async fn end_token(visit: Visit, State(console): State<Arc<Console>>, Form(given): Form<Given>) -> Response {
    change(visit, console, Ok(()), move |console, who, ()| {
        console.office.end_token(who, &given.name, &given.reason)?;
        Ok((given.name, String::new()))
    })
    .await
}

/// Does it away from everybody else, and shows the lists as they then are.
async fn change<W: Send + 'static>(
    visit: Visit,
    console: Arc<Console>,
    wish: Result<W, String>,
    work: impl FnOnce(&Console, &Who, W) -> Result<(String, String), LoginError> + Send + 'static,
) -> Response {
    let wish = match wish {
        Ok(wish) => wish,
        Err(says) => return refusal(&visit, StatusCode::UNPROCESSABLE_ENTITY, &says),
    };
    let Some(who) = visit.who().cloned() else { return StatusCode::UNAUTHORIZED.into_response() };
    match console.ask(move |console| work(console, &who, wish)).await {
        Ok(Ok((name, secret))) => {
            let shell = visit.shell(&PAGE);
            let done = format!("{}: {name}", shell.t("people.done"));
            let (users, tokens) = (console.office.users(), console.office.tokens());
            visit.page(&Lists { shell, users, tokens, done, secret })
        }
        Ok(Err(error)) => refusal(&visit, StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}
