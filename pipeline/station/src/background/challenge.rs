//! Looks after the challenge: shifts that begin, time that runs out, and the audit log, in which a challenge stands before it
//! counts.

use super::console::shift;
use crate::{
    challenge::{Challenge, ChallengeBook, End, Run},
    metrics::Metrics,
};
use jiff::{Timestamp, civil::Time, tz::TimeZone};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// Shifts and time that has run out are noticed within this.
const ROUND: Duration = Duration::from_millis(500);

/// Everything that is needed for it.
pub(crate) struct ChallengeKeeper {
    pub(crate) challenge: Arc<Challenge>,
    pub(crate) book: Arc<ChallengeBook>,
    pub(crate) metrics: Arc<Metrics>,
    /// `[console] shifts`.
    pub(crate) shifts: Vec<Time>,
}

impl ChallengeKeeper {
    /// Until told to stop. A station without a challenge has nothing to look after.
    pub(super) async fn walk(self, mut stopped: watch::Receiver<bool>) {
        if self.challenge.plan().is_none() {
            return;
        }
        let mut shift = self.shift();
        let mut round = tokio::time::interval(ROUND);
        loop {
            tokio::select! {
                _ = stopped.changed() => return,
                () = self.challenge.ended.notified() => {}
                _ = round.tick() => {}
            }
            let now = self.shift();
            // A clock that was set back begins no old shift anew.
            if now > shift {
                shift = now;
                tracing::info!("A shift begins: the challenge is due.");
                self.challenge.shift_begins();
            }
            self.challenge.look_round();
            if let Some((run, end)) = self.challenge.to_enter() {
                self.enter(run, end).await;
            }
        }
    }

    fn shift(&self) -> Timestamp {
        shift::begin(&self.shifts, Timestamp::now(), &TimeZone::system())
    }

    /// What cannot be entered releases nothing; it is tried again with the next round.
    async fn enter(&self, run: Run, end: End) {
        let book = self.book.clone();
        let (kept, ended) = (run.clone(), end.clone());
        let entered = tokio::task::spawn_blocking(move || book.enter(&kept, &ended)).await;
        let (recipe, by) = (&run.recipe, &run.by.name);
        match entered
            .map_err(|error| error.to_string())
            .and_then(|entry| entry.map_err(|error| error.to_string()))
        {
            Ok(entry) => {
                match &end {
                    End::Passed => tracing::info!(%recipe, by, entry = entry.n, "The challenge is passed."),
                    End::Failed(says) => {
                        tracing::error!(%recipe, by, entry = entry.n, "The challenge failed: {says}.")
                    }
                }
                self.metrics.challenge.ended(recipe, (end == End::Passed).then_some(entry.at));
                self.challenge.entered();
            }
            Err(error) => {
                tracing::error!(%recipe, by, error, "A challenge could not be entered in the audit log; nothing is released.");
                self.challenge.not_entered(&error);
            }
        }
    }
}
