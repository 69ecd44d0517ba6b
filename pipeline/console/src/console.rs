//! The console as one value: what it was handed, who may use it, and the router it gives.

use crate::{
    Command, ConsoleConfig, Done, Evidence, Order, Refused, Seen, Snapshot, Who, WrittenRecipe, asset, guard,
    live::Told,
    look, page,
    people::{LoginError, Office},
    shell,
    studies::Studies,
};
use axum::{Router, middleware, routing::get};
use plumb_inspection::RecipeName;
use plumb_ledger::{NewAuditEntry, ProposalBook, Reader, VersionBook};
use plumb_verdict::RuleName;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, mpsc::error::TrySendError, oneshot};
use tower_http::compression::CompressionLayer;

/// Questions to the disk and passwords that are hashed at one time; the others wait. More would only be in each other's
/// way, and in that of the station.
const AT_ONCE: usize = 2;

/// The station answers an order within this, or says that it has begun.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the audit log is gone through.
const VERIFY: Duration = Duration::from_secs(3600);

/// So long what is known of parts is kept while somebody tunes by it: gathering it reads every judged part's record.
const EVIDENCE: Duration = Duration::from_secs(60);

/// The console of one station.
#[derive(Debug)]
pub struct Console {
    pub(crate) seen: Seen,
    pub(crate) config: ConsoleConfig,
    pub(crate) office: Office,
    pub(crate) reader: Reader,
    pub(crate) proposals: ProposalBook,
    pub(crate) studies: Studies,
    /// Every text that the recipes' files were seen with.
    pub(crate) versions: VersionBook,
    /// What was gathered last, and when.
    evidence: Mutex<Option<(Instant, Arc<Evidence>)>>,
    pub(crate) told: Told,
    /// The model that is being timed, or was last.
    pub(crate) benched: Mutex<Option<page::model::Benched>>,
    slow: Semaphore,
}

/// A console, and what the person who started the station must be told.
#[derive(Debug)]
pub struct Setup {
    /// The console.
    pub console: Arc<Console>,
    /// The one-time password of the account `admin`, made because there was nobody who could log in. To be printed on the
    /// terminal, once, and nowhere else.
    pub first_password: Option<String>,
}

/// A question that was not answered: its thread ended by a panic, or the console is closing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unanswered;

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the console could not answer; please report what the log says")
    }
}

impl Console {
    /// Opens people and audit log in the ledger's folder. A folder that cannot be used is logged, and told at each login:
    /// the station runs without its console rather than not at all.
    pub fn open(seen: Seen, config: ConsoleConfig) -> Setup {
        let office = Office::open(&seen.ledger, &config);
        let first_password = office.first_admin().unwrap_or_else(|error| {
            tracing::error!(%error, "There is nobody who could log in at the console.");
            None
        });
        let reader = Reader::new(&seen.ledger);
        let (proposals, versions) = (ProposalBook::new(&seen.ledger), VersionBook::new(&seen.ledger));
        let studies = Studies::new(&seen.ledger);
        match proposals.give_all_back() {
            Ok(0) => {}
            Ok(n) => {
                tracing::warn!(
                    proposals = n,
                    "Approvals were not carried out before the station ended; they wait again."
                )
            }
            Err(error) => tracing::error!(%error, "Proposals cannot be read."),
        }
        let (evidence, slow) = (Mutex::default(), Semaphore::new(AT_ONCE));
        let told = Told::default();
        let console = Self {
            seen,
            config,
            office,
            reader,
            proposals,
            versions,
            studies,
            evidence,
            told,
            benched: Mutex::default(),
            slow,
        };
        Setup { console: Arc::new(console), first_password }
    }

    /// Every page, for the station's one listener. It should serve with the peer's address as
    /// [`axum::extract::ConnectInfo`]; without it lock-outs count by name alone.
    pub fn router(self: &Arc<Self>) -> Router {
        let mut router = Router::new();
        for door in page::ALL.iter().flat_map(|page| (page.doors)()) {
            let right = door.right;
            let check = middleware::from_fn(move |request, next| guard::check(right, request, next));
            router = router.route(door.path, door.handler.layer(check));
        }
        router
            .route("/look", get(look::set))
            .route("/shell/state", get(shell::state))
            .layer(middleware::from_fn_with_state(self.clone(), guard::enter))
            .layer(CompressionLayer::new())
            .route("/assets/{edition}/{name}", get(asset::serve))
            .layer(middleware::map_response(guard::harden))
            .with_state(self.clone())
    }

    /// Goes through the audit log now and every hour, until dropped.
    pub async fn watch_audit_log(self: Arc<Self>) {
        let mut round = tokio::time::interval(VERIFY);
        loop {
            round.tick().await;
            if let Ok(Err(error)) = self.ask(|console| console.office.verify()).await {
                tracing::error!(%error, "The audit log could not be verified.");
            }
        }
    }

    /// The station as it was told last.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.seen.snapshot.borrow().clone()
    }

    /// Asks something that may take a while on a thread that may wait.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let _turn = self.slow.acquire().await.map_err(|_| Unanswered)?;
        let console = self.clone();
        tokio::task::spawn_blocking(move || question(&console)).await.map_err(|_| Unanswered)
    }

    /// As [`Console::ask`], for a change that waits for the line itself: it takes nobody's turn.
    pub(crate) async fn do_apart<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let console = self.clone();
        tokio::task::spawn_blocking(move || work(&console)).await.map_err(|_| Unanswered)
    }

    /// What is known of parts for one rule; a minute old at most, so that scores, counts and parts belong together while
    /// somebody drags.
    pub(crate) fn evidence(&self, recipe: &str, rule: &str) -> Result<Arc<Evidence>, Refused> {
        let kept = self.evidence.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_it = |(at, kept): &(Instant, Arc<Evidence>)| {
            let seen = &kept.seen;
            at.elapsed() < EVIDENCE && seen.recipe.as_str() == recipe && seen.rule.as_str() == rule
        };
        match kept.filter(is_it) {
            Some((_, kept)) => Ok(kept),
            None => self.fresh_evidence(recipe, rule),
        }
    }

    /// As [`Console::evidence`], as it is now.
    pub(crate) fn fresh_evidence(&self, recipe: &str, rule: &str) -> Result<Arc<Evidence>, Refused> {
        let found = self.seen.rules.evidence(&RecipeName::from(recipe), &RuleName::from(rule))?;
        let found = Arc::new(found);
        *self.evidence.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), found.clone()));
        Ok(found)
    }

    /// The recipes' files as they are now. A text that was not seen before is kept as a version, as written by `by` for
    /// the reason `why`; both are empty where nobody at the console wrote it.
    pub(crate) fn written(&self, by: &str, why: &str) -> Result<Vec<WrittenRecipe>, Refused> {
        let written = self.seen.rules.written()?;
        for recipe in &written {
            if let Some(name) = &recipe.name {
                let kept = self.versions.keep(name, &recipe.text, by, why);
                kept.map_err(|error| Refused(error.to_string()))?;
            }
        }
        Ok(written)
    }

    /// As [`Console::written`], the one of this name.
    pub(crate) fn written_one(&self, recipe: &str) -> Result<WrittenRecipe, Refused> {
        let written = self.written("", "")?;
        let names: Vec<String> =
            written.iter().filter_map(|one| Some(format!("\"{}\"", one.name.as_ref()?))).collect();
        let found =
            written.into_iter().find(|one| one.name.as_ref().is_some_and(|name| name.as_str() == recipe));
        found.ok_or_else(|| {
            Refused(format!("there is no recipe \"{recipe}\"; there are {}", names.join(", ")))
        })
    }

    /// What is known of parts is to be gathered anew: a word was said, or a recipe has changed.
    pub(crate) fn forget_evidence(&self) {
        *self.evidence.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Has the station do something, with an entry in the audit log before it is done, and another when it is not.
    pub(crate) async fn change(
        self: &Arc<Self>,
        who: &Who,
        entry: NewAuditEntry,
        command: Command,
    ) -> Result<Done, Refused> {
        let undone = entry.clone();
        self.enter(entry).await?;
        let done = self.order(who, command).await;
        if let Err(refused) = &done {
            let entry = NewAuditEntry {
                what: format!("{}_refused", undone.what),
                reason: refused.to_string(),
                ..undone
            };
            self.enter(entry).await?;
        }
        done
    }

    /// Enters something in the audit log. What cannot be entered must not be done.
    pub(crate) async fn enter(self: &Arc<Self>, entry: NewAuditEntry) -> Result<(), Refused> {
        let entered = self.ask(|console| console.office.enter(entry)).await;
        match entered {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Refused(format!(
                "nothing was done, as it could not be entered in the audit log: {error}"
            ))),
            Err(unanswered) => Err(Refused(unanswered.to_string())),
        }
    }

    /// An electronic signature: the password again.
    pub(crate) async fn sign(self: &Arc<Self>, who: Who, password: String) -> Result<(), LoginError> {
        self.ask(move |console| console.office.check(&who, &password))
            .await
            .unwrap_or(Err(LoginError::Random))
    }

    async fn order(&self, by: &Who, command: Command) -> Result<Done, Refused> {
        let (answer, answered) = oneshot::channel();
        let order = Order { by: by.clone(), command, answer };
        self.seen.orders.try_send(order).map_err(|error| {
            Refused(match error {
                TrySendError::Full(_) => "the station is busy with other orders; try again".to_owned(),
                TrySendError::Closed(_) => "the station is stopping".to_owned(),
            })
        })?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(answer)) => answer,
            _ => Err(Refused("the station did not answer; see its log".to_owned())),
        }
    }
}
