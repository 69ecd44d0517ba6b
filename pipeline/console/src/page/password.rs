//! Change one's own password; the first thing to do after a login with one that somebody else chose.

use super::{Door, Page};
use crate::{Console, Right, guard::Visit, people::LoginError, shell::Shell};
use askama::Template;
use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use serde::Deserialize;
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "password",
    path: "/password",
    right: Right::Open, // somebody who must change it has no other right yet
    group: None,
    texts: include_str!("password.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![Door::new("/password", Right::Open, get(page).post(change))]
}

#[derive(Template)]
#[template(path = "password.html")]
struct Password {
    shell: Shell,
    must_change: bool,
    says: Option<String>,
}

async fn page(visit: Visit) -> Response {
    let Some(shown) = &visit.shown else { return Redirect::to("/login?next=/password").into_response() };
    let must_change = shown.must_change;
    visit.page(&Password { shell: visit.shell(&PAGE), must_change, says: None })
}

/// What the form sends. `Debug` is not derived: it holds passwords.
#[derive(Deserialize)]
struct Given {
    old: String,
    new: String,
    again: String,
}

async fn change(visit: Visit, State(console): State<Arc<Console>>, Form(given): Form<Given>) -> Response {
    let Some(shown) = visit.shown.clone() else {
        return Redirect::to("/login?next=/password").into_response();
    };
    let (shell, must_change) = (visit.shell(&PAGE), shown.must_change);
    let answer = if given.new == given.again {
        console.ask(move |console| console.office.change_password(&shown, &given.old, &given.new)).await
    } else {
        let says = Some(shell.t("password.differ"));
        return (StatusCode::UNPROCESSABLE_ENTITY, visit.page(&Password { shell, must_change, says }))
            .into_response();
    };
    let says = match answer {
        Ok(Ok(())) => return ([("hx-redirect", "/")], StatusCode::OK).into_response(),
        Ok(Err(LoginError::Wrong)) => shell.t("password.wrong"),
        Ok(Err(LoginError::Locked { wait })) => shell.fill("login.locked", wait.as_secs().div_ceil(60)),
        Ok(Err(LoginError::Password(_))) => shell.t("password.rule"),
        Ok(Err(error)) => error.to_string(),
        Err(unanswered) => unanswered.to_string(),
    };
    let page = Password { shell, must_change, says: Some(says) };
    (StatusCode::UNPROCESSABLE_ENTITY, visit.page(&page)).into_response()
}
