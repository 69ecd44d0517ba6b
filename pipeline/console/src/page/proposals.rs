//! Proposals: what one person wants changed and a second decides on. A list that several pages show, and its buttons.

use super::Door;
use crate::{
    Console, NewText, NewThreshold, Right, Set, Who,
    counting::as_written,
    guard::{Visit, refusal},
    shell::Shell,
};
use askama::Template;
use axum::{
    Form, Json,
    extract::{Path, State, rejection::FormRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use plumb_ledger::{Change, NewAuditEntry, Proposal, ProposalState};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Proposals that a list shows.
pub(super) const SHOWN: usize = 30;

pub(super) fn doors() -> Vec<Door> {
    vec![
        Door::new("/tune/proposals/{n}/{decision}", Right::Judge, post(decide)),
        Door::new("/api/v1/proposals/{n}/{decision}", Right::Judge, post(decide)),
    ]
}

/// The list, with what came of the last button.
#[derive(Template)]
#[template(path = "proposals.html")]
pub(super) struct Proposals {
    pub(super) shell: Shell,
    pub(super) proposals: Vec<Proposal>,
    /// Of one rule, of one whole recipe (no rule), or all there are.
    pub(super) of: Option<(String, String)>,
    pub(super) who: String,
    pub(super) may: bool,
    /// What was done, or why not.
    pub(super) says: String,
    pub(super) good: bool,
}

impl Proposals {
    /// With nothing said yet.
    pub(super) fn new(visit: &Visit, proposals: Vec<Proposal>, of: Option<(String, String)>) -> Self {
        let who = visit.who().map(|who| who.name.clone()).unwrap_or_default();
        let shell = visit.shell(&super::tune::PAGE);
        let may = visit.may(Right::Judge) && visit.shown.is_some();
        Self { shell, proposals, of, who, may, says: String::new(), good: true }
    }

    fn is_own(&self, proposal: &Proposal) -> bool {
        proposal.by.to_lowercase() == self.who.to_lowercase()
    }

    fn address(&self, proposal: &Proposal) -> String {
        match &proposal.change {
            Change::Threshold { rule, .. } => super::tuning::address(proposal.recipe.as_str(), rule),
            Change::Recipe { .. } => super::recipe::address(proposal.recipe.as_str()),
        }
    }

    /// Where the whole recipe is whose list this is.
    fn whole_recipe(&self) -> Option<String> {
        self.of.as_ref().filter(|(_, rule)| rule.is_empty()).map(|(recipe, _)| super::recipe::address(recipe))
    }

    /// Side and text of each line that the station found changed when it was proposed.
    fn lines(&self, proposal: &Proposal) -> Vec<(String, String)> {
        let lines = proposal.numbers.get("lines").and_then(Value::as_array);
        let text = |line: &Value, key| line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        lines.into_iter().flatten().map(|line| (text(line, "side"), text(line, "text"))).collect()
    }

    fn is_open(&self, proposal: &Proposal) -> bool {
        proposal.state == ProposalState::Open
    }

    /// `0 of 59 (≤ 4.95 %)`, before and after, on the pieces that prove it.
    fn share(&self, proposal: &Proposal, path: &str) -> String {
        let share = proposal.numbers.pointer(path);
        let number = |key| share.and_then(|share| share.get(key)).and_then(Value::as_u64);
        let bound = share.and_then(|share| share.get("at_most")).and_then(Value::as_f64);
        match (number("events"), number("of"), bound) {
            (Some(events), Some(of), Some(bound)) => self
                .shell
                .t("tune.share")
                .replace("{n}", &events.to_string())
                .replace("{of}", &of.to_string())
                .replace("{bound}", &percent(bound)),
            _ => self.shell.t("tune.nobody_said"),
        }
    }
}

/// Three digits that mean something.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = if percent >= 1.0 { 2 } else { (2.0 - percent.max(1e-12).log10().floor()) as usize };
    format!("{percent:.digits$} %")
}

/// What the buttons send; each uses its part. `Debug` is not derived: it holds a password.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Given {
    reason: String,
    /// A signature's.
    password: String,
    /// Whose list is shown afterwards: a rule's, or all.
    recipe: String,
    rule: String,
}

/// `withdraw`, `refuse` or `approve`. A page gets the list as it then is, a program `plumb.proposal/1`.
async fn decide(
    visit: Visit,
    State(console): State<Arc<Console>>,
    Path((n, decision)): Path<(String, String)>,
    given: Result<Form<Given>, FormRejection>,
) -> Response {
    let Some(who) = visit.who().cloned() else { return StatusCode::UNAUTHORIZED.into_response() };
    let given = match given {
        Ok(Form(given)) => given,
        // To withdraw something nothing needs to be said.
        Err(FormRejection::InvalidFormContentType(_)) => Given::default(),
        Err(error) => return refusal(&visit, StatusCode::UNPROCESSABLE_ENTITY, &error.body_text()),
    };
    let Ok(n) = n.parse::<u64>() else {
        return refusal(&visit, StatusCode::BAD_REQUEST, &format!("a proposal has a number, not {n:?}"));
    };
    let of = Some((given.recipe, given.rule)).filter(|(recipe, _)| !recipe.is_empty());
    let reason = given.reason;
    let is_person = visit.shown.is_some();
    let done = match decision.as_str() {
        "withdraw" => console.do_apart(move |console| withdraw(console, &who, n, &reason)).await,
        "refuse" => console.do_apart(move |console| refuse(console, &who, n, &reason)).await,
        "approve" if !is_person => {
            return refusal(&visit, StatusCode::FORBIDDEN, "a signature is a person's; a token cannot sign");
        }
        "approve" => {
            let password = given.password;
            console.do_apart(move |console| approve(console, &who, n, (&reason, &password))).await
        }
        other => {
            let says = format!("a proposal is withdrawn, refused or approved, not {other:?}");
            return refusal(&visit, StatusCode::NOT_FOUND, &says);
        }
    };
    let (status, says) = match done {
        Ok(Ok(says)) => (StatusCode::OK, says),
        Ok(Err(says)) => (StatusCode::CONFLICT, says),
        Err(unanswered) => (StatusCode::INTERNAL_SERVER_ERROR, unanswered.to_string()),
    };
    answer(&visit, &console, (status, says), of, Some(n)).await
}

/// The list as it is after a change, or the one proposal for a program.
pub(super) async fn answer(
    visit: &Visit,
    console: &Arc<Console>,
    (status, says): (StatusCode, String),
    of: Option<(String, String)>,
    n: Option<u64>,
) -> Response {
    let is_api = visit.address.starts_with("/api/");
    if is_api && status != StatusCode::OK {
        return refusal(visit, status, &says);
    }
    if let (true, Some(n)) = (is_api, n) {
        return match console.ask(move |console| console.proposals.get(n)).await {
            Ok(Ok(proposal)) => {
                let told = json!({ "schema": "plumb.proposal/1", "says": says, "proposal": proposal });
                Json(told).into_response()
            }
            Ok(Err(error)) => refusal(visit, StatusCode::NOT_FOUND, &error.to_string()),
            Err(unanswered) => refusal(visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
        };
    }
    let asked = of.clone();
    let listed = console
        .ask(move |console| {
            let of = asked.as_ref().map(|(recipe, rule)| (recipe.as_str(), rule.as_str()));
            console.proposals.list(of, SHOWN)
        })
        .await;
    match listed {
        Ok(Ok(proposals)) => {
            let good = status == StatusCode::OK;
            let list = Proposals { says, good, ..Proposals::new(visit, proposals, of) };
            (status, visit.page(&list)).into_response()
        }
        Ok(Err(error)) => refusal(visit, StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(unanswered) => refusal(visit, StatusCode::INTERNAL_SERVER_ERROR, &unanswered.to_string()),
    }
}

/// An entry about `proposal`, with what it changes. `what`: what became of it, as `proposed`.
pub(super) fn entry(who: &Who, what: &str, proposal: &Proposal, reason: &str) -> NewAuditEntry {
    let (what, thing, old, new) = match &proposal.change {
        Change::Threshold { rule, key, old, new } => {
            let value = |value: f32| json!({ key: as_written(value), "proposal": proposal.n });
            let thing = format!("{} / {rule}", proposal.recipe);
            (format!("threshold_{what}"), thing, value(*old), value(*new))
        }
        Change::Recipe { text } => {
            let file = |digest: &str| json!({ "file": digest, "proposal": proposal.n });
            let digest = super::recipe::digest(text);
            (
                format!("recipe_{what}"),
                proposal.recipe.to_string(),
                file(&proposal.file_digest),
                file(&digest),
            )
        }
    };
    NewAuditEntry { old: Some(old), new: Some(new), reason: reason.to_owned(), ..who.entry(&what, &thing) }
}

fn withdraw(console: &Console, who: &Who, n: u64, reason: &str) -> Result<String, String> {
    let proposal = console.proposals.get(n).map_err(told)?;
    console.proposals.withdraw(n, &who.name, reason).map_err(told)?;
    console.office.enter(entry(who, "withdrawn", &proposal, reason)).map_err(told)?;
    Ok(format!("proposal {n} is withdrawn"))
}

fn refuse(console: &Console, who: &Who, n: u64, reason: &str) -> Result<String, String> {
    let proposal = console.proposals.get(n).map_err(told)?;
    console.proposals.refuse(n, &who.name, reason).map_err(told)?;
    console.office.enter(entry(who, "refused", &proposal, reason)).map_err(told)?;
    Ok(format!("proposal {n} is refused"))
}

/// Signed, entered, done, and entered again with the first part it holds for. What is not done is open as before.
fn approve(console: &Console, who: &Who, n: u64, (reason, password): (&str, &str)) -> Result<String, String> {
    let proposal = console.proposals.get(n).map_err(told)?;
    if proposal.by.to_lowercase() == who.name.to_lowercase() {
        return Err(told(plumb_ledger::ProposalError::OwnProposal { n }));
    }
    console.office.check(who, password).map_err(told)?;
    let proposal = console.proposals.approve(n, &who.name, reason).map_err(told)?;
    let signed =
        NewAuditEntry { signature: Some("approved".to_owned()), ..entry(who, "approved", &proposal, reason) };
    let done = console
        .office
        .enter(signed)
        .map_err(|error| format!("nothing was done, as it could not be entered in the audit log: {error}"))
        .and_then(|_| carry_out(console, &proposal));
    console.forget_evidence();
    match done {
        Ok(set) => {
            console.proposals.went_live(n, set.from_part).map_err(told)?;
            let live =
                NewAuditEntry { from_part: set.from_part, ..entry(who, "live", &proposal, &proposal.reason) };
            console.office.enter(live).map_err(told)?;
            Ok(set.says)
        }
        Err(says) => {
            console.proposals.give_back(n).map_err(told)?;
            console.office.enter(entry(who, "approved_refused", &proposal, &says)).map_err(told)?;
            Err(says)
        }
    }
}

/// What the file was is kept as a version before, and what it is now afterwards.
fn carry_out(console: &Console, proposal: &Proposal) -> Result<Set, String> {
    console.written("", "").map_err(told)?;
    let (recipe, file_digest) = (proposal.recipe.clone(), proposal.file_digest.clone());
    let set = match &proposal.change {
        Change::Threshold { rule, old, new, .. } => {
            let (rule, old, new) = (rule.as_str().into(), *old, *new);
            console.seen.rules.set(&NewThreshold { recipe, rule, old, new, file_digest })
        }
        Change::Recipe { text } => {
            console.seen.rules.rewrite(&NewText { recipe, text: text.clone(), file_digest })
        }
    };
    let set = set.map_err(|refused| refused.0)?;
    // It acts already: a version that could not be kept is found on disk by the next look at the recipes.
    if let Err(error) = console.written(&proposal.by, &proposal.reason) {
        tracing::error!(%error, proposal = proposal.n, "The recipe's new text was not kept as a version.");
    }
    Ok(set)
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_printed_with_three_digits_and_is_never_nought() {
        assert_eq!(percent(0.049_507_6), "4.95 %");
        assert_eq!(percent(0.000_312), "0.0312 %");
        assert_eq!(percent(1.0), "100.00 %");
    }
}
