//! At the door of every request: who is it, may they, does a change come from one of our own pages; and on every answer
//! the headers that keep a browser from being used against us.

use crate::{
    Console, Right, Who,
    look::{Look, cookie, local},
    people::{Secret, Shown},
    shell,
};
use axum::{
    Json,
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use serde_json::json;
use std::{net::SocketAddr, sync::Arc};

/// The session's cookie.
pub(crate) const SESSION: &str = "plumb_session";
/// The header by which a page proves that a change comes from it.
pub(crate) const PAGE_TOKEN: &str = "x-plumb-token";

/// Scripts, styles, pictures and sockets from here alone, nothing inline, and nobody frames us.
const CSP: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Whoever asks, as every handler may have it.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) console: Arc<Console>,
    pub(crate) look: Look,
    /// A person with a session.
    pub(crate) shown: Option<Shown>,
    /// Path and query, to come back to.
    pub(crate) address: String,
    /// Of the browser, for the audit log.
    pub(crate) from: String,
    /// A program with a token.
    program: Option<Who>,
    /// htmx asks for a piece of a page.
    in_place: bool,
}

impl Visit {
    /// Who it is; `None` without login and token.
    pub(crate) fn who(&self) -> Option<&Who> {
        self.shown.as_ref().map(|shown| &shown.who).or(self.program.as_ref())
    }

    /// Whether they have this right.
    pub(crate) fn may(&self, right: Right) -> bool {
        right.is_held_by(self.who().map(|who| who.role), self.console.config.open_live_view)
    }

    fn is_api(&self) -> bool {
        self.address.starts_with("/api/")
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let visit = parts.extensions.get::<Self>().cloned();
        visit.ok_or_else(|| {
            (StatusCode::INTERNAL_SERVER_ERROR, "a page is served past its guard").into_response()
        })
    }
}

/// Finds out who asks, and turns away changes that come from elsewhere.
pub(crate) async fn enter(State(console): State<Arc<Console>>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let by_proxy = peer.is_some_and(|peer| console.config.proxies.contains(&peer.to_canonical()));
    let forwarded = headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
    let client = forwarded
        .filter(|_| by_proxy)
        .and_then(|all| all.rsplit(',').next())
        .map(|one| one.trim().to_owned());
    let from = client.or_else(|| peer.map(|peer| peer.to_string())).unwrap_or_default();

    let address = request.uri().path_and_query().map_or("/", |address| address.as_str()).to_owned();
    let by_itself = address.starts_with("/shell/") || address.starts_with("/live/");
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let program = bearer.and_then(Secret::read).and_then(|secret| console.office.program(&secret, &from));
    let mut secret = cookie(headers, SESSION).and_then(|word| Secret::read(&word));
    let mut shown = secret.as_ref().and_then(|secret| console.office.recognise(secret, &from, by_itself));
    let mut fresh = None;
    if shown.is_none()
        && by_proxy
        && let Some(name) =
            headers.get(&console.config.proxy_user_header).and_then(|value| value.to_str().ok())
    {
        let (name, from) = (name.to_owned(), from.clone());
        if let Ok(Ok(new)) = console.ask(move |console| console.office.login_by_proxy(&name, &from)).await {
            shown = console.office.recognise(&new, "", true);
            fresh = Some(new.clone());
            secret = Some(new);
        }
    }
    drop(secret);
    if let Some((shown, true)) = &shown {
        let (console, digest) = (console.clone(), shown.digest.clone());
        tokio::spawn(async move { console.ask(move |console| console.office.keep_used(&digest)).await });
    }
    let fresh = fresh.and_then(|secret| session_cookie(&console, &secret).parse().ok());
    let headers = request.headers();
    let visit = Visit {
        look: Look::of(headers),
        shown: shown.map(|(shown, _)| shown),
        address,
        from,
        program,
        in_place: headers.contains_key("hx-request"),
        console,
    };
    if let Some(refusal) = forged(&visit, request.method(), headers) {
        return refusal;
    }
    request.extensions_mut().insert(visit);
    let mut response = next.run(request).await;
    if let Some(cookie) = fresh {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// `Set-Cookie` of a new session. The browser keeps it until it is closed, sends it to us alone, over TLS alone where there
/// is TLS, and shows no script.
pub(crate) fn session_cookie(console: &Console, secret: &Secret) -> String {
    let secure = if console.config.tls.is_some() { "; Secure" } else { "" };
    format!("{SESSION}={}; Path=/; HttpOnly; SameSite=Strict{secure}", secret.reveal())
}

/// `Set-Cookie` that takes it back.
pub(crate) const NO_SESSION: &str = "plumb_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0";

/// A change must come from a page of ours: by what the browser says of where it comes from, and by the session's own
/// token in a header. A program with a token has no browser that could be used against it.
fn forged(visit: &Visit, method: &Method, headers: &HeaderMap) -> Option<Response> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let elsewhere = match (text("sec-fetch-site"), text("origin"), text("host")) {
        (Some(site), ..) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin), Some(host)) => origin.split_once("://").is_none_or(|(_, origin)| origin != host),
        _ => false,
    };
    let token_is_wrong = |shown: &Shown| text(PAGE_TOKEN) != Some(shown.page_token.as_str());
    let lacks_token = visit.program.is_none() && visit.shown.as_ref().is_some_and(token_is_wrong);
    // The login comes before there is a token.
    let is_login = visit.address == "/login";
    (elsewhere || (lacks_token && !is_login)).then(|| {
        refusal(
            visit,
            StatusCode::FORBIDDEN,
            "this change did not come from a page of this console; reload the page",
        )
    })
}

/// Lets through whoever has the right.
pub(crate) async fn check(right: Right, request: Request, next: Next) -> Response {
    let Some(visit) = request.extensions().get::<Visit>() else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "a page is served past its guard").into_response();
    };
    // An open live view stays what it is for somebody who has still to choose a password.
    let must_change = visit.shown.as_ref().is_some_and(|shown| shown.must_change);
    if must_change && right != Right::Open {
        return sent_to(visit, "/password");
    }
    if visit.may(right) {
        return next.run(request).await;
    }
    if visit.who().is_some() {
        return refusal(visit, StatusCode::FORBIDDEN, &needs(right));
    }
    if visit.is_api() {
        return refusal(
            visit,
            StatusCode::UNAUTHORIZED,
            "log in, or send a token as `Authorization: Bearer …`",
        );
    }
    let login = format!("/login?next={}", escaped(local(&visit.address)));
    sent_to(visit, &login)
}

fn needs(right: Right) -> String {
    let role = right.role().map_or("nobody", plumb_ledger::Role::as_str);
    format!("this takes the role {role}; ask whoever administers the station")
}

fn sent_to(visit: &Visit, address: &str) -> Response {
    if visit.is_api() {
        return refusal(visit, StatusCode::FORBIDDEN, "change your password first, at /password");
    }
    if visit.in_place {
        // htmx follows this with the whole page instead of putting a login into a corner of one.
        return ([("hx-redirect", address)], StatusCode::OK).into_response();
    }
    Redirect::to(address).into_response()
}

/// An error as whoever asked can read it: JSON, a sentence for a corner of a page, or a page.
pub(crate) fn refusal(visit: &Visit, status: StatusCode, says: &str) -> Response {
    if visit.is_api() {
        return (status, Json(json!({ "schema": "plumb.error/1", "error": says }))).into_response();
    }
    shell::refused(visit, status, says, visit.in_place)
}

/// For a value in a query.
pub(crate) fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => out.push(char::from(byte)),
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}

/// The headers on every answer.
pub(crate) async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
