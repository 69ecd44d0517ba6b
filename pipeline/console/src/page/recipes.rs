//! Recipes: what is on disk, what runs, and the change from one to another.

use super::{Door, Group, Page, Said, recipe};
use crate::{
    Command, Console, Right, WrittenRecipe,
    guard::{Visit, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    Form,
    extract::{Path, State, rejection::FormRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use plumb_ledger::NewAuditEntry;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

pub(crate) static PAGE: Page = Page {
    name: "recipes",
    path: "/recipes",
    right: Right::See,
    group: Some(Group::Judge),
    texts: include_str!("recipes.toml"),
    doors,
};

fn doors() -> Vec<Door> {
    vec![
        Door::new("/recipes", Right::See, get(page)),
        Door::new("/recipes/{recipe}/run", Right::Operate, post(run)),
    ]
}

#[derive(Template)]
#[template(path = "recipes.html")]
struct Recipes {
    shell: Shell,
    recipes: Vec<WrittenRecipe>,
    says: String,
    /// Whether they may change over.
    may: bool,
    /// Whether they may put what is on disk in the place of what runs.
    may_load: bool,
}

impl Recipes {
    fn address(&self, name: &plumb_inspection::RecipeName) -> String {
        recipe::address(name.as_str())
    }

    /// The file was changed since what runs was read from it.
    fn differs(&self, recipe: &WrittenRecipe) -> bool {
        recipe.runs.as_ref().is_some_and(|running| *running != recipe.text)
    }
}

async fn page(visit: Visit, State(console): State<Arc<Console>>) -> Response {
    let shell = visit.shell(&PAGE);
    let (recipes, says) = match console.ask(|console| console.written("", "")).await {
        Ok(Ok(recipes)) => (recipes, String::new()),
        Ok(Err(refused)) => (vec![], refused.0),
        Err(unanswered) => {
            return refusal(&visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string());
        }
    };
    let is_person = visit.shown.is_some();
    let (may, may_load) = (is_person && visit.may(Right::Operate), is_person && visit.may(Right::Judge));
    visit.page(&Recipes { shell, recipes, says, may, may_load })
}

/// What was begun; the list renews itself a moment later.
#[derive(Template)]
#[template(path = "recipes_changed.html")]
struct Changed {
    says: String,
    good: bool,
}

#[derive(Deserialize)]
struct Wish {
    reason: String,
}

/// Changes over to a recipe as it is on disk. To load the running one anew, and with it whatever was written into its file
/// by hand, takes whoever answers for what is judged.
async fn run(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path(recipe): Path<String>,
    wish: Result<Form<Wish>, FormRejection>,
) -> Response {
    let Some(who) = visit.who().cloned() else { return StatusCode::UNAUTHORIZED.into_response() };
    let refuse = |says: &str| (StatusCode::CONFLICT, visit.page(&Said { says, good: false })).into_response();
    let reason = match wish {
        Ok(Form(wish)) if !wish.reason.trim().is_empty() => wish.reason.trim().to_owned(),
        Ok(_) => return refuse("say why: a changeover without a reason cannot be followed later"),
        Err(error) => return refuse(&error.body_text()),
    };
    let running = console.snapshot().recipe.clone();
    if running.name.as_str() == recipe && !visit.may(Right::Judge) {
        let says = format!("recipe \"{recipe}\" runs; to load its file anew takes the role quality");
        return refusal(&visit, StatusCode::FORBIDDEN, &says);
    }
    let wanted = recipe.clone();
    let written = match console.ask(move |console| console.written_one(&wanted)).await {
        Ok(Ok(written)) => written,
        Ok(Err(refused)) => return refuse(&refused.0),
        Err(unanswered) => return refuse(&unanswered.to_string()),
    };
    let entry = NewAuditEntry {
        old: Some(json!({ "recipe": running.name, "digest": running.digest })),
        new: Some(json!({ "recipe": recipe, "file": written.digest })),
        reason,
        ..who.entry("load_recipe", &recipe)
    };
    match console.change(&who, entry, Command::LoadRecipe { recipe }).await {
        Ok(done) => visit.page(&Changed { says: done.says, good: true }),
        Err(refused) => refuse(&refused.0),
    }
}
