//! A station that judges nothing, to try a PLC program on: it serves the block, asks the programmer for one move after
//! another ([`Step`]), and says of each what it saw, what was wrong and what to change.
//!
//! It never says PASS, save in [`Step::Pass`], which is not among those it walks by itself.

mod step;
mod walk;
mod watch;

use crate::{Answer, PlcConfig, PlcError, PlcEvent, PlcLink, Seen, StationState, VerdictCode, Wait};
use plumb_inspection::{PartId, RecipeNumber};
use std::time::{Duration, Instant};
pub use step::{Outcome, Step};
use tokio::{sync::mpsc, time::timeout};
pub use watch::Watcher;

/// The heartbeat of a station.
const BEAT: Duration = Duration::from_millis(100);

/// How often whoever looks on is shown the block.
const SHOW: Duration = Duration::from_millis(100);

/// Who looks on.
pub trait Onlooker {
    /// The block now, about ten times a second.
    fn block(&mut self, seen: &Seen);
    /// What the programmer is to do now.
    fn asks(&mut self, step: Step, says: &str);
    /// Something worth knowing happened.
    fn note(&mut self, says: &str);
    /// What became of a step.
    fn outcome(&mut self, outcome: &Outcome);
}

/// A walk through the handshake.
pub struct Probe<'o> {
    link: PlcLink,
    heard: mpsc::Receiver<PlcEvent>,
    onlooker: &'o mut dyn Onlooker,
    /// For each move that a person has to make.
    patience: Duration,
    beating: bool,
    next_beat: Instant,
    next_show: Instant,
    /// Heard since the step began, in order.
    events: Vec<PlcEvent>,
    /// Wrong moves since the step began: what happened, and what to change.
    wrong: Vec<(String, String)>,
    /// A part that was triggered and has no answer yet.
    open: Option<PartId>,
    /// For parts that the PLC does not number.
    next_part: PartId,
    link_down: Option<String>,
}

impl<'o> Probe<'o> {
    /// Starts the link; the PLC need not be there yet. To be called on a tokio runtime with time and I/O.
    ///
    /// # Errors
    /// As [`PlcLink::start`].
    pub fn start(
        config: PlcConfig,
        patience: Duration,
        onlooker: &'o mut dyn Onlooker,
    ) -> Result<Self, PlcError> {
        let (events, heard) = mpsc::channel(256);
        let link = PlcLink::start(config, events)?;
        let now = Instant::now();
        Ok(Self {
            link,
            heard,
            onlooker,
            patience,
            beating: true,
            next_beat: now,
            next_show: now,
            events: Vec::new(),
            wrong: Vec::new(),
            open: None,
            next_part: PartId::FIRST,
            link_down: None,
        })
    }

    /// Walks one step to its end.
    pub async fn walk(&mut self, step: Step) -> Outcome {
        self.events.clear();
        self.wrong.clear();
        let began = Instant::now();
        let mut outcome = self.take(step).await;
        outcome.took = began.elapsed();
        if let Some((what, change)) = self.wrong.first().filter(|_| outcome.ok) {
            outcome = Outcome { ok: false, says: what.clone(), change: Some(change.clone()), ..outcome };
        }
        self.onlooker.outcome(&outcome);
        outcome
    }

    /// Shows the empty block (Online 0) and lets go.
    pub async fn end(self) {
        self.link.stop().await;
    }

    /// Where the station listens, in the server role.
    pub fn local_addr(&self) -> Option<std::net::SocketAddr> {
        self.link.local_addr()
    }

    // ---- the station's life

    /// Works until `found` gives something, at most `limit`.
    async fn until<T>(
        &mut self,
        limit: Duration,
        mut found: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + limit;
        loop {
            if let Some(found) = found(self) {
                return Some(found);
            }
            if Instant::now() >= end {
                return None;
            }
            self.turn().await;
        }
    }

    async fn turn(&mut self) {
        if let Ok(Some(event)) = timeout(Duration::from_millis(5), self.heard.recv()).await {
            self.hear(event);
        }
        let now = Instant::now();
        if now >= self.next_beat {
            self.next_beat = now + BEAT;
            if self.beating {
                self.link.beat();
            }
        }
        if now >= self.next_show {
            self.next_show = now + SHOW;
            self.onlooker.block(&self.link.seen());
        }
    }

    fn hear(&mut self, event: PlcEvent) {
        match &event {
            PlcEvent::RoundTrip(_) => return,
            PlcEvent::TriggerRequested { part, .. } => {
                let part = part.unwrap_or_else(|| {
                    let part = self.next_part;
                    self.next_part = part.next();
                    self.link.begun(part);
                    part
                });
                self.link.exposing();
                self.link.exposure_complete();
                self.open = Some(part);
            }
            PlcEvent::LinkUp { says } => {
                self.link_down = None;
                self.onlooker.note(says);
            }
            PlcEvent::LinkDown { says, .. } if self.link_down.as_ref() != Some(says) => {
                self.link_down = Some(says.clone());
                self.onlooker.note(says);
            }
            PlcEvent::TurnedAway { says } => self.onlooker.note(says),
            PlcEvent::RecipeWanted(RecipeNumber(number)) => {
                self.onlooker.note(&format!("the PLC wants recipe {number}; the probe shows it as active"));
                self.show(StationState {
                    online: true,
                    recipe: RecipeNumber(*number),
                    ..StationState::default()
                });
            }
            _ => {}
        }
        if let Some((what, change)) = wrong_move(&event) {
            self.onlooker.note(&format!("{what}: {change}"));
            self.wrong.push((what, change));
        }
        // Kept for one step; a PLC gone wild must not fill the memory.
        if self.events.len() < 1_000 {
            self.events.push(event);
        }
    }

    fn show(&self, state: StationState) {
        self.link.set_state(state);
    }

    /// Says `code` of the open part; `late` lets its deadline have passed.
    fn say(&mut self, part: PartId, code: VerdictCode, late: bool) -> bool {
        let now = Instant::now();
        let deadline = if late { now.checked_sub(BEAT).unwrap_or(now) } else { now + Duration::from_secs(1) };
        let recipe = self.link.seen().to_plc.recipe;
        self.open = None;
        self.link.answer(Answer { part, code, reason: 0, decision: Duration::ZERO, recipe, deadline }).is_ok()
    }
}

/// What a PLC should not have done, and what to change in its program.
fn wrong_move(event: &PlcEvent) -> Option<(String, String)> {
    let (what, change) = match event {
        PlcEvent::MissedTrigger { part, .. } => (
            match part {
                Some(part) => format!("Trigger (word 0 bit 1) for part {part} came when none could be taken"),
                None => "Trigger (word 0 bit 1) came when none could be taken".to_owned(),
            },
            "set it only while TriggerEnable is 1 and TriggerReady (word 10 bit 1) is 1, one part at a time and from 0 \
             to 1; such a part gets no answer and must be rejected",
        ),
        PlcEvent::WaitEnded { wait, .. } => match wait {
            Wait::TriggerDrop => (
                "Trigger still stands long after TriggerAck (word 10 bit 2)".to_owned(),
                "reset Trigger (word 0 bit 1) in the scan that sees TriggerAck",
            ),
            Wait::ResultsAck => (
                "ResultsAck (word 0 bit 3) did not come, and the answer was withdrawn".to_owned(),
                "set it when the answer has been taken, or clear BufferResults (word 0 bit 2)",
            ),
            Wait::ResultsAckDrop => (
                "ResultsAck still stands long after ResultsValid (word 10 bit 7) fell".to_owned(),
                "reset ResultsAck (word 0 bit 3) in the scan that sees ResultsValid 0",
            ),
            Wait::Exposure | Wait::RecipeChange => return None,
        },
        PlcEvent::PlcLost { .. } => (
            "the PLC's heartbeat (word 1) stands still".to_owned(),
            "add 1 to word 1 every 100 ms in a cyclic task, also while nothing else happens",
        ),
        _ => return None,
    };
    Some((what, change.to_owned()))
}
