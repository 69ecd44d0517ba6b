//! Every page of the menu and every page that is not in it, visited in every role and language, as a browser would.

mod visitor;

use axum::http::StatusCode;
use plumb_console::{PageInfo, Right, pages};
use plumb_ledger::Role;
use std::collections::BTreeSet;
use visitor::{Visitor, console, shelf::JUDGES};

/// What a page may weigh with everything it loads, compressed, without pictures.
const HEAVIEST: usize = 150 * 1024;

/// Where a page is, for a part that there is.
fn address(page: &PageInfo) -> String {
    page.path
        .replace("{id}", "1")
        .replace("{recipe}", "washer")
        .replace("{rule}", "surface")
        .replace("{study}", "caps")
        .replace("{digest}", JUDGES)
}

fn roles() -> Vec<Option<Role>> {
    [None].into_iter().chain(Role::ALL.map(Some)).collect()
}

/// A page that is open to all sends whoever is not logged in elsewhere when it is about one's own account.
fn is_shown(page: &PageInfo, role: Option<Role>) -> bool {
    page.right.is_held_by(role, false) && !(page.path == "/password" && role.is_none())
}

#[tokio::test]
async fn every_page_opens_for_the_roles_that_may_see_it_and_for_no_other() {
    let console = console().await;
    for role in roles() {
        let visitor = Visitor::new(&console, role).await;
        for page in pages() {
            let answer = visitor.get(&address(&page)).await;
            let what = format!("{} as {role:?}", page.path);
            if is_shown(&page, role) {
                assert_eq!(answer.status, StatusCode::OK, "{what}");
            } else if role.is_none() {
                assert_eq!(answer.status, StatusCode::SEE_OTHER, "{what}");
                assert!(answer.header("location").starts_with("/login"), "{what}");
            } else {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
                assert!(answer.text().contains("takes the role"), "{what} says what it takes");
            }
        }
    }
}

#[tokio::test]
async fn every_page_has_a_title_its_language_and_no_key_in_place_of_a_text() {
    let console = console().await;
    let mut visitor = Visitor::new(&console, Some(Role::Admin)).await;
    for lang in ["en", "zh-CN"] {
        visitor.lang = lang;
        for page in pages() {
            let answer = visitor.get(&address(&page)).await;
            let html = answer.text();
            assert!(html.contains(&format!("<html lang=\"{lang}\"")), "{} in {lang}", page.path);
            let title =
                html.split("<title>").nth(1).and_then(|rest| rest.split(" · ").next()).unwrap_or_default();
            assert!(!title.is_empty() && title != format!("{}.title", page.name), "{}: {title:?}", page.path);
            let key = format!("{}.", page.name);
            for start in [key.as_str(), "shell.", "word.", "people."] {
                for found in html.match_indices(start) {
                    let rest = &html[found.0 + start.len()..];
                    let end: String =
                        rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                    let is_file = ["js", "css", "svg", "toml", "html", "sqlite"].contains(&end.as_str());
                    let before = html[..found.0].chars().next_back();
                    let is_word = before.is_some_and(|c| c.is_alphanumeric() || c == '/' || c == '_');
                    assert!(
                        end.is_empty() || is_file || is_word,
                        "{} in {lang} shows {start}{end}",
                        page.path
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn every_answer_keeps_a_browser_from_being_used_against_us() {
    let console = console().await;
    let visitor = Visitor::new(&console, Some(Role::Admin)).await;
    let others = ["/login", "/look", "/nothing", "/parts/0", "/api/v1/none"];
    for path in pages().iter().map(address).chain(others.map(str::to_owned)) {
        let answer = visitor.get(&path).await;
        let csp = answer.header("content-security-policy");
        if answer.status == StatusCode::NOT_FOUND && csp.is_empty() {
            continue; // the station's own answer
        }
        assert!(
            csp.contains("default-src 'self'") && csp.contains("frame-ancestors 'none'"),
            "{path}: {csp}"
        );
        assert!(!csp.contains("unsafe") && !csp.contains("http:"), "{path}: {csp}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        let html = answer.text();
        assert!(!html.contains(" style=") && !html.contains("<style"), "{path} has a style in it");
        assert!(!html.contains(" onclick=") && !html.contains("javascript:"), "{path} has a script in it");
        for script in html.split("<script").skip(1) {
            let tag = script.split('>').next().unwrap_or_default();
            assert!(
                tag.contains("src=\"/assets/") || tag.contains("application/json"),
                "{path}: <script{tag}>"
            );
        }
    }
}

#[tokio::test]
async fn no_page_weighs_more_than_150_kb_with_all_it_loads() {
    let console = console().await;
    let visitor = Visitor::new(&console, Some(Role::Admin)).await;
    for page in pages() {
        let mut weight = visitor.weight(&address(&page)).await;
        let mut to_load = assets(&visitor.get(&address(&page)).await.text(), "");
        let mut loaded = BTreeSet::new();
        while let Some(path) = to_load.pop_first() {
            if !loaded.insert(path.clone()) {
                continue;
            }
            weight += visitor.weight(&path).await;
            if path.ends_with(".js") {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                to_load.extend(assets(&visitor.get(&path).await.text(), folder));
            }
        }
        assert!(loaded.len() >= 4, "{}: {loaded:?}", page.path);
        assert!(weight <= HEAVIEST, "{} weighs {weight} B", page.path);
        println!("{} {weight} B", page.path);
    }
}

/// Addresses of assets in a page, or in a module that lies in `folder`.
fn assets(source: &str, folder: &str) -> BTreeSet<String> {
    let (start, whole) = if folder.is_empty() { ("\"/assets/", "/assets/") } else { ("from \"./", "") };
    source
        .split(start)
        .skip(1)
        .filter_map(|rest| rest.split(['"', '#']).next())
        .map(|name| if folder.is_empty() { format!("{whole}{name}") } else { format!("{folder}/{name}") })
        .collect()
}

#[tokio::test]
async fn an_open_live_view_opens_the_live_page_and_nothing_else() {
    let console = visitor::open_console().await;
    let visitor = Visitor::new(&console, None).await;
    for page in pages() {
        let answer = visitor.get(&address(&page)).await;
        let is_open = page.right == Right::Watch || page.path == "/login";
        assert_eq!(answer.status == StatusCode::OK, is_open, "{}", page.path);
    }
}
