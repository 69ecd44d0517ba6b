//! Log in and out. Works without a script.

use super::{Door, Page};
use crate::{
    Console, Right,
    guard::{NO_SESSION, Visit, session_cookie},
    look::local,
    people::LoginError,
    shell::Shell,
};
use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "login",
    path: "/login",
    right: Right::Open,
    group: None,
    texts: include_str!("login.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![
        Door::new("/login", Right::Open, get(page).post(login)),
        Door::new("/logout", Right::Open, post(logout)),
    ]
}

#[derive(Template)]
#[template(path = "login.html")]
struct Login {
    shell: Shell,
    name: String,
    next: String,
    /// Why it did not work.
    says: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct After {
    #[serde(default)]
    next: String,
}

async fn page(visit: Visit, Query(after): Query<After>) -> Response {
    let shell = visit.shell(&PAGE);
    visit.page(&Login { shell, name: String::new(), next: local(&after.next).to_owned(), says: None })
}

/// What the form sends. `Debug` is not derived: it holds a password.
#[derive(Deserialize)]
struct Given {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn login(visit: Visit, State(console): State<Arc<Console>>, Form(given): Form<Given>) -> Response {
    let (name, password, from) = (given.name.clone(), given.password, visit.from.clone());
    let answer = console.ask(move |console| console.office.login(&name, &password, &from)).await;
    let shell = visit.shell(&PAGE);
    let says = match answer {
        Ok(Ok(secret)) => {
            let to = Redirect::to(local(&given.next));
            return ([(header::SET_COOKIE, session_cookie(&visit.console, &secret))], to).into_response();
        }
        Ok(Err(LoginError::Wrong)) => shell.t("login.wrong"),
        Ok(Err(LoginError::Locked { wait })) => shell.fill("login.locked", wait.as_secs().div_ceil(60)),
        Ok(Err(error)) => error.to_string(),
        Err(unanswered) => unanswered.to_string(),
    };
    let name = given.name.chars().take(64).collect();
    let page = Login { shell, name, next: local(&given.next).to_owned(), says: Some(says) };
    (StatusCode::UNAUTHORIZED, visit.page(&page)).into_response()
}

async fn logout(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    if let Some(shown) = visit.shown
        && let Err(unanswered) = console.ask(move |console| console.office.logout(&shown)).await
    {
        tracing::error!(%unanswered, "A logout is not in the audit log.");
    }
    (
        [(header::SET_COOKIE, NO_SESSION), (header::HeaderName::from_static("hx-redirect"), "/login")],
        StatusCode::OK,
    )
        .into_response()
}
