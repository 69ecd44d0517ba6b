//! One recipe: its regions drawn on a picture, its models, rules and limits in fields; what would change, proposed, and
//! what it was before.

use super::{
    Door, Page,
    proposals::{self, Proposals, SHOWN},
};
use crate::{
    Choices, Console, Right, Trouble, WrittenRecipe,
    difference::{self, Line},
    guard::{Visit, escaped, refusal},
    recipe_form,
    shell::Shell,
};
use askama::Template;
use axum::{
    Form, Json,
    extract::{Path, State, rejection::FormRejection},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use plumb_inspection::RecipeName;
use plumb_ledger::{Change, NewProposal, Query, RecipeVersion};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "recipe",
    path: "/recipes/{recipe}",
    right: Right::See,
    group: None,
    texts: include_str!("recipe.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    let (see, judge) = (Right::See, Right::Judge);
    vec![
        Door::new("/recipes/{recipe}", see, get(page)),
        Door::new("/recipes/{recipe}/pictures/{camera}", see, get(picture)),
        Door::new("/recipes/{recipe}/versions/{n}", see, get(version)),
        Door::new("/recipes/{recipe}/propose", judge, post(propose)),
        Door::new("/recipes/{recipe}/back", judge, post(go_back)),
        Door::new("/api/v1/recipes/{recipe}/file", see, get(file)),
        Door::new("/api/v1/recipes/{recipe}/draft", judge, post(draft)),
        Door::new("/api/v1/recipes/{recipe}/proposals", judge, post(propose)),
    ]
}

/// Versions that the page lists.
const VERSIONS: usize = 50;
/// Records that are looked through for a picture.
const LOOKED_THROUGH: usize = 200;

/// What a field of a rule takes: what the page makes of it.
type Kind = &'static str;

/// A key, and what it takes.
type Key = (&'static str, Kind);

/// The keys of each kind of rule with what they take, those it cannot do without first. Fields of the page; what a key may
/// be is for the rule itself to say.
const RULES: &[(&str, &[Key], &[Key])] = &[
    ("score", &[("max", "score")], &[CLASS, REGION, MODEL, CAMERA, ZONE]),
    ("absence", &[("score_min", "score")], &[CLASS, REGION, MODEL, CAMERA, ZONE]),
    (
        "presence",
        &[("score_min", "score")],
        &[("at_least", "whole"), ("exactly", "whole"), CLASS, REGION, MODEL, CAMERA, ZONE],
    ),
    (
        "count",
        &[("score_min", "score")],
        &[("min", "whole"), ("max", "whole"), CLASS, REGION, MODEL, CAMERA, ZONE],
    ),
    (
        "pairs",
        &[("each", "class"), ("has", "class"), ("score_min", "score")],
        &[("has_score_min", "score"), ("at_least", "whole"), ("grow", "number"), REGION, MODEL, CAMERA, ZONE],
    ),
    (
        "length",
        &[("score_min", "score")],
        &[MIN_PX, MAX_PX, MIN_MM, MAX_MM, CLASS, REGION, MODEL, CAMERA, ZONE],
    ),
    (
        "area",
        &[("score_min", "score")],
        &[MIN_PX2, MAX_PX2, MIN_MM2, MAX_MM2, ("of", "of"), CLASS, REGION, MODEL, CAMERA, ZONE],
    ),
    (
        "measurement",
        &[("measure", "measure")],
        &[
            ("nominal_mm", "number"),
            ("tolerance_mm", "number"),
            MIN_MM,
            MAX_MM,
            MIN_MM2,
            MAX_MM2,
            ("min_deg", "number"),
            ("max_deg", "number"),
            MIN_PX,
            MAX_PX,
            MIN_PX2,
            MAX_PX2,
            ("in_doubt", "in_doubt"),
        ],
    ),
];
const CLASS: Key = ("class", "class");
const REGION: Key = ("region", "region");
const MODEL: Key = ("model", "model");
const CAMERA: Key = ("camera", "camera");
const ZONE: Key = ("zone_px", "zone");
const MIN_PX: Key = ("min_px", "number");
const MAX_PX: Key = ("max_px", "number");
const MIN_MM: Key = ("min_mm", "number");
const MAX_MM: Key = ("max_mm", "number");
const MIN_PX2: Key = ("min_px2", "number");
const MAX_PX2: Key = ("max_px2", "number");
const MIN_MM2: Key = ("min_mm2", "number");
const MAX_MM2: Key = ("max_mm2", "number");

/// Where a recipe's page is.
pub(super) fn address(recipe: &str) -> String {
    format!("/recipes/{}", escaped(recipe).replace('/', "%2F"))
}

/// SHA-256 of a recipe's text, in hex.
pub(super) fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Template)]
#[template(path = "recipe.html")]
struct Recipe {
    shell: Shell,
    recipe: WrittenRecipe,
    name: RecipeName,
    address: String,
    /// Everything that the page's module needs.
    given: String,
    /// From what runs to what is on disk.
    since: Vec<Line>,
    list: Proposals,
    versions: Vec<RecipeVersion>,
    may: bool,
}

struct Found {
    recipe: WrittenRecipe,
    choices: Choices,
    proposals: Vec<plumb_ledger::Proposal>,
    versions: Vec<RecipeVersion>,
}

async fn page(visit: Visit, State(console): State<Arc<Console>>, Path(name): Path<String>) -> Response {
    let wanted = name.clone();
    let asked = console
        .ask(move |console| {
            let recipe =
                console.written_one(&wanted).map_err(|refused| (StatusCode::NOT_FOUND, refused.0))?;
            let told = |error: &dyn std::fmt::Display| (StatusCode::SERVICE_UNAVAILABLE, error.to_string());
            let proposals =
                console.proposals.list(Some((&wanted, "")), SHOWN).map_err(|error| told(&error))?;
            let versions =
                console.versions.list(&RecipeName::from(&*wanted), VERSIONS).map_err(|error| told(&error))?;
            Ok(Found { recipe, choices: console.seen.rules.choices(), proposals, versions })
        })
        .await;
    let Found { recipe, choices, proposals, versions } = match asked {
        Ok(Ok(found)) => found,
        Ok(Err((status, says))) => return refusal(&visit, status, &says),
        Err(unanswered) => {
            return refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string());
        }
    };
    let (shell, address) = (visit.shell(&PAGE), address(&name));
    let may = visit.may(Right::Judge) && visit.shown.is_some();
    let document: toml::Table = recipe.text.parse().unwrap_or_default();
    let measures = document.get("measure").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
    let measures: Vec<&str> =
        measures.iter().filter_map(|measure| measure.get("name").and_then(toml::Value::as_str)).collect();
    let given = json!({
        "address": address,
        "digest": recipe.digest,
        // A file that is no TOML has a name only by chance: its fields are empty then, and its problems say why.
        "fields": recipe_form::fields(&recipe.text).unwrap_or_default(),
        "choices": choices,
        "measures": measures,
        "rules": RULES.iter().map(|(kind, must, may)| json!({ "kind": kind, "must": must, "may": may })).collect::<Vec<_>>(),
        "troubles": recipe.troubles,
        "follows_part": document.contains_key("align"),
        "may": may,
        "texts": texts(&shell),
    })
    .to_string();
    let since =
        recipe.runs.as_ref().map(|running| difference::lines(running, &recipe.text)).unwrap_or_default();
    let list = Proposals::new(&visit, proposals, Some((name.clone(), String::new())));
    let name = RecipeName::from(&*name);
    visit.page(&Recipe { shell, recipe, name, address, given, since, list, versions, may })
}

/// What the page's module says.
fn texts(shell: &Shell) -> Value {
    let mut texts = json!({
        "add_model": shell.t("recipe.add_model"),
        "add_region": shell.t("recipe.add_region"),
        "add_rule": shell.t("recipe.add_rule"),
        "remove": shell.t("recipe.remove"),
        "more": shell.t("recipe.more"),
        "any": shell.t("recipe.any"),
        "by_default": shell.t("recipe.by_default"),
        "whole_frame": shell.t("recipe.whole_frame"),
        "new_region": shell.t("recipe.new_region"),
        "new_rule": shell.t("recipe.new_rule"),
        "no_picture": shell.t("recipe.no_picture"),
        "unreadable": shell.t("recipe.unreadable"),
        "size": shell.t("recipe.size"),
        "unchanged": shell.t("recipe.unchanged"),
        "changed": shell.t("recipe.changed"),
        "troubled": shell.t("recipe.troubled"),
        "conflict": shell.t("recipe.conflict"),
        "lost": shell.t("recipe.lost"),
        "region": shell.t("recipe.region"),
        "labels": shell.t("recipe.labels"),
    });
    let keys = RULES.iter().flat_map(|(_, must, may)| must.iter().chain(*may)).map(|(key, _)| *key);
    for key in keys.chain(["name", "number", "deadline_ms", "kind", "card", "device", "x", "y", "w", "h"]) {
        texts[format!("key_{key}")] = shell.t_of("recipe.key_", key).into();
    }
    for (kind, ..) in RULES {
        texts[format!("kind_{kind}")] = shell.t_of("recipe.kind_", kind).into();
    }
    texts
}

/// `GET /recipes/{recipe}/pictures/{camera}`: the newest kept picture of a part of this recipe, by that camera.
async fn picture(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path((recipe, camera)): Path<(String, String)>,
) -> Response {
    let found = console
        .ask(move |console| {
            let query = Query { limit: Some(LOOKED_THROUGH), ..Query::default() };
            let records = console.reader.find(&query)?;
            let of_camera = |record: &plumb_ledger::Record| {
                let is_it = |picture: &plumb_ledger::Picture| {
                    picture.camera.as_str() == camera && picture.kind == "frame"
                };
                let n = record.pictures.iter().position(is_it)?;
                let at = record.triggered_at.as_microsecond();
                Some(format!("/parts/{}/pictures/{at}/{n}", record.part_id))
            };
            let mut ours = records.iter().filter(|record| record.recipe.as_str() == recipe);
            // Another recipe's picture shows the same place, with another product in it.
            let found = ours.find_map(of_camera).or_else(|| records.iter().find_map(of_camera));
            Ok::<_, plumb_ledger::LedgerError>(found)
        })
        .await;
    match found {
        Ok(Ok(Some(address))) => Redirect::to(&address).into_response(),
        Ok(Ok(None) | Err(plumb_ledger::LedgerError::Absent { .. })) => {
            refusal(&visit, StatusCode::NOT_FOUND, "no picture of this camera is kept")
        }
        Ok(Err(error)) => refusal(&visit, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

/// `GET /api/v1/recipes/{recipe}/file`: schema `plumb.recipe_file/1`.
async fn file(visit: Visit, State(console): State<Arc<Console>>, Path(name): Path<String>) -> Response {
    match console.ask(move |console| console.written_one(&name)).await {
        Ok(Ok(recipe)) => Json(json!({
            "schema": "plumb.recipe_file/1",
            "recipe": recipe.name,
            "file": recipe.file,
            "digest": recipe.digest,
            "text": recipe.text,
            "problems": recipe.troubles,
            "runs": recipe.runs.is_some(),
            "is_what_runs": recipe.runs.map(|running| running == recipe.text),
        }))
        .into_response(),
        Ok(Err(refused)) => refusal(&visit, StatusCode::NOT_FOUND, &refused.0),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

/// What a page or a program sends: fields, or the whole text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    /// Of the file that was seen; what is not about that file is refused.
    digest: String,
    /// As [`recipe_form::fields`] gives them, in JSON.
    fields: String,
    /// Instead of `fields`.
    text: String,
    /// For a proposal.
    reason: String,
}

/// The file that is there, and what it would be.
struct Draft {
    recipe: WrittenRecipe,
    text: String,
    lines: Vec<Line>,
    troubles: Vec<Trouble>,
}

/// Why there is no draft.
enum NoDraft {
    /// The file is another by now; from what was seen to what is there.
    Changed { says: String, lines: Vec<Line> },
    /// Something else.
    Other(StatusCode, String),
}

impl NoDraft {
    fn told(self) -> (StatusCode, String) {
        match self {
            Self::Changed { says, .. } => (StatusCode::CONFLICT, says),
            Self::Other(status, says) => (status, says),
        }
    }
}

/// The text that is wished for, held against the file as it is now and checked as at the start of the station.
fn drafted(console: &Console, recipe: &str, wish: &Wish) -> Result<Draft, NoDraft> {
    let wrong = |says: String| NoDraft::Other(StatusCode::UNPROCESSABLE_ENTITY, says);
    let written =
        console.written_one(recipe).map_err(|refused| NoDraft::Other(StatusCode::NOT_FOUND, refused.0))?;
    let name = RecipeName::from(recipe);
    if wish.digest != written.digest {
        let base = console.versions.with_digest(&name, &wish.digest).ok().flatten();
        let lines = base.map(|base| difference::lines(&base.text, &written.text)).unwrap_or_default();
        let what =
            if lines.is_empty() { String::new() } else { format!(" ({})", difference::in_short(&lines)) };
        let says =
            format!("{} has changed since it was read{what}; nothing was kept. Reload it", written.file);
        return Err(NoDraft::Changed { says, lines });
    }
    let text = if wish.text.is_empty() {
        let fields: Value = serde_json::from_str(&wish.fields)
            .map_err(|error| wrong(format!("`fields` is no JSON: {error}")))?;
        recipe_form::written(&written.text, &fields).map_err(wrong)?
    } else {
        wish.text.clone()
    };
    let lines = difference::lines(&written.text, &text);
    let troubles = console.seen.rules.troubles(&name, &text).map_err(|refused| wrong(refused.0))?;
    Ok(Draft { recipe: written, text, lines, troubles })
}

/// `POST /api/v1/recipes/{recipe}/draft`: schema `plumb.recipe_draft/1`. Nothing is written or kept.
async fn draft(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path(recipe): Path<String>,
    wish: Result<Form<Wish>, FormRejection>,
) -> Response {
    let wish = match wish {
        Ok(Form(wish)) => wish,
        Err(error) => return refusal(&visit, StatusCode::UNPROCESSABLE_ENTITY, &error.body_text()),
    };
    match console.ask(move |console| drafted(console, &recipe, &wish)).await {
        Ok(Ok(Draft { text, lines, troubles, .. })) => Json(json!({
            "schema": "plumb.recipe_draft/1", "text": text, "lines": lines, "problems": troubles,
        }))
        .into_response(),
        Ok(Err(NoDraft::Changed { says, lines })) => {
            let told = json!({ "schema": "plumb.error/1", "error": says, "lines": lines });
            (StatusCode::CONFLICT, Json(told)).into_response()
        }
        Ok(Err(NoDraft::Other(status, says))) => refusal(&visit, status, &says),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

/// Keeps a proposal of the whole text. A page gets the list as it then is, a program `plumb.proposal/1`.
async fn propose(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path(recipe): Path<String>,
    wish: Result<Form<Wish>, FormRejection>,
) -> Response {
    let asked = recipe.clone();
    let text = move |console: &Console, wish: &Wish| drafted(console, &asked, wish);
    proposed(visit, console, recipe, wish, text).await
}

/// To which version.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Back {
    n: u64,
    digest: String,
    reason: String,
}

/// Proposes an earlier version anew: the way back is a change like another.
async fn go_back(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path(recipe): Path<String>,
    back: Result<Form<Back>, FormRejection>,
) -> Response {
    let n = back.as_ref().map_or(0, |Form(back)| back.n);
    let wish =
        back.map(|Form(back)| Form(Wish { digest: back.digest, reason: back.reason, ..Wish::default() }));
    let asked = recipe.clone();
    let text = move |console: &Console, wish: &Wish| {
        let wrong = |status, says: String| NoDraft::Other(status, says);
        let version = console
            .versions
            .get(&RecipeName::from(&*asked), n)
            .map_err(|error| wrong(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
        let version = version.ok_or_else(|| {
            wrong(StatusCode::NOT_FOUND, format!("recipe \"{asked}\" has no version {n} to go back to"))
        })?;
        let wish = Wish { text: version.text, digest: wish.digest.clone(), ..Wish::default() };
        drafted(console, &asked, &wish)
    };
    proposed(visit, console, recipe, wish, text).await
}

async fn proposed(
    visit: Visit,
    console: Arc<Console>,
    recipe: String,
    wish: Result<Form<Wish>, FormRejection>,
    draft: impl FnOnce(&Console, &Wish) -> Result<Draft, NoDraft> + Send + 'static,
) -> Response {
    let Some(who) = visit.who().cloned() else { return StatusCode::UNAUTHORIZED.into_response() };
    let of = Some((recipe, String::new()));
    let wish = match wish {
        Ok(Form(wish)) => wish,
        Err(error) => {
            let told = (StatusCode::UNPROCESSABLE_ENTITY, error.body_text());
            return proposals::answer(&visit, &console, told, of, None).await;
        }
    };
    let done = console
        .ask(move |console| {
            let wrong = |says: String| (StatusCode::UNPROCESSABLE_ENTITY, says);
            let Draft { recipe, text, lines, troubles } = draft(console, &wish).map_err(NoDraft::told)?;
            let name = recipe.name.ok_or_else(|| wrong("the recipe has no name".to_owned()))?;
            if !troubles.is_empty() {
                let all: Vec<String> =
                    troubles.iter().map(|t| format!("{}:{} {}", t.line, t.column, t.says)).collect();
                return Err(wrong(format!("it would not do: {}", all.join("; "))));
            }
            if lines.is_empty() {
                return Err(wrong(format!("{} says that already", recipe.file)));
            }
            let new = NewProposal {
                recipe: name,
                change: Change::Recipe { text },
                file_digest: recipe.digest,
                reason: wish.reason,
                numbers: json!({ "lines": lines }),
            };
            let n = console.proposals.propose(&new, &who.name).map_err(|error| wrong(error.to_string()))?;
            let told = |error: &dyn std::fmt::Display| (StatusCode::SERVICE_UNAVAILABLE, error.to_string());
            let proposal = console.proposals.get(n).map_err(|error| told(&error))?;
            let entry = proposals::entry(&who, "proposed", &proposal, &proposal.reason);
            console.office.enter(entry).map_err(|error| told(&error))?;
            Ok((n, format!("proposal {n} waits for a second person")))
        })
        .await;
    match done {
        Ok(Ok((n, says))) => proposals::answer(&visit, &console, (StatusCode::OK, says), of, Some(n)).await,
        Ok(Err(told)) => proposals::answer(&visit, &console, told, of, None).await,
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

#[derive(Template)]
#[template(path = "recipe_version.html")]
struct Compared {
    shell: Shell,
    address: String,
    version: RecipeVersion,
    digest: String,
    lines: Vec<Line>,
    may: bool,
}

/// `GET /recipes/{recipe}/versions/{n}`: from the file to that version, and the way back to it.
async fn version(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path((recipe, n)): Path<(String, String)>,
) -> Response {
    let Ok(n) = n.parse::<u64>() else {
        return refusal(&visit, StatusCode::BAD_REQUEST, &format!("a version has a number, not {n:?}"));
    };
    let address = address(&recipe);
    let asked = console
        .ask(move |console| {
            let written =
                console.written_one(&recipe).map_err(|refused| (StatusCode::NOT_FOUND, refused.0))?;
            let version = console.versions.get(&RecipeName::from(&*recipe), n);
            let version = version.map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
            let version = version
                .ok_or_else(|| (StatusCode::NOT_FOUND, format!("recipe \"{recipe}\" has no version {n}")))?;
            Ok((written, version))
        })
        .await;
    match asked {
        Ok(Ok((written, version))) => {
            let lines = difference::lines(&written.text, &version.text);
            let may = visit.may(Right::Judge) && visit.shown.is_some();
            let shell = visit.shell(&PAGE);
            visit.page(&Compared { shell, address, version, digest: written.digest, lines, may })
        }
        Ok(Err((status, says))) => refusal(&visit, status, &says),
        Err(unanswered) => refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_verdict::RuleConfig;
    use std::{collections::BTreeSet, fs, path::Path as File};

    #[test]
    fn every_kind_of_rule_has_its_fields_and_each_of_them_is_a_key_of_that_rule() {
        let kinds: BTreeSet<&str> = RULES.iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(kinds, RuleConfig::KINDS.into_iter().collect());
        for (kind, must, may) in RULES {
            for (key, _) in must.iter().chain(*may) {
                let text = format!("kind = \"{kind}\"\nname = \"r\"\n{key} = {{ no = \"such value\" }}\n");
                let says = toml::from_str::<RuleConfig>(&text).expect_err("no such value").to_string();
                assert!(!says.contains("unknown field"), "{kind} has no {key}: {says}");
            }
        }
    }

    #[test]
    fn every_key_of_the_examples_rules_has_a_field() {
        let examples = File::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples/rule");
        let mut seen = 0;
        for entry in fs::read_dir(examples).expect("readable").flatten() {
            let text = fs::read_to_string(entry.path()).expect("UTF-8");
            let document: toml::Table = text.parse().expect("TOML");
            for rule in document["rule"].as_array().expect("rules") {
                let rule = rule.as_table().expect("a table");
                let fields =
                    RULES.iter().find(|(kind, ..)| rule["kind"].as_str() == Some(kind)).expect("a kind");
                for key in rule.keys().filter(|key| !["kind", "name"].contains(&key.as_str())) {
                    let mut keys = fields.1.iter().chain(fields.2).map(|(key, _)| *key);
                    assert!(keys.any(|known| known == key), "{}: {key}", entry.path().display());
                    seen += 1;
                }
            }
        }
        assert!(seen > 10, "{seen}");
    }
}
