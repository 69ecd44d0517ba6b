//! How a person likes the console: language and theme, kept in two cookies of the browser.

use crate::text::Lang;
use axum::{
    extract::Query,
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
};
use cookie::{Cookie, SameSite, time::Duration};
use serde::Deserialize;

/// Colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// For a hall with little light, and the one that shows pictures best.
    #[default]
    Dark,
    /// For an office.
    Light,
    /// Black, white and pure colours.
    Contrast,
}

impl Theme {
    /// Every theme, in the order of the menu.
    pub(crate) const ALL: [Self; 3] = [Self::Dark, Self::Light, Self::Contrast];

    /// As in the cookie and the attribute `data-theme`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Contrast => "contrast",
        }
    }
}

/// Language and theme.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    pub(crate) lang: Lang,
    pub(crate) theme: Theme,
}

impl Look {
    /// From the cookies; the language else from what the browser says its user reads.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let lang = cookie(headers, "plumb_lang").and_then(|word| Lang::read(&word));
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let lang = lang.or_else(|| accepted.and_then(Lang::read)).unwrap_or_default();
        let theme = cookie(headers, "plumb_theme");
        let theme = Theme::ALL.into_iter().find(|known| theme.as_deref() == Some(known.as_str()));
        Self { lang, theme: theme.unwrap_or_default() }
    }
}

/// The value of a cookie, if the browser sent one.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let sent = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut cookies = sent.flat_map(|line| Cookie::split_parse(line.to_owned()).filter_map(Result::ok));
    cookies.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

/// What `/look` can be asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Wish {
    lang: Option<String>,
    theme: Option<String>,
    #[serde(default)]
    back: String,
}

/// `GET /look?lang=zh-CN&theme=light&back=/parts`: sets the cookies and goes back. Works without a script and without
/// a login.
pub(crate) async fn set(Query(wish): Query<Wish>) -> Response {
    let lang = wish.lang.as_deref().and_then(Lang::read).map(|lang| ("plumb_lang", lang.tag()));
    let theme = Theme::ALL.into_iter().find(|theme| wish.theme.as_deref() == Some(theme.as_str()));
    let theme = theme.map(|theme| ("plumb_theme", theme.as_str()));
    let mut response = Redirect::to(local(&wish.back)).into_response();
    for (name, value) in lang.into_iter().chain(theme) {
        let kept =
            Cookie::build((name, value)).path("/").same_site(SameSite::Lax).max_age(Duration::days(365));
        if let Ok(value) = kept.to_string().parse() {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

/// An address of this console, or its front page: nobody is sent elsewhere.
pub(crate) fn local(address: &str) -> &str {
    let goes_elsewhere =
        address.starts_with("//") || address.contains(['\\', '\r', '\n']) || !address.is_ascii();
    if address.starts_with('/') && !goes_elsewhere { address } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for bad in
            ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/a\r\nSet-Cookie: x"]
        {
            assert_eq!(local(bad), "/", "{bad:?}");
        }
        assert_eq!(local("/parts?serial=a%20b"), "/parts?serial=a%20b");
    }

    #[test]
    fn a_cookie_outweighs_what_the_browser_says() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, "zh-CN".parse().expect("a value"));
        assert_eq!(Look::of(&headers).lang, Lang::Zh);
        headers.insert(header::COOKIE, "a=b; plumb_lang=en; plumb_theme=contrast".parse().expect("a value"));
        let look = Look::of(&headers);
        assert_eq!((look.lang, look.theme), (Lang::En, Theme::Contrast));
    }
}
